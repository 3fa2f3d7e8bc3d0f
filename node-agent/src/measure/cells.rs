//! Numbers the cells: every row's group keys become the index of its cell.
//!
//! Each column's values are numbered first, which for small whole numbers is a look-up by position;
//! then the pairs of numbers.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use quorate_query::number::Number;
use quorate_query::value::Scalar;

use super::fold::FoldError;

/// Whole numbers up to this far from zero are looked up by position.
const NEAR: i64 = 1 << 12;
/// Numbers of a column below this are combined by position,
const FEW: u32 = 64;
/// with cells below this.
const MANY: u32 = 1 << 12;

/// Cells in order of first appearance. Maps are only ever looked up, never walked.
#[derive(Default)]
pub(super) struct Cells {
    columns: Vec<Column>,
    levels: Vec<Level>,
    /// Without keys: whether there is a row.
    any: bool,
}

/// Cells by the first so many keys: each is a cell by one key less, and a value of the next key.
#[derive(Default)]
struct Level {
    numbers: Numbers<(u32, u32)>,
    pairs: Vec<(u32, u32)>,
}

/// The values of one key column.
#[derive(Default)]
struct Column {
    missing: Option<u32>,
    ints: Numbers<i64>,
    wide: Numbers<i128>,
    texts: HashMap<Box<str>, u32>,
    values: Vec<Scalar>,
}

/// Numbers given to values as they come.
struct Numbers<K> {
    /// One more than the number; 0 of a value that was not met.
    near: Vec<u32>,
    far: HashMap<K, u32>,
    last: Option<(K, u32)>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self {
            near: Vec::new(),
            far: HashMap::new(),
            last: None,
        }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Numbers<K> {
    /// The number of a value; `place` is where it is looked up, if that is near.
    #[inline]
    fn of<E>(
        &mut self,
        value: K,
        place: Option<usize>,
        new: impl FnOnce() -> Result<u32, E>,
    ) -> Result<u32, E> {
        match place {
            Some(place) => match self.known(place) {
                Some(number) => Ok(number),
                None => self.meet(place, new()?),
            },
            None => self.of_far(value, new),
        }
    }

    /// The number of a value that is near.
    #[inline]
    fn known(&self, place: usize) -> Option<u32> {
        self.near.get(place)?.checked_sub(1)
    }

    #[cold]
    fn meet<E>(&mut self, place: usize, number: u32) -> Result<u32, E> {
        if place >= self.near.len() {
            self.near.resize(place.saturating_add(1), 0);
        }
        if let Some(slot) = self.near.get_mut(place) {
            *slot = number.saturating_add(1);
        }
        Ok(number)
    }

    fn of_far<E>(&mut self, value: K, new: impl FnOnce() -> Result<u32, E>) -> Result<u32, E> {
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == value) {
            return Ok(number);
        }
        let number = match self.far.get(&value) {
            Some(number) => *number,
            None => {
                let number = new()?;
                self.far.insert(value, number);
                number
            }
        };
        self.last = Some((value, number));
        Ok(number)
    }
}

impl Cells {
    /// The cell of every row, given the arrays of its keys and the number of rows.
    pub(super) fn of(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<u32>, FoldError> {
        self.any |= rows > 0;
        self.columns.resize_with(keys.len(), Column::default);
        self.levels
            .resize_with(keys.len().saturating_sub(1), Level::default);
        let mut columns = self.columns.iter_mut().zip(keys);
        let Some((first, key)) = columns.next() else {
            return Ok(vec![0; rows]);
        };
        let mut cells = first.of(key)?;
        for ((column, key), level) in columns.zip(&mut self.levels) {
            for (cell, value) in cells.iter_mut().zip(column.of(key)?) {
                *cell = level.of(*cell, value)?;
            }
        }
        Ok(cells)
    }

    /// How many cells there are so far.
    pub(super) fn len(&self) -> usize {
        match (self.columns.first(), self.levels.last()) {
            (_, Some(level)) => level.pairs.len(),
            (Some(column), None) => column.values.len(),
            (None, None) => usize::from(self.any),
        }
    }

    /// The keys, by index of the cell.
    pub(super) fn keys(&self) -> Result<Vec<Vec<Scalar>>, FoldError> {
        let cells = 0..self.len();
        cells.map(|cell| self.key(cell)).collect()
    }

    fn key(&self, cell: usize) -> Result<Vec<Scalar>, FoldError> {
        let mut cell = u32::try_from(cell).map_err(|_| FoldError::TooManyCells)?;
        let mut key = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate().rev() {
            let level = at.checked_sub(1).and_then(|at| self.levels.get(at));
            let value = match level {
                Some(level) => {
                    let (parent, value) = *at_index(&level.pairs, cell)?;
                    cell = parent;
                    value
                }
                None => cell,
            };
            key.push(at_index(&column.values, value)?.clone());
        }
        key.reverse();
        Ok(key)
    }
}

fn at_index<T>(all: &[T], index: u32) -> Result<&T, FoldError> {
    let index = usize::try_from(index).map_err(|_| FoldError::Shape)?;
    all.get(index).ok_or(FoldError::Shape)
}

/// Appends, and says at which index.
fn list<T>(all: &mut Vec<T>, new: T) -> Result<u32, FoldError> {
    if all.len() >= super::MAX_CELLS {
        return Err(FoldError::TooManyCells);
    }
    let index = u32::try_from(all.len()).map_err(|_| FoldError::TooManyCells)?;
    all.push(new);
    Ok(index)
}

impl Level {
    #[inline]
    fn of(&mut self, cell: u32, value: u32) -> Result<u32, FoldError> {
        let near = (value < FEW && cell < MANY).then_some(cell * FEW + value);
        let place = near.and_then(|near| usize::try_from(near).ok());
        let pairs = &mut self.pairs;
        self.numbers
            .of((cell, value), place, || list(pairs, (cell, value)))
    }
}

impl Column {
    /// The number of every row's value.
    fn of(&mut self, key: &ArrayRef) -> Result<Vec<u32>, FoldError> {
        match key.data_type() {
            DataType::Int64 => {
                let ints = key
                    .as_primitive_opt::<Int64Type>()
                    .ok_or(FoldError::Shape)?;
                let scalar = |n: i64| Scalar::Number(Number::new(n.into(), 0));
                self.ints(key, ints.values().iter().copied(), scalar)
            }
            DataType::Date32 => {
                let days = key
                    .as_primitive_opt::<Date32Type>()
                    .ok_or(FoldError::Shape)?;
                let days = days.values().iter().map(|day| i64::from(*day));
                self.ints(key, days, |day| {
                    i32::try_from(day).map_or(Scalar::Null, Scalar::Date)
                })
            }
            DataType::Boolean => {
                let truths = key.as_boolean_opt().ok_or(FoldError::Shape)?;
                let truths = truths.values().iter().map(i64::from);
                self.ints(key, truths, |truth| Scalar::Bool(truth == 1))
            }
            DataType::Decimal128(_, scale) => {
                let decimals = key.as_primitive_opt::<Decimal128Type>();
                let decimals = decimals.ok_or(FoldError::Shape)?;
                let exponent = -i32::from(*scale);
                self.wide(key, decimals.values(), |n| {
                    Scalar::Number(Number::new(n, exponent))
                })
            }
            DataType::Utf8 => {
                let texts = key.as_string_opt::<i32>().ok_or(FoldError::Shape)?;
                let number = |row: usize| match texts.is_null(row) {
                    true => self.missing(),
                    false => self.text(texts.value(row)),
                };
                (0..texts.len()).map(number).collect()
            }
            _ => Err(FoldError::Shape),
        }
    }

    fn ints(
        &mut self,
        key: &ArrayRef,
        values: impl Iterator<Item = i64>,
        scalar: impl Fn(i64) -> Scalar,
    ) -> Result<Vec<u32>, FoldError> {
        let nulls = key.nulls().filter(|nulls| nulls.null_count() > 0);
        let mut numbers = Vec::with_capacity(key.len());
        for (row, value) in values.enumerate() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                numbers.push(self.missing()?);
                continue;
            }
            let place = value.checked_add(NEAR).filter(|at| *at <= 8 * NEAR);
            let place = place.and_then(|at| usize::try_from(at).ok());
            let known = &mut self.values;
            let number = self.ints.of(value, place, || list(known, scalar(value)));
            numbers.push(number?);
        }
        Ok(numbers)
    }

    fn wide(
        &mut self,
        key: &ArrayRef,
        values: &[i128],
        scalar: impl Fn(i128) -> Scalar,
    ) -> Result<Vec<u32>, FoldError> {
        let number = |(row, value): (usize, &i128)| {
            if key.is_null(row) {
                return self.missing();
            }
            let values = &mut self.values;
            self.wide.of(*value, None, || list(values, scalar(*value)))
        };
        values.iter().enumerate().map(number).collect()
    }

    fn text(&mut self, text: &str) -> Result<u32, FoldError> {
        if let Some(number) = self.texts.get(text) {
            return Ok(*number);
        }
        let number = list(&mut self.values, Scalar::Text(text.to_owned()))?;
        self.texts.insert(text.into(), number);
        Ok(number)
    }

    fn missing(&mut self) -> Result<u32, FoldError> {
        let number = match self.missing {
            Some(number) => number,
            None => list(&mut self.values, Scalar::Null)?,
        };
        self.missing = Some(number);
        Ok(number)
    }
}
