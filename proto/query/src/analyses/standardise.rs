//! `standardise`: what would a rate or share be if every group had the same strata (ages, say)? Direct
//! standardisation to given weights, and indirect standardisation by given rates.

use super::arguments::{Argument, Arguments, BY, CONFIDENCE, TABLE, WHERE, refuse};
use super::distribution::{normal_critical, normal_two_sided, poisson_interval};
use super::levels::Must;
use super::range::Range;
use super::rate::{EVENT, Exposed, PER, explain, per};
use super::report::{Grid, Report};
use super::strata::{level_name, plain};
use super::{Definition, Expansion, Run};
use crate::codebook::{Codebook, ColumnRef};
use crate::combine::Released;
use crate::problem::Problem;
use crate::question::Stat;
use crate::value::Scalar;

pub(super) const DEFINITION: Definition = Definition {
    name: "standardise",
    version: 1,
    about: "What would rates be if all groups had the same strata? Direct and indirect",
    arguments: &[
        EVENT,
        Argument::optional(
            "time",
            "COLUMN",
            "Time that each person was observed; without it shares of persons are standardised",
        ),
        Argument::needed("strata", "COLUMN[:BAND]", "The strata, such as age:10"),
        BY,
        Argument::optional(
            "standard",
            "LEVEL=WEIGHT,...",
            "Direct: persons of the standard population by stratum, or @FILE with a line each",
        )
        .must(Must::LevelsOfLast),
        Argument::optional(
            "rates",
            "LEVEL=RATE,...",
            "Indirect: rates of the standard population by stratum, or @FILE with a line each",
        )
        .must(Must::LevelsOfLast),
        PER,
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    per(arguments)?;
    let (weights, rates) = (arguments.pairs("standard")?, arguments.pairs("rates")?);
    if weights.is_some() == rates.is_some() {
        return Err(refuse(
            "give `standard` (direct) or `rates` (indirect), one of them",
        ));
    }
    let table = arguments.table(codebook)?;
    let events = arguments.column("events")?;
    let time = arguments
        .get("time")
        .map(|_| arguments.column("time"))
        .transpose()?;
    if time == Some(events) {
        return Err(refuse("`events` and `time` are two columns"));
    }
    let columns: Vec<ColumnRef> = [Some(events), time]
        .into_iter()
        .flatten()
        .map(|column| ColumnRef {
            table: table.to_owned(),
            column: column.to_owned(),
        })
        .collect();
    if time.is_none() && !columns.iter().all(|column| is_flag(column, codebook)) {
        return Err(refuse(
            "without `time`, `events` is a flag of 0 and 1: shares of persons are standardised",
        ));
    }
    let condition = arguments.condition(&columns, codebook);
    let by = arguments
        .get("by")
        .map(|_| arguments.key("by"))
        .transpose()?;
    let keys: Vec<String> = by.into_iter().chain([arguments.key("strata")?]).collect();
    let time = time
        .map(|time| format!(", sum({time}) AS time"))
        .unwrap_or_default();
    let list = keys.join(", ");
    Ok(Expansion {
        sql: format!(
            "SELECT {list}, sum({events}) AS events{time} FROM {table}{condition} GROUP BY {list}"
        ),
        keys: keys.len(),
    })
}

/// Whether a column has no values but 0 and 1; one that there is not is refused elsewhere.
fn is_flag(column: &ColumnRef, codebook: &Codebook) -> bool {
    codebook.column(column).is_none_or(|column| {
        let mut domain = column.domain.iter().flatten();
        column.domain.is_some() && domain.all(|(value, _)| ["0", "1"].contains(&&*plain(value)))
    })
}

/// One stratum of one group.
struct Stratum {
    group: String,
    name: String,
    events: Range,
    exposure: Range,
    rate: Range,
    /// Of the rate.
    variance: Range,
}

/// Where the events stand in the expansion.
const EVENTS: usize = 0;

/// Whether a node released all of a row.
fn is_known(released: &Released<'_>, row: &[Scalar], site: usize, timed: bool) -> bool {
    if timed {
        return Exposed::is_known(released, row, site);
    }
    released.is_exact() || released.has(row, EVENTS, site)
}

impl Stratum {
    fn read(released: &Released<'_>, row: &[Scalar], sites: &[usize], timed: bool) -> Option<Self> {
        let level = row.last()?;
        let group = match row {
            [group, _] => level_name(released, 0, group),
            _ => "all".to_owned(),
        };
        let (events, exposure, rate, variance) = if timed {
            let exposed = Exposed::read(released, row, sites)?;
            let rate = exposed.rate();
            (exposed.events, exposed.time, rate, rate.over(exposed.time))
        } else {
            let of = |stat: Stat| released.statistic(row, EVENTS, stat, sites);
            let (events, n) = (Range::of(&of(Stat::Sum)?), Range::of(&of(Stat::Count)?));
            let share = Range::of(&of(Stat::Mean)?);
            let spread = share.times(Range::point(1.0).minus(share));
            (events, n, share, spread.over(n))
        };
        Some(Self {
            group,
            name: level_name(released, row.len() - 1, level),
            events,
            exposure,
            rate,
            variance,
        })
    }
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let timed = arguments.get("time").is_some();
    let direct = arguments.pairs("standard").ok().flatten();
    let standard = direct.clone().or(arguments.pairs("rates").ok().flatten());
    let standard = standard.unwrap_or_default();
    let given = |row: &[Scalar]| {
        row.last()
            .and_then(|level| standard.get(&plain(level)))
            .copied()
    };
    let all: Vec<usize> = (0..released.sites().count()).collect();
    let known = |row: &&[Scalar]| !row.contains(&Scalar::Null);
    let (wanted, other): (Vec<&[Scalar]>, Vec<&[Scalar]>) = released
        .rows()
        .filter(known)
        .partition(|row| given(row).is_some());
    let some = |row: &&&[Scalar]| {
        let measures = if timed { 0..2 } else { 0..1 };
        all.iter().any(|site| {
            measures
                .clone()
                .all(|measure| released.has(row, measure, *site))
        })
    };
    let seen: Vec<&[Scalar]> = wanted.iter().filter(some).copied().collect();
    let known = |site: usize| seen.iter().all(|row| is_known(released, row, site, timed));
    let complete = |site: &usize| !seen.is_empty() && known(*site);
    let sites: Vec<usize> = all.iter().copied().filter(complete).collect();
    let mut report = Report::of(released, &sites);
    remarks(&mut report, released, &wanted, &seen, &other);
    let strata: Vec<(f64, Stratum)> = seen
        .iter()
        .filter_map(|row| Some((given(row)?, Stratum::read(released, row, &sites, timed)?)))
        .collect();
    if sites.is_empty() || strata.is_empty() {
        return report;
    }
    if timed {
        explain(&mut report, released);
    }
    let (level, unit) = (arguments.level(), per(arguments).unwrap_or(1.0));
    report.tables.push(each(&strata, unit, timed));
    if direct.is_some() {
        report.tables.extend(directly(&strata, level, unit));
    } else {
        report.tables.push(indirectly(&strata, level, unit));
    }
    report
}

fn remarks(
    report: &mut Report,
    released: &Released<'_>,
    wanted: &[&[Scalar]],
    seen: &[&[Scalar]],
    other: &[&[Scalar]],
) {
    let name = |row: &&[Scalar]| {
        let levels = row.iter().enumerate();
        let names: Vec<String> = levels
            .map(|(key, level)| level_name(released, key, level))
            .collect();
        names.join(", ")
    };
    let unseen: Vec<String> = wanted
        .iter()
        .filter(|row| !seen.contains(row))
        .map(name)
        .collect();
    if !unseen.is_empty() {
        report.remark(format!(
            "Left out, because no node released it: {}. The standard is that of the other strata.",
            unseen.join("; ")
        ));
    }
    let has_some = |row: &&&[Scalar]| {
        (0..released.sites().count()).any(|site| released.has(row, EVENTS, site))
    };
    let strange: Vec<String> = other.iter().filter(has_some).map(name).collect();
    if !strange.is_empty() {
        report.remark(format!(
            "Not in the standard, so not in these numbers: {}.",
            strange.join("; ")
        ));
    }
}

fn each(strata: &[(f64, Stratum)], unit: f64, timed: bool) -> Grid {
    let exposure = if timed { "time" } else { "n" };
    let mut grid = Grid::new("strata", &["events", exposure, "rate", "standard"]);
    for (given, stratum) in strata {
        let name = if stratum.group == "all" {
            stratum.name.clone()
        } else {
            format!("{}, {}", stratum.group, stratum.name)
        };
        let rate = stratum.rate.times(Range::point(unit));
        let row = [stratum.events, stratum.exposure, rate, Range::point(*given)];
        grid.line(name, &row);
    }
    grid
}

/// Strata of each group, groups in their order.
fn by_group(strata: &[(f64, Stratum)]) -> Vec<(&str, Vec<&(f64, Stratum)>)> {
    let mut groups: Vec<(&str, Vec<&(f64, Stratum)>)> = Vec::new();
    for stratum in strata {
        match groups.iter_mut().find(|(name, _)| *name == stratum.1.group) {
            Some((_, members)) => members.push(stratum),
            None => groups.push((&stratum.1.group, vec![stratum])),
        }
    }
    groups
}

fn total(parts: impl Iterator<Item = Range>) -> Range {
    parts.fold(Range::point(0.0), Range::plus)
}

/// A standardised rate with its variance.
struct Direct {
    rate: Range,
    variance: Range,
}

impl Direct {
    fn of(members: &[&(f64, Stratum)]) -> Self {
        let weights: f64 = members.iter().map(|(weight, _)| weight).sum();
        let part = |weight: &f64| Range::point(weight / weights);
        let rate = total(members.iter().map(|(w, s)| part(w).times(s.rate)));
        let square = |(weight, stratum): &&(f64, Stratum)| {
            part(weight).times(part(weight)).times(stratum.variance)
        };
        Self {
            rate,
            variance: total(members.iter().map(square)),
        }
    }

    /// Relative standard error.
    fn relative(&self) -> Range {
        self.variance.sqrt().over(self.rate)
    }
}

fn directly(strata: &[(f64, Stratum)], level: f64, unit: f64) -> Vec<Grid> {
    let columns = [
        "crude",
        "standardised",
        "standard_error",
        "from",
        "to",
        "from_log",
        "to_log",
    ];
    let mut grid = Grid::new("direct", &columns);
    let mut ratios = Grid::new("ratios", &["ratio", "from", "to", "p"]);
    let (z, unit) = (Range::point(normal_critical(level)), Range::point(unit));
    let mut first: Option<Direct> = None;
    for (name, members) in by_group(strata) {
        let events = total(members.iter().map(|(_, stratum)| stratum.events));
        let exposure = total(members.iter().map(|(_, stratum)| stratum.exposure));
        let direct = Direct::of(&members);
        let (error, log) = (direct.variance.sqrt(), direct.rate.ln());
        let (reach, apart) = (z.times(error), z.times(direct.relative()));
        let row = [
            events.over(exposure),
            direct.rate,
            error,
            direct.rate.minus(reach),
            direct.rate.plus(reach),
            log.minus(apart).exp(),
            log.plus(apart).exp(),
        ];
        grid.line(name, &row.map(|value| value.times(unit)));
        let Some(against) = &first else {
            first = Some(direct);
            continue;
        };
        let ratio = direct.rate.over(against.rate);
        let (one, two) = (direct.relative(), against.relative());
        let error = one.times(one).plus(two.times(two)).sqrt();
        let (middle, reach) = (ratio.ln(), z.times(error));
        let p = middle.over(error).abs().probability(normal_two_sided);
        let ends = [middle.minus(reach).exp(), middle.plus(reach).exp()];
        ratios.line(name, &[ratio, ends[0], ends[1], p]);
    }
    let mut grids = vec![grid];
    grids.extend((!ratios.rows.is_empty()).then_some(ratios));
    grids
}

/// Observed events against those that the given rates would make.
fn indirectly(strata: &[(f64, Stratum)], level: f64, unit: f64) -> Grid {
    let mut grid = Grid::new("indirect", &["observed", "expected", "ratio", "from", "to"]);
    for (name, members) in by_group(strata) {
        let observed = total(members.iter().map(|(_, stratum)| stratum.events));
        let expected =
            |(rate, stratum): &&(f64, Stratum)| stratum.exposure.times(Range::point(rate / unit));
        let expected = total(members.iter().map(expected));
        let end = |which: fn((f64, f64)) -> f64| {
            let of = |x: f64| which(poisson_interval(x, level));
            observed.probability(of).over(expected)
        };
        let row = [
            observed,
            expected,
            observed.over(expected),
            end(|ends| ends.0),
            end(|ends| ends.1),
        ];
        grid.line(name, &row);
    }
    grid
}
