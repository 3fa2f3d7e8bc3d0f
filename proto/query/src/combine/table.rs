//! The combined table: columns, HAVING, ORDER BY, LIMIT, cells.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use num_rational::BigRational;

use super::eval::{Evaluated, Outcome, Row};
use super::merge::Merged;
use super::notes::notes;
use super::print::{Digits, print};
use super::{ColumnInfo, Combined, CombinedCell, CombinedRow, Kind};
use crate::answer::{Mode, Protection};
use crate::codebook::Codebook;
use crate::number::Number;
use crate::question::{
    BinaryOp, CompareOp, Condition, Expr, GroupKey, Measure, Output, Stat, TableQuestion,
};
use crate::value::Scalar;

/// Computes the output of a question on merged tables.
pub(super) fn finish(
    question: &TableQuestion,
    codebook: &Codebook,
    merged: &Merged<'_>,
) -> Combined {
    let output = &question.output;
    let rows: Vec<Row<'_>> = merged
        .rows
        .iter()
        .map(|(key, cells)| Row {
            question,
            merged,
            key,
            cells,
        })
        .collect();
    let all = rows.len();
    let mut kept: Vec<(Vec<Rank>, Row<'_>)> = rows
        .into_iter()
        .filter(|row| {
            output
                .having
                .as_ref()
                .is_none_or(|having| holds(row, having) == Some(true))
        })
        .map(|row| {
            (
                output.order.iter().map(|by| rank(&row, &by.expr)).collect(),
                row,
            )
        })
        .collect();
    let left_out = kept.len() < all;
    // The sort is stable and rows come in order of key: ties stay in that order.
    kept.sort_by(|(a, _), (b, _)| compare(output, a, b));
    let limit = output
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let rows: Vec<CombinedRow> = kept
        .iter()
        .take(limit)
        .map(|(_, row)| finish_row(row, merged))
        .collect();
    Combined {
        columns: output
            .columns
            .iter()
            .map(|c| column(&c.name, &c.expr, question, codebook, merged))
            .collect(),
        notes: notes(question, codebook, merged, &rows, left_out),
        protection: strictest(merged),
        rows,
    }
}

fn finish_row(row: &Row<'_>, merged: &Merged<'_>) -> CombinedRow {
    let columns = row.question.output.columns.iter();
    let (mut key, mut cells) = (Vec::new(), Vec::new());
    for column in columns {
        match Shown::of(row.question, &column.expr) {
            Some(shown) => key.push(shown.value(row)),
            None => cells.push(cell(row, &column.expr, merged)),
        }
    }
    CombinedRow { key, cells }
}

/// A group key as the SELECT list shows it.
struct Shown<'a> {
    index: usize,
    /// `floor(c / w)` without `* w`: the number of the band instead of its lower edge.
    numbered_by: Option<&'a Number>,
}

impl<'a> Shown<'a> {
    /// The key that an expression shows; `None` if it computes something.
    fn of(question: &TableQuestion, expr: &'a Expr) -> Option<Self> {
        let (index, numbered_by) = match expr {
            Expr::Key(index) => {
                return Some(Self {
                    index: *index,
                    numbered_by: None,
                });
            }
            Expr::Binary {
                op: BinaryOp::Div,
                left,
                right,
            } => match (&**left, &**right) {
                (Expr::Key(index), Expr::Literal(by)) => (*index, by),
                _ => return None,
            },
            Expr::Stat { .. } | Expr::Literal(_) | Expr::Binary { .. } => return None,
        };
        match question.keys.get(index)? {
            GroupKey::Band { width, .. } if width == numbered_by => Some(Self {
                index,
                numbered_by: Some(numbered_by),
            }),
            GroupKey::Band { .. } | GroupKey::Column(_) | GroupKey::Period { .. } => None,
        }
    }

    fn value(&self, row: &Row<'_>) -> Scalar {
        let edge = row.key.get(self.index).cloned().unwrap_or(Scalar::Null);
        match (self.numbered_by, edge.as_number()) {
            (Some(by), Some(edge)) => {
                // An edge is a whole multiple of the width.
                let number = (edge.to_rational() / by.to_rational()).to_integer();
                i128::try_from(number).map_or(Scalar::Null, |n| Scalar::Number(Number::new(n, 0)))
            }
            _ => edge,
        }
    }
}

fn cell(row: &Row<'_>, expr: &Expr, merged: &Merged<'_>) -> CombinedCell {
    let Evaluated {
        outcome,
        sites,
        open,
        near,
    } = row.evaluate(expr);
    let mut cell = CombinedCell {
        nodes: u32::try_from(sites.len()).unwrap_or(u32::MAX),
        eligible: merged.eligible,
        near_earlier: near,
        ..CombinedCell::default()
    };
    let digits = digits(row.question, expr, merged.mode);
    match outcome {
        Outcome::Withheld => cell.withheld = true,
        Outcome::Null => {}
        Outcome::Value(interval) => {
            let printed = print(&interval, digits);
            cell.value = Some(printed.value);
            cell.lower = Some(printed.lower);
            cell.upper = (!open).then_some(printed.upper);
            cell.sites = site_values(row, expr, &sites, digits);
        }
    }
    cell
}

fn site_values(
    row: &Row<'_>,
    expr: &Expr,
    sites: &[usize],
    digits: Digits,
) -> BTreeMap<String, String> {
    let value = |site: &usize| {
        let node = row.merged.sites.get(*site)?.node.to_owned();
        Some((node, print(&row.at_site(expr, *site)?, digits).value))
    };
    sites.iter().filter_map(value).collect()
}

fn digits(question: &TableQuestion, expr: &Expr, mode: Option<Mode>) -> Digits {
    match (mode, kind(question, expr)) {
        (Some(Mode::None), _) => Digits::Exact,
        (_, Kind::Count | Kind::Events) => Digits::Whole,
        (_, Kind::Key | Kind::Sum | Kind::Mean | Kind::Sd | Kind::Var | Kind::Ratio) => {
            Digits::Supported
        }
    }
}

fn kind(question: &TableQuestion, expr: &Expr) -> Kind {
    let Expr::Stat { measure, stat } = expr else {
        return if Shown::of(question, expr).is_some() {
            Kind::Key
        } else {
            Kind::Ratio
        };
    };
    match stat {
        Stat::Count => match question.measures.get(*measure) {
            Some(Measure::Events { .. }) => Kind::Events,
            Some(
                Measure::Persons { .. }
                | Measure::Moments { .. }
                | Measure::ValueCounts { .. }
                | Measure::Products { .. },
            )
            | None => Kind::Count,
        },
        Stat::Sum => Kind::Sum,
        Stat::Mean => Kind::Mean,
        Stat::SdSample | Stat::SdPop => Kind::Sd,
        Stat::VarSample | Stat::VarPop => Kind::Var,
    }
}

fn column(
    name: &str,
    expr: &Expr,
    question: &TableQuestion,
    codebook: &Codebook,
    merged: &Merged<'_>,
) -> ColumnInfo {
    let kind = kind(question, expr);
    let measured = || match expr {
        Expr::Stat { measure, .. } => merged.facts.get(*measure)?.unit.clone(),
        Expr::Key(_) | Expr::Literal(_) | Expr::Binary { .. } => None,
    };
    let mut column = ColumnInfo {
        name: name.to_owned(),
        kind,
        of: None,
        unit: None,
        ty: None,
    };
    match kind {
        Kind::Key => {
            let Some(shown) = Shown::of(question, expr) else {
                return column;
            };
            let key = question.keys.get(shown.index);
            let reference = match key {
                Some(
                    GroupKey::Column(c)
                    | GroupKey::Band { column: c, .. }
                    | GroupKey::Period { column: c, .. },
                ) => c,
                None => return column,
            };
            let found = codebook.column(reference);
            column.ty = found.map(|column| column.ty.name());
            column.unit = found.and_then(|column| column.unit.clone());
        }
        Kind::Count => column.of = Some("persons"),
        Kind::Events => column.of = Some("rows"),
        Kind::Sum | Kind::Mean | Kind::Sd => column.unit = measured(),
        Kind::Var => column.unit = measured().map(|unit| squared(&unit)),
        Kind::Ratio => {}
    }
    column
}

/// The UCUM code of a squared unit.
fn squared(unit: &str) -> String {
    if unit.contains(['/', '.']) {
        format!("({unit})2")
    } else {
        format!("{unit}2")
    }
}

/// What a row is ordered by: a number, another key value, or nothing.
enum Rank {
    Number(BigRational),
    Key(Scalar),
    Nothing,
}

fn rank(row: &Row<'_>, expr: &Expr) -> Rank {
    if let Expr::Key(index) = expr {
        return match row.key.get(*index) {
            None | Some(Scalar::Null) => Rank::Nothing,
            Some(value) => Rank::Key(value.clone()),
        };
    }
    row.evaluate(expr)
        .number()
        .cloned()
        .map_or(Rank::Nothing, Rank::Number)
}

fn compare(output: &Output, left: &[Rank], right: &[Rank]) -> Ordering {
    for ((a, b), by) in left.iter().zip(right).zip(&output.order) {
        let order = match (a, b) {
            (Rank::Number(a), Rank::Number(b)) => a.cmp(b),
            (Rank::Key(a), Rank::Key(b)) => a.cmp(b),
            // Whatever has no value comes last in either direction.
            (Rank::Nothing, Rank::Nothing) => Ordering::Equal,
            (Rank::Nothing, _) => return Ordering::Greater,
            (_, Rank::Nothing) => return Ordering::Less,
            // One expression gives one kind of rank.
            (Rank::Number(_), Rank::Key(_)) | (Rank::Key(_), Rank::Number(_)) => Ordering::Equal,
        };
        let order = if by.descending {
            order.reverse()
        } else {
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Whether a condition holds; `None` if an operand is withheld or NULL.
fn holds(row: &Row<'_>, condition: &Condition) -> Option<bool> {
    match condition {
        Condition::Compare { op, left, right } => {
            let (left, right) = (row.evaluate(left), row.evaluate(right));
            Some(matches(*op, left.number()?.cmp(right.number()?)))
        }
        Condition::KeyIs { key, op, value } => {
            let found = row.key.get(*key)?;
            let known = *found != Scalar::Null && *value != Scalar::Null;
            known.then(|| matches(*op, found.cmp(value)))
        }
        Condition::And(all) => all
            .iter()
            .map(|condition| holds(row, condition))
            .try_fold(true, |so_far, one| Some(so_far && one?)),
    }
}

fn matches(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
    }
}

fn strictest(merged: &Merged<'_>) -> Option<Protection> {
    let all = merged.sites.iter().map(|site| site.protection);
    all.reduce(|a, b| Protection {
        mode: match (a.mode, b.mode) {
            (Mode::CellKey { bound: a }, Mode::CellKey { bound: b }) => {
                Mode::CellKey { bound: a.max(b) }
            }
            (mode, _) => mode,
        },
        k: a.k.max(b.k),
        round_base: a.round_base.max(b.round_base),
    })
}
