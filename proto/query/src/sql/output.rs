//! SELECT list, HAVING, ORDER BY and LIMIT: what coordinator and SDK make of released cells.

use sqlparser::ast::{BinaryOperator, Expr as Sql, Function, OrderByExpr, SelectItem, Value};

use super::MAX_OUTPUTS;
use super::aggregate::{aggregate, function_refusal};
use super::arithmetic;
use super::context::Context;
use super::filter::flipped;
use super::group::{self, Written};
use super::literal;
use super::scope::{Scope, alias, bare, column_name, fold};
use super::shape::Parts;
use crate::codebook::{Column, ColumnRef};
use crate::number::Number;
use crate::problem::Problem;
use crate::question::{
    BinaryOp, CompareOp, Condition, Expr, GroupKey, Measure, OrderBy, Output, OutputColumn,
};

/// Deepest output expression.
const MAX_EXPRESSION: usize = 32;

/// Collects measures while output expressions are converted.
pub(super) struct Outputs<'s, 'c, 't> {
    scope: &'s Scope,
    keys: &'s [GroupKey],
    ctx: &'c Context<'t>,
    measures: Vec<Measure>,
    columns: Vec<OutputColumn>,
}

/// Converts everything that runs on released values; returns the measures it needs.
pub(super) fn outputs(
    parts: &Parts<'_>,
    keys: &[GroupKey],
    scope: &Scope,
    ctx: &Context<'_>,
) -> Result<(Vec<Measure>, Output), Problem> {
    let mut outputs = Outputs {
        scope,
        keys,
        ctx,
        measures: Vec::new(),
        columns: Vec::new(),
    };
    for item in parts.items {
        outputs.item(item)?;
    }
    let having = parts.having.map(|h| outputs.having(h)).transpose()?;
    let order = parts
        .order_by
        .iter()
        .map(|o| outputs.order(o))
        .collect::<Result<_, _>>()?;
    let limit = parts.limit.map(|l| outputs.limit(l)).transpose()?;
    if outputs.measures.is_empty() {
        let message = "a question asks for at least one aggregate; rows and lists of values do not leave a node";
        return Err(match parts.items.first() {
            Some(item) => ctx.refuse("V500", item, message).write("count(*)"),
            None => {
                super::refuse("V101", "SELECT names at least one column").at(Some(ctx.text.whole()))
            }
        });
    }
    let output = Output {
        columns: outputs.columns,
        having,
        order,
        limit,
    };
    Ok((outputs.measures, output))
}

impl Outputs<'_, '_, '_> {
    fn item(&mut self, item: &SelectItem) -> Result<(), Problem> {
        let (sql, given) = match item {
            SelectItem::UnnamedExpr(sql) => (sql, None),
            SelectItem::ExprWithAlias { expr, alias: name } => (expr, Some(alias(name, self.ctx)?)),
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                let message = "name the columns and aggregates; `*` is not part of the language";
                return Err(self.ctx.refuse("V101", item, message).write("count(*)"));
            }
            SelectItem::ExprWithAliases { .. } => {
                return Err(self.ctx.refuse("V101", item, "a column has one alias"));
            }
        };
        if self.columns.len() == MAX_OUTPUTS {
            let message = format!("a table has at most {MAX_OUTPUTS} columns");
            return Err(self.ctx.refuse("V800", item, message));
        }
        let expr = self.expr(sql, false, 0)?;
        if matches!(expr, Expr::Literal(_)) {
            return Err(self.ctx.refuse(
                "V600",
                item,
                "a column of one constant says nothing; leave it out",
            ));
        }
        let name = self.free_name(given.unwrap_or_else(|| own_name(sql)));
        self.columns.push(OutputColumn { name, expr });
        Ok(())
    }

    /// The name itself, or with `_2` and so on if it is taken.
    fn free_name(&self, name: String) -> String {
        let taken = |candidate: &str| self.columns.iter().any(|c| c.name == candidate);
        if !taken(&name) {
            return name;
        }
        (2..)
            .map(|n| format!("{name}_{n}"))
            .find(|n| !taken(n))
            .unwrap_or(name)
    }

    /// An expression over released values; `aliases`: output columns may be named.
    fn expr(&mut self, sql: &Sql, aliases: bool, depth: usize) -> Result<Expr, Problem> {
        if depth > MAX_EXPRESSION {
            return Err(self
                .ctx
                .refuse("V800", sql, "the expression is nested too deeply"));
        }
        let sql = bare(sql);
        if let Some(expr) = self.alias(sql).filter(|_| aliases) {
            return Ok(expr);
        }
        if let Some(op) = binary_op(sql)
            && !is_band(sql)
        {
            return self.binary(op, sql, aliases, depth);
        }
        match sql {
            Sql::Function(function) if !is_period(sql) => {
                if let Some(expr) = self.arithmetic(function)? {
                    return Ok(expr);
                }
                let (measure, stat) = aggregate(function, self.scope, self.ctx)?;
                Ok(Expr::Stat {
                    measure: self.measure(measure),
                    stat,
                })
            }
            Sql::Value(_) | Sql::UnaryOp { .. } => {
                literal::number(sql, "V600", self.ctx).map(Expr::Literal)
            }
            _ => self.key(sql),
        }
    }

    /// An aggregate of an expression, in a question that a person reviews.
    fn arithmetic(&mut self, function: &Function) -> Result<Option<Expr>, Problem> {
        if !self.ctx.reviewed || self.ctx.typed {
            return Ok(None);
        }
        let (scope, ctx) = (self.scope, self.ctx);
        arithmetic::aggregate(function, scope, ctx, &mut |measure| self.measure(measure))
    }

    fn alias(&self, sql: &Sql) -> Option<Expr> {
        let [name] = column_name(sql)? else {
            return None;
        };
        let name = fold(name);
        self.columns
            .iter()
            .find(|c| c.name == name)
            .map(|c| c.expr.clone())
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        sql: &Sql,
        aliases: bool,
        depth: usize,
    ) -> Result<Expr, Problem> {
        let Sql::BinaryOp { left, right, .. } = sql else {
            return self.key(sql);
        };
        let (left_sql, right_sql) = (left, right);
        let left = self.expr(left_sql, aliases, depth + 1)?;
        let right = self.expr(right_sql, aliases, depth + 1)?;
        for (side, sql) in [(&left, left_sql), (&right, right_sql)] {
            if let Expr::Key(n) = side
                && self.key_column(*n).is_some_and(|(_, c)| !c.ty.is_numeric())
            {
                return Err(self
                    .ctx
                    .refuse("V600", &**sql, "this group key is no number"));
            }
        }
        Ok(Expr::Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
        })
    }

    fn measure(&mut self, measure: Measure) -> usize {
        let found = self.measures.iter().position(|m| *m == measure);
        found.unwrap_or_else(|| {
            self.measures.push(measure);
            self.measures.len() - 1
        })
    }

    /// A group key, which must be in GROUP BY.
    fn key(&self, sql: &Sql) -> Result<Expr, Problem> {
        if let Some(column) = self.scope.column(sql, self.ctx)?
            && !self.keys.contains(&GroupKey::Column(column.clone()))
        {
            return Err(self.not_grouped(sql, &column));
        }
        let Some(Written { key, divided_by }) = group::written(sql, self.scope, self.ctx)? else {
            return Err(self.not_an_output(sql));
        };
        let Some(nth) = self.keys.iter().position(|k| *k == key) else {
            let message = "this is neither an aggregate nor in GROUP BY";
            return Err(self
                .ctx
                .refuse("V402", sql, message)
                .write(format!("GROUP BY {sql}")));
        };
        Ok(match divided_by {
            None => Expr::Key(nth),
            Some(width) => Expr::Binary {
                op: BinaryOp::Div,
                left: Box::new(Expr::Key(nth)),
                right: Box::new(Expr::Literal(width)),
            },
        })
    }

    fn not_grouped(&self, sql: &Sql, column: &ColumnRef) -> Problem {
        let message = format!(
            "`{}` is neither aggregated nor in GROUP BY; a group key stands in both",
            column.column
        );
        let problem = self.ctx.refuse("V402", sql, message);
        match group::written(sql, self.scope, self.ctx) {
            Ok(_) => problem.write(format!("GROUP BY {sql}")),
            Err(refused) => match refused.write {
                Some(write) => problem.write(write),
                None => problem,
            },
        }
    }

    fn not_an_output(&self, sql: &Sql) -> Problem {
        match sql {
            Sql::Function(function) => function_refusal(function, self.ctx),
            Sql::Case { .. } => {
                let message =
                    "CASE is not part of the language; group by the column, or ask two questions";
                self.ctx.refuse("V301", sql, message)
            }
            Sql::Cast { .. } => self.ctx.refuse(
                "V301",
                sql,
                "CAST is not part of the language; the codebook gives the types",
            ),
            Sql::Subquery(_) => self.ctx.refuse(
                "V202",
                sql,
                "a subquery may only be a cohort, key IN (SELECT key FROM ...)",
            ),
            Sql::Ceil { .. } => {
                self.ctx
                    .refuse("V402", sql, "bands are written floor(column/width)*width")
            }
            _ => {
                let message =
                    "an output column is built from aggregates, group keys, numbers and + - * /";
                self.ctx.refuse("V600", sql, message)
            }
        }
    }

    /// Column of the n-th key.
    fn key_column(&self, nth: usize) -> Option<(&ColumnRef, &Column)> {
        let name = match self.keys.get(nth)? {
            GroupKey::Column(column)
            | GroupKey::Band { column, .. }
            | GroupKey::Period { column, .. } => column,
        };
        Some((name, self.ctx.column(name)?))
    }

    fn having(&mut self, sql: &Sql) -> Result<Condition, Problem> {
        let mut all = Vec::new();
        let mut open = vec![sql];
        while let Some(next) = open.pop() {
            match bare(next) {
                Sql::BinaryOp {
                    left,
                    op: BinaryOperator::And,
                    right,
                } => {
                    open.extend([&**right, &**left]);
                }
                Sql::Between {
                    expr,
                    negated: false,
                    low,
                    high,
                } => {
                    all.push(self.compare(expr, CompareOp::Ge, low)?);
                    all.push(self.compare(expr, CompareOp::Le, high)?);
                }
                Sql::BinaryOp { left, op, right } => match comparison_op(op) {
                    Some(op) => all.push(self.compare(left, op, right)?),
                    None => return Err(self.not_a_having(next)),
                },
                other => return Err(self.not_a_having(other)),
            }
        }
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            (last, _) => Ok(Condition::And(all.into_iter().chain(last).collect())),
        }
    }

    fn not_a_having(&self, sql: &Sql) -> Problem {
        let message =
            "HAVING compares output columns with = <> < <= > >= or BETWEEN, joined by AND";
        self.ctx.refuse("V600", sql, message)
    }

    fn compare(&mut self, left: &Sql, op: CompareOp, right: &Sql) -> Result<Condition, Problem> {
        if is_typed_literal(left) && !is_typed_literal(right) {
            return self.compare(right, flipped(op), left);
        }
        let left_expr = self.expr(left, true, 0)?;
        if let Expr::Key(key) = left_expr
            && let Some((name, column)) = self.key_column(key)
            && !column.ty.is_numeric()
        {
            let value = literal::one(right, name, column, self.ctx)?;
            return Ok(Condition::KeyIs { key, op, value });
        }
        let right = self.expr(right, true, 0)?;
        if let Expr::Key(key) = right
            && self
                .key_column(key)
                .is_some_and(|(_, c)| !c.ty.is_numeric())
        {
            return Err(self.ctx.refuse(
                "V600",
                left,
                "this group key is compared with a value of its type",
            ));
        }
        Ok(Condition::Compare {
            op,
            left: left_expr,
            right,
        })
    }

    fn order(&mut self, item: &OrderByExpr) -> Result<OrderBy, Problem> {
        let OrderByExpr {
            expr,
            options,
            with_fill,
        } = item;
        if with_fill.is_some() {
            return Err(self
                .ctx
                .refuse("V101", item, "WITH FILL is not part of the language"));
        }
        if options.nulls_first == Some(true) {
            let message = "withheld and NULL values always sort last";
            return Err(self.ctx.refuse("V502", item, message).write("NULLS LAST"));
        }
        let expr = match self.ordinal(expr)? {
            Some(expr) => expr,
            None => self
                .expr(expr, true, 0)
                .map_err(|problem| self.not_an_order(expr, problem))?,
        };
        Ok(OrderBy {
            expr,
            descending: options.asc == Some(false),
        })
    }

    /// ORDER BY something that is no output is an output problem, whatever else it is.
    fn not_an_order(&self, sql: &Sql, problem: Problem) -> Problem {
        if problem.code.0 != "V402" {
            return problem;
        }
        let message = "ORDER BY names output columns, group keys or aggregates";
        Problem {
            write: None,
            ..self.ctx.refuse("V600", sql, message)
        }
    }

    /// `ORDER BY 2`: the second output column.
    fn ordinal(&self, sql: &Sql) -> Result<Option<Expr>, Problem> {
        let Sql::Value(value) = bare(sql) else {
            return Ok(None);
        };
        let Value::Number(text, _) = &value.value else {
            return Ok(None);
        };
        let nth = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        match nth.and_then(|n| self.columns.get(n)) {
            Some(column) => Ok(Some(column.expr.clone())),
            None => Err(self
                .ctx
                .refuse("V600", sql, "there is no output column with this number")),
        }
    }

    fn limit(&self, sql: &Sql) -> Result<u64, Problem> {
        let n: Number = literal::number(sql, "V600", self.ctx)?;
        let whole = n.at_scale(0).and_then(|n| u64::try_from(n).ok());
        whole.ok_or_else(|| self.ctx.refuse("V600", sql, "LIMIT is a whole number"))
    }
}

/// The name of a column without alias: a column's own name, else the text in lower case.
fn own_name(sql: &Sql) -> String {
    match column_name(sql).and_then(<[_]>::last) {
        Some(name) => fold(name),
        None => bare(sql).to_string().to_lowercase(),
    }
}

fn binary_op(sql: &Sql) -> Option<BinaryOp> {
    let Sql::BinaryOp { op, .. } = sql else {
        return None;
    };
    match op {
        BinaryOperator::Plus => Some(BinaryOp::Add),
        BinaryOperator::Minus => Some(BinaryOp::Sub),
        BinaryOperator::Multiply => Some(BinaryOp::Mul),
        BinaryOperator::Divide => Some(BinaryOp::Div),
        _ => None,
    }
}

fn comparison_op(op: &BinaryOperator) -> Option<CompareOp> {
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

/// `floor(..) * ..`, which is one group key and no arithmetic.
fn is_band(sql: &Sql) -> bool {
    match sql {
        Sql::BinaryOp {
            left,
            op: BinaryOperator::Multiply,
            right,
        } => {
            let floor = |e: &Sql| matches!(bare(e), Sql::Floor { .. });
            floor(left) || floor(right)
        }
        _ => false,
    }
}

fn is_period(sql: &Sql) -> bool {
    matches!(sql, Sql::Function(f) if f.name.to_string().eq_ignore_ascii_case("date_trunc"))
}

fn is_typed_literal(sql: &Sql) -> bool {
    matches!(bare(sql), Sql::Value(_) | Sql::TypedString(_))
}
