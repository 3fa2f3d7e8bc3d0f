//! Whole numbers at a common decimal scale, and the way back to fractions.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;

use crate::number::Number;

/// A decimal scale that holds a set of numbers exactly.
#[derive(Clone, Copy)]
pub(super) struct Scale(u32);

impl Scale {
    /// Enough places for all of `numbers`, and `more`.
    pub(super) fn of<'a>(numbers: impl IntoIterator<Item = &'a Number>, more: u32) -> Self {
        let places = numbers
            .into_iter()
            .map(|n| n.exponent().min(0).unsigned_abs())
            .max();
        Self(places.unwrap_or(0).saturating_add(more))
    }

    /// `10^places`.
    pub(super) fn unit(self) -> BigInt {
        BigInt::from(10).pow(self.0)
    }

    /// A number that the scale was made for, as a whole number of units.
    pub(super) fn whole(self, number: &Number) -> BigInt {
        let power = i64::from(number.exponent()) + i64::from(self.0);
        BigInt::from(number.mantissa()) * BigInt::from(10).pow(u32::try_from(power).unwrap_or(0))
    }

    /// `value` units as a fraction.
    pub(super) fn fraction(self, value: BigInt) -> BigRational {
        BigRational::new(value, self.unit())
    }

    /// A quotient of units as a fraction.
    pub(super) fn quotient(self, value: &BigRational) -> BigRational {
        BigRational::new(value.numer().clone(), value.denom() * self.unit())
    }

    /// A quotient of squared units as a fraction.
    pub(super) fn squared(self, value: &BigRational) -> BigRational {
        let unit = self.unit();
        BigRational::new(value.numer().clone(), value.denom() * &unit * unit)
    }
}

/// Whole number at or below a fraction.
pub(super) fn floor(value: &BigRational) -> BigInt {
    value.numer().div_floor(value.denom())
}

/// Whole number at or above a fraction.
pub(super) fn ceil(value: &BigRational) -> BigInt {
    value.numer().div_ceil(value.denom())
}
