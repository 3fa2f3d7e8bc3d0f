//! The log-rank test: do groups lose their persons to the event at the same pace? Observed less
//! expected events by interval, summed over strata (Mantel, Cancer Chemotherapy Reports 50, 1966;
//! Peto and Peto, Journal of the Royal Statistical Society A 135, 1972).
//!
//! What it must not know: what the strata are.

use super::distribution::{chi_squared_upper, normal_critical};
use super::follow_up::Ends;
use super::range::Range;
use super::report::Grid;

/// Two groups: observed less expected events of the second, and its variance.
struct Score {
    apart: Range,
    variance: Range,
}

/// Tests of one table of groups and of strata that are kept apart, by name.
pub(super) fn tables(kinds: &[(&str, Vec<Vec<Ends>>)], level: f64) -> Vec<Grid> {
    let mut tests = Grid::new("logrank", &["statistic", "df", "p"]);
    let mut ratios = Grid::new("hazard_ratio", &["estimate", "from", "to"]);
    for (name, strata) in kinds {
        let groups = strata.first().map_or(0, Vec::len);
        let df = f64::from(u32::try_from(groups.saturating_sub(1)).unwrap_or(u32::MAX));
        let statistic = if groups == 2 {
            let score = Score::of(strata);
            ratios.line(*name, &score.ratio(level));
            score.apart.times(score.apart).over(score.variance)
        } else {
            several(strata)
        };
        let statistic = statistic.map(|x| x.max(0.0));
        let p = statistic.probability(|x| chi_squared_upper(x, df));
        tests.line(*name, &[statistic, Range::point(df), p]);
    }
    let mut tables = vec![tests];
    tables.extend((!ratios.rows.is_empty()).then_some(ratios));
    tables
}

/// `a / (a + b)`, which grows with `a` and falls with `b`; neither is negative.
fn share(a: Range, b: Range) -> Range {
    let of = |a: f64, b: f64| if a > 0.0 { a / (a + b) } else { 0.0 };
    if a.is_exact() && b.is_exact() {
        return Range::point(of(a.value, b.value));
    }
    let value = of(a.value, b.value);
    Range::wide(value, of(a.low, b.high), of(a.high, b.low), 1e-15)
}

impl Score {
    fn of(strata: &[Vec<Ends>]) -> Self {
        let zero = Range::point(0.0);
        let mut score = Self {
            apart: zero,
            variance: zero,
        };
        for stratum in strata {
            if let [first, second] = stratum.as_slice() {
                score.add(first, second);
            }
        }
        score
    }

    fn add(&mut self, first: &Ends, second: &Ends) {
        let risks = first.at_risk().into_iter().zip(second.at_risk());
        for (at, (m, n)) in risks.enumerate() {
            let (Some(d), Some(e)) = (first.events.get(at), second.events.get(at)) else {
                continue;
            };
            let all = m.plus(n);
            if all.value <= 1.0 {
                continue;
            }
            let (ours, theirs) = (share(n, m), share(m, n));
            // Observed less expected is e - (d + e) n / (m + n) = e m / (m + n) - d n / (m + n).
            let apart = e.times(theirs).minus(d.times(ours));
            let events = d.plus(*e);
            let without = first.without(at).plus(second.without(at));
            let spread = events
                .times(ours)
                .times(theirs)
                .times(without)
                .over(all.minus(Range::point(1.0)));
            self.apart = self.apart.plus(apart);
            self.variance = self.variance.plus(spread);
        }
    }

    /// Hazard of the second group over that of the first, in Peto's one step.
    fn ratio(&self, level: f64) -> [Range; 3] {
        let middle = self.apart.over(self.variance);
        let reach = Range::point(normal_critical(level)).over(self.variance.sqrt());
        let end = |x: Range| x.exp();
        [
            end(middle),
            end(middle.minus(reach)),
            end(middle.plus(reach)),
        ]
    }
}

/// Three groups or more: the quadratic form of all groups but the last. Its limits are known only
/// where counts are.
fn several(strata: &[Vec<Ends>]) -> Range {
    let groups = strata.first().map_or(0, Vec::len);
    let kept = groups.saturating_sub(1);
    let mut apart = vec![0.0; kept];
    let mut spread = vec![vec![0.0; kept]; kept];
    for stratum in strata {
        add(stratum, &mut apart, &mut spread);
    }
    let value = quadratic(spread, &apart);
    let mut counts = strata
        .iter()
        .flatten()
        .flat_map(|ends| ends.events.iter().chain(&ends.others));
    if counts.all(|count| count.is_exact()) {
        return Range::point(value);
    }
    Range {
        value,
        low: 0.0,
        high: f64::INFINITY,
    }
}

fn add(stratum: &[Ends], apart: &mut [f64], spread: &mut [Vec<f64>]) {
    let risks: Vec<Vec<Range>> = stratum.iter().map(Ends::at_risk).collect();
    let intervals = stratum.first().map_or(0, Ends::len);
    for at in 0..intervals {
        let here = |ranges: &[Range]| ranges.get(at).map_or(0.0, |range| range.value);
        let n: Vec<f64> = risks.iter().map(|risk| here(risk)).collect();
        let d: Vec<f64> = stratum.iter().map(|ends| here(&ends.events)).collect();
        let (all, events): (f64, f64) = (n.iter().sum(), d.iter().sum());
        if all <= 1.0 {
            continue;
        }
        let pace = events * (all - events) / (all - 1.0);
        for ((sum, row), (n_i, d_i)) in apart
            .iter_mut()
            .zip(spread.iter_mut())
            .zip(n.iter().zip(&d))
        {
            *sum += d_i - events * n_i / all;
            for (cell, n_j) in row.iter_mut().zip(&n) {
                *cell -= pace * n_i * n_j / (all * all);
            }
        }
        for ((index, row), n_i) in spread.iter_mut().enumerate().zip(&n) {
            if let Some(cell) = row.get_mut(index) {
                *cell += pace * n_i / all;
            }
        }
    }
}

/// `x' A^-1 x` of a symmetric positive matrix, by elimination with the greatest pivot.
fn quadratic(mut matrix: Vec<Vec<f64>>, x: &[f64]) -> f64 {
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
    solved.iter().zip(x).map(|(a, b)| a * b).sum()
}
