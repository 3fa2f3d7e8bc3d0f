//! `survival`: what share is still without the event after how long, and do groups differ? The
//! estimate of Kaplan and Meier on a declared grid of time, and the log-rank test stratified by node.

use std::collections::BTreeSet;

use super::arguments::{Argument, Arguments, CONFIDENCE, Need, TABLE, WHERE, refuse};
use super::distribution::normal_critical;
use super::follow_up::{Ends, Point};
use super::groups::BY;
use super::logrank;
use super::range::{Range, float};
use super::report::{Grid, Report};
use super::strata::{level_name, plain};
use super::{Definition, Expansion, Run};
use crate::codebook::{Codebook, ColumnRef};
use crate::combine::Released;
use crate::problem::Problem;
use crate::question::{GroupKey, Stat};
use crate::value::Scalar;

/// Where the count of persons stands in the expansion.
const COUNT: usize = 0;

pub(super) const DEFINITION: Definition = Definition {
    name: "survival",
    version: 1,
    about: "Which share is still without the event after how long? Kaplan-Meier and log-rank",
    arguments: &[
        Argument {
            name: "time",
            value: "COLUMN:BAND",
            about: "Time of follow-up on a declared grid, such as months:6",
            need: Need::Always,
        },
        Argument {
            name: "event",
            value: "COLUMN",
            about: "The column that says whether follow-up ended with the event",
            need: Need::Always,
        },
        Argument {
            name: "is",
            value: "VALUE",
            about: "The value of those who had the event; else the greatest one",
            need: Need::Optional,
        },
        BY,
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    let table = arguments.table(codebook)?;
    let time = arguments.key("time")?;
    let name = arguments.get("time").unwrap_or_default();
    let reference = ColumnRef {
        table: table.to_owned(),
        column: name.split(':').next().unwrap_or_default().to_owned(),
    };
    if codebook
        .column(&reference)
        .is_some_and(|column| !column.ty.is_numeric())
    {
        return Err(refuse(
            "`time` is a column of numbers: days or months since the start",
        ));
    }
    let by = arguments
        .get("by")
        .map(|_| arguments.key("by"))
        .transpose()?;
    let event = arguments.column("event")?.to_owned();
    let keys: Vec<String> = by.into_iter().chain([time, event]).collect();
    let (list, condition) = (keys.join(", "), arguments.condition(None, codebook));
    Ok(Expansion {
        sql: format!("SELECT {list}, count(*) AS n FROM {table}{condition} GROUP BY {list}"),
        keys: keys.len(),
    })
}

/// What the nodes released, by group and interval.
struct Follow {
    groups: Vec<(String, Ends)>,
    by_site: Vec<Vec<Ends>>,
    /// Where each interval begins and ends.
    grid: Vec<(f64, f64)>,
    sites: Vec<usize>,
    unseen: Vec<String>,
    event: String,
    /// The last interval also holds whatever lies beyond the bounds of the column.
    open: bool,
}

/// Levels of the keys, which of the last one's is the event, and the cells that some node released.
struct Levels {
    groups: Vec<Option<Scalar>>,
    times: Vec<Scalar>,
    ends: Vec<Scalar>,
    event: Scalar,
    cells: BTreeSet<Vec<Scalar>>,
}

fn key(group: Option<&Scalar>, time: &Scalar, end: &Scalar) -> Vec<Scalar> {
    group.into_iter().chain([time, end]).cloned().collect()
}

impl Levels {
    /// Levels and cells; a cell of which no node released anything is named in `unseen`.
    fn read(
        released: &Released<'_>,
        arguments: &Arguments,
        unseen: &mut Vec<String>,
    ) -> Option<Self> {
        let sites = 0..released.sites().count();
        let seen = |row: &&[Scalar]| sites.clone().any(|site| released.has(row, COUNT, site));
        let whole = |row: &&[Scalar]| !row.contains(&Scalar::Null);
        let (cells, others): (Vec<&[Scalar]>, Vec<&[Scalar]>) =
            released.rows().filter(whole).partition(seen);
        unseen.extend(others.iter().map(|row| {
            let levels = row.iter().enumerate();
            let names = levels.map(|(at, level)| level_name(released, at, level));
            names.collect::<Vec<String>>().join(", ")
        }));
        let levels = |at: usize| -> BTreeSet<Scalar> {
            let found = cells.iter().filter_map(|row| row.get(at));
            found.cloned().collect()
        };
        let grouped = usize::from(arguments.get("by").is_some());
        let groups = if grouped == 1 {
            levels(0).into_iter().map(Some).collect()
        } else {
            vec![None]
        };
        let ends = levels(grouped + 1);
        let event = match arguments.get("is") {
            Some(wanted) => ends.iter().find(|level| plain(level) == wanted),
            None => ends.last(),
        };
        Some(Self {
            groups,
            times: levels(grouped).into_iter().collect(),
            event: event?.clone(),
            ends: ends.into_iter().collect(),
            cells: cells.into_iter().map(<[Scalar]>::to_vec).collect(),
        })
    }

    /// Ends of follow-up of a group at some nodes, all of which released every cell.
    fn ends(&self, released: &Released<'_>, group: Option<&Scalar>, sites: &[usize]) -> Ends {
        let of = |event: bool| -> Vec<Range> {
            let kinds = || {
                self.ends
                    .iter()
                    .filter(|end| (**end == self.event) == event)
            };
            let at = |time: &Scalar| {
                let rows = kinds().map(|end| key(group, time, end));
                let rows = rows.filter(|row| self.cells.contains(row));
                let counts = rows.map(|row| {
                    let count = released.statistic(&row, COUNT, Stat::Count, sites);
                    Range::maybe(count.as_ref())
                });
                counts.fold(Range::point(0.0), Range::plus)
            };
            self.times.iter().map(at).collect()
        };
        Ends {
            events: of(true),
            others: of(false),
        }
    }
}

impl Follow {
    fn read(released: &Released<'_>, arguments: &Arguments) -> Option<Self> {
        let mut unseen = Vec::new();
        let levels = Levels::read(released, arguments, &mut unseen)?;
        let time = usize::from(arguments.get("by").is_some());
        // Where nothing is protected, a cell that a node does not list is empty.
        let has =
            |row: &Vec<Scalar>, site: usize| released.is_exact() || released.has(row, COUNT, site);
        let complete = |site: &usize| levels.cells.iter().all(|row| has(row, *site));
        let sites: Vec<usize> = (0..released.sites().count()).filter(complete).collect();
        let all = |sites: &[usize]| -> Vec<Ends> {
            let groups = levels.groups.iter();
            groups
                .map(|group| levels.ends(released, group.as_ref(), sites))
                .collect()
        };
        let name = |group: &Option<Scalar>| match group {
            Some(level) => level_name(released, 0, level),
            None => "all".to_owned(),
        };
        let grid = grid(released, time, &levels.times)?;
        Some(Self {
            groups: levels.groups.iter().map(name).zip(all(&sites)).collect(),
            by_site: sites.iter().map(|site| all(&[*site])).collect(),
            open: is_open(released, time, &grid),
            event: level_name(released, time + 1, &levels.event),
            grid,
            sites,
            unseen,
        })
    }

    /// Intervals whose end can be told.
    fn shown(&self) -> usize {
        self.grid.len().saturating_sub(usize::from(self.open))
    }
}

/// Beginning and end of each interval; a column without bands has one for each of its values.
fn grid(released: &Released<'_>, key: usize, times: &[Scalar]) -> Option<Vec<(f64, f64)>> {
    let width = match released.group_keys().get(key)? {
        GroupKey::Band { width, .. } => float(&width.to_rational()),
        GroupKey::Column(_) | GroupKey::Period { .. } => 0.0,
    };
    let interval = |time: &Scalar| {
        let from = float(&time.as_number()?.to_rational());
        Some((from, from + width))
    };
    times.iter().map(interval).collect()
}

/// Whether values beyond the upper bound count in the last interval.
fn is_open(released: &Released<'_>, key: usize, grid: &[(f64, f64)]) -> bool {
    let bounds = released.key_column(key).and_then(|column| column.bounds);
    let banded = matches!(released.group_keys().get(key), Some(GroupKey::Band { .. }));
    let last = grid.last().map_or(f64::INFINITY, |(_, end)| *end);
    banded && bounds.is_some_and(|(_, high)| float(&high.to_rational()) < last)
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let Some(follow) = Follow::read(released, arguments) else {
        let mut report = Report::of(released, &[]);
        report.remark("No node released anybody with the value of the event.");
        return report;
    };
    let mut report = Report::of(released, &follow.sites);
    if !follow.unseen.is_empty() {
        let names = follow.unseen.join("; ");
        report.remark(format!(
            "Left out, because no node released anything of it: {names}. Persons whose follow-up ended \
             so, if there are any, are not in these numbers."
        ));
    }
    if follow.sites.is_empty() {
        return report;
    }
    report.remark(format!("The event is `{}`.", follow.event));
    let z = normal_critical(arguments.level());
    let (mut curve, mut median) = (
        Grid::new("curve", &CURVE),
        Grid::new("median", &["after", "by", "from", "to"]),
    );
    for (name, ends) in &follow.groups {
        let points = ends.points();
        write_curve(&mut curve, name, &follow, ends, (&points, z));
        let shown = points.get(..follow.shown()).unwrap_or(&points);
        median.line(name.clone(), &median_of(shown, &follow.grid, z));
    }
    report.tables.extend([curve, median]);
    if follow.groups.len() > 1 {
        compare(&mut report, &follow, arguments.level());
    }
    if follow.open {
        report.remark(
            "The last interval also holds whatever lies beyond the bounds of the time: nothing is said \
             of its end.",
        );
    }
    report
}

const CURVE: [&str; 10] = [
    "time",
    "at_risk",
    "events",
    "censored",
    "survival",
    "standard_error",
    "from",
    "to",
    "from_log",
    "to_log",
];

fn write_curve(
    curve: &mut Grid,
    name: &str,
    follow: &Follow,
    ends: &Ends,
    (points, z): (&[Point], f64),
) {
    let counts = ends.events.iter().zip(&ends.others);
    let rows = follow.grid.iter().zip(points.iter().zip(counts));
    for ((from, to), (point, (events, others))) in rows.take(follow.shown()) {
        if point.at_risk.value <= 0.0 {
            break;
        }
        let ((low, high), (low_log, high_log)) = (point.log_log(z), point.log(z));
        let values = [
            Range::point(*to),
            point.at_risk,
            *events,
            *others,
            point.survival,
            point.error(),
            low,
            high,
            low_log,
            high_log,
        ];
        let edge = if from < to {
            format!("before {to}")
        } else {
            format!("at {to}")
        };
        curve.line(format!("{name}, {edge}"), &values);
    }
}

/// An end of an interval.
type Edge = fn(&(f64, f64)) -> f64;

/// When half have had the event: after the beginning and by the end of an interval, and the beginning
/// and end of those where the limits of the confidence interval cross one half.
fn median_of(points: &[Point], grid: &[(f64, f64)], z: f64) -> [Range; 4] {
    let crossed = |of: &dyn Fn(&Point) -> f64, edge: Edge, none: f64| {
        let at = points.iter().position(|point| of(point) <= 0.5);
        at.and_then(|at| grid.get(at)).map_or(none, edge)
    };
    let range = |of: &dyn Fn(&Point) -> Range, edge: Edge| Range {
        value: crossed(&|point| of(point).value, edge, f64::NAN),
        low: crossed(&|point| of(point).low, edge, f64::INFINITY),
        high: crossed(&|point| of(point).high, edge, f64::INFINITY),
    };
    let (begin, end): (Edge, Edge) = (|interval| interval.0, |interval| interval.1);
    [
        range(&|point| point.survival, begin),
        range(&|point| point.survival, end),
        range(&|point| point.log_log(z).0, begin),
        range(&|point| point.log_log(z).1, end),
    ]
}

/// Log-rank tests of all persons and stratified by node.
fn compare(report: &mut Report, follow: &Follow, level: f64) {
    let pooled: Vec<Ends> = follow.groups.iter().map(|(_, ends)| ends.clone()).collect();
    let mut kinds = vec![("all", vec![pooled])];
    if follow.by_site.len() > 1 {
        kinds.push(("stratified_by_node", follow.by_site.clone()));
    }
    report.tables.extend(logrank::tables(&kinds, level));
    if let [(first, _), (second, _)] = follow.groups.as_slice() {
        report.remark(format!(
            "The hazard ratio is `{second}` over `{first}`, in Peto's one step from the test; it is \
             approximate where it is far from 1."
        ));
    } else if !report.tables.iter().all(is_exact) {
        report.remark("Limits of a log-rank test of more than two groups are not computed.");
    }
}

fn is_exact(grid: &Grid) -> bool {
    let entries = grid.rows.iter().flat_map(|line| line.values.values());
    entries.into_iter().all(|entry| entry.lower == entry.upper)
}
