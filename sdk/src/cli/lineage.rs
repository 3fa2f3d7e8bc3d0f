//! `quorate lineage RESULT [PROOF...]`: what each node's answer rests on, link by link.

use std::path::Path;

use quorate_identity::Roster;

use super::args::LineageArgs;
use super::exit::{Exit, Failure};
use super::trust::{Trust, broken};
use super::{text, ui, verify};
use crate::audit::{Audit, Ledger};
use crate::lineage::{Lineage, Link, Standing, lineage};
use crate::render::clean;
use crate::verify::VerifiedResult;

/// Runs the command.
pub(crate) fn run(home: &Path, args: &LineageArgs) -> Result<Exit, Failure> {
    let trust = Trust::of(home, &args.trust)?;
    let verified = verify::believed(&trust, &args.result)?;
    let roster = trust.newest(&[verified.roster().to_vec()])?;
    let mut audit = Audit::default();
    for path in std::iter::once(&args.result).chain(&args.proofs) {
        let (name, text) = (path.display().to_string(), text::read_file(path)?);
        let read = audit.read(&name, &text, &roster);
        read.map_err(|error| broken(error.to_string()))?;
    }
    let lineage = lineage(&verified, &roster, &audit);
    if lineage.nodes.is_empty() {
        return Err(broken(
            "no answer in it carries a receipt: there is nothing to follow",
        ));
    }
    if args.json {
        let text =
            serde_json::to_string_pretty(&lineage).map_err(|error| broken(error.to_string()))?;
        ui::data((text + "\n").as_bytes());
    } else {
        let lines = told(&verified, &roster, &lineage, &audit);
        let lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
        ui::data((lines.join("\n") + "\n").as_bytes());
    }
    let one_ledger = |node| {
        audit
            .ledgers
            .get(node)
            .is_none_or(|l| l.contradictions().is_empty())
    };
    let sound = lineage.is_sound() && lineage.nodes.keys().all(one_ledger);
    Ok(if sound {
        Exit::Answered
    } else {
        Exit::NotVerified
    })
}

/// The chain for reading.
fn told(
    verified: &VerifiedResult,
    roster: &Roster,
    lineage: &Lineage,
    audit: &Audit,
) -> Vec<String> {
    let asked = verified.question().payload();
    let mut lines = vec![
        format!(
            "question {} of {} for {}",
            asked.question_id, asked.researcher, asked.project
        ),
        format!("  ✓ meaning  {}", verified.hash()),
        format!("  ✓ codebook  {}", asked.codebook),
        format!("  ✓ roster  {}", roster.head().hash),
    ];
    for (node, links) in &lineage.nodes {
        lines.push(node.clone());
        lines.extend(links.iter().map(line));
        let wrong = audit.ledgers.get(node).map(Ledger::contradictions);
        let wrong = wrong.unwrap_or_default();
        lines.extend(wrong.iter().map(|why| format!("  ✗ ledger  {why}")));
        if !audit.records.contains_key(node) {
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
}
