//! The airlock: executed, checked, decided, released, and no other way. Here is *decided*.
//!
//! What the rules let through either leaves at once, where its project says so, or waits for output
//! checkers. What waits is kept, sealed; its cells were reserved in the history when they were
//! checked. When checkers have spoken the whole story is told again from the question as it was
//! delivered, so that project, people, data and history count as they are then: only the very
//! numbers that were seen leave. It must not know who is told, or how.

mod hold;
mod resume;

use std::collections::BTreeSet;

use quorate_governance::airlock::{Judgement, Mode, Place, Reason, Review, Waiting, hidden, judge};
use quorate_governance::{Person, artefact::Opened};
use quorate_identity::{KeyId, digest_text};
use quorate_query::answer::{Cell, NodeTable};
use quorate_query::problem::Code;
use quorate_wire::tables_digest;

pub(crate) use hold::AIRLOCK;
pub use hold::{Finding, Held, Row, Table};
pub(crate) use resume::{Seen, again, due, ended};

use crate::approve::{self, ApproveError};
use crate::disclose::Checked;
use crate::govern::{GovernError, Standing, reviews_on, stands};
use crate::node::Node;
use crate::record::Recorded;
use crate::refusal::Coded;
use crate::store::StoreError;

/// Something that may leave. Only this module can make one, and only [`crate::sign`] turns it into
/// bytes.
///
/// ```compile_fail,E0451
/// use quorate_node::{airlock::Decided, disclose::Checked};
/// fn skip(checked: Checked<'_>) -> Decided<'_> {
///     Decided { checked, tables: vec![], mode: quorate_governance::airlock::Mode::Auto, by: vec![], documents: Default::default() }
/// }
/// ```
///
/// ```compile_fail,E0308
/// use quorate_node::{disclose::Checked, node::Node, record::Recorded};
/// fn sign_unseen(node: &Node, recorded: &Recorded, checked: Checked<'_>) {
///     let _ = quorate_node::sign::sign(node, recorded, Ok(checked), Default::default());
/// }
/// ```
///
/// ```no_run
/// fn tables<'d>(decided: &'d quorate_node::airlock::Decided<'_>) -> &'d [quorate_query::answer::NodeTable] {
///     decided.tables()
/// }
/// ```
pub struct Decided<'a> {
    checked: Checked<'a>,
    tables: Vec<NodeTable>,
    mode: Mode,
    by: Vec<Person>,
    documents: BTreeSet<String>,
}

impl<'a> Decided<'a> {
    /// What the rules let through.
    #[must_use]
    pub fn checked(&self) -> &Checked<'a> {
        &self.checked
    }

    /// What leaves: that, less what checkers hid.
    #[must_use]
    pub fn tables(&self) -> &[NodeTable] {
        &self.tables
    }

    /// How it was let out.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Keys of the checkers who let it out.
    #[must_use]
    pub fn reviewers(&self) -> Vec<String> {
        self.by
            .iter()
            .map(|person| person.key.to_string())
            .collect()
    }

    /// Digests of the signed acts that it rests on: record, approval, reviews.
    #[must_use]
    pub fn documents(&self) -> &BTreeSet<String> {
        &self.documents
    }
}

/// What became of something that the rules let through.
pub enum Outcome<'a> {
    /// It may leave.
    Leaves(Box<Decided<'a>>),
    /// It waits for output checkers.
    Waits,
}

/// Why nothing leaves.
#[derive(Debug, thiserror::Error)]
pub enum AirlockError {
    /// The project, its people or the node do not stand any more.
    #[error("at release: {0}")]
    Standing(#[from] ApproveError),
    /// Acts of governance cannot be read.
    #[error(transparent)]
    Govern(#[from] GovernError),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing of the project leaves.
    #[error("the project's release mode is `none`: nothing leaves")]
    Never,
    /// Output checkers sent it back.
    #[error("`{by}` sent it back: {reason:?}")]
    Returned {
        /// Why.
        reason: Reason,
        /// Who.
        by: String,
    },
}

impl Coded for AirlockError {
    fn code(&self) -> Code {
        match self {
            Self::Standing(error) => error.code(),
            Self::Govern(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Never => Code("G516"),
            Self::Returned { reason, .. } => Code(reason.code()),
        }
    }
}

/// Decides what happens to something that the rules let through. `now` is the moment of this
/// decision: project, people and suspensions are asked once more.
///
/// # Errors
/// If nothing of it may leave.
pub fn decide<'a>(
    node: &Node,
    recorded: &Recorded,
    checked: Checked<'a>,
    now: i64,
) -> Result<Outcome<'a>, AirlockError> {
    let approved = checked.approved();
    let asked = approved.question().asked();
    let (Some(id), true) = (&asked.project, recorded.entry().is_some()) else {
        let tables = checked.tables().to_vec();
        return Ok(leaves(checked, tables, Mode::Auto, Vec::new(), &[]));
    };
    if node.paused() {
        return Err(ApproveError::Paused.into());
    }
    let standing = Standing::read(node, now)?;
    let project = approve::stands(&standing, id, &asked.asker)?;
    let mode = project.release.max(approved.release());
    if mode == Mode::Auto {
        let tables = checked.tables().to_vec();
        return Ok(leaves(checked, tables, mode, Vec::new(), &[]));
    }
    let mut conflicted = project.everybody();
    conflicted.extend(approved.basis().approvers.iter().cloned());
    let question = asked.id.to_string();
    let said = reviews_on(&node.shelf, &node.govern_folder(), Some(&question))?;
    let bench = Bench::of(node, mode, conflicted, &question, now);
    let (tables, outcome) = bench.outcome(checked.tables(), &said);
    let judgement = judge(&bench.waiting(&outcome), &said);
    match judgement {
        Judgement::Leaves(by) => {
            let agreed = said.into_iter().filter(|review| {
                let content = review.content();
                content.outcome == outcome && by.contains(&content.checker)
            });
            let agreed: Vec<_> = agreed.collect();
            Ok(leaves(checked, tables, mode, by, &agreed))
        }
        Judgement::Never => Err(AirlockError::Never),
        Judgement::Returned { reason, by } => Err(AirlockError::Returned {
            reason,
            by: by.name.to_string(),
        }),
        Judgement::Waits(_) => {
            let held = hold::held(recorded, &checked, &tables, (outcome, mode), now);
            let Some(held) = held else {
                return Err(AirlockError::Never);
            };
            node.with_store(|store| store.hold(&held))?;
            Ok(Outcome::Waits)
        }
    }
}

fn leaves<'a>(
    checked: Checked<'a>,
    tables: Vec<NodeTable>,
    mode: Mode,
    by: Vec<Person>,
    reviews: &[Opened<Review>],
) -> Outcome<'a> {
    let approved = checked.approved();
    let record = approved.project().map(|project| project.record.clone());
    let record = record.filter(|record| !record.is_empty());
    let reviews = reviews.iter().map(|review| review.digest().to_owned());
    let documents = reviews
        .chain(record)
        .chain(approved.basis().approval.clone())
        .collect();
    Outcome::Leaves(Box::new(Decided {
        checked,
        tables,
        mode,
        by,
        documents,
    }))
}

/// Who sits in judgement on one question.
pub(crate) struct Bench {
    network: String,
    node: String,
    question: String,
    mode: Mode,
    checkers: Vec<Person>,
    conflicted: Vec<Person>,
}

impl Bench {
    pub(crate) fn of(
        node: &Node,
        mode: Mode,
        conflicted: Vec<Person>,
        question: &str,
        now: i64,
    ) -> Self {
        let roster = node.roster();
        let checkers = node.policy.governance.checkers.iter();
        let current = checkers.filter(|person| stands(&roster, &person.key, now));
        Self {
            network: roster.network().to_string(),
            node: node.policy.node.name.clone(),
            question: question.to_owned(),
            mode,
            checkers: current.cloned().collect(),
            conflicted,
        }
    }

    pub(crate) fn waiting<'w>(&'w self, outcome: &'w str) -> Waiting<'w> {
        Waiting {
            network: &self.network,
            node: &self.node,
            question: &self.question,
            outcome,
            mode: self.mode,
            checkers: &self.checkers,
            conflicted: &self.conflicted,
        }
    }

    /// What would leave with everything hidden that checkers asked to hide, and its digest.
    fn outcome(&self, tables: &[NodeTable], said: &[Opened<Review>]) -> (Vec<NodeTable>, String) {
        let hide = hidden(&self.waiting(""), said);
        let mut tables = tables.to_vec();
        suppress(&mut tables, &hide);
        let outcome = digest_text(&tables_digest(&tables));
        (tables, outcome)
    }
}

/// Hides cells. A place that there is not hides nothing; no place ever shows more.
fn suppress(tables: &mut [NodeTable], hide: &BTreeSet<Place>) {
    let at = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    for place in hide {
        let table = tables.get_mut(at(place.table));
        let row = table.and_then(|table| table.rows.get_mut(at(place.row)));
        let cell = row.and_then(|row| row.cells.get_mut(at(place.cell)));
        if let Some(cell) = cell {
            *cell = Cell::Suppressed;
        }
    }
}

/// Whether a key is an output checker's of this node.
#[must_use]
pub fn checker<'n>(node: &'n crate::policy::Policy, key: &KeyId) -> Option<&'n Person> {
    let mut checkers = node.governance.checkers.iter();
    checkers.find(|person| person.key == *key)
}
