//! Systems of linear equations: solved exactly in fractions, and enclosed where the equations are only
//! known within limits.
//!
//! What this file must not know: what the equations mean.

use num_rational::BigRational;
use num_traits::Zero;

use super::range::Range;

/// Coefficients, row by row.
pub(super) type Matrix<T> = Vec<Vec<T>>;

/// Solves for several right sides at once, one a column of `sides`; `Err` names the first column that is
/// a combination of those before it.
pub(super) fn solve(
    matrix: &Matrix<BigRational>,
    sides: &Matrix<BigRational>,
) -> Result<Matrix<BigRational>, usize> {
    let size = matrix.len();
    let mut rows: Matrix<BigRational> = matrix
        .iter()
        .zip(sides)
        .map(|(row, side)| row.iter().chain(side).cloned().collect())
        .collect();
    for column in 0..size {
        let is_pivot = |row: &Vec<BigRational>| row.get(column).is_some_and(|x| !x.is_zero());
        let found = rows.iter().skip(column).position(is_pivot).ok_or(column)?;
        rows.swap(column, column.saturating_add(found));
        let Some(pivot) = rows.get_mut(column) else {
            return Err(column);
        };
        let first = pivot.get(column).ok_or(column)?.recip();
        for x in pivot.iter_mut().filter(|x| !x.is_zero()) {
            *x *= &first;
        }
        let pivot = pivot.clone();
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = row.get(column).filter(|x| at != column && !x.is_zero());
            if let Some(factor) = factor.cloned() {
                let pairs = row.iter_mut().zip(&pivot).filter(|(_, y)| !y.is_zero());
                pairs.for_each(|(x, y)| *x -= &factor * y);
            }
        }
    }
    let right = |row: Vec<BigRational>| row.into_iter().skip(size).collect();
    Ok(rows.into_iter().map(right).collect())
}

/// What rounding in binary floating point can add, many times over.
const ROUNDING: f64 = 1e-11;

/// Steps after which a system that is not enclosed is given up.
const STEPS: u32 = 400;

/// A system whose coefficients lie within limits, with an inverse of one matrix among them.
pub(super) struct Enclosure<'a> {
    matrix: &'a Matrix<Range>,
    inverse: &'a Matrix<f64>,
    /// Sizes of `1 - inverse * matrix`.
    off: Matrix<f64>,
}

impl<'a> Enclosure<'a> {
    /// Prepares it.
    pub(super) fn of(matrix: &'a Matrix<Range>, inverse: &'a Matrix<f64>) -> Self {
        let size = |(at, row): (usize, &Vec<f64>)| {
            let entry = |column: usize| {
                let own = if at == column { 1.0 } else { 0.0 };
                let mut sum = Range::point(0.0);
                let mut sizes = 0.0;
                for (x, theirs) in row.iter().zip(matrix) {
                    if let Some(other) = theirs.get(column) {
                        sum = sum.plus(Range::point(*x).times(*other));
                        sizes += (x * largest(*other)).abs();
                    }
                }
                largest(Range::point(own).minus(sum)) + ROUNDING * sizes
            };
            (0..row.len()).map(entry).collect()
        };
        Self {
            matrix,
            inverse,
            off: inverse.iter().enumerate().map(size).collect(),
        }
    }

    /// How far the solution of any system within the limits can be from `near`, one number an unknown;
    /// `None` where the limits allow systems without one solution, or it cannot be shown that they do
    /// not.
    ///
    /// `x - near = R (b - A near) + (1 - R A) (x - near)` for the inverse `R`, so that sizes `e` with
    /// `|R (b - A near)| + |1 - R A| e <= e` enclose it (Krawczyk; Rump, Acta Numerica 19, 2010).
    pub(super) fn reach(&self, side: &[Range], near: &[f64]) -> Option<Vec<f64>> {
        let residual = self.matrix.iter().zip(side).map(|(row, side)| {
            let mut sizes = largest(*side);
            let mut left = *side;
            for (entry, x) in row.iter().zip(near) {
                left = left.minus(entry.times(Range::point(*x)));
                sizes += (x * largest(*entry)).abs();
            }
            (left, sizes)
        });
        let residual: Vec<(Range, f64)> = residual.collect();
        let first: Vec<f64> = self
            .inverse
            .iter()
            .map(|row| {
                let mut sum = Range::point(0.0);
                let mut sizes = 0.0;
                for (x, (left, size)) in row.iter().zip(&residual) {
                    sum = sum.plus(Range::point(*x).times(*left));
                    sizes += (x * size).abs();
                }
                largest(sum) + ROUNDING * sizes
            })
            .collect();
        let next = |reach: &[f64]| -> Vec<f64> {
            let rows = first.iter().zip(&self.off);
            let more = |(first, row): (&f64, &Vec<f64>)| {
                first + row.iter().zip(reach).map(|(x, y)| x * y).sum::<f64>()
            };
            rows.map(more).collect()
        };
        let mut reach = first.clone();
        for _ in 0..STEPS {
            let wider: Vec<f64> = next(&reach).iter().map(|x| x * 1.01 + 1e-300).collect();
            let again = next(&wider);
            if again.iter().zip(&wider).all(|(new, old)| new <= old) {
                return Some(wider);
            }
            if wider.iter().any(|x| !x.is_finite()) {
                return None;
            }
            reach = wider;
        }
        None
    }
}

/// The largest size within limits.
fn largest(range: Range) -> f64 {
    range.low.abs().max(range.high.abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::range::float;
    use super::*;

    fn ratio(n: i64) -> BigRational {
        BigRational::from_integer(n.into())
    }

    fn rows(rows: &[&[i64]]) -> Matrix<BigRational> {
        rows.iter()
            .map(|row| row.iter().map(|n| ratio(*n)).collect())
            .collect()
    }

    #[test]
    fn solutions_are_exact() {
        let matrix = rows(&[&[0, 2, 1], &[3, 0, -1], &[1, 1, 1]]);
        let found = solve(&matrix, &rows(&[&[7], &[0], &[6]])).unwrap();
        assert_eq!(found, rows(&[&[1], &[2], &[3]]));
        // Hilbert's matrix of ten is hopeless in floating point.
        let hilbert: Matrix<BigRational> = (1..11)
            .map(|i| {
                (0..10)
                    .map(|j| BigRational::new(1.into(), (i + j).into()))
                    .collect()
            })
            .collect();
        let ones: Matrix<BigRational> = vec![vec![ratio(1)]; 10];
        let sides: Matrix<BigRational> = hilbert
            .iter()
            .map(|row| vec![row.iter().fold(ratio(0), |sum, x| sum + x)])
            .collect();
        assert_eq!(solve(&hilbert, &sides).unwrap(), ones);
    }

    #[test]
    fn the_first_column_that_follows_from_others_is_named() {
        let matrix = rows(&[&[1, 2, 3, 1], &[2, 4, 5, 1], &[1, 2, 9, 5], &[0, 0, 1, 2]]);
        assert_eq!(solve(&matrix, &vec![vec![ratio(1)]; 4]), Err(1));
    }

    proptest! {
        /// Any system within the limits has its solution within the reach.
        #[test]
        fn reaches_hold_every_solution(
            entries in prop::collection::vec(-3_i64..=3, 9),
            side in prop::collection::vec(-20_i64..=20, 3),
            off in prop::collection::vec(-10_i64..=10, 12),
        ) {
            let at = |i: usize, j: usize| ratio(entries[3 * i + j]) + ratio(if i == j { 9 } else { 0 });
            let matrix: Matrix<BigRational> = (0..3).map(|i| (0..3).map(|j| at(i, j)).collect()).collect();
            let identity: Matrix<BigRational> = (0..3)
                .map(|i| (0..3).map(|j| ratio(i64::from(i == j))).collect())
                .collect();
            let inverse = solve(&matrix, &identity).unwrap();
            let inverse: Matrix<f64> = inverse.iter().map(|row| row.iter().map(float).collect()).collect();
            let sides: Matrix<BigRational> = side.iter().map(|n| vec![ratio(*n)]).collect();
            let near: Vec<f64> = solve(&matrix, &sides).unwrap().iter().map(|row| float(&row[0])).collect();
            let wide = |x: &BigRational| {
                let x = float(x);
                Range { value: x, low: x - 0.1, high: x + 0.1 }
            };
            let limits: Matrix<Range> = matrix.iter().map(|row| row.iter().map(wide).collect()).collect();
            let side_limits: Vec<Range> = sides.iter().map(|row| wide(&row[0])).collect();
            let reach = Enclosure::of(&limits, &inverse).reach(&side_limits, &near).unwrap();
            let moved = |x: &BigRational, k: usize| x + BigRational::new(off[k].into(), 100.into());
            let other: Matrix<BigRational> = (0..3)
                .map(|i| (0..3).map(|j| moved(&matrix[i][j], 3 * i + j)).collect())
                .collect();
            let other_sides: Matrix<BigRational> = (0..3).map(|i| vec![moved(&sides[i][0], 9 + i)]).collect();
            let truth = solve(&other, &other_sides).unwrap();
            for ((near, reach), truth) in near.iter().zip(&reach).zip(&truth) {
                prop_assert!((near - float(&truth[0])).abs() <= *reach, "{near} {reach} {}", truth[0]);
            }
        }
    }

    #[test]
    fn limits_that_hold_a_singular_system_are_given_up() {
        let wide = |x: f64| Range {
            value: x,
            low: x - 0.6,
            high: x + 0.6,
        };
        let limits = vec![vec![wide(1.0), wide(0.0)], vec![wide(0.0), wide(1.0)]];
        let inverse = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
        let enclosure = Enclosure::of(&limits, &inverse);
        assert_eq!(enclosure.reach(&[wide(1.0), wide(1.0)], &[1.0, 1.0]), None);
    }
}
