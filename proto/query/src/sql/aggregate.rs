//! Aggregates: count, sum, avg, standard deviation and variance of a bare column; and what is
//! said about every other function.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments,
};

use super::context::Context;
use super::group::argument;
use super::names::closest;
use super::scope::{Scope, bare};
use crate::codebook::{Column, ColumnRef, Role};
use crate::domain::is_value_counts;
use crate::measure::facts::limits;
use crate::problem::Problem;
use crate::question::{Measure, Stat};

/// Aggregates and what is read from their measure.
const STATS: [(&str, Option<Stat>); 9] = [
    ("count", None),
    ("sum", Some(Stat::Sum)),
    ("avg", Some(Stat::Mean)),
    ("stddev", Some(Stat::SdSample)),
    ("stddev_samp", Some(Stat::SdSample)),
    ("stddev_pop", Some(Stat::SdPop)),
    ("var", Some(Stat::VarSample)),
    ("var_samp", Some(Stat::VarSample)),
    ("var_pop", Some(Stat::VarPop)),
];

const VOLATILE: [&str; 22] = [
    "now",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "today",
    "getdate",
    "sysdate",
    "random",
    "rand",
    "uuid",
    "uuidv4",
    "uuidv7",
    "gen_random_uuid",
    "newid",
    "version",
    "current_user",
    "session_user",
    "user",
    "current_database",
    "current_schema",
];

/// Other aggregates that people ask for.
const AGGREGATES: [&str; 19] = [
    "min",
    "max",
    "median",
    "mean",
    "variance",
    "std",
    "stdev",
    "mode",
    "first",
    "last",
    "every",
    "nth_value",
    "any_value",
    "listagg",
    "group_concat",
    "kurtosis",
    "skewness",
    "grouping",
    "histogram",
];

/// Families of aggregates, by the beginning of their name.
const AGGREGATE_FAMILIES: [&str; 14] = [
    "percentile",
    "quantile",
    "approx_",
    "first_",
    "last_",
    "array_agg",
    "string_agg",
    "json_",
    "jsonb_",
    "bit_",
    "bool_",
    "corr",
    "covar",
    "regr_",
];

/// Converts an aggregate; functions that are none are refused.
pub(super) fn aggregate(
    function: &Function,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<(Measure, Stat), Problem> {
    let name = function.name.to_string().to_ascii_lowercase();
    let Some((_, stat)) = STATS.iter().find(|(known, _)| *known == name) else {
        return Err(function_refusal(function, ctx));
    };
    check_plain(function, ctx)?;
    let FunctionArguments::List(list) = &function.args else {
        return Err(ctx.refuse(
            "V501",
            function,
            format!("`{name}` needs a column in brackets"),
        ));
    };
    let FunctionArgumentList {
        duplicate_treatment,
        args,
        clauses,
    } = list;
    if !clauses.is_empty() {
        return Err(ctx.refuse(
            "V502",
            function,
            "modifiers inside an aggregate are not part of the language",
        ));
    }
    let [only] = args.as_slice() else {
        return Err(ctx.refuse("V501", function, format!("`{name}` takes one bare column")));
    };
    let distinct = match duplicate_treatment {
        None => false,
        Some(DuplicateTreatment::Distinct) => true,
        Some(DuplicateTreatment::All) => {
            return Err(ctx.refuse(
                "V502",
                function,
                "ALL is not part of the language; leave it out",
            ));
        }
    };
    match stat {
        None => Ok((count(function, only, distinct, scope, ctx)?, Stat::Count)),
        Some(_) if distinct => {
            let message = format!("{name}(DISTINCT ...) is not part of the language");
            Err(ctx
                .refuse("V502", function, message)
                .write(format!("{name}(column)")))
        }
        Some(stat) => Ok((values(function, only, &name, scope, ctx)?, *stat)),
    }
}

/// Refuses everything a call can have besides name and arguments.
pub(super) fn check_plain(function: &Function, ctx: &Context<'_>) -> Result<(), Problem> {
    let Function {
        name,
        uses_odbc_syntax,
        parameters,
        args: _,
        filter,
        null_treatment,
        over,
        within_group,
    } = function;
    if over.is_some() {
        return Err(ctx.refuse(
            "V101",
            function,
            "window functions are not part of the language",
        ));
    }
    if let Some(filter) = filter {
        let message = "FILTER is not part of the language; put the condition into WHERE, or group by the column";
        return Err(ctx.refuse("V502", &**filter, message));
    }
    let modified = null_treatment.is_some() || !within_group.is_empty();
    if modified || *uses_odbc_syntax || *parameters != FunctionArguments::None {
        let message = format!("`{name}` takes one bare column and no modifiers");
        return Err(ctx.refuse("V502", function, message));
    }
    Ok(())
}

fn count(
    function: &Function,
    argument_of: &FunctionArg,
    distinct: bool,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Measure, Problem> {
    let events = ctx.is_event_table(&scope.relation.rows);
    let counted = |of| {
        if events {
            Measure::Events { of }
        } else {
            Measure::Persons { of }
        }
    };
    let star = matches!(argument_of, FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
    if star && !distinct {
        return Ok(counted(None));
    }
    let column = match argument(argument_of) {
        Some(expr) => scope.column(expr, ctx)?,
        None => None,
    };
    let Some(column) = column else {
        let message = "count takes `*`, a bare column, or DISTINCT and the unit key";
        return Err(ctx.refuse("V501", function, message).write("count(*)"));
    };
    if ctx.is_unit_key(&column) {
        return Ok(if distinct {
            Measure::Persons { of: None }
        } else {
            counted(None)
        });
    }
    if distinct {
        let message = "DISTINCT counts persons only: count(DISTINCT unit key)";
        let write = format!("count(DISTINCT {})", key_name(scope, ctx));
        return Err(ctx.refuse("V501", function, message).write(write));
    }
    check_countable(&column, function, ctx)?;
    let required = ctx.column(&column).is_some_and(|column| column.required);
    let never_null = required
        || scope
            .relation
            .filter
            .boxes
            .get(&column)
            .is_some_and(|set| !set.null);
    Ok(counted(if never_null { None } else { Some(column) }))
}

/// How many values a column has leaves a node only where it may: the codebook says so, or
/// the column may be filtered, so that WHERE can ask the same.
pub(super) fn check_countable(
    name: &ColumnRef,
    function: &impl sqlparser::ast::Spanned,
    ctx: &Context<'_>,
) -> Result<(), Problem> {
    let Some(column) = ctx.column(name) else {
        return Err(ctx.refuse("V400", function, "the codebook has no such column"));
    };
    if column.roles.is_empty() {
        let message = format!(
            "the codebook gives `{}` no role, so it cannot be used",
            name.column
        );
        return Err(ctx.refuse("V400", function, message));
    }
    let asked = column.roles.contains(&Role::Filter) || column.roles.contains(&Role::Date);
    if column.missing_public || column.required || asked {
        return Ok(());
    }
    let message = format!(
        "how many values of `{}` are missing is not public",
        name.column
    );
    Err(ctx.refuse("V501", function, message).write("count(*)"))
}

fn key_name(scope: &Scope, ctx: &Context<'_>) -> String {
    let columns = scope.sources.iter().flat_map(|(_, columns)| columns);
    let key = columns
        .into_iter()
        .find(|(_, column)| ctx.is_unit_key(column));
    key.map_or_else(
        || ctx.codebook().unit.column.clone(),
        |(name, _)| name.clone(),
    )
}

fn values(
    function: &Function,
    argument_of: &FunctionArg,
    aggregate: &str,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Measure, Problem> {
    let bare_column = |expr: &Expr| {
        let message = "the argument of an aggregate is a bare column";
        let problem = ctx.refuse("V501", expr, message);
        match bare(expr) {
            Expr::BinaryOp { .. } => {
                problem.write(format!("{aggregate}(column), and the arithmetic outside"))
            }
            _ => problem.write(format!("{aggregate}(column)")),
        }
    };
    let Some(expr) = argument(argument_of) else {
        return Err(ctx.refuse(
            "V501",
            function,
            format!("`{aggregate}` takes one bare column"),
        ));
    };
    let Some(name) = scope.column(expr, ctx)? else {
        if ctx.typed && aggregate == "avg" {
            return super::product::product(expr, scope, ctx)?.ok_or_else(|| bare_column(expr));
        }
        return Err(bare_column(expr));
    };
    measure_of(&name, expr, scope, ctx)
}

/// What a node measures of a column for sum, mean and variance.
pub(super) fn measure_of(
    name: &ColumnRef,
    expr: &Expr,
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<Measure, Problem> {
    let Some(column) = ctx.column(name) else {
        return Err(ctx.refuse("V400", expr, "the codebook has no such column"));
    };
    check_aggregatable(name, column, expr, ctx)?;
    let of = name.clone();
    if is_value_counts(column) {
        return Ok(Measure::ValueCounts { column: of });
    }
    if limits(name, &scope.relation.filter, ctx.codebook()).is_some() {
        return Ok(Measure::Moments { column: of });
    }
    Err(without_bounds(name, column, expr, ctx))
}

pub(super) fn check_aggregatable(
    name: &ColumnRef,
    column: &Column,
    expr: &Expr,
    ctx: &Context<'_>,
) -> Result<(), Problem> {
    let shown = &name.column;
    if ctx.is_unit_key(name) || !column.roles.contains(&Role::Value) {
        let message = format!("the codebook does not allow to aggregate `{shown}`");
        return Err(ctx.refuse("V400", expr, message).write("count(*)"));
    }
    if column.ty.is_numeric() {
        return Ok(());
    }
    let message = format!("`{shown}` is no number; group by it and count");
    Err(ctx.refuse("V501", expr, message).write("count(*)"))
}

fn without_bounds(name: &ColumnRef, column: &Column, expr: &Expr, ctx: &Context<'_>) -> Problem {
    let shown = &name.column;
    let Some(when) = column.when.first() else {
        let message = format!("the codebook gives `{shown}` no bounds, so it cannot be aggregated");
        return ctx.refuse("V501", expr, message);
    };
    let sets: Vec<&str> = column.when.iter().map(|w| w.set.as_str()).collect();
    let message = format!(
        "`{shown}` means something else for each concept; restrict the rows to one of the sets {}",
        super::names::listed(sets.into_iter())
    );
    let problem = ctx.refuse("V501", expr, message);
    match ctx.codebook().sets.get(&when.set) {
        Some(set) => problem.write(format!("WHERE {} IN set.{}", set.column.column, when.set)),
        None => problem,
    }
}

/// What to say about a function that is not part of the language.
pub(super) fn function_refusal(function: &Function, ctx: &Context<'_>) -> Problem {
    let name = function.name.to_string().to_ascii_lowercase();
    if function.over.is_some() {
        return ctx.refuse(
            "V101",
            function,
            "window functions are not part of the language",
        );
    }
    if VOLATILE.contains(&name.as_str()) {
        let message =
            "functions of time, chance or session are not part of the language; write the value";
        return ctx.refuse("V302", function, message);
    }
    let other_aggregate = AGGREGATES.contains(&name.as_str())
        || AGGREGATE_FAMILIES
            .iter()
            .any(|family| name.starts_with(family));
    if let Some((write, message)) = replacement(&name) {
        let code = if other_aggregate { "V500" } else { "V300" };
        return ctx.refuse(code, function, message).write(write);
    }
    if other_aggregate {
        let message =
            "this aggregate is not part of the language; there are count, sum, avg, stddev and var";
        return ctx.refuse("V500", function, message);
    }
    if STATS.iter().any(|(known, _)| *known == name) {
        return ctx.refuse(
            "V301",
            function,
            "an aggregate cannot stand here; it stands in SELECT, HAVING or ORDER BY",
        );
    }
    let known = STATS
        .iter()
        .map(|(known, _)| *known)
        .chain(["date_trunc", "floor"]);
    let problem = ctx.refuse(
        "V300",
        function,
        "this function is not part of the language",
    );
    match closest(&name, known) {
        Some(near) => problem.write(format!("{near}(...)")),
        None => problem,
    }
}

/// The nearest thing there is, for functions people ask for.
fn replacement(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "min" | "max" => (
            "avg(column), stddev(column)",
            "min and max would show one person's value; there are avg and stddev, and counts by bands",
        ),
        "median" => (
            "floor(column/width)*width, count(*)",
            "a median is one person's value; counts by bands show where the middle lies",
        ),
        "mean" => ("avg(column)", "the mean is called avg"),
        "variance" => (
            "var_samp(column)",
            "the variance is called var_samp, or var_pop",
        ),
        "std" | "stdev" => (
            "stddev(column)",
            "the standard deviation is called stddev, or stddev_pop",
        ),
        "round" | "trunc" | "ceil" => (
            "the value itself",
            "released values are rounded already, as far as they are known",
        ),
        "coalesce" | "ifnull" | "nvl" | "nullif" => (
            "the value itself",
            "a withheld value stays withheld, and division by zero gives NULL by itself",
        ),
        "extract" | "date_part" | "year" | "month" | "datetrunc" => (
            "date_trunc('year', column)",
            "dates are grouped by date_trunc of month, quarter or year",
        ),
        "approx_distinct" | "approx_count_distinct" => (
            "count(DISTINCT key)",
            "only persons are counted without repetition; other values are grouped by",
        ),
        name if name.starts_with("percentile")
            || name.starts_with("quantile")
            || name.starts_with("approx") =>
        {
            (
                "floor(column/width)*width, count(*)",
                "quantiles are persons' values; counts by bands show them as far as they may be shown",
            )
        }
        _ => return None,
    })
}
