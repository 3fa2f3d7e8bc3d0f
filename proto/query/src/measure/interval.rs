//! Exact intervals: a value and the least and greatest value that the truth may have.

use num_rational::BigRational;
use num_traits::Zero;

/// `low <= value <= high`, all exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The value that is shown.
    pub value: BigRational,
    /// Least possible truth.
    pub low: BigRational,
    /// Greatest possible truth.
    pub high: BigRational,
}

impl Interval {
    /// Nothing but this value.
    #[must_use]
    pub fn exact(value: BigRational) -> Self {
        Self {
            low: value.clone(),
            high: value.clone(),
            value,
        }
    }

    /// A value with its limits; limits that exclude the value are moved to it.
    #[must_use]
    pub fn new(value: BigRational, low: BigRational, high: BigRational) -> Self {
        let low = low.min(value.clone());
        let high = high.max(value.clone());
        Self { value, low, high }
    }

    /// All three ends changed by a growing function.
    #[must_use]
    pub fn map(&self, change: impl Fn(&BigRational) -> BigRational) -> Self {
        Self {
            value: change(&self.value),
            low: change(&self.low),
            high: change(&self.high),
        }
    }

    /// Half the width.
    #[must_use]
    pub fn half_width(&self) -> BigRational {
        (&self.high - &self.low) / BigRational::from_integer(2.into())
    }

    /// Whether zero is possible.
    #[must_use]
    pub fn spans_zero(&self) -> bool {
        self.low <= BigRational::zero() && self.high >= BigRational::zero()
    }

    /// Sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            value: &self.value + &other.value,
            low: &self.low + &other.low,
            high: &self.high + &other.high,
        }
    }

    /// Difference.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            value: &self.value - &other.value,
            low: &self.low - &other.high,
            high: &self.high - &other.low,
        }
    }

    /// Product: the extremes are at corners.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        let corners = [
            &self.low * &other.low,
            &self.low * &other.high,
            &self.high * &other.low,
            &self.high * &other.high,
        ];
        let value = &self.value * &other.value;
        let low = corners.iter().min().unwrap_or(&value).clone();
        let high = corners.iter().max().unwrap_or(&value).clone();
        Self { value, low, high }
    }

    /// Square: never negative.
    #[must_use]
    pub fn squared(&self) -> Self {
        let (low, high) = (&self.low * &self.low, &self.high * &self.high);
        let least = if self.spans_zero() {
            BigRational::zero()
        } else {
            low.clone().min(high.clone())
        };
        Self {
            value: &self.value * &self.value,
            low: least,
            high: low.max(high),
        }
    }

    /// Quotient; `None` where the divisor is zero or may be zero, because nothing is known then.
    #[must_use]
    pub fn over(&self, other: &Self) -> Option<Self> {
        if other.spans_zero() {
            return None;
        }
        let inverse = Self {
            value: other.value.recip(),
            low: other.high.recip(),
            high: other.low.recip(),
        };
        Some(self.times(&inverse))
    }
}
