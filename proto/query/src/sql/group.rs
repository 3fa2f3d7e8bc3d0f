//! GROUP BY: the columns, bands and periods that may be group keys.

use sqlparser::ast::{
    BinaryOperator, CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, SelectItem, Value,
};

use super::MAX_KEYS;
use super::context::Context;
use super::literal::{Given, given, number};
use super::scope::{Scope, bare, column_name, fold};
use super::shape::Parts;
use crate::codebook::{Column, ColumnRef, Role};
use crate::number::Number;
use crate::problem::Problem;
use crate::question::{Grain, GroupKey};
use crate::set::number_ordinal;
use crate::value::{ColumnType, Scalar};

/// A group key as it was written: `floor(c / w)` shows the key divided by the width.
pub(super) struct Written {
    pub(super) key: GroupKey,
    pub(super) divided_by: Option<Number>,
}

/// The group keys, in order of first appearance.
pub(super) fn keys(
    parts: &Parts<'_>,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Vec<GroupKey>, Problem> {
    let mut keys: Vec<GroupKey> = Vec::new();
    for item in parts.group_by {
        let expr = selected(item, parts.items, scope, ctx)?;
        let sets = matches!(
            expr,
            Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_)
        );
        if sets {
            let message = "ROLLUP, CUBE and GROUPING SETS are not part of the language; ask for the total as a question of its own";
            return Err(ctx.refuse("V101", item, message));
        }
        let Some(written) = written(expr, scope, ctx)? else {
            let message = "a group key is a bare column, floor(column/width)*width or date_trunc('month', column)";
            return Err(ctx.refuse("V402", item, message));
        };
        if keys.contains(&written.key) {
            continue;
        }
        if keys.len() == MAX_KEYS {
            return Err(ctx.refuse(
                "V402",
                item,
                format!("a table has at most {MAX_KEYS} group keys"),
            ));
        }
        keys.push(written.key);
    }
    Ok(keys)
}

/// The expression behind an ordinal or an alias of the SELECT list.
pub(super) fn selected<'q>(
    item: &'q Expr,
    items: &'q [SelectItem],
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<&'q Expr, Problem> {
    let expr_of = |item: &'q SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    };
    if let Expr::Value(value) = bare(item)
        && let Value::Number(text, _) = &value.value
    {
        let nth = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        return nth
            .and_then(|n| items.get(n))
            .and_then(expr_of)
            .ok_or_else(|| ctx.refuse("V402", item, "there is no output column with this number"));
    }
    let Some([name]) = column_name(item) else {
        return Ok(item);
    };
    let name = fold(name);
    let aliased = items.iter().find_map(|select_item| match select_item {
        SelectItem::ExprWithAlias { expr, alias } if fold(alias) == name => Some(expr),
        _ => None,
    });
    // A column goes before an alias of the same name, unless it can be no key as it stands.
    if scope.has(&name) && written(item, scope, ctx).is_ok() {
        return Ok(item);
    }
    Ok(aliased.unwrap_or(item))
}

/// Reads an expression as a group key; `None` if it does not have the form of one.
pub(super) fn written(
    expr: &Expr,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Option<Written>, Problem> {
    let whole = |key: GroupKey| {
        Some(Written {
            key,
            divided_by: None,
        })
    };
    match bare(expr) {
        Expr::Floor { expr: inner, field } => {
            let (column, width) = band(expr, inner, field, scope, ctx)?;
            let key = GroupKey::Band { column, width };
            Ok(Some(Written {
                key,
                divided_by: Some(width),
            }))
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Multiply,
            right,
        } => {
            let (floor, factor) = match (bare(left), bare(right)) {
                (Expr::Floor { expr, field }, _) => ((expr, field), right),
                (_, Expr::Floor { expr, field }) => ((expr, field), left),
                _ => return Ok(None),
            };
            let (column, width) = band(expr, floor.0, floor.1, scope, ctx)?;
            if number(factor, "V402", ctx)? != width {
                let message = "a band is multiplied by its own width";
                let write = format!("floor({}/{width})*{width}", column.column);
                return Err(ctx.refuse("V402", expr, message).write(write));
            }
            Ok(whole(GroupKey::Band { column, width }))
        }
        Expr::Function(function) if is_date_trunc(function) => {
            period(expr, function, scope, ctx).map(whole)
        }
        Expr::Extract {
            field, expr: inner, ..
        } => {
            let grain = field.to_string().to_lowercase();
            let message = "dates are grouped by date_trunc of month, quarter or year";
            Err(ctx
                .refuse("V402", expr, message)
                .write(format!("date_trunc('{grain}', {inner})")))
        }
        name if column_name(name).is_some() => match scope.column(name, ctx)? {
            Some(column) => bare_column(column, name, ctx).map(whole),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

fn bare_column(name: ColumnRef, expr: &Expr, ctx: &Context<'_>) -> Result<GroupKey, Problem> {
    let column = groupable(&name, expr, ctx)?;
    let shown = &name.column;
    if column.ty == ColumnType::Date {
        let message = format!("`{shown}` is a date; it is grouped by month, quarter or year");
        let write = format!("date_trunc('month', {expr})");
        return Err(ctx.refuse("V402", expr, message).write(write));
    }
    if let (None, Some(width)) = (&column.domain, column.bands.first()) {
        let message = format!("`{shown}` is grouped in bands");
        let write = format!("floor({expr}/{width})*{width}");
        return Err(ctx.refuse("V402", expr, message).write(write));
    }
    Ok(GroupKey::Column(name))
}

/// The column, if the codebook allows to group by it.
fn groupable<'a>(name: &ColumnRef, expr: &Expr, ctx: &Context<'a>) -> Result<&'a Column, Problem> {
    let Some(column) = ctx.column(name) else {
        return Err(ctx.refuse("V400", expr, "the codebook has no such column"));
    };
    if ctx.is_unit_key(name)
        || column.roles.contains(&Role::Unit)
        || column.roles.contains(&Role::Key)
    {
        let message = format!("`{}` identifies persons; it is no group key", name.column);
        return Err(ctx.refuse("V402", expr, message));
    }
    let date = column.ty == ColumnType::Date && column.roles.contains(&Role::Date);
    if column.roles.contains(&Role::Group) || date {
        return Ok(column);
    }
    let message = format!("the codebook does not allow to group by `{}`", name.column);
    Err(ctx.refuse("V400", expr, message))
}

/// `floor(column / width)` with a declared width.
fn band(
    whole: &Expr,
    inner: &Expr,
    field: &CeilFloorKind,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<(ColumnRef, Number), Problem> {
    let form = || {
        let message = "bands are written floor(column/width)*width";
        ctx.refuse("V402", whole, message)
    };
    let plain = *field == CeilFloorKind::DateTimeField(DateTimeField::NoDateTime);
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Divide,
        right,
    } = bare(inner)
    else {
        return Err(form());
    };
    let name = scope
        .column(left, ctx)?
        .filter(|_| plain)
        .ok_or_else(form)?;
    let column = groupable(&name, left, ctx)?;
    let width = number(right, "V402", ctx)?;
    if column.bands.contains(&width) {
        return Ok((name, width));
    }
    let Some(declared) = nearest_width(column, width) else {
        let message = format!("the codebook declares no bands for `{}`", name.column);
        return Err(ctx.refuse("V402", whole, message).write(left.to_string()));
    };
    let list = column
        .bands
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let message = format!("bands of `{}` have width {list}", name.column);
    Err(ctx
        .refuse("V402", whole, message)
        .write(format!("floor({left}/{declared})*{declared}")))
}

/// The declared width that is nearest to the wanted one.
fn nearest_width(column: &Column, wanted: Number) -> Option<Number> {
    let at = |width: &Number| number_ordinal(width, column.ty);
    let Some(wanted) = at(&wanted) else {
        return column.bands.first().copied();
    };
    let distance = |width: &&Number| at(width).map(|w| w.abs_diff(wanted));
    column.bands.iter().min_by_key(distance).copied()
}

fn is_date_trunc(function: &Function) -> bool {
    function.name.to_string().eq_ignore_ascii_case("date_trunc")
}

/// `date_trunc('month', column)`.
fn period(
    whole: &Expr,
    function: &Function,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<GroupKey, Problem> {
    let form = || {
        let message =
            "periods are written date_trunc('month', column), with month, quarter or year";
        ctx.refuse("V402", whole, message)
            .write("date_trunc('month', column)")
    };
    super::aggregate::check_plain(function, ctx)?;
    let FunctionArguments::List(list) = &function.args else {
        return Err(form());
    };
    let [grain, column] = list.args.as_slice() else {
        return Err(form());
    };
    let (Some(grain), Some(column)) = (argument(grain), argument(column)) else {
        return Err(form());
    };
    let grain = match given(grain, ctx)? {
        Given::Literal(Scalar::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "month" => Grain::Month,
            "quarter" => Grain::Quarter,
            "year" => Grain::Year,
            _ => return Err(form()),
        },
        _ => return Err(form()),
    };
    let name = scope.column(column, ctx)?.ok_or_else(form)?;
    if groupable(&name, column, ctx)?.ty != ColumnType::Date {
        let message = format!("`{}` is no date", name.column);
        return Err(ctx.refuse("V402", whole, message));
    }
    Ok(GroupKey::Period {
        column: name,
        grain,
    })
}

/// A positional argument.
pub(super) fn argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}
