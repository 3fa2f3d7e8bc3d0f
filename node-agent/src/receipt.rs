//! What was decided, put into the ledger before it is signed, so that the answer can carry the
//! record and the proof that it is there. What it must not know: cells, only how many there are.

use quorate_evidence::Receipt;
use quorate_identity::digest_text;
use quorate_query::answer::{Cell, Mode};
use quorate_query::domain;
use quorate_query::question::TableQuestion;
use quorate_wire::LedgerRef;

use crate::disclose::Released;
use crate::ledger::{Approval, Cells, Decided, LedgerError, Rules, Statement};
use crate::node::Node;
use crate::registration;
use crate::sign::{columns, mode};
use crate::verify::{Asked, Asker};

/// Records a decision and gives its receipt.
///
/// # Errors
/// If it is not on the disk: then nothing is signed.
pub(crate) fn decide(
    node: &Node,
    asked: &Asked,
    entry: &LedgerRef,
    released: &Released<'_>,
    now: i64,
) -> Result<Receipt, LedgerError> {
    let decided = Decided {
        opened: entry.seq,
        statement: statement(node, asked, released),
    };
    node.with_ledger(|ledger| ledger.decide(decided, &node.key, now))
}

/// What a receipt says: from the question, from public policy and from what leaves.
fn statement(node: &Node, asked: &Asked, released: &Released<'_>) -> Statement {
    let question = released.approved().question();
    let researcher = match &asked.asker {
        Asker::Researcher { name, .. } => name.clone(),
        Asker::Custodian | Asker::Core { .. } => String::new(),
    };
    Statement {
        network: asked.network.clone(),
        question: asked.id.to_string(),
        payload: digest_text(&asked.digest),
        hash: question.hash(),
        researcher,
        project: asked.project.clone().unwrap_or_default(),
        project_record: String::new(),
        codebook: asked.codebook.clone(),
        roster: node.roster().head().hash,
        policy: node.policy.digest.clone(),
        population: node.policy.population.name.clone(),
        snapshot: node.secrets().label(released.epoch()),
        registration: registration::of_node(node, released.epoch()).unwrap_or_default(),
        columns: question.tables().into_iter().flat_map(columns).collect(),
        approval: approval(released),
        rules: rules(released),
        cells: cells(released),
        tables: digest_text(&quorate_wire::tables_digest(released.tables())),
    }
}

/// Who or what approved, and how it is released.
pub(crate) fn approval(released: &Released<'_>) -> Approval {
    Approval {
        by: released.approved().by().to_owned(),
        release: "auto".to_owned(),
        ..Approval::default()
    }
}

fn rules(released: &Released<'_>) -> Rules {
    let protection = released.protection();
    Rules {
        mode: mode(protection.mode).to_owned(),
        k: protection.k,
        round_base: protection.round_base,
        noise_bound: match protection.mode {
            Mode::CellKey { bound } => bound,
            Mode::Round | Mode::None => 0,
        },
    }
}

/// How many cells left and how many did not, where every table lists all of its cells; of an open
/// domain the number withheld would tell of groups that are not shown.
fn cells(released: &Released<'_>) -> Option<Cells> {
    let question = released.approved().question();
    let closed = |table: &TableQuestion| domain::count(table, question.book()).is_some();
    if !question.tables().into_iter().all(closed) {
        return None;
    }
    let rows = released.tables().iter().flat_map(|table| &table.rows);
    let mut counted = Cells::default();
    for cell in rows.flat_map(|row| &row.cells) {
        match cell {
            Cell::Suppressed => counted.withheld += 1,
            Cell::Value(_) | Cell::Near(_) => counted.released += 1,
        }
    }
    Some(counted)
}
