//! `table1`: who was studied? Persons, means and quartiles of numbers, shares of levels, by group,
//! with standardised differences: the first table of a paper, in one question.

use super::arguments::{Argument, Arguments, BY, TABLE, WHERE, no_column, refuse};
use super::bands::{self, Bands, Distribution, Total};
use super::groups::{Group, Groups, less_one, weighted_mean};
use super::quantile::quantile;
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::{level_name, share, whole};
use super::{Definition, Expansion, Named, Run};
use crate::codebook::{Codebook, Column, ColumnRef, Role};
use crate::combine::{Interval, Released, ReleasedTables};
use crate::domain::is_value_counts;
use crate::number::Number;
use crate::problem::{Code, Problem};
use crate::question::{GroupKey, Measure, Stat};
use crate::value::{ColumnType, Scalar};

pub(super) const DEFINITION: Definition = Definition {
    name: "table1",
    version: 1,
    about: "Who was studied? Persons, means, quartiles and shares by group, with standardised differences",
    arguments: &[
        Argument::needed(
            "variables",
            "COLUMN[:BAND],...",
            "What to describe, separated by commas: numbers by mean and quartiles, levels by share; column:10 chooses the bands of the quartiles",
        ),
        BY,
        TABLE,
        WHERE,
    ],
    run: Run::Several { expand, finish },
};

/// Name of the table of all persons, and of the tables of a variable.
const PERSONS: &str = "persons";
const MEAN: &str = "mean_";
const BANDS: &str = "bands_";
const LEVELS: &str = "levels_";

/// Where a count stands in its table, and moments in theirs.
const FIRST: usize = 0;

/// Most variables of one question.
const VARIABLES: usize = 30;

/// One variable as it was named.
struct Variable<'a> {
    name: &'a str,
    band: Option<Number>,
    column: &'a Column,
    reference: ColumnRef,
}

impl Variable<'_> {
    /// Whether it is described by its mean.
    fn is_number(&self) -> bool {
        let few = is_value_counts(self.column) && self.column.has(Role::Group);
        self.column.has(Role::Value) && self.column.ty.is_numeric() && !few
    }
}

fn variables<'a>(
    arguments: &'a Arguments,
    codebook: &'a Codebook,
) -> Result<Vec<Variable<'a>>, Problem> {
    let table = arguments.table(codebook)?;
    let mut found: Vec<Variable<'a>> = Vec::new();
    for item in arguments.get("variables").unwrap_or_default().split(',') {
        let (name, band) = match item.trim().split_once(':') {
            Some((name, band)) => (name, Some(bands::read_width("variables", band)?)),
            None => (item.trim(), None),
        };
        let reference = ColumnRef {
            table: table.to_owned(),
            column: name.to_owned(),
        };
        let unknown = || no_column(Code("V900"), table, name, codebook);
        let column = codebook.column(&reference).ok_or_else(unknown)?;
        if found.iter().any(|other| other.name == name) {
            return Err(refuse(format!("`{name}` is named twice")));
        }
        if column.ty == ColumnType::Date {
            return Err(refuse(format!(
                "`{name}` is a date, which has neither mean nor levels"
            )));
        }
        found.push(Variable {
            name,
            band,
            column,
            reference,
        });
    }
    if found.len() > VARIABLES {
        return Err(refuse(format!(
            "at most {VARIABLES} variables in one question"
        )));
    }
    Ok(found)
}

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Vec<Named>, Problem> {
    let table = arguments.table(codebook)?;
    let by = match arguments.get("by") {
        Some(_) => Some(arguments.key("by")?),
        None => None,
    };
    let asked = |name: String, what: &str, key: Option<&str>, condition: &str| {
        let keys: Vec<&str> = by.iter().map(String::as_str).chain(key).collect();
        let listed = keys.iter().fold(String::new(), |all, key| all + key + ", ");
        let grouped = match keys.as_slice() {
            [] => String::new(),
            keys => format!(" GROUP BY {}", keys.join(", ")),
        };
        Named {
            name,
            expansion: Expansion {
                sql: format!("SELECT {listed}{what} FROM {table}{condition}{grouped}"),
                keys: keys.len(),
            },
        }
    };
    let count = "count(*) AS n";
    let everybody = arguments.condition(None, codebook);
    let mut tables = vec![asked(PERSONS.to_owned(), count, None, &everybody)];
    for variable in variables(arguments, codebook)? {
        let (name, column) = (variable.name, variable.column);
        let banded = |width: &dyn std::fmt::Display| format!("floor({name} / {width}) * {width}");
        if !variable.is_number() {
            let key = variable
                .band
                .map_or(name.to_owned(), |width| banded(&width));
            tables.push(asked(
                format!("{LEVELS}{name}"),
                count,
                Some(&key),
                &everybody,
            ));
            continue;
        }
        let known = arguments.condition(Some(&variable.reference), codebook);
        let moments = format!("avg({name}) AS mean, stddev({name}) AS sd");
        tables.push(asked(format!("{MEAN}{name}"), &moments, None, &known));
        let can_be_banded = column.has(Role::Group) && !column.bands.is_empty();
        if variable.band.is_some() || can_be_banded {
            let width = bands::width(column, variable.band)?;
            tables.push(asked(
                format!("{BANDS}{name}"),
                count,
                Some(&banded(&width)),
                &known,
            ));
        }
    }
    Ok(tables)
}

/// A line of the table: one value per group, one of all, and the standardised difference.
struct Row {
    name: String,
    groups: Vec<Range>,
    all: Range,
    difference: Option<Range>,
}

fn finish(_: &Arguments, released: &ReleasedTables<'_>) -> Report {
    let Some(persons) = released.get(PERSONS).or(released.first()) else {
        return Report::default();
    };
    let mut table = Table1::of(persons);
    let mut report = Report::of(persons, &table.sites);
    if table.sites.is_empty() {
        return report;
    }
    table.persons();
    for (name, found) in released.iter() {
        if let Some(variable) = name.strip_prefix(MEAN) {
            table.numbers(variable, found, released.get(&format!("{BANDS}{variable}")));
        } else if let Some(variable) = name.strip_prefix(LEVELS) {
            table.levels(variable, found);
        }
    }
    for remark in std::mem::take(&mut table.remarks) {
        report.remark(remark);
    }
    report.tables.push(table.grid());
    report
}

/// The table in the making.
struct Table1<'a> {
    persons: &'a Released<'a>,
    sites: Vec<usize>,
    /// Names and numbers of persons of the groups; without groups there is none.
    groups: Vec<(String, Interval)>,
    everybody: Interval,
    rows: Vec<Row>,
    remarks: Vec<String>,
}

impl<'a> Table1<'a> {
    fn of(persons: &'a Released<'a>) -> Self {
        let all: Vec<usize> = (0..persons.sites().count()).collect();
        let known = |row: &&[Scalar]| !row.contains(&Scalar::Null);
        let some = |row: &&[Scalar]| all.iter().any(|site| persons.has(row, FIRST, *site));
        let rows: Vec<&[Scalar]> = persons.rows().filter(known).filter(some).collect();
        let unseen = persons.rows().filter(known).filter(|row| !some(row));
        let unseen = unseen.filter_map(|row| Some(level_name(persons, 0, row.first()?)));
        let unseen: Vec<String> = unseen.collect();
        let remark = || left_out("persons", &unseen);
        let complete = |site: &usize| {
            let has = |row: &&[Scalar]| persons.has(row, FIRST, *site) || persons.is_exact();
            !rows.is_empty() && rows.iter().all(has)
        };
        let sites: Vec<usize> = all.iter().copied().filter(complete).collect();
        let count = |row: &[Scalar]| persons.statistic(row, FIRST, Stat::Count, &sites);
        let count = |row: &[Scalar]| count(row).unwrap_or_else(|| whole(0));
        let group = |row: &&[Scalar]| {
            let level = row.first()?;
            Some((level_name(persons, 0, level), count(row)))
        };
        let everybody = rows.iter().fold(whole(0), |sum, row| sum.plus(&count(row)));
        Self {
            persons,
            groups: rows.iter().filter_map(group).collect(),
            sites,
            everybody,
            remarks: (!unseen.is_empty()).then(remark).into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// A line with a value for every group by name, in the order of the columns.
    fn line(
        &mut self,
        name: String,
        all: Range,
        value: impl Fn(&str) -> Range,
        difference: Option<Range>,
    ) {
        let groups = self.groups.iter().map(|(group, _)| value(group)).collect();
        self.rows.push(Row {
            name,
            groups,
            all,
            difference,
        });
    }

    fn persons(&mut self) {
        let counts = self.groups.clone();
        let of = |name: &str| {
            let found = counts.iter().find(|(group, _)| group == name);
            Range::maybe(found.map(|(_, n)| n))
        };
        let all = Range::of(&self.everybody);
        self.line("persons: n".to_owned(), all, of, None);
    }

    /// What is said once of a variable that fewer nodes are in.
    fn told_by(&mut self, variable: &str, sites: &[usize], of: &Released<'_>) {
        let names = of.sites().enumerate();
        let missing: Vec<&str> = names
            .filter(|(site, _)| self.sites.contains(site) && !sites.contains(site))
            .map(|(_, name)| name)
            .collect();
        if !missing.is_empty() {
            let names = missing.join(", ");
            self.remarks.push(format!(
                "Not in `{variable}`, because they withheld part of it: {names}."
            ));
        }
    }

    fn numbers(&mut self, name: &str, means: &Released<'_>, banded: Option<&Released<'_>>) {
        let found = Groups::read(means);
        self.told_by(name, &found.sites, means);
        if !found.unseen.is_empty() {
            self.remarks.push(left_out(name, &found.unseen));
        }
        let groups = &found.all;
        let all = together(groups);
        let of = |pick: fn(&Group) -> Range| {
            let by_name = move |group: &str| {
                let found = groups.iter().find(|known| known.name == group);
                found.map_or(Range::NONE, pick)
            };
            (all.as_ref().map_or(Range::NONE, pick), by_name)
        };
        let (every, each) = of(|group| Range::of(&group.n));
        self.line(format!("{name}: n"), every, each, None);
        self.missing(name, means, groups);
        let (every, each) = of(|group| Range::of(&group.mean));
        let difference = match groups.as_slice() {
            [first, second] => Some(standardised(first, second)),
            _ => None,
        };
        self.line(format!("{name}: mean"), every, each, difference);
        let (every, each) = of(|group| Range::of(&group.variance).sqrt());
        self.line(format!("{name}: sd"), every, each, None);
        if let Some(banded) = banded {
            let total = Total {
                of: means,
                measure: FIRST,
                all_have_a_band: true,
            };
            let found = Distribution::of(banded, Some(total));
            self.told_by(&format!("{name}: quartiles"), &found.sites, banded);
            if !found.unseen.is_empty() {
                self.remarks
                    .push(left_out(&format!("{name}: quartiles"), &found.unseen));
            }
            let all = Bands::together(&found.groups);
            for (label, level) in [("median", "0.5"), ("q1", "0.25"), ("q3", "0.75")] {
                let every = all.as_ref().map_or(Range::NONE, |all| quantile(all, level));
                let each = |group: &str| {
                    let bands = found.groups.iter().find(|known| known.name == group);
                    bands.map_or(Range::NONE, |bands| quantile(bands, level))
                };
                self.line(format!("{name}: {label}"), every, each, None);
            }
        }
    }

    /// How many have no value, where the codebook lets everybody know.
    fn missing(&mut self, name: &str, means: &Released<'_>, groups: &[Group]) {
        let column = match means.question().measures.first() {
            Some(Measure::Moments { column } | Measure::ValueCounts { column }) => column,
            _ => return,
        };
        let public = means.codebook().column(column);
        if !public.is_some_and(|column| column.missing_public) {
            return;
        }
        let sites: Vec<usize> = Groups::read(means).sites;
        if sites != self.sites {
            return;
        }
        let less = |all: &Interval, known: &Interval| {
            let zero = whole(0).value;
            all.minus(known).map(|end| end.clone().max(zero.clone()))
        };
        let counts = self.groups.clone();
        let of = |group: &str| {
            let known = groups.iter().find(|known| known.name == group);
            let all = counts.iter().find(|(name, _)| name == group);
            Range::maybe(all.zip(known).map(|((_, n), g)| less(n, &g.n)).as_ref())
        };
        let known = groups
            .iter()
            .fold(whole(0), |sum, group| sum.plus(&group.n));
        let all = Range::of(&less(&self.everybody, &known));
        self.line(format!("{name}: missing"), all, of, None);
    }

    fn levels(&mut self, name: &str, counts: &Released<'_>) {
        let column = counts.group_keys().last().map(GroupKey::column);
        let column = column.and_then(|column| counts.codebook().column(column));
        let total = Total {
            of: self.persons,
            measure: FIRST,
            all_have_a_band: column.is_some_and(|column| column.required),
        };
        let (levels, found) = Distribution::of_levels(counts, Some(total));
        self.told_by(name, &found.sites, counts);
        if !found.unseen.is_empty() {
            self.remarks.push(left_out(name, &found.unseen));
        }
        let all = Bands::together(&found.groups);
        let key = counts.group_keys().len().saturating_sub(1);
        for (at, level) in levels.iter().enumerate() {
            let n = |bands: &Bands| Range::maybe(bands.shown(at).as_ref());
            let part = |bands: &Bands| {
                let others = bands.mass(|other| other != at);
                let share = bands.shown(at).and_then(|n| share(&n, &others));
                Range::maybe(share.as_ref())
            };
            let label = level_name(counts, key, level);
            let find = |group: &str| found.groups.iter().find(|known| known.name == group);
            let none = Range::NONE;
            let every = all.as_ref().map_or(none, n);
            self.line(
                format!("{label}: n"),
                every,
                |g| find(g).map_or(none, n),
                None,
            );
            let every = all.as_ref().map_or(none, part);
            let difference = match found.groups.as_slice() {
                [first, second] => Some(standardised_share(part(first), part(second))),
                _ => None,
            };
            let each = |group: &str| find(group).map_or(none, part);
            self.line(format!("{label}: share"), every, each, difference);
        }
        self.unknown_level(name, counts, &found);
    }

    /// How many have no level, where the codebook lets everybody know.
    fn unknown_level(&mut self, name: &str, counts: &Released<'_>, found: &Distribution) {
        let column = counts.group_keys().last().map(GroupKey::column);
        let public = column.and_then(|column| counts.codebook().column(column));
        if !public.is_some_and(|column| column.missing_public) {
            return;
        }
        let rows: Vec<&[Scalar]> = counts
            .rows()
            .filter(|row| row.last() == Some(&Scalar::Null))
            .collect();
        let count = |row: &[Scalar]| counts.statistic(row, FIRST, Stat::Count, &found.sites);
        let parts: Vec<Option<Interval>> = rows.iter().map(|row| count(row)).collect();
        let all: Option<Vec<Interval>> = parts.into_iter().collect();
        let all = all.map(|parts| parts.iter().fold(whole(0), |sum, part| sum.plus(part)));
        let of = |group: &str| {
            let is_group = |row: &&&[Scalar]| {
                let level = row.split_last().and_then(|(_, rest)| rest.first());
                level.is_some_and(|level| level_name(counts, 0, level) == group)
            };
            let row = rows.iter().find(is_group);
            Range::maybe(row.and_then(|row| count(row)).as_ref())
        };
        self.line(
            format!("{name}: missing"),
            Range::maybe(all.as_ref()),
            of,
            None,
        );
    }

    /// The columns: groups, all of them together, and for two groups how far they are apart.
    fn grid(self) -> Grid {
        let names = self.groups.iter().map(|(name, _)| name.as_str());
        let two = (self.groups.len() == 2).then_some("standardised_difference");
        let columns: Vec<&str> = names.chain(["all"]).chain(two).collect();
        let mut grid = Grid::new("table1", &columns);
        for row in self.rows {
            let values = row.groups.into_iter().chain([row.all]);
            let values: Vec<Range> = values
                .chain(row.difference.filter(|_| two.is_some()))
                .collect();
            grid.line(row.name, &values);
        }
        grid
    }
}

/// What is said of groups that are in no number of a variable.
fn left_out(variable: &str, groups: &[String]) -> String {
    let names = groups.join(", ");
    format!("Left out of `{variable}`, because no node released it: {names}.")
}

/// All groups as one: its mean is the weighted one, its variance that of all persons.
fn together(groups: &[Group]) -> Option<Group> {
    let items: Vec<(Interval, Interval)> = groups
        .iter()
        .map(|group| (group.n.clone(), group.mean.clone()))
        .collect();
    let n = groups
        .iter()
        .fold(whole(0), |sum, group| sum.plus(&group.n));
    let mut squares = whole(0);
    for (at, group) in groups.iter().enumerate() {
        squares = squares.plus(&less_one(&group.n).times(&group.variance));
        for other in groups.iter().skip(at.saturating_add(1)) {
            let apart = group.mean.minus(&other.mean).squared();
            let between = group.n.times(&other.n).times(&apart).over(&n)?;
            squares = squares.plus(&between);
        }
    }
    Some(Group {
        name: "all".to_owned(),
        mean: weighted_mean(&items)?,
        variance: squares.over(&less_one(&n))?,
        n,
    })
}

/// Difference of two means in pooled standard deviations.
fn standardised(first: &Group, second: &Group) -> Range {
    let apart = Range::of(&first.mean.minus(&second.mean));
    let variance = Range::of(&first.variance.plus(&second.variance)).over(Range::point(2.0));
    apart.over(variance.sqrt())
}

/// Difference of two shares in standard deviations of a share.
fn standardised_share(first: Range, second: Range) -> Range {
    let spread = |share: Range| share.times(Range::point(1.0).minus(share));
    let variance = spread(first).plus(spread(second)).over(Range::point(2.0));
    first.minus(second).over(variance.sqrt())
}
