//! WHERE: a conjunction of conditions on one column each, and of cohorts; reviewed questions also have
//! OR and NOT ([`super::either`]).

use sqlparser::ast::{BinaryOperator, Expr, Query, Spanned, UnaryOperator};

use super::aggregate::function_refusal;
use super::context::Context;
use super::dates;
use super::either;
use super::literal::{one, several};
use super::relation::subselect;
use super::scope::{Env, Scope, bare, column_name, fold};
use super::wording;
use super::{MAX_CONDITIONS, MAX_IN_LIST, refuse};
use crate::codebook::{Column, ColumnRef, Role};
use crate::problem::Problem;
use crate::question::{Cohort, CompareOp, Predicate, Set, Values};
use crate::set::{off_grid, ordinal};
use crate::value::{ColumnType, Scalar};

/// Converts a condition.
pub(super) fn conditions(
    condition: &Expr,
    scope: &Scope,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<Predicate, Problem> {
    let reviewed = ctx.reviewed.then(|| either::without_not(condition));
    let mut all = Predicate::default();
    let mut open = vec![reviewed.as_ref().unwrap_or(condition)];
    while let Some(next) = open.pop() {
        match bare(next) {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                open.push(right);
                open.push(left);
            }
            Expr::BinaryOp {
                op: BinaryOperator::Or,
                ..
            } if ctx.reviewed => {
                let any = either::either(next, scope, env, ctx)?;
                restrict(&mut all, any, Some(next), ctx)?;
            }
            atom => {
                let one = condition_of(atom, scope, env, ctx)?;
                restrict(&mut all, one, Some(atom), ctx)?;
            }
        }
    }
    Ok(all)
}

/// Adds conditions to a predicate; what can never hold is refused.
pub(super) fn restrict(
    all: &mut Predicate,
    more: Predicate,
    node: Option<&impl Spanned>,
    ctx: &Context<'_>,
) -> Result<(), Problem> {
    let at = node.and_then(|n| ctx.at(n)).or(Some(ctx.text.whole()));
    for (column, set) in more.boxes {
        let both = match all.boxes.get(&column) {
            Some(old) => old.intersect(&set),
            None => set,
        };
        let both = ctx
            .column(&column)
            .map_or_else(|| both.clone(), |c| both.within(c));
        if both.is_empty() {
            let message = format!("no value of `{}` meets all conditions", column.column);
            return Err(refuse("V401", message).at(at));
        }
        if both.is_anything() {
            all.boxes.remove(&column);
        } else {
            all.boxes.insert(column, both);
        }
    }
    all.cohorts.extend(more.cohorts);
    if all.boxes.len() + all.cohorts.len() > MAX_CONDITIONS {
        let message = format!("WHERE restricts more than {MAX_CONDITIONS} columns and cohorts");
        return Err(refuse("V800", message).at(at));
    }
    Ok(())
}

/// A condition without AND, OR and NOT.
pub(super) fn condition_of(
    atom: &Expr,
    scope: &Scope,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<Predicate, Problem> {
    match atom {
        Expr::BinaryOp { left, op, right } => match compare_op(op) {
            Some(op) => comparison(atom, left, op, right, scope, ctx),
            None => Err(not_a_comparison(atom, op, left, right, ctx)),
        },
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => between(atom, (expr, low, high), *negated, scope, ctx),
        Expr::InList {
            expr,
            list,
            negated,
        } => {
            let (name, column) = filterable(expr, scope, ctx)?;
            let values = list_values(list, &name, column, ctx)?;
            boxed(
                name,
                column,
                if *negated {
                    values.complement()
                } else {
                    values
                },
                atom,
                ctx,
            )
        }
        Expr::InSubquery {
            expr,
            subquery,
            negated,
        } => cohort(expr, subquery, *negated, scope, env, ctx),
        Expr::IsNull(expr) => {
            let (name, column) = filterable(expr, scope, ctx)?;
            if column.required {
                let message = format!("`{}` is never missing", name.column);
                return Err(ctx.refuse("V401", atom, message));
            }
            Ok(only(name, Set::null_only()))
        }
        // Nothing is missing from a required column: `restrict` drops the condition.
        Expr::IsNotNull(expr) => {
            let (name, _) = filterable(expr, scope, ctx)?;
            Ok(only(name, Set::not_null()))
        }
        other => Err(not_a_condition(other, scope, ctx)),
    }
}

/// `expr BETWEEN low AND high`.
fn between(
    atom: &Expr,
    (expr, low, high): (&Expr, &Expr, &Expr),
    negated: bool,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Predicate, Problem> {
    if !negated && let Some(first) = dates::compared(atom, (expr, CompareOp::Ge, low), scope, ctx)?
    {
        let mut both = first;
        if let Some(second) = dates::compared(atom, (expr, CompareOp::Le, high), scope, ctx)? {
            restrict(&mut both, second, Some(atom), ctx)?;
            return Ok(both);
        }
    }
    let (name, column) = filterable(expr, scope, ctx)?;
    let low = one(low, &name, column, ctx)?;
    let low = range(CompareOp::Ge, &low, column, atom, ctx)?;
    let high = one(high, &name, column, ctx)?;
    let high = range(CompareOp::Le, &high, column, atom, ctx)?;
    let values = low.intersect(&high);
    let values = if negated { values.complement() } else { values };
    boxed(name, column, values, atom, ctx)
}

pub(super) fn only(column: ColumnRef, set: Set) -> Predicate {
    Predicate {
        boxes: [(column, set)].into(),
        ..Predicate::default()
    }
}

/// A box, after its edges were found on the column's grid.
fn boxed(
    name: ColumnRef,
    column: &Column,
    values: Values,
    node: &impl Spanned,
    ctx: &Context<'_>,
) -> Result<Predicate, Problem> {
    let set = Set::of(values).within(column);
    if off_grid(&set, column).is_some() {
        let message = format!(
            "`{}` is compared at {} only",
            name.column,
            wording::grid(column)
        );
        let problem = ctx.refuse("V401", node, message);
        return Err(match wording::on_grid(&name.column, column, &set) {
            Some(write) => problem.write(write),
            None => problem,
        });
    }
    Ok(only(name, set))
}

/// The column of a condition, if it may be compared with literals.
fn filterable<'a>(
    expr: &Expr,
    scope: &Scope,
    ctx: &Context<'a>,
) -> Result<(ColumnRef, &'a Column), Problem> {
    let Some(name) = scope.column(expr, ctx)? else {
        return Err(match bare(expr) {
            Expr::Function(function) => function_refusal(function, ctx),
            _ => {
                let message = "a condition compares a bare column with a literal: no expressions";
                ctx.refuse("V301", expr, message)
            }
        });
    };
    let Some(column) = ctx.column(&name) else {
        return Err(ctx.refuse("V400", expr, "the codebook has no such column"));
    };
    let identifier = ctx.is_unit_key(&name)
        || column.roles.contains(&Role::Unit)
        || column.roles.contains(&Role::Key);
    if identifier {
        let message = format!(
            "`{}` identifies persons and is never compared with a value; a cohort is key IN (SELECT key FROM ...)",
            name.column
        );
        return Err(ctx.refuse("V400", expr, message));
    }
    if column.roles.contains(&Role::Filter) || column.roles.contains(&Role::Date) {
        return Ok((name, column));
    }
    let message = format!("the codebook does not allow `{}` in WHERE", name.column);
    Err(ctx.refuse("V400", expr, message))
}

fn compare_op(op: &BinaryOperator) -> Option<CompareOp> {
    match op {
        BinaryOperator::Eq => Some(CompareOp::Eq),
        BinaryOperator::NotEq => Some(CompareOp::Ne),
        BinaryOperator::Lt => Some(CompareOp::Lt),
        BinaryOperator::LtEq => Some(CompareOp::Le),
        BinaryOperator::Gt => Some(CompareOp::Gt),
        BinaryOperator::GtEq => Some(CompareOp::Ge),
        _ => None,
    }
}

/// The operator with its sides exchanged.
pub(super) fn flipped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq => CompareOp::Eq,
        CompareOp::Ne => CompareOp::Ne,
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
    }
}

fn comparison(
    atom: &Expr,
    left: &Expr,
    op: CompareOp,
    right: &Expr,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Predicate, Problem> {
    if let Some(dates) = dates::compared(atom, (left, op, right), scope, ctx)? {
        return Ok(dates);
    }
    let literal_first = matches!(
        bare(left),
        Expr::Value(_) | Expr::UnaryOp { .. } | Expr::TypedString(_)
    );
    let (expr, op, literal) = if literal_first {
        (right, flipped(op), left)
    } else {
        (left, op, right)
    };
    let (name, column) = filterable(expr, scope, ctx)?;
    // A name that means nothing here is the better thing to say than "not a literal".
    if let Some([set, name]) = column_name(literal)
        && fold(set) == "set"
    {
        let message = "a column is compared with a named set by IN";
        return Err(ctx
            .refuse("V401", atom, message)
            .write(format!("{expr} IN set.{}", fold(name))));
    }
    scope.column(literal, ctx)?;
    let value = one(literal, &name, column, ctx)?;
    let values = range(op, &value, column, atom, ctx)?;
    boxed(name, column, values, atom, ctx)
}

/// The values that stand in this relation to a literal of the column's type.
pub(super) fn range(
    op: CompareOp,
    value: &Scalar,
    column: &Column,
    node: &impl Spanned,
    ctx: &Context<'_>,
) -> Result<Values, Problem> {
    let point = match value {
        Scalar::Text(text) => Values::texts([text.clone()]),
        _ => Values::points(ordinal(value, column.ty)),
    };
    let ordered = !matches!(column.ty, ColumnType::Text | ColumnType::Bool);
    let at = ordinal(value, column.ty);
    match (op, at) {
        (CompareOp::Eq, _) => Ok(point),
        (CompareOp::Ne, _) => Ok(point.complement()),
        (CompareOp::Lt, Some(o)) if ordered => Ok(Values::from_ranges([(None, o.checked_sub(1))])),
        (CompareOp::Le, Some(o)) if ordered => Ok(Values::from_ranges([(None, Some(o))])),
        (CompareOp::Gt, Some(o)) if ordered => Ok(Values::from_ranges([(o.checked_add(1), None)])),
        (CompareOp::Ge, Some(o)) if ordered => Ok(Values::from_ranges([(Some(o), None)])),
        _ => {
            let message = "texts and truth values have no order here; write = or IN";
            Err(ctx.refuse("V301", node, message).write("IN (...)"))
        }
    }
}

fn list_values(
    list: &[Expr],
    name: &ColumnRef,
    column: &Column,
    ctx: &Context<'_>,
) -> Result<Values, Problem> {
    if let Some(beyond) = list.get(MAX_IN_LIST) {
        let message = format!(
            "an IN list has at most {MAX_IN_LIST} values; use a named set or a list parameter"
        );
        return Err(ctx.refuse("V401", beyond, message).write("IN $codes"));
    }
    let mut scalars = Vec::with_capacity(list.len());
    for item in list {
        scalars.extend(several(item, name, column, ctx)?);
    }
    if column.ty == ColumnType::Text {
        let texts = scalars.into_iter().filter_map(|s| match s {
            Scalar::Text(text) => Some(text),
            _ => None,
        });
        return Ok(Values::texts(texts));
    }
    Ok(Values::points(
        scalars.iter().filter_map(|s| ordinal(s, column.ty)),
    ))
}

/// `key [NOT] IN (SELECT key FROM ...)`.
fn cohort(
    expr: &Expr,
    subquery: &Query,
    negated: bool,
    scope: &Scope,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<Predicate, Problem> {
    let outer_key = scope
        .column(expr, ctx)?
        .is_some_and(|column| ctx.is_unit_key(&column));
    if !outer_key {
        let message = "a cohort selects persons by the unit key";
        return Err(ctx
            .refuse("V202", expr, message)
            .write("key IN (SELECT key FROM ...)"));
    }
    let mut inner = env.clone();
    inner
        .outer
        .extend(scope.sources.iter().map(|(name, _)| name.clone()));
    let relation = subselect(subquery, &inner, ctx)?;
    match relation.columns.as_slice() {
        [(_, column)] if ctx.is_unit_key(column) => {}
        _ => {
            let message = "the query of a cohort selects the unit key and nothing else";
            return Err(ctx
                .refuse("V202", subquery, message)
                .write("IN (SELECT key FROM ...)"));
        }
    }
    let cohort = Cohort {
        negated,
        rows: relation.rows,
        joined: relation.joined,
        filter: relation.filter,
    };
    Ok(Predicate {
        cohorts: [cohort].into(),
        ..Predicate::default()
    })
}

fn not_a_comparison(
    atom: &Expr,
    op: &BinaryOperator,
    left: &Expr,
    right: &Expr,
    ctx: &Context<'_>,
) -> Problem {
    if *op != BinaryOperator::Or {
        let message = "a condition is a comparison = <> < <= > >= of a column with a literal";
        return ctx.refuse("V301", atom, message);
    }
    let message = "OR is for questions that a person reviews (`--reviewed`); values of one column are listed by IN";
    let problem = ctx.refuse("V301", atom, message);
    match wording::or_as_in(left, right) {
        Some(write) => problem.write(write),
        None => problem.write("column IN (..., ...)"),
    }
}

fn not_a_condition(atom: &Expr, scope: &Scope, ctx: &Context<'_>) -> Problem {
    if let Some(name) = column_name(atom) {
        let shown = name
            .iter()
            .map(|i| i.value.as_str())
            .collect::<Vec<_>>()
            .join(".");
        return match scope.column(atom, ctx) {
            Err(problem) => problem,
            Ok(_) => {
                let message = "a condition is a comparison; say what the column is compared with";
                ctx.refuse("V301", atom, message)
                    .write(format!("{shown} = true"))
            }
        };
    }
    match atom {
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => {
            let problem = ctx.refuse(
                "V301",
                atom,
                match ctx.reviewed {
                    true => "NOT stands before comparisons, AND and OR",
                    false => "NOT before a condition is for questions that a person reviews (`--reviewed`)",
                },
            );
            match wording::negation(bare(expr)) {
                Some(write) => problem.write(write),
                None => problem.write("<>, NOT IN, NOT BETWEEN or IS NOT NULL"),
            }
        }
        Expr::Exists { .. } => {
            let message =
                "EXISTS is not part of the language; a cohort is key IN (SELECT key FROM ...)";
            ctx.refuse("V202", atom, message)
                .write("key IN (SELECT key FROM ...)")
        }
        Expr::AnyOp { .. } | Expr::AllOp { .. } | Expr::Subquery(_) => {
            let message = "a subquery may only be a cohort, key IN (SELECT key FROM ...)";
            ctx.refuse("V202", atom, message)
                .write("key IN (SELECT key FROM ...)")
        }
        Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => {
            let message =
                "patterns are not part of the language; list the values by IN or name a set";
            ctx.refuse("V301", atom, message).write("column IN (...)")
        }
        Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => {
            let message = "truth values are compared by =";
            ctx.refuse("V301", atom, message)
                .write(format!("{inner} = true"))
        }
        Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => {
            let message = "truth values are compared by =";
            ctx.refuse("V301", atom, message)
                .write(format!("{inner} = false"))
        }
        Expr::Function(function) => function_refusal(function, ctx),
        _ => {
            let message = "a condition compares a bare column with a literal: =, <>, <, <=, >, >=, BETWEEN, IN, IS NULL";
            ctx.refuse("V301", atom, message)
        }
    }
}
