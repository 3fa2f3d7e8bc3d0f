//! Person frames: a query inside a query that groups the rows of one table by the unit key. It has a
//! row for each person who has such rows; its columns are derived columns of the person. HAVING is a
//! condition on such columns.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, OrderByExpr, OrderByOptions, SelectItem,
    Spanned,
};

use super::aggregate::{check_plain, function_refusal};
use super::context::Context;
use super::filter::{self, conditions};
use super::group::{argument, selected};
use super::relation::named;
use super::scope::{Env, Relation, Scope, bare, column_name, fold};
use super::shape::Parts;
use crate::codebook::{Column, ColumnRef, Role};
use crate::derived::{Aggregate, Derived, Frame};
use crate::problem::Problem;
use crate::question::Predicate;
use crate::value::ColumnType;

/// What a frame cannot bear: a sum or mean too large for its type, or a value without bounds.
const NO_BOUNDS: &str = "the codebook gives this column no bounds that hold for these rows, or too wide ones; restrict the rows to a named set";

/// Converts a query that groups by person.
pub(super) fn frame(
    parts: &Parts<'_>,
    scope: &Scope,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<Relation, Problem> {
    grouped_by_person(parts, scope, ctx)?;
    let Relation {
        rows,
        joined,
        filter,
        columns: _,
        frame: _,
    } = &scope.relation;
    let frame = Frame {
        rows: rows.clone(),
        joined: joined.clone(),
        filter: filter.clone(),
    };
    let mut columns: Vec<(String, ColumnRef)> = Vec::new();
    for item in parts.items {
        let (name, column) = column(item, &frame, scope, ctx)?;
        if columns.iter().any(|(n, _)| *n == name) {
            return Err(ctx.refuse("V101", item, format!("two columns are called `{name}`")));
        }
        ctx.call(&column, &name);
        columns.push((name, column));
    }
    let cohort = frame.cohort(false);
    let found = Relation {
        rows: ctx.codebook().unit.table.clone(),
        joined: std::collections::BTreeSet::new(),
        filter: Predicate {
            cohorts: [cohort.clone()].into(),
            ..Predicate::default()
        },
        columns,
        frame: Some(cohort),
    };
    match parts.having {
        None => Ok(found),
        Some(condition) => Having {
            frame: &frame,
            scope,
            ctx,
        }
        .restrict(found, condition, env),
    }
}

/// Most aggregates that a HAVING may name.
const MOST_HAVING: usize = 8;

/// HAVING of a person frame.
struct Having<'s, 'c, 't> {
    frame: &'s Frame,
    scope: &'s Scope,
    ctx: &'c Context<'t>,
}

impl Having<'_, '_, '_> {
    /// The persons for whom the condition holds: each aggregate in it is a column of the person.
    fn restrict(
        &self,
        mut found: Relation,
        condition: &Expr,
        env: &Env,
    ) -> Result<Relation, Problem> {
        let mut columns = found.columns.clone();
        let condition = self.named(condition, &mut columns)?;
        let scope = Scope {
            relation: found.clone(),
            sources: vec![(String::new(), columns)],
            outer: env.outer.clone(),
            left_out: std::collections::BTreeSet::new(),
        };
        let more = conditions(&condition, &scope, env, self.ctx)?;
        filter::restrict(&mut found.filter, more, Some(&condition), self.ctx)?;
        found.frame = None;
        Ok(found)
    }

    /// The condition with a name in the place of every aggregate.
    fn named(&self, expr: &Expr, columns: &mut Vec<(String, ColumnRef)>) -> Result<Expr, Problem> {
        let mut inner = |expr: &Expr| self.named(expr, columns).map(Box::new);
        Ok(match bare(expr) {
            Expr::Function(function) => Expr::Identifier(self.name(function, expr, columns)?),
            Expr::BinaryOp { left, op, right } => Expr::BinaryOp {
                left: inner(left)?,
                op: op.clone(),
                right: inner(right)?,
            },
            Expr::UnaryOp { op, expr } => Expr::UnaryOp {
                op: *op,
                expr: inner(expr)?,
            },
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => Expr::Between {
                expr: inner(expr)?,
                negated: *negated,
                low: low.clone(),
                high: high.clone(),
            },
            Expr::InList {
                expr,
                list,
                negated,
            } => Expr::InList {
                expr: inner(expr)?,
                list: list.clone(),
                negated: *negated,
            },
            Expr::IsNull(expr) => Expr::IsNull(inner(expr)?),
            Expr::IsNotNull(expr) => Expr::IsNotNull(inner(expr)?),
            other => other.clone(),
        })
    }

    fn name(
        &self,
        function: &Function,
        expr: &Expr,
        columns: &mut Vec<(String, ColumnRef)>,
    ) -> Result<Ident, Problem> {
        let derived = Derived::Frame {
            of: aggregate(function, self.scope, self.ctx)?,
            frame: self.frame.clone(),
        };
        let column = self.ctx.derive(&derived, expr, NO_BOUNDS)?;
        // As it is written: no alias looks like that.
        let name = function.to_string().to_ascii_lowercase();
        if !columns.iter().any(|(known, _)| *known == name) {
            self.ctx.call(&column, &name);
            columns.push((name.clone(), column));
        }
        if columns.len() > super::MAX_OUTPUTS + MOST_HAVING {
            let message = format!("HAVING names more than {MOST_HAVING} aggregates");
            return Err(self.ctx.refuse("V800", expr, message));
        }
        let mut ident = Ident::with_quote('"', name);
        ident.span = function.span();
        Ok(ident)
    }
}

fn grouped_by_person(parts: &Parts<'_>, scope: &Scope, ctx: &Context<'_>) -> Result<(), Problem> {
    let refuse = |node: &Expr| {
        let message = "a query inside a query groups by the unit key and nothing else: one row for each person";
        ctx.refuse("V202", node, message)
    };
    for key in parts.group_by {
        let key = selected(key, parts.items, scope, ctx)?;
        let column = scope.column(key, ctx).ok().flatten();
        if !column.is_some_and(|column| ctx.is_unit_key(&column)) {
            return Err(refuse(key));
        }
    }
    match parts.group_by {
        [key] if scope.relation.rows == ctx.codebook().unit.table => {
            let message = "a query that groups by person takes its rows from a table of events, not from the unit table";
            Err(ctx.refuse("V202", key, message))
        }
        [_] => Ok(()),
        more => Err(more.first().map_or_else(
            || super::refuse("V202", "GROUP BY names the unit key"),
            refuse,
        )),
    }
}

/// The unit key, or an aggregate of the person's rows.
fn column(
    item: &SelectItem,
    frame: &Frame,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<(String, ColumnRef), Problem> {
    let (expr, name) = named(item, ctx)?;
    if let Expr::Function(function) = bare(expr) {
        let derived = Derived::Frame {
            of: aggregate(function, scope, ctx)?,
            frame: frame.clone(),
        };
        let name = name.ok_or_else(|| {
            let message = "an aggregate in a query inside a query needs a name";
            ctx.refuse("V101", expr, message)
                .write(format!("{expr} AS a"))
        })?;
        return Ok((name, ctx.derive(&derived, expr, NO_BOUNDS)?));
    }
    let key = scope.column(expr, ctx)?;
    if !key.is_some_and(|column| ctx.is_unit_key(&column)) {
        let message = "a query that groups by person selects the unit key and aggregates";
        return Err(ctx.refuse("V202", expr, message));
    }
    let own = column_name(expr).and_then(<[_]>::last).map(fold);
    let unit = ctx.codebook().unit.clone();
    Ok((name.or(own).unwrap_or_else(|| unit.column.clone()), unit))
}

fn aggregate(function: &Function, scope: &Scope, ctx: &Context<'_>) -> Result<Aggregate, Problem> {
    let name = function.name.to_string().to_ascii_lowercase();
    let refuse = |message: &str| ctx.refuse("V501", function, message);
    check_plain(function, ctx)?;
    let FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment,
        args,
        clauses,
    }) = &function.args
    else {
        return Err(function_refusal(function, ctx));
    };
    let [only] = args.as_slice() else {
        return Err(refuse("an aggregate takes one bare column"));
    };
    let distinct = matches!(duplicate_treatment, Some(DuplicateTreatment::Distinct));
    let all = matches!(duplicate_treatment, Some(DuplicateTreatment::All));
    let ordered = matches!(
        name.as_str(),
        "first" | "last" | "first_value" | "last_value"
    );
    if all || (distinct && name != "count") || (!ordered && !clauses.is_empty()) {
        let message = "modifiers inside an aggregate are not part of the language";
        return Err(ctx.refuse("V502", function, message));
    }
    if name == "count" && !distinct {
        return match only {
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok(Aggregate::Rows),
            _ => Err(
                refuse("the number of rows is count(*), of values count(DISTINCT column)")
                    .write("count(*)"),
            ),
        };
    }
    let expr = argument(only).ok_or_else(|| refuse("an aggregate takes one bare column"))?;
    let named = scope.column(expr, ctx)?;
    let column = named.ok_or_else(|| refuse("the argument of an aggregate is a bare column"))?;
    match name.as_str() {
        "count" => countable(&column, expr, ctx).map(|()| Aggregate::Distinct(column)),
        "min" => value(&column, true, expr, ctx).map(|()| Aggregate::Min(column)),
        "max" => value(&column, true, expr, ctx).map(|()| Aggregate::Max(column)),
        "sum" => value(&column, false, expr, ctx).map(|()| Aggregate::Sum(column)),
        "avg" => value(&column, false, expr, ctx).map(|()| Aggregate::Mean(column)),
        "first" | "first_value" => {
            value(&column, false, expr, ctx)?;
            let by = order(function, clauses, &column, scope, ctx)?;
            Ok(Aggregate::First { value: column, by })
        }
        "last" | "last_value" => {
            value(&column, false, expr, ctx)?;
            let by = order(function, clauses, &column, scope, ctx)?;
            Ok(Aggregate::Last { value: column, by })
        }
        _ => Err(function_refusal(function, ctx)),
    }
}

fn known<'a>(name: &ColumnRef, node: &Expr, ctx: &Context<'a>) -> Result<&'a Column, Problem> {
    let found = ctx.column(name);
    found.ok_or_else(|| ctx.refuse("V400", node, "the codebook has no such column"))
}

/// Different values may be counted of what WHERE or GROUP BY may name.
fn countable(name: &ColumnRef, node: &Expr, ctx: &Context<'_>) -> Result<(), Problem> {
    let column = known(name, node, ctx)?;
    let roles = [Role::Filter, Role::Group, Role::Date];
    if !ctx.is_unit_key(name) && roles.iter().any(|role| column.has(*role)) {
        return Ok(());
    }
    let message = format!(
        "the codebook does not allow to count values of `{}`",
        name.column
    );
    Err(ctx.refuse("V400", node, message))
}

/// Values may be aggregated where the codebook says so, and dates have a first and a last.
fn value(name: &ColumnRef, dates: bool, node: &Expr, ctx: &Context<'_>) -> Result<(), Problem> {
    let column = known(name, node, ctx)?;
    let date = dates && column.ty == ColumnType::Date && column.has(Role::Date);
    let number = column.ty.is_numeric() && column.has(Role::Value);
    if !ctx.is_unit_key(name) && (date || number) {
        return Ok(());
    }
    let message = format!("the codebook does not allow to aggregate `{}`", name.column);
    Err(ctx.refuse("V400", node, message))
}

/// `ORDER BY date, value`: the value after the date decides between rows of one day, so that the
/// answer does not depend on the order of rows.
fn order(
    function: &Function,
    clauses: &[FunctionArgumentClause],
    value: &ColumnRef,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<ColumnRef, Problem> {
    let form = || {
        let message =
            "rows of a person are ordered by a date and then by the value itself, both ascending";
        ctx.refuse("V501", function, message)
            .write(format!("{}(value ORDER BY date, value)", function.name))
    };
    let [FunctionArgumentClause::OrderBy(items)] = clauses else {
        return Err(form());
    };
    let [by, then] = items.as_slice() else {
        return Err(form());
    };
    let plain = |item: &OrderByExpr| {
        let OrderByExpr {
            expr: _,
            options,
            with_fill,
        } = item;
        let ascending = OrderByOptions {
            asc: None,
            nulls_first: None,
        };
        with_fill.is_none() && *options == ascending
    };
    if !(plain(by) && plain(then)) || scope.column(&then.expr, ctx)?.as_ref() != Some(value) {
        return Err(form());
    }
    let date = scope.column(&by.expr, ctx)?.ok_or_else(form)?;
    let column = known(&date, &by.expr, ctx)?;
    if column.ty == ColumnType::Date && column.has(Role::Date) {
        Ok(date)
    } else {
        Err(form())
    }
}
