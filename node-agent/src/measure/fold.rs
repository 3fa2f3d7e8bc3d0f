//! Folds the engine's batches into evidence. Rows are laid apart by runs of persons as they come; each
//! run is then put in order of cell and person, and each cell's rows become persons. Unit and event
//! tables meet in the same sums.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use quorate_disclosure::evidence::CellEvidence;
use quorate_query::value::Scalar;

use super::block::{Block, Read, scatter};
use super::cells::Cells;
use super::contribution::People;
use super::fit::MAX_PERSONS;
use super::group::{Group, told};
use super::layout::{Layout, Part};

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
    /// Rows by run of persons.
    blocks: BTreeMap<u32, Block>,
    rows: u64,
}

impl Fold {
    /// Starts with no rows.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            cells: Cells::default(),
            blocks: BTreeMap::new(),
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
        self.rows += u64::try_from(persons.len()).map_err(|_| FoldError::TooMany)?;
        if self.rows > MAX_PERSONS {
            return Err(FoldError::TooMany);
        }
        let parts = self.layout.parts.iter();
        let reads = parts.map(|part| Read::of(part, batch));
        let reads: Vec<Read<'_>> = reads.collect::<Result<_, _>>()?;
        scatter(&mut self.blocks, &cells, persons, &reads)
    }

    /// Bytes that the rows may take, with room to grow and to be put in order.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let part = |part: &Part| match part {
            Part::All { .. } => 0,
            Part::Present { .. } => 12,
            Part::Moments { .. } | Part::Values { .. } => 36,
            Part::Products { .. } => 72,
        };
        let row: usize = 32 + self.layout.parts.iter().map(part).sum::<usize>();
        usize::try_from(self.rows).map_or(usize::MAX, |rows| rows.saturating_mul(row))
    }
}

/// The rows of several folds of one question.
pub struct Merged {
    layout: Layout,
    keys: Vec<Vec<Scalar>>,
    runs: BTreeMap<u32, Vec<Piece>>,
}

/// Rows of one fold, and which cell of all each of its cells is, if not the same.
struct Piece {
    block: Block,
    to: Option<Arc<[u32]>>,
}

/// The rows of some runs of persons, which one thread puts in order.
pub struct Share {
    runs: std::vec::IntoIter<(u32, Vec<Piece>)>,
    cells: usize,
    ordered: Vec<(u32, Group)>,
}

impl Merged {
    /// The rows of several folds as one.
    ///
    /// # Errors
    /// If there are too many groups.
    pub fn of(folds: Vec<Fold>) -> Result<Option<Self>, FoldError> {
        let Some(layout) = folds.first().map(|fold| fold.layout.clone()) else {
            return Ok(None);
        };
        let mut cells: BTreeMap<Vec<Scalar>, u32> = BTreeMap::new();
        let (mut keys, mut runs) = (Vec::new(), BTreeMap::<u32, Vec<Piece>>::new());
        for fold in folds {
            let mut to = Vec::new();
            for key in fold.cells.keys()? {
                let next = u32::try_from(keys.len()).map_err(|_| FoldError::TooManyCells)?;
                let cell = *cells.entry(key.clone()).or_insert(next);
                if cell == next {
                    keys.push(key);
                }
                to.push(cell);
            }
            let same = to.iter().zip(0..).all(|(cell, own)| *cell == own);
            let to: Option<Arc<[u32]>> = (!same).then(|| to.into());
            for (run, block) in fold.blocks {
                let to = to.clone();
                runs.entry(run).or_default().push(Piece { block, to });
            }
        }
        Ok(Some(Self { layout, keys, runs }))
    }

    /// The rows in so many shares, and what takes them in again once they are in order.
    #[must_use]
    pub fn shares(self, shares: usize) -> (Vec<Share>, Sorted) {
        let shares = shares.max(1);
        let cells = self.keys.len();
        let mut all: Vec<Vec<(u32, Vec<Piece>)>> = Vec::new();
        all.resize_with(shares, Vec::new);
        for (at, run) in self.runs.into_iter().enumerate() {
            if let Some(share) = all.get_mut(at % shares) {
                share.push(run);
            }
        }
        let share = |runs: Vec<(u32, Vec<Piece>)>| Share {
            ordered: Vec::with_capacity(runs.len()),
            runs: runs.into_iter(),
            cells,
        };
        let all = all.into_iter().map(share).collect();
        let sorted = Sorted {
            layout: self.layout,
            keys: self.keys,
            groups: Vec::new(),
        };
        (all, sorted)
    }
}

impl Share {
    /// Puts the rows of the next run in order; false if there is none.
    ///
    /// # Errors
    /// If the folds are of different questions.
    pub fn order_next(&mut self) -> Result<bool, FoldError> {
        let Some((run, pieces)) = self.runs.next() else {
            return Ok(false);
        };
        let mut all = Block::default();
        for piece in pieces {
            all.append(piece.block, piece.to.as_deref())?;
        }
        self.ordered.push((run, Group::of(all, self.cells)?));
        Ok(true)
    }
}

/// The rows of all, in order of person and cell.
pub struct Sorted {
    layout: Layout,
    keys: Vec<Vec<Scalar>>,
    /// By run of persons, ascending.
    groups: Vec<Group>,
}

impl Sorted {
    /// Takes in all shares once they are in order.
    #[must_use]
    pub fn with(mut self, shares: Vec<Share>) -> Self {
        let runs = shares.into_iter().flat_map(|share| share.ordered);
        let mut runs: Vec<(u32, Group)> = runs.collect();
        runs.sort_unstable_by_key(|(run, _)| *run);
        self.groups = runs.into_iter().map(|(_, group)| group).collect();
        self
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
        let Some(key) = self.keys.get(cell) else {
            return Ok(None);
        };
        let cell = u32::try_from(cell).map_err(|_| FoldError::TooManyCells)?;
        let max_rows = self.layout.max_rows;
        let rows = self.groups.iter().map(|group| group.persons(cell));
        let rows = rows.collect::<Vec<_>>().concat();
        let people = People::of(&rows, max_rows)?;
        let measures = self.layout.parts.iter().enumerate();
        let measures = measures.map(|(at, part)| {
            let told = told(&self.groups, at, cell, &rows);
            people.measure(part, told, max_rows)
        });
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
