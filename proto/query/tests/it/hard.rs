//! Numerically hard cases of every analysis, against exact arithmetic: values far from zero with a spread
//! of one, variances of a millionth of the bounds, columns that are nearly the same, outcomes of one to
//! three persons and of none, groups of two and of two thousand, constants, one row, nothing at all.

use std::collections::BTreeMap;

use quorate_query::analyses::{Analysis, Entry, Report};
use quorate_query::codebook::{Codebook, read};

use crate::analyses::{Site, released_report};
use crate::cells::Person;
use crate::common;

const COLUMNS: [&str; 12] = [
    "sex", "arm", "disease", "months", "died", "score", "far", "wide", "x", "z", "twin", "times",
];

fn codebook() -> Codebook {
    read(&common::text("tests/codebooks/hard.toml"), "hard.toml").unwrap()
}

/// Persons of one node: each line says how many are alike.
fn persons(lines: &serde_json::Value) -> Vec<Person> {
    let mut all = Vec::new();
    for line in lines.as_array().unwrap() {
        let value = |column| Some((column, line.get(column)?.as_i64()?));
        let mut person: Person = COLUMNS.into_iter().filter_map(value).collect();
        let times = person.remove("times").unwrap_or(1);
        all.extend((0..times).map(|_| person.clone()));
    }
    all
}

fn sites(world: &serde_json::Value) -> Vec<Site> {
    ["a", "b", "c"]
        .into_iter()
        .map(|site| (site, persons(&world[site])))
        .collect()
}

/// What is counted and what is a sum of whole numbers: the very number.
const WHOLE: [&str; 9] = [
    "n", "with", "events", "at_risk", "censored", "time", "observed", "sum", "f_df",
];

/// How near each number must be, relative to it.
fn tolerance(analysis: &str, table: &str, column: &str) -> f64 {
    match (table, column) {
        (_, column) if WHOLE.contains(&column) => 0.0,
        ("tukey", "p" | "from" | "to") => 1e-7,
        (_, "p") => 1e-9,
        (_, column) if column.starts_with("from") || column.starts_with("to") => 1e-9,
        _ if analysis == "lm/1" => 1e-10,
        _ => 1e-12,
    }
}

fn value(text: Option<&String>) -> Option<f64> {
    text.map(|text| text.parse().unwrap())
}

fn entry<'a>(report: &'a Report, expected: &serde_json::Value) -> Result<&'a Entry, String> {
    let (table, column) = (expected[0].as_str().unwrap(), expected[2].as_str().unwrap());
    let grid = report.tables.iter().find(|grid| grid.name == table);
    let grid = grid.ok_or_else(|| format!("no table {table}: {:?}", report.remarks))?;
    let line = match &expected[1] {
        serde_json::Value::String(name) => grid.rows.iter().find(|line| line.row == *name),
        index => grid
            .rows
            .get(usize::try_from(index.as_u64().unwrap()).unwrap()),
    };
    let line = line.ok_or_else(|| {
        let rows: Vec<&str> = grid.rows.iter().map(|line| line.row.as_str()).collect();
        format!("no such row in {rows:?}")
    })?;
    let found = line.values.get(column);
    found.ok_or_else(|| format!("no such column in {:?}", line.values.keys()))
}

#[test]
fn hard_cases_are_those_of_exact_arithmetic() {
    let text = common::text("tests/reference/hard.json");
    let reference: serde_json::Value = serde_json::from_str(&text).unwrap();
    let book = codebook();
    let (mut compared, mut wrong): (u32, Vec<String>) = (0, Vec::new());
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for case in reference["cases"].as_array().unwrap() {
        let before = compared;
        let world = case["world"].as_str().unwrap();
        let name = case["analysis"].as_str().unwrap();
        *seen.entry(name).or_default() += 1;
        let analysis = Analysis {
            name: name.to_owned(),
            arguments: serde_json::from_value(case["arguments"].clone()).unwrap(),
        };
        let report = released_report(&analysis, &sites(&reference["worlds"][world]), false, &book);
        let place = format!("{world} {name} {}", case["arguments"]);
        // Without protection an answer is beside what it should be, or there is none and a remark.
        for remark in case["remarks"].as_array().into_iter().flatten() {
            let remark = remark.as_str().unwrap();
            compared += 1;
            if !report.remarks.iter().any(|found| found.contains(remark)) {
                wrong.push(format!("{place}: {remark}: {:?}", report.remarks));
            }
        }
        for expected in case["inside"].as_array().into_iter().flatten() {
            compared += 1;
            let found = entry(&report, expected)
                .map(|found| [&found.lower, &found.upper].map(|end| value(end.as_ref()).unwrap()));
            let theirs = expected[3].as_f64().unwrap();
            // Where a share is met to the person, the next value may lie in a band further on.
            if !found
                .as_ref()
                .is_ok_and(|[low, high]| *low <= theirs && theirs <= *high && high - low <= 24.0)
            {
                wrong.push(format!("{place} {expected}: {found:?}"));
            }
        }
        for expected in case["expect"].as_array().unwrap() {
            compared += 1;
            let ours = entry(&report, expected).map(|found| value(found.value.as_ref()));
            let near = match (&ours, expected[3].as_f64()) {
                (Ok(None), None) => true,
                (Ok(Some(ours)), Some(theirs)) => {
                    let table = expected[0].as_str().unwrap();
                    let close = tolerance(name, table, expected[2].as_str().unwrap());
                    // Below 1e-100 zero is written.
                    // The studentized range is integrated, by the reference too.
                    let size = if table == "tukey" && close > 1e-8 {
                        theirs.abs().max(1.0)
                    } else {
                        theirs.abs()
                    };
                    (ours - theirs).abs() <= close * size + 1e-100
                }
                _ => false,
            };
            if !near {
                let apart = ours.clone().ok().flatten().zip(expected[3].as_f64());
                let apart = apart.map(|(ours, theirs)| (ours - theirs).abs() / theirs.abs());
                wrong.push(format!("{place} {expected}: {ours:?}, {apart:?} apart"));
            }
        }
        assert!(compared > before, "{place}: nothing was compared");
    }
    let all = wrong.join("\n");
    assert!(wrong.is_empty(), "{} of {compared}:\n{all}", wrong.len());
    assert!(compared > 2000, "{compared}");
    assert!(seen.len() >= 15, "{seen:?}");
}
