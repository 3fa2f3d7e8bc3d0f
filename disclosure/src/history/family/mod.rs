//! H2f, the family audit: what follows from all releases that differ in at most two dimensions.
//!
//! Releases of one vector and one set of tables whose boxes agree on all but two columns form a
//! family over the product of these columns' atoms. The space of what follows from a family is
//! kept exactly (as a basis reduced modulo 2^61 - 1), so any number of releases is audited at once:
//! a new one is withheld if with it a group would follow that did not before, and that group has
//! fewer than `k_diff` persons or is dominated by one or two. A group is an atom or a run of
//! neighbouring atoms; on two columns, a rectangle of such. A cohort is a column with the values in
//! and out; presence in a joined table counts as one more value of its columns.
//!
//! Conditions with alternatives are no boxes: whoever meets one of several is not among those who meet
//! none, so each is a difference of boxes. They form families over all the columns that they are about,
//! together with the releases that agree with them elsewhere (`soft`).
//!
//! What this rule does not see: combinations across families, which differ in three columns or
//! more. For these there is H2. What it must not know: who asks, what is shown.
//!
//! Page: `docs/disclosure/H2f.md`.

mod across;
mod audit;
mod axis;
mod basis;
mod extent;
pub(in crate::history) mod field;
mod grid;
mod judge;
mod kept;
mod known;
mod place;
mod search;
mod shelf;
mod soft;
#[cfg(test)]
mod tests;

use quorate_query::codebook::Codebook;
use quorate_query::release::ReleaseParams;

pub use audit::FamilyAudit;

use super::Facet;
use crate::Statistic;

/// What the audit rests on beside the releases themselves.
pub struct Setting<'a> {
    /// Types, domains, cohorts' tables.
    pub codebook: &'a Codebook,
    /// Thresholds.
    pub params: &'a ReleaseParams,
    /// Everything that was added or held, by the number it was given.
    pub releases: &'a dyn Releases,
}

/// The facets that the audit was told of. It keeps no persons itself.
pub trait Releases {
    /// The facet with this number.
    fn facet(&self, number: usize) -> Option<&Facet>;
}

impl Releases for Vec<Facet> {
    fn facet(&self, number: usize) -> Option<&Facet> {
        self.get(number)
    }
}

/// Why a new release would say too much beside earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What was compared.
    pub statistic: Statistic,
    /// A sentence for the custodian.
    pub why: String,
    /// The earlier releases that it was compared with, oldest first.
    pub among: Vec<usize>,
}
