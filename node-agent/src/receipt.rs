//! What was decided, put into the ledger before it is signed, so that the answer can carry the
//! record and the proof that it is there. What it must not know: cells, only how many there are.

use quorate_evidence::Receipt;
use quorate_identity::digest_text;
use quorate_query::answer::{Cell, Mode};
use quorate_query::domain;
use quorate_query::question::TableQuestion;
use quorate_wire::LedgerRef;

use crate::airlock::Decided;
use crate::disclose::Checked;
use crate::ledger::{self, Approval, Cells, LedgerError, Rules, Statement};
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
    decided: &Decided<'_>,
    now: i64,
) -> Result<Receipt, LedgerError> {
    let decided = ledger::Decided {
        opened: entry.seq,
        statement: statement(node, asked, decided),
    };
    node.with_ledger(|ledger| ledger.decide(decided, &node.key, now))
}

/// What a receipt says: from the question, from public policy and from what leaves.
fn statement(node: &Node, asked: &Asked, decided: &Decided<'_>) -> Statement {
    let released = decided.checked();
    let project = released.approved().project();
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
        project_record: project
            .map(|project| project.record.clone())
            .unwrap_or_default(),
        codebook: asked.codebook.clone(),
        roster: node.roster().head().hash,
        policy: node.policy.digest.clone(),
        population: node.policy.population.name.clone(),
        snapshot: node.secrets().label(released.epoch()),
        registration: registration::of_node(node, released.epoch()).unwrap_or_default(),
        columns: question.tables().into_iter().flat_map(columns).collect(),
        approval: approval_of(decided),
        rules: rules(released),
        cells: cells(decided),
        tables: digest_text(&quorate_wire::tables_digest(decided.tables())),
    }
}

/// Who or what approved, who reviewed what leaves, and how it is released.
pub(crate) fn approval_of(decided: &Decided<'_>) -> Approval {
    let mut approval = approval(decided.checked());
    approval.documents.extend(decided.documents().clone());
    Approval {
        reviewers: decided.reviewers(),
        release: decided.mode().as_str().to_owned(),
        ..approval
    }
}

/// Who or what approved: the documents are the custodian's acceptance of the project and the
/// approval of the question, where there are any.
pub(crate) fn approval(released: &Checked<'_>) -> Approval {
    let approved = released.approved();
    let acceptance = approved.project().map(|project| project.acceptance.clone());
    let acceptance = acceptance.filter(|digest| !digest.is_empty());
    let granted = approved.basis().approval.clone();
    Approval {
        by: approved.by().to_owned(),
        release: "auto".to_owned(),
        documents: acceptance.into_iter().chain(granted).collect(),
        ..Approval::default()
    }
}

fn rules(released: &Checked<'_>) -> Rules {
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
fn cells(decided: &Decided<'_>) -> Option<Cells> {
    let question = decided.checked().approved().question();
    let closed = |table: &TableQuestion| domain::count(table, question.book()).is_some();
    if !question.tables().into_iter().all(closed) {
        return None;
    }
    let rows = decided.tables().iter().flat_map(|table| &table.rows);
    let mut counted = Cells::default();
    for cell in rows.flat_map(|row| &row.cells) {
        match cell {
            Cell::Suppressed => counted.withheld += 1,
            Cell::Value(_) | Cell::Near(_) => counted.released += 1,
        }
    }
    Some(counted)
}
