//! The statistics of an analysis as CSV, Arrow and Parquet: one row per number, with `table`, `row`,
//! `statistic`, `value`, `lower` and `upper`.
//!
//! A number that is not defined is empty (null), and so is a limit that there is not. Arrow and Parquet
//! have 64-bit floats, the nearest to the printed decimals, and the provenance of the cells.

use std::sync::Arc;

use ::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use ::arrow::datatypes::{DataType, Field, Schema};
use quorate_query::analyses::Entry;

use super::arrow::{ArrowFailure, ipc_of, parquet_of, provenance};
use crate::document::Document;

const COLUMNS: [&str; 6] = ["table", "row", "statistic", "value", "lower", "upper"];

/// One number with what it is called.
struct Number<'a> {
    names: [&'a str; 3],
    entry: &'a Entry,
}

impl Number<'_> {
    fn parts(&self) -> [Option<&str>; 3] {
        let Entry {
            value,
            lower,
            upper,
        } = self.entry;
        [value, lower, upper].map(|part| part.as_deref())
    }
}

/// Every number, tables and columns in their order.
fn numbers(document: &Document) -> Vec<Number<'_>> {
    let mut numbers = Vec::new();
    for grid in document
        .analysis
        .iter()
        .flat_map(|analysis| &analysis.report.tables)
    {
        for line in &grid.rows {
            for column in &grid.columns {
                if let Some(entry) = line.values.get(column) {
                    let names = [grid.name.as_str(), line.row.as_str(), column.as_str()];
                    numbers.push(Number { names, entry });
                }
            }
        }
    }
    numbers
}

/// The statistics as CSV, header first.
///
/// # Errors
/// Only if the writer fails, which it does not in memory.
pub fn csv(document: &Document) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for number in numbers(document) {
        let parts = number.parts().map(Option::unwrap_or_default);
        writer.write_record(number.names.into_iter().chain(parts))?;
    }
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

/// The statistics as a record batch.
///
/// # Errors
/// Only if Arrow refuses its own columns.
pub fn batch(document: &Document) -> Result<RecordBatch, ArrowFailure> {
    let numbers = numbers(document);
    let field = |(at, name): (usize, &&str)| {
        let ty = if at < 3 {
            DataType::Utf8
        } else {
            DataType::Float64
        };
        Field::new(*name, ty, at >= 3)
    };
    let fields: Vec<Field> = COLUMNS.iter().enumerate().map(field).collect();
    let schema = Schema::new(fields).with_metadata(provenance(document)?.into_iter().collect());
    let words = |at: usize| -> ArrayRef {
        let texts = numbers.iter().map(|number| number.names.get(at).copied());
        Arc::new(texts.collect::<StringArray>())
    };
    let floats = |at: usize| -> ArrayRef {
        let parse = |number: &Number<'_>| {
            number
                .parts()
                .get(at)
                .copied()
                .flatten()?
                .parse::<f64>()
                .ok()
        };
        Arc::new(numbers.iter().map(parse).collect::<Float64Array>())
    };
    let arrays = [
        words(0),
        words(1),
        words(2),
        floats(0),
        floats(1),
        floats(2),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), arrays.into())?)
}

/// The statistics as an Arrow IPC file.
///
/// # Errors
/// As [`batch`].
pub fn ipc(document: &Document) -> Result<Vec<u8>, ArrowFailure> {
    ipc_of(&batch(document)?)
}

/// The statistics as a Parquet file.
///
/// # Errors
/// As [`batch`].
pub fn parquet(document: &Document) -> Result<Vec<u8>, ArrowFailure> {
    parquet_of(&batch(document)?, document)
}
