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
    // The number of bits gives the order up to one; 1233 / 4096 is a little over log10(2).
    let bits = |n: &BigInt| i64::try_from(n.bits()).unwrap_or(i64::MAX >> 16);
    let estimate = (bits(value.numer()) - bits(value.denom())) * 1233 / 4096;
    let mut order = i32::try_from(estimate).unwrap_or(0);
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
    let unit = BigInt::from(10).pow(places.unsigned_abs());
    let square = &unit * &unit;
    let (numer, denom) = if places < 0 {
        (value.numer().clone(), value.denom() * square)
    } else {
        (value.numer() * square, value.denom().clone())
    };
    let (whole, rest) = numer.div_rem(&denom);
    let root = whole.sqrt();
    let exact = rest.is_zero() && &root * &root == whole;
    let root = if places < 0 {
        BigRational::from_integer(root * unit)
    } else {
        BigRational::new(root, unit)
    };
    (root, exact)
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
    at_place(value, place, |quotient, rest, divisor| {
        let twice = rest * 2;
        twice > *divisor || (twice == *divisor && quotient.is_odd())
    })
}

/// The greatest multiple of `10^place` that is not above the value.
#[must_use]
pub fn floor_to_place(value: &BigRational, place: i32) -> BigRational {
    at_place(value, place, |_, _, _| false)
}

/// The least multiple of `10^place` that is not below the value.
#[must_use]
pub fn ceil_to_place(value: &BigRational, place: i32) -> BigRational {
    at_place(value, place, |_, rest, _| !rest.is_zero())
}

/// The multiple of `10^place` at or below the value, or the next one if `up` says so of quotient,
/// rest and divisor. Whole numbers throughout: fractions are slow.
fn at_place(
    value: &BigRational,
    place: i32,
    up: impl Fn(&BigInt, &BigInt, &BigInt) -> bool,
) -> BigRational {
    let unit = BigInt::from(10).pow(place.unsigned_abs());
    let (numer, divisor) = if place < 0 {
        (value.numer() * &unit, value.denom().clone())
    } else {
        (value.numer().clone(), value.denom() * &unit)
    };
    let (mut quotient, rest) = numer.div_mod_floor(&divisor);
    if up(&quotient, &rest, &divisor) {
        quotient += 1;
    }
    if place < 0 {
        BigRational::new(quotient, unit)
    } else {
        BigRational::from_integer(quotient * unit)
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ratio(n: i64, d: i64) -> BigRational {
        BigRational::new(n.into(), d.into())
    }

    fn text(value: &BigRational) -> String {
        to_decimal(value)
    }

    #[test]
    fn ties_go_to_the_even_neighbour() {
        for (n, d, rounded) in [
            (1, 2, 0),
            (3, 2, 2),
            (5, 2, 2),
            (-1, 2, 0),
            (-3, 2, -2),
            (7, 4, 2),
        ] {
            assert_eq!(round_half_even(&ratio(n, d)), rounded.into(), "{n}/{d}");
        }
        assert_eq!(text(&round_to_multiple(&ratio(1, 10), &ratio(1, 5))), "0");
        assert_eq!(text(&round_to_multiple(&ratio(3, 10), &ratio(1, 5))), "0.4");
        assert_eq!(
            text(&round_significant(&ratio(2, 3), 15)),
            "0.666666666666667"
        );
        assert_eq!(text(&round_significant(&ratio(123_456, 1), 2)), "120000");
        assert_eq!(text(&round_to_place(&ratio(12_345, 100), -1)), "123.4");
    }

    #[test]
    fn grids_are_one_two_five() {
        for (n, d, grid) in [
            (1, 1, "1"),
            (11, 10, "2"),
            (2, 1, "2"),
            (21, 10, "5"),
            (5, 1, "5"),
            (51, 10, "10"),
            (3, 100, "0.05"),
            (1, 1000, "0.001"),
            (0, 1, "0"),
        ] {
            assert_eq!(text(&one_two_five_up(&ratio(n, d))), grid, "{n}/{d}");
        }
    }

    #[test]
    fn roots() {
        assert_eq!(text(&sqrt_down(&ratio(2, 1), 15).0), "1.414213562373095");
        assert_eq!(text(&sqrt_down(&ratio(9, 4), 15).0), "1.5");
        assert!(sqrt_down(&ratio(9, 4), 15).1 && !sqrt_down(&ratio(2, 1), 15).1);
        assert_eq!(text(&sqrt_up(&ratio(2, 1), 15)), "1.414213562373096");
        assert_eq!(text(&sqrt_down(&ratio(0, 1), 15).0), "0");
        // Roots 1.5 and 2.5 are ties on a grid of 1.
        assert_eq!(text(&sqrt_to_multiple(&ratio(9, 4), &ratio(1, 1))), "2");
        assert_eq!(text(&sqrt_to_multiple(&ratio(25, 4), &ratio(1, 1))), "2");
    }

    proptest! {
        #[test]
        fn orders(n in 1_i64..i64::MAX, d in 1_i64..1_000_000) {
            let value = ratio(n, d);
            let order = decimal_order(&value).unwrap();
            prop_assert!(power_of_ten(order) <= value && value < power_of_ten(order + 1));
            let small = value.recip();
            let order = decimal_order(&small).unwrap();
            prop_assert!(power_of_ten(order) <= small && small < power_of_ten(order + 1));
        }

        #[test]
        fn roots_enclose(n in 1_i64..i64::MAX, d in 1_i64..1_000_000) {
            let value = ratio(n, d);
            let (low, high) = (sqrt_down(&value, 10).0, sqrt_up(&value, 10));
            prop_assert!(&low * &low <= value && value <= &high * &high);
            prop_assert!((&high - &low) * power_of_ten(9) <= low);
        }

        #[test]
        fn a_root_on_a_grid_is_the_nearest(n in 0_i64..1_000_000, d in 1_i64..100, g in 1_i64..50) {
            let (value, grid) = (ratio(n, d), ratio(g, 10));
            let root = sqrt_to_multiple(&value, &grid);
            let half = &grid / BigRational::from_integer(2.into());
            let low = (&root - &half).max(BigRational::zero());
            let high = &root + &half;
            prop_assert!((&root / &grid).is_integer());
            prop_assert!(&low * &low <= value && value <= &high * &high);
        }
    }
}
