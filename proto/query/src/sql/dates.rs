//! Two dates in a condition: `e.date < f.date + 90`, `e.date - f.date < 90`. They come to the days
//! between the dates, compared with a whole number.

use sqlparser::ast::{BinaryOperator, Expr};

use super::context::Context;
use super::filter::{flipped, only, range};
use super::literal::{Given, given};
use super::scope::{Scope, bare, column_name};
use crate::codebook::{ColumnRef, Role};
use crate::derived::Derived;
use crate::number::Number;
use crate::problem::Problem;
use crate::question::{CompareOp, Predicate, Set};
use crate::value::{ColumnType, Scalar};

/// Terms are nested no deeper than this.
const DEEPEST: u32 = 16;
/// Days in a term stay below this: far more than lie between any two dates.
const MOST: i128 = 10_000_000;

/// A sum of dates, of dates taken away, and of days.
#[derive(Default)]
struct Sum {
    plus: Vec<ColumnRef>,
    minus: Vec<ColumnRef>,
    days: i128,
}

impl Sum {
    fn negated(self) -> Self {
        Self {
            plus: self.minus,
            minus: self.plus,
            days: -self.days,
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.plus.extend(other.plus);
        self.minus.extend(other.minus);
        self.days = self.days.saturating_add(other.days);
        self
    }
}

/// A comparison of two dates; `None` if it is none, and is read as any other.
pub(super) fn compared(
    atom: &Expr,
    (left, op, right): (&Expr, CompareOp, &Expr),
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Option<Predicate>, Problem> {
    if mentioned(left, scope, ctx, 0) + mentioned(right, scope, ctx, 0) < 2 {
        return Ok(None);
    }
    let form = || {
        let message = "dates are compared as date <= date + days, or date - date <= days, with a whole number of days";
        ctx.refuse("V301", atom, message)
    };
    let left = sum(left, scope, ctx, 0)?.ok_or_else(form)?;
    let right = sum(right, scope, ctx, 0)?.ok_or_else(form)?;
    let all = left.and(right.negated());
    let ([later], [earlier]) = (all.plus.as_slice(), all.minus.as_slice()) else {
        return Err(form());
    };
    if later == earlier || all.days.abs() > MOST {
        return Err(form());
    }
    // later - earlier + days `op` 0; one way round for both spellings
    let (from, to, op, days) = match later > earlier {
        true => (earlier, later, op, -all.days),
        false => (later, earlier, flipped(op), all.days),
    };
    let between = Derived::Days {
        from: from.clone(),
        to: to.clone(),
    };
    let name = ctx.derive(&between, atom, "these dates cannot be compared")?;
    let Some(column) = ctx.column(&name) else {
        return Err(form());
    };
    let days = Scalar::Number(Number::new(days, 0));
    let values = range(op, &days, column, atom, ctx)?;
    Ok(Some(only(name, Set::of(values).within(column))))
}

/// The date column that an expression names, if it is one that may be used.
pub(super) fn date(
    expr: &Expr,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Option<ColumnRef>, Problem> {
    let Some(name) = scope.column(expr, ctx)? else {
        return Ok(None);
    };
    let Some(column) = ctx
        .column(&name)
        .filter(|column| column.ty == ColumnType::Date)
    else {
        return Ok(None);
    };
    if column.has(Role::Date) {
        return Ok(Some(name));
    }
    let message = format!("the codebook does not allow to use `{}`", name.column);
    Err(ctx.refuse("V400", expr, message))
}

/// How many date columns an expression names.
fn mentioned(expr: &Expr, scope: &Scope, ctx: &Context<'_>, depth: u32) -> usize {
    match bare(expr) {
        Expr::BinaryOp { left, right, .. } if depth < DEEPEST => {
            mentioned(left, scope, ctx, depth + 1) + mentioned(right, scope, ctx, depth + 1)
        }
        name if column_name(name).is_some() => {
            let column = scope.column(name, ctx).ok().flatten();
            let column = column.and_then(|column| ctx.column(&column));
            usize::from(column.is_some_and(|column| column.ty == ColumnType::Date))
        }
        _ => 0,
    }
}

/// Dates and whole days, added and taken away.
fn sum(expr: &Expr, scope: &Scope, ctx: &Context<'_>, depth: u32) -> Result<Option<Sum>, Problem> {
    match bare(expr) {
        Expr::BinaryOp { left, op, right } if depth < DEEPEST => {
            let sides = (
                sum(left, scope, ctx, depth + 1)?,
                sum(right, scope, ctx, depth + 1)?,
            );
            Ok(match (sides, op) {
                ((Some(left), Some(right)), BinaryOperator::Plus) => Some(left.and(right)),
                ((Some(left), Some(right)), BinaryOperator::Minus) => {
                    Some(left.and(right.negated()))
                }
                _ => None,
            })
        }
        name if column_name(name).is_some() => Ok(date(name, scope, ctx)?.map(|column| Sum {
            plus: vec![column],
            ..Sum::default()
        })),
        other => Ok(match given(other, ctx)? {
            Given::Literal(Scalar::Number(n)) | Given::Param(Scalar::Number(n)) => {
                n.to_integer().map(|days| Sum {
                    days: days.clamp(-MOST, MOST),
                    ..Sum::default()
                })
            }
            _ => None,
        }),
    }
}
