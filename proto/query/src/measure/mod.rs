//! The measures: what a node releases of each (its parts), how parts of nodes become a value with
//! an interval, and the exact arithmetic of protection, which node and combine part must share.
//!
//! What it must not know: the rules that decide whether a cell leaves (they live in the node).

mod decimal;
pub mod events;
mod extreme;
pub mod facts;
pub mod interval;
pub mod moments;
pub mod persons;
pub mod products;
pub mod value_counts;

use crate::answer::{Mode, Protection};
use crate::number::Number;
use crate::question::{Measure, Stat};
use crate::release::{count_slack, k_eff};
use facts::Facts;
use interval::Interval;

/// Parts that one node released for a cell, with that node's protection.
#[derive(Clone, Copy, Debug)]
pub struct SiteParts<'a> {
    /// The parts, as `answer` lists them.
    pub parts: &'a [Number],
    /// The node's protection.
    pub protection: Protection,
    /// The parts are those of an earlier release for nearly the same persons.
    pub near: bool,
}

impl SiteParts<'_> {
    /// How far a count can be from the truth; nothing in mode none.
    fn slack(&self) -> u32 {
        match self.protection.mode {
            Mode::Round => count_slack(self.protection.round_base).saturating_add(self.apart()),
            Mode::CellKey { bound } => bound.saturating_add(self.apart()),
            Mode::None => 0,
        }
    }

    /// How many persons may be in the cell and not in the release that stands for it, or the other
    /// way round: fewer than the threshold.
    fn apart(&self) -> u32 {
        if self.near {
            self.threshold().saturating_sub(1)
        } else {
            0
        }
    }

    fn threshold(&self) -> u32 {
        match self.protection.mode {
            Mode::Round | Mode::CellKey { .. } => {
                k_eff(self.protection.k, self.protection.round_base)
            }
            Mode::None => 0,
        }
    }

    fn is_exact(&self) -> bool {
        self.protection.mode == Mode::None
    }
}

/// A statistic over some nodes: NULL where there is nothing to compute it from.
pub type Estimate = Option<Interval>;

/// Whether the parts have the shape and range of the measure; `Err` says what is wrong.
pub fn check(measure: &Measure, facts: &Facts, site: SiteParts<'_>) -> Result<(), &'static str> {
    let persons_only = facts.max_rows.is_none()
        || matches!(measure, Measure::Persons { .. } | Measure::Moments { .. });
    if site.near && (!persons_only || site.is_exact()) {
        return Err("an earlier release stands for a cell where none can");
    }
    match measure {
        Measure::Persons { .. } | Measure::Events { .. } => persons::check(site),
        Measure::Moments { .. } => moments::check(site),
        Measure::ValueCounts { .. } => value_counts::check(facts, site),
        Measure::Products { .. } => products::check(site),
    }
}

/// A statistic of the nodes that released the cell, with the interval in which the same statistic
/// of all their rows lies. The order of sites does not matter.
#[must_use]
pub fn estimate(measure: &Measure, facts: &Facts, stat: Stat, sites: &[SiteParts<'_>]) -> Estimate {
    match measure {
        Measure::Persons { .. } => persons::estimate(sites),
        Measure::Events { .. } => events::estimate(sites),
        Measure::Moments { .. } => moments::estimate(facts, stat, sites),
        Measure::ValueCounts { .. } => value_counts::estimate(facts, stat, sites),
        Measure::Products { .. } => products::estimate(facts, stat, sites),
    }
}

/// A released count is a whole number from 0 to 2^63.
fn count(part: &Number) -> Option<u64> {
    let whole = part.to_integer()?;
    u64::try_from(whole)
        .ok()
        .filter(|count| *count <= i64::MAX.unsigned_abs())
}

#[cfg(test)]
mod tests;
