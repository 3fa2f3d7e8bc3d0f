//! `crosstab`: do two things go together? Counts with shares, chi-squared, and for two by two the
//! odds ratio, risk ratio and risk difference, also stratified by node.

use super::arguments::{Argument, Arguments, CONFIDENCE, Need, TABLE, WHERE};
use super::distribution::chi_squared_upper;
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::{Counts, share, sum, whole};
use super::two_by_two::{self, Square};
use super::{Definition, Expansion, Run};
use crate::codebook::Codebook;
use crate::combine::{Interval, Released};
use crate::problem::Problem;

pub(super) const DEFINITION: Definition = Definition {
    name: "crosstab",
    version: 1,
    about: "Do two things go together? Counts, shares, chi-squared, odds and risk ratios",
    arguments: &[
        Argument {
            name: "rows",
            value: "COLUMN[:BAND]",
            about: "Rows of the table: a column, column:10 for bands, column:year for periods; in a table of two by two the exposure",
            need: Need::Always,
        },
        Argument {
            name: "columns",
            value: "COLUMN[:BAND]",
            about: "Columns of the table; in a table of two by two the outcome",
            need: Need::Always,
        },
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    let (rows, columns) = (arguments.key("rows")?, arguments.key("columns")?);
    arguments.confidence()?;
    let table = arguments.table(codebook)?;
    let condition = arguments.condition(None, codebook);
    Ok(Expansion {
        sql: format!(
            "SELECT {rows}, {columns}, count(*) AS n FROM {table}{condition} GROUP BY {rows}, {columns}"
        ),
        keys: 2,
    })
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let counts = Counts::read(released);
    let mut report = Report::of(released, &counts.sites);
    if !counts.unseen.is_empty() {
        let names = counts.unseen.join(", ");
        report.remark(format!(
            "Left out, because no node released anything of it: {names}. Shares and tests are about \
             the others."
        ));
    }
    if counts.sites.is_empty() {
        return report;
    }
    report.tables.push(shares(&counts));
    let table = Table::of(&counts.all);
    report.tables.push(tests(&table));
    if let Some(square) = Square::of(&counts.all) {
        let level = arguments.level();
        report.tables.push(two_by_two::effects(&square, level));
        let strata: Vec<Square> = counts
            .by_site
            .iter()
            .filter_map(|t| Square::of(t))
            .collect();
        if strata.len() > 1 {
            report.tables.extend(two_by_two::stratified(&strata, level));
        }
        if let ([first, .., second], [_, .., outcome]) =
            (counts.names[0].as_slice(), counts.names[1].as_slice())
        {
            report.remark(format!(
                "Risks are of `{outcome}`: in `{second}` against `{first}`."
            ));
        }
    }
    report
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

fn shares(counts: &Counts) -> Grid {
    let columns = ["n", "share_of_row", "share_of_column", "share_of_all"];
    let mut grid = Grid::new("cells", &columns);
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
            grid.line(format!("{row}, {column}"), &values);
        }
    }
    grid
}

fn tests(table: &Table<'_>) -> Grid {
    let mut grid = Grid::new("tests", &["statistic", "df", "p"]);
    let freedom = u32::try_from(table.freedom()).unwrap_or(u32::MAX);
    let df = f64::from(freedom);
    let mut line = |name: &str, corrected: bool| {
        let statistic = Range::maybe(table.chi_squared(corrected).as_ref());
        let p = statistic.probability(|x| chi_squared_upper(x, df));
        grid.line(name, &[statistic, Range::point(df), p]);
    };
    line("chi_squared", false);
    if freedom == 1 {
        line("chi_squared_corrected", true);
    }
    grid
}
