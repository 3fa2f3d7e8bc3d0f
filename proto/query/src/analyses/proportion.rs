//! `proportion`: which share has something, is it another than expected, and does it differ between
//! groups? Wilson's intervals, the score test, and the difference of two shares after Newcombe.

use num_rational::BigRational;
use num_traits::One;

use super::arguments::{Argument, Arguments, BY, CONFIDENCE, IS, TABLE, WHERE, refuse};
use super::distribution::{normal_critical, normal_two_sided};
use super::range::{Range, float};
use super::report::{Grid, Report};
use super::strata::{Counts, share, sum};
use super::{Definition, Expansion, Run};
use crate::codebook::Codebook;
use crate::combine::{Interval, Released};
use crate::problem::Problem;

pub(super) const DEFINITION: Definition = Definition {
    name: "proportion",
    version: 1,
    about: "Which share has it, and does it differ between groups? Wilson, score test, Newcombe",
    arguments: &[
        Argument::needed("outcome", "COLUMN", "The column that says who has it"),
        IS,
        BY,
        Argument::optional(
            "expected",
            "SHARE",
            "The share that each group's is compared with",
        ),
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    if let Some(expected) = arguments.number("expected")?
        && (expected <= 0.0 || expected >= 1.0)
    {
        return Err(refuse("`expected` lies between 0 and 1, such as 0.2"));
    }
    let by = arguments.get("by").map(|_| arguments.key("by"));
    let outcome = arguments.column("outcome")?.to_owned();
    let keys: Vec<String> = by.transpose()?.into_iter().chain([outcome]).collect();
    let (list, table) = (keys.join(", "), arguments.table(codebook)?);
    let condition = arguments.condition(None, codebook);
    Ok(Expansion {
        sql: format!("SELECT {list}, count(*) AS n FROM {table}{condition} GROUP BY {list}"),
        keys: keys.len(),
    })
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let counts = Counts::read(released);
    let mut report = Report::of(released, &counts.sites);
    if !counts.unseen.is_empty() {
        let names = counts.unseen.join(", ");
        report.remark(format!(
            "Left out, because no node released anything of it: {names}."
        ));
    }
    let [names, outcomes] = &counts.names;
    let at = counts.outcome(arguments.get(IS.name));
    let (Some(at), false) = (at, counts.sites.is_empty()) else {
        if !counts.sites.is_empty() {
            report.remark("No node released persons with the value of those who have it.");
        }
        return report;
    };
    if let Some(outcome) = outcomes.get(at) {
        report.remark(format!("Shares are of `{outcome}`."));
    }
    let groups: Vec<Split> = counts
        .all
        .iter()
        .filter_map(|row| Split::of(row, at))
        .collect();
    let level = arguments.level();
    let expected = arguments.exact("expected");
    report.tables.push(each(names, &groups, level, expected));
    if let ([first, second], [with, against]) = (names.as_slice(), groups.as_slice()) {
        report.tables.push(compare(with, against, level));
        report.remark(format!("The difference is `{first}` less `{second}`."));
    }
    report
}

/// Persons with and without it.
struct Split {
    with: Interval,
    without: Interval,
}

/// Score interval of Wilson for `x` with and `y` without it: either end grows with `x` and falls
/// with `y`. The product of both ends is `x²/(n (n + z²))`, so that a small lower end is a quotient
/// and no difference; the upper end is one less the lower end of those without.
fn wilson(x: f64, y: f64, z: f64) -> (f64, f64) {
    let n = x + y;
    let reach = z * (x * y / n + z * z / 4.0).sqrt();
    let low = |x: f64| {
        if x > 0.0 {
            x * x / n / (x + z * z / 2.0 + reach)
        } else {
            0.0
        }
    };
    (low(x), 1.0 - low(y))
}

impl Split {
    fn of(row: &[Interval], at: usize) -> Option<Self> {
        let others = row.iter().enumerate().filter(|(index, _)| *index != at);
        Some(Self {
            with: row.get(at)?.clone(),
            without: sum(others.map(|(_, cell)| cell)),
        })
    }

    fn share(&self) -> Range {
        Range::maybe(share(&self.with, &self.without).as_ref())
    }

    /// The share less another: exactly, because the two may be nearly the same.
    fn less(&self, other: &Interval) -> Range {
        let share = share(&self.with, &self.without);
        Range::maybe(share.map(|share| share.minus(other)).as_ref())
    }

    /// An end of the interval.
    fn end(&self, z: f64, which: fn((f64, f64)) -> f64) -> Range {
        let of = |x: &num_rational::BigRational, y: &num_rational::BigRational| {
            which(wilson(float(x), float(y), z))
        };
        let (x, y) = (&self.with, &self.without);
        let value = of(&x.value, &y.value);
        Range::wide(value, of(&x.low, &y.high), of(&x.high, &y.low), 1e-12)
    }
}

fn each(names: &[String], groups: &[Split], level: f64, expected: Option<BigRational>) -> Grid {
    let tested = expected.iter().flat_map(|_| ["z", "p"]);
    let columns: Vec<&str> = ["with", "n", "share", "from", "to"]
        .into_iter()
        .chain(tested)
        .collect();
    let mut grid = Grid::new("shares", &columns);
    let z = normal_critical(level);
    for (name, group) in names.iter().zip(groups) {
        let n = Range::of(&group.with.plus(&group.without));
        let share = group.share();
        let mut row = vec![
            Range::of(&group.with),
            n,
            share,
            group.end(z, |ends| ends.0),
            group.end(z, |ends| ends.1),
        ];
        if let Some(expected) = &expected {
            let spread = float(&(expected * (BigRational::one() - expected)));
            let spread = Range::point(spread).over(n).sqrt();
            let score = group.less(&Interval::exact(expected.clone())).over(spread);
            row.extend([score, score.abs().probability(normal_two_sided)]);
        }
        grid.line(name.clone(), &row);
    }
    grid
}

/// Two shares: the z test with the common share, and Newcombe's interval (his method 10).
fn compare(first: &Split, second: &Split, level: f64) -> Grid {
    let mut grid = Grid::new("difference", &["difference", "from", "to", "z", "p"]);
    let (one, two) = (first.share(), second.share());
    let share_of_second = share(&second.with, &second.without);
    let difference = share_of_second.map_or(Range::NONE, |second| first.less(&second));
    let common = share(
        &first.with.plus(&second.with),
        &first.without.plus(&second.without),
    );
    let common = Range::maybe(common.as_ref());
    let inverse =
        |split: &Split| Range::point(1.0).over(Range::of(&split.with.plus(&split.without)));
    let spread = common.times(Range::point(1.0).minus(common));
    let error = spread.times(inverse(first).plus(inverse(second))).sqrt();
    let score = difference.over(error);
    let z = normal_critical(level);
    let low = |split: &Split| split.end(z, |ends| ends.0);
    let high = |split: &Split| split.end(z, |ends| ends.1);
    let root = |a: Range, b: Range| a.times(a).plus(b.times(b)).sqrt();
    let down = root(one.minus(low(first)), high(second).minus(two));
    let up = root(high(first).minus(one), two.minus(low(second)));
    let p = score.abs().probability(normal_two_sided);
    grid.line(
        "difference",
        &[
            difference,
            difference.minus(down),
            difference.plus(up),
            score,
            p,
        ],
    );
    grid
}
