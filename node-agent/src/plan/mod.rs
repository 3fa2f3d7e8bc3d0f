//! Fifth step: a plan of the node's own, from the typed question alone, over typed tables.

mod derived;
mod functions;
#[cfg(test)]
mod golden;
mod lower;
mod person;
mod predicate;
mod scalars;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_query::domain;
use quorate_query::problem::Code;
use quorate_query::release::ReleaseParams;

use crate::approve::{self, Approved};
use crate::engine::{Fault, Task};
use crate::measure::{self, TooWide};
use crate::node::Node;
use crate::persons::{self, NoticeError};
use crate::refusal::Coded;
use crate::registration;
use crate::source::{self, SourceError, SourceFault};
pub use lower::{LowerError, Tables, lower};

/// A question with the plan that answers it. Only this module can make one.
///
/// ```compile_fail,E0616
/// fn reuse(p: &quorate_node::plan::Planned<'_>) -> usize {
///     p.plans.len()
/// }
/// ```
///
/// ```no_run
/// use quorate_node::{approve::Approved, node::Node, plan};
/// async fn ask<'a>(node: &Node, a: Approved<'a>) -> Result<plan::Planned<'a>, plan::PlanError> {
///     plan::plan(node, a).await
/// }
/// ```
pub struct Planned<'a> {
    approved: Approved<'a>,
    plans: Vec<Task>,
    epoch: String,
    params: ReleaseParams,
}

/// What a plan hands on: to the engine, and past it to disclosure control.
pub(crate) struct Parts<'a> {
    pub(crate) approved: Approved<'a>,
    /// One for each table, in their order.
    pub(crate) plans: Vec<Task>,
    pub(crate) epoch: String,
    pub(crate) params: ReleaseParams,
}

impl<'a> Planned<'a> {
    /// The question.
    pub(crate) fn approved(&self) -> &Approved<'a> {
        &self.approved
    }

    /// State of the data.
    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    pub(crate) fn into_parts(self) -> Parts<'a> {
        let Self {
            approved,
            plans,
            epoch,
            params,
        } = self;
        Parts {
            approved,
            plans,
            epoch,
            params,
        }
    }
}

/// Why an approved question cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// R11 on a closed domain: known from the question alone.
    #[error("the table has {cells} cells; this node releases at most {max_cells}")]
    TooManyCells {
        /// Cells of the table.
        cells: u64,
        /// What the parameters of release allow.
        max_cells: u32,
    },
    /// A source cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The policy asks for registered states of the data, and this is none.
    #[error(
        "the policy says `registered = true` and no custodian of the roster registered the present state of the data: run `quorate-node data register`"
    )]
    Unregistered,
    /// What changed since the last epoch cannot be told.
    #[error(transparent)]
    Persons(#[from] NoticeError),
    /// Sums may not fit.
    #[error(transparent)]
    TooWide(#[from] TooWide),
    /// The question cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The engine's threads failed.
    #[error(transparent)]
    Engine(#[from] Fault),
}

impl Coded for PlanError {
    fn code(&self) -> Code {
        Code(match self {
            Self::TooManyCells { .. } => "L701",
            Self::Persons(NoticeError::Store(_)) => "E901",
            Self::Persons(NoticeError::Engine(_)) => "E900",
            Self::Source(error) | Self::Persons(NoticeError::Source(error)) => match error.fault {
                SourceFault::Held => "C603",
                SourceFault::Internal(_) => "E900",
                _ => "C604",
            },
            Self::Unregistered => "C605",
            Self::TooWide(_) => "L705",
            Self::Lower(LowerError::NotHeld(_)) => "C602",
            Self::Lower(LowerError::Misfit | LowerError::Engine(_)) | Self::Engine(_) => "E900",
        })
    }
}

/// Plans an approved question over the present epoch of its tables: one plan for each table that it
/// comes to, all over the same state of the data.
///
/// # Errors
/// If a table is too large, its tables cannot be read, or its sums may not fit.
pub async fn plan<'a>(node: &Node, approved: Approved<'a>) -> Result<Planned<'a>, PlanError> {
    let question = approved.question();
    let (tables, codebook) = (question.tables(), question.codebook());
    let params = node.policy.release_for(codebook);
    let sizes = tables
        .iter()
        .map(|table| domain::count(table, question.book()).unwrap_or(0));
    let cells = sizes.max().unwrap_or(0);
    if cells > u64::from(params.max_cells) && !node.policy.population.synthetic {
        return Err(PlanError::TooManyCells {
            cells,
            max_cells: params.max_cells,
        });
    }
    // the unit table says who is a person at all
    let wanted: BTreeSet<String> = approve::tables(question)
        .into_iter()
        .chain([codebook.unit.table.as_str()])
        .map(str::to_owned)
        .collect();
    let (policy, book, cache) = (
        Arc::clone(&node.policy),
        Arc::clone(codebook),
        Arc::clone(&node.sources),
    );
    let loading = async move { source::snapshot(&policy, &book, &wanted, &cache).await };
    let snapshot = node.engine.inside(loading).await??;
    if node.policy.population.registered && registration::of_node(node, &snapshot.epoch).is_none() {
        return Err(PlanError::Unregistered);
    }
    persons::notice(node, codebook, &snapshot).await?;
    let mut plans = Vec::with_capacity(tables.len());
    for table in tables {
        let (plan, layout) = lower(table, question.book(), &snapshot.tables, &node.persons)?;
        measure::fits(&layout)?;
        plans.push(Task { plan, layout });
    }
    Ok(Planned {
        approved,
        plans,
        epoch: snapshot.epoch,
        params,
    })
}
