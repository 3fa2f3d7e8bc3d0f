//! OR and NOT, in questions that a person reviews before they run.
//!
//! NOT is pushed down to the comparisons, where it means what it means in SQL: what is missing meets
//! neither a comparison nor its opposite. What is left is brought into alternatives, each a conjunction
//! as in any WHERE. Alternatives of one column become one set; where several remain, a derived column
//! says of each row whether it meets any. What this file must not know: who reviews.

use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use super::context::Context;
use super::filter::{condition_of, only};
use super::scope::{Env, Scope, bare};
use super::{MAX_ALTERNATIVES, MAX_CONDITIONS};
use crate::derived::{Aggregate, Derived, Frame};
use crate::problem::Problem;
use crate::question::{Cohort, Predicate, Set, Values};

/// The condition with every NOT pushed down to a comparison.
pub(super) fn without_not(condition: &Expr) -> Expr {
    pushed(condition, false)
}

fn pushed(condition: &Expr, negate: bool) -> Expr {
    match bare(condition) {
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => pushed(expr, !negate),
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::And | BinaryOperator::Or),
            right,
        } => {
            let and = (*op == BinaryOperator::And) != negate;
            Expr::BinaryOp {
                left: Box::new(pushed(left, negate)),
                op: if and {
                    BinaryOperator::And
                } else {
                    BinaryOperator::Or
                },
                right: Box::new(pushed(right, negate)),
            }
        }
        atom if negate => opposite(atom.clone()),
        atom => atom.clone(),
    }
}

/// The opposite of a comparison; of anything else NOT remains, and is refused where it is read.
fn opposite(atom: Expr) -> Expr {
    let turned = |op: &BinaryOperator| match op {
        BinaryOperator::Eq => Some(BinaryOperator::NotEq),
        BinaryOperator::NotEq => Some(BinaryOperator::Eq),
        BinaryOperator::Lt => Some(BinaryOperator::GtEq),
        BinaryOperator::GtEq => Some(BinaryOperator::Lt),
        BinaryOperator::Gt => Some(BinaryOperator::LtEq),
        BinaryOperator::LtEq => Some(BinaryOperator::Gt),
        _ => None,
    };
    match atom {
        Expr::BinaryOp { left, op, right } if turned(&op).is_some() => Expr::BinaryOp {
            left,
            op: turned(&op).unwrap_or(op),
            right,
        },
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => Expr::Between {
            expr,
            negated: !negated,
            low,
            high,
        },
        Expr::InList {
            expr,
            list,
            negated,
        } => Expr::InList {
            expr,
            list,
            negated: !negated,
        },
        Expr::InSubquery {
            expr,
            subquery,
            negated,
        } => Expr::InSubquery {
            expr,
            subquery,
            negated: !negated,
        },
        Expr::IsNull(expr) => Expr::IsNotNull(expr),
        Expr::IsNotNull(expr) => Expr::IsNull(expr),
        other => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(other),
        },
    }
}

/// `a OR b`, without NOT.
pub(super) fn either(
    whole: &Expr,
    scope: &Scope,
    env: &Env,
    ctx: &Context<'_>,
) -> Result<Predicate, Problem> {
    let reader = Reader { scope, env, ctx };
    let all = simplest(reader.alternatives(whole)?, ctx);
    let mut each = all.iter();
    match (each.next(), each.next()) {
        (None, _) => Err(ctx.refuse("V401", whole, "nothing meets any of these conditions")),
        (Some(only), None) => Ok(only.clone()),
        _ => {
            let any = Derived::Any(all);
            let message = "the codebook does not bear this condition";
            let column = ctx.derive(&any, whole, message)?;
            Ok(only(column, Set::of(Values::points([1]))))
        }
    }
}

struct Reader<'s, 'c, 't> {
    scope: &'s Scope,
    env: &'s Env,
    ctx: &'c Context<'t>,
}

impl Reader<'_, '_, '_> {
    /// Conjunctions of which at least one holds; those that never hold are left out.
    fn alternatives(&self, condition: &Expr) -> Result<Vec<Predicate>, Problem> {
        let found = match bare(condition) {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Or,
                right,
            } => {
                let mut all = self.alternatives(left)?;
                all.extend(self.alternatives(right)?);
                all
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                let (left, right) = (self.alternatives(left)?, self.alternatives(right)?);
                let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
                pairs.filter_map(|(a, b)| self.both(a, b)).collect()
            }
            atom => {
                let one = condition_of(atom, self.scope, self.env, self.ctx)?;
                vec![self.of_columns(one, atom)?]
            }
        };
        let wide = |one: &Predicate| one.boxes.len() > MAX_CONDITIONS;
        if found.len() > MAX_ALTERNATIVES || found.iter().any(wide) {
            let message = format!(
                "the condition comes to more than {MAX_ALTERNATIVES} alternatives, or one of them to more than {MAX_CONDITIONS} columns and cohorts"
            );
            return Err(self.ctx.refuse("V800", condition, message));
        }
        Ok(found)
    }

    /// Where both hold; `None` if they never do.
    fn both(&self, a: &Predicate, b: &Predicate) -> Option<Predicate> {
        let mut boxes = a.boxes.clone();
        for (name, set) in &b.boxes {
            let both = boxes.get(name).map(|old| old.intersect(set));
            let both = both.unwrap_or_else(|| set.clone());
            let both = self
                .ctx
                .column(name)
                .map_or_else(|| both.clone(), |column| both.within(column));
            if both.is_empty() {
                return None;
            }
            boxes.insert(name.clone(), both);
        }
        boxes.retain(|_, set| !set.is_anything());
        Some(Predicate {
            boxes,
            ..Predicate::default()
        })
    }

    /// A condition with its cohorts as columns: whether the person has any such row.
    fn of_columns(&self, one: Predicate, atom: &Expr) -> Result<Predicate, Problem> {
        let mut found = Predicate {
            boxes: one.boxes,
            ..Predicate::default()
        };
        found.boxes.retain(|_, set| !set.is_anything());
        for cohort in one.cohorts {
            let negated = cohort.negated;
            let rows = self.rows_of(cohort, atom)?;
            let set = match negated {
                true => Set::null_only(),
                false => Set::not_null(),
            };
            found.boxes.insert(rows, set);
        }
        Ok(found)
    }

    /// The number of rows that a cohort's persons have, missing for everybody else.
    fn rows_of(&self, cohort: Cohort, atom: &Expr) -> Result<crate::codebook::ColumnRef, Problem> {
        if cohort.rows == self.ctx.codebook().unit.table {
            let message = "among alternatives a cohort is of another table than the unit table; write its conditions here";
            return Err(self.ctx.refuse("V301", atom, message));
        }
        let frame = Frame {
            rows: cohort.rows,
            joined: cohort.joined,
            filter: cohort.filter,
        };
        let rows = Derived::Frame {
            frame,
            of: Aggregate::Rows,
        };
        self.ctx
            .derive(&rows, atom, "this cohort cannot be used here")
    }
}

/// The same alternatives with as few as possible: one that lies in another is left out, and two that
/// differ in one column become one.
fn simplest(all: Vec<Predicate>, ctx: &Context<'_>) -> BTreeSet<Predicate> {
    let mut all: BTreeSet<Predicate> = all.into_iter().collect();
    while let Some((a, b, both)) = first_pair(&all, ctx) {
        all.remove(&a);
        all.remove(&b);
        all.insert(both);
    }
    all
}

fn first_pair(
    all: &BTreeSet<Predicate>,
    ctx: &Context<'_>,
) -> Option<(Predicate, Predicate, Predicate)> {
    let mut pairs = all.iter().flat_map(|a| all.iter().map(move |b| (a, b)));
    pairs.find_map(|(a, b)| {
        let both = (a != b).then(|| together(a, b, ctx))??;
        Some((a.clone(), b.clone(), both))
    })
}

/// What is met where either is, if a conjunction says it.
fn together(a: &Predicate, b: &Predicate, ctx: &Context<'_>) -> Option<Predicate> {
    let inside = |(name, set): (_, &Set)| b.boxes.get(name).is_some_and(|own| own.is_subset(set));
    if a.boxes.iter().all(inside) {
        return Some(a.clone());
    }
    let same_columns = a.boxes.keys().eq(b.boxes.keys());
    let mut differing = a
        .boxes
        .iter()
        .filter(|(name, set)| b.boxes.get(*name) != Some(*set));
    let ((name, one), None) = (differing.next()?, differing.next()) else {
        return None;
    };
    let other = b.boxes.get(name).filter(|_| same_columns)?;
    let union = Set {
        null: one.null || other.null,
        values: one.values.union(&other.values),
    };
    let union = union.within(ctx.column(name)?);
    let mut both = a.clone();
    if union.is_anything() {
        both.boxes.remove(name);
    } else {
        both.boxes.insert(name.clone(), union);
    }
    Some(both)
}
