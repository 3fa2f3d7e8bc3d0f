//! Numbers that are known within limits, in binary floating point: for roots, logarithms and
//! probabilities, which have no exact fractions. Limits are moved outwards after every step; a number
//! that is known exactly stays a point.
//!
//! Nothing here fails: where there is no number the value is NaN, where there is no limit it is
//! infinite.

use num_rational::BigRational;
use num_traits::ToPrimitive;

use crate::combine::Interval;

/// By how much limits move outwards after an operation that is right to the last bit or two.
const LAST_BITS: f64 = 1e-15;

/// By how much they move after a probability or quantile.
const PROBABILITY: f64 = 1e-9;

/// `low <= value <= high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The nearest binary number.
pub(super) fn float(value: &BigRational) -> f64 {
    value.to_f64().unwrap_or(f64::NAN)
}

impl Range {
    /// Nothing but this number.
    pub(super) const fn point(value: f64) -> Self {
        Self {
            value,
            low: value,
            high: value,
        }
    }

    /// No number.
    pub(super) const NONE: Self = Self::point(f64::NAN);

    /// An exact interval.
    pub(super) fn of(interval: &Interval) -> Self {
        if interval.low == interval.high {
            return Self::point(float(&interval.value));
        }
        let value = float(&interval.value);
        let (low, high) = (float(&interval.low), float(&interval.high));
        let exact = |float: f64| BigRational::from_float(float);
        // Whole numbers keep their whole limits: only what was rounded inwards moves.
        let low = if exact(low).is_none_or(|low| low > interval.low) {
            low.next_down()
        } else {
            low
        };
        let high = if exact(high).is_none_or(|high| high < interval.high) {
            high.next_up()
        } else {
            high
        };
        Self {
            value,
            low: low.min(value),
            high: high.max(value),
        }
    }

    /// As [`Self::of`]; no number where there is none.
    pub(super) fn maybe(interval: Option<&Interval>) -> Self {
        interval.map_or(Self::NONE, Self::of)
    }

    /// Limits from two ends in any order, moved outwards unless they are one.
    pub(super) fn wide(value: f64, one: f64, other: f64, by: f64) -> Self {
        let (low, high) = (one.min(other), one.max(other));
        if low.total_cmp(&high).is_eq() {
            return Self { value, low, high };
        }
        Self {
            value,
            low: (low - low.abs() * by).min(value),
            high: (high + high.abs() * by).max(value),
        }
    }

    /// Whether it is a point.
    pub(super) fn is_exact(self) -> bool {
        self.low.total_cmp(&self.high).is_eq()
    }

    /// A function that only grows or only falls.
    pub(super) fn map(self, function: impl Fn(f64) -> f64) -> Self {
        let (low, high) = (function(self.low), function(self.high));
        Self::wide(function(self.value), low, high, LAST_BITS)
    }

    /// As [`Self::map`], for probabilities and quantiles.
    pub(super) fn probability(self, function: impl Fn(f64) -> f64) -> Self {
        let (low, high) = (function(self.low), function(self.high));
        Self::wide(function(self.value), low, high, PROBABILITY)
    }

    /// A probability of two numbers that only grows or only falls with each.
    pub(super) fn probability_of(self, other: Self, function: impl Fn(f64, f64) -> f64) -> Self {
        let ends = [
            function(self.low, other.low),
            function(self.low, other.high),
            function(self.high, other.low),
            function(self.high, other.high),
        ];
        let low = ends.into_iter().fold(f64::INFINITY, f64::min);
        let high = ends.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Self::wide(function(self.value, other.value), low, high, PROBABILITY)
    }

    /// Size.
    pub(super) fn abs(self) -> Self {
        let (low, high) = (self.low.abs(), self.high.abs());
        let least = if self.low <= 0.0 && self.high >= 0.0 {
            0.0
        } else {
            low.min(high)
        };
        Self {
            value: self.value.abs(),
            low: least,
            high: low.max(high),
        }
    }

    /// Nothing below zero.
    pub(super) fn at_least_zero(self) -> Self {
        Self {
            value: self.value.max(0.0),
            low: self.low.max(0.0),
            high: self.high.max(0.0),
        }
    }

    /// Root; below zero it is zero.
    pub(super) fn sqrt(self) -> Self {
        self.map(|x| x.max(0.0).sqrt())
    }

    /// Natural logarithm.
    pub(super) fn ln(self) -> Self {
        self.map(|x| libm::log(x.max(0.0)))
    }

    /// Exponential.
    pub(super) fn exp(self) -> Self {
        self.map(libm::exp)
    }

    /// Sum.
    pub(super) fn plus(self, other: Self) -> Self {
        self.ends(
            self.value + other.value,
            self.low + other.low,
            self.high + other.high,
            other,
        )
    }

    /// Difference.
    pub(super) fn minus(self, other: Self) -> Self {
        self.ends(
            self.value - other.value,
            self.low - other.high,
            self.high - other.low,
            other,
        )
    }

    /// Product.
    pub(super) fn times(self, other: Self) -> Self {
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        let corners = [
            product(self.low, other.low),
            product(self.low, other.high),
            product(self.high, other.low),
            product(self.high, other.high),
        ];
        let low = corners.into_iter().fold(f64::INFINITY, f64::min);
        let high = corners.into_iter().fold(f64::NEG_INFINITY, f64::max);
        self.ends(product(self.value, other.value), low, high, other)
    }

    /// Quotient; without limits where the divisor may be zero.
    pub(super) fn over(self, other: Self) -> Self {
        let value = self.value / other.value;
        if self.is_exact() && other.is_exact() {
            return Self::point(value);
        }
        if other.low > 0.0 || other.high < 0.0 {
            let inverse = Self {
                value: 1.0 / other.value,
                low: 1.0 / other.high,
                high: 1.0 / other.low,
            };
            return Self {
                value,
                ..self.times(inverse)
            };
        }
        let low = if self.low >= 0.0 && other.low >= 0.0 {
            self.low / other.high
        } else {
            f64::NEG_INFINITY
        };
        Self {
            value,
            low: low - low.abs() * LAST_BITS,
            high: f64::INFINITY,
        }
    }

    fn ends(self, value: f64, low: f64, high: f64, other: Self) -> Self {
        if self.is_exact() && other.is_exact() {
            Self::point(value)
        } else {
            Self::wide(value, low, high, LAST_BITS)
        }
    }
}
