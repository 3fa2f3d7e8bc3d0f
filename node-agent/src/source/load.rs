//! One table of the codebook from its source: read, mapped, converted, checked.
//!
//! CSV is small enough to keep; Parquet is scanned in full once, so that every bad row and every
//! person with two rows is found before the first question, and then handed out as a plan.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, ViewTable};
use futures::StreamExt;
use quorate_query::codebook::{Column, RowsPer, Table};

use super::convert::{Converted, Limits, convert, narrowed, schema};
use super::csv::{self, Rows, Wanted};
use super::error::{Problems, SourceFault};
use super::value::{Bad, type_name};
use super::{map, parquet, strict};
use crate::policy::{CsvOptions, SourceKind, SourceSpec};

/// A table that is ready for questions, and what was seen while it was read.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) provider: Arc<dyn TableProvider>,
    pub(crate) tally: Tally,
}

/// What was counted while a table was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows.
    pub rows: u64,
    /// Values outside a closed domain, by column; they are missing from now on.
    pub outside: BTreeMap<String, u64>,
}

/// Reads, maps, converts and checks one table.
pub(crate) async fn load(
    table: &Table,
    spec: &SourceSpec,
    files: Vec<PathBuf>,
) -> Result<Loaded, SourceFault> {
    match &spec.kind {
        SourceKind::Csv(options) => from_csv(table, spec, options.clone(), files).await,
        SourceKind::Parquet => from_parquet(table, spec, &files).await,
    }
}

async fn from_csv(
    table: &Table,
    spec: &SourceSpec,
    options: CsvOptions,
    files: Vec<PathBuf>,
) -> Result<Loaded, SourceFault> {
    let types = table
        .columns
        .iter()
        .map(|(name, column)| (name.clone(), column.ty))
        .collect();
    let wanted = if spec.map.is_some() {
        Wanted::All(types)
    } else {
        Wanted::Only(types)
    };
    let paths = files.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let mut problems = Problems::default();
        let rows = csv::read(&paths, &options, &wanted, &mut problems)?;
        problems.into_result().map(|()| rows)
    });
    let rows = reading
        .await
        .map_err(|_| SourceFault::Internal("reading stopped"))??;
    let mut check = Check::new(table);
    let mut kept = Vec::new();
    if let Some(map) = &spec.map {
        let session = map::session();
        let source = MemTable::try_new(Arc::clone(&rows.schema), vec![rows.batches]);
        let source = source.map_err(|_| SourceFault::Internal("memory table"))?;
        let mapped = map::apply(&session, Arc::new(source), Some(map)).await?;
        check.columns(mapped.schema().inner(), "map")?;
        stream(mapped, &mut check, |batch| kept.push(batch)).await?;
    } else {
        let Rows {
            batches, origins, ..
        } = rows;
        for (batch, origin) in batches.into_iter().zip(&origins) {
            let place = |row: usize| match origin.get(row) {
                Some((file, line)) => files
                    .get(*file)
                    .map(|f| csv::place(f, *line))
                    .unwrap_or_default(),
                None => String::new(),
            };
            kept.push(check.batch(&batch, &place)?);
        }
    }
    let tally = check.finish()?;
    let provider = MemTable::try_new(schema(table), vec![kept]);
    let provider = Arc::new(provider.map_err(|_| SourceFault::Internal("memory table"))?);
    Ok(Loaded { provider, tally })
}

async fn from_parquet(
    table: &Table,
    spec: &SourceSpec,
    files: &[PathBuf],
) -> Result<Loaded, SourceFault> {
    let session = map::session();
    let source = parquet::open(&session, files).await?;
    let mapped = map::apply(&session, source, spec.map.as_deref()).await?;
    let found = Arc::clone(mapped.schema().inner());
    let mut check = Check::new(table);
    check.columns(
        &found,
        if spec.map.is_some() {
            "map"
        } else {
            "the Parquet files"
        },
    )?;
    let typed = mapped.clone().select(strict::columns(table, &found));
    let typed = typed.map_err(|_| SourceFault::Internal("selection"))?;
    let names: Vec<&str> = table.columns.keys().map(String::as_str).collect();
    let raw = mapped.select(names.iter().map(|name| datafusion::prelude::ident(*name)));
    stream(
        raw.map_err(|_| SourceFault::Internal("selection"))?,
        &mut check,
        drop,
    )
    .await?;
    let tally = check.finish()?;
    let provider = Arc::new(ViewTable::new(typed.into_unoptimized_plan(), None));
    Ok(Loaded { provider, tally })
}

/// Runs a plan and checks every batch of it.
async fn stream(
    rows: DataFrame,
    check: &mut Check<'_>,
    mut keep: impl FnMut(RecordBatch),
) -> Result<(), SourceFault> {
    let mut batches = rows
        .execute_stream()
        .await
        .map_err(|_| SourceFault::MapFailed)?;
    let mut before = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|_| SourceFault::MapFailed)?;
        keep(check.batch(&batch, &|row| format!("row {}", before + row + 1))?);
        before += batch.num_rows();
    }
    Ok(())
}

/// Converts batches and remembers everything that is wrong with them.
struct Check<'a> {
    table: &'a Table,
    schema: SchemaRef,
    problems: Problems,
    tally: Tally,
    persons: HashSet<Key>,
    twice: HashSet<Key>,
}

impl<'a> Check<'a> {
    fn new(table: &'a Table) -> Self {
        let tally = Tally::default();
        let (persons, twice) = (HashSet::new(), HashSet::new());
        Self {
            table,
            schema: schema(table),
            problems: Problems::default(),
            tally,
            persons,
            twice,
        }
    }

    /// Every column of the codebook must be there.
    fn columns(&self, found: &SchemaRef, file: &str) -> Result<(), SourceFault> {
        let names: Vec<String> = found
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let missing: Vec<_> = self
            .table
            .columns
            .keys()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(SourceFault::Columns {
            file: file.to_owned(),
            missing,
            found: names,
        })
    }

    /// The batch in the codebook's types; what is wrong with it is noted.
    fn batch(
        &mut self,
        batch: &RecordBatch,
        place: &dyn Fn(usize) -> String,
    ) -> Result<RecordBatch, SourceFault> {
        let mut arrays = Vec::new();
        for (name, column) in &self.table.columns {
            let raw = batch
                .column_by_name(name)
                .ok_or(SourceFault::Internal("a column went missing"))?;
            let converted = convert(raw, column.ty).map_err(|mismatch| SourceFault::Type {
                column: name.clone(),
                found: mismatch.0.to_string(),
                expected: type_name(column.ty),
            })?;
            for (row, bad) in &converted.bad {
                self.problems
                    .add(|| place(*row), Some(name), bad.to_string());
            }
            let array = self.narrow(name, column, &converted.array);
            if column.required && array.null_count() > 0 {
                self.required(name, &converted, &array, place);
            }
            if *name == self.table.unit_key {
                self.units(name, &array, place);
            }
            arrays.push(array);
        }
        self.tally.rows += u64::try_from(batch.num_rows()).unwrap_or(0);
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|_| SourceFault::Internal("columns"))
    }

    /// Notes missing values where there must be none; those that were bad are noted already.
    fn required(
        &mut self,
        name: &str,
        converted: &Converted,
        array: &ArrayRef,
        place: &dyn Fn(usize) -> String,
    ) {
        let bad: HashSet<usize> = converted.bad.iter().map(|(row, _)| *row).collect();
        let missing = |row: &usize| array.is_null(*row) && !bad.contains(row);
        for row in (0..array.len()).filter(missing) {
            let what = if converted.array.is_null(row) {
                Bad::Missing
            } else {
                Bad::Outside
            };
            self.problems
                .add(|| place(row), Some(name), what.to_string());
        }
    }

    fn narrow(&mut self, name: &str, column: &Column, array: &ArrayRef) -> ArrayRef {
        let (array, outside) = narrowed(array, &Limits::of(column), column.ty);
        if outside > 0 {
            *self.tally.outside.entry(name.to_owned()).or_default() += outside;
        }
        array
    }

    fn units(&mut self, name: &str, array: &ArrayRef, place: &dyn Fn(usize) -> String) {
        for row in 0..array.len() {
            match key(array, row) {
                None => self
                    .problems
                    .add(|| place(row), Some(name), Bad::Unit.to_string()),
                Some(key) if self.table.rows == RowsPer::Unit && !self.persons.insert(key) => {
                    self.twice.insert(key);
                }
                Some(_) => {}
            }
        }
    }

    fn finish(self) -> Result<Tally, SourceFault> {
        self.problems.into_result()?;
        match u64::try_from(self.twice.len()).unwrap_or(u64::MAX) {
            0 => Ok(self.tally),
            persons => Err(SourceFault::Duplicates { persons }),
        }
    }
}

/// A unit key in a fixed number of bytes; text is hashed.
pub(crate) type Key = [u8; 16];

/// The unit key of a row of a typed column.
pub(crate) fn key(array: &ArrayRef, row: usize) -> Option<Key> {
    if array.is_null(row) {
        return None;
    }
    let number = match array.data_type() {
        DataType::Int64 => i128::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::Date32 => i128::from(array.as_primitive::<Date32Type>().value(row)),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row),
        DataType::Boolean => i128::from(array.as_boolean().value(row)),
        _ => {
            let digest =
                quorate_identity::sha256(array.as_string_opt::<i32>()?.value(row).as_bytes());
            return digest.first_chunk::<16>().copied();
        }
    };
    Some(number.to_be_bytes())
}
