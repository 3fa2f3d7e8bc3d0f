//! Products of two columns inside `avg`: `avg((a - 50) * (b - 300))`, where the numbers are the centres
//! of the columns' bounds. Only what a typed analysis comes to may have them.
//!
//! What this file must not know: which analysis it is.

use sqlparser::ast::{BinaryOperator, Expr};

use super::aggregate::check_aggregatable;
use super::context::Context;
use super::literal::{Given, given};
use super::scope::{Scope, bare};
use crate::codebook::ColumnRef;
use crate::measure::facts::{is_never_missing, limits};
use crate::measure::products::{centre, too_fine};
use crate::number::Number;
use crate::problem::Problem;
use crate::question::{Measure, Output, TableQuestion};
use crate::value::Scalar;

/// Reads such a product; `None` if the expression does not have the form of one.
pub(super) fn product(
    expr: &Expr,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Option<Measure>, Problem> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Multiply,
        right,
    } = bare(expr)
    else {
        return Ok(None);
    };
    let both = (factor(left, scope, ctx)?, factor(right, scope, ctx)?);
    let (Some(left), Some(right)) = both else {
        return Ok(None);
    };
    if left == right {
        let message = "a product is of two columns; of one there is the deviation";
        return Err(ctx.refuse("V501", expr, message));
    }
    if ctx.is_event_table(&scope.relation.rows) {
        let message = "a product is of a table with one row per person";
        return Err(ctx.refuse("V501", expr, message));
    }
    if let Some(message) = too_fine(&left, &right, ctx.codebook()) {
        return Err(ctx.refuse("V501", expr, message));
    }
    let (left, right) = (left.clone().min(right.clone()), left.max(right));
    Ok(Some(Measure::Products { left, right }))
}

/// `(column - centre)` of a column that may be aggregated, has bounds and is not missing here.
fn factor(expr: &Expr, scope: &Scope, ctx: &Context<'_>) -> Result<Option<ColumnRef>, Problem> {
    let Expr::BinaryOp { left, op, right } = bare(expr) else {
        return Ok(None);
    };
    let sign = match op {
        BinaryOperator::Minus => 1,
        BinaryOperator::Plus => -1,
        _ => return Ok(None),
    };
    let Some(name) = scope.column(left, ctx)? else {
        return Ok(None);
    };
    let Some(column) = ctx.column(&name) else {
        return Ok(None);
    };
    check_aggregatable(&name, column, left, ctx)?;
    let filter = &scope.relation.filter;
    let bounds = limits(&name, filter, ctx.codebook()).map(|(bounds, _)| bounds);
    let centre = bounds.and_then(|bounds| centre(bounds, column.ty.scale()?));
    let written = match given(right, ctx)? {
        Given::Literal(Scalar::Number(number)) => {
            Some(Number::new(number.mantissa() * sign, number.exponent()))
        }
        _ => None,
    };
    if centre.is_none() || centre != written {
        let message = format!("`{}` is taken about the centre of its bounds", name.column);
        return Err(ctx.refuse("V501", expr, message));
    }
    // Group keys are looked at where the whole table is known; a filter is enough here.
    let rows = TableQuestion {
        rows: scope.relation.rows.clone(),
        joined: scope.relation.joined.clone(),
        filter: filter.clone(),
        keys: Vec::new(),
        measures: Vec::new(),
        output: Output::default(),
    };
    if !is_never_missing(&name, &rows, ctx.codebook()) {
        let message = format!(
            "`{}` may be missing, and a product is of persons with both",
            name.column
        );
        return Err(ctx.refuse("V501", expr, message));
    }
    Ok(Some(name))
}
