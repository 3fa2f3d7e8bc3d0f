//! Seventh step: the rules of release, which are the crate `quorate-disclosure`.
//!
//! Here exact evidence becomes what may leave, cell by cell: a value or `Suppressed`, which look
//! the same whatever the reason. The reasons stay with the custodian.
//!
//! One writer for the whole population: it decides, makes what leaves durable, and only then takes
//! it into its memory. A crash in between spends; the same question finds its cells there. Tables of
//! one question are decided in their order, each beside those before it, and all become durable at
//! once or not at all.

mod reserve;

use std::collections::BTreeMap;

pub use quorate_disclosure::Finding;
use quorate_disclosure::history::caps::OverCap;
use quorate_disclosure::{NOISE_BOUND, NoiseKey, Outcome, Sheet, decide_all, exact};
use quorate_query::answer::{Mode, NodeTable, Protection};
use quorate_query::problem::Code;
use quorate_query::release::{Output, ReleaseParams};
use ring::hmac;

use crate::approve::Approved;
use crate::caps;
use crate::execute::{Parts, Raw};
use crate::measure::nobody;
use crate::node::Node;
use crate::past::Past;
use crate::policy::Policy;
use crate::refusal::Coded;
use crate::store::StoreError;
pub(crate) use reserve::words;
use reserve::{keep, one_protection};

/// What the rules let through. Only this module can make one; whether it leaves is for
/// [`crate::airlock`] to decide, and only [`crate::sign`] turns what was decided into bytes.
///
/// ```compile_fail,E0451
/// use quorate_node::disclose::Checked;
/// fn forge<'a>(r: Checked<'a>, table: quorate_query::answer::NodeTable) -> Checked<'a> {
///     Checked { tables: vec![table], ..r }
/// }
/// ```
///
/// ```no_run
/// use quorate_node::disclose::Checked;
/// fn show<'r>(r: &'r Checked<'_>) -> &'r [quorate_query::answer::NodeTable] {
///     r.tables()
/// }
/// ```
pub struct Checked<'a> {
    approved: Approved<'a>,
    epoch: String,
    protection: Protection,
    tables: Vec<NodeTable>,
    fresh: u64,
    given_up: u64,
    repeated: u64,
    records: u64,
    findings: Vec<Finding>,
}

impl<'a> Checked<'a> {
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

    /// The released cells, one table for each that was asked for.
    #[must_use]
    pub fn tables(&self) -> &[NodeTable] {
        &self.tables
    }

    /// Cells that leave for the first time.
    #[must_use]
    pub fn fresh(&self) -> u64 {
        self.fresh
    }

    /// Cells that are given up so that others can leave; they stay withheld.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// How many records the release store holds with this one.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Cells that repeat an earlier release.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Why cells are withheld: for the custodian's screen, never for a file or a caller. Measures
    /// are counted on from table to table.
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

/// Nothing may leave.
#[derive(Debug, thiserror::Error)]
pub enum DiscloseError {
    /// What has left cannot be read, or what leaves cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others asked meanwhile: it goes beyond a cap now.
    #[error(transparent)]
    OverCap(#[from] OverCap),
    /// Two protections of one state of the data are weaker together than either.
    #[error(
        "cells of the present data have left under `{first}`, the policy now says `{now}`: put the policy back, or wait for the next state of the data"
    )]
    Protection {
        /// Of the cells that have left.
        first: String,
        /// Of the policy in force.
        now: String,
    },
}

impl Coded for StoreError {
    fn code(&self) -> Code {
        Code("E901")
    }
}

impl Coded for DiscloseError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Store(_) => "E901",
            Self::OverCap(_) => "L707",
            Self::Protection { .. } => "G508",
        })
    }
}

/// Applies the rules and makes durable what leaves. Only populations registered as synthetic go
/// without rules; a trial keeps nothing, not in memory either.
///
/// # Errors
/// If the past cannot be read or kept, or its protection was another one.
pub async fn disclose<'a>(
    node: &Node,
    raw: Raw<'a>,
    now: i64,
) -> Result<Checked<'a>, DiscloseError> {
    let parts = raw.into_parts();
    let protection = protection(node, &parts.params);
    let mut past = node.past.lock().await;
    past.follow(node.epochs());
    caps::check(node, &past, &parts.approved, &parts.epoch, now)?;
    one_protection(node, &mut past, &parts, protection, now)?;
    let outcomes = judge(node, &mut past, &parts, protection.mode);
    let kept = keep(node, &mut past, &parts, &outcomes, now)?;
    drop(past);
    let (mut tables, mut findings) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        tables.push(outcome.table);
        findings.extend(outcome.findings);
    }
    Ok(Checked {
        approved: parts.approved,
        epoch: parts.epoch,
        protection,
        tables,
        fresh: kept.fresh,
        given_up: kept.given_up,
        repeated: kept.repeated,
        records: kept.records,
        findings,
    })
}

/// What every cell goes through.
pub(crate) fn protection(node: &Node, params: &ReleaseParams) -> Protection {
    protection_of(&node.policy, params)
}

/// The same, as a policy says it.
pub(crate) fn protection_of(policy: &Policy, params: &ReleaseParams) -> Protection {
    Protection {
        mode: match params.mode {
            _ if policy.population.synthetic => Mode::None,
            Output::Round => Mode::Round,
            Output::CellKey => Mode::CellKey { bound: NOISE_BOUND },
        },
        k: params.k,
        round_base: params.round_base,
    }
}

/// The secret behind the noise of perturbed counts, as old as the population.
fn noise_key(node: &Node) -> NoiseKey {
    let domain = hmac::Key::new(hmac::HMAC_SHA256, node.secrets().domain());
    NoiseKey::new(hmac::sign(&domain, b"quorate noise 1").as_ref())
}

/// Decides the tables in their order, each beside those before it. The past is the same afterwards.
fn judge(node: &Node, past: &mut Past, parts: &Parts<'_>, mode: Mode) -> Vec<Outcome> {
    let noise = match mode {
        Mode::CellKey { .. } => Some(noise_key(node)),
        Mode::Round | Mode::None => None,
    };
    let question = parts.approved.question();
    let asked = question.asked();
    let tables = question.tables();
    let measured = parts.measured.iter();
    let nobodies: Vec<_> = measured.map(|found| nobody(&found.layout.parts)).collect();
    let measured = parts.measured.iter().zip(&nobodies);
    // With what others have derived and released since this question was read.
    let book = node.books.with(question.codebook(), question.typed());
    let mut sheets = Vec::with_capacity(tables.len());
    for (table, (measured, nobody)) in tables.iter().zip(measured) {
        sheets.push(Sheet {
            question: table,
            codebook: &book,
            nobody,
            evidence: &measured.evidence,
            params: &parts.params,
            epoch: &parts.epoch,
            project: asked.project.as_deref().unwrap_or_default(),
            core: asked.core().is_some(),
            noise: noise.as_ref(),
        });
    }
    let mut outcomes: Vec<Outcome> = match mode {
        Mode::None => sheets.iter().map(exact).collect(),
        Mode::Round | Mode::CellKey { .. } => decide_all(&sheets, past.history()),
    };
    let mut measures = 0;
    for (table, outcome) in tables.iter().zip(&mut outcomes) {
        for finding in &mut outcome.findings {
            finding.measure += measures;
        }
        measures += table.measures.len();
    }
    outcomes
}
