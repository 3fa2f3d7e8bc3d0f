//! Which column of the engine's rows holds what: the one thing that plan and fold must agree on.

/// How the engine's output columns are to be read. Group keys come first, in the question's order;
/// then the person's number ([`Layout::person`]); then what measures need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of group keys.
    pub keys: usize,
    /// On event tables, the rows of one person that count at most. `None` on unit tables, where a
    /// row is a person.
    pub max_rows: Option<u64>,
    /// One part per measure, in the question's order.
    pub parts: Vec<Part>,
}

impl Layout {
    /// Index of the column with the person's number.
    #[must_use]
    pub fn person(&self) -> usize {
        self.keys
    }
}

/// What a count adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Persons: one each.
    Persons,
    /// Rows of each person, as far as they count.
    Rows,
}

/// Where the column of a measure is and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Every row counts: no column of its own.
    All {
        /// What is counted.
        of: Counted,
    },
    /// Rows where a column is not missing, as a boolean.
    Present {
        /// Index of the column.
        at: usize,
        /// What is counted.
        of: Counted,
    },
    /// The clamped value, as a mantissa of 64 bits.
    Moments {
        /// Index of the column.
        at: usize,
        /// Digits after the point of the column's values.
        scale: u32,
        /// Least value that counts, at that scale.
        low: i128,
        /// Greatest value that counts, at that scale.
        high: i128,
    },
    /// Two clamped values, as mantissas of 64 bits each.
    Products {
        /// Indices of the columns.
        at: [usize; 2],
        /// What is taken off each, at its column's scale.
        centres: [i128; 2],
        /// The largest size of each, less its centre or not.
        most: [i128; 2],
        /// Digits after the point of both columns together.
        scale: u32,
    },
    /// The value itself, as a mantissa of 64 bits.
    Values {
        /// Index of the column.
        at: usize,
        /// Digits after the point of the column's values.
        scale: u32,
        /// The domain at that scale, ascending.
        domain: Vec<i128>,
    },
}
