//! A small world for the tests of combination: persons, a simple node, a question with everything.

mod examples;
mod laws;

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
        derived: Default::default(),
        called: Default::default(),
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
    if protection.mode != Mode::None {
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
        Mode::CellKey { bound } => perturbed(n, &chol, &bp, &score, (protection, bound)),
        Mode::Round => {
            let params = params(protection);
            let shown = size(chol.persons, true);
            let all = size(n, false);
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

fn size(n: u64, complete: bool) -> CellSize {
    CellSize {
        persons: n,
        rows: n,
        complete,
    }
}

/// Parts under noise that depends on the number only, which is as good as any.
fn perturbed(
    n: u64,
    chol: &ExactMoments,
    bp: &ExactMoments,
    score: &[u64],
    (protection, bound): (Protection, u32),
) -> Vec<Option<Vec<Number>>> {
    let params = params(protection);
    let width = u64::from(2 * bound + 1);
    let noise = |n: u64| i64::try_from(n * 7 % width).unwrap() - i64::from(bound);
    let count = |n: u64| {
        let enough = n >= k_eff(params.k, params.round_base).into();
        enough.then(|| n.saturating_add_signed(noise(n)).max(params.k.into()))
    };
    let mean = |exact: &ExactMoments, bounds: (i64, i64), shown: u64, complete: bool| {
        let (bottom, top) = (bounds.0.into(), bounds.1.into());
        let unit = power_of_ten(-i32::try_from(exact.scale).unwrap());
        let share = BigRational::new(noise(exact.persons).into(), bound.into());
        let most = BigRational::from_integer(bounds.0.abs().max(bounds.1.abs()).into());
        let sum = BigRational::from_integer(exact.sum.into()) * unit + most * share;
        let mean = sum / BigRational::from_integer(exact.rows.max(1).into());
        let shown = size(count(shown)?, complete);
        moments::perturbed(exact, &mean, (bottom, top), shown, &params)
    };
    let counts: Option<Vec<Number>> = score.iter().map(|n| count(*n).map(Number::from)).collect();
    vec![
        count(n).map(|n| vec![n.into()]),
        mean(chol, (-80, 600), chol.persons, true),
        mean(bp, (60, 240), n, false),
        counts,
    ]
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

const ROUND: Protection = Protection {
    mode: Mode::Round,
    k: 8,
    round_base: 5,
};
