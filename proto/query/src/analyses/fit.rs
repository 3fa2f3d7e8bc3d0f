//! Least squares from the equations of a linear model, with limits of everything that they leave open.
//!
//! What is shown is solved exactly in fractions: no condition of the equations costs a digit. Where the
//! equations are known within limits, so are coefficients (`solve`), their variances, and the sum of
//! squares, which is least at the true coefficients and so below what it is at the shown ones. What
//! this file must not know: where the equations come from, and how they are shown.

use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::design::Column;
use super::gram::{Cells, Entry};
use super::range::{Range, float};
use super::robust::Robust;
use super::solve::{Enclosure, Matrix, solve};

/// A fitted model, with sums divided by the number of persons.
pub(super) struct Fit {
    /// Coefficients, one a column.
    pub(super) estimates: Vec<Range>,
    /// The diagonal of the inverse of `X'X`, times the number of persons.
    pub(super) variances: Vec<Range>,
    /// Robust variances of the coefficients, if they were asked for.
    pub(super) robust: Option<Vec<Range>>,
    /// Sum of squares of what is left, a person.
    pub(super) rest: Range,
    /// Sum of squares about the mean, a person.
    pub(super) total: Range,
    /// The one less the other, where nothing is protected.
    pub(super) explained: Option<f64>,
}

/// Why there is no fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A column follows from those before it.
    Follows(usize),
    /// What is known does not determine the coefficients.
    Open,
    /// Something that is needed was not released: excluded where nodes were chosen by that.
    Missing,
}

/// The equations of a model.
struct Equations<'a> {
    columns: &'a [Column],
    outcome: Column,
    /// Share of the persons that an equation is about.
    shares: Vec<Entry>,
    /// Means of products of columns, over the persons of the equation.
    matrix: Matrix<Entry>,
    /// The same with the outcome.
    side: Vec<Entry>,
    /// The same over all persons: a half, the other is its mirror.
    whole: Matrix<Entry>,
    whole_side: Vec<Entry>,
    total: Entry,
}

/// Fits a model; with robust errors if a kind of them is named.
pub(super) fn fit(
    columns: &[Column],
    cells: &Cells,
    robust: Option<&Robust>,
) -> Result<Fit, Trouble> {
    let equations = Equations::of(columns, cells).ok_or(Trouble::Missing)?;
    let identity: Matrix<BigRational> = (0..columns.len())
        .map(|at| {
            let one = |other| {
                if at == other {
                    BigRational::one()
                } else {
                    BigRational::zero()
                }
            };
            (0..columns.len()).map(one).collect()
        })
        .collect();
    let values = |rows: &Matrix<Entry>| -> Matrix<BigRational> {
        let row = |row: &Vec<Entry>| row.iter().map(|entry| entry.value.clone()).collect();
        rows.iter().map(row).collect()
    };
    let sides: Matrix<BigRational> = equations
        .side
        .iter()
        .zip(identity)
        .map(|(side, row)| [side.value.clone()].into_iter().chain(row).collect())
        .collect();
    let solved = solve(&values(&equations.matrix), &sides).map_err(Trouble::Follows)?;
    let shown: Vec<BigRational> = solved
        .iter()
        .filter_map(|row| row.first().cloned())
        .collect();
    let inverse: Matrix<BigRational> = solved
        .into_iter()
        .map(|row| row.into_iter().skip(1).collect())
        .collect();
    equations.finish(&shown, &inverse, cells, robust)
}

impl<'a> Equations<'a> {
    fn of(columns: &'a [Column], cells: &Cells) -> Option<Self> {
        let outcome = Column {
            name: String::new(),
            number: Some(0),
            codes: Vec::new(),
        };
        let one = Column::default();
        let over = |column: &Column, other: &Column| cells.mean(column, other, &column.base());
        let all = |column: &Column, other: &Column| cells.mean(column, other, &[]);
        let share = |column: &Column| {
            let levels = Column {
                codes: column.base(),
                ..Column::default()
            };
            cells.mean(&levels, &one, &[])
        };
        let half = columns.iter().enumerate().map(|(at, column)| {
            let others = columns.iter().take(at.saturating_add(1));
            others.map(|other| all(column, other)).collect()
        });
        Some(Self {
            shares: columns.iter().map(share).collect::<Option<_>>()?,
            matrix: columns
                .iter()
                .map(|column| columns.iter().map(|other| over(column, other)).collect())
                .collect::<Option<_>>()?,
            side: columns
                .iter()
                .map(|c| over(c, &outcome))
                .collect::<Option<_>>()?,
            whole: half.collect::<Option<_>>()?,
            whole_side: columns
                .iter()
                .map(|c| all(c, &outcome))
                .collect::<Option<_>>()?,
            total: all(&outcome, &outcome)?,
            columns,
            outcome,
        })
    }

    fn finish(
        &self,
        shown: &[BigRational],
        inverse: &Matrix<BigRational>,
        cells: &Cells,
        robust: Option<&Robust>,
    ) -> Result<Fit, Trouble> {
        let ranges: Matrix<Range> = self
            .matrix
            .iter()
            .map(|row| row.iter().map(|entry| entry.range).collect())
            .collect();
        let floats: Matrix<f64> = inverse
            .iter()
            .map(|row| row.iter().map(float).collect())
            .collect();
        let enclosure = (!cells.exact).then(|| Enclosure::of(&ranges, &floats));
        let reach = |side: &[Range], near: &[f64]| match &enclosure {
            None => Ok(vec![0.0; near.len()]),
            Some(enclosure) => enclosure.reach(side, near).ok_or(Trouble::Open),
        };
        let side: Vec<Range> = self.side.iter().map(|entry| entry.range).collect();
        let near: Vec<f64> = shown.iter().map(float).collect();
        let off = reach(&side, &near)?;
        let (mut estimates, mut variances) = (Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            let steps = self.back(at, column, cells);
            estimates.push(self.estimate(column, &steps, (shown, &off), cells));
            variances.push(self.variance(&steps, inverse, &reach)?);
        }
        let robust = robust.map(|robust| {
            let leverage = |x: &[BigRational]| self.leverage(x, inverse, &reach);
            robust.variances(self.columns, cells, (shown, &off), leverage)
        });
        let (rest, left) = self.rest(shown, &off, cells.exact);
        let explained = float(&(&self.total.value - left));
        if variances
            .iter()
            .any(|v: &Range| v.value.is_nan() || v.value <= 0.0)
            || rest.value < 0.0
        {
            return Err(Trouble::Open);
        }
        Ok(Fit {
            estimates,
            variances,
            robust: robust.transpose()?,
            rest,
            total: self.total.range,
            explained: cells.exact.then_some(explained),
        })
    }

    /// A coefficient of numbers as they are, from those of numbers about their centres: its own, less
    /// centres times those of the same codes with a number.
    fn back(&self, at: usize, column: &Column, cells: &Cells) -> Vec<(usize, BigRational)> {
        let mut steps = vec![(at, BigRational::one())];
        if column.number.is_some() {
            return steps;
        }
        for (other, theirs) in self.columns.iter().enumerate() {
            let centre = theirs.number.and_then(|number| cells.centres.get(number));
            if let Some(centre) = centre.filter(|_| theirs.codes == column.codes) {
                steps.push((other, -centre));
            }
        }
        steps
    }

    fn estimate(
        &self,
        column: &Column,
        steps: &[(usize, BigRational)],
        (shown, off): (&[BigRational], &[f64]),
        cells: &Cells,
    ) -> Range {
        // The outcome is about its centre too, which is part of the intercept alone.
        let is_first = column.number.is_none() && column.codes.is_empty();
        let own = self
            .outcome
            .number
            .and_then(|number| cells.centres.get(number));
        let mut value = own
            .filter(|_| is_first)
            .cloned()
            .unwrap_or_else(BigRational::zero);
        let mut reach = 0.0;
        for (at, factor) in steps {
            if let (Some(x), Some(off)) = (shown.get(*at), off.get(*at)) {
                value += factor * x;
                reach += float(factor).abs() * off;
            }
        }
        about(float(&value), reach)
    }

    /// `t' (X'X)⁻¹ t` of the steps `t`, times the number of persons: equations are divided by their
    /// shares, so `A z = t / share` is solved.
    fn variance(
        &self,
        steps: &[(usize, BigRational)],
        inverse: &Matrix<BigRational>,
        reach: &impl Fn(&[Range], &[f64]) -> Result<Vec<f64>, Trouble>,
    ) -> Result<Range, Trouble> {
        let mut side = vec![Range::point(0.0); self.shares.len()];
        let mut weights: Vec<(usize, BigRational)> = Vec::new();
        for (at, factor) in steps {
            let (Some(share), Some(place)) = (self.shares.get(*at), side.get_mut(*at)) else {
                return Err(Trouble::Missing);
            };
            if !share.value.is_positive() {
                return Err(Trouble::Open);
            }
            *place = Range::point(float(factor)).over(share.range);
            weights.push((*at, factor / &share.value));
        }
        let solution: Vec<BigRational> = inverse
            .iter()
            .map(|row| {
                let terms = weights.iter().filter_map(|(at, w)| Some(row.get(*at)? * w));
                terms.fold(BigRational::zero(), |sum, term| sum + term)
            })
            .collect();
        let near: Vec<f64> = solution.iter().map(float).collect();
        let off = reach(&side, &near)?;
        let (mut value, mut far) = (BigRational::zero(), 0.0);
        for (at, factor) in steps {
            if let (Some(z), Some(off)) = (solution.get(*at), off.get(*at)) {
                value += factor * z;
                far += float(factor).abs() * off;
            }
        }
        let found = about(float(&value), far);
        Ok(Range {
            low: found.low.max(0.0).min(found.value),
            ..found
        })
    }

    /// `(X'X)⁻¹ x`, times the number of persons.
    fn leverage(
        &self,
        x: &[BigRational],
        inverse: &Matrix<BigRational>,
        reach: &impl Fn(&[Range], &[f64]) -> Result<Vec<f64>, Trouble>,
    ) -> Result<Vec<Range>, Trouble> {
        if self.shares.iter().any(|share| !share.value.is_positive()) {
            return Err(Trouble::Open);
        }
        let pairs = || x.iter().zip(&self.shares);
        let side = pairs().map(|(x, share)| Range::point(float(x)).over(share.range));
        let weights: Vec<BigRational> = pairs().map(|(x, share)| x / &share.value).collect();
        let solved = inverse.iter().map(|row| {
            let terms = row.iter().zip(&weights).map(|(cell, w)| cell * w);
            float(&terms.fold(BigRational::zero(), |sum, term| sum + term))
        });
        let near: Vec<f64> = solved.collect();
        let off = reach(&side.collect::<Vec<Range>>(), &near)?;
        Ok(near
            .iter()
            .zip(off)
            .map(|(z, off)| about(*z, off))
            .collect())
    }

    /// What is left: `Q(b) = y'y - 2 b'X'y + b'X'X b` at the shown coefficients is not below it, and
    /// `Q` less `(b - β)'X'X (b - β)` is it. And `Q` itself.
    fn rest(&self, shown: &[BigRational], off: &[f64], exact: bool) -> (Range, BigRational) {
        let mut value = self.total.value.clone();
        let mut range = self.total.range;
        let mut below = 0.0;
        for (b, entry) in shown.iter().zip(&self.whole_side) {
            let twice = b * BigRational::from_integer(2.into());
            value -= &twice * &entry.value;
            range = range.minus(Range::point(float(&twice)).times(entry.range));
        }
        for (at, ((b, e), row)) in shown.iter().zip(off).zip(&self.whole).enumerate() {
            for (other, ((c, f), entry)) in shown.iter().zip(off).zip(row).enumerate() {
                let mirrored = if at == other { 1 } else { 2 };
                let factor = b * c * BigRational::from_integer(mirrored.into());
                value += &factor * &entry.value;
                range = range.plus(Range::point(float(&factor)).times(entry.range));
                let largest = entry.range.low.abs().max(entry.range.high.abs());
                below += f64::from(mirrored) * e * f * largest;
            }
        }
        let shown = value.to_f64().unwrap_or(f64::NAN);
        if exact {
            return (Range::point(shown), value);
        }
        let slack = 1e-12 * (range.low.abs() + range.high.abs());
        let range = Range {
            value: shown,
            low: (range.low - below - slack).max(0.0).min(shown),
            high: (range.high + slack).max(shown),
        };
        (range, value)
    }
}

fn about(value: f64, reach: f64) -> Range {
    if reach == 0.0 {
        return Range::point(value);
    }
    Range::wide(value, value - reach, value + reach, 1e-12)
}
