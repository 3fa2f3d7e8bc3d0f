//! What a node knows exactly about each cell. It never leaves the node.

use std::collections::BTreeMap;

use quorate_query::value::Scalar;

use super::layout::Part;

/// Exact evidence per cell. No `Debug`, no `Serialize`: it cannot be printed or sent by accident.
pub struct Evidence {
    /// Cells by key.
    pub cells: BTreeMap<Vec<Scalar>, CellEvidence>,
}

/// One cell.
#[derive(Clone, PartialEq, Eq)]
pub struct CellEvidence {
    /// Distinct persons.
    pub persons: u64,
    /// Rows that count: at most `max_rows` of each person; the persons themselves on a unit table.
    pub rows: u64,
    /// One per measure.
    pub measures: Vec<MeasureEvidence>,
}

/// Evidence for one measure of a cell.
#[derive(Clone, PartialEq, Eq)]
pub enum MeasureEvidence {
    /// Persons with at least one counted row, and those rows.
    Count {
        /// Persons.
        persons: u64,
        /// Rows.
        rows: u64,
    },
    /// Sums over the persons that have a value.
    Moments {
        /// Persons with a value.
        persons: u64,
        /// Counted rows with a value.
        rows: u64,
        /// Persons whose total is not zero.
        nonzero: u64,
        /// Sum of the clamped totals, at `scale`.
        sum: i128,
        /// Sum of the clamped totals of squares, at twice `scale`.
        squares: i128,
        /// Digits after the point.
        scale: u32,
    },
    /// Counts per value of a small domain.
    Values {
        /// Persons with a value.
        any: u64,
        /// Persons with a value that is not zero.
        nonzero: u64,
        /// One per value of the domain, ascending.
        values: Vec<ValueEvidence>,
    },
}

/// Evidence for one value of a small domain.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ValueEvidence {
    /// Persons with this value.
    pub persons: u64,
    /// Counted rows with this value.
    pub rows: u64,
    /// Persons with another value (also, on an event table).
    pub elsewhere: u64,
}

impl CellEvidence {
    /// The evidence for a cell that nobody is in.
    #[must_use]
    pub fn empty(parts: &[Part]) -> Self {
        Self {
            persons: 0,
            rows: 0,
            measures: parts.iter().map(MeasureEvidence::empty).collect(),
        }
    }
}

impl MeasureEvidence {
    /// The evidence of nobody.
    #[must_use]
    pub fn empty(part: &Part) -> Self {
        match part {
            Part::All | Part::Present { .. } => Self::Count {
                persons: 0,
                rows: 0,
            },
            Part::Moments { scale, .. } => Self::Moments {
                persons: 0,
                rows: 0,
                nonzero: 0,
                sum: 0,
                squares: 0,
                scale: *scale,
            },
            Part::Values { domain, .. } => Self::Values {
                any: 0,
                nonzero: 0,
                values: vec![ValueEvidence::default(); domain.len()],
            },
        }
    }
}
