//! Analyses from arguments to statistics: the same numbers as independent software has for the same
//! persons, and with protection limits that hold the truth.

mod edges;
mod pace;
mod spread;
mod withheld;
mod wrong;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use quorate_query::analyses::{Analysis, Entry, Grid, Report, Request};
use quorate_query::answer::{Mode, NodeTable, Protection};
use quorate_query::codebook::{Codebook, read};
use quorate_query::combine::{ReleasedTables, SiteTables};
use quorate_query::question::Params;

use crate::cells::{Person, node};

const COLUMNS: [&str; 10] = [
    "sex", "arm", "disease", "high", "score", "hidden", "far", "months", "died", "falls",
];

fn codebook() -> Codebook {
    read(include_str!("../codebooks/trial.toml"), "trial.toml").unwrap()
}

fn analysis(name: &str, arguments: &[(&str, &str)]) -> Analysis {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Analysis {
        name: name.to_owned(),
        arguments: arguments.iter().map(pair).collect(),
    }
}

pub(crate) type Site = (&'static str, Vec<Person>);

fn report(analysis: &Analysis, sites: &[Site], round: bool) -> Report {
    released_report(analysis, sites, round, &codebook())
}

/// What an analysis says of the cells that some nodes release of their persons.
pub(crate) fn released_report(
    analysis: &Analysis,
    sites: &[Site],
    round: bool,
    book: &Codebook,
) -> Report {
    let question = Request::Analysis(analysis.clone())
        .read(&Params::new(), book)
        .unwrap();
    let protection = Protection {
        mode: if round { Mode::Round } else { Mode::None },
        k: 8,
        round_base: 5,
    };
    let released = |people: &[Person]| -> Vec<NodeTable> {
        let tables = question.tables().into_iter();
        tables
            .map(|(_, table)| node(people, table, book, round))
            .collect()
    };
    let tables: Vec<(&str, Vec<NodeTable>)> = sites
        .iter()
        .map(|(name, people)| (*name, released(people)))
        .collect();
    let answers: Vec<SiteTables<'_>> = tables
        .iter()
        .map(|(node, tables)| SiteTables {
            node,
            tables: Some((tables, protection)),
        })
        .collect();
    let released = ReleasedTables::new(&question, book, &answers).unwrap();
    analysis.finish(&released).unwrap()
}

fn entry<'a>(report: &'a Report, table: &str, row: &serde_json::Value, column: &str) -> &'a Entry {
    let grid = report.tables.iter().find(|grid| grid.name == table);
    let grid = grid.unwrap_or_else(|| panic!("no table {table} in {report:#?}"));
    let line = match row {
        serde_json::Value::String(name) => grid.rows.iter().find(|line| line.row == *name),
        index => grid
            .rows
            .get(usize::try_from(index.as_u64().unwrap()).unwrap()),
    };
    let line = line.unwrap_or_else(|| panic!("no row {row} in {grid:#?}"));
    line.values
        .get(column)
        .unwrap_or_else(|| panic!("no {column} in {line:?}"))
}

fn number(text: Option<&String>) -> Option<f64> {
    text.map(|text| text.parse().unwrap())
}

fn references() -> [serde_json::Value; 3] {
    [
        include_str!("../reference/analyses.json"),
        include_str!("../reference/follow_up.json"),
        include_str!("../reference/first_table.json"),
    ]
    .map(|text| serde_json::from_str(text).unwrap())
}

fn reference_sites(reference: &serde_json::Value) -> Vec<Site> {
    ["a", "b", "c"]
        .map(|site| {
            let people = reference["persons"].as_array().unwrap();
            let here = people.iter().filter(|person| person["site"] == site);
            let person = |person: &serde_json::Value| {
                let value = |column| Some((column, person.get(column)?.as_i64()?));
                COLUMNS.into_iter().filter_map(value).collect()
            };
            (site, here.map(person).collect())
        })
        .into()
}

/// How near two computations must be. Statistics: 1e-12 relative. Probabilities and what rests on
/// critical values: 1e-9; of the studentized range, which the reference integrates too: 1e-7 absolute.
fn near(table: &str, column: &str, ours: f64, theirs: f64) -> bool {
    let apart = (ours - theirs).abs();
    match (table, column) {
        ("tukey", "p" | "from" | "to") => apart <= 1e-7 * theirs.abs().max(1.0),
        (_, "p") => apart <= 1e-9 * theirs.abs(),
        (_, column) if column.starts_with("from") || column.starts_with("to") => {
            apart <= 1e-9 * theirs.abs()
        }
        // The reference solves least squares in floating point.
        ("variance" | "stratified_by_node" | "over_strata", _) | (_, "skewness" | "kurtosis") => {
            apart <= 1e-11 * theirs.abs()
        }
        _ => apart <= 1e-12 * theirs.abs(),
    }
}

#[test]
fn statistics_are_those_of_independent_software() {
    let references = references();
    let mut compared = 0;
    let mut wrong = Vec::new();
    let cases = references.iter().flat_map(|reference| {
        let sites = reference_sites(reference);
        let cases = reference["cases"].as_array().unwrap().iter();
        cases.map(move |case| (sites.clone(), case))
    });
    for (sites, case) in cases {
        let arguments: BTreeMap<String, String> =
            serde_json::from_value(case["arguments"].clone()).unwrap();
        let name = case["analysis"].as_str().unwrap().to_owned();
        let report = report(&Analysis { name, arguments }, &sites, false);
        for expected in case["expect"].as_array().unwrap() {
            let (table, column) = (expected[0].as_str().unwrap(), expected[2].as_str().unwrap());
            let found = entry(&report, table, &expected[1], column);
            let (ours, theirs) = (number(found.value.as_ref()), expected[3].as_f64().unwrap());
            compared += 1;
            if !ours.is_some_and(|ours| near(table, column, ours, theirs)) {
                wrong.push(format!("{} {expected}: {ours:?}", case["analysis"]));
            }
        }
        // What is known to lie in a band only.
        for expected in case["inside"].as_array().into_iter().flatten() {
            let (table, column) = (expected[0].as_str().unwrap(), expected[2].as_str().unwrap());
            let found = entry(&report, table, &expected[1], column);
            let [low, value, high] = [&found.lower, &found.value, &found.upper]
                .map(|text| number(text.as_ref()).unwrap());
            let theirs = expected[3].as_f64().unwrap();
            compared += 1;
            // Where a share is met to the person, the next value may lie in a band further on.
            let near = low <= theirs && theirs <= high && low <= value && value <= high;
            if !near || high - low > 24.0 {
                wrong.push(format!("{} {expected}: {low} to {high}", case["analysis"]));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 1450, "{compared}");
}

/// Every number of the truth lies within the limits of the protected one; true if there are any.
fn holds_the_truth(analysis: &Analysis, sites: &[Site]) -> Result<bool, TestCaseError> {
    let shown = report(analysis, sites, true);
    if shown.remarks.iter().any(|remark| {
        let fewer = ["Left out", "Merged", "Not in `"];
        fewer.iter().any(|begin| remark.starts_with(begin))
    }) {
        // About fewer persons than all, or on another grid: the truth is another question.
        return Ok(false);
    }
    let inside = |(name, _): &&Site| shown.sites.iter().any(|site| site == name);
    let behind: Vec<Site> = sites.iter().filter(inside).cloned().collect();
    let truth = report(analysis, &behind, false);
    for grid in &shown.tables {
        for (index, line) in grid.rows.iter().enumerate() {
            for (column, found) in &line.values {
                let truth = entry(&truth, &grid.name, &index.into(), column);
                let Some(truth) = number(truth.value.as_ref()) else {
                    continue;
                };
                let slack = 1e-9 * truth.abs();
                let place = format!(
                    "{analysis:?} {} {} {column}: {truth} {found:?}",
                    grid.name, line.row
                );
                if let Some(low) = number(found.lower.as_ref()) {
                    prop_assert!(low <= truth + slack, "{}", place);
                }
                if let Some(high) = number(found.upper.as_ref()) {
                    prop_assert!(truth <= high + slack, "{}", place);
                }
            }
        }
    }
    Ok(!shown.tables.is_empty())
}

fn person() -> impl Strategy<Value = Person> {
    let score = prop::option::weighted(0.9, 60_i64..140);
    let follow_up = (0_i64..61, 0_i64..2, 0_i64..4);
    let plain = (0_i64..2, 1_i64..5, 0_i64..2, score, follow_up);
    plain.prop_map(|(sex, arm, disease, score, (months, died, falls))| {
        let far = 1_000_000_000 + 10 * arm + disease;
        let known = [
            ("sex", sex),
            ("arm", arm),
            ("disease", disease),
            ("far", far),
            ("months", months),
            ("died", died),
            ("falls", falls),
            ("high", (arm + months) % 2),
        ];
        let scores = score
            .into_iter()
            .flat_map(|score| [("score", score), ("hidden", score)]);
        known.into_iter().chain(scores).collect()
    })
}

fn sites() -> impl Strategy<Value = Vec<Site>> {
    let people = || prop::collection::vec(person(), 60..220);
    (people(), people(), people()).prop_map(|(a, b, c)| vec![("a", a), ("b", b), ("c", c)])
}

/// Those that come to several tables of persons.
fn first_tables() -> Vec<Analysis> {
    vec![
        analysis(
            "table1/1",
            &[("variables", "score,months:12,arm,disease"), ("by", "sex")],
        ),
        analysis("table1/1", &[("variables", "disease, months")]),
        analysis("quantile/1", &[("value", "months"), ("by", "sex")]),
        analysis("boxplot/1", &[("value", "months"), ("width", "12")]),
        analysis("histogram/1", &[("value", "months"), ("by", "arm")]),
    ]
}

fn all() -> Vec<Analysis> {
    let asked = [
        "crosstab/1 rows=sex columns=disease",
        "crosstab/1 rows=sex columns=arm",
        "crosstab/1 rows=sex columns=disease strata=arm",
        "crosstab/1 rows=sex columns=disease strata=died,high",
        "describe/1 value=arm by=sex shape=yes",
        "describe/1 value=disease shape=yes",
        "ttest/1 value=score by=sex",
        "ttest/1 value=hidden by=disease",
        "ttest/1 value=far mu=1000000020",
        "describe/1 value=score by=arm",
        "proportion/1 outcome=disease by=sex expected=0.5",
        "survival/1 time=months:12 event=died",
        "survival/1 time=months:12 event=died by=sex",
        "survival/1 time=months:3 event=died merge=12",
        "survival/1 time=months:12 event=died by=sex until=24",
        "survival/1 time=months:3 event=died merge=12 until=36",
        "rate/1 events=falls time=months by=sex per=1000",
        "rate/1 events=died time=months by=arm",
        "standardise/1 events=disease strata=arm standard=1=4,2=3,3=2,4=1",
        "standardise/1 events=died time=months strata=sex rates=0=0.01,1=0.02",
        "anova/1 value=score by=sex and=disease",
        "meta/1 estimate=odds_ratio outcome=disease by=sex",
        "meta/1 estimate=difference value=score by=sex",
        "meta/1 estimate=rate_ratio events=died time=months by=sex",
    ];
    let given = |text: &str| {
        let (name, arguments) = text.split_once(' ').unwrap();
        let pairs = arguments
            .split(' ')
            .map(|pair| pair.split_once('=').unwrap());
        analysis(name, &pairs.collect::<Vec<_>>())
    };
    asked.map(given).into()
}

/// Whether an analysis is about nodes, so that their number is part of the answer.
fn is_about_nodes(analysis: &Analysis) -> bool {
    analysis.name.starts_with("meta")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_time: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_the_truth(sites in sites()) {
        let mut shown = 0;
        for analysis in all().into_iter().chain(first_tables()) {
            shown += usize::from(holds_the_truth(&analysis, &sites)?);
        }
        prop_assert!(shown >= 8, "{}", shown);
    }

    /// How persons are spread over nodes changes nothing, but for what is stratified by node.
    #[test]
    fn any_split_gives_the_same(people in prop::collection::vec(person(), 80..200), cut in 1_usize..79) {
        let (first, second) = people.split_at(cut);
        let split = vec![("a", first.to_vec()), ("b", second.to_vec())];
        let whole = vec![("a", people.clone())];
        for analysis in all().into_iter().chain(first_tables()).filter(|analysis| !is_about_nodes(analysis)) {
            let tables = |sites: &[Site]| {
                let mut tables = report(&analysis, sites, false).tables;
                tables.retain(|grid| !grid.name.starts_with("stratified"));
                for grid in &mut tables {
                    grid.rows.retain(|line| !line.row.starts_with("stratified"));
                }
                tables
            };
            prop_assert_eq!(tables(&split), tables(&whole));
        }
    }
}

#[test]
fn variance_and_pairs_hold_the_truth() {
    // Pairs integrate: fewer worlds are enough.
    let mut world = proptest::test_runner::TestRunner::deterministic();
    let anova = analysis("anova/1", &[("value", "score"), ("by", "arm")]);
    let mut shown = 0;
    for _ in 0..3 {
        let sites = sites().new_tree(&mut world).unwrap().current();
        shown += usize::from(holds_the_truth(&anova, &sites).unwrap());
    }
    assert!(shown > 0);
}

#[test]
fn every_party_reads_the_same_question() {
    let book = codebook();
    let sql = |analysis: &Analysis| analysis.sql(&book).unwrap();
    let welch = analysis(
        "ttest/1",
        &[
            ("value", "score"),
            ("by", "sex"),
            ("where", "arm > 1 AND disease = 0"),
        ],
    );
    assert_eq!(
        sql(&welch),
        "SELECT sex, avg(score) AS mean, stddev(score) AS sd FROM person \
         WHERE arm > 1 AND disease = 0 AND score IS NOT NULL GROUP BY sex"
    );
    // A value that is never missing, or that WHERE may not name, needs no condition.
    let plain = analysis("describe/1", &[("value", "far")]);
    assert_eq!(
        sql(&plain),
        "SELECT avg(far) AS mean, stddev(far) AS sd FROM person"
    );
    let text = Request::from(sql(&welch))
        .read(&Params::new(), &book)
        .unwrap();
    let typed = Request::Analysis(welch)
        .read(&Params::new(), &book)
        .unwrap();
    assert_eq!(text.digest(), typed.digest());
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let book = codebook();
    let code = |name: &str, arguments: &[(&str, &str)]| {
        let request = Request::Analysis(analysis(name, arguments));
        request
            .read(&Params::new(), &book)
            .map_or_else(|p| p.code.0, |_| "read")
    };
    let table = [("rows", "sex"), ("columns", "disease")];
    assert_eq!(code("crosstab/1", &table), "read");
    assert_eq!(code("crosstab/2", &table), "V900");
    assert_eq!(code("crosstab/1", &table[..1]), "V900");
    let with = |name, value| [table[0], table[1], (name, value)];
    assert_eq!(code("crosstab/1", &with("colour", "red")), "V900");
    assert_eq!(code("crosstab/1", &with("confidence", "95")), "V900");
    assert_eq!(code("crosstab/1", &with("table", "visit")), "V900");
    assert_eq!(code("crosstab/1", &with("table", "nothing")), "V200");
    assert_eq!(code("crosstab/1", &[("rows", "weight"), table[1]]), "V400");
    assert_eq!(
        code("crosstab/1", &[("rows", "sex FROM person --"), table[1]]),
        "V900"
    );
    assert_eq!(
        code(
            "proportion/1",
            &[("outcome", "disease"), ("by", "sex"), ("expected", "1")]
        ),
        "V900"
    );
    assert_eq!(code("crosstab/1", &with("strata", "arm, died")), "read");
    for wrong in ["sex", "arm,arm", "arm,died,high", "weight", "arm) --", ""] {
        assert_ne!(
            code("crosstab/1", &with("strata", wrong)),
            "read",
            "{wrong}"
        );
    }
    let shape = |value, given| code("describe/1", &[("value", value), ("shape", given)]);
    assert_eq!((shape("arm", "yes"), shape("arm", "no")), ("read", "V900"));
    // What few persons far out make up is not released.
    assert_eq!(
        (shape("score", "yes"), shape("falls", "yes")),
        ("V900", "V900")
    );
    let mean = [("value", "score"), ("by", "sex"), ("mu", "3")];
    assert_eq!(code("ttest/1", &mean), "V900");
    let first = |variables| code("table1/1", &[("variables", variables), ("by", "sex")]);
    assert_eq!(first("score, months:6, disease"), "read");
    assert_eq!(first("weight"), "V900");
    assert_eq!(first("score, score"), "V900");
    assert_eq!(first("months:6) * 6, arm, floor(months / 6"), "V900");
    assert_eq!(first("months:7"), "V402");
    assert_eq!(code("quantile/1", &[("value", "score")]), "V900");
    let at = |level| code("quantile/1", &[("value", "months"), ("at", level)]);
    assert_eq!(
        (at("0.5, 0.9"), at("0.5, 1"), at("half")),
        ("read", "V900", "V900")
    );
    // A condition cannot bring keys, limits or orders of its own.
    for smuggled in [
        "sex = 1 GROUP BY arm",
        "sex = 1 LIMIT 1",
        "sex = 1 ORDER BY 1",
        "sex = 1 HAVING count(*) > 9",
    ] {
        let given = [("value", "far"), ("where", smuggled)];
        assert_ne!(code("describe/1", &given), "read", "{smuggled}");
        let given = [("variables", "far"), ("where", smuggled)];
        assert_ne!(code("table1/1", &given), "read", "{smuggled}");
    }
}

#[test]
fn several_tables_are_one_question_and_a_mistake_is_found_in_its_place() {
    let book = codebook();
    let first = |condition: &str| {
        let given = [
            ("variables", "score,disease"),
            ("by", "sex"),
            ("where", condition),
        ];
        analysis("table1/1", &given)
    };
    let text = first("arm = 2").sql(&book).unwrap();
    assert_eq!(
        text,
        "-- persons\nSELECT sex, count(*) AS n FROM person WHERE arm = 2 GROUP BY sex\n\
         -- mean_score\nSELECT sex, avg(score) AS mean, stddev(score) AS sd FROM person \
         WHERE arm = 2 AND score IS NOT NULL GROUP BY sex\n\
         -- levels_disease\nSELECT sex, disease, count(*) AS n FROM person WHERE arm = 2 \
         GROUP BY sex, disease\n"
    );
    let question = Request::Analysis(first("arm = 2")).read(&Params::new(), &book);
    let question = question.unwrap();
    let names: Vec<&str> = question.tables().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["persons", "mean_score", "levels_disease"]);
    let wrong = first("weight = 2");
    let problem = Request::Analysis(wrong.clone()).read(&Params::new(), &book);
    let span = problem.unwrap_err().span.expect("a place");
    let text = Request::Analysis(wrong).text(&book);
    assert_eq!(text.get(span.start..span.end), Some("weight"));
    // A variable that comes to one table has its name, and the question that of the table.
    let one = analysis("quantile/1", &[("value", "months"), ("where", "sex = 1")]);
    assert_eq!(one.sql(&book).unwrap().lines().count(), 4);
}
