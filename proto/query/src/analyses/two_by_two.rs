//! Tables of two by two: effects with confidence intervals, and strata put together.
//!
//! Formulas: Woolf 1955 for the odds ratio's interval, Katz and others 1978 for the risk ratio's;
//! Mantel and Haenszel 1959 for the pooled odds ratio and test, Robins, Breslow and Greenland 1986
//! for its interval, Greenland and Robins 1985 for the pooled risk ratio. See docs/analyses/crosstab.md.

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
        // Exactly: the two may be nearly the same.
        let [low, high] = [share(b, a), share(d, c)];
        let difference = low.zip(high).map(|(low, high)| high.minus(&low));
        let spread = |risk: Range, n: &Interval| {
            risk.times(Range::point(1.0).minus(risk)).over(Range::of(n))
        };
        let variance = spread(first, &a.plus(b)).plus(spread(second, &c.plus(d)));
        (Range::maybe(difference.as_ref()), variance)
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

/// An empty table of effects.
pub(super) fn effects() -> Grid {
    Grid::new("effects", &["estimate", "from", "to", "p"])
}

/// A ratio with the ends of its interval, which is symmetric for its logarithm.
fn around(ratio: Range, variance: Range, level: f64) -> [Range; 3] {
    let reach = Range::point(normal_critical(level)).times(variance.sqrt());
    let middle = ratio.ln();
    [ratio, middle.minus(reach).exp(), middle.plus(reach).exp()]
}

impl Square {
    /// Odds ratio, risk ratio and risk difference with their confidence intervals.
    pub(super) fn effects(&self, grid: &mut Grid, place: &str, level: f64) {
        let mut ratio = |name: &str, (estimate, variance): (Range, Range)| {
            let [_, from, to] = around(estimate, variance, level);
            let score = estimate.ln().over(variance.sqrt()).abs();
            let p = score.probability(normal_two_sided);
            grid.line(format!("{place}{name}"), &[estimate, from, to, p]);
        };
        ratio("odds_ratio", self.odds_ratio());
        ratio("risk_ratio", self.risk_ratio());
        let (difference, variance) = self.risk_difference();
        let error = variance.sqrt();
        let reach = Range::point(normal_critical(level)).times(error);
        let p = difference.over(error).abs().probability(normal_two_sided);
        let ends = [difference.minus(reach), difference.plus(reach)];
        let row = [difference, ends[0], ends[1], p];
        grid.line(format!("{place}risk_difference"), &row);
    }
}

/// Mantel-Haenszel over strata: the pooled odds and risk ratios, and the tests.
pub(super) fn stratified([effect, tests]: [&str; 2], strata: &[Square], level: f64) -> [Grid; 2] {
    let mut effect = Grid::new(effect, &["estimate", "from", "to"]);
    let pooled = Pooled::of(strata);
    let odds = pooled.up.over(pooled.down);
    effect.line("odds_ratio", &around(odds, pooled.variance(), level));
    let risk = pooled.second.over(pooled.first);
    let spread = pooled.risks.over(pooled.first).over(pooled.second);
    effect.line("risk_ratio", &around(risk, spread, level));
    let mut tests = Grid::new(tests, &["statistic", "df", "p"]);
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
/// observed less expected, and the variance of that. For risks: `second` of `d(a+b)/n`, `first` of
/// `b(c+d)/n`, and `risks` of `(bc(a+b) + ad(c+d))/n²`, which is Greenland's and Robins's
/// `((b+d)(a+b)(c+d) - bdn)/n²`.
struct Pooled {
    up: Range,
    down: Range,
    up_same: Range,
    mixed: Range,
    down_other: Range,
    apart: Range,
    spread: Range,
    second: Range,
    first: Range,
    risks: Range,
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
            second: zero,
            first: zero,
            risks: zero,
        };
        // Nobody and one person say nothing of a stratum.
        let one = whole(1);
        for square in strata.iter().filter(|square| square.n().high > one.high) {
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
            sums.risks(square, [up, down]);
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

    fn risks(&mut self, square: &Square, [up, down]: [Range; 2]) {
        let Square { a, b, c, d } = square;
        let (unexposed, exposed) = (a.plus(b), c.plus(d));
        let none = whole(0);
        let part = |x: &Interval, y: &Interval, rest: &Interval| {
            Range::maybe(square.part(x, y, [rest, &none]).as_ref())
        };
        self.second = self.second.plus(part(d, &unexposed, c));
        self.first = self.first.plus(part(b, &exposed, a));
        let of = |one: &Interval, other: &Interval| Range::maybe(share(one, other).as_ref());
        let risks = down.times(of(&unexposed, &exposed));
        let risks = risks.plus(up.times(of(&exposed, &unexposed)));
        self.risks = self.risks.plus(risks);
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
