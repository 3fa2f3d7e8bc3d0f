//! `quorate verify FILE`: a saved result, believed again from its signed bytes, without the network.

use std::path::Path;

use quorate_evidence::receipt::Checked;
use quorate_identity::Roster;
use quorate_query::analyses::Grid;
use quorate_query::codebook::{self, Codebook};
use serde::Deserialize;
use serde_json::Value;

use super::args::VerifyArgs;
use super::exit::{Exit, Failure};
use super::trust::{self, Trust, broken};
use super::{text, ui};
use crate::document::{AnalysisInfo, Document};
use crate::render::clean;
use crate::verify::{Standard, VerifiedResult, Words, verify};
use crate::{heads, journal, report};

/// Runs the command.
pub(crate) fn run(home: &Path, args: &VerifyArgs) -> Result<Exit, Failure> {
    let trust = Trust::of(home, &args.trust)?;
    let believed = believe(&trust, &args.file, args.codebook.as_deref())?;
    ui::data(story(&believed, &trust).as_bytes());
    Ok(Exit::Answered)
}

/// A saved result that is believed again.
pub(crate) fn believed(trust: &Trust, file: &Path) -> Result<VerifiedResult, Failure> {
    believe(trust, file, None).map(|believed| believed.verified)
}

/// A result with what it was believed by.
pub(crate) struct Believed {
    /// The result.
    pub(crate) verified: VerifiedResult,
    /// The roster that it was verified against.
    pub(crate) roster: Roster,
    /// The one known now, where that is newer.
    pub(crate) newer: Option<Roster>,
    /// Whether the question was signed on this machine.
    mine: bool,
}

/// Verifies a saved result.
pub(crate) fn believe(
    trust: &Trust,
    file: &Path,
    codebook: Option<&Path>,
) -> Result<Believed, Failure> {
    let (raw, document) = read(file)?;
    let signed = trust::envelope(document.signed.as_deref().ok_or_else(|| {
        broken("the file holds no signed result, so there is nothing to verify")
    })?)?;
    let log = document.roster.iter().map(|entry| trust::envelope(entry));
    let (roster, newer) = trust.rosters(&log.collect::<Result<Vec<_>, _>>()?)?;
    let codebooks = codebooks(trust, &document, codebook)?;
    let remembered = match (trust.profile(), &document.question) {
        (Some(profile), Some(question)) => match question.id.parse() {
            Ok(id) => journal::recall(profile, id)?,
            Err(_) => None,
        },
        _ => None,
    };
    let asked = remembered.as_ref().map(|r| (&r.signed, r.nodes.as_slice()));
    let standard = Standard {
        roster: &roster,
        codebooks: &codebooks,
        asked,
    };
    let verified = verify(&signed, standard)
        .map_err(|error| Failure::client(crate::client::ClientError::Verify(error)))?;
    if let Some(profile) = trust.profile() {
        heads::notice(profile, &verified)
            .map_err(|error| Failure::client(crate::client::ClientError::from(error)))?;
    }
    the_file_says_the_same(&raw, &document, &verified)?;
    Ok(Believed {
        verified,
        mine: asked.is_some(),
        roster,
        newer,
    })
}

/// The codebooks at hand. One that the file brings is what its own digest says, and the question
/// names the digest.
fn codebooks(
    trust: &Trust,
    document: &Document,
    given: Option<&Path>,
) -> Result<Vec<Codebook>, Failure> {
    let mut codebooks = match trust.profile() {
        Some(profile) => profile.codebooks()?,
        None => Vec::new(),
    };
    if let Some(path) = given {
        codebooks.push(text::codebook_file(path)?.1);
    }
    let brought = document.codebook.as_deref();
    codebooks.extend(brought.and_then(|text| codebook::read(text, "the result's codebook").ok()));
    Ok(codebooks)
}

/// A saved result as it is written, and read.
fn read(path: &Path) -> Result<(Value, Document), Failure> {
    let text = text::read_file(path)?;
    let not_json = |error: serde_json::Error| {
        broken(format!(
            "{} is not a result written with --format json ({error})",
            path.display()
        ))
    };
    let raw: Value = serde_json::from_str(&text).map_err(not_json)?;
    let document = Document::deserialize(&raw).map_err(not_json)?;
    Ok((raw, document))
}

/// What the file shows must be what its signed bytes say: no more, no less and nothing else. A file of
/// an earlier release may lack roster and codebook; the words of a problem may differ, its code not.
fn the_file_says_the_same(
    raw: &Value,
    document: &Document,
    verified: &VerifiedResult,
) -> Result<(), Failure> {
    let by_site = document
        .all_rows()
        .flat_map(|row| row.cells.values())
        .any(|cell| !cell.sites.is_empty());
    let genuine = report::document(verified, by_site);
    let told = serde_json::to_value(&genuine).map_err(|error| broken(error.to_string()))?;
    let code = |document: &Document| document.problem.as_ref().map(|p| p.code.clone());
    let part = |of: &Value, part: &str| of.get(part).cloned().unwrap_or_default();
    let same = |name: &str| match name {
        "problem" => code(document) == code(&genuine),
        "analysis" => {
            // Nothing stands in it that was not read.
            let read = serde_json::to_value(&document.analysis).unwrap_or_default();
            let (ours, theirs) = (genuine.analysis.as_ref(), document.analysis.as_ref());
            read == part(raw, name) && analyses_agree(theirs, ours)
        }
        "roster" | "codebook" if raw.get(name).is_none() => true,
        name => part(raw, name) == part(&told, name),
    };
    let fields = [raw, &told].into_iter().filter_map(Value::as_object);
    let mut names = fields.flat_map(|fields| fields.keys());
    match names.find(|name| !same(name)) {
        None => Ok(()),
        Some(part) => Err(broken(format!(
            "`{}` in the file is not what was signed",
            clean(part)
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

fn story(believed: &Believed, trust: &Trust) -> String {
    let Believed {
        verified,
        roster,
        mine,
        ..
    } = believed;
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
    tick(founded(roster, trust));
    let here = if *mine {
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
    let bare = verified.words().iter().filter(|(name, words)| {
        matches!(words, Words::Answer(_)) && !verified.receipts().contains_key(*name)
    });
    let bare: Vec<String> = bare.map(|(name, _)| clean(name)).collect();
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
    if !bare.is_empty() {
        lines.push(format!("  – no receipt came from: {}", bare.join(", ")));
    }
    lines.extend(afterwards(believed, trust));
    lines.join("\n") + "\n"
}

/// Whose roster it is.
fn founded(roster: &Roster, trust: &Trust) -> String {
    let entries = roster.head().seq;
    match trust.profile() {
        Some(_) => format!("roster of {entries} entries, begun by the pinned founders"),
        None => format!(
            "roster of {entries} entries, begun by the founders you named, of the network {}",
            roster.network()
        ),
    }
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

/// What became of the keys since: those that spoke in the result and were revoked, if that is known.
pub(crate) fn afterwards(believed: &Believed, trust: &Trust) -> Vec<String> {
    let verified = &believed.verified;
    let Some(newer) = &believed.newer else {
        let unknown = "  – the roster is the one that came with the result: keys that were revoked since are not known (--roster FILE)";
        let alone = trust.profile().is_none();
        return alone.then(|| unknown.to_owned()).into_iter().collect();
    };
    let finished = verified.result().payload().finished;
    let nodes = verified.words().iter();
    let nodes = nodes.filter_map(|(name, words)| match words {
        Words::Answer(answer) => Some((name.as_str(), answer.signer())),
        Words::Refusal(refusal) => Some((name.as_str(), refusal.signer())),
        Words::Silence => None,
    });
    let asked = verified.question();
    let others = [
        (asked.payload().researcher.as_str(), asked.signer()),
        ("the coordinator", verified.result().signer()),
    ];
    nodes
        .chain(others)
        .filter(|(_, key)| newer.by_key(key, finished).is_err())
        .map(|(name, key)| format!("  ! the key of {} was revoked since: {key}", clean(name)))
        .collect()
}
