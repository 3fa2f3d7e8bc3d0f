//! `crosstab`: do two things go together? Counts with shares, chi-squared, and for two by two the
//! odds ratio, risk ratio and risk difference; all of it in each stratum of further groups, and put
//! together over strata and nodes.

use std::collections::BTreeSet;

use super::arguments::{Argument, Arguments, CONFIDENCE, TABLE, WHERE, refuse};
use super::distribution::chi_squared_upper;
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::{Counts, share, sum, whole};
use super::two_by_two::{self, Square};
use super::{Definition, Expansion, Run};
use crate::codebook::Codebook;
use crate::combine::{Interval, Released};
use crate::problem::Problem;

/// With rows and columns a table has four ways.
const MOST_STRATA: usize = 2;

pub(super) const DEFINITION: Definition = Definition {
    name: "crosstab",
    version: 1,
    about: "Do two things go together? Counts, shares, chi-squared, odds and risk ratios",
    arguments: &[
        Argument::needed(
            "rows",
            "COLUMN[:BAND]",
            "Rows of the table: a column, column:10 for bands, column:year for periods; in a table of two by two the exposure",
        ),
        Argument::needed(
            "columns",
            "COLUMN[:BAND]",
            "Columns of the table; in a table of two by two the outcome",
        ),
        Argument::optional(
            "strata",
            "COLUMN[:BAND],...",
            "A table for each level of one or two further groups, and what they come to together",
        ),
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    let mut keys = arguments.keys("strata", MOST_STRATA)?;
    keys.extend([arguments.key("rows")?, arguments.key("columns")?]);
    if keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
        return Err(refuse(
            "`rows`, `columns` and `strata` are different groups",
        ));
    }
    arguments.confidence()?;
    let table = arguments.table(codebook)?;
    let condition = arguments.condition(None, codebook);
    let list = keys.join(", ");
    Ok(Expansion {
        sql: format!("SELECT {list}, count(*) AS n FROM {table}{condition} GROUP BY {list}"),
        keys: keys.len(),
    })
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let strata = Counts::strata(released, arguments.parts("strata").count());
    let (strata, empty): (Vec<_>, Vec<_>) = strata
        .into_iter()
        .partition(|(_, counts)| counts.has_levels());
    let sites: BTreeSet<usize> = strata.iter().flat_map(|(_, of)| of.sites.clone()).collect();
    let sites: Vec<usize> = sites.into_iter().collect();
    let mut report = Report::of(released, &sites);
    for (name, counts) in &strata {
        explain(&mut report, name, counts);
    }
    let empty: Vec<&str> = empty.iter().map(|(name, _)| name.as_str()).collect();
    if !empty.iter().all(|name| name.is_empty()) {
        report.remark(format!(
            "No node released anything of these strata: {}.",
            empty.join("; ")
        ));
    }
    if sites.is_empty() {
        return report;
    }
    let kept = strata.iter().filter(|(_, counts)| !counts.sites.is_empty());
    let kept: Vec<&(String, Counts)> = kept.collect();
    report.tables.extend(of_each(&kept, arguments.level()));
    report.tables.extend(together(&kept, arguments.level()));
    if let Some((_, counts)) = kept
        .iter()
        .find(|(_, counts)| Square::of(&counts.all).is_some())
        && let ([first, .., second], [_, .., outcome]) =
            (counts.names[0].as_slice(), counts.names[1].as_slice())
    {
        report.remark(format!(
            "Risks are of `{outcome}`: in `{second}` against `{first}`."
        ));
    }
    report
}

/// What a reader has to know of levels and nodes that are not in a table.
fn explain(report: &mut Report, stratum: &str, counts: &Counts) {
    let place = if stratum.is_empty() {
        String::new()
    } else {
        format!(" of `{stratum}`")
    };
    if !counts.unseen.is_empty() {
        let names = counts.unseen.join(", ");
        report.remark(format!(
            "Left out{place}, because no node released anything of it: {names}. Shares and tests are about \
             the others."
        ));
    }
    let inside = |name: &&String| !counts.nodes.contains(name);
    let missing: Vec<String> = report.sites.iter().filter(inside).cloned().collect();
    if !stratum.is_empty() && !missing.is_empty() {
        let names = missing.join(", ");
        report.remark(format!(
            "Not in `{stratum}`, because they withheld part of it: {names}."
        ));
    }
}

/// Shares, tests and effects of each stratum.
fn of_each(strata: &[&(String, Counts)], level: f64) -> Vec<Grid> {
    let mut cells = Grid::new(
        "cells",
        &["n", "share_of_row", "share_of_column", "share_of_all"],
    );
    let mut tests = Grid::new("tests", &["statistic", "df", "p"]);
    let mut effects = two_by_two::effects();
    for (name, counts) in strata.iter().copied() {
        let place = if name.is_empty() {
            String::new()
        } else {
            format!("{name}, ")
        };
        shares(&mut cells, &place, counts);
        test(&mut tests, &place, &Table::of(&counts.all));
        if let Some(square) = Square::of(&counts.all) {
            square.effects(&mut effects, &place, level);
        }
    }
    let effects = (!effects.rows.is_empty()).then_some(effects);
    [cells, tests].into_iter().chain(effects).collect()
}

/// What tables of two by two come to over strata, and over the strata of every node.
fn together(strata: &[&(String, Counts)], level: f64) -> Vec<Grid> {
    let tables = |of: fn(&Counts) -> Vec<&Vec<Vec<Interval>>>| -> Vec<Square> {
        let tables = strata.iter().flat_map(|(_, counts)| of(counts));
        tables.filter_map(|table| Square::of(table)).collect()
    };
    let plain = tables(|counts| vec![&counts.all]);
    let by_node = tables(|counts| counts.by_site.iter().collect());
    let mut grids = Vec::new();
    if plain.len() > 1 {
        grids.extend(two_by_two::stratified(
            ["over_strata", "over_strata_tests"],
            &plain,
            level,
        ));
    }
    if by_node.len() > plain.len() {
        grids.extend(two_by_two::stratified(
            ["stratified_by_node", "stratified_tests"],
            &by_node,
            level,
        ));
    }
    grids
}

/// A table of counts with its margins.
struct Table<'a> {
    cells: &'a [Vec<Interval>],
}

/// A cell as a table of two by two: itself, the rest of its row, the rest of its column, the rest.
struct Fold {
    cell: Interval,
    row: Interval,
    column: Interval,
    rest: Interval,
}

impl<'a> Table<'a> {
    fn of(cells: &'a [Vec<Interval>]) -> Self {
        Self { cells }
    }

    fn folds(&self) -> Vec<Vec<Fold>> {
        let fold = |row: usize, column: usize, cell: &Interval| {
            let side = |same_row: bool, same_column: bool| {
                let rows = self.cells.iter().enumerate();
                let rows = rows.filter(move |(r, _)| (*r == row) == same_row);
                let cells = rows.flat_map(|(_, cells)| cells.iter().enumerate());
                let cells = cells.filter(move |(c, _)| (*c == column) == same_column);
                sum(cells.map(|(_, cell)| cell))
            };
            Fold {
                cell: cell.clone(),
                row: side(true, false),
                column: side(false, true),
                rest: side(false, false),
            }
        };
        let rows = self.cells.iter().enumerate();
        rows.map(|(r, cells)| {
            let cells = cells.iter().enumerate();
            cells.map(|(c, cell)| fold(r, c, cell)).collect()
        })
        .collect()
    }

    /// Pearson's statistic. Observed less expected is `(cell·rest - row·column) / n`, whose limits
    /// are closer than those of the two parts; `less` is what a continuity correction takes off.
    fn chi_squared(&self, corrected: bool) -> Option<Interval> {
        let half = whole(1).over(&whole(2))?;
        let term = |fold: &Fold| {
            let Fold {
                cell,
                row,
                column,
                rest,
            } = fold;
            let n = cell.plus(row).plus(column).plus(rest);
            let apart = cell.times(rest).minus(&row.times(column)).over(&n)?;
            let apart = if corrected {
                toward_zero(&apart, &half)
            } else {
                apart
            };
            let expected = cell.plus(row).times(&cell.plus(column)).over(&n)?;
            apart.squared().over(&expected)
        };
        let terms: Option<Vec<Interval>> = self.folds().iter().flatten().map(term).collect();
        Some(sum(&terms?))
    }

    fn freedom(&self) -> usize {
        let columns = self.cells.first().map_or(0, Vec::len);
        self.cells.len().saturating_sub(1) * columns.saturating_sub(1)
    }
}

/// `x` nearer to zero by `by`, and zero where it was not that far from it.
fn toward_zero(x: &Interval, by: &Interval) -> Interval {
    let zero = whole(0).value;
    x.map(|end| {
        if *end > by.value {
            end - &by.value
        } else if *end < -&by.value {
            end + &by.value
        } else {
            zero.clone()
        }
    })
}

fn shares(grid: &mut Grid, place: &str, counts: &Counts) {
    let folds = Table::of(&counts.all).folds();
    for (row, folds) in counts.names[0].iter().zip(folds) {
        for (column, fold) in counts.names[1].iter().zip(folds) {
            let others = fold.row.plus(&fold.column).plus(&fold.rest);
            let share = |rest: &Interval| Range::maybe(share(&fold.cell, rest).as_ref());
            let values = [
                Range::of(&fold.cell),
                share(&fold.row),
                share(&fold.column),
                share(&others),
            ];
            grid.line(format!("{place}{row}, {column}"), &values);
        }
    }
}

fn test(grid: &mut Grid, place: &str, table: &Table<'_>) {
    let freedom = u32::try_from(table.freedom()).unwrap_or(u32::MAX);
    if freedom == 0 {
        return;
    }
    let df = f64::from(freedom);
    let mut line = |name: &str, corrected: bool| {
        let statistic = Range::maybe(table.chi_squared(corrected).as_ref());
        let p = statistic.probability(|x| chi_squared_upper(x, df));
        grid.line(format!("{place}{name}"), &[statistic, Range::point(df), p]);
    };
    line("chi_squared", false);
    if freedom == 1 {
        line("chi_squared_corrected", true);
    }
}
