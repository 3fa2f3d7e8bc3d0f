//! Puts the rows of a run of persons in order of cell and person. Nothing is added up here.

use std::borrow::Cow;

use super::block::{Block, Column, RUN, in_order, number, picked};
use super::fold::FoldError;

/// With more cells than this for each row, cells are sorted, not counted.
const SPARSE: usize = 4;
/// As many cells are always counted.
const FEW: usize = 1 << 12;

/// The rows of a run of persons, in order of cell and person.
pub(super) struct Group {
    rows: Rows,
    columns: Vec<Grouped>,
}

/// Persons by cell.
#[derive(Default)]
struct Rows {
    /// Each cell that has rows, ascending, and where these end.
    cells: Vec<(u32, u32)>,
    persons: Vec<u32>,
}

/// What the rows of one measure say.
struct Grouped {
    /// The rows that have a value, if not all.
    own: Option<Rows>,
    values: Vec<Vec<i64>>,
}

/// The rows of a cell that have a value of one measure, in order of person.
pub(super) struct Told<'r> {
    /// Persons, once for each row.
    pub(super) persons: Cow<'r, [u32]>,
    /// The numbers of each row: none, one or two of them.
    pub(super) values: Vec<Vec<i64>>,
}

impl Group {
    /// Of the rows of a block, given how many cells there are.
    ///
    /// # Errors
    /// If a row is of another cell or run.
    pub(super) fn of(block: Block, cells: usize) -> Result<Self, FoldError> {
        let order = by_person(&block.persons)?;
        let (order, ends) = by_cell(order, &block.cells, cells)?;
        let rows = Rows {
            cells: ends,
            persons: picked(&block.persons, &order).collect(),
        };
        let columns = block.columns.into_iter();
        let columns = columns.map(|column| Grouped::of(&column, &order, &rows));
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            rows,
        })
    }

    /// The persons of a cell's rows.
    pub(super) fn persons(&self, cell: u32) -> &[u32] {
        let (start, end) = self.rows.range(cell);
        self.rows.persons.get(start..end).unwrap_or_default()
    }

    /// Appends the rows of a cell that have a value of a measure; `None` if all have.
    fn tell(&self, at: usize, cell: u32, values: &mut Vec<Vec<i64>>) -> Option<&[u32]> {
        let column = self.columns.get(at)?;
        let rows = column.own.as_ref().unwrap_or(&self.rows);
        let (start, end) = rows.range(cell);
        values.resize_with(column.values.len(), Vec::new);
        for (to, from) in values.iter_mut().zip(&column.values) {
            to.extend_from_slice(from.get(start..end).unwrap_or_default());
        }
        let own = column.own.as_ref()?;
        Some(own.persons.get(start..end).unwrap_or_default())
    }
}

/// What all groups say of a measure of a cell. `rows` are the persons of all of the cell's rows.
pub(super) fn told<'r>(groups: &[Group], at: usize, cell: u32, rows: &'r [u32]) -> Told<'r> {
    let (mut values, mut own) = (Vec::new(), Vec::new());
    let mut all = true;
    for group in groups {
        let persons = group.tell(at, cell, &mut values);
        all &= persons.is_none();
        own.push(persons.unwrap_or_else(|| group.persons(cell)));
    }
    let persons = match all {
        true => Cow::Borrowed(rows),
        false => Cow::Owned(own.concat()),
    };
    Told { persons, values }
}

/// The order of persons' rows: as they come, if that is it.
fn by_person(persons: &[u32]) -> Result<Vec<u32>, FoldError> {
    let len = u32::try_from(persons.len()).map_err(|_| FoldError::TooMany)?;
    if persons.is_sorted() {
        return Ok((0..len).collect());
    }
    let place = |(row, person): (u32, &u32)| (row, number(person % RUN).unwrap_or(usize::MAX));
    let rows = (0..len).zip(persons).map(place);
    Ok(in_order(rows, persons.len(), number(RUN)?)?.0)
}

/// Rows in order, by cell, and each cell with where its rows end.
type ByCell = (Vec<u32>, Vec<(u32, u32)>);

/// The same rows by cell, those of one cell as they come.
fn by_cell(mut order: Vec<u32>, of: &[u32], cells: usize) -> Result<ByCell, FoldError> {
    let len = order.len();
    let end = u32::try_from(len).map_err(|_| FoldError::TooMany)?;
    if cells <= 1 {
        let only = (end > 0).then_some((0, end));
        return Ok((order, only.into_iter().collect()));
    }
    let cell = |row: u32| of.get(number(row).ok()?).copied();
    if cells > FEW.max(len.saturating_mul(SPARSE)) {
        order.sort_by_key(|row| cell(*row));
        let mut ends = Vec::new();
        let mut end = 0_u32;
        for rows in order.chunk_by(|a, b| cell(*a) == cell(*b)) {
            end += u32::try_from(rows.len()).map_err(|_| FoldError::TooMany)?;
            let of = rows.first().and_then(|row| cell(*row));
            ends.push((of.ok_or(FoldError::Shape)?, end));
        }
        return Ok((order, ends));
    }
    let place = |row: u32| cell(row).and_then(|cell| number(cell).ok());
    let rows = order.iter();
    let rows = rows.map(|row| (*row, place(*row).unwrap_or(usize::MAX)));
    let (order, ends) = in_order(rows, len, cells)?;
    let starts = [0].into_iter().chain(ends.iter().copied());
    let ends = (0..).zip(ends.iter().copied()).zip(starts);
    let ends = ends.filter(|((_, end), start)| end > start);
    Ok((order, ends.map(|(of, _)| of).collect()))
}

impl Rows {
    /// Where the rows of a cell are.
    fn range(&self, cell: u32) -> (usize, usize) {
        let Ok(at) = self.cells.binary_search_by_key(&cell, |(cell, _)| *cell) else {
            return (0, 0);
        };
        let end = |at: usize| Some(number(self.cells.get(at)?.1).unwrap_or(0));
        let start = at.checked_sub(1).and_then(end).unwrap_or(0);
        (start, end(at).unwrap_or(start))
    }

    /// The rows of which `has` is true.
    fn some(&self, has: &[bool]) -> Result<Self, FoldError> {
        let mut found = Self::default();
        let mut start = 0;
        for (cell, end) in &self.cells {
            let range = start..number(*end)?;
            start = range.end;
            let has = has.get(range.clone()).ok_or(FoldError::Shape)?;
            let persons = self.persons.get(range).ok_or(FoldError::Shape)?;
            let with = persons.iter().zip(has).filter(|(_, has)| **has);
            found.persons.extend(with.map(|(person, _)| *person));
            let end = u32::try_from(found.persons.len()).map_err(|_| FoldError::TooMany)?;
            found.cells.push((*cell, end));
        }
        Ok(found)
    }
}

impl Grouped {
    fn of(column: &Column, order: &[u32], rows: &Rows) -> Result<Self, FoldError> {
        let Some(has) = &column.has else {
            let values = column.values.iter();
            return Ok(Self {
                own: None,
                values: values.map(|of| picked(of, order).collect()).collect(),
            });
        };
        let has: Vec<bool> = picked(has, order).collect();
        let with = |values: &Vec<i64>| {
            let all = picked(values, order).zip(&has);
            all.filter(|(_, has)| **has)
                .map(|(value, _)| value)
                .collect()
        };
        Ok(Self {
            own: Some(rows.some(&has)?),
            values: column.values.iter().map(with).collect(),
        })
    }
}
