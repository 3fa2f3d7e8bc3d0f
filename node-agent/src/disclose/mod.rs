//! Seventh step: the rules of release, which are the crate `quorate-disclosure`.
//!
//! Here exact evidence becomes what may leave, cell by cell: a value or `Suppressed`, which look
//! the same whatever the reason. The reasons stay with the custodian. It must not know who asks.

use std::collections::BTreeMap;

pub use quorate_disclosure::Finding;
use quorate_disclosure::history::{self, Entry, History, Shape, State};
use quorate_disclosure::{Sheet, decide, exact};
use quorate_query::answer::{Mode, NodeTable, Protection};
use quorate_query::canonical::predicate_bytes;

use crate::approve::Approved;
use crate::execute::Raw;
use crate::measure::nobody;
use crate::node::Node;
use crate::refusal::Coded;
use crate::releases::{Release, ReleaseId};
use crate::store::StoreError;
/// What may leave. Only this module can make one, and only [`crate::sign`] turns it into bytes.
///
/// ```compile_fail,E0451
/// use quorate_node::disclose::Released;
/// fn forge<'a>(r: Released<'a>, table: quorate_query::answer::NodeTable) -> Released<'a> {
///     Released { table, ..r }
/// }
/// ```
///
/// ```no_run
/// use quorate_node::disclose::Released;
/// fn show<'r>(r: &'r Released<'_>) -> &'r quorate_query::answer::NodeTable {
///     r.table()
/// }
/// ```
pub struct Released<'a> {
    approved: Approved<'a>,
    epoch: String,
    protection: Protection,
    table: NodeTable,
    fresh: Vec<Release>,
    repeated: u64,
    findings: Vec<Finding>,
}

impl<'a> Released<'a> {
    /// The question.
    #[must_use]
    pub fn approved(&self) -> &Approved<'a> {
        &self.approved
    }

    /// State of the data it was computed from.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// What every cell went through.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// The released cells.
    #[must_use]
    pub fn table(&self) -> &NodeTable {
        &self.table
    }

    /// Cells that leave for the first time.
    #[must_use]
    pub fn fresh(&self) -> &[Release] {
        &self.fresh
    }

    /// Cells that repeat an earlier release.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Why cells are withheld: for the custodian's screen, never for a file or a caller.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Number of withheld cells by rule.
    #[must_use]
    pub fn withheld(&self) -> BTreeMap<String, u64> {
        let mut by_rule = BTreeMap::new();
        for finding in &self.findings {
            *by_rule.entry(finding.rule.to_owned()).or_insert(0) += 1;
        }
        by_rule
    }
}

impl Coded for StoreError {
    fn code(&self) -> quorate_query::problem::Code {
        quorate_query::problem::Code("E901")
    }
}

/// Applies the rules. Only populations registered as synthetic go without.
///
/// # Errors
/// If the releases of the past cannot be read.
pub fn disclose<'a>(node: &Node, raw: Raw<'a>) -> Result<Released<'a>, StoreError> {
    let parts = raw.into_parts();
    let population = &node.policy.population;
    let mode = if population.synthetic {
        Mode::None
    } else {
        Mode::Round
    };
    let (k, round_base) = (parts.params.k, parts.params.round_base);
    let protection = Protection {
        mode,
        k,
        round_base,
    };
    let question = parts.approved.question();
    let sheet = Sheet {
        question: question.table(),
        codebook: question.codebook(),
        nobody: &nobody(&parts.layout.parts),
        evidence: &parts.evidence,
        params: &parts.params,
        epoch: &parts.epoch,
        project: "",
        core: false,
        noise: None,
    };
    let outcome = match mode {
        Mode::None => exact(&sheet),
        Mode::Round => decide(&sheet, &mut earlier(node, &sheet)?),
    };
    Ok(Released {
        approved: parts.approved,
        epoch: parts.epoch,
        protection,
        table: outcome.table,
        fresh: releases(&population.name, outcome.fresh),
        repeated: outcome.repeated,
        findings: outcome.findings,
    })
}

/// What has left before of the cells of this sheet.
fn earlier(node: &Node, sheet: &Sheet<'_>) -> Result<History, StoreError> {
    let population = &node.policy.population;
    let mut history = History::new();
    for id in sheet.ids() {
        let stored = node.with_store(|store| store.released(&release_id(&population.name, &id)))?;
        if let Some(parts) = stored {
            history.add(Entry {
                id,
                shape: Shape {
                    rows: sheet.question.rows.clone(),
                    joined: sheet.question.joined.clone(),
                    predicate: sheet.question.filter.clone(),
                },
                state: State::Released(parts),
                project: String::new(),
                core: false,
                facets: Vec::new(),
            });
        }
    }
    Ok(history)
}

fn release_id(population: &str, id: &history::ReleaseId) -> ReleaseId {
    ReleaseId {
        population: population.to_owned(),
        predicate: id.predicate,
        vec: id.vec,
        epoch: id.epoch.clone(),
        protection: id.protection.clone(),
    }
}

fn releases(population: &str, fresh: Vec<Entry>) -> Vec<Release> {
    let release = |entry: Entry| match entry.state {
        State::Sacrificed | State::Union { .. } => None,
        State::Released(parts) | State::Near(parts) => Some(Release {
            id: release_id(population, &entry.id),
            boxes: predicate_bytes(
                &entry.shape.rows,
                &entry.shape.joined,
                &entry.shape.predicate,
            ),
            parts,
        }),
    };
    fresh.into_iter().filter_map(release).collect()
}
