//! Evidence and rules beside the same aggregate on the bare engine, over the same tables.
//!
//! The bare engine has the node's number of threads and computes what an analyst would without any
//! protection: rows, clamped sums and sums of squares per group. Beside it stands the aggregate that
//! also tells how many persons there are, which every rule of release needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::context::{SessionConfig, SessionContext};
use quorate_disclosure::evidence::Evidence;
use quorate_disclosure::history::History;
use quorate_disclosure::{Sheet, decide};
use quorate_node::engine::{Engine, Task};
use quorate_node::measure::nobody;
use quorate_node::persons::Registry;
use quorate_node::plan::{Tables, lower};
use quorate_node::policy::Limits;
use quorate_node::store::Store;
use quorate_query::codebook::Codebook;
use quorate_query::question::TableQuestion;
use tokio::runtime::Runtime;

use super::{Times, data, millis, question};
use crate::clock;

/// One question, and what the bare engine is asked: without and with the number of persons.
struct Case {
    table: &'static str,
    sql: &'static str,
    bare: &'static str,
    persons: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        table: "person",
        sql: "SELECT sex, floor(age / 10) * 10 AS band, count(*) AS n, avg(income) AS mean \
              FROM person GROUP BY sex, floor(age / 10) * 10",
        bare: "SELECT sex, age / 10 * 10 AS band, count(*) AS n, count(x) AS m, sum(x) AS s, \
               sum(x * x) AS q FROM (SELECT sex, age, CASE WHEN income < 0 THEN 0 \
               WHEN income > 200000 THEN 200000 ELSE income END AS x FROM person) GROUP BY 1, 2",
        persons: "SELECT sex, age / 10 * 10 AS band, count(*) AS n, count(DISTINCT id) AS p, \
                  count(x) AS m, sum(x) AS s, sum(x * x) AS q FROM (SELECT id, sex, age, \
                  CASE WHEN income < 0 THEN 0 WHEN income > 200000 THEN 200000 ELSE income END AS x \
                  FROM person) GROUP BY 1, 2",
    },
    Case {
        table: "visit",
        sql: "SELECT kind, count(*) AS n, avg(cost) AS mean FROM visit GROUP BY kind",
        bare: "SELECT kind, count(*) AS n, count(x) AS m, sum(x) AS s, sum(x * x) AS q \
               FROM (SELECT kind, CASE WHEN cost < 0 THEN 0 WHEN cost > 500000 THEN 500000 \
               ELSE cost END AS x FROM visit) GROUP BY 1",
        persons: "SELECT kind, count(*) AS n, count(DISTINCT id) AS p, count(x) AS m, sum(x) AS s, \
                  sum(x * x) AS q FROM (SELECT id, kind, CASE WHEN cost < 0 THEN 0 \
                  WHEN cost > 500000 THEN 500000 ELSE cost END AS x FROM visit) GROUP BY 1",
    },
];

/// The table of times and ratios.
///
/// # Errors
/// When the engine fails, or does not count as the bare one does.
pub fn table(book: &Codebook, sizes: &[u32], runs: u32) -> anyhow::Result<String> {
    let mut table = comfy_table::Table::new();
    table.set_header([
        "table",
        "rows",
        "first (numbers persons)",
        "evidence p50",
        "rules p50",
        "bare p50",
        "ratio",
        "bare with persons p50",
        "ratio",
    ]);
    for rows in sizes {
        for case in &CASES {
            table.add_row(measure(case, book, *rows, runs)?);
        }
    }
    Ok(table.to_string())
}

fn measure(case: &Case, book: &Codebook, rows: u32, runs: u32) -> anyhow::Result<Vec<String>> {
    let provider = match case.table {
        "person" => data::people(rows)?,
        _ => data::visits(rows)?,
    };
    let bare = Bare::new(case.table, Arc::clone(&provider))?;
    let tables = BTreeMap::from([(case.table.to_owned(), provider as _)]);
    let ours = Ours::new(question(case.sql, book)?, book, tables)?;
    let (first, _, evidence) = ours.ask()?;
    same(&evidence, &bare, case.persons)?;
    let mut rules = Vec::new();
    let evidence = Times::measure(runs, || {
        let (evidence, decided, _) = ours.ask()?;
        rules.push(decided);
        Ok(evidence)
    })?;
    let rules = Times::of(rules);
    let plain = Times::measure(runs, || bare.ask(case.bare).map(|(time, _)| time))?;
    let persons = Times::measure(runs, || bare.ask(case.persons).map(|(time, _)| time))?;
    let all = evidence.percentile(50) + rules.percentile(50);
    let ratio = |to: &Times| {
        let to = to.percentile(50).as_secs_f64().max(1e-9);
        format!("{:.2}", all.as_secs_f64() / to)
    };
    Ok(vec![
        case.table.to_owned(),
        rows.to_string(),
        millis(first),
        millis(evidence.percentile(50)),
        millis(rules.percentile(50)),
        millis(plain.percentile(50)),
        ratio(&plain),
        millis(persons.percentile(50)),
        ratio(&persons),
    ])
}

/// Persons and rows of our cells are those of the bare engine's groups.
fn same(evidence: &Evidence, bare: &Bare, sql: &str) -> anyhow::Result<()> {
    let (_, groups) = bare.ask(sql)?;
    let total = |name: &str| -> u64 {
        let numbers = groups.iter().filter_map(|group| group.get(name)?.as_u64());
        numbers.sum()
    };
    let persons: u64 = evidence.cells.values().map(|cell| cell.people.len()).sum();
    anyhow::ensure!(
        groups.len() == evidence.cells.len() && persons == total("p"),
        "{persons} persons in {} cells, the bare engine has {} in {}",
        evidence.cells.len(),
        total("p"),
        groups.len()
    );
    Ok(())
}

/// The node's way.
struct Ours<'a> {
    question: TableQuestion,
    book: &'a Codebook,
    tables: Tables,
    registry: Arc<Registry>,
    engine: Engine,
    runtime: Runtime,
}

impl<'a> Ours<'a> {
    fn new(question: TableQuestion, book: &'a Codebook, tables: Tables) -> anyhow::Result<Self> {
        let limits = Limits {
            memory_bytes: 16 << 30,
            time: Duration::from_secs(3600),
            ..Limits::default()
        };
        Ok(Self {
            question,
            book,
            tables,
            registry: Arc::new(Registry::open(&Store::empty()?, &[1; 32], false)?),
            engine: Engine::start(&limits)?,
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
        })
    }

    /// Time of plan and evidence, time of all rules beside an empty history, and the evidence.
    fn ask(&self) -> anyhow::Result<(Duration, Duration, Evidence)> {
        let start = clock::now();
        let (plan, layout) = lower(&self.question, self.book, &self.tables, &self.registry)?;
        let nobody = nobody(&layout.parts);
        let evidence = self
            .runtime
            .block_on(self.engine.run(Task { plan, layout }))?;
        let evidence_time = start.elapsed();
        let start = clock::now();
        let sheet = Sheet {
            question: &self.question,
            codebook: self.book,
            nobody: &nobody,
            evidence: &evidence,
            params: &self.book.release,
            epoch: "bench",
            project: "bench",
            core: false,
            noise: None,
        };
        let outcome = decide(&sheet, &mut History::new());
        anyhow::ensure!(!outcome.table.rows.is_empty(), "nothing is shown");
        Ok((evidence_time, start.elapsed(), evidence))
    }
}

/// The engine alone.
struct Bare {
    context: SessionContext,
    runtime: Runtime,
}

impl Bare {
    fn new(name: &str, table: data::Table) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let config = SessionConfig::new().with_target_partitions(cores.min(8));
        let context = SessionContext::new_with_config(config);
        context.register_table(name, table)?;
        Ok(Self {
            context,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(cores.min(8))
                .thread_stack_size(16 << 20)
                .build()?,
        })
    }

    fn ask(&self, sql: &str) -> anyhow::Result<(Duration, Vec<serde_json::Value>)> {
        let start = clock::now();
        let (context, sql) = (self.context.clone(), sql.to_owned());
        let work = async move { context.sql(&sql).await?.collect().await };
        let found = self.runtime.block_on(self.runtime.spawn(work))??;
        let time = start.elapsed();
        let mut json = Vec::new();
        let mut writer = arrow::json::ArrayWriter::new(&mut json);
        writer.write_batches(&found.iter().collect::<Vec<_>>())?;
        writer.finish()?;
        Ok((time, serde_json::from_slice(&json)?))
    }
}
