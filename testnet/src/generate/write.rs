//! Tables into files: CSV, which every custodian has, and Parquet, which the fast ones have.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;

use super::tables::{Kind, Table};

/// How a hospital keeps its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated text, missing values empty.
    Csv,
    /// Parquet.
    Parquet,
}

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("cannot write {path}: {source}")]
    File {
        /// Path.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// CSV.
    #[error("cannot write CSV: {0}")]
    Csv(#[from] csv::Error),
    /// Arrow.
    #[error("cannot lay out a table: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet.
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A day outside the calendar.
    #[error("no such day: {0}")]
    Day(i64),
}

/// Writes every table as `folder/<name>.<csv|parquet>`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(tables: &[Table], folder: &Path, format: Format) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|source| WriteError::File {
        path: folder.display().to_string(),
        source,
    })?;
    for table in tables {
        match format {
            Format::Csv => csv(table, &folder.join(format!("{}.csv", table.name)))?,
            Format::Parquet => {
                let path = folder.join(format!("{}.parquet", table.name));
                batches(&[batch(table)?], &path)?;
            }
        }
    }
    Ok(())
}

fn csv(table: &Table, path: &Path) -> Result<(), WriteError> {
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(table.columns.iter().map(|(name, _)| *name))?;
    for row in &table.rows {
        let mut record = Vec::with_capacity(row.len());
        for ((_, kind), value) in table.columns.iter().zip(row) {
            record.push(text(*kind, *value)?);
        }
        out.write_record(&record)?;
    }
    out.flush().map_err(|source| WriteError::File {
        path: path.display().to_string(),
        source,
    })
}

fn text(kind: Kind, value: Option<i64>) -> Result<String, WriteError> {
    let Some(value) = value else {
        return Ok(String::new());
    };
    Ok(match kind {
        Kind::Int => value.to_string(),
        Kind::Tenths => {
            let sign = if value < 0 { "-" } else { "" };
            format!("{sign}{}.{}", value.abs() / 10, value.abs() % 10)
        }
        Kind::Day => date(value)?,
    })
}

/// A day number as `YYYY-MM-DD`.
///
/// # Errors
/// When the calendar has no such day.
pub fn date(day: i64) -> Result<String, WriteError> {
    let span = jiff::Span::new()
        .try_days(day)
        .map_err(|_| WriteError::Day(day))?;
    let date = jiff::civil::date(1970, 1, 1)
        .checked_add(span)
        .map_err(|_| WriteError::Day(day))?;
    Ok(date.to_string())
}

fn batch(table: &Table) -> Result<RecordBatch, WriteError> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (index, (name, kind)) in table.columns.iter().enumerate() {
        let values = table
            .rows
            .iter()
            .map(|row| row.get(index).copied().flatten());
        let (ty, array): (DataType, ArrayRef) = match kind {
            Kind::Int => (DataType::Int64, Arc::new(values.collect::<Int64Array>())),
            Kind::Tenths => {
                let tenths = values.map(|v| {
                    v.and_then(|v| i32::try_from(v).ok())
                        .map(|v| f64::from(v) / 10.0)
                });
                (
                    DataType::Float64,
                    Arc::new(tenths.collect::<Float64Array>()),
                )
            }
            Kind::Day => {
                let days = values.map(|v| v.and_then(|v| i32::try_from(v).ok()));
                (DataType::Date32, Arc::new(days.collect::<Date32Array>()))
            }
        };
        fields.push(Field::new(*name, ty, true));
        columns.push(array);
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

/// Writes record batches of one schema into one Parquet file.
///
/// # Errors
/// When the file cannot be written or there is no batch.
pub fn batches(batches: &[RecordBatch], path: &Path) -> Result<(), WriteError> {
    let file = std::fs::File::create(path).map_err(|source| WriteError::File {
        path: path.display().to_string(),
        source,
    })?;
    let schema = batches
        .first()
        .map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let mut out = parquet::arrow::ArrowWriter::try_new(file, schema, None)?;
    for batch in batches {
        out.write(batch)?;
    }
    out.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{model::HOSPITALS, patients, tables::tables};
    use super::*;

    #[test]
    fn values_are_written_as_people_write_them() {
        assert_eq!(text(Kind::Tenths, Some(1204)).unwrap(), "120.4");
        assert_eq!(text(Kind::Tenths, Some(-4)).unwrap(), "-0.4");
        assert_eq!(text(Kind::Day, Some(18_628)).unwrap(), "2021-01-01");
        assert_eq!(text(Kind::Day, Some(20_453)).unwrap(), "2025-12-31");
        assert_eq!(text(Kind::Int, None).unwrap(), "");
    }

    #[test]
    fn both_formats_hold_every_row() {
        let dir = tempfile::tempdir().unwrap();
        let tables = tables(&patients(1, 3, &HOSPITALS[3], 10));
        write(&tables, dir.path(), Format::Csv).unwrap();
        write(&tables, dir.path(), Format::Parquet).unwrap();
        for table in &tables {
            let path = dir.path().join(format!("{}.csv", table.name));
            let rows = csv::Reader::from_path(path).unwrap().into_records().count();
            assert_eq!(rows, table.rows.len());
            let file =
                std::fs::File::open(dir.path().join(format!("{}.parquet", table.name))).unwrap();
            let reader =
                parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
                    .unwrap();
            let rows: usize = reader
                .build()
                .unwrap()
                .map(|batch| batch.unwrap().num_rows())
                .sum();
            assert_eq!(rows, table.rows.len());
        }
    }
}
