//! What to write instead: texts of nearest allowed forms.

use sqlparser::ast::{BinaryOperator, Expr};

use super::scope::{bare, column_name};
use crate::codebook::Column;
use crate::question::{Set, Values};
use crate::set::{grid_above, grid_below, on_grid as lies_on_grid, scalar};
use crate::spell;

/// The grid of a column in words.
pub(super) fn grid(column: &Column) -> String {
    let list = |numbers: &[crate::number::Number]| {
        numbers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (column.bands.is_empty(), column.cuts.is_empty()) {
        (false, false) => {
            format!(
                "multiples of {} and at {}",
                list(&column.bands),
                list(&column.cuts)
            )
        }
        (false, true) => format!("multiples of {}", list(&column.bands)),
        (true, _) => list(&column.cuts),
    }
}

/// The nearest condition on the grid, if the set is one range.
pub(super) fn on_grid(name: &str, column: &Column, set: &Set) -> Option<String> {
    let Values::Ranges(ranges) = &set.values else {
        return None;
    };
    let [(low, high)] = ranges.as_slice() else {
        return None;
    };
    let end = high.and_then(|high| high.checked_add(1));
    let nearest = (
        low.and_then(|e| near(e, column)),
        end.and_then(|e| near(e, column)),
    );
    let (from, to) = match nearest {
        (Some(from), Some(to)) if from >= to => (
            low.and_then(|e| grid_below(e, column)),
            end.and_then(|e| grid_above(e, column)),
        ),
        nearest => nearest,
    };
    let show = |edge: i128| scalar(edge, column.ty).map(|s| spell::literal(&s));
    let from = from.and_then(show).map(|edge| format!("{name} >= {edge}"));
    let to = to.and_then(show).map(|edge| format!("{name} < {edge}"));
    match (from, to) {
        (Some(from), Some(to)) => Some(format!("{from} AND {to}")),
        (from, to) => from.or(to),
    }
}

/// The nearest grid value to an edge; of two equally near ones the lower.
fn near(edge: i128, column: &Column) -> Option<i128> {
    if lies_on_grid(edge, column) {
        return Some(edge);
    }
    let both = [grid_below(edge, column), grid_above(edge, column)];
    both.into_iter()
        .flatten()
        .min_by_key(|value| value.abs_diff(edge))
}

/// `a = 1 OR a = 2` as `a IN (1, 2)`, if every side is an equality of the same column.
pub(super) fn or_as_in(left: &Expr, right: &Expr) -> Option<String> {
    let mut open = vec![right, left];
    let mut name: Option<String> = None;
    let mut values = Vec::new();
    while let Some(next) = open.pop() {
        match bare(next) {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Or,
                right,
            } => open.extend([&**right, &**left]),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => {
                column_name(left)?;
                let column = left.to_string();
                if name.get_or_insert_with(|| column.clone()) != &column {
                    return None;
                }
                values.push(right.to_string());
            }
            _ => return None,
        }
    }
    Some(format!("{} IN ({})", name?, values.join(", ")))
}

/// The negation of a condition as one the language has.
pub(super) fn negation(inner: &Expr) -> Option<String> {
    match inner {
        Expr::BinaryOp { left, op, right } => {
            let op = match op {
                BinaryOperator::Eq => "<>",
                BinaryOperator::NotEq => "=",
                BinaryOperator::Lt => ">=",
                BinaryOperator::LtEq => ">",
                BinaryOperator::Gt => "<=",
                BinaryOperator::GtEq => "<",
                _ => return None,
            };
            Some(format!("{left} {op} {right}"))
        }
        Expr::InList {
            expr,
            list,
            negated: false,
        } => {
            let list = list
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            Some(format!("{expr} NOT IN ({list})"))
        }
        Expr::Between {
            expr,
            negated: false,
            low,
            high,
        } => Some(format!("{expr} NOT BETWEEN {low} AND {high}")),
        Expr::IsNull(expr) => Some(format!("{expr} IS NOT NULL")),
        Expr::IsNotNull(expr) => Some(format!("{expr} IS NULL")),
        _ => None,
    }
}
