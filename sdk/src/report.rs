//! A verified result as a document. The only place that fills in an answered document.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_evidence::receipt::Checked;
use quorate_identity::Signed;
use quorate_query::analyses::{Analysis, Report};
use quorate_query::answer::Mode;
use quorate_query::combine::{Combined, CombinedCell, CombinedTables};
use quorate_query::question::{Expr, GroupKey, TableQuestion};
use quorate_query::value::Scalar;
use quorate_wire::{LedgerRef, NodeOutcome, QuestionStatus, signed_to_bytes};

use crate::document::{
    AnalysisInfo, Cell, CohortInfo, Column, Document, Interval, Ledger, Node, Note, ProblemInfo,
    Protection, QuestionInfo, ReceiptInfo, Row, SCHEMA, TableInfo,
};
use crate::params;
use crate::verify::{VerifiedResult, Words};

/// The document of a result, each node's own values included on request.
#[must_use]
pub fn document(verified: &VerifiedResult, by_site: bool) -> Document {
    let result = verified.result().payload();
    let empty = Document {
        schema: SCHEMA.to_owned(),
        status: status_word(result.status).to_owned(),
        question: Some(question(verified)),
        problem: result.problem.as_deref().map(problem),
        columns: Vec::new(),
        rows: Vec::new(),
        tables: Vec::new(),
        nodes: result
            .nodes
            .iter()
            .map(|outcome| node(outcome, verified))
            .collect(),
        analysis: verified.analysis().map(analysis),
        protection: None,
        notes: Vec::new(),
        roster: verified.roster().iter().map(encode).collect(),
        codebook: Some(verified.codebook().text.to_string()),
        signed: Some(encode(verified.result().signed())),
    };
    match verified.combined() {
        Some(combined) => {
            let mut all = tables(combined, verified, by_site);
            let single = (all.len() == 1).then(|| all.pop()).flatten();
            let TableInfo { columns, rows, .. } = single.unwrap_or_default();
            // One answer, one protection, whatever the table.
            let mut strictest = combined.tables.iter();
            let strictest = strictest.find_map(|(_, table)| table.protection.as_ref());
            Document {
                columns,
                rows,
                tables: all,
                protection: strictest.map(protection),
                notes: notes(combined, verified),
                ..empty
            }
        }
        None => empty,
    }
}

fn tables(combined: &CombinedTables, verified: &VerifiedResult, by_site: bool) -> Vec<TableInfo> {
    let asked = verified.meaning().tables().into_iter();
    let table =
        |((_, question), (name, combined)): ((_, &TableQuestion), &(String, Combined))| TableInfo {
            name: name.clone(),
            columns: columns(combined, question, verified),
            rows: rows(combined, by_site),
        };
    asked.zip(&combined.tables).map(table).collect()
}

fn analysis((asked, report): (&Analysis, Option<&Report>)) -> AnalysisInfo {
    AnalysisInfo {
        name: asked.name.clone(),
        arguments: asked.arguments.clone(),
        report: report.cloned().unwrap_or_default(),
    }
}

/// Results know five states; a question that was taken back has failed.
fn status_word(status: QuestionStatus) -> &'static str {
    match status {
        QuestionStatus::Cancelled => QuestionStatus::Failed.as_str(),
        other => other.as_str(),
    }
}

fn question(verified: &VerifiedResult) -> QuestionInfo {
    let asked = verified.question().payload();
    let params = asked.params.iter();
    QuestionInfo {
        id: asked.question_id.to_string(),
        hash: verified.hash(),
        project: asked.project.clone(),
        purpose: asked.purpose.clone(),
        researcher: asked.researcher.clone(),
        text: asked.request.text(verified.codebook()),
        params: params
            .map(|(name, value)| (name.clone(), params::to_json(value)))
            .collect(),
        codebook: asked.codebook.clone(),
        cohort: asked.request.cohort().map(CohortInfo::of),
    }
}

fn problem(code: &str) -> ProblemInfo {
    ProblemInfo {
        code: code.to_owned(),
        message: crate::problems::sentence(code),
        span: None,
        write: None,
    }
}

fn node(outcome: &NodeOutcome, verified: &VerifiedResult) -> Node {
    let mut node = Node {
        name: outcome.name.clone(),
        status: outcome.status.as_str().to_owned(),
        code: outcome.code.clone(),
        policy: None,
        epoch: None,
        ledger: None,
        receipt: verified.receipts().get(&outcome.name).map(receipt),
        signed: outcome.signed.as_ref().map(encode),
    };
    match verified.words().get(&outcome.name) {
        Some(Words::Answer(answer)) => {
            let said = answer.payload();
            node.policy = Some(said.policy.clone());
            node.epoch = Some(said.epoch.clone());
            node.ledger = Some(ledger(&said.ledger));
        }
        Some(Words::Refusal(refusal)) => {
            let said = refusal.payload();
            node.epoch = Some(said.epoch.clone()).filter(|epoch| !epoch.is_empty());
            node.ledger = said.ledger.as_ref().map(ledger);
        }
        Some(Words::Silence) | None => {}
    }
    node
}

fn receipt(checked: &Checked) -> ReceiptInfo {
    ReceiptInfo {
        seq: checked.record.seq,
        time: checked.record.time,
        hash: checked.hash.clone(),
        root: checked.root.to_string(),
        statement: checked.statement.clone(),
    }
}

fn ledger(place: &LedgerRef) -> Ledger {
    Ledger {
        seq: place.seq,
        head: place.head.clone(),
    }
}

fn encode(signed: &Signed) -> String {
    BASE64.encode(signed_to_bytes(signed))
}

fn columns(
    combined: &Combined,
    question: &TableQuestion,
    verified: &VerifiedResult,
) -> Vec<Column> {
    let labels = |at: usize| -> BTreeMap<String, String> {
        let key = match question.output.columns.get(at).map(|column| &column.expr) {
            Some(Expr::Key(key)) => question.keys.get(*key),
            _ => None,
        };
        let Some(GroupKey::Column(column)) = key else {
            return BTreeMap::new();
        };
        let book = verified.meaning().book(verified.codebook());
        let domain = book
            .column(column)
            .and_then(|column| column.domain.as_ref());
        let labelled = domain
            .into_iter()
            .flatten()
            .map(|(value, label)| (crate::render::plain_key(&value.to_json()), label.clone()));
        labelled.collect()
    };
    let columns = combined
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| Column {
            name: column.name.clone(),
            kind: column.kind.name().to_owned(),
            ty: column.ty.map(str::to_owned),
            of: column.of.map(str::to_owned),
            unit: column.unit.clone(),
            labels: labels(at),
        });
    columns.collect()
}

fn rows(combined: &Combined, by_site: bool) -> Vec<Row> {
    let is_key = |kind| kind == quorate_query::combine::Kind::Key;
    let keys: Vec<&str> = combined
        .columns
        .iter()
        .filter(|c| is_key(c.kind))
        .map(|c| c.name.as_str())
        .collect();
    let cells: Vec<&str> = combined
        .columns
        .iter()
        .filter(|c| !is_key(c.kind))
        .map(|c| c.name.as_str())
        .collect();
    let name = |(name, value): (&&str, serde_json::Value)| ((*name).to_owned(), value);
    let row = |row: &quorate_query::combine::CombinedRow| Row {
        key: keys
            .iter()
            .zip(row.key.iter().map(Scalar::to_json))
            .map(name)
            .collect(),
        cells: cells
            .iter()
            .zip(&row.cells)
            .map(|(name, value)| ((*name).to_owned(), cell(value, by_site)))
            .collect(),
    };
    combined.rows.iter().map(row).collect()
}

fn cell(cell: &CombinedCell, by_site: bool) -> Cell {
    let number = cell.value.as_ref().map(|value| Interval {
        value: value.clone(),
        lower: cell.lower.clone(),
        upper: cell.upper.clone(),
    });
    Cell {
        withheld: cell.withheld,
        number,
        nodes: u64::from(cell.nodes),
        eligible: u64::from(cell.eligible),
        near_earlier: cell.near_earlier,
        sites: if by_site {
            cell.sites.clone()
        } else {
            BTreeMap::new()
        },
    }
}

fn protection(protection: &quorate_query::answer::Protection) -> Protection {
    match protection.mode {
        Mode::Round => Protection {
            k: Some(protection.k),
            round_base: Some(protection.round_base),
            noise_bound: None,
            mode: "round".to_owned(),
        },
        Mode::CellKey { bound } => Protection {
            k: Some(protection.k),
            round_base: None,
            noise_bound: Some(bound),
            mode: "cell_key".to_owned(),
        },
        Mode::None => Protection {
            k: None,
            round_base: None,
            noise_bound: None,
            mode: "none".to_owned(),
        },
    }
}

/// Notes on the tables, each once, then those that nodes signed, each once with the nodes that said it.
fn notes(combined: &CombinedTables, verified: &VerifiedResult) -> Vec<Note> {
    let all = combined.tables.iter().flat_map(|(_, table)| &table.notes);
    let mut notes: Vec<Note> = all
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|note| Note {
            code: note.code.to_owned(),
            text: note.text.clone(),
        })
        .collect();
    let mut said: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for (node, words) in verified.words() {
        if let Words::Answer(answer) = words {
            for note in &answer.payload().notes {
                let key = (note.code.clone(), note.text.clone());
                said.entry(key).or_default().push(node);
            }
        }
    }
    for ((code, text), nodes) in said {
        let known = notes.iter().any(|note| note.code == code);
        if !known {
            notes.push(Note {
                code,
                text: format!("{text} ({})", nodes.join(", ")),
            });
        }
    }
    notes
}
