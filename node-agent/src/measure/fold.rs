//! Folds the engine's batches into evidence. A row is one person in one cell; event tables arrive
//! already grouped by cell and person, so that both kinds of table meet in the same sums.

use arrow::array::RecordBatch;

use super::cells::Cells;
use super::contribution::{Reader, count, int};
use super::evidence::{CellEvidence, Evidence};
use super::layout::Layout;

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
    evidence: Vec<CellEvidence>,
}

impl Fold {
    /// Starts with no cells.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            cells: Cells::default(),
            evidence: Vec::new(),
        }
    }

    /// Adds one batch.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), FoldError> {
        let keys = batch
            .columns()
            .get(..self.layout.keys)
            .ok_or(FoldError::Shape)?;
        let at = self.cells.of(keys, batch.num_rows())?;
        self.evidence
            .resize(self.cells.len(), CellEvidence::empty(&self.layout.parts));
        let counted = self.counted_rows(batch)?;
        for (&cell, &rows) in at.iter().zip(&counted) {
            self.evidence
                .get_mut(cell)
                .ok_or(FoldError::Shape)?
                .add(rows)?;
        }
        for (measure, part) in self.layout.parts.iter().enumerate() {
            let reader = Reader::new(part, batch, self.layout.max_rows, &counted)?;
            for (row, &cell) in at.iter().enumerate() {
                let cell = self.evidence.get_mut(cell).ok_or(FoldError::Shape)?;
                reader.add(row, cell.measures.get_mut(measure).ok_or(FoldError::Shape)?)?;
            }
        }
        Ok(())
    }

    /// The evidence, by key.
    #[must_use]
    pub fn finish(self) -> Evidence {
        Evidence {
            cells: self
                .cells
                .into_keys()
                .into_iter()
                .zip(self.evidence)
                .collect(),
        }
    }

    /// Rows of each person that count.
    fn counted_rows(&self, batch: &RecordBatch) -> Result<Vec<u64>, FoldError> {
        let Some(max) = self.layout.max_rows else {
            return Ok(vec![1; batch.num_rows()]);
        };
        let rows = int(batch, self.layout.keys)?;
        rows.values()
            .iter()
            .map(|&n| Ok(count(n)?.min(max)))
            .collect()
    }
}
