//! `ttest`: is a mean different from a number, or from the mean of another group? One sample; two
//! independent groups with a common variance (pooled) and without (Welch).

use num_rational::BigRational;
use num_traits::Zero;

use super::arguments::{Argument, Arguments, BY, CONFIDENCE, TABLE, VALUE, WHERE, refuse};
use super::distribution::{student_critical, student_two_sided};
use super::groups::{self, Group, Groups, less_one, squared_error, weighted_mean};
use super::levels::Must;
use super::pairs::{Pairs, complete_cases, measured, sample};
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::whole;
use super::{Definition, Expansion, Run};
use crate::codebook::Codebook;
use crate::combine::{Interval, Released};
use crate::problem::Problem;

pub(super) const DEFINITION: Definition = Definition {
    name: "ttest",
    version: 1,
    about: "Is a mean different from a number, or between two groups or columns? Student's and Welch's t",
    arguments: &[
        VALUE,
        BY.about("The two groups; without it the mean is compared with mu")
            .must(Must::TwoGroups(0)),
        Argument::optional(
            "mu",
            "NUMBER",
            "The number that the mean is compared with, without groups; else 0",
        ),
        Argument::optional(
            "paired",
            "COLUMN",
            "Another column of the same persons, taken off the first",
        ),
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    if arguments.number("mu")?.is_some() && arguments.get("by").is_some() {
        return Err(refuse(
            "`mu` is for one group, `by` for two: give one of them",
        ));
    }
    let Some(other) = arguments.get("paired") else {
        return groups::expand(arguments, codebook);
    };
    if arguments.get("by").is_some() {
        return Err(refuse(
            "`paired` is for two columns of the same persons, `by` for two groups of persons",
        ));
    }
    let (value, other) = (arguments.column("value")?, other.to_owned());
    let table = arguments.table(codebook)?;
    let names = [value.to_owned(), other];
    let measured = measured(table, &names, codebook)?;
    let [one, two] = names.each_ref().map(String::as_str);
    if one == two {
        return Err(refuse("`paired` names another column than `value`"));
    }
    let condition = complete_cases(arguments, table, &[one, two], codebook)?;
    Ok(Expansion {
        sql: format!("SELECT {measured} FROM {table}{condition}"),
        keys: 0,
    })
}

/// The differences within persons: their variance is that of both columns less twice their covariance.
fn paired(arguments: &Arguments, other: &str, released: &Released<'_>) -> Report {
    let names = [arguments.get("value").unwrap_or_default(), other].map(str::to_owned);
    let read = Pairs::read(released, &names);
    let parts = read.as_ref().and_then(|found| {
        let [x, y] = found.means.as_slice() else {
            return None;
        };
        let ([u, v], [both]) = (found.variances.as_slice(), found.covariances.as_slice()) else {
            return None;
        };
        let spread = u.plus(v).minus(both).minus(both);
        Some((found, x.minus(y), sample(&spread, &found.n)?))
    });
    let Some((found, mean, variance)) = parts else {
        return Report::of(released, &[]);
    };
    let mut report = Report::of(released, &found.sites);
    let (n, variance) = (Range::of(&found.n), Range::of(&variance));
    let error = variance.over(n).sqrt();
    let mut groups = Grid::new("groups", &["n", "mean", "sd", "standard_error"]);
    groups.line(
        "differences",
        &[n, Range::of(&mean), variance.sqrt(), error],
    );
    report.tables.push(groups);
    let mut grid = Grid::new("tests", &COLUMNS);
    Test {
        difference: less_mu(arguments, &mean),
        error,
        df: Range::of(&less_one(&found.n)),
    }
    .write(&mut grid, "paired", arguments.level());
    report.tables.push(grid);
    let [one, two] = &names;
    report.remark(format!(
        "Differences are `{one}` less `{two}`, of persons who have both."
    ));
    report
}

/// How far a mean is from the number that it is compared with: exactly, because both may be far from zero.
fn less_mu(arguments: &Arguments, mean: &Interval) -> Range {
    let mu = arguments.exact("mu").unwrap_or_else(BigRational::zero);
    Range::of(&mean.minus(&Interval::exact(mu)))
}

/// The columns of tests.
const COLUMNS: [&str; 7] = ["difference", "from", "to", "standard_error", "t", "df", "p"];

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    if let Some(other) = arguments.get("paired") {
        return paired(arguments, other, released);
    }
    let groups = Groups::read(released);
    let mut report = Report::of(released, &groups.sites);
    groups.explain(&mut report);
    if groups.sites.is_empty() {
        return report;
    }
    report.tables.push(groups.describe(None));
    let mut grid = Grid::new("tests", &COLUMNS);
    let level = arguments.level();
    match (arguments.get("by"), groups.all.as_slice()) {
        (None, [group]) => {
            let difference = less_mu(arguments, &group.mean);
            let df = Range::of(&less_one(&group.n));
            Test {
                difference,
                error: squared_error(group).sqrt(),
                df,
            }
            .write(&mut grid, "one_sample", level);
        }
        (Some(_), [first, second]) => {
            welch(first, second).write(&mut grid, "welch", level);
            pooled(first, second).write(&mut grid, "pooled", level);
            report.remark(format!(
                "Differences are `{}` less `{}`.",
                first.name, second.name
            ));
        }
        (_, all) => report.remark(format!(
            "A t-test compares two groups; here {} {}. Choose two with `where`, or use anova.",
            if all.len() == 1 { "is" } else { "are" },
            all.len()
        )),
    }
    if !grid.rows.is_empty() {
        report.tables.push(grid);
    }
    report
}

/// A difference with its standard error and degrees of freedom.
struct Test {
    difference: Range,
    error: Range,
    df: Range,
}

impl Test {
    fn write(&self, grid: &mut Grid, name: &str, level: f64) {
        let Self {
            difference,
            error,
            df,
        } = *self;
        let t = difference.over(error);
        let p = t.abs().probability_of(df, student_two_sided);
        let reach = df
            .probability(|df| student_critical(level, df))
            .times(error);
        let (from, to) = (difference.minus(reach), difference.plus(reach));
        grid.line(name, &[difference, from, to, error, t, df, p]);
    }
}

fn difference(first: &Group, second: &Group) -> Range {
    Range::of(&first.mean.minus(&second.mean))
}

fn welch(first: &Group, second: &Group) -> Test {
    let (one, two) = (squared_error(first), squared_error(second));
    let less = |group: &Group| Range::of(&less_one(&group.n));
    Test {
        difference: difference(first, second),
        error: one.plus(two).sqrt(),
        df: satterthwaite([one, two], [less(first), less(second)]),
    }
}

/// `(u + v)² / (u²/m + v²/n)` with `c = u / (u + v)` is `1 / (c²/m + (1 - c)²/n)`: it grows with `m`
/// and `n`, and in `c` it is greatest at `m / (m + n)` and falls on either side.
fn satterthwaite([u, v]: [Range; 2], [m, n]: [Range; 2]) -> Range {
    let of = |c: f64, m: f64, n: f64| 1.0 / (c * c / m + (1.0 - c) * (1.0 - c) / n);
    let value = of(u.value / (u.value + v.value), m.value, n.value);
    if u.is_exact() && v.is_exact() && m.is_exact() && n.is_exact() {
        return Range::point(value);
    }
    let (from, to) = (u.low / (u.low + v.high), u.high / (u.high + v.low));
    if !(from.is_finite() && to.is_finite() && m.low > 0.0 && n.low > 0.0) {
        return Range {
            value,
            low: 0.0,
            high: m.high + n.high,
        };
    }
    let best = (m.high / (m.high + n.high)).clamp(from, to);
    let low = of(from, m.low, n.low).min(of(to, m.low, n.low));
    Range::wide(value, low, of(best, m.high, n.high), 1e-12)
}

fn pooled(first: &Group, second: &Group) -> Test {
    let weights = [first, second].map(|group| (less_one(&group.n), group.variance.clone()));
    let variance = Range::maybe(weighted_mean(&weights).as_ref());
    let inverse = |group: &Group| Range::maybe(whole(1).over(&group.n).as_ref());
    Test {
        difference: difference(first, second),
        error: variance.times(inverse(first).plus(inverse(second))).sqrt(),
        df: Range::of(&less_one(&first.n).plus(&less_one(&second.n))),
    }
}
