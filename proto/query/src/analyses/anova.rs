//! `anova`: do the means of several groups differ, and which? One-way analysis of variance with
//! Tukey's honest comparison of every pair, and two-way with sums of squares of type II.

use super::arguments::{Argument, Arguments, CONFIDENCE, GROUPS, TABLE, VALUE, WHERE, refuse};
use super::distribution::fisher_upper;
use super::groups::{self, Group, Groups, less_one, persons, weighted_mean};
use super::levels::Must;
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::{sum, whole};
use super::tukey::{studentized_range_critical, studentized_range_upper};
use super::two_way::TwoWay;
use super::{Definition, Expansion, Run};
use crate::codebook::Codebook;
use crate::combine::{Interval, Released};
use crate::problem::Problem;
use crate::question::GroupKey;
use crate::value::Scalar;

/// More groups than this are not compared pair by pair.
const PAIRS_OF: usize = 12;

pub(super) const DEFINITION: Definition = Definition {
    name: "anova",
    version: 1,
    about: "Do the means of several groups differ, and which? One-way ANOVA and Tukey's pairs",
    arguments: &[
        VALUE,
        GROUPS.must(Must::Groups(0)),
        Argument::optional(
            "and",
            "COLUMN[:BAND]",
            "A second factor, for a two-way analysis",
        )
        .must(Must::Groups(1)),
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    if arguments.get("and").is_none() {
        return groups::expand(arguments, codebook);
    }
    let (first, second) = (arguments.key("by")?, arguments.key("and")?);
    if first == second {
        return Err(refuse("`by` and `and` are two factors"));
    }
    groups::expand_by(arguments, codebook, &[first, second])
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    if arguments.get("and").is_some() {
        return two_way(released);
    }
    let groups = Groups::read(released);
    let mut report = Report::of(released, &groups.sites);
    groups.explain(&mut report);
    if groups.sites.is_empty() {
        return report;
    }
    report.tables.push(groups.describe(None));
    let all = groups.all.as_slice();
    if all.len() < 2 {
        report.remark("An analysis of variance compares at least two groups.");
        return report;
    }
    let within = Within::of(all);
    report.tables.push(variance(all, &within));
    if all.len() <= PAIRS_OF {
        report.tables.push(pairs(all, &within, arguments.level()));
    } else {
        report.remark(format!(
            "More than {PAIRS_OF} groups are not compared pair by pair."
        ));
    }
    by_node(&mut report, released, &groups);
    if !within.df.is_exact() {
        report.remark(APPROXIMATE);
    }
    report
}

const APPROXIMATE: &str = "Degrees of freedom are known within limits; limits of p and of Tukey's \
    intervals are those at both ends, which is approximate.";

/// Two factors.
fn two_way(released: &Released<'_>) -> Report {
    let groups = Groups::read(released);
    let mut report = Report::of(released, &groups.sites);
    groups.explain(&mut report);
    if groups.sites.is_empty() {
        return report;
    }
    report.tables.push(groups.describe(None));
    let names = [0, 1].map(|key| {
        let column = released.group_keys().get(key).map(GroupKey::column);
        column.map_or_else(String::new, |column| column.column.clone())
    });
    let [first, second] = &names;
    let both = format!("{first}, {second}");
    // Rows come in the order of the first key.
    let mut cells: Vec<(Option<Scalar>, Vec<Group>)> = Vec::new();
    for (row, group) in groups.rows.iter().zip(groups.all) {
        match cells.last_mut() {
            Some((level, members)) if *level == row.first().cloned() => members.push(group),
            _ => cells.push((row.first().cloned(), vec![group])),
        }
    }
    match TwoWay::of(cells.into_iter().map(|(_, members)| members).collect()) {
        Some(table) => {
            report.tables.push(table.table("variance", [first, second, &both]));
            if !table.is_exact() {
                report.remark(APPROXIMATE);
            }
        }
        None => report.remark(
            "A two-way analysis needs two levels of either factor and persons in every cell: choose \
             with `where`, or wider bands.",
        ),
    }
    report
}

/// Nodes as a second factor: whether means differ from node to node, and groups differently.
fn by_node(report: &mut Report, released: &Released<'_>, groups: &Groups) {
    let cell = |row: &Vec<Scalar>, site: usize| Group::read(released, row, &[site]);
    let row = |row: &Vec<Scalar>| groups.sites.iter().map(|site| cell(row, *site)).collect();
    let cells: Option<Vec<Vec<Group>>> = groups.rows.iter().map(row).collect();
    if let Some(table) = cells.and_then(TwoWay::of) {
        let names = ["groups", "nodes", "groups, nodes"];
        report.tables.push(table.table("stratified_by_node", names));
    }
}

/// The variance within groups.
struct Within {
    squares: Range,
    mean: Range,
    df: Range,
}

impl Within {
    fn of(groups: &[Group]) -> Self {
        let weights: Vec<(Interval, Interval)> = groups
            .iter()
            .map(|group| (less_one(&group.n), group.variance.clone()))
            .collect();
        let squares: Vec<Interval> = weights.iter().map(|(w, v)| w.times(v)).collect();
        let df: Vec<Interval> = weights.iter().map(|(w, _)| w.clone()).collect();
        Self {
            squares: Range::of(&sum(&squares)),
            mean: Range::maybe(weighted_mean(&weights).as_ref()),
            df: Range::of(&sum(&df)),
        }
    }
}

/// Sum over pairs of `m n (x - y)² / N`, which is the sum of squares between groups. `m n / N` grows
/// with either number and falls with the persons of all other groups.
fn between(groups: &[Group]) -> Option<Interval> {
    let total = persons(groups);
    let mut squares = whole(0);
    for (at, first) in groups.iter().enumerate() {
        for second in groups.iter().skip(at + 1) {
            let point = |value: &num_rational::BigRational| Interval::exact(value.clone());
            let weight = |m: &Interval, n: &Interval, others: &Interval| {
                m.times(n)
                    .over(&m.plus(n).plus(others))
                    .map(|weight| weight.value)
            };
            let others = |end: fn(&Interval) -> &num_rational::BigRational| {
                let rest = end(&total) - end(&first.n) - end(&second.n);
                Interval::exact(rest)
            };
            let (m, n) = (&first.n, &second.n);
            let weight = Interval::new(
                weight(&point(&m.value), &point(&n.value), &others(|i| &i.value))?,
                weight(&point(&m.low), &point(&n.low), &others(|i| &i.high))?,
                weight(&point(&m.high), &point(&n.high), &others(|i| &i.low))?,
            );
            let apart = first.mean.minus(&second.mean).squared();
            squares = squares.plus(&weight.times(&apart));
        }
    }
    Some(squares)
}

fn variance(groups: &[Group], within: &Within) -> Grid {
    let mut grid = Grid::new(
        "variance",
        &["sum_of_squares", "df", "mean_square", "f", "p"],
    );
    let df = f64::from(u32::try_from(groups.len().saturating_sub(1)).unwrap_or(u32::MAX));
    let squares = Range::maybe(between(groups).as_ref());
    let mean = squares.over(Range::point(df));
    let f = mean.over(within.mean);
    let p = f.probability_of(within.df, |f, rest| fisher_upper(f, df, rest));
    grid.line("between", &[squares, Range::point(df), mean, f, p]);
    grid.line("within", &[within.squares, within.df, within.mean]);
    grid
}

/// Tukey and Kramer: differences of means in units of their common deviation, against the range of
/// as many normal numbers as there are groups.
fn pairs(groups: &[Group], within: &Within, level: f64) -> Grid {
    let mut grid = Grid::new("tukey", &["difference", "from", "to", "q", "p"]);
    let k = f64::from(u32::try_from(groups.len()).unwrap_or(u32::MAX));
    let critical = within
        .df
        .probability(|df| studentized_range_critical(level, k, df));
    let inverse = |group: &Group| Range::maybe(whole(1).over(&group.n).as_ref());
    for (at, first) in groups.iter().enumerate() {
        for second in groups.iter().skip(at + 1) {
            let difference = Range::of(&second.mean.minus(&first.mean));
            let parts = inverse(first).plus(inverse(second)).over(Range::point(2.0));
            let error = within.mean.times(parts).sqrt();
            let q = difference.abs().over(error);
            let upper = |q: f64, df: f64| studentized_range_upper(q, k, df);
            let p = q.probability_of(within.df, upper);
            let reach = critical.times(error);
            let row = [
                difference,
                difference.minus(reach),
                difference.plus(reach),
                q,
                p,
            ];
            grid.line(format!("{} less {}", second.name, first.name), &row);
        }
    }
    grid
}
