//! `quorate register`: the public register of data use, made from the nodes' signed extracts and
//! the project records that their ledgers name; or made again, to see whether it is still that.

use std::collections::BTreeMap;
use std::path::Path;

use quorate_evidence::extract::Extract;
use quorate_evidence::register::{Register, build};
use quorate_identity::envelope::kind;
use quorate_identity::{Role, Roster, Signed, digest_text};
use serde_json::Value;

use super::args::RegisterArgs;
use super::exit::{Exit, Failure};
use super::trust::{Trust, broken};
use super::{text, ui};

/// Runs the command.
pub(crate) fn run(home: &Path, args: &RegisterArgs) -> Result<Exit, Failure> {
    let roster = Trust::of(home, &args.trust)?.newest(&[])?;
    let mut extracts = Vec::new();
    for path in &args.extracts {
        extracts.push(extract(path, &roster)?);
    }
    let mut records = BTreeMap::new();
    for path in &args.project {
        let (digest, record) = record(path)?;
        records.insert(digest, record);
    }
    let register = build(&extracts, &records).map_err(|error| broken(error.to_string()))?;
    let files = files(&register);
    if args.check {
        return check(&args.out, &files);
    }
    std::fs::create_dir_all(&args.out)?;
    for (name, content) in &files {
        std::fs::write(args.out.join(name), content)?;
    }
    let count = register.projects.len();
    ui::say(&format!(
        "written to {}: projects {count}",
        args.out.display()
    ));
    Ok(Exit::Answered)
}

fn files(register: &Register) -> [(&'static str, String); 3] {
    [
        ("index.html", register.html()),
        ("register.csv", register.csv()),
        ("register.json", register.json()),
    ]
}

/// Whether the published files are those that the ledgers give.
fn check(out: &Path, files: &[(&'static str, String)]) -> Result<Exit, Failure> {
    for (name, content) in files {
        let published = text::read_file(&out.join(name))?;
        if published != *content {
            return Err(broken(format!(
                "{} is not what the ledgers give: something was removed, added or altered",
                out.join(name).display()
            )));
        }
    }
    ui::say("the register is what the ledgers give, to the byte");
    Ok(Exit::Answered)
}

/// A node's extract, by the node's own signature.
fn extract(path: &Path, roster: &Roster) -> Result<Extract, Failure> {
    let place = path.display();
    let signed = signed(path)?;
    let signer = signed.verify_sole(kind::EXTRACT);
    let signer = signer.map_err(|error| broken(format!("{place}: {error}")))?;
    let extract: Extract = serde_json::from_slice(&signed.payload)
        .map_err(|error| broken(format!("{place}: {error}")))?;
    let member = roster
        .member(Role::Node, &extract.node, extract.time)
        .map_err(|error| broken(format!("{place}: {error}")))?;
    if member.key != *signer {
        return Err(broken(format!("{place} is not signed by {}", extract.node)));
    }
    Ok(extract)
}

/// A project record with its name, which is the digest of its bytes.
fn record(path: &Path) -> Result<(String, Value), Failure> {
    let signed = signed(path)?;
    let digest = digest_text(&signed.digest());
    let record = serde_json::from_slice(&signed.payload)
        .map_err(|error| broken(format!("{}: {error}", path.display())))?;
    Ok((digest, record))
}

fn signed(path: &Path) -> Result<Signed, Failure> {
    serde_json::from_str(&text::read_file(path)?)
        .map_err(|error| broken(format!("{} is no signed file: {error}", path.display())))
}
