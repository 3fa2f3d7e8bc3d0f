//! What one person adds to one measure of a cell, read from a row of the engine.

use arrow::array::{Array, AsArray, BooleanArray, Decimal128Array, Int64Array, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use quorate_query::measure::moments;

use super::fold::FoldError;
use super::layout::Part;
use super::tally::MeasureTally;

/// The columns of one measure, found once per batch.
pub(super) enum Reader<'a> {
    /// All counted rows of the person.
    All(&'a [u64]),
    /// Unit table: whether the column is there.
    Flag(&'a BooleanArray),
    /// Event table: rows where the column is there.
    Rows(&'a Int64Array, u64),
    /// Unit table: the clamped value.
    Value(&'a Decimal128Array),
    /// Event table: totals of a person.
    Totals(Totals<'a>),
    /// Unit table: one value of a small domain.
    Choice(&'a Decimal128Array, &'a [i128]),
    /// Event table: rows per value of a small domain.
    Choices(Vec<&'a Int64Array>, &'a [i128], u64),
}

/// Totals of a person over an event table, and how far they count.
pub(super) struct Totals<'a> {
    rows: &'a Int64Array,
    sum: &'a Decimal128Array,
    squares: &'a Decimal128Array,
    max_rows: u64,
    bounds: (i128, i128),
    most_square: i128,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        part: &'a Part,
        batch: &'a RecordBatch,
        max_rows: Option<u64>,
        counted: &'a [u64],
    ) -> Result<Self, FoldError> {
        Ok(match (part, max_rows) {
            (Part::All, _) => Self::All(counted),
            (Part::Present { at }, None) => Self::Flag(flag(batch, *at)?),
            (Part::Present { at }, Some(max)) => Self::Rows(int(batch, *at)?, max),
            (Part::Moments { at, .. }, None) => Self::Value(decimal(batch, *at)?),
            (Part::Moments { at, low, high, .. }, Some(max)) => {
                Self::Totals(Totals::new(batch, *at, max, *low, *high)?)
            }
            (Part::Values { at, domain, .. }, None) => Self::Choice(decimal(batch, *at)?, domain),
            (Part::Values { at, domain, .. }, Some(max)) => {
                let columns = (0..domain.len()).map(|i| int(batch, at + i));
                Self::Choices(columns.collect::<Result<_, _>>()?, domain, max)
            }
        })
    }

    /// Adds what the person of this row contributes.
    pub(super) fn add(
        &self,
        row: usize,
        person: u32,
        tally: &mut MeasureTally,
    ) -> Result<(), FoldError> {
        match self {
            Self::All(counted) => {
                tally.add_rows(person, *counted.get(row).ok_or(FoldError::Shape)?)
            }
            Self::Flag(flag) => {
                tally.add_rows(person, u64::from(flag.is_valid(row) && flag.value(row)))
            }
            Self::Rows(rows, max) => tally.add_rows(person, count(rows.value(row))?.min(*max)),
            Self::Value(value) if value.is_null(row) => Ok(()),
            Self::Value(value) => {
                let value = value.value(row);
                tally.add_total(
                    person,
                    1,
                    value,
                    value.checked_mul(value).ok_or(FoldError::TooMany)?,
                )
            }
            Self::Totals(totals) => totals.add(row, person, tally),
            Self::Choice(value, _) if value.is_null(row) => Ok(()),
            Self::Choice(value, domain) => {
                let rows: Vec<u64> = domain
                    .iter()
                    .map(|d| u64::from(*d == value.value(row)))
                    .collect();
                tally.add_values(person, &rows, domain)
            }
            Self::Choices(columns, domain, max) => {
                let mut left = *max;
                let mut rows = Vec::with_capacity(domain.len());
                for column in columns {
                    let counted = count(column.value(row))?.min(left);
                    left -= counted;
                    rows.push(counted);
                }
                tally.add_values(person, &rows, domain)
            }
        }
    }
}

impl<'a> Totals<'a> {
    fn new(
        batch: &'a RecordBatch,
        at: usize,
        max_rows: u64,
        low: i128,
        high: i128,
    ) -> Result<Self, FoldError> {
        let square = |value: i128| value.checked_mul(value).ok_or(FoldError::TooMany);
        Ok(Self {
            rows: int(batch, at)?,
            sum: decimal(batch, at + 1)?,
            squares: decimal(batch, at + 2)?,
            max_rows,
            bounds: (low.min(high), low.max(high)),
            most_square: square(low)?.max(square(high)?),
        })
    }

    fn add(&self, row: usize, person: u32, tally: &mut MeasureTally) -> Result<(), FoldError> {
        let rows = count(self.rows.value(row))?.min(self.max_rows);
        if rows == 0 {
            return Ok(());
        }
        // What counts of a person is what the counted rows can add up to: limits of `max_rows` rows
        // would lift the total of a person with few rows where the least value is above zero.
        let most = u32::try_from(self.max_rows).unwrap_or(u32::MAX);
        let sum = moments::clamp_total(self.sum.value(row), rows, most, self.bounds)
            .ok_or(FoldError::TooMany)?;
        let most = self
            .most_square
            .checked_mul(i128::from(rows))
            .ok_or(FoldError::TooMany)?;
        tally.add_total(person, rows, sum, self.squares.value(row).min(most))
    }
}

/// A count of the engine; never negative.
pub(super) fn count(n: i64) -> Result<u64, FoldError> {
    u64::try_from(n).map_err(|_| FoldError::Shape)
}

pub(super) fn int(batch: &RecordBatch, at: usize) -> Result<&Int64Array, FoldError> {
    let column = batch.columns().get(at).ok_or(FoldError::Shape)?;
    column
        .as_primitive_opt::<Int64Type>()
        .ok_or(FoldError::Shape)
}

fn decimal(batch: &RecordBatch, at: usize) -> Result<&Decimal128Array, FoldError> {
    let column = batch.columns().get(at).ok_or(FoldError::Shape)?;
    column
        .as_primitive_opt::<Decimal128Type>()
        .ok_or(FoldError::Shape)
}

fn flag(batch: &RecordBatch, at: usize) -> Result<&BooleanArray, FoldError> {
    batch
        .columns()
        .get(at)
        .and_then(|c| c.as_boolean_opt())
        .ok_or(FoldError::Shape)
}
