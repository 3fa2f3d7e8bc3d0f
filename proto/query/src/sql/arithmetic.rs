//! Arithmetic inside `sum` and `avg`, in questions that a person reviews before they run.
//!
//! An expression is multiplied out, and what leaves a node is what its terms come to: means of columns
//! and mean products of two. So nothing leaves that could not leave by itself, every rule of release
//! and all of the history hold as they stand, and two ways to write one expression are one question.
//! The rest is arithmetic on released values. What this file must not know: who reviews.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::{One, Zero};
use sqlparser::ast::{BinaryOperator, Expr as Sql, Function, FunctionArguments, UnaryOperator};

use super::aggregate::{check_countable, check_plain, measure_of};
use super::context::Context;
use super::group::argument;
use super::literal;
use super::scope::{Scope, bare};
use crate::codebook::ColumnRef;
use crate::domain::is_value_counts;
use crate::measure::facts::{is_never_missing, limits};
use crate::measure::products::{centre, too_fine};
use crate::number::Number;
use crate::problem::Problem;
use crate::question::{BinaryOp, Expr, Measure, Output, Stat, TableQuestion};

/// Most terms of an expression that was multiplied out.
const MOST_TERMS: usize = 10;
/// Expressions are nested no deeper than this.
const DEEPEST: u32 = 16;

/// Columns that are multiplied, ascending: none, one or two.
type Monomial = Vec<ColumnRef>;
/// What each product of columns is multiplied by; never 0.
type Polynomial = BTreeMap<Monomial, BigRational>;

/// Reads `sum` or `avg` of an expression, adding measures by `measure`; `None` if it is of something
/// else, which is read as ever.
pub(super) fn aggregate(
    function: &Function,
    scope: &Scope,
    ctx: &Context<'_>,
    measure: &mut impl FnMut(Measure) -> usize,
) -> Result<Option<Expr>, Problem> {
    let name = function.name.to_string().to_ascii_lowercase();
    let FunctionArguments::List(list) = &function.args else {
        return Ok(None);
    };
    let [only] = list.args.as_slice() else {
        return Ok(None);
    };
    let Some(sql) = argument(only).filter(|sql| is_arithmetic(sql)) else {
        return Ok(None);
    };
    let plain = list.duplicate_treatment.is_none() && list.clauses.is_empty();
    if !plain || !matches!(name.as_str(), "sum" | "avg") {
        return Ok(None);
    }
    check_plain(function, ctx)?;
    let polynomial = Reader { scope, ctx }.polynomial(sql, 0)?;
    let columns: BTreeSet<&ColumnRef> = polynomial.keys().flatten().collect();
    let mut terms = Terms {
        scope,
        ctx,
        sql,
        several: columns.len() > 1,
        measure,
    };
    terms.check(&columns)?;
    terms.aggregate(&polynomial, name == "sum").map(Some)
}

fn is_arithmetic(sql: &Sql) -> bool {
    match bare(sql) {
        Sql::BinaryOp { op, .. } => matches!(
            op,
            BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Divide
        ),
        Sql::UnaryOp { op, expr } => *op == UnaryOperator::Minus && !is_number(expr),
        _ => false,
    }
}

fn is_number(sql: &Sql) -> bool {
    matches!(bare(sql), Sql::Value(_))
}

struct Reader<'s, 'c, 't> {
    scope: &'s Scope,
    ctx: &'c Context<'t>,
}

impl Reader<'_, '_, '_> {
    fn polynomial(&self, sql: &Sql, depth: u32) -> Result<Polynomial, Problem> {
        self.ctx.not_deeper(depth, DEEPEST, sql)?;
        let found = match bare(sql) {
            Sql::BinaryOp { left, op, right } => {
                let a = self.polynomial(left, depth + 1)?;
                let b = self.polynomial(right, depth + 1)?;
                match op {
                    BinaryOperator::Plus => sum(a, b, &BigRational::one()),
                    BinaryOperator::Minus => sum(a, b, &-BigRational::one()),
                    BinaryOperator::Multiply => {
                        product(&a, &b).ok_or_else(|| self.too_high(sql))?
                    }
                    BinaryOperator::Divide => {
                        let by = constant(&b).filter(|by| !by.is_zero());
                        let by = by.ok_or_else(|| self.not_a_divisor(right))?;
                        scaled(a, &by.recip())
                    }
                    _ => return Err(self.form(sql)),
                }
            }
            Sql::UnaryOp {
                op: UnaryOperator::Minus,
                expr,
            } if !is_number(expr) => {
                scaled(self.polynomial(expr, depth + 1)?, &-BigRational::one())
            }
            other => match self.scope.column(other, self.ctx)? {
                Some(name) => Polynomial::from([(vec![name], BigRational::one())]),
                None if matches!(other, Sql::Value(_) | Sql::UnaryOp { .. }) => {
                    let number = literal::number(other, "V501", self.ctx)?;
                    scaled(
                        Polynomial::from([(Monomial::new(), BigRational::one())]),
                        &number.to_rational(),
                    )
                }
                None => return Err(self.form(other)),
            },
        };
        if found.len() > MOST_TERMS {
            let message =
                format!("multiplied out, the expression has more than {MOST_TERMS} terms");
            return Err(self.ctx.refuse("V800", sql, message));
        }
        Ok(found)
    }

    fn form(&self, sql: &Sql) -> Problem {
        let message = "inside an aggregate there are columns, numbers, + - *, and / by a number";
        self.ctx.refuse("V501", sql, message)
    }

    fn too_high(&self, sql: &Sql) -> Problem {
        let message = "no more than two columns are multiplied with each other";
        self.ctx.refuse("V501", sql, message)
    }

    fn not_a_divisor(&self, sql: &Sql) -> Problem {
        let message = "inside an aggregate only a number divides, and not 0";
        self.ctx.refuse("V501", sql, message)
    }
}

fn sum(mut a: Polynomial, b: Polynomial, times: &BigRational) -> Polynomial {
    for (monomial, factor) in b {
        *a.entry(monomial).or_insert_with(BigRational::zero) += factor * times;
    }
    a.retain(|_, factor| !factor.is_zero());
    a
}

fn scaled(a: Polynomial, times: &BigRational) -> Polynomial {
    sum(Polynomial::new(), a, times)
}

fn constant(a: &Polynomial) -> Option<BigRational> {
    match a.len() {
        0 => Some(BigRational::zero()),
        1 => a.get(&Monomial::new()).cloned(),
        _ => None,
    }
}

/// `None` where more than two columns would be multiplied.
fn product(a: &Polynomial, b: &Polynomial) -> Option<Polynomial> {
    let mut all = Polynomial::new();
    for (left, by) in a {
        for (right, times) in b {
            let mut monomial: Monomial = left.iter().chain(right).cloned().collect();
            monomial.sort_unstable();
            if monomial.len() > 2 {
                return None;
            }
            all = sum(
                all,
                Polynomial::from([(monomial, by * times)]),
                &BigRational::one(),
            );
        }
    }
    Some(all)
}

/// What the terms come to on released values.
struct Terms<'s, 'c, 't, 'm, M> {
    scope: &'s Scope,
    ctx: &'c Context<'t>,
    sql: &'s Sql,
    /// Whether it is of several columns.
    several: bool,
    measure: &'m mut M,
}

impl<M: FnMut(Measure) -> usize> Terms<'_, '_, '_, '_, M> {
    /// Means of several columns can be put together only where they are of the same rows.
    fn check(&self, columns: &BTreeSet<&ColumnRef>) -> Result<(), Problem> {
        if columns.is_empty() {
            let message = "an aggregate is of at least one column";
            return Err(self.ctx.refuse("V501", self.sql, message));
        }
        let events = self.ctx.is_event_table(&self.scope.relation.rows);
        for name in columns {
            // As for the column alone: role, type and bounds.
            measure_of(name, self.sql, self.scope, self.ctx)?;
            if self.several && events {
                let message = "columns of events are not put together; group by person first";
                return Err(self.ctx.refuse("V501", self.sql, message));
            }
            if self.several && !self.never_missing(name) {
                let message = format!(
                    "`{}` may be missing: columns are put together of persons who have all of them",
                    name.column
                );
                let problem = self.ctx.refuse("V501", self.sql, message);
                return Err(problem.write(format!("WHERE {} IS NOT NULL", name.column)));
            }
        }
        Ok(())
    }

    fn never_missing(&self, name: &ColumnRef) -> bool {
        is_never_missing(name, &rows(self.scope), self.ctx.codebook())
    }

    fn aggregate(&mut self, of: &Polynomial, sum: bool) -> Result<Expr, Problem> {
        let mut all: Option<Expr> = None;
        for (monomial, factor) in of {
            let term = match (monomial.as_slice(), sum) {
                ([], false) => None,
                ([], true) => Some(self.count(of)?),
                ([name], false) => Some(self.stat(name, Stat::Mean)?),
                ([name], true) => Some(self.stat(name, Stat::Sum)?),
                ([left, right], false) => Some(self.product(left, right)?),
                ([left, right], true) => {
                    let mean = self.product(left, right)?;
                    Some(binary(BinaryOp::Mul, self.count(of)?, mean))
                }
                _ => return Err(self.unfit()),
            };
            let term = times(self.number(factor)?, term);
            all = Some(match all {
                None => term,
                Some(all) => binary(BinaryOp::Add, all, term),
            });
        }
        all.ok_or_else(|| self.unfit())
    }

    fn unfit(&self) -> Problem {
        let message = "the numbers of this expression do not fit";
        self.ctx.refuse("V501", self.sql, message)
    }

    fn number(&self, factor: &BigRational) -> Result<Number, Problem> {
        let number = Number::from_rational(factor);
        let finite = number.filter(|number| number.to_rational() == *factor);
        finite.ok_or_else(|| {
            let message =
                "a factor of this expression has no end as a decimal number; divide outside";
            self.ctx.refuse("V501", self.sql, message)
        })
    }

    fn stat(&mut self, name: &ColumnRef, stat: Stat) -> Result<Expr, Problem> {
        let measure = measure_of(name, self.sql, self.scope, self.ctx)?;
        let measure = (self.measure)(measure);
        Ok(Expr::Stat { measure, stat })
    }

    /// Rows in which the expression has a value.
    fn count(&mut self, of: &Polynomial) -> Result<Expr, Problem> {
        let only = of.keys().flatten().next().filter(|_| !self.several);
        let only = only.filter(|name| !self.never_missing(name));
        if let Some(name) = only {
            check_countable(name, self.sql, self.ctx)?;
        }
        let of = only.cloned();
        let events = self.ctx.is_event_table(&self.scope.relation.rows);
        let measure = (self.measure)(match events {
            true => Measure::Events { of },
            false => Measure::Persons { of },
        });
        let stat = Stat::Count;
        Ok(Expr::Stat { measure, stat })
    }

    /// The mean of a product: of a square, variance and square of the mean; else the mean product about
    /// the centres, and what the centres took off.
    fn product(&mut self, left: &ColumnRef, right: &ColumnRef) -> Result<Expr, Problem> {
        if left == right {
            let mean = self.stat(left, Stat::Mean)?;
            let square = binary(BinaryOp::Mul, mean.clone(), mean);
            return Ok(binary(
                BinaryOp::Add,
                self.stat(left, Stat::VarPop)?,
                square,
            ));
        }
        let codebook = self.ctx.codebook();
        let few = |name: &ColumnRef| codebook.column(name).is_some_and(is_value_counts);
        if few(left) || few(right) {
            let message = "a column of few values is not multiplied: its product is a sum over those who have one of them. Put it into GROUP BY, or write a condition on it";
            return Err(self.ctx.refuse("V501", self.sql, message));
        }
        if let Some(message) = too_fine(left, right, codebook) {
            return Err(self.ctx.refuse("V501", self.sql, message));
        }
        let (a, b) = (self.centre(left)?, self.centre(right)?);
        let measure = (self.measure)(Measure::Products {
            left: left.clone(),
            right: right.clone(),
        });
        let stat = Stat::Mean;
        let about = Expr::Stat { measure, stat };
        let both = Number::from_rational(&-(a.to_rational() * b.to_rational()));
        let (x, y) = (self.stat(left, Stat::Mean)?, self.stat(right, Stat::Mean)?);
        let parts = [
            times(a, Some(y)),
            times(b, Some(x)),
            Expr::Literal(both.ok_or_else(|| self.unfit())?),
        ];
        let add = |all, part| binary(BinaryOp::Add, all, part);
        Ok(parts.into_iter().fold(about, add))
    }

    fn centre(&self, name: &ColumnRef) -> Result<Number, Problem> {
        let codebook = self.ctx.codebook();
        let bounds = limits(name, &self.scope.relation.filter, codebook);
        let scale = self.ctx.column(name).and_then(|column| column.ty.scale());
        let found = bounds.zip(scale);
        let found = found.and_then(|((bounds, _), scale)| centre(bounds, scale));
        found.ok_or_else(|| self.unfit())
    }
}

/// The rows of a scope; group keys are known where the whole table is, a filter is enough here.
fn rows(scope: &Scope) -> TableQuestion {
    TableQuestion {
        rows: scope.relation.rows.clone(),
        joined: scope.relation.joined.clone(),
        filter: scope.relation.filter.clone(),
        keys: Vec::new(),
        measures: Vec::new(),
        output: Output::default(),
    }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary {
        op,
        left: Box::new(left),
        right: Box::new(right),
    }
}

/// A number of times a term, or the number.
fn times(number: Number, term: Option<Expr>) -> Expr {
    match term {
        None => Expr::Literal(number),
        Some(term) if number == Number::new(1, 0) => term,
        Some(term) => binary(BinaryOp::Mul, Expr::Literal(number), term),
    }
}
