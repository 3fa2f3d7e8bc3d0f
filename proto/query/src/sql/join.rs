//! Joins: inner, on the unit key, at most one table with many rows per unit. Reviewed questions also
//! have LEFT JOIN of tables with one row per unit.

use sqlparser::ast::{BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, ObjectName};

use super::context::Context;
use super::filter;
use super::scope::{Relation, Scope, bare, fold};
use crate::codebook::ColumnRef;
use crate::derived::{Aggregate, Derived, Frame};
use crate::problem::Problem;
use crate::question::Predicate;
use crate::value::ColumnType;

/// Adds a relation to the scope.
pub(super) fn join(
    scope: &mut Scope,
    name: String,
    mut relation: Relation,
    join: &Join,
    ctx: &Context<'_>,
) -> Result<(), Problem> {
    if scope.sources.iter().any(|(source, _)| *source == name) {
        let message = format!("two tables are called `{name}`; give one an alias");
        return Err(ctx.refuse("V200", &join.relation, message));
    }
    if ctx.reviewed && is_left(join) {
        let all: Vec<String> = relation.columns.iter().map(|(n, _)| n.clone()).collect();
        relation = as_frame(relation, join, ctx)?;
        let kept = |name: &String| relation.columns.iter().any(|(other, _)| other == name);
        scope
            .left_out
            .extend(all.into_iter().filter(|name| !kept(name)));
    }
    let (constraint, outer) = constraint(join, &relation, ctx)?;
    scope.sources.push((name, relation.columns.clone()));
    match constraint {
        JoinConstraint::On(condition) => on_keys(condition, scope, ctx)?,
        JoinConstraint::Using(names) => using_keys(names, scope, join, ctx)?,
        JoinConstraint::Natural | JoinConstraint::None => {
            let message = "a join says on which unit keys";
            return Err(ctx
                .refuse("V201", join, message)
                .write(suggestion(scope, ctx)));
        }
    }
    if outer {
        // Where there is no row there is no key: it cannot be named, and nobody is left out.
        if let Some((_, columns)) = scope.sources.last_mut() {
            columns.retain(|(_, column)| !ctx.is_unit_key(column));
        }
        relation.filter = Predicate::default();
    }
    merge(scope, relation, join, ctx)
}

/// Derived columns of the person are columns of the unit table: it belongs to the tables of a
/// relation that names one. Everybody is in it, so it restricts nothing.
pub(super) fn reach(relation: &mut Relation, columns: &[ColumnRef], ctx: &Context<'_>) {
    let unit = &ctx.codebook().unit.table;
    let named = columns.iter().any(|column| column.table == *unit);
    if named && relation.rows != *unit && !relation.joined.contains(unit) {
        let mut tables = std::mem::take(&mut relation.joined);
        tables.insert(std::mem::take(&mut relation.rows));
        tables.insert(unit.clone());
        relation.rows = principal(&tables, ctx);
        tables.remove(&relation.rows);
        relation.joined = tables;
    }
}

/// The condition of a join, and whether it keeps persons without a row: so does LEFT JOIN of a frame.
fn constraint<'q>(
    join: &'q Join,
    relation: &Relation,
    ctx: &Context<'_>,
) -> Result<(&'q JoinConstraint, bool), Problem> {
    match &join.join_operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) if !join.global => {
            Ok((constraint, false))
        }
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint)
            if !join.global && relation.frame.is_some() =>
        {
            Ok((constraint, true))
        }
        JoinOperator::Left(_)
        | JoinOperator::LeftOuter(_)
        | JoinOperator::Right(_)
        | JoinOperator::RightOuter(_)
        | JoinOperator::FullOuter(_) => {
            let message = "tables are joined by inner joins, LEFT JOIN adds a query that is grouped by person; persons without a row are counted by NOT IN (SELECT ...)";
            Err(ctx.refuse("V201", join, message).write("JOIN"))
        }
        JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::RightSemi(_) => {
            let message = "a semi-join is written as a cohort";
            Err(ctx
                .refuse("V201", join, message)
                .write("WHERE key IN (SELECT key FROM ...)"))
        }
        JoinOperator::Anti(_) | JoinOperator::LeftAnti(_) | JoinOperator::RightAnti(_) => {
            let message = "an anti-join is written as a cohort";
            Err(ctx
                .refuse("V201", join, message)
                .write("WHERE key NOT IN (SELECT key FROM ...)"))
        }
        _ => Err(ctx.refuse(
            "V201",
            join,
            "only inner joins on the unit key are part of the language",
        )),
    }
}

fn is_left(join: &Join) -> bool {
    matches!(
        join.join_operator,
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_)
    )
}

/// A table with one row per unit as a person frame: its columns are then missing for persons without a
/// row. Anything else stays as it is, and is refused. Texts, truth values and what was derived before
/// have no such column.
fn as_frame(mut relation: Relation, join: &Join, ctx: &Context<'_>) -> Result<Relation, Problem> {
    let unit = relation.rows == ctx.codebook().unit.table;
    if unit || relation.frame.is_some() || ctx.is_event_table(&relation.rows) {
        return Ok(relation);
    }
    let frame = Frame {
        rows: relation.rows.clone(),
        joined: relation.joined.clone(),
        filter: relation.filter.clone(),
    };
    let mut columns = Vec::with_capacity(relation.columns.len());
    for (name, column) in std::mem::take(&mut relation.columns) {
        if ctx.is_unit_key(&column) {
            columns.push((name, column));
            continue;
        }
        let plain = ctx.column(&column);
        let plain = plain.is_some_and(|c| c.ty.is_numeric() || c.ty == ColumnType::Date);
        let own = column.table == relation.rows || relation.joined.contains(&column.table);
        let of = Aggregate::Max(column);
        let frame = frame.clone();
        let only = Derived::Frame { frame, of };
        if plain && own && only.column(ctx.codebook()).is_some() {
            let derived = ctx.derive(&only, join, "this table cannot be joined so")?;
            ctx.call(&derived, &name);
            columns.push((name, derived));
        }
    }
    Ok(Relation {
        rows: ctx.codebook().unit.table.clone(),
        joined: std::collections::BTreeSet::new(),
        frame: Some(frame.cohort(false)),
        columns,
        ..relation
    })
}

/// `ON a.key = b.key`, one of them the new table's and one an earlier table's.
fn on_keys(condition: &Expr, scope: &Scope, ctx: &Context<'_>) -> Result<(), Problem> {
    let Expr::BinaryOp { left, op, right } = bare(condition) else {
        let message = "a join condition is one equality of unit keys";
        return Err(ctx
            .refuse("V201", condition, message)
            .write(suggestion(scope, ctx)));
    };
    if *op == BinaryOperator::And {
        let message =
            "a join condition is one equality of unit keys; other conditions belong in WHERE";
        return Err(ctx
            .refuse("V201", condition, message)
            .write(suggestion(scope, ctx)));
    }
    let sides = (scope.column(left, ctx)?, scope.column(right, ctx)?);
    let (Some(left), Some(right), BinaryOperator::Eq) = (sides.0, sides.1, op) else {
        let message = "a join condition is one equality of unit keys";
        return Err(ctx
            .refuse("V201", condition, message)
            .write(suggestion(scope, ctx)));
    };
    let newest = scope
        .sources
        .last()
        .map(|(_, columns)| columns.as_slice())
        .unwrap_or_default();
    let is_new = |column: &ColumnRef| newest.iter().any(|(_, c)| c == column);
    let is_old = |column: &ColumnRef| {
        let earlier = scope
            .sources
            .split_last()
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        earlier
            .iter()
            .any(|(_, columns)| columns.iter().any(|(_, c)| c == column))
    };
    let keys = ctx.is_unit_key(&left) && ctx.is_unit_key(&right);
    let across = (is_new(&left) && is_old(&right)) || (is_old(&left) && is_new(&right));
    if keys && across {
        return Ok(());
    }
    let message = "tables are joined on their unit keys only";
    Err(ctx
        .refuse("V201", condition, message)
        .write(suggestion(scope, ctx)))
}

fn using_keys(
    names: &[ObjectName],
    scope: &Scope,
    join: &Join,
    ctx: &Context<'_>,
) -> Result<(), Problem> {
    let name = match names {
        [ObjectName(parts)] => parts.first().and_then(|p| p.as_ident()).map(fold),
        _ => None,
    };
    let offers_key = |columns: &[(String, ColumnRef)]| {
        columns
            .iter()
            .any(|(n, c)| Some(n) == name.as_ref() && ctx.is_unit_key(c))
    };
    let both = scope
        .sources
        .split_last()
        .is_some_and(|((_, newest), earlier)| {
            offers_key(newest) && earlier.iter().any(|(_, columns)| offers_key(columns))
        });
    if both {
        return Ok(());
    }
    let message = "tables are joined on their unit keys only";
    Err(ctx
        .refuse("V201", join, message)
        .write(suggestion(scope, ctx)))
}

/// One relation out of two: rows of the event table if there is one, else of the unit table.
fn merge(
    scope: &mut Scope,
    relation: Relation,
    join: &Join,
    ctx: &Context<'_>,
) -> Result<(), Problem> {
    let events = ctx.is_event_table(&scope.relation.rows) && ctx.is_event_table(&relation.rows);
    if events {
        let message = "two tables with many rows per person cannot be joined; select the persons of one by a cohort";
        let write = "WHERE key IN (SELECT key FROM ... WHERE ...)";
        return Err(ctx.refuse("V201", join, message).write(write));
    }
    let left = &mut scope.relation;
    let mut tables = std::mem::take(&mut left.joined);
    tables.extend(relation.joined);
    tables.insert(std::mem::take(&mut left.rows));
    tables.insert(relation.rows);
    left.rows = principal(&tables, ctx);
    tables.remove(&left.rows);
    left.joined = tables;
    filter::restrict(&mut left.filter, relation.filter, Some(join), ctx)
}

/// The table whose rows are counted: the event table, else the unit table, else the first.
fn principal(tables: &std::collections::BTreeSet<String>, ctx: &Context<'_>) -> String {
    let unit = &ctx.codebook().unit.table;
    let events = tables.iter().find(|table| ctx.is_event_table(table));
    let choice = events
        .or_else(|| tables.get(unit))
        .or_else(|| tables.first());
    choice.cloned().unwrap_or_default()
}

/// The join condition that would be accepted for the newest table.
fn suggestion(scope: &Scope, ctx: &Context<'_>) -> String {
    let key = |source: &(String, Vec<(String, ColumnRef)>)| {
        let column = source.1.iter().find(|(_, c)| ctx.is_unit_key(c))?;
        Some(format!("{}.{}", source.0, column.0))
    };
    let keys = (
        scope.sources.first().and_then(key),
        scope.sources.last().and_then(key),
    );
    match keys {
        (Some(first), Some(last)) => format!("ON {first} = {last}"),
        _ => "ON a.key = b.key".to_owned(),
    }
}
