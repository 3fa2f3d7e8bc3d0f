//! Folds the engine's batches into evidence. A row is one person in one cell; event tables arrive
//! already grouped by cell and person, so that both kinds of table meet in the same sums.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use quorate_disclosure::evidence::Evidence;

use super::cells::Cells;
use super::contribution::{Reader, count, int};
use super::layout::Layout;
use super::tally::CellTally;

/// The fold stopped. None of this can happen to a plan that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A column is not what the layout says.
    #[error("the engine's rows do not have the planned layout")]
    Shape,
    /// More persons than the proof of fit allows.
    #[error("more persons or rows than the proof of fit allows")]
    TooMany,
    /// More groups than a node keeps in memory.
    #[error("more groups than a node keeps in memory")]
    TooManyCells,
}

/// Sums in progress.
pub struct Fold {
    layout: Layout,
    cells: Cells,
    cells_so_far: Vec<CellTally>,
}

impl Fold {
    /// Starts with no cells.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            cells: Cells::default(),
            cells_so_far: Vec::new(),
        }
    }

    /// Adds one batch.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), FoldError> {
        let keys = batch
            .columns()
            .get(..self.layout.keys)
            .ok_or(FoldError::Shape)?;
        let at = self.cells.of(keys, batch.num_rows())?;
        self.cells_so_far
            .resize(self.cells.len(), CellTally::new(&self.layout.parts));
        let persons = persons(batch, self.layout.person())?;
        let counted = self.counted_rows(batch)?;
        for ((&cell, &rows), person) in at.iter().zip(&counted).zip(persons) {
            let cell = self.cells_so_far.get_mut(cell);
            cell.ok_or(FoldError::Shape)?.add(*person, rows)?;
        }
        for (measure, part) in self.layout.parts.iter().enumerate() {
            let reader = Reader::new(part, batch, self.layout.max_rows, &counted)?;
            for ((row, &cell), person) in at.iter().enumerate().zip(persons) {
                let cell = self.cells_so_far.get_mut(cell).ok_or(FoldError::Shape)?;
                let tally = cell.measures.get_mut(measure).ok_or(FoldError::Shape)?;
                reader.add(row, *person, tally)?;
            }
        }
        Ok(())
    }

    /// The evidence, by key.
    ///
    /// # Errors
    /// If a sum does not fit.
    pub fn finish(self) -> Result<Evidence, FoldError> {
        let cells = self.cells.into_keys().into_iter().zip(self.cells_so_far);
        let finished = cells.map(|(key, cell)| Ok((key, cell.finish()?)));
        Ok(Evidence {
            cells: finished.collect::<Result<_, _>>()?,
        })
    }

    /// Rows of each person that count.
    fn counted_rows(&self, batch: &RecordBatch) -> Result<Vec<u64>, FoldError> {
        let Some(max) = self.layout.max_rows else {
            return Ok(vec![1; batch.num_rows()]);
        };
        let rows = int(batch, self.layout.rows())?;
        rows.values()
            .iter()
            .map(|&n| Ok(count(n)?.min(max)))
            .collect()
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
