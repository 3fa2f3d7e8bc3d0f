//! `survival`: what share is still without the event after how long, and do groups differ? The
//! estimate of Kaplan and Meier on a declared grid of time, and the log-rank test stratified by node.

use num_traits::Signed;

use super::arguments::{Argument, Arguments, BY, CONFIDENCE, IS, TABLE, WHERE, refuse};
use super::distribution::normal_critical;
use super::follow_up::{Ends, Point};
use super::logrank;
use super::range::Range;
use super::report::{Grid, Report};
use super::timetable::{Keys, Tables, Timetable};
use super::window::{UNTIL, Window};
use super::{Definition, Expansion, Named, Run};
use crate::codebook::{Codebook, ColumnRef};
use crate::combine::ReleasedTables;
use crate::number::Number;
use crate::problem::Problem;

pub(super) const DEFINITION: Definition = Definition {
    name: "survival",
    version: 1,
    about: "Which share is still without the event after how long? Kaplan-Meier and log-rank",
    arguments: &[
        Argument::needed(
            "time",
            "COLUMN:BAND",
            "Time of follow-up on a declared grid, such as months:6",
        ),
        Argument::needed(
            "event",
            "COLUMN",
            "The column that says whether follow-up ended with the event",
        ),
        IS.about("The value of those who had the event; else the greatest one"),
        BY,
        Argument::optional(
            "merge",
            "BAND",
            "A wider band, such as 12, for intervals of which a node withheld part",
        ),
        UNTIL,
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::Several { expand, finish },
};

/// Names of the tables: wider intervals, which are decided first; who is followed beyond the end; the grid.
const WIDE: &str = "wide";
const BEYOND: &str = "beyond";
const GRID: &str = "grid";

/// The time of follow-up as it is asked for.
struct Time<'a> {
    column: &'a str,
    wide: Option<Number>,
    window: Window,
}

impl<'a> Time<'a> {
    fn read(arguments: &'a Arguments, codebook: &Codebook) -> Result<Self, Problem> {
        let given = arguments.get("time").unwrap_or_default();
        let (column, width) = match given.split_once(':') {
            Some((column, width)) => (column, Some(width)),
            None => (given, None),
        };
        let reference = ColumnRef {
            table: arguments.table(codebook)?.to_owned(),
            column: column.to_owned(),
        };
        let known = codebook.column(&reference);
        if known.is_some_and(|column| !column.ty.is_numeric()) {
            return Err(refuse(
                "`time` is a column of numbers: days or months since the start",
            ));
        }
        let wide = arguments.get("merge").map(|wide| multiple(wide, width));
        let wide = wide.transpose()?;
        let width = width.and_then(|width| width.parse().ok());
        let window = Window::read(arguments, (column, known), (width, wide))?;
        Ok(Self {
            column,
            wide,
            window,
        })
    }
}

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Vec<Named>, Problem> {
    arguments.confidence()?;
    let table = arguments.table(codebook)?;
    let time = Time::read(arguments, codebook)?;
    let fine = arguments.key("time")?;
    let by = arguments.get("by").map(|_| arguments.key("by"));
    let (by, event) = (by.transpose()?, arguments.column("event")?);
    let named = |name: &str, keys: &[&str], conditions: Vec<String>| {
        let all: Vec<&str> = by
            .as_deref()
            .into_iter()
            .chain(keys.iter().copied())
            .collect();
        let list = all.join(", ");
        let (select, grouped) = match all.is_empty() {
            true => (String::new(), String::new()),
            false => (format!("{list}, "), format!(" GROUP BY {list}")),
        };
        let given = arguments.get("where").map(str::to_owned).into_iter();
        let conditions: Vec<String> = given.chain(conditions).collect();
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        Named {
            name: name.to_owned(),
            expansion: Expansion {
                sql: format!("SELECT {select}count(*) AS n FROM {table}{condition}{grouped}"),
                keys: all.len(),
            },
        }
    };
    let within = || time.window.within(time.column);
    let mut tables = Vec::new();
    if let Some(wide) = time.wide {
        let wide = format!("floor({0} / {wide}) * {wide}", time.column);
        tables.push(named(WIDE, &[&wide, event], within()));
    }
    if let Some(beyond) = time.window.beyond(time.column) {
        tables.push(named(BEYOND, &[], vec![beyond]));
    }
    tables.push(named(GRID, &[&fine, event], within()));
    Ok(tables)
}

/// A band that a whole number of narrower ones fill.
fn multiple(wide: &str, narrow: Option<&str>) -> Result<Number, Problem> {
    let wrong =
        || refuse("`merge` is two or more times the band of `time`, such as 12 for months:6");
    let read = |text: &str| text.parse::<Number>().map_err(|_| wrong());
    let (wide, narrow) = (read(wide)?, read(narrow.ok_or_else(wrong)?)?);
    let (large, small) = (wide.to_rational(), narrow.to_rational());
    if !small.is_positive() || large <= small || !(large / small).is_integer() {
        return Err(wrong());
    }
    Ok(wide)
}

fn finish(arguments: &Arguments, tables: &ReleasedTables<'_>) -> Report {
    let Some(released) = tables.get(GRID).or_else(|| tables.first()) else {
        return Report::default();
    };
    let keys = Keys {
        grouped: arguments.get("by").is_some(),
        event: arguments.get("is"),
    };
    let time = Time::read(arguments, released.codebook()).ok();
    let window = time.map(|time| time.window).unwrap_or_default();
    let all = Tables {
        fine: released,
        coarse: tables.get(WIDE),
        beyond: tables.get(BEYOND).zip(window.until),
    };
    let Some(follow) = Timetable::read(&all, keys) else {
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
    if window.from_zero {
        report.remark("Persons whose time lies below 0 are left out.");
    }
    if !follow.merged.is_empty() {
        let merged = follow.merged.iter();
        let merged: Vec<String> = merged.map(|(from, to)| format!("{from} to {to}")).collect();
        report.remark(format!(
            "Merged, because part of the grid within was withheld: {}.",
            merged.join(", ")
        ));
    }
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
    if let Some(until) = window.until {
        report.remark(format!(
            "Who is followed for {until} or longer is at risk until then; `until` shows more or less."
        ));
    } else if follow.open {
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
    follow: &Timetable,
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
fn compare(report: &mut Report, follow: &Timetable, level: f64) {
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
    }
}
