//! Reads `docs/disclosure/`: every rule has its page, and every page is true of the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use quorate_query::codebook::Codebook;
use quorate_query::question::TableQuestion;
use quorate_query::release::{ReleaseParams, round_count};
use quorate_query::value::Scalar;
use roaring::RoaringBitmap;
use toml_edit::{DocumentMut, Item, Table};

use super::case::{Case, Verdict};
use super::protect::{NOISE_BOUND, NoiseKey};
use super::r7_group::Groups;
use super::{RULES, r9_sparse, r11_size};
use crate::evidence::{
    CellEvidence, Contributions, Evidence, MeasureEvidence, Moments, Products, ValueEvidence,
    Values,
};

const HEADINGS: [&str; 6] = [
    "## Statement",
    "## Formula",
    "## Example",
    "## Source",
    "## Limits",
    "## Vectors",
];

/// Rules that are no judges of one cell, with those that are in [`RULES`].
const OTHERS: [&str; 4] = ["R9", "R10", "R11", "protection"];
/// Rules about earlier releases: their vectors are tests that the page names.
const HISTORY: [&str; 10] = [
    "H0",
    "H1",
    "H1s",
    "H2",
    "H2f",
    "H3",
    "H4",
    "H5",
    "H6",
    "near_earlier",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/disclosure")
}

fn file_name(rule: &str) -> String {
    format!("{}.md", rule.replace(' ', "-"))
}

fn page(rule: &str) -> String {
    let path = folder().join(file_name(rule));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{rule} has no page: {path:?}: {e}"))
}

/// The vectors of a page.
fn vectors(rule: &str) -> Vec<Table> {
    let text = page(rule);
    let (_, section) = text.split_once("## Vectors").unwrap();
    let block = section.split("```toml\n").nth(1);
    let block = block.and_then(|rest| rest.split("```").next());
    let block = block.unwrap_or_else(|| panic!("{rule}: no vectors"));
    let document: DocumentMut = block.parse().unwrap_or_else(|e| panic!("{rule}: {e}"));
    let cases = document["case"].as_array_of_tables();
    let cases: Vec<Table> = cases.into_iter().flatten().cloned().collect();
    assert!(
        cases.len() >= 3,
        "{rule}: {} vectors are too few",
        cases.len()
    );
    cases
}

fn number(case: &Table, key: &str) -> Option<i128> {
    case.get(key).and_then(Item::as_integer).map(i128::from)
}

fn small<T: TryFrom<i128>>(case: &Table, key: &str, default: T) -> T {
    number(case, key).map_or(default, |n| T::try_from(n).ok().unwrap())
}

fn text<'t>(case: &'t Table, key: &str) -> &'t str {
    case.get(key)
        .and_then(Item::as_str)
        .unwrap_or_else(|| panic!("`{key}` is missing: {case}"))
}

fn list(case: &Table, key: &str) -> Vec<i128> {
    let entries = case.get(key).and_then(Item::as_array);
    let entries = entries.into_iter().flatten();
    entries.map(|v| v.as_integer().unwrap().into()).collect()
}

/// Pairs such as `{ 0 = 20, 1 = 7 }`.
fn pairs(case: &Table, key: &str) -> Vec<(i64, u64)> {
    let table = case.get(key).and_then(Item::as_inline_table);
    let table = table.unwrap_or_else(|| panic!("`{key}` is missing: {case}"));
    let pair = |(name, value): (&str, &toml_edit::Value)| {
        let n = u64::try_from(value.as_integer().unwrap()).unwrap();
        (name.parse().unwrap(), n)
    };
    table.iter().map(pair).collect()
}

/// Numbers of rows of a value's persons with more than one, such as `{ 1 = [40, 2] }`.
fn several(case: &Table, value: i64) -> Vec<u64> {
    let table = case.get("several").and_then(Item::as_inline_table);
    let rows = table.and_then(|table| table.get(&value.to_string())?.as_array());
    let rows = rows.into_iter().flatten();
    rows.map(|n| u64::try_from(n.as_integer().unwrap()).unwrap())
        .collect()
}

fn params(case: &Table) -> ReleaseParams {
    let default = ReleaseParams::default();
    let nk = list(case, "nk");
    ReleaseParams {
        mode: default.mode,
        k: small(case, "k", default.k),
        round_base: small(case, "round_base", default.round_base),
        p_pct: small(case, "p_pct", default.p_pct),
        nk: match nk.as_slice() {
            [n, share] => (u32::try_from(*n).unwrap(), u32::try_from(*share).unwrap()),
            _ => default.nk,
        },
        dof: small(case, "dof", default.dof),
        group_share: small(case, "group_share", default.group_share),
        sparse: number(case, "sparse").map(|n| u32::try_from(n).unwrap()),
        max_cells: small(case, "max_cells", default.max_cells),
        min_nodes: 1,
        zeros_public: case.get("zeros_public").and_then(Item::as_bool) == Some(true),
    }
}

fn people(from: u64, n: u64) -> RoaringBitmap {
    let end = |n: u64| u32::try_from(n).unwrap();
    (end(from)..end(from + n)).collect()
}

fn numbered(each: &[i128]) -> Contributions {
    let pairs = (0_u32..).zip(each.iter().copied());
    Contributions::of(pairs.collect()).unwrap()
}

fn measure(case: &Table) -> MeasureEvidence {
    let each = list(case, "contributions");
    match text(case, "measure") {
        "persons" => MeasureEvidence::Count(Contributions::ones(people(
            0,
            small(case, "with_value", small(case, "persons", 0)),
        ))),
        "rows" => MeasureEvidence::Count(numbered(&each)),
        "mean" => MeasureEvidence::Moments(Moments {
            each: None,
            rows: u64::try_from(each.len()).unwrap(),
            squares: each.iter().map(|x| x * x).sum(),
            totals: numbered(&each),
            scale: 0,
        }),
        "products" => {
            let both = list(case, "left").into_iter().zip(list(case, "right"));
            let pairs: Vec<_> = (0..).zip(both).map(|(p, (x, y))| (p, x, y)).collect();
            let centres = list(case, "centres");
            let found = Products::of(&pairs, (centres[0], centres[1]), 0).unwrap();
            MeasureEvidence::Products(Box::new(found))
        }
        "values" => {
            let counts = pairs(case, "values");
            let all: u64 = counts.iter().map(|(_, n)| n).sum();
            let mut found = Values {
                any: people(0, all).into(),
                nonzero: RoaringBitmap::new(),
                values: Vec::new(),
            };
            let mut from = 0;
            for (value, n) in counts {
                let people = people(from, n);
                if value != 0 {
                    found.nonzero |= &people;
                }
                let mut evidence = ValueEvidence {
                    people: people.into(),
                    rows: n,
                    elsewhere: all - n,
                    most: Vec::new(),
                };
                // whoever has more rows than one, such as `{ 1 = [40, 2] }`
                let several = several(case, value);
                evidence.rows += several.iter().map(|rows| rows - 1).sum::<u64>();
                let ones = usize::try_from(n).unwrap() - several.len();
                let all_rows = several.into_iter().chain(std::iter::repeat_n(1, ones));
                all_rows.for_each(|rows| evidence.note(rows));
                evidence.settle();
                found.values.push(evidence);
                from += n;
            }
            MeasureEvidence::Values(found)
        }
        other => panic!("no measure `{other}`"),
    }
}

/// What the code says of a vector of a rule of one cell.
fn judged(judge: fn(&Case<'_>) -> Verdict, case: &Table) -> Verdict {
    let evidence = measure(case);
    let persons = small(case, "persons", evidence.people().len());
    let cell = CellEvidence {
        each: None,
        people: people(0, persons).into(),
        rows: persons,
        measures: Vec::new(),
    };
    judge(&Case {
        cell: &cell,
        evidence: &evidence,
        group: None,
        budget: number(case, "budget").map(|n| u64::try_from(n).unwrap()),
        params: &params(case),
    })
}

/// Compares with what the page says: `expect`, and `value` and `threshold` if written.
fn compare(rule: &str, case: &Table, verdict: &Verdict) {
    let place = format!("{rule}: {}", text(case, "what"));
    let said = match verdict {
        Verdict::Pass => "pass",
        Verdict::Public => "public",
        Verdict::Withhold(_) => "withhold",
    };
    assert_eq!(said, text(case, "expect"), "{place}");
    let statistic = match verdict {
        Verdict::Withhold(reason) => reason.statistic.as_ref(),
        Verdict::Pass | Verdict::Public => None,
    };
    for (key, found) in [
        ("value", statistic.map(|s| s.value)),
        ("threshold", statistic.map(|s| s.threshold)),
    ] {
        if let Some(wanted) = number(case, key) {
            assert_eq!(found, Some(wanted), "{place}: {key}");
        }
    }
}

#[test]
fn every_rule_has_a_page_with_everything_on_it() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let names = RULES
        .iter()
        .map(|rule| rule.name)
        .chain(OTHERS)
        .chain(HISTORY);
    let mut wanted: Vec<String> = names.map(file_name).collect();
    for name in &wanted {
        let text = fs::read_to_string(folder().join(name)).unwrap_or_default();
        let mut rest = text.as_str();
        for heading in HEADINGS {
            let found = rest.split_once(heading);
            let (_, after) = found.unwrap_or_else(|| panic!("{name}: no `{heading}` in its place"));
            rest = after;
        }
        assert!(
            readme.contains(&format!("]({name})")),
            "README does not list {name}"
        );
    }
    let mut found: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "pages of no rule, or rules of no page");
}

/// The table in the README has the order in which the rules are asked.
#[test]
fn the_order_on_the_page_is_the_order_of_the_code() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let places = RULES.map(|rule| readme.find(&format!("]({})", file_name(rule.name))));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
}

#[test]
fn pages_of_cell_rules_are_true() {
    for rule in RULES.iter().filter(|rule| rule.name != "R7") {
        let cases = vectors(rule.name);
        let mut said: BTreeMap<&str, u32> = BTreeMap::new();
        for case in &cases {
            compare(rule.name, case, &judged(rule.judge, case));
            *said.entry(text(case, "expect")).or_default() += 1;
        }
        assert!(said.len() > 1, "{}: both sides of the rule", rule.name);
    }
}

const BOOK: &str = r#"
[codebook]
format = 1
name = "pages"
version = 1
unit = "person.id"
[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
age = { type = "int", role = ["filter", "value"], bounds = [0, 120] }
town = { type = "int", role = ["filter", "group"] }
illness = { type = "int", role = ["filter", "group"], domain = { 0 = "no", 1 = "a", 2 = "b" }, sensitive = SENSITIVE }
"#;

fn book(sensitive: &str) -> Codebook {
    let text = BOOK.replace("SENSITIVE", sensitive);
    quorate_query::codebook::read(&text, "book.toml").unwrap()
}

fn question(sql: &str, book: &Codebook) -> Result<TableQuestion, quorate_query::problem::Problem> {
    let read = quorate_query::sql::read(sql, &BTreeMap::new(), book)?;
    Ok(read.into_sole().unwrap())
}

/// What R7 says of one town, given as persons per value of the illness.
pub(super) fn group(sensitive: &str, counts: &[(i64, u64)], params: &ReleaseParams) -> Verdict {
    let book = book(sensitive);
    let sql = "SELECT town, illness, count(*) FROM person GROUP BY town, illness";
    let question = question(sql, &book).unwrap();
    let mut from = 0;
    let cells = counts.iter().map(|(illness, n)| {
        let people = people(from, *n);
        from += n;
        let cell = CellEvidence {
            each: None,
            rows: *n,
            measures: vec![MeasureEvidence::Count(Contributions::ones(people.clone()))],
            people: people.into(),
        };
        let key = [1_i64, *illness].map(|n| Scalar::Number(n.into()));
        (key.to_vec(), cell)
    });
    let evidence = Evidence {
        cells: cells.collect(),
    };
    let groups = Groups::of(&question, &book, &evidence, params);
    let verdicts = evidence.cells.keys().map(|key| groups.withhold(key));
    let verdicts: Vec<Verdict> = verdicts
        .map(|found| found.map_or(Verdict::Pass, |reason| Verdict::Withhold(reason.clone())))
        .collect();
    assert!(
        verdicts.windows(2).all(|two| two[0] == two[1]),
        "the group is judged as one"
    );
    verdicts[0].clone()
}

#[test]
fn the_page_of_group_disclosure_is_true() {
    let mut said = Vec::new();
    for case in vectors("R7") {
        let sensitive = case.get("sensitive").unwrap().to_string();
        let verdict = group(sensitive.trim(), &pairs(&case, "group"), &params(&case));
        compare("R7", &case, &verdict);
        said.push(verdict == Verdict::Pass);
    }
    assert!(said.contains(&true) && said.contains(&false));
}

#[test]
fn pages_of_table_rules_are_true() {
    for case in vectors("R9") {
        let verdict = r9_sparse::judge(
            small(&case, "withheld", 0),
            small(&case, "cells", 0),
            &params(&case),
        );
        compare("R9", &case, &verdict);
    }
    for case in vectors("R11") {
        compare(
            "R11",
            &case,
            &r11_size::judge(small(&case, "rows", 0), &params(&case)),
        );
    }
}

/// R10: what the language refuses, with its code, and that only means, deviations and counts leave.
#[test]
fn the_page_of_order_statistics_is_true() {
    let book = book("false");
    for case in vectors("R10") {
        let found = question(text(&case, "sql"), &book);
        let said = match &found {
            Ok(_) => "pass".to_owned(),
            Err(problem) => problem.code.0.to_string(),
        };
        assert_eq!(said, text(&case, "expect"), "{}", text(&case, "what"));
    }
}

#[test]
fn the_page_of_output_protection_is_true() {
    let key = NoiseKey::new(b"vectors of the page");
    for case in vectors("protection") {
        let n: u64 = small(&case, "persons", 0);
        let found = match text(&case, "mode") {
            "round" => i128::from(round_count(n, params(&case).round_base)),
            "weight" => super::protect::tests::per_million(small(&case, "noise", 0)),
            "cell_key" => super::protect::tests::count(&key, &people(0, n), params(&case).k),
            other => panic!("no mode `{other}`"),
        };
        assert_eq!(
            Some(found),
            number(&case, "expect"),
            "{}",
            text(&case, "what")
        );
    }
    assert_eq!(NOISE_BOUND, 5, "as the page says");
}

/// Every attack of the test network, by name.
fn attacks() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/attacks");
    let mut attacks = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let document: DocumentMut = fs::read_to_string(path).unwrap().parse().unwrap();
        let listed = document.get("attack").and_then(Item::as_array_of_tables);
        let listed = listed.into_iter().flatten();
        attacks.extend(listed.map(|attack| text(attack, "id").to_owned()));
    }
    attacks
}

/// Pages about earlier releases name attacks that the rule has a part in stopping, and tests that hold it.
#[test]
fn pages_of_history_rules_name_attacks_and_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let attacks = attacks();
    for rule in HISTORY {
        for case in vectors(rule) {
            if let Some(attack) = case.get("attack").and_then(Item::as_str) {
                assert!(attacks.contains(attack), "{rule}: no attack {attack}");
                continue;
            }
            let path = root.join(text(&case, "file"));
            let source = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            let name = text(&case, "test");
            assert!(source.contains(name), "{rule}: {path:?} has no {name}");
        }
    }
}
