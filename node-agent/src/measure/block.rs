//! Rows as they come, laid apart by runs of persons' numbers: each run is put in order on its own, by
//! whichever thread is free. Nothing is added up here.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;

use super::fold::FoldError;
use super::layout::Part;

/// Persons of one run: so many that what is counted by person stays close to the processor.
pub(super) const RUN: u32 = 1 << 14;

/// The rows of one run of persons. All columns have one entry a row.
#[derive(Default)]
pub(super) struct Block {
    /// The cell of each row.
    pub(super) cells: Vec<u32>,
    /// The person of each row.
    pub(super) persons: Vec<u32>,
    /// What each measure says of it.
    pub(super) columns: Vec<Column>,
}

/// What rows say about one measure.
#[derive(Default)]
pub(super) struct Column {
    /// The numbers of each row: none, one or two of them.
    pub(super) values: Vec<Vec<i64>>,
    /// Which rows have a value; `None` while all have.
    pub(super) has: Option<Vec<bool>>,
}

/// One measure in a batch.
pub(super) struct Read<'b> {
    values: Vec<&'b [i64]>,
    has: Option<Vec<bool>>,
}

impl<'b> Read<'b> {
    /// # Errors
    /// If the column is not what the layout says.
    pub(super) fn of(part: &Part, batch: &'b RecordBatch) -> Result<Self, FoldError> {
        Ok(match part {
            Part::All { .. } => Self {
                values: Vec::new(),
                has: None,
            },
            Part::Present { at, .. } => {
                let flags = batch.columns().get(*at).and_then(|c| c.as_boolean_opt());
                let flags = flags.ok_or(FoldError::Shape)?;
                let has = |row| flags.is_valid(row) && flags.value(row);
                Self {
                    values: Vec::new(),
                    has: some((0..flags.len()).map(has).collect()),
                }
            }
            Part::Moments { at, .. } | Part::Values { at, .. } => {
                let array = int(batch, *at)?;
                let values: &[i64] = array.values();
                Self {
                    values: vec![values],
                    has: present(array.nulls()),
                }
            }
            Part::Products { at, .. } => {
                let (left, right) = (int(batch, at[0])?, int(batch, at[1])?);
                let nulls = NullBuffer::union(left.nulls(), right.nulls());
                let values: [&[i64]; 2] = [left.values(), right.values()];
                Self {
                    values: values.to_vec(),
                    has: present(nulls.as_ref()),
                }
            }
        })
    }
}

fn present(nulls: Option<&NullBuffer>) -> Option<Vec<bool>> {
    some(nulls?.iter().collect())
}

/// Nothing where all rows have a value.
fn some(has: Vec<bool>) -> Option<Vec<bool>> {
    (!has.iter().all(|has| *has)).then_some(has)
}

/// Lays the rows of a batch apart.
///
/// # Errors
/// If there are too many.
pub(super) fn scatter(
    blocks: &mut BTreeMap<u32, Block>,
    cells: &[u32],
    persons: &[u32],
    reads: &[Read<'_>],
) -> Result<(), FoldError> {
    let runs = || persons.iter().map(|person| person / RUN);
    let (Some(first), Some(last)) = (runs().min(), runs().max()) else {
        return Ok(());
    };
    if first == last {
        let block = blocks.entry(first).or_default();
        block.extend(cells, persons, reads);
        return Ok(());
    }
    let places = number(last - first)?.saturating_add(1);
    let rows = (0..).zip(runs().map(|run| number(run.saturating_sub(first)).unwrap_or(places)));
    let (order, ends) = in_order(rows, persons.len(), places)?;
    let mut start = 0;
    for (run, end) in (first..=last).zip(ends) {
        let rows = order.get(number(start)?..number(end)?);
        if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
            let block = blocks.entry(run).or_default();
            block.extend_some(rows, cells, persons, reads);
        }
        start = end;
    }
    Ok(())
}

impl Block {
    fn extend(&mut self, cells: &[u32], persons: &[u32], reads: &[Read<'_>]) {
        let before = self.persons.len();
        self.cells.extend_from_slice(cells);
        self.persons.extend_from_slice(persons);
        self.columns.resize_with(reads.len(), Column::default);
        for (column, read) in self.columns.iter_mut().zip(reads) {
            column.values.resize_with(read.values.len(), Vec::new);
            for (to, from) in column.values.iter_mut().zip(&read.values) {
                to.extend_from_slice(from);
            }
            column.note(before, persons.len(), read.has.as_deref());
        }
    }

    fn extend_some(&mut self, rows: &[u32], cells: &[u32], persons: &[u32], reads: &[Read<'_>]) {
        let before = self.persons.len();
        self.cells.extend(picked(cells, rows));
        self.persons.extend(picked(persons, rows));
        self.columns.resize_with(reads.len(), Column::default);
        for (column, read) in self.columns.iter_mut().zip(reads) {
            column.values.resize_with(read.values.len(), Vec::new);
            for (to, from) in column.values.iter_mut().zip(&read.values) {
                to.extend(picked(from, rows));
            }
            let has = read.has.as_ref();
            let has: Option<Vec<bool>> = has.map(|has| picked(has, rows).collect());
            column.note(before, rows.len(), has.as_deref());
        }
    }

    /// Adds the rows of a block of the same persons from another fold; `to` says which cell here each
    /// of its cells is, if not the same.
    pub(super) fn append(&mut self, mut other: Self, to: Option<&[u32]>) -> Result<(), FoldError> {
        let before = self.persons.len();
        other.rename(to)?;
        if before == 0 {
            *self = other;
            return Ok(());
        }
        if self.columns.len() != other.columns.len() {
            return Err(FoldError::Shape);
        }
        self.cells.append(&mut other.cells);
        let more = other.persons.len();
        self.persons.append(&mut other.persons);
        for (here, there) in self.columns.iter_mut().zip(other.columns) {
            if here.values.len() != there.values.len() {
                return Err(FoldError::Shape);
            }
            for (to, mut from) in here.values.iter_mut().zip(there.values) {
                to.append(&mut from);
            }
            here.note(before, more, there.has.as_deref());
        }
        Ok(())
    }

    fn rename(&mut self, to: Option<&[u32]>) -> Result<(), FoldError> {
        for cell in self.cells.iter_mut().filter(|_| to.is_some()) {
            let named = to.and_then(|to| to.get(number(*cell).ok()?));
            *cell = *named.ok_or(FoldError::Shape)?;
        }
        Ok(())
    }
}

impl Column {
    /// Which of `more` further rows have a value, after `before` others.
    fn note(&mut self, before: usize, more: usize, has: Option<&[bool]>) {
        if self.has.is_none() && has.is_none() {
            return;
        }
        let all = self.has.get_or_insert_with(|| vec![true; before]);
        match has {
            Some(has) => all.extend_from_slice(has),
            None => all.resize(before.saturating_add(more), true),
        }
    }
}

/// The rows of a column in an order of rows of that column.
pub(super) fn picked<T: Copy + Default>(column: &[T], rows: &[u32]) -> impl Iterator<Item = T> {
    rows.iter().map(|row| {
        let value = number(*row).ok().and_then(|row| column.get(row));
        value.copied().unwrap_or_default()
    })
}

/// Rows in order of a key below `places`, those of one key as they come, and where each key's end.
///
/// # Errors
/// If a key is not below `places`, or there are too many rows.
pub(super) fn in_order(
    rows: impl Iterator<Item = (u32, usize)> + Clone,
    len: usize,
    places: usize,
) -> Result<(Vec<u32>, Vec<u32>), FoldError> {
    u32::try_from(len).map_err(|_| FoldError::TooMany)?;
    let mut ends = vec![0_u32; places];
    for (_, key) in rows.clone() {
        let count = ends.get_mut(key).ok_or(FoldError::Shape)?;
        *count = count.wrapping_add(1);
    }
    let mut start = 0_u32;
    for end in &mut ends {
        let count = *end;
        *end = start;
        start = start.checked_add(count).ok_or(FoldError::TooMany)?;
    }
    let mut order = vec![0_u32; len];
    for (row, key) in rows {
        let next = ends.get_mut(key).ok_or(FoldError::Shape)?;
        let place = number(*next)?;
        *order.get_mut(place).ok_or(FoldError::Shape)? = row;
        *next = next.wrapping_add(1);
    }
    Ok((order, ends))
}

/// A number of rows or cells as a place.
#[inline]
pub(super) fn number(of: u32) -> Result<usize, FoldError> {
    usize::try_from(of).map_err(|_| FoldError::TooMany)
}

fn int(batch: &RecordBatch, at: usize) -> Result<&Int64Array, FoldError> {
    let column = batch.columns().get(at).ok_or(FoldError::Shape)?;
    column
        .as_primitive_opt::<Int64Type>()
        .ok_or(FoldError::Shape)
}
