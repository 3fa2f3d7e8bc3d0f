//! What disclosure control costs, in one process: evidence and rules beside the same aggregate on
//! the bare engine, and the comparison of a cell with everything ever released.

pub mod data;
pub mod evidence;
pub mod history;

use std::process::ExitCode;

use quorate_query::codebook::Codebook;
use quorate_query::question::{Params, TableQuestion};

use super::{PROFILE, Times, millis};
use crate::print;

/// The codebook of the generated tables.
const BOOK: &str = r#"
[codebook]
format = 1
name = "bench"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "f", 1 = "m" } }
age = { type = "int", role = ["filter", "group"], bounds = [0, 99], bands = [5, 10, 20], cuts = [18, 65] }
region = { type = "int", role = ["filter", "group"] }
year = { type = "int", role = ["filter", "group"] }
income = { type = "int", role = ["value"], bounds = [0, 200000] }

[table.visit]
rows = "many"
unit_key = "id"
max_rows = 20
date = "day"
[table.visit.column]
id = { type = "int", role = ["key"] }
day = { type = "date", role = ["date"] }
kind = { type = "int", role = ["filter", "group"], domain = { 1 = "in", 2 = "out", 3 = "er" } }
cost = { type = "int", role = ["value"], bounds = [0, 500000] }
"#;

/// Runs the benchmark and prints its tables.
///
/// # Errors
/// When the engine fails, or an answer differs from the plain engine's.
pub fn run(rows: &[u32], runs: u32, persons: u32, releases: u32) -> anyhow::Result<ExitCode> {
    let book = quorate_query::codebook::read(BOOK, "bench.toml")
        .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    print::out(&format!("Build: {PROFILE}. {cores} cores, one process.\n"));
    print::out("Evidence and all rules of release against the same aggregate on the bare engine:");
    print::out(&evidence::table(&book, rows, runs)?);
    print::out(&format!(
        "\nOne cell against {releases} releases over {persons} persons:"
    ));
    print::out(&history::table(&book, persons, releases)?);
    Ok(ExitCode::SUCCESS)
}

fn question(sql: &str, book: &Codebook) -> anyhow::Result<TableQuestion> {
    let question = quorate_query::sql::read(sql, &Params::new(), book)
        .map_err(|problem| anyhow::anyhow!("{sql}: {problem:?}"))?;
    let table = question.into_sole();
    table.ok_or_else(|| anyhow::anyhow!("{sql}: several tables"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_measured_and_compared_with_the_bare_engine() {
        let book = quorate_query::codebook::read(BOOK, "bench.toml").unwrap();
        let table = evidence::table(&book, &[3000], 2).unwrap();
        assert!(
            table.contains("person") && table.contains("visit"),
            "{table}"
        );
        let table = history::table(&book, 4000, 60).unwrap();
        assert!(table.contains("count") && table.contains("mean"), "{table}");
    }
}
