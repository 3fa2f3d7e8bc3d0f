//! One SELECT to a table question: names, conditions, keys, measures, output, size.

use sqlparser::ast::Query;

use super::context::Context;
use super::scope::Env;
use super::{group, output, refuse, relation, shape};
use crate::domain;
use crate::problem::Problem;
use crate::question::{Condition, Expr, Measure, Output, TableQuestion};

/// Converts the query of the text.
pub(super) fn table(query: &Query, env: &Env, ctx: &Context<'_>) -> Result<TableQuestion, Problem> {
    let parts = shape::parts(query, ctx)?;
    let env = relation::environment(parts.with, env, ctx)?;
    let scope = relation::scope(&parts, &env, ctx)?;
    let keys = group::keys(&parts, &scope, ctx)?;
    let (measures, output) = output::outputs(&parts, &keys, &scope, ctx)?;
    let (measures, output) = in_order(measures, output);
    let relation = scope.relation;
    let question = TableQuestion {
        rows: relation.rows,
        joined: relation.joined,
        filter: relation.filter,
        keys,
        measures,
        output,
    };
    check_size(&question, ctx)?;
    Ok(question)
}

/// Sorts the measures, so that the node part does not depend on the order of the SELECT list.
fn in_order(measures: Vec<Measure>, mut output: Output) -> (Vec<Measure>, Output) {
    let mut sorted = measures.clone();
    sorted.sort_unstable();
    let place = |old: usize| {
        let measure = measures.get(old);
        sorted
            .iter()
            .position(|m| Some(m) == measure)
            .unwrap_or(old)
    };
    for column in &mut output.columns {
        renumber(&mut column.expr, &place);
    }
    for order in &mut output.order {
        renumber(&mut order.expr, &place);
    }
    if let Some(having) = &mut output.having {
        renumber_condition(having, &place);
    }
    (sorted, output)
}

fn renumber(expr: &mut Expr, place: &impl Fn(usize) -> usize) {
    match expr {
        Expr::Key(_) | Expr::Literal(_) => {}
        Expr::Stat { measure, .. } => *measure = place(*measure),
        Expr::Binary { left, right, .. } => {
            renumber(left, place);
            renumber(right, place);
        }
    }
}

fn renumber_condition(condition: &mut Condition, place: &impl Fn(usize) -> usize) {
    match condition {
        Condition::Compare { left, right, .. } => {
            renumber(left, place);
            renumber(right, place);
        }
        Condition::KeyIs { .. } => {}
        Condition::And(all) => all.iter_mut().for_each(|c| renumber_condition(c, place)),
    }
}

fn check_size(question: &TableQuestion, ctx: &Context<'_>) -> Result<(), Problem> {
    let most = u64::from(ctx.codebook().release.max_cells);
    match domain::count(question, ctx.codebook()) {
        Some(cells) if cells > most => {
            let message = format!(
                "the table would have {cells} cells; at most {most} are allowed: use fewer or coarser group keys"
            );
            Err(refuse("V800", message).at(Some(ctx.text.whole())))
        }
        _ => Ok(()),
    }
}
