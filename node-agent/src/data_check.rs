//! `data check`: what the sources look like against the codebook, every problem at once.
//!
//! For the custodian's eyes only; nothing of it leaves the node. Counts rows, persons, missing
//! values, values outside domains and bounds, and rows of persons who are not in the unit table.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use quorate_query::codebook::{Codebook, Column, RowsPer, Table};
use quorate_query::number::Number;
use quorate_query::value::{ColumnType, Scalar};

use crate::policy::Policy;
use crate::source::{Key, SourceError, SourceFault, Tally, held, key, read_table, type_name};

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Tables that could be read.
    pub tables: Vec<TableReport>,
    /// Tables of the codebook without a source: no fault.
    pub not_held: Vec<String>,
    /// Sources of the policy that the codebook does not know.
    pub unknown: Vec<String>,
    /// Sources that cannot be used, with every reason.
    pub problems: Vec<String>,
}

/// One table.
#[derive(Debug)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Persons with at least one row.
    pub persons: u64,
    /// Rows of persons who are not in the unit table; `None` for the unit table itself.
    pub orphans: Option<u64>,
    /// Its columns.
    pub columns: Vec<ColumnReport>,
}

/// One column.
#[derive(Debug)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: &'static str,
    /// Rows without a value, including those whose value lies outside the domain.
    pub missing: u64,
    /// Values outside a closed domain; `None` if the domain is open.
    pub out_of_domain: Option<u64>,
    /// Values outside the bounds, which count as the bound; `None` if there are none.
    pub out_of_bounds: Option<u64>,
}

impl Report {
    /// Whether every source can be used.
    #[must_use]
    pub fn sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// The report as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let column = |column: &ColumnReport| {
            serde_json::json!({
                "name": column.name, "type": column.ty, "missing": column.missing,
                "out_of_domain": column.out_of_domain, "out_of_bounds": column.out_of_bounds,
            })
        };
        let table = |table: &TableReport| {
            serde_json::json!({
                "name": table.name, "rows": table.rows, "persons": table.persons,
                "orphans": table.orphans, "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
            })
        };
        serde_json::json!({
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "not_held": self.not_held, "unknown": self.unknown, "problems": self.problems,
        })
    }
}

/// Reads every source and compares it with the codebook.
pub async fn check_all(policy: &Policy, codebook: &Codebook) -> Report {
    let mut report = Report {
        not_held: missing(codebook.tables.keys(), |name| {
            policy.sources.contains_key(name)
        }),
        unknown: missing(policy.sources.keys(), |name| {
            codebook.tables.contains_key(name)
        }),
        ..Report::default()
    };
    let mut persons = None;
    let unit_table = codebook.unit.table.as_str();
    // The unit table first: orphans of the others are judged by it.
    let mut tables: Vec<_> = held(policy, codebook).collect();
    tables.sort_by_key(|(name, ..)| (*name != unit_table, *name));
    for (name, spec, table) in tables {
        let known = if name == unit_table {
            None
        } else {
            persons.as_ref()
        };
        let outcome = match read_table(name, spec, table).await {
            Ok((provider, tally)) => count(codebook, name, table, provider, &tally, known).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok((table, found)) => {
                report.tables.push(table);
                if name == unit_table {
                    persons = Some(found);
                }
            }
            Err(error) => report.problems.push(error.to_string()),
        }
    }
    report
}

fn missing<'a>(
    names: impl Iterator<Item = &'a String>,
    there: impl Fn(&str) -> bool,
) -> Vec<String> {
    names.filter(|name| !there(name)).cloned().collect()
}

async fn count(
    codebook: &Codebook,
    name: &str,
    table: &Table,
    provider: Arc<dyn TableProvider>,
    tally: &Tally,
    known: Option<&HashSet<Key>>,
) -> Result<(TableReport, HashSet<Key>), SourceError> {
    let failed = || SourceFault::MapFailed.of(name);
    let rows = SessionContext::new()
        .read_table(provider)
        .map_err(|_| failed())?;
    let mut batches = rows.execute_stream().await.map_err(|_| failed())?;
    let mut counts = Counts {
        codebook,
        table,
        known,
        ..Counts::new(codebook, table)
    };
    while let Some(batch) = batches.next().await {
        counts.add(&batch.map_err(|_| failed())?);
    }
    Ok(counts.finish(name, tally))
}

/// Running counts of one table.
struct Counts<'a> {
    codebook: &'a Codebook,
    table: &'a Table,
    known: Option<&'a HashSet<Key>>,
    rows: u64,
    persons: HashSet<Key>,
    orphans: u64,
    missing: BTreeMap<&'a str, u64>,
    outside: BTreeMap<&'a str, u64>,
}

impl<'a> Counts<'a> {
    fn new(codebook: &'a Codebook, table: &'a Table) -> Self {
        let zero: BTreeMap<&str, u64> = table
            .columns
            .keys()
            .map(|name| (name.as_str(), 0))
            .collect();
        Self {
            codebook,
            table,
            known: None,
            rows: 0,
            persons: HashSet::new(),
            orphans: 0,
            missing: zero.clone(),
            outside: zero,
        }
    }

    fn add(&mut self, batch: &RecordBatch) {
        self.rows += wide(batch.num_rows());
        for (name, column) in &self.table.columns {
            let Some(array) = batch.column_by_name(name) else {
                continue;
            };
            *self.missing.entry(name).or_default() += wide(array.null_count());
            *self.outside.entry(name).or_default() += self.out_of_bounds(batch, array, column);
        }
        let Some(keys) = batch.column_by_name(&self.table.unit_key) else {
            return;
        };
        for row in 0..keys.len() {
            let Some(key) = key(keys, row) else { continue };
            if self.known.is_some_and(|known| !known.contains(&key)) {
                self.orphans += 1;
            }
            self.persons.insert(key);
        }
    }

    /// Values outside the column's bounds, or outside those that hold where another column lies in
    /// a concept set.
    fn out_of_bounds(&self, batch: &RecordBatch, array: &ArrayRef, column: &Column) -> u64 {
        let beyond = |row: usize, (low, high): (Number, Number)| {
            number(array, column.ty, row).is_some_and(|value| value < low || high < value)
        };
        let mut count = 0;
        if let Some(bounds) = column.bounds {
            count += (0..array.len()).filter(|row| beyond(*row, bounds)).count();
        }
        for when in &column.when {
            let Some(set) = self.codebook.sets.get(&when.set) else {
                continue;
            };
            let concept = &set.column.column;
            let Some((codes, of)) = batch
                .column_by_name(concept)
                .zip(self.table.columns.get(concept))
            else {
                continue;
            };
            let rows = (0..array.len()).filter(|row| beyond(*row, when.bounds));
            count += rows
                .filter(|row| set.values.contains(&scalar(codes, of.ty, *row)))
                .count();
        }
        wide(count)
    }

    fn finish(self, name: &str, tally: &Tally) -> (TableReport, HashSet<Key>) {
        let columns = self.table.columns.iter().map(|(name, column)| {
            let bounded = column.bounds.is_some() || !column.when.is_empty();
            let counted =
                |counts: &BTreeMap<&str, u64>| counts.get(name.as_str()).copied().unwrap_or(0);
            ColumnReport {
                name: name.clone(),
                ty: type_name(column.ty),
                missing: counted(&self.missing),
                out_of_domain: column
                    .domain
                    .as_ref()
                    .map(|_| tally.outside.get(name).copied().unwrap_or(0)),
                out_of_bounds: bounded.then(|| counted(&self.outside)),
            }
        });
        let columns = columns.collect();
        let is_unit_table = self.table.rows == RowsPer::Unit && *name == *self.codebook.unit.table;
        let orphans = (!is_unit_table && self.known.is_some()).then_some(self.orphans);
        let persons = wide(self.persons.len());
        let report = TableReport {
            name: name.to_owned(),
            rows: self.rows,
            persons,
            orphans,
            columns,
        };
        (report, self.persons)
    }
}

fn number(array: &ArrayRef, ty: ColumnType, row: usize) -> Option<Number> {
    if let Scalar::Number(number) = scalar(array, ty, row) {
        Some(number)
    } else {
        None
    }
}

/// A value of a typed column.
fn scalar(array: &ArrayRef, ty: ColumnType, row: usize) -> Scalar {
    if array.is_null(row) {
        return Scalar::Null;
    }
    match ty {
        ColumnType::Int => {
            Scalar::Number(Number::from(array.as_primitive::<Int64Type>().value(row)))
        }
        ColumnType::Decimal { scale } => {
            let exponent = i32::try_from(scale).map_or(0, |scale| -scale);
            Scalar::Number(Number::new(
                array.as_primitive::<Decimal128Type>().value(row),
                exponent,
            ))
        }
        ColumnType::Text => Scalar::Text(array.as_string::<i32>().value(row).to_owned()),
        ColumnType::Date => Scalar::Date(array.as_primitive::<Date32Type>().value(row)),
        ColumnType::Bool => Scalar::Bool(array.as_boolean().value(row)),
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
