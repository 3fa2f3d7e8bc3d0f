//! Seventh step: the rules of release, one pure rule per file, applied as an ordered table.
//!
//! Here exact evidence becomes what may leave, cell by cell: a value or `Suppressed`, which look
//! the same whatever the reason. The reasons stay with the custodian. It must not know who asks.

mod case;
mod protect;
mod r11_size;
mod r1_persons;
mod r1b_contributors;
mod r2_zeros;
mod small_domain;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use quorate_query::answer::{Mode, NodeTable, Protection};

use crate::approve::Approved;
use crate::execute::Raw;
use crate::node::Node;
use crate::refusal::Coded;
use crate::releases::Release;
use crate::store::StoreError;
use case::Rule;
pub use table::Finding;
use table::{Sheet, exact, protected};

/// The rules of a cell, in order; the first that does not pass decides.
const RULES: [Rule; 4] = [
    Rule {
        name: "R2",
        judge: r2_zeros::judge,
    },
    Rule {
        name: "R1",
        judge: r1_persons::judge,
    },
    Rule {
        name: "small domain",
        judge: small_domain::judge,
    },
    Rule {
        name: "R1b",
        judge: r1b_contributors::judge,
    },
];

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
        layout: &parts.layout,
        evidence: &parts.evidence,
        params: &parts.params,
        population: &population.name,
        epoch: &parts.epoch,
    };
    let outcome = match mode {
        Mode::None => exact(&sheet),
        Mode::Round => node.with_store(|store| protected(&sheet, |id| store.released(id)))?,
    };
    Ok(Released {
        approved: parts.approved,
        epoch: parts.epoch,
        protection,
        table: outcome.table,
        fresh: outcome.fresh,
        repeated: outcome.repeated,
        findings: outcome.findings,
    })
}
