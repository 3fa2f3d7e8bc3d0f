//! FROM and WITH: tables, and queries that only rename or filter, all inlined down to tables.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Cte, Expr, ObjectName, Query, SelectItem, Spanned, TableAlias, TableFactor, With,
};

use super::context::Context;
use super::scope::{Env, Relation, Scope, alias, column_name, fold};
use super::shape::{Parts, parts};
use super::{filter, frame, join, scalar};
use crate::codebook::ColumnRef;
use crate::problem::Problem;
use crate::question::Predicate;

/// The environment with the relations that a WITH names.
pub(super) fn environment(
    with: Option<&With>,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<Env, Problem> {
    let mut env = env.clone();
    let Some(with) = with else { return Ok(env) };
    if with.recursive {
        return Err(ctx.refuse("V101", with, "WITH RECURSIVE is not part of the language"));
    }
    let mut named = BTreeSet::new();
    for cte in &with.cte_tables {
        let Cte {
            alias: name,
            query,
            from,
            materialized,
            closing_paren_token: _,
        } = cte;
        if from.is_some() || materialized.is_some() {
            let message = "WITH name AS (SELECT ...) has no modifiers in the language";
            return Err(ctx.refuse_name("V101", &name.name, message));
        }
        let relation = rename(subselect(query, &env, ctx)?, Some(name), ctx)?;
        let shown = alias(&name.name, ctx)?;
        if !named.insert(shown.clone()) {
            let message = format!("WITH names `{shown}` twice");
            return Err(ctx.refuse_name("V101", &name.name, message));
        }
        env.ctes.insert(shown, relation);
    }
    Ok(env)
}

/// FROM and WHERE of a SELECT.
pub(super) fn scope(parts: &Parts<'_>, env: &Env, ctx: &Context<'_>) -> Result<Scope, Problem> {
    let [from] = parts.from else {
        return Err(not_one_table(parts, ctx));
    };
    let (name, relation) = factor(&from.relation, env, ctx)?;
    let sources = vec![(name, relation.columns.clone())];
    let mut scope = Scope {
        relation,
        sources,
        outer: env.outer.clone(),
        left_out: BTreeSet::new(),
    };
    for joined in &from.joins {
        scope.relation.frame = None;
        let (name, relation) = factor(&joined.relation, env, ctx)?;
        join::join(&mut scope, name, relation, joined, ctx)?;
    }
    if let Some(condition) = parts.filter {
        scope.relation.frame = None;
        let condition = filter::conditions(condition, &scope, env, ctx)?;
        filter::restrict(&mut scope.relation.filter, condition, parts.filter, ctx)?;
        let restricted: Vec<ColumnRef> = scope.relation.filter.boxes.keys().cloned().collect();
        join::reach(&mut scope.relation, &restricted, ctx);
    }
    Ok(scope)
}

fn not_one_table(parts: &Parts<'_>, ctx: &Context<'_>) -> Problem {
    match parts.from.get(1) {
        Some(second) => {
            let message = "tables are joined by JOIN on the unit key, not by a comma";
            ctx.refuse("V201", second, message)
                .write("JOIN ... ON a.key = b.key")
        }
        None => {
            let message = "there is no FROM, so there is no privacy unit; name a table";
            match parts.items.first() {
                Some(item) => ctx.refuse("V203", item, message),
                None => super::refuse("V203", message).at(Some(ctx.text.whole())),
            }
        }
    }
}

/// One table of FROM, with the name it has in this SELECT.
fn factor(
    factor: &TableFactor,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<(String, Relation), Problem> {
    match factor {
        TableFactor::Table { .. } => named_table(factor, env, ctx),
        TableFactor::Derived {
            lateral: false,
            subquery,
            alias: Some(name),
            sample: None,
        } => {
            let relation = rename(subselect(subquery, env, ctx)?, Some(name), ctx)?;
            Ok((alias(&name.name, ctx)?, relation))
        }
        TableFactor::Derived { lateral: true, .. } => {
            Err(ctx.refuse("V101", factor, "LATERAL is not part of the language"))
        }
        TableFactor::Derived {
            sample: Some(_), ..
        } => Err(ctx.refuse("V101", factor, "TABLESAMPLE is not part of the language")),
        TableFactor::Derived { .. } => Err(ctx
            .refuse("V101", factor, "a query in FROM needs a name")
            .write("(SELECT ...) AS a")),
        TableFactor::NestedJoin { .. } => Err(ctx.refuse(
            "V201",
            factor,
            "joins are written one after another, without brackets",
        )),
        _ => {
            let message =
                "FROM names tables of the codebook; table functions are not part of the language";
            Err(ctx.refuse("V200", factor, message))
        }
    }
}

fn named_table(
    factor: &TableFactor,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<(String, Relation), Problem> {
    let TableFactor::Table {
        name,
        alias: table_alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = factor
    else {
        return Err(ctx.refuse("V200", factor, "FROM names tables of the codebook"));
    };
    let plain = args.is_none() && json_path.is_none();
    if !plain {
        let message = "table functions are not part of the language; name a table of the codebook";
        return Err(ctx.refuse("V200", factor, message));
    }
    if sample.is_some() {
        return Err(ctx.refuse("V101", factor, "TABLESAMPLE is not part of the language"));
    }
    let modified = version.is_some() || *with_ordinality;
    if modified || !with_hints.is_empty() || !partitions.is_empty() || !index_hints.is_empty() {
        return Err(ctx.refuse(
            "V101",
            factor,
            "modifiers of a table are not part of the language",
        ));
    }
    let name = table_name(name, ctx)?;
    let shown = table_alias
        .as_ref()
        .map(|a| alias(&a.name, ctx))
        .transpose()?;
    let relation = match env.ctes.get(&name) {
        Some(relation) => {
            ctx.name(&name);
            relation.clone()
        }
        None => base(&name, factor, ctx)?,
    };
    let relation = rename(relation, table_alias.as_ref(), ctx)?;
    Ok((shown.unwrap_or(name), relation))
}

fn table_name(name: &ObjectName, ctx: &Context<'_>) -> Result<String, Problem> {
    let [part] = name.0.as_slice() else {
        let message = "tables have no schema or catalogue; name a table of the codebook";
        return Err(ctx.refuse("V200", name, message));
    };
    match part.as_ident() {
        Some(ident) if ident.quote_style != Some('\'') => Ok(fold(ident)),
        _ => Err(ctx.refuse(
            "V200",
            name,
            "files and functions are no tables of the codebook",
        )),
    }
}

fn base(name: &str, node: &impl Spanned, ctx: &Context<'_>) -> Result<Relation, Problem> {
    let table = ctx.table(name, node)?;
    let columns = table.columns.keys().map(|column| {
        (
            column.clone(),
            ColumnRef {
                table: name.to_owned(),
                column: column.clone(),
            },
        )
    });
    Ok(Relation {
        rows: name.to_owned(),
        joined: BTreeSet::new(),
        filter: Predicate::default(),
        columns: columns.collect(),
        frame: None,
    })
}

/// Column names of an alias such as `a (pid, sex)`.
fn rename(
    mut relation: Relation,
    alias_of: Option<&TableAlias>,
    ctx: &Context<'_>,
) -> Result<Relation, Problem> {
    let Some(TableAlias {
        explicit: _,
        name,
        columns,
        at,
    }) = alias_of
    else {
        return Ok(relation);
    };
    if at.is_some() {
        return Err(ctx.refuse_name("V101", name, "AT is not part of the language"));
    }
    if columns.is_empty() {
        return Ok(relation);
    }
    if columns.len() != relation.columns.len() {
        let message = "the list of column names is not as long as the list of columns";
        return Err(ctx.refuse_name("V101", name, message));
    }
    for (column, (shown, _)) in columns.iter().zip(&mut relation.columns) {
        if column.data_type.is_some() {
            return Err(ctx.refuse_name("V101", name, "column names of an alias have no type"));
        }
        *shown = alias(&column.name, ctx)?;
    }
    Ok(relation)
}

/// A query that only renames, filters and derives, or groups by person; anything more is V202.
pub(super) fn subselect(query: &Query, env: &Env, ctx: &Context<'_>) -> Result<Relation, Problem> {
    let parts = parts(query, ctx)?;
    let having = parts.having.filter(|_| parts.group_by.is_empty());
    let more = having
        .or(parts.limit)
        .or(parts.order_by.first().map(|o| &o.expr));
    if let Some(more) = more {
        let message = "a query inside a query has no HAVING but beside GROUP BY, no ORDER BY and no LIMIT; filter it by WHERE in a further one";
        return Err(ctx.refuse("V202", more, message));
    }
    let env = environment(parts.with, env, ctx)?;
    let mut scope = scope(&parts, &env, ctx)?;
    if !parts.group_by.is_empty() {
        return frame::frame(&parts, &scope, &env, ctx);
    }
    let mut columns: Vec<(String, ColumnRef)> = Vec::new();
    for item in parts.items {
        let (name, column, derived) = column_of(item, &scope, ctx)?;
        if derived {
            // Where there is no row it may have a value all the same.
            scope.relation.frame = None;
        }
        if columns.iter().any(|(n, _)| *n == name) {
            return Err(ctx.refuse("V101", item, format!("two columns are called `{name}`")));
        }
        ctx.call(&column, &name);
        columns.push((name, column));
    }
    let offered: Vec<ColumnRef> = columns.iter().map(|(_, column)| column.clone()).collect();
    join::reach(&mut scope.relation, &offered, ctx);
    Ok(Relation {
        columns,
        ..scope.relation
    })
}

/// A column of the query, by name or derived here.
fn column_of(
    item: &SelectItem,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<(String, ColumnRef, bool), Problem> {
    let (expr, name) = named(item, ctx)?;
    let Some(column) = scope.column(expr, ctx)? else {
        let column = scalar::derived(expr, scope, ctx)?;
        let name = name.ok_or_else(|| {
            let message = "a derived column needs a name";
            ctx.refuse("V101", expr, message)
                .write(format!("{expr} AS a"))
        })?;
        return Ok((name, column, true));
    };
    let own = column_name(expr).and_then(<[_]>::last).map(fold);
    let name = name.or(own).unwrap_or_else(|| column.column.clone());
    Ok((name, column, false))
}

/// The expression of an item, and its alias.
pub(super) fn named<'q>(
    item: &'q SelectItem,
    ctx: &Context<'_>,
) -> Result<(&'q Expr, Option<String>), Problem> {
    Ok(match item {
        SelectItem::UnnamedExpr(expr) => (expr, None),
        SelectItem::ExprWithAlias { expr, alias: name } => (expr, Some(alias(name, ctx)?)),
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
            return Err(ctx.refuse(
                "V101",
                item,
                "name the columns; `*` is not part of the language",
            ));
        }
        SelectItem::ExprWithAliases { .. } => {
            return Err(ctx.refuse("V101", item, "a column has one alias"));
        }
    })
}
