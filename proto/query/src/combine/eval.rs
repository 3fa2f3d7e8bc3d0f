//! Output expressions over the released cells of one row.

use std::collections::BTreeSet;

use num_rational::BigRational;

use super::merge::Merged;
use crate::answer::Cell;
use crate::measure::{self, SiteParts, interval::Interval};
use crate::question::{BinaryOp, Expr, Stat, TableQuestion};
use crate::value::Scalar;

/// One row of the merged table, ready to be computed on.
pub(super) struct Row<'a> {
    pub(super) question: &'a TableQuestion,
    pub(super) merged: &'a Merged<'a>,
    pub(super) key: &'a [Scalar],
    pub(super) cells: &'a [Option<&'a [Cell]>],
}

/// What an expression comes to.
pub(super) enum Outcome {
    /// No node released all that it needs.
    Withheld,
    /// Computed, but there is no such number.
    Null,
    /// A number.
    Value(Interval),
}

/// An expression's outcome and the sites that it stands for.
pub(super) struct Evaluated {
    pub(super) outcome: Outcome,
    /// Sites that released every measure in the expression.
    pub(super) sites: Vec<usize>,
    /// An answering site withheld some of it.
    pub(super) open: bool,
    /// A site answered some of it with an earlier release for nearly the same persons.
    pub(super) near: bool,
}

impl Row<'_> {
    /// Computes an expression. All its parts speak about the same nodes: those that released every
    /// measure in it (F5).
    pub(super) fn evaluate(&self, expr: &Expr) -> Evaluated {
        let measures = measures(expr);
        let complete = |site: &usize| measures.iter().all(|m| self.parts(*site, *m).is_some());
        let all = self.merged.sites.len();
        let sites: Vec<usize> = (0..all).filter(complete).collect();
        let open = sites.len() < all;
        let near = sites
            .iter()
            .flat_map(|site| measures.iter().filter_map(|m| self.parts(*site, *m)))
            .any(|parts| parts.near);
        let outcome = if sites.is_empty() {
            Outcome::Withheld
        } else {
            self.compute(expr, &sites)
                .map_or(Outcome::Null, Outcome::Value)
        };
        Evaluated {
            outcome,
            sites,
            open,
            near,
        }
    }

    /// The same expression at one site that released all of it.
    pub(super) fn at_site(&self, expr: &Expr, site: usize) -> Option<Interval> {
        self.compute(expr, &[site])
    }

    fn parts(&self, site: usize, measure: usize) -> Option<SiteParts<'_>> {
        self.merged.parts(self.cells, site, measure)
    }

    fn compute(&self, expr: &Expr, sites: &[usize]) -> Option<Interval> {
        match expr {
            Expr::Key(index) => {
                let number = self.key.get(*index)?.as_number()?;
                Some(Interval::exact(number.to_rational()))
            }
            Expr::Stat { measure, stat } => self.statistic(*measure, *stat, sites),
            Expr::Literal(number) => Some(Interval::exact(number.to_rational())),
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.compute(left, sites)?, self.compute(right, sites)?);
                match op {
                    BinaryOp::Add => Some(left.plus(&right)),
                    BinaryOp::Sub => Some(left.minus(&right)),
                    BinaryOp::Mul => Some(left.times(&right)),
                    BinaryOp::Div => left.over(&right),
                }
            }
        }
    }

    fn statistic(&self, index: usize, stat: Stat, sites: &[usize]) -> Option<Interval> {
        let measure = self.question.measures.get(index)?;
        let facts = self.merged.facts.get(index)?;
        let parts: Option<Vec<SiteParts<'_>>> =
            sites.iter().map(|site| self.parts(*site, index)).collect();
        measure::estimate(measure, facts, stat, &parts?)
    }
}

impl Evaluated {
    /// The number that HAVING and ORDER BY work on.
    pub(super) fn number(&self) -> Option<&BigRational> {
        match &self.outcome {
            Outcome::Value(interval) => Some(&interval.value),
            Outcome::Withheld | Outcome::Null => None,
        }
    }
}

/// Indices of the measures that an expression reads.
pub(super) fn measures(expr: &Expr) -> BTreeSet<usize> {
    match expr {
        Expr::Key(_) | Expr::Literal(_) => BTreeSet::new(),
        Expr::Stat { measure, .. } => BTreeSet::from([*measure]),
        Expr::Binary { left, right, .. } => &measures(left) | &measures(right),
    }
}
