//! Fractions, and how decimals are printed.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

/// `numerator / denominator`.
pub(crate) fn ratio(numerator: i128, denominator: i128) -> BigRational {
    BigRational::new(BigInt::from(numerator), BigInt::from(denominator))
}

/// A whole number.
pub(crate) fn whole(value: i128) -> BigRational {
    BigRational::from_integer(BigInt::from(value))
}

/// `10^exponent`.
pub(crate) fn ten(exponent: i32) -> BigRational {
    let power = BigRational::from_integer(BigInt::from(10).pow(exponent.unsigned_abs()));
    if exponent < 0 { power.recip() } else { power }
}

/// A decimal text as a fraction.
pub(crate) fn decimal(text: &str) -> BigRational {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: BigInt = format!("{digits}{fraction}")
        .parse()
        .unwrap_or_else(|_| panic!("{text}"));
    let places = i32::try_from(fraction.len()).unwrap();
    BigRational::from_integer(number) * ten(-places)
}

/// The nearest multiple of `step`, ties to the even one.
pub(crate) fn nearest(value: &BigRational, step: &BigRational) -> BigRational {
    let quotient = value / step;
    let floor = quotient.floor();
    let rest = &quotient - &floor;
    let half = ratio(1, 2);
    let even = (floor.to_integer() % BigInt::from(2)).is_zero();
    let up = rest > half || (rest == half && !even);
    (if up {
        floor + BigRational::one()
    } else {
        floor
    }) * step
}

/// The nearest multiple of `step` to the square root of `square`, ties to the even one.
pub(crate) fn nearest_root(square: &BigRational, step: &BigRational) -> BigRational {
    let scaled = square / (step * step);
    let root = (scaled.numer() / scaled.denom()).sqrt();
    let root = BigRational::from_integer(root);
    let middle = &root + ratio(1, 2);
    let middle_square = &middle * &middle;
    let even = (root.to_integer() % BigInt::from(2)).is_zero();
    let up = scaled > middle_square || (scaled == middle_square && !even);
    (if up { root + BigRational::one() } else { root }) * step
}

/// The exponent of the first digit of a positive number.
pub(crate) fn magnitude(value: &BigRational) -> i32 {
    let value = value.abs();
    assert!(!value.is_zero(), "zero has no first digit");
    let mut exponent = 0;
    while ten(exponent) > value {
        exponent -= 1;
    }
    while ten(exponent + 1) <= value {
        exponent += 1;
    }
    exponent
}

/// Rounded to 15 significant digits, as exact answers are printed.
pub(crate) fn fifteen(value: &BigRational) -> BigRational {
    if value.is_zero() {
        return BigRational::zero();
    }
    nearest(value, &ten(magnitude(value) - 14))
}

/// The square root, rounded to 15 significant digits.
pub(crate) fn fifteen_root(square: &BigRational) -> BigRational {
    if square.is_zero() {
        return BigRational::zero();
    }
    // two digits more find the first digit of the root; rounding once is done from the square
    let rough = nearest_root(square, &ten(magnitude(square).div_euclid(2) - 20));
    nearest_root(square, &ten(magnitude(&rough) - 14))
}

/// The nearest fraction of 1, 2 or 5 times a power of ten that is at least `value`.
pub(crate) fn one_two_five(value: &BigRational) -> BigRational {
    let base = ten(magnitude(value));
    [1, 2, 5, 10]
        .into_iter()
        .map(|step| whole(step) * &base)
        .find(|step| step >= value)
        .unwrap_or_else(|| panic!("no step above {value}"))
}

/// The value with the digits that an interval supports.
pub(crate) fn printed(value: &BigRational, low: &BigRational, high: &BigRational) -> BigRational {
    let half = (high - low) / whole(2);
    if half.is_zero() {
        return fifteen(value);
    }
    nearest(value, &ten(magnitude(&half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_to_even_and_roots_are_exact() {
        assert_eq!(nearest(&decimal("2.5"), &whole(1)), whole(2));
        assert_eq!(nearest(&decimal("-3.5"), &whole(1)), whole(-4));
        assert_eq!(
            nearest(&decimal("0.074"), &decimal("0.05")),
            decimal("0.05")
        );
        assert_eq!(nearest_root(&whole(2), &decimal("0.01")), decimal("1.41"));
        assert_eq!(nearest_root(&decimal("2.25"), &whole(1)), whole(2));
        assert_eq!(fifteen_root(&whole(2)), decimal("1.41421356237310"));
        assert_eq!(fifteen(&ratio(200_000, 3)), decimal("66666.6666666667"));
        assert_eq!(one_two_five(&decimal("0.021")), decimal("0.05"));
        assert_eq!(one_two_five(&decimal("0.2")), decimal("0.2"));
        assert_eq!(magnitude(&decimal("0.04")), -2);
    }
}
