//! Derived columns in plans: person frames are grouped and joined to the rows that need them, scalars
//! become expressions. Grouping adds, counts and compares, exactly and in any order of rows.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::{ScalarValue, TableReference};
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, max, min, sum};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder, lit};
use quorate_query::canonical::predicate_id;
use quorate_query::codebook::ColumnRef;
use quorate_query::derived::{Aggregate, Derived, Frame};
use quorate_query::measure::facts::limits;
use quorate_query::question::{Cohort, Predicate};
use quorate_query::value::{ColumnType, Scalar};

use super::functions::Function;
use super::lower::{Book, LowerError, at};
use super::predicate::{any_of, column, column_of, lies_in, literal};
use super::scalars::Scalars;

/// The unit key in a frame.
const UNIT: &str = "unit";

/// What the rows of a plan need beside their own tables.
#[derive(Default)]
pub(super) struct Needs<'a> {
    /// Frames by their name in the plan, with the columns that are needed of each.
    frames: BTreeMap<String, (&'a Frame, BTreeMap<&'a str, &'a Aggregate>)>,
    /// Tables with one row per person that derived columns read.
    tables: BTreeSet<&'a str>,
}

impl Needs<'_> {
    /// The frame that a cohort is of, where it is joined anyway.
    pub(super) fn frame_of(&self, cohort: &Cohort) -> Option<Expr> {
        let mut frames = self.frames.iter();
        let (name, _) = frames.find(|(_, (frame, _))| frame.is_of(cohort))?;
        Some(column(name, UNIT))
    }
}

/// The name of a frame in a plan.
fn name_of(frame: &Frame) -> String {
    let id = predicate_id(&frame.rows, &frame.joined, &frame.filter);
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("frame:{digits}")
}

impl Book<'_> {
    /// What these columns need beside the tables that are there.
    pub(super) fn needs<'b>(
        &'b self,
        columns: impl IntoIterator<Item = &'b ColumnRef>,
        present: &BTreeSet<&str>,
    ) -> Needs<'b> {
        let mut needs = Needs::default();
        let mut open: Vec<&ColumnRef> = columns.into_iter().collect();
        let mut done = BTreeSet::new();
        while let Some(next) = open.pop() {
            if !done.insert(next) {
                continue;
            }
            match self.codebook.derived.get_key_value(next) {
                Some((name, Derived::Frame { frame, of })) => {
                    let known = needs.frames.entry(name_of(frame));
                    let (_, columns) = known.or_insert_with(|| (frame, BTreeMap::new()));
                    columns.insert(&name.column, of);
                }
                Some((_, scalar)) => open.extend(scalar.inputs()),
                None if present.contains(next.table.as_str()) => {}
                None => {
                    needs.tables.insert(&next.table);
                }
            }
        }
        needs
    }

    /// Joins what is needed: persons without a row there keep theirs, and miss its values.
    pub(super) fn with_needs(
        &self,
        mut plan: LogicalPlanBuilder,
        unit: &Expr,
        needs: &Needs<'_>,
    ) -> Result<LogicalPlanBuilder, LowerError> {
        for table in &needs.tables {
            let theirs = column(table, &self.table(table)?.unit_key);
            let other = self.scan(table)?.build()?;
            plan = plan.join_on(other, JoinType::Left, [unit.clone().eq(theirs)])?;
        }
        for (name, (frame, columns)) in &needs.frames {
            let grouped = self
                .grouped(frame, columns)?
                .alias(TableReference::bare(name.clone()))?
                .build()?;
            let theirs = column(name, UNIT);
            plan = plan.join_on(grouped, JoinType::Left, [unit.clone().eq(theirs)])?;
        }
        Ok(plan)
    }

    /// One row for each person with rows in a frame.
    fn grouped(
        &self,
        frame: &Frame,
        columns: &BTreeMap<&str, &Aggregate>,
    ) -> Result<LogicalPlanBuilder, LowerError> {
        let inputs = columns.values().flat_map(|of| of.inputs());
        let rows = self.rows(&frame.rows, &frame.joined, &frame.filter, inputs)?;
        let unit = column(&frame.rows, &self.table(&frame.rows)?.unit_key).alias(UNIT);
        let (mut before, mut grouped, mut after) = (vec![unit], Vec::new(), vec![ident(UNIT)]);
        for (name, of) in columns {
            let mut steps = Steps {
                book: self,
                frame,
                name,
                before: &mut before,
                grouped: &mut grouped,
            };
            after.push(steps.aggregate(of)?.alias(*name));
        }
        if grouped.is_empty() {
            return Ok(rows.project(before)?.distinct()?);
        }
        let grouped = rows.project(before)?.aggregate([ident(UNIT)], grouped)?;
        Ok(grouped.project(after)?)
    }

    /// A column of the question as an expression over the tables and frames of the plan.
    pub(super) fn expr(&self, name: &ColumnRef) -> Result<Expr, LowerError> {
        let Some(derived) = self.codebook.derived.get(name) else {
            return Ok(column_of(name));
        };
        let each = |all: &BTreeSet<ColumnRef>| {
            let all = all.iter().map(|name| self.expr(name));
            all.collect::<Result<Vec<_>, _>>()
        };
        Ok(match derived {
            Derived::Frame { frame, .. } => column(&name_of(frame), &name.column),
            Derived::Day(day) => lit(ScalarValue::Date32(Some(*day))),
            Derived::Days { from, to } => {
                Scalars::Days.call(vec![self.expr(from)?, self.expr(to)?])
            }
            Derived::Years { from, to } => {
                Scalars::Years.call(vec![self.expr(from)?, self.expr(to)?])
            }
            Derived::Year { of } => Scalars::Year.call(vec![self.expr(of)?]),
            Derived::Least(of) => Scalars::Least.call(each(of)?),
            Derived::Greatest(of) => Scalars::Greatest.call(each(of)?),
            Derived::Coalesce { of, otherwise } => {
                let ty = self.column(of)?.ty;
                let value = self.expr(of)?;
                let missing = (value.clone().is_null(), constant(otherwise, ty)?);
                case(vec![missing], value)
            }
            Derived::Case { arms, otherwise } => {
                let ty = self.column(name)?.ty;
                let arm = |(condition, result): &(Predicate, Scalar)| {
                    Ok((self.holds(condition)?, constant(result, ty)?))
                };
                let arms: Result<Vec<_>, LowerError> = arms.iter().map(arm).collect();
                case(arms?, constant(otherwise, ty)?)
            }
            Derived::Any(conditions) => {
                let each = conditions.iter().map(|one| self.holds(one));
                let any = any_of(each.collect::<Result<_, _>>()?);
                case(vec![(any, lit(1_i64))], lit(0_i64))
            }
        })
    }

    fn holds(&self, condition: &Predicate) -> Result<Expr, LowerError> {
        let mut all = lit(true);
        for (name, set) in &condition.boxes {
            let ty = self.column(name)?.ty;
            let one = lies_in(&self.expr(name)?, ty, set).ok_or(LowerError::Misfit)?;
            all = all.and(one);
        }
        Ok(all)
    }
}

fn ident(name: &str) -> Expr {
    Expr::Column(datafusion::common::Column::new_unqualified(name))
}

/// The result of the first condition that holds.
fn case(arms: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    let arms = arms.into_iter();
    let arms = arms.map(|(when, then)| (Box::new(when), Box::new(then)));
    Expr::Case(Case::new(None, arms.collect(), Some(Box::new(otherwise))))
}

/// A literal of a column's type.
fn constant(value: &Scalar, ty: ColumnType) -> Result<Expr, LowerError> {
    let missing = || match ty {
        ColumnType::Int => Some(ScalarValue::Int64(None)),
        ColumnType::Text => Some(ScalarValue::Utf8(None)),
        _ => None,
    };
    let found = match value {
        Scalar::Null => missing().map(lit),
        Scalar::Text(text) => Some(lit(ScalarValue::Utf8(Some(text.clone())))),
        _ => quorate_query::set::ordinal(value, ty).and_then(|ordinal| literal(ty, ordinal)),
    };
    found.ok_or(LowerError::Misfit)
}

/// One column of a frame: what is computed of each row, what of all, and what of the result.
struct Steps<'s, 'b> {
    book: &'s Book<'b>,
    frame: &'s Frame,
    name: &'s str,
    before: &'s mut Vec<Expr>,
    grouped: &'s mut Vec<Expr>,
}

impl Steps<'_, '_> {
    fn aggregate(&mut self, of: &Aggregate) -> Result<Expr, LowerError> {
        let most = i128::from(self.frame.most_rows(self.book.codebook));
        let counted = Scalars::Typed {
            low: 0,
            high: most,
            scale: None,
        };
        match of {
            Aggregate::Rows => {
                let all = self.group(count(lit(1_i64)), "n");
                Ok(counted.call(vec![all]))
            }
            Aggregate::Distinct(value) => {
                let value = self.row(self.book.expr(value)?, "v");
                let different = self.group(count_distinct(value), "n");
                Ok(counted.call(vec![different]))
            }
            Aggregate::Min(value) | Aggregate::Max(value) => {
                let least = matches!(of, Aggregate::Min(_));
                let pick = |expr| if least { min(expr) } else { max(expr) };
                if self.book.column(value)?.ty == ColumnType::Date {
                    let day = self.row(self.book.expr(value)?, "v");
                    return Ok(self.group(pick(day), "m"));
                }
                let (typed, mantissa) = self.mantissa(value)?;
                let found = self.group(pick(mantissa), "m");
                Ok(typed.call(vec![found]))
            }
            Aggregate::Sum(value) => {
                let (low, high) = self.bounds(value)?;
                let (_, mantissa) = self.mantissa(value)?;
                let total = self.group(sum(Scalars::Wide.call(vec![mantissa])), "s");
                let typed = Scalars::Typed {
                    low: low.saturating_mul(most).min(0),
                    high: high.saturating_mul(most).max(0),
                    scale: self.scale(value)?,
                };
                Ok(typed.call(vec![total]))
            }
            Aggregate::Mean(value) => self.mean(value),
            Aggregate::First { value, by } | Aggregate::Last { value, by } => {
                let first = matches!(of, Aggregate::First { .. });
                let (typed, mantissa) = self.clamped(value)?;
                let dated = Scalars::Pack.call(vec![self.book.expr(by)?, mantissa]);
                let dated = self.row(dated, "p");
                let found = self.group(if first { min(dated) } else { max(dated) }, "m");
                Ok(typed.call(vec![Scalars::Unpack.call(vec![found])]))
            }
        }
    }

    fn mean(&mut self, value: &ColumnRef) -> Result<Expr, LowerError> {
        let own = self.book.column(value)?.ty.scale();
        let own = own.ok_or(LowerError::Misfit)?;
        let name = ColumnRef {
            table: self.book.codebook.unit.table.clone(),
            column: self.name.to_owned(),
        };
        let scale = self.book.column(&name)?.ty.scale();
        let scale = scale.ok_or(LowerError::Misfit)?;
        let (low, high) = self.limits(value)?;
        let (_, mantissa) = self.mantissa(value)?;
        let total = self.group(sum(Scalars::Wide.call(vec![mantissa.clone()])), "s");
        let rows = self.group(count(mantissa), "n");
        let more = scale.checked_sub(own).ok_or(LowerError::Misfit)?;
        let mean = Scalars::Mean { more }.call(vec![total, rows]);
        let typed = Scalars::Typed {
            low: at(low, scale)?,
            high: at(high, scale)?,
            scale: Some(scale),
        };
        Ok(typed.call(vec![mean]))
    }

    /// As [`Self::clamped`], as a column of the rows.
    fn mantissa(&mut self, value: &ColumnRef) -> Result<(Scalars, Expr), LowerError> {
        let (typed, clamped) = self.clamped(value)?;
        Ok((typed, self.row(clamped, "v")))
    }

    /// The value within its bounds, and how the mantissa becomes a value of its column again.
    fn clamped(&self, value: &ColumnRef) -> Result<(Scalars, Expr), LowerError> {
        let (low, high) = self.bounds(value)?;
        let clamped = Function::Clamp { low, high }.call(self.book.expr(value)?);
        let typed = Scalars::Typed {
            low,
            high,
            scale: self.scale(value)?,
        };
        Ok((typed, clamped))
    }

    fn limits(
        &self,
        value: &ColumnRef,
    ) -> Result<(quorate_query::number::Number, quorate_query::number::Number), LowerError> {
        let found = limits(value, &self.frame.filter, self.book.codebook);
        found.map(|(bounds, _)| bounds).ok_or(LowerError::Misfit)
    }

    fn bounds(&self, value: &ColumnRef) -> Result<(i128, i128), LowerError> {
        let scale = self.book.column(value)?.ty.scale();
        let scale = scale.ok_or(LowerError::Misfit)?;
        let (low, high) = self.limits(value)?;
        Ok((at(low, scale)?, at(high, scale)?))
    }

    /// The decimals of a decimal column.
    fn scale(&self, value: &ColumnRef) -> Result<Option<u32>, LowerError> {
        Ok(match self.book.column(value)?.ty {
            ColumnType::Decimal { scale } => Some(scale),
            _ => None,
        })
    }

    /// Names something computed of each row.
    fn row(&mut self, expr: Expr, part: &str) -> Expr {
        let name = format!("{}.{part}", self.name);
        self.before.push(expr.alias(&name));
        ident(&name)
    }

    /// Names something computed of all rows.
    fn group(&mut self, expr: Expr, part: &str) -> Expr {
        let name = format!("{}.all.{part}", self.name);
        self.grouped.push(expr.alias(&name));
        ident(&name)
    }
}
