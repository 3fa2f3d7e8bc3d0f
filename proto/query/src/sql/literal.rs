//! Literals and parameters: typed values, checked against type and domain of the column
//! they are compared with. Messages never repeat the literal.

use sqlparser::ast::{DataType, Expr, Spanned, UnaryOperator, Value};

use super::aggregate::function_refusal;
use super::context::Context;
use super::names::closest;
use super::scope::{bare, column_name, fold};
use crate::codebook::{Column, ColumnRef};
use crate::number::Number;
use crate::problem::Problem;
use crate::question::ParamValue;
use crate::set::domain_values;
use crate::spell;
use crate::value::{ColumnType, Scalar};

/// What stands where a value is expected.
pub(super) enum Given {
    /// A literal of the text.
    Literal(Scalar),
    /// One typed parameter.
    Param(Scalar),
    /// A list parameter, by name.
    List(String, Vec<Scalar>),
}

/// Reads a literal or parameter; anything else is refused with the fitting code.
pub(super) fn given(expr: &Expr, ctx: &Context<'_>) -> Result<Given, Problem> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => match ctx.param(name, expr)? {
                ParamValue::One(scalar) => Ok(Given::Param(scalar.clone())),
                ParamValue::List(list) => Ok(Given::List(name.clone(), list.clone())),
            },
            value => plain(value, expr, ctx).map(Given::Literal),
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: inner,
        } => signed(inner, true, ctx).map(Given::Literal),
        Expr::UnaryOp {
            op: UnaryOperator::Plus,
            expr: inner,
        } => signed(inner, false, ctx).map(Given::Literal),
        Expr::TypedString(typed) if typed.data_type == DataType::Date => {
            let day = match &typed.value.value {
                Value::SingleQuotedString(text) => Scalar::parse(text, ColumnType::Date),
                _ => None,
            };
            day.map(Given::Literal).ok_or_else(|| not_a_date(expr, ctx))
        }
        Expr::Function(function) => Err(function_refusal(function, ctx)),
        other if column_name(other).is_some() => {
            let message = "a column is compared with a literal or a parameter, not with a column";
            Err(ctx.refuse("V301", expr, message))
        }
        Expr::Subquery(_) => {
            let message = "a subquery gives no value here; it may only be a cohort, key IN (SELECT key FROM ...)";
            Err(ctx.refuse("V202", expr, message))
        }
        _ => {
            let message =
                "a column is compared with a literal or a parameter, not with an expression";
            Err(ctx.refuse("V301", expr, message))
        }
    }
}

fn plain(value: &Value, node: &impl Spanned, ctx: &Context<'_>) -> Result<Scalar, Problem> {
    match value {
        Value::Number(text, false) => text
            .parse()
            .map(Scalar::Number)
            .map_err(|_| ctx.refuse("V401", node, "this number has too many digits")),
        Value::SingleQuotedString(text) => Ok(Scalar::Text(text.clone())),
        Value::Boolean(b) => Ok(Scalar::Bool(*b)),
        Value::Null => {
            let message = "NULL is not compared; write IS NULL or IS NOT NULL";
            Err(ctx.refuse("V401", node, message).write("IS NULL"))
        }
        _ => {
            let message = "literals are numbers, 'texts', DATE 'YYYY-MM-DD', true and false";
            Err(ctx.refuse("V401", node, message))
        }
    }
}

fn signed(inner: &Expr, minus: bool, ctx: &Context<'_>) -> Result<Scalar, Problem> {
    match bare(inner) {
        Expr::Value(value) if matches!(value.value, Value::Number(_, false)) => {
            match plain(&value.value, inner, ctx)? {
                Scalar::Number(n) if minus => {
                    Ok(Scalar::Number(Number::new(-n.mantissa(), n.exponent())))
                }
                scalar => Ok(scalar),
            }
        }
        _ => Err(ctx.refuse("V301", inner, "a sign stands before a number only")),
    }
}

fn not_a_date(node: &impl Spanned, ctx: &Context<'_>) -> Problem {
    ctx.refuse("V401", node, "this is not a date")
        .write("DATE 'YYYY-MM-DD'")
}

/// One value for a column.
pub(super) fn one(
    expr: &Expr,
    name: &ColumnRef,
    column: &Column,
    ctx: &Context<'_>,
) -> Result<Scalar, Problem> {
    match given(expr, ctx)? {
        Given::Literal(scalar) => typed(scalar, "V401", name, column, expr, ctx),
        Given::Param(scalar) => typed(scalar, "V700", name, column, expr, ctx),
        Given::List(param, _) => {
            let message = format!("`{param}` is a list; one value is needed here");
            Err(ctx
                .refuse("V700", expr, message)
                .write(format!("IN {param}")))
        }
    }
}

/// The values of one item of an IN list.
pub(super) fn several(
    expr: &Expr,
    name: &ColumnRef,
    column: &Column,
    ctx: &Context<'_>,
) -> Result<Vec<Scalar>, Problem> {
    if let Some([set, set_name]) = column_name(expr)
        && fold(set) == "set"
    {
        return named_set(&fold(set_name), name, expr, ctx);
    }
    match given(expr, ctx)? {
        Given::List(param, list) if list.is_empty() => {
            Err(ctx.refuse("V700", expr, format!("the list `{param}` is empty")))
        }
        Given::List(_, list) => list
            .into_iter()
            .map(|v| typed(v, "V700", name, column, expr, ctx))
            .collect(),
        Given::Literal(_) | Given::Param(..) => Ok(vec![one(expr, name, column, ctx)?]),
    }
}

fn named_set(
    set: &str,
    name: &ColumnRef,
    node: &impl Spanned,
    ctx: &Context<'_>,
) -> Result<Vec<Scalar>, Problem> {
    let Some(found) = ctx.codebook().sets.get(set) else {
        let near = closest(set, ctx.codebook().sets.keys().map(String::as_str));
        let problem = ctx.refuse("V401", node, format!("the codebook has no set `{set}`"));
        return Err(match near {
            Some(near) => problem.write(format!("set.{near}")),
            None => problem,
        });
    };
    if found.column != *name {
        let message = format!(
            "set `{set}` is for `{}.{}`, not for this column",
            found.column.table, found.column.column
        );
        return Err(ctx.refuse("V401", node, message));
    }
    Ok(found.values.iter().cloned().collect())
}

/// The value as one of this column: right type, enough digits, inside a closed domain.
fn typed(
    value: Scalar,
    code: &'static str,
    name: &ColumnRef,
    column: &Column,
    node: &impl Spanned,
    ctx: &Context<'_>,
) -> Result<Scalar, Problem> {
    let shown = &name.column;
    if let (Scalar::Text(text), ColumnType::Date) = (&value, column.ty) {
        let day = Scalar::parse(text, ColumnType::Date).ok_or_else(|| not_a_date(node, ctx))?;
        return typed(day, code, name, column, node, ctx);
    }
    let fits = value != Scalar::Null && value.fits(column.ty);
    if !fits {
        let message = format!(
            "`{shown}` is {}; compare it with such a value",
            type_words(column.ty)
        );
        return Err(ctx.refuse(code, node, message));
    }
    match domain_values(column) {
        Some(domain) if !domain.contains(&value) => {
            let message = format!("`{shown}` has the values {}", domain_words(column));
            Err(ctx.refuse("V401", node, message))
        }
        _ => Ok(value),
    }
}

fn type_words(ty: ColumnType) -> String {
    match ty {
        ColumnType::Int => "a whole number".to_owned(),
        ColumnType::Decimal { scale } => {
            format!("a decimal number with at most {scale} digits after the point")
        }
        ColumnType::Text => "a text in single quotes".to_owned(),
        ColumnType::Date => "a date, DATE 'YYYY-MM-DD'".to_owned(),
        ColumnType::Bool => "true or false".to_owned(),
    }
}

/// Values of a closed domain with their labels, for a sentence.
pub(super) fn domain_words(column: &Column) -> String {
    let Some(domain) = &column.domain else {
        return "true, false".to_owned();
    };
    let words = domain.iter().take(12).map(|(value, label)| {
        let value = spell::literal(value);
        if label.is_empty() {
            value
        } else {
            format!("{value} ({label})")
        }
    });
    let text = words.collect::<Vec<_>>().join(", ");
    if domain.len() > 12 {
        format!("{text}, ...")
    } else {
        text
    }
}

/// A plain number, from text or parameter: widths, output expressions, LIMIT.
pub(super) fn number(
    expr: &Expr,
    code: &'static str,
    ctx: &Context<'_>,
) -> Result<Number, Problem> {
    match given(expr, ctx)? {
        Given::Literal(Scalar::Number(n)) | Given::Param(Scalar::Number(n)) => Ok(n),
        Given::Param(..) | Given::List(..) => {
            Err(ctx.refuse("V700", expr, "a number is needed here"))
        }
        Given::Literal(_) => Err(ctx.refuse(code, expr, "a number is needed here")),
    }
}
