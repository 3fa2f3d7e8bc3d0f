//! Quadratic forms in the inverse of a graph's Laplacian, whose weights are known within limits.
//!
//! A Laplacian grows with every weight: `v' V v = Σ w_ij (v_i - v_j)²`. So `x' V^-1 x` lies between its
//! values for the greatest and for the least weights (inversion turns the order of matrices around:
//! Horn and Johnson, Matrix Analysis, 7.7), whatever the weights within. Over the limits of `x` it is
//! greatest in a corner, because it is convex, and at least `(v'x)²/(v' V v)` for every `v`, by the
//! inequality of Cauchy and Schwarz. What this file must not know: what groups and weights are.

use super::range::Range;

/// More free groups than this have too many corners to look at: then there is no upper limit.
const MOST_CORNERS: usize = 10;

/// Rounds of descent to the least value within the limits of `x`; any number of them is sound.
const ROUNDS: usize = 40;

/// By how much limits are moved outwards: elimination loses some digits.
const SLACK: f64 = 1e-9;

/// Weights of the edges between groups.
pub(super) struct Laplacian {
    weights: Vec<Vec<Range>>,
}

impl Laplacian {
    /// No edges yet.
    pub(super) fn new(groups: usize) -> Self {
        Self {
            weights: vec![vec![Range::point(0.0); groups]; groups],
        }
    }

    /// Adds to the weight of every edge.
    pub(super) fn add(&mut self, weight: impl Fn(usize, usize) -> Range) {
        for (one, row) in self.weights.iter_mut().enumerate() {
            for (other, sum) in row.iter_mut().enumerate() {
                if one != other {
                    *sum = sum.plus(weight(one, other));
                }
            }
        }
    }

    /// The matrix of all groups but the last.
    fn matrix(&self, end: fn(&Range) -> f64) -> Vec<Vec<f64>> {
        let kept = self.weights.len().saturating_sub(1);
        let weight = |range: &Range| end(range).max(0.0);
        let row = |(one, row): (usize, &Vec<Range>)| {
            let all: f64 = row.iter().map(weight).sum();
            let cells = row.iter().take(kept).enumerate();
            let cells = cells.map(|(other, range)| if one == other { all } else { -weight(range) });
            cells.collect()
        };
        self.weights
            .iter()
            .take(kept)
            .enumerate()
            .map(row)
            .collect()
    }

    /// `x' V^-1 x` with its limits.
    pub(super) fn quadratic(&self, x: &[Range]) -> Range {
        let middle: Vec<f64> = x.iter().map(|range| range.value).collect();
        let value = dot(&middle, &solve(self.matrix(|range| range.value), &middle));
        let weights = self.weights.iter().flatten();
        if weights.chain(x).all(|range| range.is_exact()) {
            return Range::point(value);
        }
        let low = least(&self.matrix(|range| range.high), x);
        let high = if self.is_connected() {
            greatest(&self.matrix(|range| range.low), x)
        } else {
            f64::INFINITY
        };
        Range {
            value,
            low: (low - low.abs() * SLACK).max(0.0).min(value),
            high: (high + high.abs() * SLACK).max(value),
        }
    }

    /// Whether every group can be reached from the first along edges that certainly weigh something.
    fn is_connected(&self) -> bool {
        let mut reached: Vec<bool> = (0..self.weights.len()).map(|at| at == 0).collect();
        for _ in 0..self.weights.len() {
            for (row, _) in self
                .weights
                .iter()
                .zip(reached.clone())
                .filter(|(_, here)| *here)
            {
                for (edge, there) in row.iter().zip(&mut reached) {
                    *there |= edge.low > 0.0;
                }
            }
        }
        reached.into_iter().all(|there| there)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// At most the least `x' A^-1 x`: `(v'x)²/(v' A v)` at its least, where `v = A^-1 x` of an `x` for which
/// it is small.
fn least(matrix: &[Vec<f64>], x: &[Range]) -> f64 {
    let size = x.len();
    let unit = |at: usize| -> Vec<f64> {
        (0..size)
            .map(|other| f64::from(u8::from(other == at)))
            .collect()
    };
    let inverse: Vec<Vec<f64>> = (0..size)
        .map(|at| solve(matrix.to_vec(), &unit(at)))
        .collect();
    let mut near: Vec<f64> = x.iter().map(|range| range.value).collect();
    for _ in 0..ROUNDS {
        for (at, (row, range)) in inverse.iter().zip(x).enumerate() {
            let own = row.get(at).copied().unwrap_or(0.0);
            let here = near.get(at).copied().unwrap_or(0.0);
            let best = here - dot(row, &near) / own;
            if let (Some(slot), true) = (near.get_mut(at), best.is_finite()) {
                *slot = best.clamp(range.low, range.high);
            }
        }
    }
    let v = solve(matrix.to_vec(), &near);
    let reach: f64 = v
        .iter()
        .zip(x)
        .map(|(v, range)| (v * range.low).min(v * range.high))
        .sum();
    let spread: f64 = matrix
        .iter()
        .zip(&v)
        .map(|(row, own)| own * dot(row, &v))
        .sum();
    if reach > 0.0 && spread > 0.0 {
        reach * reach / spread
    } else {
        0.0
    }
}

/// The greatest `x' A^-1 x`, which is in a corner; no limit where there is no inverse.
fn greatest(matrix: &[Vec<f64>], x: &[Range]) -> f64 {
    if x.len() > MOST_CORNERS {
        return f64::INFINITY;
    }
    let mut most = 0.0_f64;
    for corner in 0..1_u32 << x.len() {
        let at = |(bit, range): (usize, &Range)| {
            if corner >> bit & 1 == 0 {
                range.low
            } else {
                range.high
            }
        };
        let point: Vec<f64> = x.iter().enumerate().map(at).collect();
        let value = dot(&point, &solve(matrix.to_vec(), &point));
        if !value.is_finite() || value < 0.0 {
            return f64::INFINITY;
        }
        most = most.max(value);
    }
    most
}

/// `A^-1 x`, by elimination with the greatest pivot; not finite where there is none.
fn solve(mut matrix: Vec<Vec<f64>>, x: &[f64]) -> Vec<f64> {
    let mut solved: Vec<f64> = x.to_vec();
    let size = x.len();
    for at in 0..size {
        let column = |row: &Vec<f64>| row.get(at).map_or(0.0, |cell| cell.abs());
        let pivot = (at..size).max_by(|a, b| {
            let of = |row: &usize| matrix.get(*row).map_or(0.0, column);
            of(a).total_cmp(&of(b))
        });
        let Some(pivot) = pivot else { break };
        matrix.swap(at, pivot);
        solved.swap(at, pivot);
        let Some((top, below)) = matrix.get_mut(at..).and_then(<[_]>::split_first_mut) else {
            break;
        };
        let Some((first, rest)) = solved.get_mut(at..).and_then(<[_]>::split_first_mut) else {
            break;
        };
        let head = top.get(at).copied().unwrap_or(0.0);
        for (row, value) in below.iter_mut().zip(rest) {
            let factor = row.get(at).copied().unwrap_or(0.0) / head;
            for (cell, above) in row.iter_mut().zip(top.iter()) {
                *cell -= factor * above;
            }
            *value -= factor * *first;
        }
    }
    for at in (0..size).rev() {
        let Some(row) = matrix.get(at) else { continue };
        let known: f64 = row
            .iter()
            .zip(&solved)
            .skip(at + 1)
            .map(|(cell, value)| cell * value)
            .sum();
        let head = row.get(at).copied().unwrap_or(0.0);
        if let Some(value) = solved.get_mut(at) {
            *value = (*value - known) / head;
        }
    }
    solved
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(low: f64, width: f64, at: f64) -> Range {
        Range {
            value: low + width * at,
            low,
            high: low + width,
        }
    }

    fn graph(weights: &[Range]) -> Laplacian {
        let mut graph = Laplacian::new(3);
        // Edges 0-1, 0-2 and 1-2.
        graph.add(|one, other| weights[one + other - 1]);
        graph
    }

    fn points(ranges: &[Range]) -> Vec<Range> {
        ranges
            .iter()
            .map(|range| Range::point(range.value))
            .collect()
    }

    #[test]
    fn it_is_the_form_of_the_inverse() {
        // [[3, -1], [-1, 4]] has the inverse [[4, 1], [1, 3]] / 11.
        let weights = [1.0, 2.0, 3.0].map(Range::point);
        let x = [Range::point(1.0), Range::point(2.0)];
        let found = graph(&weights).quadratic(&x);
        assert!((found.value - 20.0 / 11.0).abs() < 1e-15, "{found:?}");
        assert!(found.is_exact());
    }

    #[test]
    fn groups_that_may_share_nothing_have_no_upper_limit() {
        let weights = [
            range(0.0, 1.0, 0.5),
            range(0.0, 1.0, 0.5),
            range(1.0, 1.0, 0.5),
        ];
        let x = [range(1.0, 0.1, 0.5), range(1.0, 0.1, 0.5)];
        let found = graph(&weights).quadratic(&x);
        assert!(found.high.is_infinite() && found.low > 0.0, "{found:?}");
    }

    proptest! {
        #[test]
        fn whatever_lies_within_the_limits_comes_to_something_within_them(
            weights in prop::collection::vec((0.1_f64..5.0, 0.0_f64..3.0, 0.0_f64..1.0), 3),
            x in prop::collection::vec((-4.0_f64..4.0, 0.0_f64..3.0, 0.0_f64..1.0), 2),
        ) {
            // What is shown is the middle, the truth lies anywhere.
            let of = |drawn: &[(f64, f64, f64)], somewhere: bool| -> Vec<Range> {
                let of = |(low, width, at): &(f64, f64, f64)| {
                    range(*low, *width, if somewhere { *at } else { 0.5 })
                };
                drawn.iter().map(of).collect()
            };
            let limits = graph(&of(&weights, false)).quadratic(&of(&x, false));
            let (weights, x) = (points(&of(&weights, true)), points(&of(&x, true)));
            let truth = graph(&weights).quadratic(&x).value;
            prop_assert!(limits.low <= truth && truth <= limits.high, "{} {:?}", truth, limits);
        }
    }
}
