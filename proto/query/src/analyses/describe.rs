//! `describe`: how many, which mean, how far spread, and how sure of the mean? By group or of all. With
//! `shape` also how lopsided and how heavy in the tails, of columns with a few numbers.

use super::arguments::{Argument, Arguments, BY, CONFIDENCE, TABLE, VALUE, WHERE, refuse};
use super::distribution::student_critical;
use super::groups::{self, Groups, less_one, squared_error};
use super::range::Range;
use super::report::{Grid, Report};
use super::{Definition, Expansion, Run, shape};
use crate::codebook::Codebook;
use crate::combine::Released;
use crate::problem::Problem;

pub(super) const DEFINITION: Definition = Definition {
    name: "describe",
    version: 1,
    about: "How many, which mean, how far spread, how sure? Of all or by group",
    arguments: &[VALUE, BY, SHAPE, TABLE, WHERE, CONFIDENCE],
    run: Run::One { expand, finish },
};

/// `shape`, which asks for skewness and kurtosis.
const SHAPE: Argument = Argument::optional(
    "shape",
    "yes",
    "Skewness and kurtosis too, of a column with at most 20 values",
);

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    match arguments.get(SHAPE.name) {
        None => groups::expand(arguments, codebook),
        Some("yes") => shape::expand(arguments, codebook),
        Some(_) => Err(refuse("`shape` is `yes`, or left out")),
    }
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    if arguments.get(SHAPE.name).is_some() {
        return shape::finish(released, arguments.level());
    }
    let groups = Groups::read(released);
    let mut report = Report::of(released, &groups.sites);
    groups.explain(&mut report);
    if !groups.sites.is_empty() {
        report.tables.push(groups.describe(Some(arguments.level())));
    }
    report
}

impl Groups {
    /// What a reader has to know of groups and numbers.
    pub(super) fn explain(&self, report: &mut Report) {
        if !self.alone.is_empty() {
            let names = self.alone.join(", ");
            report.remark(format!(
                "Left out, because a spread needs two persons with a value: {names}."
            ));
        }
        if !self.unseen.is_empty() {
            let names = self.unseen.join(", ");
            report.remark(format!("Left out, because no node released it: {names}."));
        }
        if self.vague {
            report.remark(
                "How many values are missing is not public, and WHERE may not name the column: \
                 numbers of persons count those without a value, and limits allow for it.",
            );
        }
    }

    /// Number, mean, standard deviation and standard error by group, with a confidence interval of
    /// the mean if a level is given.
    pub(super) fn describe(&self, level: Option<f64>) -> Grid {
        let plain = ["n", "mean", "sd", "standard_error"];
        let columns: Vec<&str> = plain
            .into_iter()
            .chain(level.iter().flat_map(|_| ["from", "to"]))
            .collect();
        let mut grid = Grid::new("groups", &columns);
        for group in &self.all {
            let mean = Range::of(&group.mean);
            let error = squared_error(group).sqrt();
            let mut values = vec![
                Range::of(&group.n),
                mean,
                Range::of(&group.variance).sqrt(),
                error,
            ];
            if let Some(level) = level {
                let df = Range::of(&less_one(&group.n));
                let reach = df
                    .probability(|df| student_critical(level, df))
                    .times(error);
                values.extend([mean.minus(reach), mean.plus(reach)]);
            }
            grid.line(group.name.clone(), &values);
        }
        grid
    }
}
