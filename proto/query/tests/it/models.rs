//! Correlations and linear models from arguments to statistics: the same numbers as independent software
//! has for the same persons, and with protection limits that hold the truth.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_query::analyses::{Analysis, Entry, Report, Request};
use quorate_query::codebook::{Codebook, read};
use quorate_query::explain;
use quorate_query::question::Params;

use crate::analyses::{Site, released_report};
use crate::cells::Person;

const COLUMNS: [&str; 6] = ["sex", "arm", "x", "y", "z", "far"];

pub(crate) fn codebook() -> Codebook {
    read(include_str!("../codebooks/model.toml"), "model.toml").unwrap()
}

fn report(analysis: &Analysis, sites: &[Site], round: bool) -> Report {
    released_report(analysis, sites, round, &codebook())
}

fn analysis(name: &str, arguments: &[(&str, &str)]) -> Analysis {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Analysis {
        name: name.to_owned(),
        arguments: arguments.iter().map(pair).collect(),
    }
}

fn lm(formula: &str) -> Analysis {
    analysis("lm/1", &[("formula", formula)])
}

fn entry<'a>(report: &'a Report, table: &str, row: &str, column: &str) -> &'a Entry {
    let grid = report.tables.iter().find(|grid| grid.name == table);
    let grid = grid.unwrap_or_else(|| panic!("no table {table} in {report:#?}"));
    let line = grid.rows.iter().find(|line| line.row == row);
    let line = line.unwrap_or_else(|| panic!("no row {row} in {grid:#?}"));
    &line.values[column]
}

fn number(text: Option<&String>) -> Option<f64> {
    text.map(|text| text.parse().unwrap())
}

fn reference() -> serde_json::Value {
    serde_json::from_str(include_str!("../reference/models.json")).unwrap()
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

/// Coefficients and what follows from them 1e-10 relative, probabilities and intervals 1e-9.
fn near(column: &str, ours: f64, theirs: f64) -> bool {
    let close = match column {
        "p" | "from" | "to" => 1e-9,
        _ => 1e-10,
    };
    // Below 1e-100 zero is written.
    (ours - theirs).abs() <= close * theirs.abs() + 1e-100
}

#[test]
fn models_are_those_of_independent_software() {
    let reference = reference();
    let sites = reference_sites(&reference);
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in reference["cases"].as_array().unwrap() {
        let arguments: BTreeMap<String, String> =
            serde_json::from_value(case["arguments"].clone()).unwrap();
        let name = case["analysis"].as_str().unwrap().to_owned();
        let report = report(&Analysis { name, arguments }, &sites, false);
        for expected in case["expect"].as_array().unwrap() {
            let text = |at: usize| expected[at].as_str().unwrap();
            let found = entry(&report, text(0), text(1), text(2));
            let (ours, theirs) = (number(found.value.as_ref()), expected[3].as_f64().unwrap());
            compared += 1;
            if !ours.is_some_and(|ours| near(text(2), ours, theirs)) {
                wrong.push(format!("{} {expected}: {ours:?}", case["arguments"]));
            }
        }
    }
    let all = wrong.join("\n");
    assert!(wrong.is_empty(), "{} of {compared}:\n{all}", wrong.len());
    assert!(compared > 600, "{compared}");
}

/// What was shown of a protected run, against the truth of the nodes in it: how many numbers had two
/// limits, and how wide these were in standard errors at most.
fn holds_the_truth(analysis: &Analysis, sites: &[Site]) -> Result<u32, TestCaseError> {
    let shown = report(analysis, sites, true);
    let inside = |(name, _): &&Site| shown.sites.iter().any(|site| site == name);
    let behind: Vec<Site> = sites.iter().filter(inside).cloned().collect();
    let truth = report(analysis, &behind, false);
    let mut limited = 0;
    for grid in &shown.tables {
        for line in &grid.rows {
            for (column, found) in &line.values {
                let truth = entry(&truth, &grid.name, &line.row, column);
                let Some(truth) = number(truth.value.as_ref()) else {
                    continue;
                };
                let slack = 1e-9 * truth.abs() + 1e-100;
                let place = format!("{analysis:?} {} {} {column}", grid.name, line.row);
                let (low, high) = (number(found.lower.as_ref()), number(found.upper.as_ref()));
                limited += u32::from(low.is_some() && high.is_some());
                prop_assert!(
                    low.is_none_or(|low| low <= truth + slack),
                    "{}: {} {:?}",
                    place,
                    truth,
                    found
                );
                prop_assert!(
                    high.is_none_or(|high| truth <= high + slack),
                    "{}: {} {:?}",
                    place,
                    truth,
                    found
                );
            }
        }
    }
    Ok(limited)
}

pub(crate) fn person() -> impl Strategy<Value = Person> {
    let x = prop::option::weighted(0.95, 40_i64..160);
    (0_i64..2, 1_i64..5, x, 0_i64..100, 0_i64..120).prop_map(|(sex, arm, x, z, noise)| {
        let of_x = x.unwrap_or(100);
        let known = [
            ("sex", sex),
            ("arm", arm),
            ("z", of_x + z),
            ("y", 60 + of_x + 10 * sex + 5 * arm + noise),
            ("far", 1_000_000_000 + 3 * of_x + z),
        ];
        known.into_iter().chain(x.map(|x| ("x", x))).collect()
    })
}

fn sites(each: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Site>> {
    let people = move || prop::collection::vec(person(), each.clone());
    (people(), people()).prop_map(|(a, b)| vec![("a", a), ("b", b)])
}

pub(crate) fn all() -> Vec<Analysis> {
    vec![
        analysis("correlation/1", &[("columns", "x,y,z")]),
        analysis("correlation/1", &[("columns", "far,x")]),
        analysis("ttest/1", &[("value", "y"), ("paired", "x")]),
        lm("y ~ x"),
        lm("y ~ x + sex"),
        lm("y ~ C(arm)"),
        lm("y ~ x * sex"),
        analysis("lm/1", &[("formula", "y ~ C(arm)"), ("errors", "HC3")]),
        analysis(
            "lm/1",
            &[("formula", "y ~ C(sex) + C(arm)"), ("errors", "HC1")],
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_time: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_the_truth_of_models(sites in sites(250..500)) {
        for analysis in all() {
            let limited = holds_the_truth(&analysis, &sites)?;
            prop_assert!(limited > 5, "{:?}: {}", analysis, limited);
        }
    }

    /// How persons are spread over nodes changes nothing.
    #[test]
    fn any_split_gives_the_same_model(people in prop::collection::vec(person(), 80..160), cut in 1_usize..79) {
        let (first, second) = people.split_at(cut);
        let split = vec![("a", first.to_vec()), ("b", second.to_vec())];
        let whole = vec![("a", people.clone())];
        for analysis in all() {
            let tables = |sites: &[Site]| {
                let mut tables = report(&analysis, sites, false).tables;
                tables.retain(|grid| grid.name != "nodes");
                tables
            };
            prop_assert_eq!(tables(&split), tables(&whole));
        }
    }
}

fn made(count: i64, x: impl Fn(i64) -> i64, z: impl Fn(i64) -> i64) -> Vec<Person> {
    let person = |i: i64| -> Person {
        let y = 100 + (i * i * 7 + 3 * i) % 83;
        [
            ("sex", i % 2),
            ("arm", 1 + i / 2 % 4),
            ("x", x(i)),
            ("z", z(i)),
            ("y", y),
            ("far", 1_000_000_000 + i % 50),
        ]
        .into()
    };
    (0..count).map(person).collect()
}

#[test]
fn columns_that_follow_from_others_are_named_and_nothing_is_fitted() {
    let sites = vec![("a", made(200, |i| i % 60, |i| 2 * (i % 60) + 5))];
    let shown = report(&lm("y ~ x + z"), &sites, false);
    assert!(shown.tables.is_empty());
    let remark = shown
        .remarks
        .iter()
        .find(|r| r.starts_with("No coefficients"));
    assert!(
        remark.unwrap().contains("`z` follows"),
        "{:?}",
        shown.remarks
    );
    // With protection nobody can tell that from nearly the same.
    let shown = report(&lm("y ~ x + z"), &sites, true);
    assert!(shown.tables.is_empty());
    assert!(shown.remarks.iter().any(|r| r.contains("No coefficients")));
}

#[test]
fn a_node_that_withholds_an_entry_sits_out() {
    let mut few = made(200, |i| i % 60, |i| (i * 31) % 97);
    few.retain(|person| person["arm"] != 4 || person["x"] < 4);
    let sites = vec![("a", made(400, |i| i % 60, |i| (i * 31) % 97)), ("b", few)];
    let shown = report(&lm("y ~ x + C(arm)"), &sites, true);
    assert_eq!(shown.sites, ["a"]);
    assert_eq!(shown.left_out, ["b"]);
    assert!(!shown.tables.is_empty(), "{:?}", shown.remarks);
}

#[test]
fn robust_errors_are_those_of_groups_alone() {
    let read = |formula: &str, errors: &str| {
        let asked = analysis("lm/1", &[("formula", formula), ("errors", errors)]);
        let read = Request::Analysis(asked).read(&Params::new(), &codebook());
        read.map_or_else(|problem| problem.code.0, |_| "read")
    };
    assert_eq!(read("y ~ C(arm) * sex", "HC2"), "read");
    assert_eq!(read("y ~ C(arm) + x", "model"), "read");
    for (formula, errors) in [
        ("y ~ x", "HC0"),
        ("y ~ C(arm) * x", "HC3"),
        ("y ~ C(arm)", "robust"),
    ] {
        assert_eq!(read(formula, errors), "V900", "{formula} {errors}");
    }
}

/// The persons that the bit budget asks for behind the first table of a model.
fn budget(formula: &str) -> u32 {
    let question = Request::Analysis(lm(formula)).read(&Params::new(), &codebook());
    let told = explain::disclosure(&question.unwrap(), &codebook()).to_string();
    let line = told.lines().find(|line| line.contains("R12: ")).unwrap();
    let rest = line.split("R12: ").nth(1).unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_bit_budget_counts_all_tables_of_a_model() {
    let (alone, grouped, twice) = (
        budget("y ~ x"),
        budget("y ~ x + C(arm)"),
        budget("y ~ x + C(arm) + sex"),
    );
    // Three numbers about x, then two more in each of four arms, then in two sexes.
    assert!(
        alone < grouped && grouped < twice,
        "{alone} {grouped} {twice}"
    );
    // 4 · 3 · log2(1 + 10 n') <= 7 n for 201 values, and 44 in place of 12.
    assert_eq!((alone, grouped), (13, 63));
}
