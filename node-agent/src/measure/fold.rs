//! Folds the engine's batches into evidence. Rows are sorted into cells as they come; when all are
//! there, each cell's rows become persons. Unit and event tables meet in the same sums.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use quorate_disclosure::evidence::CellEvidence;
use quorate_query::value::Scalar;

use super::cells::Cells;
use super::contribution::People;
use super::fit::MAX_PERSONS;
use super::layout::Layout;
use super::tally::{Tally, append, merge, of_cell, sort};

/// The fold stopped. None of this can happen to a plan that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A column is not what the layout says, or a unit table has two rows of one person.
    #[error("the engine's rows do not have the planned layout")]
    Shape,
    /// More persons than the proof of fit allows.
    #[error("more persons or rows than the proof of fit allows")]
    TooMany,
    /// More groups than a node keeps in memory.
    #[error("more groups than a node keeps in memory")]
    TooManyCells,
}

/// Rows so far. Several folds of one question, each over some of its rows, can be merged.
pub struct Fold {
    layout: Layout,
    cells: Cells,
    /// The person of every row, by cell.
    people: Vec<Vec<u32>>,
    tallies: Vec<Tally>,
    rows: u64,
}

impl Fold {
    /// Starts with no rows.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            cells: Cells::default(),
            people: Vec::new(),
            tallies: layout.parts.iter().map(Tally::new).collect(),
            layout,
            rows: 0,
        }
    }

    /// Adds one batch.
    ///
    /// # Errors
    /// If its columns are not as planned, or there are too many groups or rows.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), FoldError> {
        let keys = batch.columns().get(..self.layout.keys);
        let keys = keys.ok_or(FoldError::Shape)?;
        let cells = self.cells.of(keys, batch.num_rows())?;
        let persons = persons(batch, self.layout.person())?;
        let count = self.cells.len();
        self.rows += u64::try_from(persons.len()).map_err(|_| FoldError::TooMany)?;
        if self.rows > MAX_PERSONS {
            return Err(FoldError::TooMany);
        }
        self.people.resize_with(count, Vec::new);
        if self.layout.keys == 0 {
            if let Some(people) = self.people.first_mut() {
                people.extend_from_slice(persons);
            }
        } else {
            for (cell, person) in cells.iter().zip(persons) {
                of_cell(&mut self.people, *cell)?.push(*person);
            }
        }
        for (part, tally) in self.layout.parts.iter().zip(&mut self.tallies) {
            tally.push(part, batch, (&cells, count), persons)?;
        }
        Ok(())
    }

    /// Bytes that the rows may take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let row: usize = 12 + self.tallies.iter().map(Tally::bytes).sum::<usize>();
        usize::try_from(self.rows).map_or(usize::MAX, |rows| rows.saturating_mul(row))
    }

    /// Puts the rows of each cell in order of person: the heavy part of what is left to do.
    ///
    /// # Errors
    /// If there are too many groups.
    pub fn sorted(mut self) -> Result<Sorted, FoldError> {
        self.tallies.iter_mut().for_each(Tally::sort);
        for (cell, people) in self.people.iter_mut().enumerate() {
            // where every row has a value, the values are in the order that is looked for
            let mut tallies = self.tallies.iter();
            if !people.is_sorted() && !tallies.any(|tally| tally.tells(cell, people)) {
                sort(people, |person| *person);
            }
        }
        Ok(Sorted {
            keys: self.cells.keys()?,
            layout: self.layout,
            people: self.people,
            tallies: self.tallies,
        })
    }
}

/// The rows of a fold, each cell in order of person.
pub struct Sorted {
    layout: Layout,
    keys: Vec<Vec<Scalar>>,
    people: Vec<Vec<u32>>,
    tallies: Vec<Tally>,
}

impl Sorted {
    /// The rows of several folds of one question as one.
    ///
    /// # Errors
    /// If they are of different questions.
    pub fn merged(folds: Vec<Self>) -> Result<Option<Self>, FoldError> {
        let mut folds = folds.into_iter();
        let Some(mut all) = folds.next() else {
            return Ok(None);
        };
        let keys = all.keys.iter().cloned();
        let mut cells: BTreeMap<Vec<Scalar>, u32> = keys.zip(0..).collect();
        for fold in folds {
            let mut to = Vec::with_capacity(fold.keys.len());
            for key in fold.keys {
                let next = u32::try_from(all.keys.len()).map_err(|_| FoldError::TooManyCells)?;
                let cell = *cells.entry(key.clone()).or_insert(next);
                if cell == next {
                    all.keys.push(key);
                }
                to.push(cell);
            }
            let count = all.keys.len();
            append(&mut all.people, fold.people, &to, count)?;
            for (here, there) in all.tallies.iter_mut().zip(fold.tallies) {
                here.merge(there, &to, count)?;
            }
        }
        for rows in &mut all.people {
            merge(rows, |person| *person);
        }
        all.tallies.iter_mut().for_each(Tally::merged);
        Ok(Some(all))
    }

    /// How many cells there are.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.keys.len()
    }

    /// The evidence of one cell, and its key. `None` beyond the last.
    ///
    /// # Errors
    /// If a sum does not fit, or a unit table has two rows of one person.
    pub fn cell(&self, cell: usize) -> Result<Option<(Vec<Scalar>, CellEvidence)>, FoldError> {
        let (Some(key), Some(rows)) = (self.keys.get(cell), self.people.get(cell)) else {
            return Ok(None);
        };
        let max_rows = self.layout.max_rows;
        let people = People::of(rows, max_rows)?;
        let measures = self.layout.parts.iter().zip(&self.tallies);
        let measures = measures.map(|(part, tally)| people.measure(part, tally, cell, max_rows));
        let measures = measures.collect::<Result<_, _>>()?;
        Ok(Some((key.clone(), people.cell(measures)?)))
    }
}

/// The person of every row. A row without one would count nobody.
fn persons(batch: &RecordBatch, at: usize) -> Result<&[u32], FoldError> {
    let column = batch.columns().get(at).ok_or(FoldError::Shape)?;
    let persons = column
        .as_primitive_opt::<UInt32Type>()
        .ok_or(FoldError::Shape)?;
    if persons.null_count() > 0 {
        return Err(FoldError::Shape);
    }
    Ok(persons.values())
}
