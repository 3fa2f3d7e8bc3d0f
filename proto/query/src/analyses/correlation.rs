//! `correlation`: how do numbers go together? Means, covariances and correlations of several columns
//! over their complete cases.

use super::arguments::{Arguments, CONFIDENCE, TABLE, WHERE, refuse};
use super::distribution::{normal_critical, student_two_sided};
use super::pairs::{COLUMNS, Pairs, complete_cases, measured, names, pairs, sample};
use super::range::{Range, float};
use super::report::{Grid, Report};
use super::{Definition, Expansion, Run};
use crate::codebook::Codebook;
use crate::combine::{Interval, Released};
use crate::problem::Problem;

/// More columns than this make more numbers than a question may ask for.
const MOST: usize = 8;

pub(super) const DEFINITION: Definition = Definition {
    name: "correlation",
    version: 1,
    about: "How do numbers go together? Covariance and Pearson's correlation of every pair",
    arguments: &[COLUMNS, TABLE, WHERE, CONFIDENCE],
    run: Run::One { expand, finish },
};

fn columns(arguments: &Arguments) -> Result<Vec<String>, Problem> {
    names(arguments.get("columns").unwrap_or_default(), "columns")
}

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    let names = columns(arguments)?;
    if !(2..=MOST).contains(&names.len()) {
        return Err(refuse(format!("`columns` names 2 to {MOST} columns")));
    }
    let table = arguments.table(codebook)?;
    let measured = measured(table, &names, codebook)?;
    let plain: Vec<&str> = names.iter().map(String::as_str).collect();
    let condition = complete_cases(arguments, table, &plain, codebook)?;
    Ok(Expansion {
        sql: format!("SELECT {measured} FROM {table}{condition}"),
        keys: 0,
    })
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let names = columns(arguments).unwrap_or_default();
    let Some(found) = Pairs::read(released, &names) else {
        return Report::of(released, &[]);
    };
    let mut report = Report::of(released, &found.sites);
    report.tables.push(describe(&names, &found));
    report
        .tables
        .push(matrix("covariance", &names, &found, |pair, _| {
            Range::maybe(sample(pair, &found.n).as_ref())
        }));
    report
        .tables
        .push(matrix("correlation", &names, &found, coefficient));
    report.tables.push(tests(&names, &found, arguments.level()));
    report.remark("All numbers are about the persons who have every column.");
    report
}

fn describe(names: &[String], found: &Pairs<'_>) -> Grid {
    let mut grid = Grid::new("columns", &["n", "mean", "sd"]);
    let each = names.iter().zip(found.means.iter().zip(&found.variances));
    for (name, (mean, variance)) in each {
        let sd = Range::maybe(sample(variance, &found.n).as_ref()).sqrt();
        grid.line(name.clone(), &[Range::of(&found.n), Range::of(mean), sd]);
    }
    grid
}

/// A symmetric table; its diagonal holds what a column has with itself.
fn matrix(
    title: &str,
    names: &[String],
    found: &Pairs<'_>,
    entry: impl Fn(&Interval, [&Interval; 2]) -> Range,
) -> Grid {
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut grid = Grid::new(title, &columns);
    let all: Vec<([&str; 2], &Interval)> = pairs(names).zip(&found.covariances).collect();
    for (name, own) in names.iter().zip(&found.variances) {
        let line: Vec<Range> = names
            .iter()
            .zip(&found.variances)
            .map(|(other, theirs)| {
                let mut of = all.iter().filter(|(pair, _)| {
                    pair.contains(&name.as_str()) && pair.contains(&other.as_str())
                });
                let pair = if name == other {
                    Some(own)
                } else {
                    of.next().map(|found| found.1)
                };
                pair.map_or(Range::NONE, |pair| entry(pair, [own, theirs]))
            })
            .collect();
        grid.line(name.clone(), &line);
    }
    grid
}

/// Pearson's coefficient, from -1 to 1.
fn coefficient(covariance: &Interval, [a, b]: [&Interval; 2]) -> Range {
    if covariance == a && a == b {
        return Range::point(1.0);
    }
    let spread = Range::of(a).sqrt().times(Range::of(b).sqrt());
    within_one(Range::of(covariance).over(spread))
}

fn within_one(r: Range) -> Range {
    if r.is_exact() {
        return r;
    }
    Range {
        value: r.value.clamp(-1.0, 1.0),
        low: r.low.clamp(-1.0, 1.0),
        high: r.high.clamp(-1.0, 1.0),
    }
}

/// `r / √(1 - r²)`, which grows with `r`. Where nothing is protected it is `c / √(a b - c²)`, which
/// keeps its digits however near to one `r` is.
fn odds(covariance: &Interval, [a, b]: [&Interval; 2], r: Range) -> Range {
    let all = [covariance, a, b];
    if all.iter().all(|of| of.low == of.high) {
        let c = &covariance.value;
        let rest = float(&(&a.value * &b.value - c * c));
        return Range::point(float(c) / rest.max(0.0).sqrt());
    }
    r.map(|r| r / ((1.0 - r) * (1.0 + r)).max(0.0).sqrt())
}

/// Each pair with a confidence interval by Fisher's transformation and a t-test.
fn tests(names: &[String], found: &Pairs<'_>, level: f64) -> Grid {
    let mut grid = Grid::new("pairs", &["r", "from", "to", "t", "df", "p"]);
    let variance = |name: &str| {
        let mut all = names.iter().zip(&found.variances);
        all.find(|(known, _)| known.as_str() == name)
            .map(|(_, v)| v)
    };
    let n = Range::of(&found.n);
    let df = n.minus(Range::point(2.0));
    for ([one, other], covariance) in pairs(names).zip(&found.covariances) {
        let (Some(a), Some(b)) = (variance(one), variance(other)) else {
            continue;
        };
        let r = coefficient(covariance, [a, b]);
        let reach = n.map(|n| normal_critical(level) / (n - 3.0).max(0.0).sqrt());
        let z = r.map(libm::atanh);
        let end = |z: Range| z.map(libm::tanh);
        let (from, to) = (end(z.minus(reach)), end(z.plus(reach)));
        let t = odds(covariance, [a, b], r).times(df.sqrt());
        let p = t.abs().probability_of(df, student_two_sided);
        grid.line(format!("{one} and {other}"), &[r, from, to, t, df, p]);
    }
    grid
}
