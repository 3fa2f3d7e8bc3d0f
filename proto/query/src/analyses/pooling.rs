//! Estimates of several studies put together: fixed and random effects, heterogeneity. Here every node
//! is a study.
//!
//! Formulas: DerSimonian and Laird 1986, Hartung and Knapp 2001, Higgins and Thompson 2002; see
//! docs/analyses/meta.md. What it must not know: what is estimated.

use super::distribution::{
    chi_squared_upper, normal_critical, normal_two_sided, student_critical, student_two_sided,
};
use super::range::Range;

/// By how much limits of sums over studies are moved outwards.
const SUMS: f64 = 1e-13;

/// An estimate on the scale on which it is about normal, and its variance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// The estimate.
    pub(super) middle: Range,
    /// Its variance.
    pub(super) variance: Range,
}

/// What several estimates come to.
pub(super) struct Pooled {
    /// Share of each study in the mean with fixed effects, and in that with random effects.
    pub(super) weights: Vec<[Range; 2]>,
    /// One effect that all share.
    pub(super) fixed: Estimate,
    /// The mean of effects that differ.
    pub(super) random: Estimate,
    /// As `random`, its variance after Hartung and Knapp.
    pub(super) knapp: Estimate,
    /// Cochran's Q.
    pub(super) q: Range,
    /// Studies less one.
    pub(super) df: f64,
    /// Variance between studies after DerSimonian and Laird.
    pub(super) tau: Range,
}

fn one_over(x: Range) -> Range {
    Range::point(1.0).over(x)
}

fn total(parts: impl IntoIterator<Item = Range>) -> Range {
    parts.into_iter().fold(Range::point(0.0), Range::plus)
}

/// The weighted mean with its limits: at either end the weights of estimates on one side of it are as
/// small and all others as large as they can be.
fn weighted(items: &[(Range, Range)]) -> Range {
    let mean = |parts: &mut dyn Iterator<Item = (f64, f64)>| {
        let (weights, sum) = parts.fold((0.0, 0.0), |(all, sum), (w, x)| (all + w, sum + w * x));
        sum / weights
    };
    let value = mean(&mut items.iter().map(|(w, x)| (w.value, x.value)));
    if items.iter().all(|(w, x)| w.is_exact() && x.is_exact()) {
        return Range::point(value);
    }
    let end = |of: fn(&Range) -> f64, down: bool| {
        let mut sorted: Vec<(f64, f64, f64)> =
            items.iter().map(|(w, x)| (of(x), w.low, w.high)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let cut = |cut: usize| {
            let parts = sorted.iter().enumerate();
            mean(&mut parts.map(|(at, (x, low, high))| {
                let heavy = (at < cut) == down;
                (if heavy { *high } else { *low }, *x)
            }))
        };
        let means = (0..=sorted.len()).map(cut).filter(|mean| !mean.is_nan());
        means.fold(
            value,
            |best, mean| if down { best.min(mean) } else { best.max(mean) },
        )
    };
    let low = end(|x| x.low, true);
    Range::wide(value, low, end(|x| x.high, false), SUMS)
}

/// Sums over pairs of `w v / (sum of weights)`, plain and times the square of the difference of their
/// estimates. Each weight of a pair grows with the two and falls with all others.
fn pairs(items: &[(Range, Range)]) -> (Range, Range) {
    let all = total(items.iter().map(|(w, _)| *w));
    let (mut plain, mut spread) = (Range::point(0.0), Range::point(0.0));
    for (at, (w, x)) in items.iter().enumerate() {
        for (v, y) in items.iter().skip(at + 1) {
            let of = |w: f64, v: f64, others: f64| {
                if w > 0.0 && v > 0.0 {
                    w / (w / v + 1.0 + others.max(0.0) / v)
                } else {
                    0.0
                }
            };
            let value = of(w.value, v.value, all.value - w.value - v.value);
            let pair = if all.is_exact() {
                Range::point(value)
            } else {
                let low = of(w.low, v.low, all.high - w.high - v.high);
                let high = of(w.high, v.high, all.low - w.low - v.low);
                Range::wide(value, low, high, SUMS)
            };
            let apart = x.minus(*y).abs();
            plain = plain.plus(pair);
            spread = spread.plus(pair.times(apart).times(apart));
        }
    }
    (plain, spread)
}

fn mean_of(estimates: &[Estimate], tau: Range) -> (Vec<Range>, Estimate, Range) {
    let weight = |estimate: &Estimate| one_over(estimate.variance.plus(tau));
    let weights: Vec<Range> = estimates.iter().map(weight).collect();
    let middles = estimates.iter().map(|estimate| estimate.middle);
    let items: Vec<(Range, Range)> = weights.iter().copied().zip(middles).collect();
    let share = |at: usize, own: &Range| {
        let others = weights.iter().enumerate().filter(|(other, _)| *other != at);
        let others = total(others.map(|(_, weight)| *weight));
        one_over(Range::point(1.0).plus(others.over(*own)))
    };
    let shares = weights
        .iter()
        .enumerate()
        .map(|(at, own)| share(at, own))
        .collect();
    let pooled = Estimate {
        middle: weighted(&items),
        variance: one_over(total(weights.iter().copied())),
    };
    (shares, pooled, pairs(&items).1)
}

impl Pooled {
    /// Puts two estimates or more together.
    pub(super) fn of(estimates: &[Estimate]) -> Self {
        let df = f64::from(u32::try_from(estimates.len()).unwrap_or(u32::MAX)) - 1.0;
        let items: Vec<(Range, Range)> = estimates
            .iter()
            .map(|estimate| (one_over(estimate.variance), estimate.middle))
            .collect();
        let (plain, q) = pairs(&items);
        let (first, fixed, _) = mean_of(estimates, Range::point(0.0));
        // The sum of weights less that of their squares over it is twice the sum over pairs.
        let tau = q
            .minus(Range::point(df))
            .over(plain.times(Range::point(2.0)));
        let tau = tau.map(|x| x.max(0.0));
        let (second, random, spread) = mean_of(estimates, tau);
        let knapp = Estimate {
            middle: random.middle,
            variance: random.variance.times(spread).over(Range::point(df)),
        };
        Self {
            weights: first.into_iter().zip(second).map(|(a, b)| [a, b]).collect(),
            fixed,
            random,
            knapp,
            q,
            df,
            tau,
        }
    }

    /// As of estimates that all lie further on.
    pub(super) fn moved(self, by: Range) -> Self {
        Self {
            fixed: self.fixed.moved(by),
            random: self.random.moved(by),
            knapp: self.knapp.moved(by),
            ..self
        }
    }

    /// Share of the spread that is not chance.
    pub(super) fn i_squared(&self) -> Range {
        let df = self.df;
        self.q.map(|q| if q > df { 1.0 - df / q } else { 0.0 })
    }

    /// Probability of so much spread by chance.
    pub(super) fn chance(&self) -> Range {
        let df = self.df;
        self.q.probability(|q| chi_squared_upper(q, df))
    }

    /// Where the effect of a further study would lie; needs three.
    pub(super) fn prediction(&self) -> Option<Estimate> {
        (self.df >= 2.0).then(|| Estimate {
            middle: self.random.middle,
            variance: self.random.variance.plus(self.tau),
        })
    }
}

impl Estimate {
    /// Further on, with the same variance.
    pub(super) fn moved(&self, by: Range) -> Self {
        Self {
            middle: self.middle.plus(by),
            ..*self
        }
    }

    /// From and to at a level; with degrees of freedom those of Student's t.
    pub(super) fn interval(&self, level: f64, df: Option<f64>) -> [Range; 2] {
        let critical = df.map_or_else(|| normal_critical(level), |df| student_critical(level, df));
        let reach = Range::point(critical).times(self.variance.sqrt());
        [self.middle.minus(reach), self.middle.plus(reach)]
    }

    /// Probability of an estimate so far from zero.
    pub(super) fn p(&self, df: Option<f64>) -> Range {
        let score = self.middle.over(self.variance.sqrt()).abs();
        score.probability(|x| df.map_or_else(|| normal_two_sided(x), |df| student_two_sided(x, df)))
    }
}
