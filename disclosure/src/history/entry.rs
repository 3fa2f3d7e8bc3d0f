//! One release as history knows it: who is behind it, in which boxes, and what was said.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use quorate_query::number::Number;
use quorate_query::question::Predicate;
use roaring::RoaringBitmap;

use super::spread::Spread;
use crate::digest::Digest;
use crate::evidence::{Contributions, Persons};

/// What a release is known by, within a population.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId {
    /// Digest of canonical tables and boxes.
    pub predicate: [u8; 32],
    /// Digest of what is measured.
    pub vec: [u8; 32],
    /// State of the data.
    pub epoch: String,
    /// Thresholds and output protection, constants of an epoch.
    pub protection: String,
}

/// Whose rows: tables and boxes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// The table whose rows are counted.
    pub rows: String,
    /// One-per-unit tables joined to it.
    pub joined: BTreeSet<String>,
    /// Which rows.
    pub predicate: Predicate,
}

/// What became of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It left with these parts.
    Released(Vec<Number>),
    /// These parts of an earlier, nearly equal release left in its place, and it has no facets; or
    /// the size of one left beside a mean of its own, and it has those of the mean.
    Near(Vec<Number>),
    /// It was given up so that others could leave: it stays withheld.
    Sacrificed,
    /// No cell: what released cells of one table add up to. Whoever has the table has this too.
    Union {
        /// Whether the shape says exactly whose rows these are. Else it says within which they lie.
        exact: bool,
    },
}

/// A cell that left or was given up, or what cells add up to.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// What it is known by.
    pub id: ReleaseId,
    /// Tables and boxes of the cell.
    pub shape: Shape,
    /// Value, or given up.
    pub state: State,
    /// Under which project it was asked for.
    pub project: String,
    /// Whether it belongs to the core tables of an epoch.
    pub core: bool,
    /// What it says about whom. Empty if given up.
    pub facets: Vec<Facet>,
}

impl Entry {
    /// What the custodian is told it by: the first half of a digest's digits.
    #[must_use]
    pub fn name(&self) -> String {
        let digits = self.id.predicate.iter().take(8);
        digits.map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it is what cells add up to: nothing that was shown itself.
    pub(crate) fn is_union(&self) -> bool {
        matches!(self.state, State::Union { .. })
    }
}

/// One linear statement of a release: the sum of one vector over some persons.
///
/// A count is one facet; the counts of a small domain are one facet a value; a mean is a sum beside
/// a count. Facets of one `vec` may be added and subtracted, so these are compared.
#[derive(Clone, PartialEq)]
pub struct Facet {
    /// What may be added up: persons and rows are one such family, each summed column is another.
    pub vec: [u8; 32],
    /// What each person adds. Two facets say the same only if this is the same too.
    pub form: Form,
    /// Tables and boxes of these persons: the cell's, narrowed to those that have the value.
    pub shape: Shape,
    /// The persons and the size of what they add.
    pub footprint: Footprint,
}

/// What each person adds to a facet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// One each.
    Persons,
    /// Their rows, at most so many.
    Rows(u32),
    /// Their value, or the total of their rows: a digest of the column with its bounds and scale and
    /// of how many rows count. What a person adds depends on all of these.
    Sum([u8; 32]),
}

impl Form {
    /// Whether persons or rows are counted, not values summed.
    #[must_use]
    pub fn is_count(self) -> bool {
        !matches!(self, Self::Sum(_))
    }

    /// Whether what is added to one and to the other is counted in the same unit.
    #[must_use]
    pub fn adds_up_with(self, other: Self) -> bool {
        self == other || (self.is_count() && other.is_count())
    }
}

/// The persons behind a facet, and as much of their contributions as later comparisons need.
#[derive(Clone, PartialEq)]
pub struct Footprint {
    /// Who adds something, if only a zero.
    pub people: Persons,
    /// A, the sum of the sizes of what they add.
    pub abs: i128,
    /// The largest contributions, largest first, at most [`Footprint::KEPT`].
    pub largest: Vec<(u32, i128)>,
    /// Some contributions of any size, where these may differ, at most [`Footprint::SAMPLED`].
    pub sample: Vec<(u32, i128)>,
    /// What they add, in 256 sums; `None` if that is not known.
    pub spread: Option<Spread>,
}

impl Footprint {
    /// How many of the largest contributions are kept for later comparisons.
    pub const KEPT: usize = Digest::KEPT;
    /// How many of any size are.
    pub const SAMPLED: usize = Digest::SAMPLED;

    /// The footprint of some contributions.
    #[must_use]
    pub fn of(contributions: &Contributions) -> Self {
        Self {
            people: contributions.people().clone(),
            abs: contributions.abs_sum(),
            largest: contributions.largest(Self::KEPT),
            sample: contributions.sample(Self::SAMPLED),
            spread: Spread::of(contributions),
        }
    }

    /// The footprint of several together, of which nobody is in two. `people` is everybody.
    pub(crate) fn apart<'f>(people: Persons, parts: impl Iterator<Item = &'f Self>) -> Self {
        let mut found = Self {
            people,
            abs: 0,
            largest: Vec::new(),
            sample: Vec::new(),
            spread: None,
        };
        let mut spread = Some(Spread::of_persons(&RoaringBitmap::new()));
        for part in parts {
            found.abs = found.abs.saturating_add(part.abs);
            found.largest.extend(&part.largest);
            found.sample.extend(&part.sample);
            let sums = spread.zip(part.spread.as_ref());
            spread = sums.and_then(|(sum, part)| sum.plus(part));
        }
        let by_size = |pair: &(u32, i128)| (Reverse(pair.1.unsigned_abs()), pair.0);
        found.largest.sort_unstable_by_key(by_size);
        found.largest.truncate(Self::KEPT);
        let every = found.sample.len().div_ceil(Self::SAMPLED).max(1);
        found.sample = found.sample.into_iter().step_by(every).collect();
        found.spread = spread;
        found
    }
}
