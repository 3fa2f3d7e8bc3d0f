//! H6: whether so many cells may still be asked for, before anything is read or run.
//!
//! A question counts with the cells that its tables have, known from codebook and question alone; a
//! table of an open domain with those that it listed, at least one row. What is counted is durable
//! with the releases. It must not know what any cell says or why one is withheld.

use quorate_disclosure::history::caps::{Asked, OverCap};
use quorate_query::answer::NodeTable;
use quorate_query::domain;
use quorate_query::problem::Code;

use crate::approve::Approved;
use crate::node::Node;
use crate::past::Past;
use crate::plan::Planned;
use crate::refusal::Coded;
use crate::verify::Asker;

impl Coded for OverCap {
    fn code(&self) -> Code {
        Code("L707")
    }
}

/// Holds a planned question to the caps.
///
/// # Errors
/// Says which cap it goes beyond.
pub(crate) async fn within(node: &Node, planned: &Planned<'_>, now: i64) -> Result<(), OverCap> {
    let past = node.past.lock().await;
    check(node, &past, planned.approved(), planned.epoch(), now)
}

/// The same for the one writer of the past, after others may have asked.
///
/// # Errors
/// Says which cap it goes beyond.
pub(crate) fn check(
    node: &Node,
    past: &Past,
    approved: &Approved<'_>,
    epoch: &str,
    now: i64,
) -> Result<(), OverCap> {
    match asked(node, approved, epoch, now) {
        Some(asked) => past.asks().allow(&asked, &node.policy.caps),
        None => Ok(()),
    }
}

/// What a researcher's question counts as at least. The node's own core tables and trials do not
/// count, and nothing does where nothing is protected.
pub(crate) fn asked(node: &Node, approved: &Approved<'_>, epoch: &str, now: i64) -> Option<Asked> {
    let question = approved.question();
    let Asker::Researcher { name, .. } = &question.asked().asker else {
        return None;
    };
    if node.policy.population.synthetic {
        return None;
    }
    let tables = question.tables().into_iter();
    let rows = tables.map(|table| domain::count(table, question.book()).unwrap_or(1));
    Some(Asked {
        epoch: epoch.to_owned(),
        principal: name.clone(),
        question: question.hash(),
        cells: cells(approved, rows),
        time: now,
    })
}

/// How many cells the asker is shown, withheld ones included.
pub(crate) fn listed<'t>(
    approved: &Approved<'_>,
    tables: impl Iterator<Item = &'t NodeTable>,
) -> u64 {
    let rows = tables.map(|table| u64::try_from(table.rows.len()).unwrap_or(u64::MAX));
    cells(approved, rows)
}

/// The cells of all tables, from the number of rows of each.
fn cells(approved: &Approved<'_>, rows: impl Iterator<Item = u64>) -> u64 {
    let tables = approved.question().tables().into_iter();
    let cells = tables.zip(rows).map(|(table, rows)| {
        let measures = table.measures.len();
        rows.saturating_mul(u64::try_from(measures).unwrap_or(u64::MAX))
    });
    cells.fold(0, u64::saturating_add)
}
