//! One release as history knows it: who is behind it, in which boxes, and what was said.

use std::collections::BTreeSet;

use quorate_query::number::Number;
use quorate_query::question::Predicate;
use roaring::RoaringBitmap;

use crate::evidence::Contributions;

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
    /// These parts of an earlier, nearly equal release left in its place. It has no facets.
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
}

/// One linear statement of a release: the sum of one vector over some persons.
///
/// A count is one facet; the counts of a small domain are one facet a value; a mean is a sum beside
/// a count. Facets of one `vec` may be added and subtracted, so these are compared.
#[derive(Clone, PartialEq)]
pub struct Facet {
    /// Which vector: `1` and numbers of rows share one, each summed column has its own.
    pub vec: [u8; 32],
    /// Whether every person adds one, or their rows: no sum of a column.
    pub counts: bool,
    /// Tables and boxes of these persons: the cell's, narrowed to those that have the value.
    pub shape: Shape,
    /// The persons and the size of what they add.
    pub footprint: Footprint,
}

/// The persons behind a facet, and as much of their contributions as later comparisons need.
#[derive(Clone, PartialEq)]
pub struct Footprint {
    /// Who adds something, if only a zero.
    pub people: RoaringBitmap,
    /// A, the sum of the sizes of what they add.
    pub abs: i128,
    /// The largest contributions, largest first, at most [`Footprint::KEPT`].
    pub largest: Vec<(u32, i128)>,
}

impl Footprint {
    /// How many of the largest contributions are kept for later comparisons.
    pub const KEPT: usize = 64;

    /// The footprint of some contributions.
    #[must_use]
    pub fn of(contributions: &Contributions) -> Self {
        Self {
            people: contributions.people().clone(),
            abs: contributions.abs_sum(),
            largest: contributions.largest(Self::KEPT),
        }
    }
}
