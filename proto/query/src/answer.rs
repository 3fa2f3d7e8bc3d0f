//! What a node releases: per row of the table a key and, per measure, a value or `Suppressed`.
//!
//! Parts of a value, in order (all exact decimals):
//! - `Persons`: `[persons]`; `Events`: `[rows]`.
//! - `Moments`, modes round and cell key: `[persons', rows', mean', sd']` (on a unit table rows' =
//!   persons'; sd is the sample standard deviation over rows). Mode none:
//!   `[persons, rows, sum, sum of squares]`.
//! - `ValueCounts`: one count per value of the domain, in ascending order of the value (persons on a
//!   unit table, rows on an event table).
//! - `Products`, modes round and cell key: `[persons', mean']` of the products about the centres; mode
//!   none: `[persons, sum]`.

use crate::number::Number;
use crate::value::Scalar;

/// How the cells of an answer were protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Thresholds, rules of release, rounding.
    Round,
    /// Thresholds, rules of release, noise that depends on who is in the cell.
    CellKey {
        /// The greatest size of the noise of a count. Public: intervals allow for it.
        bound: u32,
    },
    /// Nothing: only populations registered as synthetic.
    None,
}

/// Protection of one node's answer, with its public parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Mode.
    pub mode: Mode,
    /// Threshold k.
    pub k: u32,
    /// Rounding base.
    pub round_base: u32,
}

/// A cell is a value or suppressed, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Withheld: zero, small, or refused by any other rule. They look alike.
    Suppressed,
    /// The parts listed in the module's documentation.
    Value(Vec<Number>),
    /// The parts of an earlier release whose persons are nearly those of this cell: fewer differ
    /// than the threshold. Only for measures to which a person contributes the same in every cell:
    /// counts of persons, and everything on the unit table. Of a mean over rows of events the number
    /// of persons is that of the earlier release, the rest is the cell's own; of a mean on the unit
    /// table it may be so too.
    Near(Vec<Number>),
}

impl Cell {
    /// The released parts, if any.
    #[must_use]
    pub fn parts(&self) -> Option<&[Number]> {
        match self {
            Self::Suppressed => None,
            Self::Value(parts) | Self::Near(parts) => Some(parts),
        }
    }

    /// Whether the parts are those of an earlier, nearly equal cell.
    #[must_use]
    pub fn is_near(&self) -> bool {
        matches!(self, Self::Near(_))
    }
}

/// One row: a key and a cell per measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// One value per group key.
    pub key: Vec<Scalar>,
    /// One cell per measure.
    pub cells: Vec<Cell>,
}

/// A node's answer, sorted by key. Closed domains list every cell; open ones only released rows;
/// mode none lists the groups that exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTable {
    /// Rows in ascending order of key.
    pub rows: Vec<NodeRow>,
}
