//! Tables of two by two: effects with confidence intervals, and strata put together.
//!
//! Formulas: Woolf 1955 for the odds ratio's interval, Katz and others 1978 for the risk ratio's;
//! Mantel and Haenszel 1959 for the pooled odds ratio and test, Robins, Breslow and Greenland 1986
//! for its interval. See docs/analyses/crosstab.md.

use super::distribution::{chi_squared_upper, normal_critical, normal_two_sided};
use super::range::Range;
use super::report::Grid;
use super::strata::{share, sum, whole};
use crate::combine::Interval;

/// A table `[[a, b], [c, d]]`: rows not exposed and exposed, columns without and with the outcome.
pub(super) struct Square {
    a: Interval,
    b: Interval,
    c: Interval,
    d: Interval,
}

impl Square {
    /// A table that has two rows and two columns.
    pub(super) fn of(cells: &[Vec<Interval>]) -> Option<Self> {
        let [first, second] = cells else {
            return None;
        };
        let ([a, b], [c, d]) = (first.as_slice(), second.as_slice()) else {
            return None;
        };
        Some(Self {
            a: a.clone(),
            b: b.clone(),
            c: c.clone(),
            d: d.clone(),
        })
    }

    fn n(&self) -> Interval {
        sum([&self.a, &self.b, &self.c, &self.d])
    }

    /// `x·y / n` where both are cells: it grows with either.
    fn part(&self, x: &Interval, y: &Interval, others: [&Interval; 2]) -> Option<Interval> {
        let rest = sum(others);
        let of = |x: &Interval, y: &Interval, rest: &Interval| {
            let n = x.plus(y).plus(rest);
            x.times(y).over(&n).map(|quotient| quotient.value)
        };
        let point = |value: &num_rational::BigRational| Interval::exact(value.clone());
        Some(Interval::new(
            of(x, y, &rest)?,
            of(&point(&x.low), &point(&y.low), &point(&rest.high))?,
            of(&point(&x.high), &point(&y.high), &point(&rest.low))?,
        ))
    }

    /// Odds of the outcome in the second row over those in the first, and the variance of the logarithm.
    pub(super) fn odds_ratio(&self) -> (Range, Range) {
        let Self { a, b, c, d } = self;
        let ratio = Range::of(&a.times(d)).over(Range::of(&b.times(c)));
        let variance = inverse(a)
            .plus(inverse(b))
            .plus(inverse(c))
            .plus(inverse(d));
        (ratio, variance)
    }

    /// Risk of the outcome in the second row over that in the first, and the variance of the logarithm.
    pub(super) fn risk_ratio(&self) -> (Range, Range) {
        let Self { a, b, c, d } = self;
        let (first, second) = self.risks();
        // 1/d - 1/(c+d) = c / (d (c+d)): never negative, and closer than the difference.
        let part = |with: &Interval, without: &Interval| {
            Range::maybe(share(without, with).as_ref()).over(Range::of(with))
        };
        (second.over(first), part(d, c).plus(part(b, a)))
    }

    /// Risk of the outcome in the second row less that in the first, and its variance.
    pub(super) fn risk_difference(&self) -> (Range, Range) {
        let Self { a, b, c, d } = self;
        let (first, second) = self.risks();
        let spread = |risk: Range, n: &Interval| {
            risk.times(Range::point(1.0).minus(risk)).over(Range::of(n))
        };
        let variance = spread(first, &a.plus(b)).plus(spread(second, &c.plus(d)));
        (second.minus(first), variance)
    }

    fn risks(&self) -> (Range, Range) {
        let risk =
            |with: &Interval, without: &Interval| Range::maybe(share(with, without).as_ref());
        (risk(&self.b, &self.a), risk(&self.d, &self.c))
    }
}

fn inverse(x: &Interval) -> Range {
    Range::point(1.0).over(Range::of(x))
}

/// Odds ratio, risk ratio and risk difference with their confidence intervals.
pub(super) fn effects(square: &Square, level: f64) -> Grid {
    let mut grid = Grid::new("effects", &["estimate", "from", "to", "p"]);
    let z = Range::point(normal_critical(level));
    let mut ratio = |name: &str, estimate: Range, variance: Range| {
        let (middle, error) = (estimate.ln(), variance.sqrt());
        let reach = z.times(error);
        let p = middle.over(error).abs().probability(normal_two_sided);
        let (from, to) = (middle.minus(reach).exp(), middle.plus(reach).exp());
        grid.line(name, &[estimate, from, to, p]);
    };
    let (estimate, variance) = square.odds_ratio();
    ratio("odds_ratio", estimate, variance);
    let (estimate, variance) = square.risk_ratio();
    ratio("risk_ratio", estimate, variance);
    let (difference, variance) = square.risk_difference();
    let error = variance.sqrt();
    let reach = z.times(error);
    let p = difference.over(error).abs().probability(normal_two_sided);
    let row = [
        difference,
        difference.minus(reach),
        difference.plus(reach),
        p,
    ];
    grid.line("risk_difference", &row);
    grid
}

/// Mantel-Haenszel over strata: the pooled odds ratio, and the tests.
pub(super) fn stratified(strata: &[Square], level: f64) -> [Grid; 2] {
    let mut effect = Grid::new("stratified_by_node", &["estimate", "from", "to"]);
    let z = Range::point(normal_critical(level));
    let pooled = Pooled::of(strata);
    let odds = pooled.up.over(pooled.down);
    let (middle, error) = (odds.ln(), pooled.variance().sqrt());
    let reach = z.times(error);
    let (from, to) = (middle.minus(reach).exp(), middle.plus(reach).exp());
    effect.line("odds_ratio", &[odds, from, to]);
    let mut tests = Grid::new("stratified_tests", &["statistic", "df", "p"]);
    let mut test = |name: &str, less: f64| {
        let apart = pooled.apart.abs().minus(Range::point(less));
        let apart = apart.map(|x| x.max(0.0));
        let statistic = apart.times(apart).over(pooled.spread);
        let p = statistic.probability(|x| chi_squared_upper(x, 1.0));
        tests.line(name, &[statistic, Range::point(1.0), p]);
    };
    test("mantel_haenszel", 0.0);
    test("mantel_haenszel_corrected", 0.5);
    [effect, tests]
}

/// Sums over strata: `up` of `ad/n`, `down` of `bc/n`, parts of the variance of the logarithm,
/// observed less expected, and the variance of that.
struct Pooled {
    up: Range,
    down: Range,
    up_same: Range,
    mixed: Range,
    down_other: Range,
    apart: Range,
    spread: Range,
}

impl Pooled {
    fn of(strata: &[Square]) -> Self {
        let zero = Range::point(0.0);
        let mut sums = Self {
            up: zero,
            down: zero,
            up_same: zero,
            mixed: zero,
            down_other: zero,
            apart: zero,
            spread: zero,
        };
        for square in strata {
            let Square { a, b, c, d } = square;
            let up = Range::maybe(square.part(a, d, [b, c]).as_ref());
            let down = Range::maybe(square.part(b, c, [a, d]).as_ref());
            let same = Range::maybe(share(&a.plus(d), &b.plus(c)).as_ref());
            let other = Range::maybe(share(&b.plus(c), &a.plus(d)).as_ref());
            sums.up = sums.up.plus(up);
            sums.down = sums.down.plus(down);
            sums.up_same = sums.up_same.plus(same.times(up));
            sums.mixed = sums.mixed.plus(same.times(down)).plus(other.times(up));
            sums.down_other = sums.down_other.plus(other.times(down));
            let n = square.n();
            let apart = a.times(d).minus(&b.times(c)).over(&n);
            sums.apart = sums.apart.plus(Range::maybe(apart.as_ref()));
            let margins = a
                .plus(b)
                .times(&c.plus(d))
                .times(&a.plus(c))
                .times(&b.plus(d));
            let spread = margins.over(&n.squared().times(&n.minus(&whole(1))));
            sums.spread = sums.spread.plus(Range::maybe(spread.as_ref()));
        }
        sums
    }

    /// Of the logarithm of the pooled odds ratio.
    fn variance(&self) -> Range {
        let two = Range::point(2.0);
        let up = self.up_same.over(two.times(self.up).times(self.up));
        let mixed = self.mixed.over(two.times(self.up).times(self.down));
        let down = self.down_other.over(two.times(self.down).times(self.down));
        up.plus(mixed).plus(down)
    }
}
