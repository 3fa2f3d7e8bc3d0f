//! TPC-H for the benchmark: data for each node, the questions, and the same work on pooled data.
//!
//! # How our Q1 and Q6 differ from the official ones
//! - `l_extendedprice * (1 - l_discount)`, the charge and Q6's revenue are columns of the
//!   custodian's map, because a question aggregates bare columns. The numbers are the same.
//! - The date of Q1 is written out (`1998-12-01` less 90 days), because a question holds literals.
//! - Q6 says `l_quantity < 24` and the discount `BETWEEN 0.05 AND 0.07`, as the official one does.
//! - An order is the privacy unit: a node first sums per order and clamps, then per cell, which the
//!   pooled plain engine does not. Nodes are registered as synthetic, so that answers are exact
//!   and can be compared.
//! - The order of Q1's rows is by key, as in the official one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::context::SessionContext;
use datafusion::prelude::ParquetReadOptions;
use tpchgen::distribution::Distributions;
use tpchgen::generators::{LineItemGenerator, OrderGenerator};
use tpchgen::text::TextPool;
use tpchgen_arrow::{LineItemArrow, OrderArrow};

use crate::clock;
use crate::generate::write::{WriteError, batches};

/// Number of nodes.
pub const PARTS: i32 = 4;
/// Comments are taken from a pool of this many bytes; no question reads them.
const TEXT_POOL: i32 = 1 << 20;

/// Q1 as a researcher asks it.
pub const Q1: &str = "SELECT l_returnflag, l_linestatus, \
    sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base_price, \
    sum(disc_price) AS sum_disc_price, sum(charge) AS sum_charge, \
    avg(l_quantity) AS avg_qty, avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc, \
    count(*) AS count_order \
    FROM lineitem WHERE l_shipdate <= DATE '1998-09-02' \
    GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus";

/// Q6 as a researcher asks it.
pub const Q6: &str = "SELECT sum(revenue) AS revenue FROM lineitem \
    WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' \
    AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24";

/// Q1 as the plain engine runs it.
pub const POOLED_Q1: &str = "SELECT l_returnflag, l_linestatus, \
    sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base_price, \
    sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price, \
    sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge, \
    avg(l_quantity) AS avg_qty, avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc, \
    count(*) AS count_order \
    FROM lineitem WHERE l_shipdate <= DATE '1998-09-02' \
    GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus";

/// Q6 as the plain engine runs it.
pub const POOLED_Q6: &str = "SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem \
    WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' \
    AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24";

/// A small question: one count over the orders.
pub const SMALL: &str = "SELECT o_orderstatus, count(*) AS n FROM orders GROUP BY o_orderstatus";
/// The small question as the plain engine runs it.
pub const POOLED_SMALL: &str =
    "SELECT o_orderstatus, count(*) AS n FROM orders GROUP BY o_orderstatus ORDER BY o_orderstatus";

/// Writes `folder/part-N/{orders,lineitem}.parquet` at a scale factor.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(folder: &Path, scale: f64) -> Result<(), WriteError> {
    let words = Distributions::static_default();
    // the generators hold their text for as long as the process lives
    let text: &'static TextPool = Box::leak(Box::new(TextPool::new(TEXT_POOL, words)));
    for part in 1..=PARTS {
        let dir = part_dir(folder, part);
        std::fs::create_dir_all(&dir).map_err(|source| WriteError::File {
            path: dir.display().to_string(),
            source,
        })?;
        let orders =
            OrderGenerator::new_with_distributions_and_text_pool(scale, part, PARTS, words, text);
        batches(
            &OrderArrow::new(orders).collect::<Vec<_>>(),
            &dir.join("orders.parquet"),
        )?;
        let lines = LineItemGenerator::new_with_distributions_and_text_pool(
            scale, part, PARTS, words, text,
        );
        batches(
            &LineItemArrow::new(lines).collect::<Vec<_>>(),
            &dir.join("lineitem.parquet"),
        )?;
    }
    Ok(())
}

fn part_dir(folder: &Path, part: i32) -> PathBuf {
    folder.join(format!("part-{part}"))
}

/// The plain engine in one process over all parts.
pub struct Pooled {
    context: SessionContext,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Pooled {
    /// Opens the files of all nodes as two tables.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let runtime = Arc::new(tokio::runtime::Runtime::new()?);
        let context = SessionContext::new();
        for table in ["orders", "lineitem"] {
            let paths: Vec<String> = (1..=PARTS)
                .map(|part| {
                    part_dir(folder, part)
                        .join(format!("{table}.parquet"))
                        .display()
                        .to_string()
                })
                .collect();
            let frame =
                runtime.block_on(context.read_parquet(paths, ParquetReadOptions::default()))?;
            context.register_table(table, frame.into_view())?;
        }
        Ok(Self { context, runtime })
    }

    /// Runs a question and returns its time and its table as JSON objects.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn ask(&self, sql: &str) -> anyhow::Result<(Duration, Vec<serde_json::Value>)> {
        let start = clock::now();
        let found = self
            .runtime
            .block_on(async { self.context.sql(sql).await?.collect().await })?;
        let time = start.elapsed();
        let mut json = Vec::new();
        let mut writer = arrow::json::ArrayWriter::new(&mut json);
        writer.write_batches(&found.iter().collect::<Vec<_>>())?;
        writer.finish()?;
        Ok((time, serde_json::from_slice(&json)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_together_are_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 0.001).unwrap();
        let pooled = Pooled::open(dir.path()).unwrap();
        let (_, orders) = pooled
            .ask("SELECT count(*) AS n, count(DISTINCT o_orderkey) AS d FROM orders")
            .unwrap();
        assert_eq!(orders[0]["n"], 1500);
        assert_eq!(orders[0]["d"], 1500);
        let (_, q1) = pooled.ask(POOLED_Q1).unwrap();
        assert_eq!(q1.len(), 4);
    }
}
