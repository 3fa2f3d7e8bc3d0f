//! Which column of the engine's rows holds what: the one thing that plan and fold must agree on.

/// How the engine's output columns are to be read. Group keys come first, in
/// the question's order; then the person's number ([`Layout::person`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of group keys.
    pub keys: usize,
    /// On event tables, the rows of one person that count at most; the column after the person
    /// then holds how many there are. `None` on unit tables, where a row is a person.
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

    /// Index of the column with the person's number of rows, on event tables.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.keys + 1
    }
}

/// Where the columns of a measure start and what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Every row counts: no column of its own.
    All,
    /// Rows where a column is not missing. Unit table: a boolean; event table: a number of rows.
    Present {
        /// Index of the column.
        at: usize,
    },
    /// Unit table: the clamped value. Event table: rows with a value, their sum, and the sum of
    /// their squares, in three columns.
    Moments {
        /// Index of the first column.
        at: usize,
        /// Digits after the point of the column's values.
        scale: u32,
        /// Least value that counts, at that scale.
        low: i128,
        /// Greatest value that counts, at that scale.
        high: i128,
    },
    /// Unit table: the value itself. Event table: rows per value, one column per value.
    Values {
        /// Index of the first column.
        at: usize,
        /// Digits after the point of the column's values.
        scale: u32,
        /// The domain at that scale, ascending.
        domain: Vec<i128>,
    },
}
