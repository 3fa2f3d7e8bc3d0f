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
pub(crate) fn scalar(array: &ArrayRef, ty: ColumnType, row: usize) -> Scalar {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CODEBOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.person_id"

[set.sbp]
column = "measurement.concept"
values = [1]

[table.person]
rows = "one-per-unit"
[table.person.column]
person_id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["group"], domain = { 0 = "f", 1 = "m" } }
age = { type = "int", role = ["value"], bounds = [0, 120] }

[table.death]
rows = "one-per-unit"
unit_key = "person_id"
[table.death.column]
person_id = { type = "int", role = ["key"] }

[table.measurement]
rows = "many"
unit_key = "person_id"
max_rows = 10
[table.measurement.column]
person_id = { type = "int", role = ["key"] }
concept = { type = "int", role = ["filter"] }
value = { type = "decimal", scale = 1, role = ["value"], when = [{ set = "sbp", bounds = [40, 300] }] }
"#;

    async fn report(dir: &Path, sources: &str) -> Report {
        let policy = crate::source::tests::policy_of(dir, sources).unwrap();
        check_all(&policy, &crate::source::tests::codebook(CODEBOOK)).await
    }

    #[tokio::test]
    async fn everything_is_counted_and_every_problem_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        put("p.csv", "person_id,sex,age\n1,0,50\n2,7,130\n3,,\n");
        put(
            "m.csv",
            "person_id,concept,value\n1,1,20\n1,2,20\n2,1,120.5\n9,1,\n",
        );
        put("d.csv", "person_id\nx\n\n");
        put("q.csv", "x\n");
        let sources = "[source.person]\nkind = 'csv'\npath = 'p.csv'\n[source.measurement]\nkind = 'csv'\npath = 'm.csv'\n[source.death]\nkind = 'csv'\npath = 'd.csv'\n[source.other]\nkind = 'csv'\npath = 'q.csv'";
        let report = report(dir.path(), sources).await;
        assert_eq!(report.unknown, ["other"]);
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        assert!(
            report.problems[0].starts_with("source.death: 1 bad value"),
            "{:?}",
            report.problems
        );
        assert!(!report.sound());

        let [person, measurement] = report.tables.as_slice() else {
            panic!("{:?}", report.tables)
        };
        assert_eq!((person.rows, person.persons, person.orphans), (3, 3, None));
        let column = |table: &TableReport, name: &str| {
            let found = table
                .columns
                .iter()
                .find(|column| column.name == name)
                .unwrap();
            (found.missing, found.out_of_domain, found.out_of_bounds)
        };
        assert_eq!(column(person, "sex"), (2, Some(1), Some(0)));
        assert_eq!(column(person, "age"), (1, None, Some(1)));
        assert_eq!(
            (measurement.rows, measurement.persons, measurement.orphans),
            (4, 3, Some(1))
        );
        assert_eq!(
            column(measurement, "value"),
            (1, None, Some(1)),
            "bounds hold within their set"
        );
        assert_eq!(report.json()["tables"][1]["orphans"], 1);
    }

    #[tokio::test]
    async fn the_four_hospitals_can_be_read() {
        let data = std::env::var_os("QUORATE_SHARED_DATA").map(std::path::PathBuf::from);
        let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        let folder = data.unwrap_or(usual).join("heart-disease");
        if !folder.is_dir() {
            println!("skipped: {} is not there", folder.display());
            return;
        }
        let codebook = CODEBOOK.replace(
            "person_id = { type = \"int\"",
            "person_id = { type = \"text\"",
        );
        let map = "SELECT patient_id AS person_id, sex, age FROM source";
        let source = format!(
            "[source.person]\nkind = 'csv'\npath = '{}'\nmap = '{map}'",
            folder.join("*.csv").display()
        );
        let policy = crate::source::tests::policy_of(Path::new("/"), &source).unwrap();
        let report = check_all(&policy, &crate::source::tests::codebook(&codebook)).await;
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!(
            (report.tables[0].rows, report.tables[0].persons),
            (920, 920)
        );
    }
}
