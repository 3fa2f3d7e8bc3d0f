//! What a rule looks at, and what it may say.

use quorate_query::release::{ReleaseParams, k_eff};

use crate::evidence::{CellEvidence, MeasureEvidence};

/// One measure of one cell, with everything public about it and the parameters in force.
pub(crate) struct Case<'a> {
    /// The whole cell.
    pub(crate) cell: &'a CellEvidence,
    /// What the node knows of the measure.
    pub(crate) evidence: &'a MeasureEvidence,
    /// Why the group that the cell belongs to is withheld, if it is.
    pub(crate) group: Option<&'a Reason>,
    /// How many persons the bit budget of the table needs behind each number, if it has one.
    pub(crate) budget: Option<u64>,
    /// Parameters of release.
    pub(crate) params: &'a ReleaseParams,
}

impl Case<'_> {
    /// The threshold that starts a rounding bin.
    pub(crate) fn threshold(&self) -> u64 {
        u64::from(k_eff(self.params.k, self.params.round_base))
    }

    /// Persons that the measure rests on.
    pub(crate) fn persons(&self) -> u64 {
        self.evidence.people().len()
    }
}

/// The number that a rule compared. Whatever the rule, it withholds where `value < threshold`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// What was compared, such as `persons`.
    pub name: &'static str,
    /// What the cell has.
    pub value: i128,
    /// What it needs at least.
    pub threshold: i128,
}

impl Statistic {
    /// Compared numbers that need not have the same type.
    pub(crate) fn new(
        name: &'static str,
        value: impl Into<i128>,
        threshold: impl Into<i128>,
    ) -> Self {
        Self {
            name,
            value: value.into(),
            threshold: threshold.into(),
        }
    }

    /// Whether the value misses its threshold.
    #[must_use]
    pub fn misses(&self) -> bool {
        self.value < self.threshold
    }
}

/// Why a cell is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// A sentence for the custodian.
    pub(crate) why: String,
    /// The number that decided, if one did.
    pub(crate) statistic: Option<Statistic>,
}

/// What a rule says of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing against it.
    Pass,
    /// It leaves whatever later rules say.
    Public,
    /// It is withheld.
    Withhold(Reason),
}

impl Verdict {
    /// Withheld if the value misses its threshold; else nothing against it.
    pub(crate) fn at_least(statistic: Statistic, why: impl FnOnce(&Statistic) -> String) -> Self {
        if !statistic.misses() {
            return Self::Pass;
        }
        Self::Withhold(Reason {
            why: why(&statistic),
            statistic: Some(statistic),
        })
    }
}

/// A rule of release.
pub(crate) struct Rule {
    /// Its name, as in the documentation.
    pub(crate) name: &'static str,
    /// Its judgement.
    pub(crate) judge: fn(&Case<'_>) -> Verdict,
}
