//! The allow-list of syntax: a query is taken apart field by field, and everything that is
//! not part of the language is refused here, whatever its meaning would be.
//!
//! INVARIANT: every field of `Query` and `Select` is named, without `..`: a field that a new
//! release of the parser adds stops the build until somebody has decided about it.

use sqlparser::ast::{
    Expr, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, Query, Select, SelectFlavor,
    SelectItem, SetExpr, Spanned, TableWithJoins, With,
};

use super::context::Context;
use crate::problem::Problem;

/// The parts of a SELECT that the language has.
pub(super) struct Parts<'q> {
    pub(super) with: Option<&'q With>,
    pub(super) items: &'q [SelectItem],
    pub(super) from: &'q [TableWithJoins],
    pub(super) filter: Option<&'q Expr>,
    pub(super) group_by: &'q [Expr],
    pub(super) having: Option<&'q Expr>,
    pub(super) order_by: &'q [OrderByExpr],
    pub(super) limit: Option<&'q Expr>,
}

/// A clause that is not part of the language: whether it is there, its name, and what to do.
type Banned<'m> = (bool, &'m str, &'m str);

/// Takes a query apart, or refuses it.
pub(super) fn parts<'q>(query: &'q Query, ctx: &Context<'_>) -> Result<Parts<'q>, Problem> {
    let Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    let banned: [Banned<'_>; 6] = [
        (fetch.is_some(), "FETCH", "write LIMIT n"),
        (!locks.is_empty(), "FOR UPDATE", "nothing is ever changed"),
        (
            for_clause.is_some(),
            "FOR XML or JSON",
            "the command line has formats",
        ),
        (settings.is_some(), "SETTINGS", "leave it out"),
        (
            format_clause.is_some(),
            "FORMAT",
            "the command line has formats",
        ),
        (
            !pipe_operators.is_empty(),
            "the pipe operator",
            "write one SELECT",
        ),
    ];
    check(&banned, query, ctx)?;
    let mut parts = select(plain_select(body, ctx)?, ctx)?;
    parts.with = with.as_ref();
    if let Some(order_by) = order_by {
        let OrderByKind::Expressions(list) = &order_by.kind else {
            let message = "ORDER BY ALL is not part of the language; name the columns";
            return Err(ctx.refuse("V101", query, message));
        };
        if order_by.interpolate.is_some() {
            return Err(ctx.refuse("V101", query, "INTERPOLATE is not part of the language"));
        }
        parts.order_by = list;
    }
    parts.limit = limit_clause
        .as_ref()
        .map(|clause| limit(clause, ctx))
        .transpose()?
        .flatten();
    Ok(parts)
}

fn plain_select<'q>(body: &'q SetExpr, ctx: &Context<'_>) -> Result<&'q Select, Problem> {
    let message = match body {
        SetExpr::Select(select) => return Ok(select),
        SetExpr::Query(_) => "write the SELECT without brackets around it",
        SetExpr::SetOperation { .. } => {
            "UNION, INTERSECT and EXCEPT are not part of the language; ask two questions, or group by the column that tells them apart"
        }
        SetExpr::Values(_) | SetExpr::Table(_) => "a question selects from a table of the codebook",
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            return Err(ctx.refuse("V100", body, "only a SELECT can be asked"));
        }
    };
    Err(ctx.refuse("V101", body, message))
}

fn select<'q>(select: &'q Select, ctx: &Context<'_>) -> Result<Parts<'q>, Problem> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    check_dialect_filters(prewhere.as_ref(), qualify.as_ref(), ctx)?;
    let from_first = *flavor != SelectFlavor::Standard;
    let banned: [Banned<'_>; 14] = [
        (
            distinct.is_some(),
            "SELECT DISTINCT",
            "GROUP BY lists groups, and IN needs no DISTINCT",
        ),
        (from_first, "FROM before SELECT", "SELECT comes first"),
        (!optimizer_hints.is_empty(), "a hint", "leave it out"),
        (
            select_modifiers.is_some(),
            "a modifier of SELECT",
            "leave it out",
        ),
        (top.is_some(), "TOP", "write LIMIT n at the end"),
        (exclude.is_some(), "EXCLUDE", "name the columns"),
        (
            into.is_some(),
            "SELECT INTO",
            "the answer comes back to you",
        ),
        (
            !lateral_views.is_empty(),
            "LATERAL VIEW",
            "tables are joined on the unit key",
        ),
        (
            !connect_by.is_empty(),
            "CONNECT BY",
            "tables are joined on the unit key",
        ),
        (!cluster_by.is_empty(), "CLUSTER BY", "write GROUP BY"),
        (!distribute_by.is_empty(), "DISTRIBUTE BY", "write GROUP BY"),
        (!sort_by.is_empty(), "SORT BY", "write ORDER BY"),
        (!named_window.is_empty(), "WINDOW", "group and aggregate"),
        (value_table_mode.is_some(), "SELECT AS", "name the columns"),
    ];
    check(&banned, select, ctx)?;
    Ok(Parts {
        with: None,
        items: projection,
        from,
        filter: selection.as_ref(),
        group_by: group_list(group_by, ctx)?,
        having: having.as_ref(),
        order_by: &[],
        limit: None,
    })
}

/// Filters that other dialects have beside WHERE and HAVING.
fn check_dialect_filters(
    prewhere: Option<&Expr>,
    qualify: Option<&Expr>,
    ctx: &Context<'_>,
) -> Result<(), Problem> {
    for (clause, name, instead) in [
        (prewhere, "PREWHERE", "WHERE"),
        (qualify, "QUALIFY", "HAVING"),
    ] {
        if let Some(expr) = clause {
            let message = format!("{name} is not part of the language; write {instead}");
            return Err(ctx.refuse("V101", expr, message).write(instead));
        }
    }
    Ok(())
}

fn group_list<'q>(group_by: &'q GroupByExpr, ctx: &Context<'_>) -> Result<&'q [Expr], Problem> {
    match group_by {
        GroupByExpr::All(_) => {
            let message = "GROUP BY ALL is not part of the language; name the group keys";
            Err(ctx.refuse("V101", group_by, message))
        }
        GroupByExpr::Expressions(list, modifiers) if modifiers.is_empty() => Ok(list),
        GroupByExpr::Expressions(..) => {
            let message = "ROLLUP, CUBE and TOTALS are not part of the language; ask for the total as a question of its own";
            Err(ctx.refuse("V101", group_by, message))
        }
    }
}

fn limit<'q>(clause: &'q LimitClause, ctx: &Context<'_>) -> Result<Option<&'q Expr>, Problem> {
    match clause {
        LimitClause::LimitOffset {
            limit,
            offset: None,
            limit_by,
        } if limit_by.is_empty() => Ok(limit.as_ref()),
        LimitClause::LimitOffset {
            limit: Some(limit), ..
        }
        | LimitClause::OffsetCommaLimit { limit, .. } => {
            let message = "OFFSET and LIMIT BY are not part of the language; write LIMIT n";
            Err(ctx.refuse("V101", limit, message))
        }
        LimitClause::LimitOffset { .. } => Err(super::refuse(
            "V101",
            "OFFSET is not part of the language; write LIMIT n",
        )
        .at(Some(ctx.text.whole()))),
    }
}

fn check(banned: &[Banned<'_>], whole: &impl Spanned, ctx: &Context<'_>) -> Result<(), Problem> {
    match banned.iter().find(|(there, _, _)| *there) {
        None => Ok(()),
        Some((_, name, instead)) => {
            let message = format!("{name} is not part of the language; {instead}");
            Err(ctx.refuse("V101", whole, message))
        }
    }
}
