//! `quorate lineage RESULT [PROOF...]`: what each node's answer rests on, link by link.

use std::path::Path;

use super::args::LineageArgs;
use super::exit::{Exit, Failure};
use super::trust::{Trust, broken};
use super::{text, ui, verify};
use crate::audit::Audit;
use crate::lineage::{Lineage, Link, Standing, lineage};
use crate::render::{clean, printable_json};

/// Runs the command.
pub(crate) fn run(home: &Path, args: &LineageArgs) -> Result<Exit, Failure> {
    let trust = Trust::of(home, &args.trust)?;
    let believed = verify::believe(&trust, &args.result, None)?;
    let mut audit = Audit::default();
    let mut read = |path: &Path, roster| {
        let (name, text) = (path.display().to_string(), text::read_file(path)?);
        let read = audit.read(&name, &text, roster);
        read.map_err(|error| broken(error.to_string()))
    };
    // The result by the roster of its time, what was shown since by the newest.
    read(&args.result, &believed.roster)?;
    let newest = believed.newer.as_ref().unwrap_or(&believed.roster);
    for path in &args.proofs {
        read(path, newest)?;
    }
    let lineage = lineage(&believed.verified, &audit);
    if lineage.nodes.is_empty() {
        return Err(broken("no node answered: there is nothing to follow"));
    }
    let text = if args.json {
        let json = serde_json::to_string_pretty(&lineage);
        let json = json.map_err(|error| broken(error.to_string()))?;
        printable_json(&json) + "\n"
    } else {
        let mut lines = told(&believed, &lineage);
        lines.extend(verify::afterwards(&believed, &trust));
        let lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
        lines.join("\n") + "\n"
    };
    ui::data(text.as_bytes());
    Ok(if lineage.sound {
        Exit::Answered
    } else {
        Exit::NotVerified
    })
}

/// The chain for reading.
fn told(believed: &verify::Believed, lineage: &Lineage) -> Vec<String> {
    let asked = believed.verified.question().payload();
    let mut lines = vec![
        format!(
            "question {} of {} for {}, network {}",
            asked.question_id, asked.researcher, asked.project, lineage.network
        ),
        format!("  ✓ meaning  {}", believed.verified.hash()),
        format!("  ✓ codebook  {}", asked.codebook),
        format!("  ✓ roster  {}", believed.roster.head().hash),
    ];
    for (node, links) in &lineage.nodes {
        lines.push(node.clone());
        lines.extend(links.iter().map(line));
        let kept = |link: &Link| ["data", "policy"].contains(&link.what);
        let open = |link: &Link| link.standing == Standing::Named && !kept(link);
        if links.iter().any(open) || !links.iter().any(|link| link.words.contains("arrived")) {
            lines.push(format!(
                "  – more of it is with the custodian of {node}: quorate-node ledger prove --question {} --acts",
                asked.question_id
            ));
        }
    }
    lines.extend(lineage.strangers.iter().map(line));
    lines
}

fn line(link: &Link) -> String {
    let sign = match link.standing {
        Standing::Shown => "✓",
        Standing::Named => "–",
        Standing::Broken => "✗",
    };
    format!("  {sign} {}  {}  {}", link.what, link.words, link.digest)
        .trim_end()
        .to_owned()
}
