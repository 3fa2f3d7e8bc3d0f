//! What a rule looks at, and what it may say.

use quorate_query::release::{ReleaseParams, k_eff};

use crate::evidence::{CellEvidence, MeasureEvidence};

/// One measure of one cell, with the parameters in force.
pub(crate) struct Case<'a> {
    /// The whole cell.
    pub(crate) cell: &'a CellEvidence,
    /// The measure.
    pub(crate) measure: &'a MeasureEvidence,
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
        self.measure.people().len()
    }
}

/// What a rule says of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing against it.
    Pass,
    /// It leaves whatever later rules say.
    Public,
    /// It is withheld; the sentence is for the custodian.
    Withhold(String),
}

/// A rule of release.
pub(crate) struct Rule {
    /// Its name, as in the documentation.
    pub(crate) name: &'static str,
    /// Its judgement.
    pub(crate) judge: fn(&Case<'_>) -> Verdict,
}
