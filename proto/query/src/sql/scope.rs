//! Names in force: which tables a SELECT reads, and which column a name means.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{Expr, Ident, Spanned};

use super::context::Context;
use super::names::{closest, listed};
use super::text::is_plain_name;
use crate::codebook::ColumnRef;
use crate::problem::Problem;
use crate::question::{Cohort, Predicate};

/// A table, or a query that only renames and filters tables: always inlined.
#[derive(Clone)]
pub(super) struct Relation {
    /// The table whose rows it has.
    pub(super) rows: String,
    /// Unit tables joined to it.
    pub(super) joined: BTreeSet<String>,
    /// Which rows.
    pub(super) filter: Predicate,
    /// Columns it offers, by name.
    pub(super) columns: Vec<(String, ColumnRef)>,
    /// It is a person frame and nothing else: its rows are these persons, its columns theirs.
    pub(super) frame: Option<Cohort>,
}

/// Relations that a WITH has named, and names of the queries around this one.
#[derive(Clone, Default)]
pub(super) struct Env {
    pub(super) ctes: BTreeMap<String, Relation>,
    pub(super) outer: BTreeSet<String>,
}

/// The tables of one SELECT.
pub(super) struct Scope {
    /// All relations joined into one; its `columns` are those of the sources.
    pub(super) relation: Relation,
    /// Each relation's name here, and its columns.
    pub(super) sources: Vec<(String, Vec<(String, ColumnRef)>)>,
    /// Names of the queries around this one.
    pub(super) outer: BTreeSet<String>,
    /// Columns that LEFT JOIN does not keep.
    pub(super) left_out: BTreeSet<String>,
}

/// A name as it is meant: unquoted names are lower case.
pub(super) fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

/// An alias that may stand as the name of a column or table.
pub(super) fn alias(ident: &Ident, ctx: &Context<'_>) -> Result<String, Problem> {
    let name = fold(ident);
    let quoted_text = ident.quote_style.is_some_and(|q| q == '\'');
    if quoted_text || !is_plain_name(&name) {
        let message =
            "an alias is a letter or _, then at most 62 letters, digits and _, in lower case";
        return Err(ctx.refuse_name("V101", ident, message));
    }
    Ok(name)
}

/// Removes brackets around an expression.
pub(super) fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// The parts of a column name, if the expression is one.
pub(super) fn column_name(expr: &Expr) -> Option<&[Ident]> {
    match bare(expr) {
        Expr::Identifier(ident) => Some(std::slice::from_ref(ident)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}

impl Scope {
    /// The column that an expression names; `None` if the expression is not a name.
    pub(super) fn column(
        &self,
        expr: &Expr,
        ctx: &Context<'_>,
    ) -> Result<Option<ColumnRef>, Problem> {
        let Some(parts) = column_name(expr) else {
            return Ok(None);
        };
        match parts {
            [name] => self.unqualified(&fold(name), expr, ctx).map(Some),
            [table, name] => self
                .qualified(&fold(table), &fold(name), expr, ctx)
                .map(Some),
            _ => Err(ctx.refuse("V200", expr, "there are no schemas; write `table.column`")),
        }
    }

    /// Whether a plain name is a column here.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sources
            .iter()
            .any(|(_, columns)| columns.iter().any(|(n, _)| n == name))
    }

    fn unqualified(
        &self,
        name: &str,
        node: &impl Spanned,
        ctx: &Context<'_>,
    ) -> Result<ColumnRef, Problem> {
        let all = self.sources.iter().flat_map(|(source, columns)| {
            columns
                .iter()
                .filter(|(n, _)| n == name)
                .map(move |(_, column)| (source, column))
        });
        let found: Vec<(&String, &ColumnRef)> = all.collect();
        let Some((source, first)) = found.first() else {
            return Err(self.unknown(name, node, ctx));
        };
        let same = found.iter().all(|(_, column)| column == first);
        // Joined tables agree on the unit key, so any of them will do.
        let keys = found.iter().all(|(_, column)| ctx.is_unit_key(column));
        if same || keys {
            return Ok((*first).clone());
        }
        let message = format!("`{name}` is in more than one table; say which");
        Err(ctx
            .refuse("V400", node, message)
            .write(format!("{source}.{name}")))
    }

    fn qualified(
        &self,
        table: &str,
        name: &str,
        node: &impl Spanned,
        ctx: &Context<'_>,
    ) -> Result<ColumnRef, Problem> {
        let Some((_, columns)) = self.sources.iter().find(|(source, _)| source == table) else {
            if self.outer.contains(table) {
                let message = "a subquery cannot use columns of the query around it";
                return Err(ctx.refuse("V202", node, message));
            }
            let known = listed(self.sources.iter().map(|(source, _)| source.as_str()));
            let message = format!("there is no table `{table}` in FROM; there is {known}");
            return Err(ctx.refuse("V200", node, message));
        };
        match columns.iter().find(|(n, _)| n == name) {
            Some((_, column)) => Ok(column.clone()),
            None => Err(self.unknown(name, node, ctx)),
        }
    }

    fn unknown(&self, name: &str, node: &impl Spanned, ctx: &Context<'_>) -> Problem {
        if self.left_out.contains(name) {
            let message = format!(
                "`{name}` has no name here: of a table that LEFT JOIN adds only dates and numbers with bounds do; \
                 choose by it who is counted, or JOIN the table for those who have a row"
            );
            return ctx
                .refuse("V400", node, message)
                .write("key IN (SELECT key FROM ... WHERE ...)");
        }
        let known = self.sources.iter().flat_map(|(_, columns)| columns.iter());
        let mut known: Vec<&str> = known.map(|(n, _)| n.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        match closest(name, known.iter().copied()) {
            Some(near) => {
                let message = format!("there is no column `{name}`; did you mean `{near}`?");
                ctx.refuse("V400", node, message).write(near)
            }
            None => {
                let list = listed(known.into_iter());
                let mut message = format!("there is no column `{name}`; there is {list}");
                let tables = ctx.codebook().tables.iter();
                let other = tables.filter(|(_, table)| table.columns.contains_key(name));
                let other: Vec<&str> = other.map(|(name, _)| name.as_str()).collect();
                if !other.is_empty() {
                    let other = listed(other.into_iter());
                    message += &format!("; `{name}` is a column of {other}");
                }
                ctx.refuse("V400", node, message)
            }
        }
    }
}
