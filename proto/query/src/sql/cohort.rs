//! The statement of a cohort as the table `cohort`: read once, by the code that reads a query inside
//! WITH.

use std::collections::BTreeMap;

use sqlparser::ast::Expr;

use super::books::Books;
use super::context::Context;
use super::relation::subselect;
use super::scope::{Env, Relation};
use super::text::Text;
use super::{filter, join, outline, refuse};
use crate::codebook::{Codebook, ColumnRef, Role, RowsPer, Table};
use crate::cohort::{Cohort, TABLE};
use crate::derived::Derived;
use crate::measure::facts::columns_of;
use crate::problem::Problem;
use crate::question::{GroupKey, Params, Predicate, Question, Set, TableQuestion};

/// Most columns that may be listed as complete.
const MOST_COMPLETE: usize = 32;

/// The names in force for a text that is asked of a cohort.
pub(super) fn environment(
    cohort: &Cohort,
    reviewed: bool,
    books: &Books<'_>,
) -> Result<Env, Problem> {
    let relation = relation(cohort, reviewed, books).map_err(of_the_cohort)?;
    Ok(Env {
        ctes: [(TABLE.to_owned(), relation)].into(),
        ..Env::default()
    })
}

/// The codebook with the cohort as a table with one row per person, for those who only name columns.
pub(super) fn as_table(
    cohort: &Cohort,
    reviewed: bool,
    codebook: &Codebook,
) -> Result<Codebook, Problem> {
    let books = Books::new(codebook);
    let relation = relation(cohort, reviewed, &books).map_err(of_the_cohort)?;
    let mut book = books.present().clone();
    let is_key = |name: &ColumnRef| {
        let table = book.tables.get(&name.table);
        table.is_some_and(|table| table.unit_key == name.column)
    };
    let key = relation.columns.iter().find(|(_, column)| is_key(column));
    let unit_key = key.map(|(name, _)| name.clone()).unwrap_or_default();
    let known = |own: &ColumnRef| {
        let mut column = book.column(own)?.clone();
        // Whoever lacks it is not in the cohort.
        column.required |= relation.filter.boxes.get(own).is_some_and(|set| !set.null);
        Some(column)
    };
    let columns: BTreeMap<_, _> = relation
        .columns
        .iter()
        .filter_map(|(name, own)| Some((name.clone(), known(own)?)))
        .collect();
    let table = Table {
        rows: RowsPer::Unit,
        unit_key,
        date: None,
        columns,
    };
    book.tables.insert(TABLE.to_owned(), table);
    Ok(book)
}

/// Whether a question is about these persons only, and about what the statement says of them: it has the
/// statement's conditions, perhaps more on its columns, and names no column but these and what is
/// computed from them row by row.
pub(super) fn holds(cohort: &Cohort, question: &Question, codebook: &Codebook) -> bool {
    let books = Books::new(codebook);
    let Ok(relation) = relation(cohort, false, &books) else {
        return false;
    };
    let extent = Extent {
        relation: &relation,
        question,
        unit: &codebook.unit.table,
    };
    let mut tables = question.tables().into_iter();
    tables.all(|(_, table)| extent.holds(table))
}

/// What a cohort covers.
struct Extent<'a> {
    relation: &'a Relation,
    question: &'a Question,
    unit: &'a str,
}

impl Extent<'_> {
    fn holds(&self, table: &TableQuestion) -> bool {
        let Relation { filter, .. } = self.relation;
        let narrowed = |(name, set): (&ColumnRef, &Set)| {
            let own = table.filter.boxes.get(name);
            own.is_some_and(|own| own.is_subset(set))
        };
        let mut tables = table.joined.iter().chain([&table.rows]);
        let own = self.relation.joined.iter().chain([&self.relation.rows]);
        let joins = |own: &String| *own == table.rows || table.joined.contains(own);
        let keys = table.keys.iter().map(GroupKey::column);
        let measured = table.measures.iter().flat_map(columns_of);
        let mut named = table.filter.boxes.keys().chain(keys).chain(measured);
        tables.all(|table| self.reads(table))
            && own.into_iter().all(joins)
            && table.filter.cohorts == filter.cohorts
            && filter.boxes.iter().all(narrowed)
            && named.all(|name| self.knows(name))
    }

    fn reads(&self, table: &str) -> bool {
        let relation = self.relation;
        table == self.unit || table == relation.rows || relation.joined.contains(table)
    }

    fn knows(&self, name: &ColumnRef) -> bool {
        let offered = self.relation.columns.iter().any(|(_, own)| own == name);
        let restricted = self.relation.filter.boxes.contains_key(name);
        offered
            || restricted
            || match self.question.derived.get(name) {
                None | Some(Derived::Frame { .. }) => false,
                Some(scalar) => scalar.inputs().into_iter().all(|input| self.knows(input)),
            }
    }
}

/// Its text is not the one that is asked, so nothing can be pointed at.
fn of_the_cohort(problem: Problem) -> Problem {
    let message = format!("in the cohort: {}", problem.message);
    Problem {
        message,
        span: None,
        ..problem
    }
}

fn relation(cohort: &Cohort, reviewed: bool, books: &Books<'_>) -> Result<Relation, Problem> {
    let text = Text::new(&cohort.sql);
    let query = outline::query(&text)?;
    let none = Params::new();
    let mut ctx = Context::new(&text, &none, books)?;
    ctx.reviewed = reviewed;
    let relation = subselect(&query, &Env::default(), &ctx);
    let mut relation = relation.map_err(|problem| ctx.in_its_words(problem))?;
    if ctx.is_event_table(&relation.rows) {
        let message = "a cohort has one row for each person; group the events by person";
        return Err(refuse("V202", message));
    }
    if !relation.columns.iter().any(|(_, c)| ctx.is_unit_key(c)) {
        let tables = &ctx.codebook().tables;
        let key = tables.get(&relation.rows).map(|table| &table.unit_key);
        let key = key.unwrap_or(&ctx.codebook().unit.column);
        let message =
            format!("a cohort selects the unit key, `{key}`, so that each person is known");
        return Err(refuse("V202", message).write(format!("SELECT {key}, ...")));
    }
    complete(&mut relation, &cohort.complete, &ctx)?;
    books.call(ctx.called(&ctx.codebook().derived));
    // it is these persons, whatever joins it
    relation.frame = None;
    Ok(relation)
}

/// Leaves out persons of whom a listed column is missing, where that may be asked.
fn complete(relation: &mut Relation, listed: &[String], ctx: &Context<'_>) -> Result<(), Problem> {
    if listed.len() > MOST_COMPLETE {
        let message = format!("at most {MOST_COMPLETE} columns can be complete");
        return Err(refuse("V800", message));
    }
    for name in listed {
        let found = relation.columns.iter().find(|(known, _)| known == name);
        let Some((_, column)) = found else {
            let message = format!("it has no column `{name}` that could be complete");
            return Err(refuse("V400", message));
        };
        let Some(known) = ctx.column(column) else {
            return Err(refuse("V400", "the codebook has no such column"));
        };
        let asked = known.has(Role::Filter) || known.has(Role::Date);
        if !asked && !known.missing_public && !known.required {
            let message = format!("how many values of `{name}` are missing is not public");
            return Err(refuse("V400", message));
        }
        let set = Set::not_null().within(known);
        let old = relation.filter.boxes.get(column);
        let both = old.map_or_else(|| set.clone(), |old| old.intersect(&set).within(known));
        if !both.is_anything() {
            relation.filter.boxes.insert(column.clone(), both);
        }
    }
    let restricted: Vec<ColumnRef> = relation.filter.boxes.keys().cloned().collect();
    join::reach(relation, &restricted, ctx);
    let nothing = Predicate::default();
    filter::restrict(&mut relation.filter, nothing, None::<&Expr>, ctx)
}
