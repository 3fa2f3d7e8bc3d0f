//! What the rows of one measure say, in the order in which they come: columns of persons and values,
//! one a cell. Nothing is added up here.

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;

use super::fold::FoldError;
use super::layout::Part;

/// The rows of one measure, by cell.
pub(super) enum Tally {
    /// As many as the cell has: nothing to keep.
    All,
    /// Persons of the rows that have a value.
    Present(Vec<Vec<u32>>),
    /// Persons and values.
    Values(Vec<Vec<(u32, i64)>>),
    /// Persons and both values.
    Pairs(Vec<Vec<(u32, i64, i64)>>),
}

impl Tally {
    pub(super) fn new(part: &Part) -> Self {
        match part {
            Part::All { .. } => Self::All,
            Part::Present { .. } => Self::Present(Vec::new()),
            Part::Moments { .. } | Part::Values { .. } => Self::Values(Vec::new()),
            Part::Products { .. } => Self::Pairs(Vec::new()),
        }
    }

    /// Bytes that one row may take, with room to grow and to be sorted.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Present(_) => 12,
            Self::Values(_) => 48,
            Self::Pairs(_) => 72,
        }
    }

    /// Adds the rows of a batch, given the cell and the person of each.
    pub(super) fn push(
        &mut self,
        part: &Part,
        batch: &RecordBatch,
        cells: (&[u32], usize),
        persons: &[u32],
    ) -> Result<(), FoldError> {
        let (cells, count) = cells;
        match (self, part) {
            (Self::All, Part::All { .. }) => {}
            (Self::Present(rows), Part::Present { at, .. }) => {
                rows.resize_with(count, Vec::new);
                let flags = batch.columns().get(*at).and_then(|c| c.as_boolean_opt());
                let flags = flags.ok_or(FoldError::Shape)?;
                for (row, (cell, person)) in cells.iter().zip(persons).enumerate() {
                    if flags.is_valid(row) && flags.value(row) {
                        of_cell(rows, *cell)?.push(*person);
                    }
                }
            }
            (Self::Values(rows), Part::Moments { at, .. } | Part::Values { at, .. }) => {
                rows.resize_with(count, Vec::new);
                let values = int(batch, *at)?;
                let all = cells.iter().zip(persons).zip(values.values());
                for (row, ((cell, person), value)) in all.enumerate() {
                    if values.is_valid(row) {
                        of_cell(rows, *cell)?.push((*person, *value));
                    }
                }
            }
            (
                Self::Pairs(rows),
                Part::Products {
                    at: [left, right], ..
                },
            ) => {
                rows.resize_with(count, Vec::new);
                let (left, right) = (int(batch, *left)?, int(batch, *right)?);
                let both = left.values().iter().zip(right.values());
                let all = cells.iter().zip(persons).zip(both);
                for (row, ((cell, person), (x, y))) in all.enumerate() {
                    if left.is_valid(row) && right.is_valid(row) {
                        of_cell(rows, *cell)?.push((*person, *x, *y));
                    }
                }
            }
            _ => return Err(FoldError::Shape),
        }
        Ok(())
    }

    /// Puts every cell in order of person.
    pub(super) fn sort(&mut self) {
        match self {
            Self::All => {}
            Self::Present(rows) => rows.iter_mut().for_each(|rows| sort(rows, |row| *row)),
            Self::Values(rows) => rows.iter_mut().for_each(|rows| sort(rows, |row| row.0)),
            Self::Pairs(rows) => rows.iter_mut().for_each(|rows| sort(rows, |row| row.0)),
        }
    }

    /// Puts every cell in order of person again, after the rows of others were appended.
    pub(super) fn merged(&mut self) {
        match self {
            Self::All => {}
            Self::Present(rows) => rows.iter_mut().for_each(|rows| merge(rows, |row| *row)),
            Self::Values(rows) => rows.iter_mut().for_each(|rows| merge(rows, |row| row.0)),
            Self::Pairs(rows) => rows.iter_mut().for_each(|rows| merge(rows, |row| row.0)),
        }
    }

    /// Writes over the persons of a cell's rows in the order of this tally, which is sorted, if it has
    /// all of these rows.
    pub(super) fn tells(&self, cell: usize, people: &mut [u32]) -> bool {
        let Self::Values(rows) = self else {
            return false;
        };
        let rows = rows.get(cell).filter(|rows| rows.len() == people.len());
        let Some(rows) = rows else {
            return false;
        };
        for (person, row) in people.iter_mut().zip(rows) {
            *person = row.0;
        }
        true
    }

    /// Adds the rows of another tally; `to` says which cell here each of its cells is.
    pub(super) fn merge(&mut self, other: Self, to: &[u32], count: usize) -> Result<(), FoldError> {
        match (self, other) {
            (Self::All, Self::All) => Ok(()),
            (Self::Present(here), Self::Present(there)) => append(here, there, to, count),
            (Self::Values(here), Self::Values(there)) => append(here, there, to, count),
            (Self::Pairs(here), Self::Pairs(there)) => append(here, there, to, count),
            _ => Err(FoldError::Shape),
        }
    }
}

/// Appends the rows of each cell to those of the same cell here.
pub(super) fn append<T>(
    here: &mut Vec<Vec<T>>,
    there: Vec<Vec<T>>,
    to: &[u32],
    count: usize,
) -> Result<(), FoldError> {
    here.resize_with(count, Vec::new);
    for (mut rows, cell) in there.into_iter().zip(to) {
        let mine = of_cell(here, *cell)?;
        if mine.is_empty() {
            *mine = rows;
        } else {
            mine.append(&mut rows);
        }
    }
    Ok(())
}

/// In order of person, and of coming. Rows mostly come by person; where they do not, numbers are
/// sorted digit by digit.
pub(super) fn sort<T: Copy>(rows: &mut [T], person: impl Fn(&T) -> u32) {
    if !rows.is_sorted_by_key(&person) {
        radsort::sort_by_key(rows, person);
    }
}

/// The same for rows that are a few runs in order, one after the other: a stable sort finds them.
pub(super) fn merge<T>(rows: &mut [T], person: impl Fn(&T) -> u32) {
    if !rows.is_sorted_by_key(&person) {
        rows.sort_by_key(person);
    }
}

/// The rows of a cell.
#[inline]
pub(super) fn of_cell<T>(cells: &mut [Vec<T>], cell: u32) -> Result<&mut Vec<T>, FoldError> {
    let cell = usize::try_from(cell).map_err(|_| FoldError::Shape)?;
    cells.get_mut(cell).ok_or(FoldError::Shape)
}

fn int(batch: &RecordBatch, at: usize) -> Result<&Int64Array, FoldError> {
    let column = batch.columns().get(at).ok_or(FoldError::Shape)?;
    column
        .as_primitive_opt::<Int64Type>()
        .ok_or(FoldError::Shape)
}
