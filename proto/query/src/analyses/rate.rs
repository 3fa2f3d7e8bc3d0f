//! `rate`: how many events in how much person-time, and is one group's rate another's? Exact and
//! normal intervals of a count of Poisson, rate ratios and differences.

use super::arguments::{Argument, Arguments, BY, CONFIDENCE, TABLE, WHERE, refuse};
use super::distribution::{normal_critical, normal_two_sided, poisson_interval, ratio_interval};
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::level_name;
use super::{Definition, Expansion, Run};
use crate::codebook::{Codebook, ColumnRef};
use crate::combine::Released;
use crate::problem::Problem;
use crate::question::{Expr, Stat};
use crate::value::Scalar;

/// Names of the two sums in the expansion.
const EVENTS: &str = "events";
const TIME: &str = "time";

/// The measure behind a column of the expansion: measures have an order of their own.
fn measure(released: &Released<'_>, name: &str) -> Option<usize> {
    let mut columns = released.question().output.columns.iter();
    match columns.find(|column| column.name == name)?.expr {
        Expr::Stat { measure, .. } => Some(measure),
        Expr::Key(_) | Expr::Literal(_) | Expr::Binary { .. } => None,
    }
}

/// `events`, a flag or a number per person.
pub(super) const EVENT: Argument = Argument::needed(
    "events",
    "COLUMN",
    "Events of a person: a flag of 0 and 1, or how many",
);

/// `per`, the unit of rates.
pub(super) const PER: Argument = Argument::optional(
    "per",
    "NUMBER",
    "Rates are per so much time, such as 1000; else 1",
);

pub(super) const DEFINITION: Definition = Definition {
    name: "rate",
    version: 1,
    about: "How many events in how much person-time? Rates, their ratios and differences",
    arguments: &[
        EVENT,
        Argument::needed("time", "COLUMN", "Time that each person was observed"),
        BY,
        PER,
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

/// The unit of rates.
pub(super) fn per(arguments: &Arguments) -> Result<f64, Problem> {
    let per = arguments.number("per")?.unwrap_or(1.0);
    if per > 0.0 {
        Ok(per)
    } else {
        Err(refuse("`per` is more than 0, such as 1000"))
    }
}

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    per(arguments)?;
    let (events, time) = (arguments.column("events")?, arguments.column("time")?);
    if events == time {
        return Err(refuse("`events` and `time` are two columns"));
    }
    let table = arguments.table(codebook)?;
    let columns = [events, time].map(|column| ColumnRef {
        table: table.to_owned(),
        column: column.to_owned(),
    });
    let condition = arguments.condition(&columns, codebook);
    let measured = format!("sum({events}) AS events, sum({time}) AS time FROM {table}{condition}");
    Ok(match arguments.get("by") {
        Some(_) => {
            let by = arguments.key("by")?;
            Expansion {
                sql: format!("SELECT {by}, {measured} GROUP BY {by}"),
                keys: 1,
            }
        }
        None => Expansion {
            sql: format!("SELECT {measured}"),
            keys: 0,
        },
    })
}

/// Events and time of one group; never negative.
#[derive(Clone, Copy)]
pub(super) struct Exposed {
    /// Events.
    pub(super) events: Range,
    /// Time observed.
    pub(super) time: Range,
}

impl Exposed {
    /// What some nodes released of a row.
    pub(super) fn read(released: &Released<'_>, row: &[Scalar], sites: &[usize]) -> Option<Self> {
        let sum = |name: &str| {
            let sum = released.statistic(row, measure(released, name)?, Stat::Sum, sites);
            let sum = Range::of(&sum?);
            // Sums of what is never negative are not negative, whatever the grid says.
            let least = |x: f64| if x < 0.0 { 0.0 } else { x };
            (sum.value >= 0.0).then(|| Range {
                low: least(sum.low),
                ..sum
            })
        };
        Some(Self {
            events: sum(EVENTS)?,
            time: sum(TIME)?,
        })
    }

    /// Whether a node released both.
    pub(super) fn is_known(released: &Released<'_>, row: &[Scalar], site: usize) -> bool {
        released.is_exact() || Self::is_released(released, row, site)
    }

    /// Whether a node listed and released both.
    pub(super) fn is_released(released: &Released<'_>, row: &[Scalar], site: usize) -> bool {
        let has = |name: &str| {
            measure(released, name).is_some_and(|measure| released.has(row, measure, site))
        };
        has(EVENTS) && has(TIME)
    }

    /// Events per unit of time.
    pub(super) fn rate(&self) -> Range {
        self.events.over(self.time)
    }
}

/// Groups that were released, the nodes that released all of them, and groups that none released.
pub(super) struct Rates {
    pub(super) groups: Vec<(String, Exposed)>,
    pub(super) sites: Vec<usize>,
    pub(super) unseen: Vec<String>,
}

impl Rates {
    fn read(released: &Released<'_>) -> Self {
        let all: Vec<usize> = (0..released.sites().count()).collect();
        let known = |row: &&[Scalar]| !row.contains(&Scalar::Null);
        let rows: Vec<&[Scalar]> = released.rows().filter(known).collect();
        let some = |row: &&&[Scalar]| {
            let mut sites = all.iter();
            sites.any(|site| Exposed::is_released(released, row, *site))
        };
        let seen: Vec<&[Scalar]> = rows.iter().filter(some).copied().collect();
        let name = |row: &[Scalar]| match row.first() {
            Some(level) => level_name(released, 0, level),
            None => "all".to_owned(),
        };
        let complete = |site: &usize| {
            !seen.is_empty()
                && seen
                    .iter()
                    .all(|row| Exposed::is_known(released, row, *site))
        };
        let sites: Vec<usize> = all.iter().copied().filter(complete).collect();
        let group = |row: &&[Scalar]| Some((name(row), Exposed::read(released, row, &sites)?));
        let unseen = rows.iter().filter(|row| !seen.contains(row));
        Self {
            groups: seen.iter().filter_map(group).collect(),
            unseen: unseen.map(|row| name(row)).collect(),
            sites,
        }
    }
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let rates = Rates::read(released);
    let mut report = Report::of(released, &rates.sites);
    if !rates.unseen.is_empty() {
        let names = rates.unseen.join(", ");
        report.remark(format!("Left out, because no node released it: {names}."));
    }
    if rates.sites.is_empty() {
        return report;
    }
    explain(&mut report, released);
    let (level, per) = (arguments.level(), per(arguments).unwrap_or(1.0));
    report.tables.push(each(&rates.groups, level, per));
    if let [(first, against), others @ ..] = rates.groups.as_slice()
        && !others.is_empty()
    {
        report.tables.extend(compare(against, others, level, per));
        report.remark(format!("Ratios and differences are against `{first}`."));
    }
    report
}

/// What a reader has to know of the persons behind events and time.
pub(super) fn explain(report: &mut Report, released: &Released<'_>) {
    let vague = |name: &str| {
        let facts = measure(released, name).and_then(|measure| released.facts(measure));
        facts.is_some_and(|facts| !facts.complete)
    };
    if vague(EVENTS) || vague(TIME) {
        report.remark(
            "Some persons may have events without time, or time without events: how many values are \
             missing is not public, or the persons are not the same. Declare both columns required, or \
             let WHERE name them.",
        );
    }
}

fn each(groups: &[(String, Exposed)], level: f64, per: f64) -> Grid {
    let columns = [
        "events",
        "time",
        "rate",
        "from",
        "to",
        "from_normal",
        "to_normal",
    ];
    let mut grid = Grid::new("rates", &columns);
    let (z, unit) = (normal_critical(level), Range::point(per));
    for (name, group) in groups {
        let Exposed { events, time } = *group;
        let ends = [0, 1].map(|end| {
            let of = |x: f64| {
                let (low, high) = poisson_interval(x, level);
                if end == 0 { low } else { high }
            };
            events.probability(of).over(time).times(unit)
        });
        let reach = Range::point(z).times(events.sqrt());
        // x - z √x falls below x = z²/4, so its limits are those of its parts.
        let normal = [events.minus(reach), events.plus(reach)].map(|x| x.over(time).times(unit));
        let [low, high] = ends;
        let [low_normal, high_normal] = normal;
        let rate = group.rate().times(unit);
        grid.line(
            name.clone(),
            &[events, time, rate, low, high, low_normal, high_normal],
        );
    }
    grid
}

fn compare(first: &Exposed, others: &[(String, Exposed)], level: f64, per: f64) -> [Grid; 2] {
    let mut ratios = Grid::new(
        "ratios",
        &["ratio", "from", "to", "p", "from_exact", "to_exact"],
    );
    let mut differences = Grid::new("differences", &["difference", "from", "to", "p"]);
    let (z, unit) = (Range::point(normal_critical(level)), Range::point(per));
    let inverse = |x: Range| Range::point(1.0).over(x);
    for (name, other) in others {
        let ratio = other.rate().over(first.rate());
        let error = inverse(first.events).plus(inverse(other.events)).sqrt();
        let (middle, reach) = (ratio.ln(), z.times(error));
        let p = middle.over(error).abs().probability(normal_two_sided);
        let times = first.time.over(other.time);
        let exact = |end: fn((f64, f64)) -> f64| {
            let of = |x: f64, y: f64| end(ratio_interval(x, y, level));
            other.events.probability_of(first.events, of).times(times)
        };
        let row = [
            ratio,
            middle.minus(reach).exp(),
            middle.plus(reach).exp(),
            p,
            exact(|ends| ends.0),
            exact(|ends| ends.1),
        ];
        ratios.line(name.clone(), &row);
        let difference = other.rate().minus(first.rate()).times(unit);
        let spread = |x: &Exposed| x.rate().over(x.time);
        let error = spread(first).plus(spread(other)).sqrt().times(unit);
        let reach = z.times(error);
        let p = difference.over(error).abs().probability(normal_two_sided);
        let row = [
            difference,
            difference.minus(reach),
            difference.plus(reach),
            p,
        ];
        differences.line(name.clone(), &row);
    }
    [ratios, differences]
}
