//! `quantile` and `boxplot`: which value do so many per cent not exceed? Of all or by group, to the
//! precision of the bands that the codebook declares. No value of a person ever leaves a node.

use num_rational::BigRational;

use super::arguments::{Argument, Arguments, BY, TABLE, VALUE, WHERE, refuse};
use super::bands::{self, Bands, Distribution, WIDTH};
use super::range::Range;
use super::report::{Grid, Report};
use super::{Definition, Named, Run};
use crate::codebook::Codebook;
use crate::combine::ReleasedTables;
use crate::number::Number;
use crate::problem::Problem;

const AT: Argument = Argument::optional(
    "at",
    "LEVELS",
    "Levels between 0 and 1, separated by commas; else 0.25, 0.5, 0.75",
);

/// Quartiles.
pub(super) const QUARTILES: &str = "0.25, 0.5, 0.75";

/// What a box plot shows: its whiskers end at the 5th and 95th per cent, because the least and the
/// greatest value are those of one person.
const BOX: [(&str, &str); 5] = [
    ("p5", "0.05"),
    ("q1", "0.25"),
    ("median", "0.5"),
    ("q3", "0.75"),
    ("p95", "0.95"),
];

/// Most levels of one question.
const LEVELS: usize = 20;

pub(super) const QUANTILE: Definition = Definition {
    name: "quantile",
    version: 1,
    about: "Which value do so many per cent not exceed? Median and quartiles, of all or by group",
    arguments: &[VALUE, AT, BY, WIDTH, TABLE, WHERE],
    run: Run::Several {
        expand: expand_levels,
        finish,
    },
};

pub(super) const BOXPLOT: Definition = Definition {
    name: "boxplot",
    version: 1,
    about: "Where do values lie? Median, quartiles, 5th and 95th per cent, of all or by group",
    arguments: &[VALUE, BY, WIDTH, TABLE, WHERE],
    run: Run::Several {
        expand: bands::expand,
        finish: finish_boxes,
    },
};

fn expand_levels(arguments: &Arguments, codebook: &Codebook) -> Result<Vec<Named>, Problem> {
    levels(arguments)?;
    bands::expand(arguments, codebook)
}

/// The levels, in the order in which they were given.
fn levels(arguments: &Arguments) -> Result<Vec<(String, BigRational)>, Problem> {
    let text = arguments.get("at").unwrap_or(QUARTILES);
    let wrong = || refuse("`at` is a list of numbers between 0 and 1, such as 0.1, 0.5");
    let level = |text: &str| {
        let level: Number = text.trim().parse().map_err(|_| wrong())?;
        let exact = level.to_rational();
        let inside = exact > BigRational::from_integer(0.into())
            && exact < BigRational::from_integer(1.into());
        inside
            .then_some((level.to_string(), exact))
            .ok_or_else(wrong)
    };
    let levels: Vec<_> = text.split(',').map(level).collect::<Result<_, _>>()?;
    if levels.len() > LEVELS {
        return Err(refuse(format!("`at` has at most {LEVELS} levels")));
    }
    Ok(levels)
}

fn finish(arguments: &Arguments, released: &ReleasedTables<'_>) -> Report {
    let (mut report, found) = begin(released);
    let levels = levels(arguments).unwrap_or_default();
    let mut grid = Grid::new("quantiles", &["n", "quantile"]);
    for bands in &found.groups {
        for (name, level) in &levels {
            let row = format!("{}, {name}", bands.name);
            grid.line(row, &[Range::of(&bands.persons()), bands.quantile(level)]);
        }
    }
    report
        .tables
        .extend((!grid.rows.is_empty()).then_some(grid));
    report
}

fn finish_boxes(_: &Arguments, released: &ReleasedTables<'_>) -> Report {
    let (mut report, found) = begin(released);
    let columns: Vec<&str> = ["n"].into_iter().chain(BOX.map(|(name, _)| name)).collect();
    let mut grid = Grid::new("boxes", &columns);
    for bands in &found.groups {
        let at = BOX.map(|(_, level)| quantile(bands, level));
        let values: Vec<Range> = [Range::of(&bands.persons())]
            .into_iter()
            .chain(at)
            .collect();
        grid.line(bands.name.clone(), &values);
    }
    report
        .tables
        .extend((!grid.rows.is_empty()).then_some(grid));
    report
}

/// The quantile at a level that is written here.
pub(super) fn quantile(bands: &Bands, level: &str) -> Range {
    let level = level.parse::<Number>().ok();
    level.map_or(Range::NONE, |level| bands.quantile(&level.to_rational()))
}

fn begin(released: &ReleasedTables<'_>) -> (Report, Distribution) {
    let found = Distribution::read(released);
    let mut report = released
        .first()
        .map_or_else(Report::default, |first| Report::of(first, &found.sites));
    found.explain(&mut report);
    if !found.groups.is_empty() {
        report.remark(
            "A quantile lies between its limits, which are edges of bands; the number is read off a \
             straight line within the band. Values beyond the column's bounds count as the bound.",
        );
    }
    (report, found)
}
