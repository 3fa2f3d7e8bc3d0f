//! Standard errors of a linear model that hold where persons' outcomes differ in how far they spread
//! (White, Econometrica 48, 1980; MacKinnon and White, Journal of Econometrics 29, 1985).
//!
//! They need every person's residual next to what the formula knows of the person. Where that is groups
//! alone, all persons of a cell have it in common, so the cell's own mean and deviation are enough; for terms that are
//! numbers sums of products of four would be needed, which are not released. What this file must not
//! know: how the model was solved, and how its numbers are shown.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::Zero;

use super::design::Column;
use super::fit::Trouble;
use super::gram::{Cell, Cells};
use super::range::{Range, float};
use crate::combine::Interval;
use crate::value::Scalar;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As they are.
    Hc0,
    /// Times `n/(n - p)`.
    Hc1,
    /// Each residual's square over one less its leverage.
    Hc2,
    /// Over the square of that.
    Hc3,
}

impl Kind {
    /// By name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "HC0" => Some(Self::Hc0),
            "HC1" => Some(Self::Hc1),
            "HC2" => Some(Self::Hc2),
            "HC3" => Some(Self::Hc3),
            _ => None,
        }
    }
}

/// What robust errors are computed from, next to the model.
pub(super) struct Robust {
    /// Which.
    pub(super) kind: Kind,
    /// All groupings: the outcome is known in the cells by all of them.
    pub(super) keys: BTreeSet<usize>,
    /// Persons.
    pub(super) n: Range,
}

impl Robust {
    /// The variance of each coefficient: `Σ n_c r_c a_c²/n²` over cells, with `r` the mean square of the cell's
    /// residuals and `a = n (X'X)⁻¹ x` of what its persons have in common.
    pub(super) fn variances(
        &self,
        columns: &[Column],
        cells: &Cells,
        (shown, off): (&[BigRational], &[f64]),
        leverage: impl Fn(&[BigRational]) -> Result<Vec<Range>, Trouble>,
    ) -> Result<Vec<Range>, Trouble> {
        // Cells of all nodes by their levels first: fractions add up the same in every order.
        let mut squares: BTreeMap<&BTreeMap<usize, Scalar>, (Vec<BigRational>, Interval)> =
            BTreeMap::new();
        for cell in cells.by(&self.keys).ok_or(Trouble::Missing)? {
            let x: Vec<BigRational> = columns.iter().map(|column| column.weight(cell)).collect();
            let square = residual(cell, &x, (shown, off)).ok_or(Trouble::Missing)?;
            let none = (x, Interval::exact(BigRational::zero()));
            let (_, sum) = squares.entry(&cell.key).or_insert(none);
            *sum = sum.plus(&cell.n.times(&square));
        }
        let mut sums = vec![Range::point(0.0); columns.len()];
        for (x, square) in squares.into_values() {
            let a = leverage(&x)?;
            let factor = self.factor(&x, &a, columns.len());
            let weighted = Range::of(&square).over(self.n).over(self.n).times(factor);
            for (sum, a) in sums.iter_mut().zip(a) {
                *sum = sum.plus(weighted.times(a.abs()).times(a.abs()));
            }
        }
        Ok(sums)
    }

    /// What the square of a residual is multiplied by.
    fn factor(&self, x: &[BigRational], a: &[Range], parameters: usize) -> Range {
        let one = Range::point(1.0);
        let left = || {
            let parts = x
                .iter()
                .zip(a)
                .map(|(x, a)| Range::point(float(x)).times(*a));
            let own = parts.fold(Range::point(0.0), Range::plus).over(self.n);
            one.minus(own).at_least_zero()
        };
        match self.kind {
            Kind::Hc0 => one,
            Kind::Hc1 => {
                let p = f64::from(u32::try_from(parameters).unwrap_or(u32::MAX));
                self.n.map(|n| n / (n - p).max(0.0))
            }
            Kind::Hc2 => one.over(left()),
            Kind::Hc3 => one.over(left().times(left())),
        }
    }
}

/// The mean square of what the model leaves of the outcome in a cell: the variance within it, and the
/// square of what lies between its mean and the fitted one.
fn residual(
    cell: &Cell,
    x: &[BigRational],
    (shown, off): (&[BigRational], &[f64]),
) -> Option<Interval> {
    let (mean, spread) = (cell.means.get(&0)?, cell.spreads.get(&0)?);
    let terms = x.iter().zip(shown).map(|(x, b)| x * b);
    let fitted = terms.fold(BigRational::zero(), |sum, term| sum + term);
    let far: f64 = x.iter().zip(off).map(|(x, off)| float(x).abs() * off).sum();
    let far = BigRational::from_float(far)?;
    let fitted = Interval::new(fitted.clone(), &fitted - &far, &fitted + &far);
    Some(spread.plus(&mean.minus(&fitted).squared()))
}
