//! Analysis of variance by two factors from number, mean and variance of every cell: sums of squares of
//! type II, each factor adjusted for the other, and their interaction.
//!
//! The least squares of cell means are solved in exact fractions. What it must not know: where cells
//! come from.

use num_rational::BigRational;
use num_traits::Zero;

use super::distribution::fisher_upper;
use super::groups::{Group, less_one};
use super::range::{Range, float};
use super::report::Grid;
use super::strata::sum;
use crate::combine::Interval;

/// Cells by level of the first factor, then of the second.
pub(super) struct TwoWay {
    cells: Vec<Vec<Group>>,
}

/// Numbers and means of all cells at one end of their limits.
struct Layout {
    n: Vec<Vec<BigRational>>,
    mean: Vec<Vec<BigRational>>,
}

/// Sums of squares that are left after a model of the cell means.
struct Left {
    first: BigRational,
    second: BigRational,
    both: BigRational,
}

impl TwoWay {
    /// Cells of a full table with two levels of either factor or more, none of them empty.
    pub(super) fn of(cells: Vec<Vec<Group>>) -> Option<Self> {
        let columns = cells.first()?.len();
        let full = cells.len() > 1 && columns > 1 && cells.iter().all(|row| row.len() == columns);
        let filled = |group: &Group| group.n.value > BigRational::zero();
        (full && cells.iter().flatten().all(filled)).then_some(Self { cells })
    }

    fn layout(&self, n: impl Fn(&Interval) -> BigRational) -> Layout {
        let map = |of: &dyn Fn(&Group) -> BigRational| -> Vec<Vec<BigRational>> {
            let rows = self.cells.iter();
            rows.map(|row| row.iter().map(of).collect()).collect()
        };
        Layout {
            n: map(&|group| n(&group.n)),
            mean: map(&|group| group.mean.value.clone()),
        }
    }

    /// How far the vector of cell means may be from the true one, in the metric of the most persons.
    fn reach(&self) -> f64 {
        let squares = self.cells.iter().flatten().map(|group| {
            let mean = &group.mean;
            let far = (&mean.high - &mean.value).max(&mean.value - &mean.low);
            float(&(&group.n.high * &far * &far))
        });
        squares.sum::<f64>().sqrt()
    }

    /// Sums of squares: of the first factor, of the second, of the interaction.
    fn squares(&self) -> [Range; 3] {
        let plain = self.layout(|n| n.value.clone()).left();
        let value = [
            float(&(&plain.second - &plain.both)),
            float(&(&plain.first - &plain.both)),
            float(&plain.both),
        ];
        let cells = || self.cells.iter().flatten();
        let exact = |interval: &Interval| interval.low == interval.high;
        if cells().all(|group| exact(&group.n) && exact(&group.mean)) {
            return value.map(Range::point);
        }
        // What a model leaves grows with every number of persons; its root is a distance, which moves
        // by no more than the means do.
        let (few, many) = (
            self.layout(|n| n.low.clone()).left(),
            self.layout(|n| n.high.clone()).left(),
        );
        let reach = self.reach();
        let between = |low: &BigRational, high: &BigRational, value: &BigRational| {
            let root = |x: &BigRational| float(x).max(0.0).sqrt();
            let (low, high) = ((root(low) - reach).max(0.0), root(high) + reach);
            Range::wide(float(value), low * low, high * high, 1e-12)
        };
        let first = between(&few.first, &many.first, &plain.first);
        let second = between(&few.second, &many.second, &plain.second);
        let both = between(&few.both, &many.both, &plain.both);
        let adjusted = |left: Range, value: f64| Range {
            value,
            ..left.minus(both).map(|x| x.max(0.0))
        };
        [adjusted(second, value[0]), adjusted(first, value[1]), both]
    }

    /// The table of the analysis: both factors, their interaction, and what is within cells.
    pub(super) fn table(&self, grid_name: &str, names: [&str; 3]) -> Grid {
        let columns = ["sum_of_squares", "df", "mean_square", "f", "p"];
        let mut grid = Grid::new(grid_name, &columns);
        let groups = || self.cells.iter().flatten();
        let products: Vec<Interval> = groups()
            .map(|group| less_one(&group.n).times(&group.variance))
            .collect();
        let freedom: Vec<Interval> = groups().map(|group| less_one(&group.n)).collect();
        let (within, rest) = (Range::of(&sum(&products)), Range::of(&sum(&freedom)));
        let error = within.over(rest);
        let less =
            |count: usize| f64::from(u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX));
        let rows = less(self.cells.len());
        let columns = less(self.cells.first().map_or(0, Vec::len));
        let degrees = [rows, columns, rows * columns];
        for ((name, squares), df) in names.into_iter().zip(self.squares()).zip(degrees) {
            let mean = squares.over(Range::point(df));
            let f = mean.over(error);
            let p = f.probability_of(rest, |f, rest| fisher_upper(f, df, rest));
            grid.line(name, &[squares, Range::point(df), mean, f, p]);
        }
        grid.line("within", &[within, rest, error]);
        grid
    }

    /// Whether degrees of freedom are known.
    pub(super) fn is_exact(&self) -> bool {
        let mut all = self.cells.iter().flatten();
        all.all(|group| group.n.low == group.n.high)
    }
}

impl Layout {
    fn left(&self) -> Left {
        let turned = self.turned();
        let (first, adjusted) = self.nested();
        let (second, _) = turned.nested();
        Left {
            both: &first - adjusted,
            first,
            second,
        }
    }

    fn turned(&self) -> Self {
        let turn = |rows: &Vec<Vec<BigRational>>| -> Vec<Vec<BigRational>> {
            let columns = rows.first().map_or(0, Vec::len);
            let column = |at: usize| rows.iter().filter_map(|row| row.get(at).cloned()).collect();
            (0..columns).map(column).collect()
        };
        Self {
            n: turn(&self.n),
            mean: turn(&self.mean),
        }
    }

    /// What means of rows leave, and how much of that columns take away.
    fn nested(&self) -> (BigRational, BigRational) {
        let columns = self.n.first().map_or(0, Vec::len);
        let zero = BigRational::zero;
        let mut left = zero();
        let mut right = vec![zero(); columns];
        let mut matrix = vec![vec![zero(); columns]; columns];
        for (n, mean) in self.n.iter().zip(&self.mean) {
            let all = n.iter().fold(zero(), |sum, n| sum + n);
            if all.is_zero() {
                continue;
            }
            let sum = n.iter().zip(mean).fold(zero(), |sum, (n, x)| sum + n * x);
            let middle = sum / &all;
            for (j, (n_j, x)) in n.iter().zip(mean).enumerate() {
                let apart = x - &middle;
                left += n_j * &apart * &apart;
                if let Some(value) = right.get_mut(j) {
                    *value += n_j * &apart;
                }
                let Some(row) = matrix.get_mut(j) else {
                    continue;
                };
                for (k, (cell, n_k)) in row.iter_mut().zip(n).enumerate() {
                    *cell -= n_j * n_k / &all;
                    if j == k {
                        *cell += n_j;
                    }
                }
            }
        }
        // One column's effect follows from the others'.
        matrix.truncate(columns.saturating_sub(1));
        right.truncate(columns.saturating_sub(1));
        let taken = taken(matrix, right);
        (left, taken)
    }
}

/// `r' M^-1 r`, by elimination; what has no pivot adds nothing.
fn taken(mut matrix: Vec<Vec<BigRational>>, mut right: Vec<BigRational>) -> BigRational {
    let mut sum = BigRational::zero();
    for at in 0..right.len() {
        let Some((top, below)) = matrix.get_mut(at..).and_then(<[_]>::split_first_mut) else {
            break;
        };
        let Some((first, rest)) = right.get_mut(at..).and_then(<[_]>::split_first_mut) else {
            break;
        };
        let Some(pivot) = top.get(at).filter(|pivot| !pivot.is_zero()) else {
            continue;
        };
        sum += &*first * &*first / pivot;
        for (row, value) in below.iter_mut().zip(rest) {
            let Some(factor) = row.get(at).map(|cell| cell / pivot) else {
                continue;
            };
            for (cell, above) in row.iter_mut().zip(top.iter()) {
                *cell -= &factor * above;
            }
            *value -= &factor * &*first;
        }
    }
    sum
}
