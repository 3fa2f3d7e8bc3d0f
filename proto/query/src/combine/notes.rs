//! What a reader of the combined table has to know, from public facts and released cells only.

use std::collections::BTreeSet;

use super::eval::measures;
use super::merge::Merged;
use super::{CombinedRow, Note};
use crate::answer::Mode;
use crate::codebook::Codebook;
use crate::question::{Expr, GroupKey, Measure, Stat, TableQuestion};

/// All notes, in order of their codes.
pub(super) fn notes(
    question: &TableQuestion,
    codebook: &Codebook,
    merged: &Merged<'_>,
    rows: &[CombinedRow],
    left_out: bool,
) -> Vec<Note> {
    let mut notes = BTreeSet::new();
    let mut add = |code, text: String| {
        notes.insert(Note { code, text });
    };
    if merged.mode == Some(Mode::None) {
        let text = "These numbers are not protected: every node that answered holds synthetic data \
                    only. They cannot be combined with protected ones.";
        add("UNPROTECTED", text.to_owned());
    }
    if let Some(Mode::Round | Mode::CellKey { .. }) = merged.mode {
        protected((question, codebook), merged, rows, left_out, &mut add);
    }
    if merged.sites.len() > 1 {
        let text = "Counts are persons per node: someone known to two nodes counts twice.";
        add("N100", text.to_owned());
    }
    for facts in &merged.facts {
        if let Some(max) = facts.max_rows {
            let table = &question.rows;
            add(
                "N101",
                format!("At most {max} rows of `{table}` count for one person."),
            );
        }
    }
    for (measure, facts) in question.measures.iter().zip(&merged.facts) {
        if let (Measure::Moments { column }, Some((low, high))) = (measure, facts.bounds) {
            let unit = facts
                .unit
                .as_ref()
                .map(|unit| format!(" {unit}"))
                .unwrap_or_default();
            let name = codebook.in_words(column);
            add(
                "N102",
                format!(
                    "Values of `{name}` outside {low} to {high}{unit} count as the nearest limit."
                ),
            );
        }
    }
    for key in &question.keys {
        let (GroupKey::Column(column)
        | GroupKey::Band { column, .. }
        | GroupKey::Period { column, .. }) = key;
        if codebook
            .column(column)
            .is_some_and(|column| !column.missing_public && !column.required)
        {
            let name = codebook.in_words(column);
            add(
                "N103",
                format!("Rows without a value of `{name}` are in no group."),
            );
        }
    }
    notes.into_iter().collect()
}

/// Notes about values that were rounded or withheld.
fn protected(
    (question, codebook): (&TableQuestion, &Codebook),
    merged: &Merged<'_>,
    rows: &[CombinedRow],
    left_out: bool,
    add: &mut impl FnMut(&'static str, String),
) {
    let cells = || rows.iter().flat_map(|row| &row.cells);
    if let Some(Mode::CellKey { .. }) = merged.mode {
        let text = "Counts and sums carry noise that depends on who is in a cell: parts need not \
                    add up to a total that was asked for as well.";
        add("N115", text.to_owned());
    }
    if cells().any(|cell| cell.value.is_some() && cell.upper.is_none()) {
        let text = "Where a node withheld a cell, value and lower limit speak for the nodes that \
                    released it, and there is no upper limit: what was withheld may be large.";
        add("N110", text.to_owned());
    }
    if cells().any(|cell| cell.near_earlier) {
        let text = "Where a cell is marked as near an earlier answer, a node gave what it had \
                    released before for nearly the same persons, because both numbers together \
                    would say something about the few who differ. The interval allows for them.";
        add("N120", text.to_owned());
    }
    if left_out {
        let text = "HAVING left out rows whose values are withheld, because they are not known to \
                    satisfy it.";
        add("N111", text.to_owned());
    }
    for column in &question.output.columns {
        if let Expr::Binary { .. } = column.expr
            && measures(&column.expr).len() > 1
        {
            let name = &column.name;
            add(
                "N112",
                format!("`{name}` is computed from the nodes that released all parts of it."),
            );
        }
        for (measure, stat) in statistics(&column.expr) {
            let Some((Measure::Moments { column }, facts)) = question
                .measures
                .get(measure)
                .zip(merged.facts.get(measure))
            else {
                continue;
            };
            let name = codebook.in_words(column);
            if stat == Stat::Sum {
                add(
                    "N113",
                    format!("The sum of `{name}` is number times mean, as each node rounded them."),
                );
            }
            if !facts.complete {
                add(
                    "N114",
                    format!(
                        "How many values of `{name}` are missing is not public: sums and weights \
                         of nodes count all rows, and intervals allow for missing values. Where \
                         the column may be filtered, `WHERE {name} IS NOT NULL` makes them exact."
                    ),
                );
            }
        }
    }
}

fn statistics(expr: &Expr) -> Vec<(usize, Stat)> {
    match expr {
        Expr::Key(_) | Expr::Literal(_) => Vec::new(),
        Expr::Stat { measure, stat } => vec![(*measure, *stat)],
        Expr::Binary { left, right, .. } => [statistics(left), statistics(right)].concat(),
    }
}
