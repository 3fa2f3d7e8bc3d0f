//! `quorate audit FILE...`: whether everybody was shown one ledger of each node.

use std::path::Path;

use super::args::AuditArgs;
use super::exit::{Exit, Failure};
use super::trust::{Trust, broken, roster_in};
use super::{clock, text, ui};
use crate::audit::Audit;
use crate::render::clean;

/// Runs the command.
pub(crate) fn run(home: &Path, args: &AuditArgs) -> Result<Exit, Failure> {
    let texts = args.files.iter().map(|path| {
        let text = text::read_file(path)?;
        Ok((path.display().to_string(), text))
    });
    let texts = texts.collect::<Result<Vec<_>, Failure>>()?;
    let logs = texts.iter().map(|(_, text)| roster_in(text));
    let logs: Vec<_> = logs.filter(|log| !log.is_empty()).collect();
    let roster = Trust::of(home, &args.trust)?.newest(&logs)?;
    let mut audit = Audit::default();
    for (name, text) in &texts {
        let read = audit.read(name, text, &roster);
        read.map_err(|error| broken(error.to_string()))?;
    }
    for given in &args.ledger {
        let pair = given.split_once('=');
        let (node, file) =
            pair.ok_or_else(|| Failure::new(Exit::Usage, format!("`{given}`: write NODE=FILE")))?;
        let ledger = text::read_ledger(Path::new(file))?;
        let read = audit.read_ledger(node, ledger.as_bytes(), &roster, clock::now());
        read.map_err(|error| broken(error.to_string()))?;
    }
    let mut lines: Vec<String> = audit
        .entries
        .iter()
        .map(|entry| format!("✓ {entry}"))
        .collect();
    let mut sound = true;
    for (node, ledger) in &audit.ledgers {
        let wrong = ledger.contradictions();
        sound &= wrong.is_empty();
        lines.extend(wrong.iter().map(|why| format!("✗ {node}: {why}")));
        let left_out = ledger.left_out();
        lines.extend(left_out.iter().map(|why| format!("– {node}: {why}")));
        let told = !ledger.sightings.is_empty() || ledger.whole.is_some();
        if wrong.is_empty() && told {
            let (seen, gaps) = (ledger.sightings.len(), ledger.unlinked());
            let whole = match &ledger.whole {
                Some(whole) => format!(", each in the ledger of {} records", whole.head.seq),
                None => String::new(),
            };
            lines.push(format!("✓ {node}: one ledger in {seen} places{whole}"));
            lines.extend(gaps.iter().map(|(from, to)| {
                format!("– {node}: nothing links {from} records to {to}; ask its custodian for `quorate-node ledger prove --continues {from}`")
            }));
        }
    }
    let lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
    ui::data((lines.join("\n") + "\n").as_bytes());
    Ok(if sound {
        Exit::Answered
    } else {
        Exit::NotVerified
    })
}
