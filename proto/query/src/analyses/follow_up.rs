//! Follow-up on a grid of time: how many persons ended it in each interval, with the event or without,
//! and what that says of those who are still without it.
//!
//! Persons who end in an interval without the event count as at risk in all of it, as the estimate of
//! Kaplan and Meier does with ends on the same day. What it must not know: where counts come from.

use super::range::Range;

/// By how much limits of products over intervals are moved outwards.
const PRODUCT: f64 = 1e-12;

/// Ends of follow-up of one group, by interval.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// With the event.
    pub(super) events: Vec<Range>,
    /// Without it.
    pub(super) others: Vec<Range>,
}

/// What is known at the end of an interval.
pub(super) struct Point {
    /// Persons at risk when it began.
    pub(super) at_risk: Range,
    /// Share of persons still without the event.
    pub(super) survival: Range,
    /// Greenwood's variance of the logarithm of that share.
    pub(super) variance: Range,
}

/// The sum of numbers of persons: whole numbers are added exactly, so their limits stay whole.
pub(super) fn total<'a>(parts: impl IntoIterator<Item = &'a Range>) -> Range {
    let add = |sum: Range, part: &Range| {
        let exact = Range {
            value: sum.value + part.value,
            low: sum.low + part.low,
            high: sum.high + part.high,
        };
        let whole = [exact.value, exact.low, exact.high].map(|end| end.fract() == 0.0);
        if whole == [true; 3] {
            exact
        } else {
            sum.plus(*part)
        }
    };
    parts.into_iter().fold(Range::point(0.0), add)
}

impl Ends {
    /// How many intervals there are.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Persons at risk at the beginning of each interval.
    pub(super) fn at_risk(&self) -> Vec<Range> {
        (0..self.len()).map(|at| self.later(at)).collect()
    }

    /// Persons whose follow-up ends in interval `at` or later.
    fn later(&self, at: usize) -> Range {
        total(
            self.events
                .iter()
                .skip(at)
                .chain(self.others.iter().skip(at)),
        )
    }

    /// Persons at risk who have no event in interval `at`.
    pub(super) fn without(&self, at: usize) -> Range {
        let others = self.others.get(at).copied().unwrap_or(Range::NONE);
        total(&[others, self.later(at + 1)])
    }

    /// The estimate of Kaplan and Meier at the end of each interval.
    pub(super) fn points(&self) -> Vec<Point> {
        let mut variance = Range::point(0.0);
        let mut points = Vec::with_capacity(self.len());
        for (at, (survival, events)) in self.survival().into_iter().zip(&self.events).enumerate() {
            variance = variance.plus(greenwood(*events, self.without(at)));
            points.push(Point {
                at_risk: self.later(at),
                survival,
                variance,
            });
        }
        points
    }

    /// Shares with their limits. The share after an interval falls with the events up to it and grows
    /// with every other count (docs/analyses/survival.md has the proof), so its limits are those of
    /// two corners.
    fn survival(&self) -> Vec<Range> {
        let point = |range: &Range| range.value;
        let (low, high) = (|range: &Range| range.low, |range: &Range| range.high);
        let plain = self.corner(self.len(), point, point);
        let exact = self
            .events
            .iter()
            .chain(&self.others)
            .all(|range| range.is_exact());
        let limits = |at: usize| {
            let least = self.corner(at + 1, high, low).get(at).copied();
            let most = self.corner(at + 1, low, high).get(at).copied();
            (least.unwrap_or(0.0), most.unwrap_or(1.0))
        };
        let range = |(at, value): (usize, f64)| {
            if exact {
                return Range::point(value);
            }
            let (least, most) = limits(at);
            Range::wide(value, least, most.min(1.0), PRODUCT)
        };
        plain.into_iter().enumerate().map(range).collect()
    }

    /// Shares of the counts that `early` takes of the events of the first intervals and `other` of
    /// every other number.
    fn corner(
        &self,
        first: usize,
        early: impl Fn(&Range) -> f64,
        other: impl Fn(&Range) -> f64,
    ) -> Vec<f64> {
        let events = self.events.iter().enumerate();
        let events: Vec<f64> = events
            .map(|(at, range)| {
                if at < first {
                    early(range)
                } else {
                    other(range)
                }
            })
            .collect();
        let others: Vec<f64> = self.others.iter().map(other).collect();
        let mut at_risk: f64 = events.iter().chain(&others).sum();
        let mut share = 1.0;
        let after = |(events, others): (&f64, &f64)| {
            let without = at_risk - events;
            if at_risk > 0.0 {
                share *= (without / at_risk).max(0.0);
            }
            at_risk = without - others;
            share
        };
        events.iter().zip(&others).map(after).collect()
    }
}

/// `d / (n (n - d))` with `n - d` persons without the event: it grows with `d` and falls with them.
fn greenwood(events: Range, without: Range) -> Range {
    let of = |d: f64, rest: f64| {
        if d > 0.0 {
            d / ((d + rest) * rest)
        } else {
            0.0
        }
    };
    let value = of(events.value, without.value);
    if events.is_exact() && without.is_exact() {
        return Range::point(value);
    }
    let low = of(events.low, without.high);
    Range::wide(value, low, of(events.high, without.low.max(0.0)), 1e-14)
}

impl Point {
    /// Greenwood's standard error of the share.
    pub(super) fn error(&self) -> Range {
        self.survival.times(self.variance.sqrt())
    }

    /// The interval that is symmetric for `ln(-ln S)`; it stays between 0 and 1.
    pub(super) fn log_log(&self, z: f64) -> (Range, Range) {
        let hazard = self.survival.ln().map(|x| -x);
        let reach = Range::point(z).times(self.variance.sqrt()).over(hazard);
        let end = |middle: Range| self.or_one(middle.exp().map(|x| libm::exp(-x)));
        let middle = hazard.ln();
        (end(middle.plus(reach)), end(middle.minus(reach)))
    }

    /// The interval that is symmetric for `ln S`, cut at 1.
    pub(super) fn log(&self, z: f64) -> (Range, Range) {
        let reach = Range::point(z).times(self.variance.sqrt());
        let upper = self.survival.times(reach.exp()).map(|x| x.min(1.0));
        let lower = self.survival.times(reach.map(|x| -x).exp());
        (self.or_one(lower), self.or_one(upper))
    }

    /// Before anybody had the event the share is 1, and so are the ends of its interval.
    fn or_one(&self, end: Range) -> Range {
        if self.survival.value < 1.0 {
            return end;
        }
        if self.survival.is_exact() {
            return Range::point(1.0);
        }
        Range {
            value: 1.0,
            low: if end.low.is_nan() {
                0.0
            } else {
                end.low.min(1.0)
            },
            high: 1.0,
        }
    }
}
