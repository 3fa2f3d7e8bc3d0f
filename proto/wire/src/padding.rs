//! How long an answer is: as long as if every cell had been released with the longest numbers, so
//! that its length, which anybody on the way sees, does not tell how many cells are withheld.
//!
//! It must not know questions: the node says how many numbers a cell of each measure has.

use quorate_query::answer::{Cell, NodeRow, NodeTable};
use quorate_query::number::Number;

use crate::answer::AnswerPayload;
use crate::open::Payload;

/// The shortest padding: from here on a byte more of it is a byte more of the payload.
const LEAST: usize = 128;
/// Where the length of the padding needs a third byte.
const NEXT: usize = 1 << 14;
/// A power of ten that takes as many bytes as any may.
const LONGEST: i32 = 64;

impl AnswerPayload {
    /// The same answer with as much padding as it needs. `parts` says for every table how many
    /// numbers a cell of each measure has.
    #[must_use]
    pub fn padded(mut self, parts: &[Vec<usize>]) -> Self {
        self.padding = 0;
        let length = |cell: &dyn Fn(usize) -> Cell| {
            let all = self.tables.iter().zip(parts);
            let filled = |(table, parts): (&NodeTable, &Vec<usize>)| {
                filled(table, parts.iter().map(|parts| cell(*parts)))
            };
            let answer = Self {
                tables: all.map(filled).collect(),
                ..self.clone()
            };
            answer.encode().len()
        };
        let longest = length(&longest);
        let shortest = length(&|_| Cell::Suppressed);
        let missing = longest.saturating_sub(self.encode().len());
        // Which of the two is a matter of the table's form, never of what is in it.
        let range = longest.saturating_sub(shortest);
        let least = if range.saturating_add(LEAST) < NEXT {
            LEAST
        } else {
            NEXT
        };
        self.padding = least.saturating_add(missing);
        self
    }
}

/// A cell that takes as many bytes as any with so many numbers.
fn longest(parts: usize) -> Cell {
    Cell::Near(vec![Number::new(1, LONGEST); parts.max(1)])
}

/// The same rows with other cells.
fn filled(table: &NodeTable, cells: impl Iterator<Item = Cell>) -> NodeTable {
    let cells: Vec<Cell> = cells.collect();
    let row = |row: &NodeRow| NodeRow {
        key: row.key.clone(),
        cells: cells.clone(),
    };
    NodeTable {
        rows: table.rows.iter().map(row).collect(),
    }
}
