//! `histogram`: how are the values of a column distributed? Persons by band, of all or by group.

use super::arguments::{Arguments, BY, TABLE, VALUE, WHERE};
use super::bands::{self, Distribution, WIDTH};
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::share;
use super::{Definition, Run};
use crate::combine::ReleasedTables;

pub(super) const DEFINITION: Definition = Definition {
    name: "histogram",
    version: 1,
    about: "How are values distributed? Persons by band, of all or by group",
    arguments: &[VALUE, BY, WIDTH, TABLE, WHERE],
    run: Run::Several {
        expand: bands::expand,
        finish,
    },
};

fn finish(_: &Arguments, released: &ReleasedTables<'_>) -> Report {
    let found = Distribution::read(released);
    let mut report = released
        .first()
        .map_or_else(Report::default, |first| Report::of(first, &found.sites));
    found.explain(&mut report);
    let mut grid = Grid::new("bins", &["from", "to", "n", "share", "density"]);
    let mut withheld = false;
    for bands in &found.groups {
        for (band, (from, to)) in bands.edges.iter().enumerate() {
            let edges = [Range::point(*from), Range::point(*to)];
            let row = format!("{}, from {from}", bands.name);
            let Some(n) = bands.shown(band) else {
                withheld = true;
                grid.line(row, &edges);
                continue;
            };
            let others = bands.mass(|at| at != band);
            let share = Range::maybe(share(&n, &others).as_ref());
            let width = Range::point(to - from);
            let values = [edges[0], edges[1], Range::of(&n), share, share.over(width)];
            grid.line(row, &values);
        }
    }
    if withheld {
        report.remark("A band without a number was withheld by every node; it need not be empty.");
    }
    report
        .tables
        .extend((!grid.rows.is_empty()).then_some(grid));
    report
}
