//! `quorate verify FILE`: a saved result, believed again from its signed bytes, without the network.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_evidence::receipt::Checked;
use quorate_identity::{Roster, Signed};
use quorate_query::analyses::Grid;
use quorate_wire::signed_from_bytes;

use super::args::VerifyArgs;
use super::exit::{Exit, Failure};
use super::{text, ui};
use crate::document::{AnalysisInfo, Document};
use crate::profile::Profile;
use crate::render::clean;
use crate::verify::{Standard, VerifiedResult, Words, verify};
use crate::{heads, journal, report};

/// Runs the command.
pub(crate) fn run(home: &Path, args: &VerifyArgs) -> Result<Exit, Failure> {
    let Believed {
        verified,
        roster,
        newer,
        mine,
    } = believe(home, &args.file, args.codebook.as_deref())?;
    ui::data(story(&verified, &roster, newer.as_ref(), mine).as_bytes());
    Ok(Exit::Answered)
}

/// A saved result that is believed again.
pub(crate) fn believed(home: &Path, file: &Path) -> Result<VerifiedResult, Failure> {
    believe(home, file, None).map(|believed| believed.verified)
}

/// A result with what it was believed by.
struct Believed {
    verified: VerifiedResult,
    roster: Roster,
    newer: Option<Roster>,
    /// Whether the question was signed on this machine.
    mine: bool,
}

fn believe(home: &Path, file: &Path, codebook: Option<&Path>) -> Result<Believed, Failure> {
    let profile = Profile::open(home)?;
    let document = read(file)?;
    let signed = envelope(document.signed.as_deref().ok_or_else(|| {
        broken("the file holds no signed result, so there is nothing to verify")
    })?)?;
    let (roster, newer) = rosters(&profile, &document)?;
    let mut codebooks = profile.codebooks()?;
    if let Some(path) = codebook {
        codebooks.push(text::codebook_file(path)?.1);
    }
    let remembered = document
        .question
        .as_ref()
        .and_then(|question| question.id.parse().ok())
        .map(|id| journal::recall(&profile, id))
        .transpose()?
        .flatten();
    let asked = remembered.as_ref().map(|r| (&r.signed, r.nodes.as_slice()));
    let standard = Standard {
        roster: &roster,
        codebooks: &codebooks,
        asked,
    };
    let verified = verify(&signed, standard)
        .map_err(|error| Failure::client(crate::client::ClientError::Verify(error)))?;
    heads::notice(&profile, &verified)
        .map_err(|error| Failure::client(crate::client::ClientError::from(error)))?;
    the_file_says_the_same(&document, &verified)?;
    Ok(Believed {
        verified,
        mine: asked.is_some(),
        roster,
        newer,
    })
}

fn broken(message: impl Into<String>) -> Failure {
    Failure::new(
        Exit::NotVerified,
        format!("NOT VERIFIED: {}", message.into()),
    )
}

fn read(path: &Path) -> Result<Document, Failure> {
    let text = text::read_file(path)?;
    let not_json = |error: serde_json::Error| {
        broken(format!(
            "{} is not a result written with --format json ({error})",
            path.display()
        ))
    };
    serde_json::from_str(&text).map_err(not_json)
}

fn envelope(text: &str) -> Result<Signed, Failure> {
    let bytes = BASE64
        .decode(text)
        .map_err(|_| broken("signed bytes are not base64"))?;
    signed_from_bytes(&bytes).map_err(|_| broken("signed bytes are not a signed message"))
}

/// The roster the result was verified against when it was saved, and the one we know now where
/// that is newer. They must be one history, begun by the pinned founders.
fn rosters(profile: &Profile, document: &Document) -> Result<(Roster, Option<Roster>), Failure> {
    let refused = |error: String| {
        broken(format!(
            "the roster in the file is not to be believed: {error}"
        ))
    };
    let known = profile.roster().ok();
    if document.roster.is_empty() {
        let roster = known.ok_or_else(|| broken("neither file nor profile holds a roster"))?;
        return Ok((roster, None));
    }
    let log = document
        .roster
        .iter()
        .map(|entry| envelope(entry))
        .collect::<Result<Vec<_>, _>>()?;
    let saved = profile
        .verify_roster(&log)
        .map_err(|error| refused(error.to_string()))?;
    let Some(known) = known else {
        return Ok((saved, None));
    };
    let (older, newer) = if saved.head().seq <= known.head().seq {
        (&saved, &known)
    } else {
        (&known, &saved)
    };
    newer
        .check_extends(&older.head())
        .map_err(|error| refused(error.to_string()))?;
    let moved_on = known.head().seq > saved.head().seq;
    Ok((saved, moved_on.then_some(known)))
}

/// What the file shows must be what its signed bytes say.
fn the_file_says_the_same(document: &Document, verified: &VerifiedResult) -> Result<(), Failure> {
    let by_site = document
        .all_rows()
        .flat_map(|row| row.cells.values())
        .any(|cell| !cell.sites.is_empty());
    let genuine = report::document(verified, by_site);
    let code = |document: &Document| {
        document
            .problem
            .as_ref()
            .map(|problem| problem.code.clone())
    };
    let parts = [
        ("schema", document.schema == genuine.schema),
        ("status", document.status == genuine.status),
        ("question", document.question == genuine.question),
        ("problem", code(document) == code(&genuine)),
        ("columns", document.columns == genuine.columns),
        ("rows", document.rows == genuine.rows),
        ("tables", document.tables == genuine.tables),
        (
            "analysis",
            analyses_agree(document.analysis.as_ref(), genuine.analysis.as_ref()),
        ),
        ("nodes", document.nodes == genuine.nodes),
        ("protection", document.protection == genuine.protection),
        ("notes", document.notes == genuine.notes),
    ];
    match parts.iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((part, _)) => Err(broken(format!(
            "`{part}` in the file is not what was signed"
        ))),
    }
}

/// Whether two reports say the same. Probabilities may differ in their last digits from machine to
/// machine: the file may have been written on another one.
fn analyses_agree(file: Option<&AnalysisInfo>, genuine: Option<&AnalysisInfo>) -> bool {
    let (Some(file), Some(genuine)) = (file, genuine) else {
        return file.is_none() && genuine.is_none();
    };
    let frame = |info: &AnalysisInfo| {
        let tables = info.report.tables.iter();
        let rows = |grid: &Grid| {
            grid.rows
                .iter()
                .map(|line| line.row.clone())
                .collect::<Vec<_>>()
        };
        let tables: Vec<_> = tables
            .map(|t| (t.name.clone(), t.columns.clone(), rows(t)))
            .collect();
        let report = &info.report;
        let (sites, out, remarks) = (&report.sites, &report.left_out, &report.remarks);
        let words = (sites.clone(), out.clone(), remarks.clone());
        (info.name.clone(), info.arguments.clone(), words, tables)
    };
    let numbers = |info: &AnalysisInfo| {
        let lines = info.report.tables.iter().flat_map(|grid| grid.rows.clone());
        let entries = lines.flat_map(|line| line.values);
        entries
            .flat_map(|(column, entry)| {
                let parts = [entry.value, entry.lower, entry.upper];
                parts.map(|part| (column.clone(), part.map(|text| text.parse::<f64>())))
            })
            .collect::<Vec<_>>()
    };
    let (ours, theirs) = (numbers(genuine), numbers(file));
    let near = |((name, x), (other, y)): (&_, &_)| {
        name == other
            && match (x, y) {
                (Some(Ok(x)), Some(Ok(y))) => close(*x, *y),
                (None, None) => true,
                _ => false,
            }
    };
    let same_length = ours.len() == theirs.len();
    frame(file) == frame(genuine) && same_length && ours.iter().zip(&theirs).all(near)
}

fn close(x: f64, y: f64) -> bool {
    (x - y).abs() <= 1e-9 * x.abs().max(y.abs())
}

fn story(verified: &VerifiedResult, roster: &Roster, newer: Option<&Roster>, mine: bool) -> String {
    let asked = verified.question().payload();
    let list = |wanted: fn(&Words) -> bool| {
        let names = verified.words().iter().filter(|(_, words)| wanted(words));
        names
            .map(|(name, _)| clean(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let answered = list(|words| matches!(words, Words::Answer(_)));
    let refused = list(|words| matches!(words, Words::Refusal(_)));
    let silent = list(|words| matches!(words, Words::Silence));
    let finished = verified.result().payload().finished;
    let mut lines = vec![format!(
        "verified: {} {}",
        asked.question_id,
        verified.status()
    )];
    let mut tick = |text: String| lines.push(format!("  ✓ {text}"));
    tick(format!(
        "roster of {} entries, begun by the pinned founders",
        roster.head().seq
    ));
    let here = if mine {
        ", the very bytes signed on this machine"
    } else {
        ""
    };
    tick(format!(
        "question signed by {} for {}{here}",
        asked.researcher,
        clean(&asked.project)
    ));
    tick(format!("it means what was signed: {}", verified.hash()));
    if !answered.is_empty() {
        tick(format!("answers signed by their own nodes: {answered}"));
    }
    if !verified.receipts().is_empty() {
        tick(receipts(verified));
    }
    if !refused.is_empty() {
        tick(format!("refusals signed by their own nodes: {refused}"));
    }
    match verified.combined().map(|combined| combined.tables.len()) {
        None => {}
        Some(1) => tick("table recombined from the signed answers, equal to the byte".to_owned()),
        Some(n) => tick(format!(
            "{n} tables recombined from the signed answers, equal to the byte"
        )),
    }
    tick(format!(
        "result signed by the coordinator, finished {}",
        super::clock::moment(finished)
    ));
    if !silent.is_empty() {
        lines.push(format!(
            "  – no word from: {silent} (only the coordinator says so)"
        ));
    }
    if let Some(newer) = newer {
        lines.extend(revoked_since(verified, newer));
    }
    lines.join("\n") + "\n"
}

/// Where the decisions stand in the nodes' ledgers.
fn receipts(verified: &VerifiedResult) -> String {
    let place = |(node, checked): (&String, &Checked)| {
        format!("{} record {}", clean(node), checked.record.seq)
    };
    let places: Vec<String> = verified.receipts().iter().map(place).collect();
    format!(
        "receipts lead to the ledgers that their nodes signed: {}",
        places.join(", ")
    )
}

/// Keys that spoke in the result and were revoked later.
fn revoked_since(verified: &VerifiedResult, newer: &Roster) -> Vec<String> {
    let finished = verified.result().payload().finished;
    let speakers = verified
        .words()
        .iter()
        .filter_map(|(name, words)| match words {
            Words::Answer(answer) => Some((name, answer.signer())),
            Words::Refusal(refusal) => Some((name, refusal.signer())),
            Words::Silence => None,
        });
    speakers
        .filter(|(_, key)| newer.by_key(key, finished).is_err())
        .map(|(name, key)| format!("  ! the key of {} was revoked since: {key}", clean(name)))
        .collect()
}
