//! Exact decimal numbers.

use std::cmp::Ordering;

/// `mantissa * 10^exponent`, normalised so that equal numbers have equal fields:
/// the mantissa does not end in zero, and zero has exponent 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    mantissa: i128,
    exponent: i32,
}

impl Number {
    /// `mantissa * 10^exponent`.
    #[must_use]
    pub fn new(mut mantissa: i128, mut exponent: i32) -> Self {
        if mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
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
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if sign != Ordering::Equal {
            return sign;
        }
        let low = self.exponent.min(other.exponent);
        let align = |n: &Self| {
            use num_bigint::BigInt;
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
