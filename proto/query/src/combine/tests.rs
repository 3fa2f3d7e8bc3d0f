//! The law of combination, the honesty of intervals, and examples by hand.

use std::collections::BTreeMap;

use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::answer::{Cell, Mode, NodeRow, NodeTable};
use crate::codebook;
use crate::measure::moments::{CellSize, ExactMoments};
use crate::measure::{moments, persons, value_counts};
use crate::number::Number;
use crate::question::*;
use crate::rational::power_of_ten;
use crate::release::{ReleaseParams, k_eff};

const BOOK: &str = r#"
[codebook]
format = 1
name = "t"
version = 1
unit = "person.person_id"
[table.person]
rows = "one-per-unit"
[table.person.column]
person_id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["group"], domain = { 0 = "f", 1 = "m" } }
chol = { type = "decimal", scale = 1, unit = "mg/dL", role = ["value"], bounds = [-80, 600], missing_public = true }
bp = { type = "int", unit = "mm[Hg]", role = ["value"], bounds = [60, 240] }
score = { type = "int", role = ["value"], domain = { -1 = "low", 0 = "mid", 3 = "high" } }
"#;

/// A person: sex, cholesterol in tenths, blood pressure, score.
#[derive(Clone, Copy, Debug)]
struct Person {
    sex: i64,
    chol: Option<i64>,
    bp: Option<i64>,
    score: i64,
}

fn column(name: &str) -> ColumnRef {
    ColumnRef {
        table: "person".into(),
        column: name.into(),
    }
}

fn stat(measure: usize, stat: Stat) -> Expr {
    Expr::Stat { measure, stat }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary {
        op,
        left: Box::new(left),
        right: Box::new(right),
    }
}

const STATS: [Stat; 6] = [
    Stat::Sum,
    Stat::Mean,
    Stat::SdSample,
    Stat::SdPop,
    Stat::VarSample,
    Stat::VarPop,
];

fn measures() -> Vec<Measure> {
    vec![
        Measure::Persons { of: None },
        Measure::Moments {
            column: column("chol"),
        },
        Measure::Moments {
            column: column("bp"),
        },
        Measure::ValueCounts {
            column: column("score"),
        },
    ]
}

/// Every statistic of every measure, two ratios and a difference, by sex.
fn question() -> Question {
    let mut exprs = vec![Expr::Key(0), stat(0, Stat::Count)];
    exprs.extend((1..4).flat_map(|measure| STATS.map(|s| stat(measure, s))));
    exprs.push(binary(
        BinaryOp::Div,
        stat(1, Stat::Sum),
        stat(0, Stat::Count),
    ));
    exprs.push(binary(
        BinaryOp::Div,
        stat(2, Stat::SdSample),
        stat(2, Stat::Mean),
    ));
    exprs.push(binary(
        BinaryOp::Sub,
        stat(3, Stat::Mean),
        stat(1, Stat::Mean),
    ));
    asks(
        vec![GroupKey::Column(column("sex"))],
        measures(),
        exprs,
        Output::default(),
    )
}

fn asks(keys: Vec<GroupKey>, measures: Vec<Measure>, exprs: Vec<Expr>, output: Output) -> Question {
    let named = |(i, expr): (usize, Expr)| OutputColumn {
        name: format!("c{i}"),
        expr,
    };
    let columns = exprs.into_iter().enumerate().map(named).collect();
    let body = Body::Table(TableQuestion {
        rows: "person".into(),
        joined: Default::default(),
        filter: Predicate::default(),
        keys,
        measures,
        output: Output { columns, ..output },
    });
    Question {
        codebook: String::new(),
        body,
    }
}

fn exact_moments(values: impl Iterator<Item = i64>, scale: u32) -> ExactMoments {
    let values: Vec<i128> = values.map(i128::from).collect();
    let n = values.len() as u64;
    let sum_sq = values.iter().map(|v| v * v).sum();
    ExactMoments {
        persons: n,
        rows: n,
        sum: values.iter().sum(),
        sum_sq,
        scale,
    }
}

/// A simple node: groups persons by sex and releases every measure.
fn node(people: &[Person], protection: Protection) -> NodeTable {
    let mut groups: BTreeMap<i64, Vec<Person>> = BTreeMap::new();
    for person in people {
        groups.entry(person.sex).or_default().push(*person);
    }
    if protection.mode == Mode::Round {
        groups.entry(0).or_default();
        groups.entry(1).or_default();
    }
    let rows = groups.into_iter().map(|(sex, group)| NodeRow {
        key: vec![Scalar::Number(sex.into())],
        cells: cells(&group, protection),
    });
    NodeTable {
        rows: rows.collect(),
    }
}

fn cells(group: &[Person], protection: Protection) -> Vec<Cell> {
    let n = group.len() as u64;
    let chol = exact_moments(group.iter().filter_map(|p| p.chol), 1);
    let bp = exact_moments(group.iter().filter_map(|p| p.bp), 0);
    let score: Vec<u64> = [-1, 0, 3]
        .map(|value| group.iter().filter(|p| p.score == value).count() as u64)
        .to_vec();
    let parts = match protection.mode {
        Mode::None => vec![
            Some(persons::exact(n)),
            Some(moments::exact(&chol)),
            Some(moments::exact(&bp)),
            Some(value_counts::exact(&score)),
        ],
        Mode::Round => {
            let params = params(protection);
            let shown = CellSize {
                persons: chol.persons,
                rows: chol.rows,
            };
            let all = CellSize {
                persons: n,
                rows: n,
            };
            vec![
                persons::protect(n, &params),
                moments::protect(&chol, ((-80_i64).into(), 600_i64.into()), shown, &params),
                moments::protect(&bp, (60_i64.into(), 240_i64.into()), all, &params),
                value_counts::protect(&score, &score, &params),
            ]
        }
    };
    parts
        .into_iter()
        .map(|parts| parts.map_or(Cell::Suppressed, Cell::Value))
        .collect()
}

fn params(protection: Protection) -> ReleaseParams {
    let Protection { k, round_base, .. } = protection;
    ReleaseParams {
        k,
        round_base,
        ..ReleaseParams::default()
    }
}

fn run(question: &Question, nodes: &[(String, NodeTable, Protection)]) -> Combined {
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let sites: Vec<SiteAnswer<'_>> = nodes
        .iter()
        .map(|(node, table, protection)| SiteAnswer {
            node,
            table: Some((table, *protection)),
        })
        .collect();
    combine(question, &book, &sites).unwrap()
}

fn nodes(sites: &[Vec<Person>], protection: Protection) -> Vec<(String, NodeTable, Protection)> {
    let one = |(i, people): (usize, &Vec<Person>)| {
        (format!("site{i}"), node(people, protection), protection)
    };
    sites.iter().enumerate().map(one).collect()
}

const NONE: Protection = Protection {
    mode: Mode::None,
    k: 8,
    round_base: 5,
};

fn person() -> impl Strategy<Value = Person> {
    let chol = prop_oneof![1 => Just(None), 6 => (-800_i64..=6000).prop_map(Some)];
    let bp = prop_oneof![1 => Just(None), 4 => (60_i64..=240).prop_map(Some)];
    let score = prop_oneof![Just(-1_i64), Just(0), Just(3)];
    (0_i64..2, chol, bp, score).prop_map(|(sex, chol, bp, score)| Person {
        sex,
        chol,
        bp,
        score,
    })
}

fn values(combined: &Combined) -> Vec<(Vec<Scalar>, Vec<Option<String>>)> {
    let row = |row: &CombinedRow| {
        (
            row.key.clone(),
            row.cells.iter().map(|cell| cell.value.clone()).collect(),
        )
    };
    combined.rows.iter().map(row).collect()
}

fn rational(text: &str) -> BigRational {
    text.parse::<Number>().unwrap().to_rational()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    /// Split persons over sites in any way and any order: the combined table is the pooled one to
    /// the last digit.
    #[test]
    fn split_then_combine_equals_whole(
        people in proptest::collection::vec((person(), 0_usize..6), 0..80),
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let whole: Vec<Person> = people.iter().map(|(p, _)| *p).collect();
        let mut sites = vec![Vec::new(); 6];
        for (person, site) in &people {
            sites[*site].push(*person);
        }
        let question = question();
        let pooled = run(&question, &nodes(&[whole], NONE));
        let split = nodes(&sites, NONE);
        let combined = run(&question, &split);
        prop_assert_eq!(values(&pooled), values(&combined));
        let shuffled: Vec<_> = order.iter().map(|i| split[*i].clone()).collect();
        prop_assert_eq!(combined.to_bytes(), run(&question, &shuffled).to_bytes());
        for row in &combined.rows {
            for cell in &row.cells {
                prop_assert_eq!(cell.nodes, 6);
                prop_assert_eq!(&cell.value, &cell.lower);
                prop_assert_eq!(&cell.value, &cell.upper);
            }
        }
    }

    /// The honest interval: where no node withheld, the pooled truth lies within the limits, the
    /// shown value too, and no digit is finer than the interval supports.
    #[test]
    fn the_truth_lies_in_the_interval(
        sites in proptest::collection::vec(proptest::collection::vec(person(), 40..160), 1..5),
        (k, round_base) in prop_oneof![Just((8, 5)), Just((10, 5)), Just((4, 1)), Just((6, 4))],
    ) {
        let protection = Protection { mode: Mode::Round, k, round_base };
        let question = question();
        let whole: Vec<Person> = sites.concat();
        let truth = run(&question, &nodes(&[whole], NONE));
        let shown = run(&question, &nodes(&sites, protection));
        prop_assert_eq!(shown.rows.len(), 2);
        for (truth, shown) in truth.rows.iter().zip(&shown.rows) {
            prop_assert_eq!(&truth.key, &shown.key);
            for (column, (truth, cell)) in truth.cells.iter().zip(&shown.cells).enumerate() {
                let (Some(value), Some(lower), Some(upper)) =
                    (&cell.value, &cell.lower, &cell.upper) else { continue };
                let truth = rational(truth.value.as_ref().unwrap());
                let (value, low, high) = (rational(value), rational(lower), rational(upper));
                // Fifteen digits of the truth are known.
                let dust = power_of_ten(-11);
                prop_assert!(&low - &dust <= truth && truth <= &high + &dust,
                    "column {}: {} not in {}..{}", column, truth, low, high);
                prop_assert!(low <= value && value <= high);
                let half = (&high - &low) / BigRational::from_integer(2.into());
                let place = crate::rational::decimal_order(&half);
                let Some(place) = place.filter(|_| column > 0) else { continue };
                prop_assert!((value / power_of_ten(place - 1)).is_integer());
            }
        }
    }

    /// With one site, mean and standard deviation are printed exactly as that node rounded them.
    #[test]
    fn one_site_is_printed_as_on_its_grid(people in proptest::collection::vec(person(), 60..200)) {
        let protection = Protection { mode: Mode::Round, k: 8, round_base: 5 };
        let sites = nodes(&[people], protection);
        let combined = run(&question(), &sites);
        for (row, released) in combined.rows.iter().zip(&sites[0].1.rows) {
            for (measure, mean) in [(1, 2), (2, 8)] {
                let Cell::Value(parts) = &released.cells[measure] else { continue };
                let printed = |cell: usize| row.cells[cell].value.clone().unwrap();
                prop_assert_eq!(printed(mean), parts[2].to_string());
                prop_assert_eq!(printed(mean + 1), parts[3].to_string());
                prop_assert_eq!(&row.cells[mean].sites["site0"], &parts[2].to_string());
            }
        }
    }
}

#[test]
fn unprotected_statistics_are_those_of_the_textbook() {
    let person = |chol, bp, score| Person {
        sex: 0,
        chol,
        bp,
        score,
    };
    let sites = [
        vec![
            person(Some(1000), Some(100), -1),
            person(Some(1500), None, 3),
        ],
        vec![person(None, Some(120), 3), person(Some(2000), Some(140), 0)],
    ];
    let combined = run(&question(), &nodes(&sites, NONE));
    let cell = |i: usize| combined.rows[0].cells[i].value.clone().unwrap();
    assert_eq!(cell(0), "4");
    // cholesterol 100, 150, 200: sum, mean, sd, population sd, variances
    assert_eq!(cell(1), "450");
    assert_eq!(cell(2), "150");
    assert_eq!(cell(3), "50");
    assert_eq!(cell(4), "40.8248290463863");
    assert_eq!(cell(5), "2500");
    assert_eq!(cell(6), "1666.66666666667");
    // score -1, 3, 3, 0
    assert_eq!(cell(13), "5");
    assert_eq!(cell(14), "1.25");
    assert_eq!(cell(17), "4.25");
    assert_eq!(combined.notes[0].code, "N100");
    assert!(combined.notes.iter().any(|note| note.code == "UNPROTECTED"));
    assert_eq!(combined.columns[4].unit.as_deref(), Some("mg/dL"));
    assert_eq!(combined.columns[6].unit.as_deref(), Some("(mg/dL)2"));
}

fn count_row(sex: i64, count: Option<u64>) -> NodeRow {
    let cell = count.map_or(Cell::Suppressed, |n| Cell::Value(vec![n.into()]));
    NodeRow {
        key: vec![Scalar::Number(sex.into())],
        cells: vec![cell],
    }
}

fn counts(output: Output) -> Question {
    let exprs = vec![Expr::Key(0), stat(0, Stat::Count)];
    let keys = vec![GroupKey::Column(column("sex"))];
    asks(keys, vec![Measure::Persons { of: None }], exprs, output)
}

const ROUND: Protection = Protection {
    mode: Mode::Round,
    k: 8,
    round_base: 5,
};

#[test]
fn counts_add_up_and_say_what_is_missing() {
    let table = |f, m| NodeTable {
        rows: vec![count_row(0, f), count_row(1, m)],
    };
    let (a, b) = (table(Some(205), None), table(Some(100), Some(45)));
    let c = table(Some(145), None);
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let sites = [
        SiteAnswer {
            node: "c",
            table: Some((&c, ROUND)),
        },
        SiteAnswer {
            node: "b",
            table: Some((&b, ROUND)),
        },
        SiteAnswer {
            node: "a",
            table: Some((&a, ROUND)),
        },
        SiteAnswer {
            node: "d",
            table: None,
        },
    ];
    let combined = combine(&counts(Output::default()), &book, &sites).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&combined.to_bytes()).unwrap();
    let text = String::from_utf8(combined.to_bytes()).unwrap();
    assert!(text.starts_with(
        r#"{"columns":[{"name":"c0","kind":"key","type":"int"},{"name":"c1","kind":"count","of":"persons"}],"rows":[{"key":{"c0":0},"cells":{"c1":{"value":"450","lower":"444","upper":"456","nodes":3,"eligible":4,"sites":{"a":"205","b":"100","c":"145"}}}},{"key":{"c0":1},"cells":{"c1":{"value":"45","lower":"43","upper":null,"nodes":1,"eligible":4,"sites":{"b":"45"}}}}],"protection":{"k":8,"round_base":5,"mode":"round"},"notes":["#
    ), "{text}");
    let codes: Vec<&str> = json["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["N100", "N103", "N110"]);
}

#[test]
fn a_cell_that_nobody_released_is_withheld() {
    let table = NodeTable {
        rows: vec![count_row(0, None), count_row(1, Some(10))],
    };
    let having = Condition::Compare {
        op: CompareOp::Ge,
        left: stat(0, Stat::Count),
        right: Expr::Literal(Number::ZERO),
    };
    let nodes = [("a".to_owned(), table, ROUND)];
    let all = run(&counts(Output::default()), &nodes);
    let cell = &all.rows[0].cells[0];
    assert!(cell.withheld && cell.value.is_none() && cell.lower.is_none() && cell.nodes == 0);
    let kept = run(
        &counts(Output {
            having: Some(having),
            ..Output::default()
        }),
        &nodes,
    );
    assert_eq!(kept.rows.len(), 1);
    assert!(kept.notes.iter().any(|note| note.code == "N111"));
}

#[test]
fn order_puts_withheld_last_in_both_directions_and_limit_comes_after() {
    let table = NodeTable {
        rows: vec![count_row(0, None), count_row(1, Some(10))],
    };
    let nodes = [("a".to_owned(), table, ROUND)];
    let keys = |order: Vec<OrderBy>, limit| -> Vec<String> {
        let combined = run(
            &counts(Output {
                order,
                limit,
                ..Output::default()
            }),
            &nodes,
        );
        combined
            .rows
            .iter()
            .map(|row| row.key[0].to_string())
            .collect()
    };
    let by = |descending| OrderBy {
        expr: stat(0, Stat::Count),
        descending,
    };
    assert_eq!(keys(vec![by(false)], None), ["1", "0"]);
    assert_eq!(keys(vec![by(true)], None), ["1", "0"]);
    assert_eq!(keys(vec![by(true)], Some(1)), ["1"]);
    assert_eq!(
        keys(
            vec![OrderBy {
                expr: Expr::Key(0),
                descending: true
            }],
            None
        ),
        ["1", "0"]
    );
    assert_eq!(keys(vec![], None), ["0", "1"]);
}

#[test]
fn groups_that_a_node_does_not_list() {
    let a = NodeTable {
        rows: vec![count_row(0, Some(3))],
    };
    let b = NodeTable {
        rows: vec![count_row(1, Some(7))],
    };
    let none = |t: &NodeTable| t.clone();
    let exact = run(
        &counts(Output::default()),
        &[("a".into(), none(&a), NONE), ("b".into(), none(&b), NONE)],
    );
    let cells: Vec<_> = exact.rows.iter().map(|row| row.cells[0].clone()).collect();
    assert_eq!(cells[0].value.as_deref(), Some("3"));
    assert_eq!(cells[0].nodes, 2);
    assert_eq!(cells[0].sites["b"], "0");
    let hidden = run(
        &counts(Output::default()),
        &[("a".into(), a, ROUND), ("b".into(), b, ROUND)],
    );
    assert_eq!(hidden.rows[0].cells[0].nodes, 1);
    assert_eq!(hidden.rows[0].cells[0].upper, None);
}

#[test]
fn a_table_without_keys_always_has_a_row() {
    let exprs = vec![stat(0, Stat::Count), stat(1, Stat::Mean)];
    let question = asks(vec![], measures()[..2].to_vec(), exprs, Output::default());
    let exact = run(&question, &[("a".into(), NodeTable::default(), NONE)]);
    assert_eq!(exact.rows[0].cells[0].value.as_deref(), Some("0"));
    assert_eq!(exact.rows[0].cells[1].value, None);
    assert!(!exact.rows[0].cells[1].withheld);
    let hidden = run(&question, &[("a".into(), NodeTable::default(), ROUND)]);
    assert!(hidden.rows[0].cells[0].withheld);
}

#[test]
fn ratios_speak_about_the_same_nodes() {
    let ratio = binary(BinaryOp::Div, stat(0, Stat::Count), stat(1, Stat::Count));
    let by_zero = binary(
        BinaryOp::Div,
        stat(0, Stat::Count),
        Expr::Literal(Number::ZERO),
    );
    let measures = vec![
        Measure::Persons {
            of: Some(column("chol")),
        },
        Measure::Persons { of: None },
    ];
    let question = asks(vec![], measures, vec![ratio, by_zero], Output::default());
    let table = |a: Option<u64>, b: u64| {
        let cell = |n: Option<u64>| n.map_or(Cell::Suppressed, |n| Cell::Value(vec![n.into()]));
        NodeTable {
            rows: vec![NodeRow {
                key: vec![],
                cells: vec![cell(a), cell(Some(b))],
            }],
        }
    };
    let nodes = [
        ("a".into(), table(Some(50), 100), ROUND),
        ("b".into(), table(None, 1000), ROUND),
    ];
    let combined = run(&question, &nodes);
    let ratio = &combined.rows[0].cells[0];
    assert_eq!((ratio.value.as_deref(), ratio.nodes), (Some("0.5"), 1));
    assert_eq!(ratio.lower.as_deref(), Some("0.47"));
    assert_eq!(ratio.upper, None);
    assert_eq!(combined.rows[0].cells[1].value, None);
    assert!(!combined.rows[0].cells[1].withheld);
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let good = NodeTable {
        rows: vec![count_row(0, Some(10))],
    };
    let refuse = |sites: &[SiteAnswer<'_>]| {
        combine(&counts(Output::default()), &book, sites)
            .unwrap_err()
            .to_string()
    };
    fn site<'a>(node: &'a str, table: &'a NodeTable, protection: Protection) -> SiteAnswer<'a> {
        SiteAnswer {
            node,
            table: Some((table, protection)),
        }
    }
    assert_eq!(
        refuse(&[site("a", &good, ROUND), site("b", &good, NONE)]),
        "node `b` answered without protection and node `a` with it; ask them apart"
    );
    assert_eq!(
        refuse(&[site("a", &good, ROUND), site("a", &good, ROUND)]),
        "node `a` is in the list twice"
    );
    let bad = [
        vec![count_row(1, Some(10)), count_row(0, Some(10))],
        vec![count_row(0, Some(10)), count_row(0, Some(10))],
        vec![NodeRow {
            key: vec![],
            ..count_row(0, Some(10))
        }],
        vec![NodeRow {
            key: vec![Scalar::Text("x".into())],
            ..count_row(0, Some(10))
        }],
        vec![NodeRow {
            cells: vec![],
            ..count_row(0, Some(10))
        }],
        vec![NodeRow {
            cells: vec![Cell::Value(vec![])],
            ..count_row(0, None)
        }],
        vec![NodeRow {
            cells: vec![Cell::Value(vec![Number::new(5, -1)])],
            ..count_row(0, None)
        }],
        vec![NodeRow {
            cells: vec![Cell::Value(vec![Number::new(-5, 0)])],
            ..count_row(0, None)
        }],
    ];
    for rows in bad {
        let table = NodeTable { rows };
        let message = refuse(&[site("a", &table, ROUND)]);
        assert!(
            message.starts_with("node `a` sent a table that does not fit"),
            "{message}"
        );
    }
    let withheld = NodeTable {
        rows: vec![count_row(0, None)],
    };
    assert!(refuse(&[site("a", &withheld, NONE)]).contains("although the answer is unprotected"));
}

#[test]
fn nothing_answered_is_an_empty_table() {
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let sites = [SiteAnswer {
        node: "a",
        table: None,
    }];
    let combined = combine(&counts(Output::default()), &book, &sites).unwrap();
    assert!(combined.rows.is_empty() && combined.protection.is_none());
    assert_eq!(k_eff(8, 5), 8);
}

#[test]
fn the_number_of_a_band_is_a_key() {
    let width = Number::new(10, 0);
    let band = GroupKey::Band {
        column: column("bp"),
        width,
    };
    let number = binary(BinaryOp::Div, Expr::Key(0), Expr::Literal(width));
    let persons = vec![Measure::Persons { of: None }];
    let exprs = vec![number, stat(0, Stat::Count)];
    let question = asks(vec![band], persons, exprs, Output::default());
    let row = NodeRow {
        key: vec![Scalar::Number(Number::new(120, 0))],
        cells: vec![Cell::Value(vec![Number::new(15, 0)])],
    };
    let protection = Protection {
        mode: Mode::Round,
        k: 8,
        round_base: 5,
    };
    let combined = run(
        &question,
        &[("a".into(), NodeTable { rows: vec![row] }, protection)],
    );
    assert_eq!(combined.columns[0].kind, Kind::Key);
    let first = combined.rows.first().unwrap();
    assert_eq!(first.key, vec![Scalar::Number(Number::new(12, 0))]);
    assert_eq!(first.cells.len(), 1);
}
