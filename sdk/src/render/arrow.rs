//! A result as an Arrow record batch, and as Arrow IPC and Parquet files.
//!
//! Columns are those of CSV. Counts are 64-bit integers, other values 64-bit floats (the nearest to
//! the printed decimal); keys have the codebook's type. The schema metadata carries the provenance:
//! everything of the document but its rows, as JSON, and the signed result.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use ::arrow::datatypes::{DataType, Field, Schema};
use ::arrow::error::ArrowError;
use parquet::errors::ParquetError;
use quorate_query::number::Number;
use quorate_query::value::from_civil;
use serde_json::Value;

use super::csv::{sites, status};
use crate::document::{Cell, Column, Document, Interval};

/// Why a result could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArrowFailure {
    /// An Arrow table has one schema.
    #[error(
        "the result has {0} tables and a file of this format holds one: write --format json or csv"
    )]
    Several(usize),
    /// Arrow refused.
    #[error("the result does not fit an Arrow table: {0}")]
    Arrow(#[from] ArrowError),
    /// Parquet refused.
    #[error("the result could not be written as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// The provenance could not be written as JSON.
    #[error("the provenance could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The document's table with its provenance.
///
/// # Errors
/// If the document contradicts itself, such as a key that is not of its column's type.
pub fn batch(document: &Document) -> Result<RecordBatch, ArrowFailure> {
    if !document.tables.is_empty() {
        return Err(ArrowFailure::Several(document.tables.len()));
    }
    let sites = sites(document);
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in &document.columns {
        if column.is_key() {
            let array = key_array(document, column)?;
            fields.push(field(&column.name, array.data_type().clone(), column)?);
            arrays.push(array);
            continue;
        }
        for (name, array) in measure_arrays(document, column, &sites) {
            fields.push(field(&name, array.data_type().clone(), column)?);
            arrays.push(array);
        }
    }
    let schema = Schema::new(fields).with_metadata(provenance(document)?.into_iter().collect());
    let options =
        ::arrow::array::RecordBatchOptions::new().with_row_count(Some(document.rows.len()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(schema),
        arrays,
        &options,
    )?)
}

/// The batch as an Arrow IPC file.
///
/// # Errors
/// As [`batch`].
pub fn ipc(document: &Document) -> Result<Vec<u8>, ArrowFailure> {
    ipc_of(&batch(document)?)
}

pub(super) fn ipc_of(batch: &RecordBatch) -> Result<Vec<u8>, ArrowFailure> {
    let mut writer = ::arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// The batch as a Parquet file; the provenance stands in the file's key-value metadata too.
///
/// # Errors
/// As [`batch`].
pub fn parquet(document: &Document) -> Result<Vec<u8>, ArrowFailure> {
    parquet_of(&batch(document)?, document)
}

pub(super) fn parquet_of(
    batch: &RecordBatch,
    document: &Document,
) -> Result<Vec<u8>, ArrowFailure> {
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None)?;
    writer.write(batch)?;
    for (key, value) in provenance(document)? {
        writer.append_key_value_metadata(parquet::file::metadata::KeyValue::new(key, value));
    }
    Ok(writer.into_inner()?)
}

/// Schema metadata: `quorate.result` is the document without its rows, the rest repeats what one
/// looks for most.
pub(super) fn provenance(document: &Document) -> Result<BTreeMap<String, String>, ArrowFailure> {
    let mut bare = document.clone();
    bare.rows.clear();
    let mut metadata = BTreeMap::from([
        ("quorate.schema".to_owned(), document.schema.clone()),
        ("quorate.status".to_owned(), document.status.clone()),
        ("quorate.result".to_owned(), serde_json::to_string(&bare)?),
    ]);
    if let Some(question) = &document.question {
        metadata.insert("quorate.question.id".to_owned(), question.id.clone());
        metadata.insert("quorate.question.hash".to_owned(), question.hash.clone());
        metadata.insert("quorate.question.text".to_owned(), question.text.clone());
        metadata.insert("quorate.codebook".to_owned(), question.codebook.clone());
    }
    if let Some(protection) = &document.protection {
        metadata.insert(
            "quorate.protection".to_owned(),
            serde_json::to_string(protection)?,
        );
    }
    if let Some(signed) = &document.signed {
        metadata.insert("quorate.signed".to_owned(), signed.clone());
    }
    Ok(metadata)
}

fn field(name: &str, ty: DataType, column: &Column) -> Result<Field, ArrowFailure> {
    let mut metadata = HashMap::from([("quorate.kind".to_owned(), column.kind.clone())]);
    if let Some(unit) = &column.unit {
        metadata.insert("quorate.unit".to_owned(), unit.clone());
    }
    if !column.labels.is_empty() {
        metadata.insert(
            "quorate.labels".to_owned(),
            serde_json::to_string(&column.labels)?,
        );
    }
    Ok(Field::new(name, ty, true).with_metadata(metadata))
}

fn measure_arrays(document: &Document, column: &Column, sites: &[&str]) -> Vec<(String, ArrayRef)> {
    let cells: Vec<Option<&Cell>> = document
        .rows
        .iter()
        .map(|row| row.cells.get(&column.name))
        .collect();
    let name = &column.name;
    let counts = cells
        .iter()
        .map(|cell| cell.and_then(|cell| i64::try_from(cell.nodes).ok()));
    let statuses = cells.iter().map(|cell| Some(status(*cell)));
    let mut arrays: Vec<(String, ArrayRef)> = vec![
        (
            name.clone(),
            numbers(&part(&cells, |n| Some(&n.value)), column.is_count()),
        ),
        (
            format!("{name}__status"),
            Arc::new(statuses.collect::<StringArray>()),
        ),
        (
            format!("{name}__lower"),
            numbers(&part(&cells, |n| n.lower.as_ref()), column.is_count()),
        ),
        (
            format!("{name}__upper"),
            numbers(&part(&cells, |n| n.upper.as_ref()), column.is_count()),
        ),
        (
            format!("{name}__nodes"),
            Arc::new(counts.collect::<Int64Array>()),
        ),
    ];
    for site in sites {
        let own: Vec<Option<&str>> = cells
            .iter()
            .map(|cell| {
                cell.and_then(|cell| cell.sites.get(*site))
                    .map(String::as_str)
            })
            .collect();
        arrays.push((
            format!("{name}__site_{site}"),
            numbers(&own, column.is_count()),
        ));
    }
    arrays
}

fn part<'a>(
    cells: &[Option<&'a Cell>],
    pick: fn(&'a Interval) -> Option<&'a String>,
) -> Vec<Option<&'a str>> {
    let number = |cell: &Option<&'a Cell>| (*cell)?.number.as_ref();
    cells
        .iter()
        .map(|cell| number(cell).and_then(pick).map(String::as_str))
        .collect()
}

/// Decimal texts as integers (counts) or floats.
fn numbers(texts: &[Option<&str>], whole: bool) -> ArrayRef {
    if whole {
        let values = texts
            .iter()
            .map(|text| text.and_then(|text| text.parse::<i64>().ok()));
        Arc::new(values.collect::<Int64Array>())
    } else {
        let values = texts
            .iter()
            .map(|text| text.and_then(|text| text.parse::<f64>().ok()));
        Arc::new(values.collect::<Float64Array>())
    }
}

fn key_array(document: &Document, column: &Column) -> Result<ArrayRef, ArrowFailure> {
    let values = || {
        document
            .rows
            .iter()
            .map(|row| row.key.get(&column.name).filter(|value| !value.is_null()))
    };
    let wrong = || {
        let what = format!("a value of `{}` is not of its type", column.name);
        ArrowFailure::Arrow(ArrowError::SchemaError(what))
    };
    let whole = |value: &Value| value.as_i64().ok_or_else(wrong);
    let ty = column.ty.as_deref().unwrap_or("text");
    Ok(match ty.split('(').next().unwrap_or(ty) {
        "int" => Arc::new(
            values()
                .map(|value| value.map(whole).transpose())
                .collect::<Result<Int64Array, _>>()?,
        ),
        "bool" => Arc::new(
            values()
                .map(|value| value.map(|v| v.as_bool().ok_or_else(wrong)).transpose())
                .collect::<Result<BooleanArray, _>>()?,
        ),
        "date" => Arc::new(
            values()
                .map(|value| value.map(|v| day_number(v).ok_or_else(wrong)).transpose())
                .collect::<Result<Date32Array, _>>()?,
        ),
        "decimal" => {
            let exact = |value: &Value| {
                let text = super::plain_key(value);
                text.parse::<Number>().map_err(|_| wrong())
            };
            let parsed = values()
                .map(|value| value.map(exact).transpose())
                .collect::<Result<Vec<_>, _>>()?;
            decimals(&parsed).ok_or_else(wrong)?
        }
        _ => Arc::new(
            values()
                .map(|value| value.map(super::plain_key))
                .collect::<StringArray>(),
        ),
    })
}

/// Decimals at the smallest scale that holds all of them.
fn decimals(values: &[Option<Number>]) -> Option<ArrayRef> {
    let places = values
        .iter()
        .flatten()
        .map(|n| n.exponent().min(0).unsigned_abs());
    let scale = places.max().unwrap_or(0);
    let mantissas = values
        .iter()
        .map(|value| value.map(|n| n.at_scale(scale).ok_or(())).transpose())
        .collect::<Result<Decimal128Array, ()>>()
        .ok()?;
    let array = mantissas
        .with_precision_and_scale(38, i8::try_from(scale).ok()?)
        .ok()?;
    Some(Arc::new(array))
}

fn day_number(value: &Value) -> Option<i32> {
    value.as_str()?.parse().ok().map(from_civil)
}
