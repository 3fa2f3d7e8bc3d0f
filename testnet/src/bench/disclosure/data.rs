//! Generated tables in memory: people, one row each, and visits in the order of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch};
use datafusion::datasource::MemTable;

use crate::generate::rng::Rng;

/// Rows of a batch.
const BATCH: u32 = 8192;
/// Key of the first person.
const FIRST: i64 = 1_000_000;
/// Visits for each person, on average.
const VISITS: u32 = 4;

/// A table of so many rows.
pub type Table = Arc<MemTable>;

/// Everybody's values, by name of the column.
#[must_use]
pub fn person(rng: &mut Rng) -> BTreeMap<&'static str, i64> {
    let income = 30_000 + rng.bell(15_000);
    BTreeMap::from([
        ("age", rng.between(0, 99)),
        ("income", income.max(0)),
        ("region", rng.between(0, 19)),
        ("sex", rng.between(0, 1)),
        ("year", rng.between(2000, 2019)),
    ])
}

/// One row per person.
///
/// # Errors
/// When rows cannot be laid out.
pub fn people(rows: u32) -> anyhow::Result<Table> {
    let mut rng = Rng::new(&[31]);
    table(rows, |at| {
        let mut values = person(&mut rng);
        values.insert("id", FIRST + i64::from(at));
        values
    })
}

/// Several rows per person, of persons in any order.
///
/// # Errors
/// When rows cannot be laid out.
pub fn visits(rows: u32) -> anyhow::Result<Table> {
    let mut rng = Rng::new(&[32]);
    let last = FIRST + i64::from((rows / VISITS).max(1)) - 1;
    table(rows, |at| {
        BTreeMap::from([
            ("cost", rng.between(0, 60_000)),
            ("day", i64::from(at / 4096)),
            ("id", rng.between(FIRST, last)),
            ("kind", rng.between(1, 3)),
        ])
    })
}

/// Batches of columns in order of their names.
fn table(
    rows: u32,
    mut row: impl FnMut(u32) -> BTreeMap<&'static str, i64>,
) -> anyhow::Result<Table> {
    let mut batches = Vec::new();
    for start in (0..rows).step_by(usize::try_from(BATCH)?) {
        let mut columns: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for at in start..rows.min(start.saturating_add(BATCH)) {
            for (name, value) in row(at) {
                columns.entry(name).or_default().push(value);
            }
        }
        let array = |(name, values): (&'static str, Vec<i64>)| -> anyhow::Result<_> {
            let array: ArrayRef = match name {
                "day" => {
                    let days = values.into_iter().map(i32::try_from);
                    Arc::new(Date32Array::from(days.collect::<Result<Vec<_>, _>>()?))
                }
                _ => Arc::new(Int64Array::from(values)),
            };
            Ok((name, array, true))
        };
        let arrays = columns.into_iter().map(array);
        let arrays = arrays.collect::<anyhow::Result<Vec<_>>>()?;
        batches.push(RecordBatch::try_from_iter_with_nullable(arrays)?);
    }
    let schema = batches.first().map(RecordBatch::schema);
    let schema = schema.ok_or_else(|| anyhow::anyhow!("a table needs rows"))?;
    Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
}
