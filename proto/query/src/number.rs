//! Exact decimal numbers: the one number type of codebooks, keys, node cells and results.
//!
//! What it must not know: where a number comes from. Binary floating point never appears here.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

use crate::rational::power_of_ten;

/// Exponents further from zero are refused when text is read.
const MAX_EXPONENT: i32 = 64;

/// More decimals than this do not occur and are not searched for.
const MAX_PLACES: i32 = 128;

/// `mantissa * 10^exponent`, normalised so that equal numbers have equal fields:
/// the mantissa does not end in zero, and zero has exponent 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    mantissa: i128,
    exponent: i32,
}

/// The text is no decimal number of at most 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number such as 12, -0.5 or 1.5e3")]
pub struct NotANumber;

impl Number {
    /// Zero.
    pub const ZERO: Self = Self {
        mantissa: 0,
        exponent: 0,
    };

    /// `mantissa * 10^exponent`.
    #[must_use]
    pub fn new(mut mantissa: i128, mut exponent: i32) -> Self {
        if mantissa == 0 {
            return Self::ZERO;
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        Self { mantissa, exponent }
    }

    /// The mantissa.
    #[must_use]
    pub fn mantissa(&self) -> i128 {
        self.mantissa
    }

    /// The exponent of ten.
    #[must_use]
    pub fn exponent(&self) -> i32 {
        self.exponent
    }

    /// The mantissa this number has at `scale` digits after the point, if it fits exactly.
    #[must_use]
    pub fn at_scale(&self, scale: u32) -> Option<i128> {
        let shift = i64::from(self.exponent) + i64::from(scale);
        let shift = u32::try_from(shift).ok()?;
        self.mantissa.checked_mul(10_i128.checked_pow(shift)?)
    }

    /// The same value as a fraction.
    #[must_use]
    pub fn to_rational(&self) -> BigRational {
        BigRational::from_integer(self.mantissa.into()) * power_of_ten(self.exponent)
    }

    /// A fraction as a decimal number, where it is one and fits.
    #[must_use]
    pub fn from_rational(value: &BigRational) -> Option<Self> {
        // A reduced fraction has finitely many decimals if its divisor is 2^a * 5^b.
        let mut rest = value.denom().clone();
        let twos = i32::try_from(rest.trailing_zeros()?).ok()?;
        rest >>= twos;
        let (mut fives, five) = (0_i32, BigInt::from(5));
        while (&rest % &five).is_zero() {
            rest /= &five;
            fives = fives.checked_add(1)?;
        }
        let places = twos.max(fives);
        if !rest.is_one() || places > MAX_PLACES {
            return None;
        }
        let scale = BigInt::from(10).pow(places.unsigned_abs());
        let mut mantissa = value.numer() * (scale / value.denom());
        let (mut exponent, ten) = (-places, BigInt::from(10));
        while mantissa.bits() > 127 && (&mantissa % &ten).is_zero() {
            mantissa /= &ten;
            exponent += 1;
        }
        Some(Self::new(mantissa.to_i128()?, exponent))
    }

    /// A whole number of this value, if it is one.
    #[must_use]
    pub fn to_integer(&self) -> Option<i128> {
        self.at_scale(0)
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.mantissa.is_negative()
    }

    /// Whether it is a multiple of `step`; nothing but zero is a multiple of zero.
    #[must_use]
    pub fn is_multiple_of(&self, step: Number) -> bool {
        if step.mantissa == 0 {
            return self.mantissa == 0;
        }
        (self.to_rational() / step.to_rational()).is_integer()
    }
}

impl From<i128> for Number {
    fn from(value: i128) -> Self {
        Self::new(value, 0)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::new(value.into(), 0)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::new(value.into(), 0)
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self::new(value.into(), 0)
    }
}

impl fmt::Display for Number {
    /// Plain decimal notation without exponent: `-0.05`, `1200`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa.is_negative() { "-" } else { "" };
        if self.exponent >= 0 {
            let zeros = usize::try_from(self.exponent).unwrap_or(0);
            return write!(f, "{sign}{digits}{}", "0".repeat(zeros));
        }
        let places = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(0);
        let padded = format!("{digits:0>width$}", width = places.saturating_add(1));
        let (whole, fraction) = padded
            .split_at_checked(padded.len().saturating_sub(places))
            .unwrap_or(("0", "0"));
        write!(f, "{sign}{whole}.{fraction}")
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    /// Reads `[+-]digits[.digits][e[+-]digits]`, exactly.
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (body, power) = match text.split_once(['e', 'E']) {
            Some((body, power)) => (body, power.parse::<i32>().map_err(|_| NotANumber)?),
            None => (text, 0),
        };
        let (negative, body) = match body.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, body.strip_prefix('+').unwrap_or(body)),
        };
        let (whole, fraction) = match body.split_once('.') {
            Some((_, "")) => return Err(NotANumber),
            Some(pair) => pair,
            None => (body, ""),
        };
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() || power.abs() > MAX_EXPONENT {
            return Err(NotANumber);
        }
        let mut mantissa: i128 = 0;
        for digit in whole.chars().chain(fraction.chars()) {
            let digit = digit.to_digit(10).ok_or(NotANumber)?;
            mantissa = mantissa
                .checked_mul(10)
                .and_then(|m| m.checked_add(digit.into()))
                .ok_or(NotANumber)?;
        }
        let places = i32::try_from(fraction.len()).map_err(|_| NotANumber)?;
        let mantissa = if negative { -mantissa } else { mantissa };
        Ok(Self::new(mantissa, power - places))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if sign != Ordering::Equal {
            return sign;
        }
        if self.exponent == other.exponent {
            return self.mantissa.cmp(&other.mantissa);
        }
        let low = self.exponent.min(other.exponent);
        let align = |n: &Self| {
            let shift = u32::try_from(i64::from(n.exponent) - i64::from(low)).unwrap_or(0);
            BigInt::from(n.mantissa) * BigInt::from(10).pow(shift)
        };
        align(self).cmp(&align(other))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reading_and_printing() {
        for (text, printed) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("007.50", "7.5"),
            ("+1200", "1200"),
            ("-0.05", "-0.05"),
            ("1.5e3", "1500"),
            ("2.5E-3", "0.0025"),
            (
                "170141183460469231731687303715884105727",
                "170141183460469231731687303715884105727",
            ),
        ] {
            assert_eq!(
                text.parse::<Number>().unwrap().to_string(),
                printed,
                "{text}"
            );
        }
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "1e",
            "1e65",
            "0x1",
            "1 2",
            "NaN",
            "--1",
            "1_0",
            "170141183460469231731687303715884105728",
        ] {
            assert_eq!(text.parse::<Number>(), Err(NotANumber), "{text}");
        }
    }

    #[test]
    fn fractions_that_are_no_decimals() {
        let third = BigRational::new(1.into(), 3.into());
        assert_eq!(Number::from_rational(&third), None);
        let eighth = BigRational::new((-1).into(), 8.into());
        assert_eq!(Number::from_rational(&eighth), Some(Number::new(-125, -3)));
        let ten: Number = 10_i64.into();
        assert!(ten.is_multiple_of(Number::new(25, -1)));
        assert!(!ten.is_multiple_of(3_i64.into()));
        assert!(!ten.is_multiple_of(Number::ZERO));
    }

    proptest! {
        #[test]
        fn text_and_fraction_lose_nothing(mantissa in any::<i64>(), exponent in -20_i32..20) {
            let number = Number::new(mantissa.into(), exponent);
            prop_assert_eq!(number.to_string().parse::<Number>().unwrap(), number);
            prop_assert_eq!(Number::from_rational(&number.to_rational()), Some(number));
        }

        #[test]
        fn order_is_that_of_fractions(
            a in -1000_i128..1000, b in -1000_i128..1000, x in -3_i32..3, y in -3_i32..3,
        ) {
            let (a, b) = (Number::new(a, x), Number::new(b, y));
            prop_assert_eq!(a.cmp(&b), a.to_rational().cmp(&b.to_rational()));
        }
    }
}
