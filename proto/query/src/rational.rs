//! Fractions to decimals: rounding, grids, square roots and printing, all exact until one rounding.
//!
//! What it must not know: what the numbers mean.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use crate::number::Number;

/// Significant digits of a result without protection.
pub const SIGNIFICANT: u32 = 15;

/// `10^exponent` as a fraction.
#[must_use]
pub fn power_of_ten(exponent: i32) -> BigRational {
    let power = BigRational::from_integer(BigInt::from(10).pow(exponent.unsigned_abs()));
    if exponent < 0 { power.recip() } else { power }
}

/// Nearest whole number; a tie goes to the even one.
#[must_use]
pub fn round_half_even(value: &BigRational) -> BigInt {
    let floor = value.floor().to_integer();
    let rest = value - BigRational::from_integer(floor.clone());
    let half = BigRational::new(1.into(), 2.into());
    let up = rest > half || (rest == half && floor.is_odd());
    if up { floor + 1 } else { floor }
}

/// Nearest multiple of `grid`; a tie goes to the even multiple. A grid of zero changes nothing.
#[must_use]
pub fn round_to_multiple(value: &BigRational, grid: &BigRational) -> BigRational {
    if grid.is_zero() {
        return value.clone();
    }
    BigRational::from_integer(round_half_even(&(value / grid))) * grid
}

/// `floor(log10(|value|))`, or `None` for zero.
#[must_use]
pub fn decimal_order(value: &BigRational) -> Option<i32> {
    if value.is_zero() {
        return None;
    }
    let value = value.abs();
    // Digits of numerator and denominator give the order up to one.
    let digits = |n: &BigInt| i32::try_from(n.to_string().len()).unwrap_or(i32::MAX);
    let mut order = digits(value.numer()) - digits(value.denom());
    while power_of_ten(order) > value {
        order -= 1;
    }
    while power_of_ten(order + 1) <= value {
        order += 1;
    }
    Some(order)
}

/// The least of 1, 2, 5 times a power of ten that is not below a positive `value`; zero stays zero.
#[must_use]
pub fn one_two_five_up(value: &BigRational) -> BigRational {
    let Some(order) = decimal_order(value) else {
        return BigRational::zero();
    };
    let unit = power_of_ten(order);
    [1, 2, 5]
        .into_iter()
        .map(|step| BigRational::from_integer(step.into()) * &unit)
        .find(|candidate| candidate >= value)
        .unwrap_or_else(|| power_of_ten(order + 1))
}

/// Square root of a non-negative fraction, cut off (not rounded) after `digits` significant
/// digits; negative values have root zero. `exact` tells whether nothing was cut off.
#[must_use]
pub fn sqrt_down(value: &BigRational, digits: u32) -> (BigRational, bool) {
    let Some(order) = decimal_order(value) else {
        return (BigRational::zero(), true);
    };
    if value.is_negative() {
        return (BigRational::zero(), true);
    }
    let places = i32::try_from(digits).unwrap_or(i32::MAX) - order.div_euclid(2);
    let scaled = value * power_of_ten(places.saturating_mul(2));
    let whole = scaled.floor().to_integer();
    let root = whole.sqrt();
    let exact = scaled.is_integer() && &root * &root == whole;
    (
        BigRational::from_integer(root) * power_of_ten(-places),
        exact,
    )
}

/// A square root of at least `digits` digits that is not below the true one.
#[must_use]
pub fn sqrt_up(value: &BigRational, digits: u32) -> BigRational {
    let (root, exact) = sqrt_down(value, digits);
    if exact {
        return root;
    }
    let order = decimal_order(value).unwrap_or(0);
    let places = i32::try_from(digits).unwrap_or(i32::MAX) - order.div_euclid(2);
    root + power_of_ten(-places)
}

/// Square root rounded half-even to a multiple of `grid`, decided exactly: the result is the same
/// as if the root had been known to all its digits.
#[must_use]
pub fn sqrt_to_multiple(value: &BigRational, grid: &BigRational) -> BigRational {
    if grid.is_zero() || !value.is_positive() {
        return BigRational::zero();
    }
    // floor(sqrt(v)/g) = isqrt(floor(v/g^2)); compare v with ((q + 1/2) g)^2 for the tie.
    let ratio = value / (grid * grid);
    let floor = ratio.floor().to_integer().sqrt();
    let middle = BigRational::new(&floor * 2 + BigInt::one(), 2.into());
    let middle = &middle * &middle;
    let up = ratio > middle || (ratio == middle && floor.is_odd());
    let multiple = if up { floor + 1 } else { floor };
    BigRational::from_integer(multiple) * grid
}

/// Rounds half-even to the decimal place `10^place`.
#[must_use]
pub fn round_to_place(value: &BigRational, place: i32) -> BigRational {
    round_to_multiple(value, &power_of_ten(place))
}

/// Rounds half-even to `digits` significant digits.
#[must_use]
pub fn round_significant(value: &BigRational, digits: u32) -> BigRational {
    let Some(order) = decimal_order(value) else {
        return BigRational::zero();
    };
    round_to_place(value, order + 1 - i32::try_from(digits).unwrap_or(i32::MAX))
}

/// Plain decimal notation of a fraction that has finitely many decimals; trailing zeros stripped.
/// A fraction without is cut at 15 significant digits.
#[must_use]
pub fn to_decimal(value: &BigRational) -> String {
    let number = Number::from_rational(value)
        .or_else(|| Number::from_rational(&round_significant(value, SIGNIFICANT)));
    if let Some(number) = number {
        return number.to_string();
    }
    // Too long for 128 bits even at 15 digits: only far outside any codebook's bounds.
    round_half_even(value).to_string()
}
