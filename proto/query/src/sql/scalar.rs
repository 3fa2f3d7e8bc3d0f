//! Scalars of one row as derived columns: days and years between dates, the year of a date, the first
//! and last of dates, a literal for what is missing, and cases over a closed set of results.

use std::collections::BTreeSet;

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, DateTimeField, Expr, Function, FunctionArguments,
};

use super::aggregate::{check_plain, function_refusal};
use super::context::Context;
use super::dates::date;
use super::filter::conditions;
use super::group::argument;
use super::literal::{Given, given, one};
use super::scope::{Env, Scope, bare};
use crate::codebook::ColumnRef;
use crate::derived::Derived;
use crate::number::Number;
use crate::problem::Problem;
use crate::question::{Predicate, Set};
use crate::value::Scalar;

/// Most conditions of one CASE.
const MOST_ARMS: usize = 20;
/// Scalars are nested no deeper than this.
const DEEPEST: u32 = 8;
/// What can be derived.
const FORMS: &str = "a query inside a query names columns, derives date - date, date_sub('year', date, date), year(date), least, greatest, coalesce(column, literal), CAST(condition AS INTEGER) and CASE, or groups by person";

/// The derived column that an expression is.
pub(super) fn derived(expr: &Expr, scope: &Scope, ctx: &Context<'_>) -> Result<ColumnRef, Problem> {
    Reader { scope, ctx }.derived(expr, 0)
}

struct Reader<'s, 'c, 't> {
    scope: &'s Scope,
    ctx: &'c Context<'t>,
}

impl Reader<'_, '_, '_> {
    fn derived(&self, expr: &Expr, depth: u32) -> Result<ColumnRef, Problem> {
        self.ctx.not_deeper(depth, DEEPEST, expr)?;
        let derived = match bare(expr) {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Minus,
                right,
            } => Derived::Days {
                to: self.date(left, depth)?,
                from: self.date(right, depth)?,
            },
            Expr::Extract {
                field: DateTimeField::Year,
                expr,
                ..
            } => Derived::Year {
                of: self.date(expr, depth)?,
            },
            Expr::Function(function) => self.function(expr, function, depth)?,
            Expr::Case {
                operand: None,
                conditions,
                else_result,
                case_token: _,
                end_token: _,
            } => self.case(expr, conditions, else_result.as_deref())?,
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr: condition,
                data_type: DataType::Int(None) | DataType::Integer(None),
                array: false,
                format: None,
            } => self.flag(condition)?,
            _ => return Err(self.ctx.refuse("V202", expr, FORMS)),
        };
        let events = derived.events(self.ctx.codebook()).is_some();
        if events && !matches!(derived, Derived::Days { .. }) {
            let message =
                "of an event only the days to another date are derived; group by person first";
            return Err(self.ctx.refuse("V202", expr, message));
        }
        let message = "the codebook does not bear this: results are at most 20 whole numbers or texts, a literal lies in the column's domain and bounds";
        self.ctx.derive(&derived, expr, message)
    }

    /// A date: a column, derived, or a literal.
    fn date(&self, expr: &Expr, depth: u32) -> Result<ColumnRef, Problem> {
        if let Some(name) = date(expr, self.scope, self.ctx)? {
            return Ok(name);
        }
        let message = "this is no date";
        if !matches!(bare(expr), Expr::Function(_)) {
            return match given(expr, self.ctx)? {
                Given::Literal(Scalar::Date(day)) | Given::Param(Scalar::Date(day)) => {
                    self.ctx.derive(&Derived::Day(day), expr, message)
                }
                _ => Err(self.ctx.refuse("V202", expr, message)),
            };
        }
        let name = self.derived(expr, depth + 1)?;
        let ty = self.ctx.column(&name).map(|column| column.ty);
        if ty == Some(crate::value::ColumnType::Date) {
            Ok(name)
        } else {
            Err(self.ctx.refuse("V202", expr, message))
        }
    }

    fn function(&self, whole: &Expr, function: &Function, depth: u32) -> Result<Derived, Problem> {
        let name = function.name.to_string().to_ascii_lowercase();
        let known = [
            "year",
            "least",
            "greatest",
            "coalesce",
            "date_sub",
            "datesub",
            "date_part",
        ];
        if !known.contains(&name.as_str()) {
            return Err(match function_refusal(function, self.ctx) {
                other if other.code.0 == "V302" => other,
                _ => self.ctx.refuse("V202", whole, FORMS),
            });
        }
        check_plain(function, self.ctx)?;
        let form = || self.ctx.refuse("V202", whole, FORMS);
        let FunctionArguments::List(list) = &function.args else {
            return Err(form());
        };
        if !list.clauses.is_empty() || list.duplicate_treatment.is_some() {
            return Err(form());
        }
        let args: Option<Vec<&Expr>> = list.args.iter().map(argument).collect();
        let args = args.ok_or_else(form)?;
        match (name.as_str(), args.as_slice()) {
            ("year", [of]) => Ok(Derived::Year {
                of: self.date(of, depth)?,
            }),
            ("date_part", [part, of]) if self.is_year(part) => Ok(Derived::Year {
                of: self.date(of, depth)?,
            }),
            ("date_sub" | "datesub", [part, from, to]) if self.is_year(part) => {
                Ok(Derived::Years {
                    from: self.date(from, depth)?,
                    to: self.date(to, depth)?,
                })
            }
            ("least", [_, _, ..]) => Ok(Derived::Least(self.dates(&args, depth)?)),
            ("greatest", [_, _, ..]) => Ok(Derived::Greatest(self.dates(&args, depth)?)),
            ("coalesce", [of, literal]) => self.coalesce(of, literal, depth),
            _ => Err(form()),
        }
    }

    fn is_year(&self, expr: &Expr) -> bool {
        matches!(given(expr, self.ctx), Ok(Given::Literal(Scalar::Text(text))) if text == "year")
    }

    fn dates(&self, all: &[&Expr], depth: u32) -> Result<BTreeSet<ColumnRef>, Problem> {
        all.iter().map(|expr| self.date(expr, depth)).collect()
    }

    fn coalesce(&self, of: &Expr, literal: &Expr, depth: u32) -> Result<Derived, Problem> {
        let name = match self.scope.column(of, self.ctx)? {
            Some(name) => name,
            None => self.derived(of, depth + 1)?,
        };
        let column = self.ctx.column(&name).filter(|c| !c.roles.is_empty());
        let Some(column) = column.filter(|_| !self.ctx.is_unit_key(&name)) else {
            let message = format!("the codebook does not allow to use `{}`", name.column);
            return Err(self.ctx.refuse("V400", of, message));
        };
        let otherwise = one(literal, &name, column, self.ctx)?;
        Ok(Derived::Coalesce {
            of: name,
            otherwise,
        })
    }

    fn case(
        &self,
        whole: &Expr,
        arms: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<Derived, Problem> {
        if arms.len() > MOST_ARMS {
            let message = format!("a CASE has at most {MOST_ARMS} conditions");
            return Err(self.ctx.refuse("V800", whole, message));
        }
        let arm = |CaseWhen { condition, result }: &CaseWhen| {
            Ok((self.condition(condition)?, self.result(result)?))
        };
        Ok(Derived::Case {
            arms: arms.iter().map(arm).collect::<Result<_, Problem>>()?,
            otherwise: match otherwise {
                Some(result) => self.result(result)?,
                None => Scalar::Null,
            },
        })
    }

    fn result(&self, expr: &Expr) -> Result<Scalar, Problem> {
        match given(expr, self.ctx)? {
            Given::Literal(value @ (Scalar::Number(_) | Scalar::Text(_))) => Ok(value),
            _ => {
                let message = "the results of a CASE are whole numbers or texts";
                Err(self.ctx.refuse("V202", expr, message))
            }
        }
    }

    /// Conditions on columns of the person.
    fn condition(&self, expr: &Expr) -> Result<Predicate, Problem> {
        let found = conditions(expr, self.scope, &Env::default(), self.ctx)?;
        if !found.cohorts.is_empty() {
            let message = "a case compares columns; whether somebody has a row is `IS NOT NULL` of a column that was joined by LEFT JOIN";
            return Err(self.ctx.refuse("V202", expr, message));
        }
        if found.boxes.is_empty() {
            let message = "this condition always holds";
            return Err(self.ctx.refuse("V401", expr, message));
        }
        Ok(found)
    }

    /// A condition as 0 or 1. That a value is missing is known of everybody; a comparison with what is
    /// missing is missing.
    fn flag(&self, expr: &Expr) -> Result<Derived, Problem> {
        let found = self.condition(expr)?;
        let number = |n: i128| Scalar::Number(Number::new(n, 0));
        if matches!(bare(expr), Expr::IsNull(_) | Expr::IsNotNull(_)) {
            return Ok(Derived::Case {
                arms: vec![(found, number(1))],
                otherwise: number(0),
            });
        }
        let mut boxes = found.boxes.iter();
        let (Some((name, set)), None) = (boxes.next(), boxes.next()) else {
            let message = "one comparison is made a number; several are a CASE";
            return Err(self.ctx.refuse("V202", expr, message));
        };
        let Some(column) = self.ctx.column(name) else {
            return Err(self
                .ctx
                .refuse("V400", expr, "the codebook has no such column"));
        };
        let other = Set::of(set.values.complement()).within(column);
        let mut arms = vec![(found.clone(), number(1))];
        if !other.is_empty() {
            let boxes = [(name.clone(), other)].into();
            let cohorts = BTreeSet::new();
            arms.push((Predicate { boxes, cohorts }, number(0)));
        }
        Ok(Derived::Case {
            arms,
            otherwise: Scalar::Null,
        })
    }
}
