//! Numbers as decimal strings: no more digits than the interval supports.

use num_rational::BigRational;
use num_traits::Zero;

use crate::measure::interval::Interval;
use crate::rational::{
    SIGNIFICANT, ceil_to_place, decimal_order, floor_to_place, round_significant, round_to_place,
    to_decimal,
};

/// How the digits of a value are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    /// Unprotected: 15 significant digits, no rounding by an interval.
    Exact,
    /// Counts: whole numbers, printed as they add up.
    Whole,
    /// Everything else: down to the decimal place of half the interval's width.
    Supported,
}

/// A value with its limits, as text.
pub(super) struct Printed {
    pub(super) value: String,
    pub(super) lower: String,
    pub(super) upper: String,
}

/// Prints a value and its interval; limits are rounded outwards and never exclude the value.
pub(super) fn print(interval: &Interval, digits: Digits) -> Printed {
    let half = interval.half_width();
    let (value, low, high) = match digits {
        Digits::Exact => {
            let value = round_significant(&interval.value, SIGNIFICANT);
            (value.clone(), value.clone(), value)
        }
        Digits::Whole => (
            interval.value.clone(),
            interval.low.clone(),
            interval.high.clone(),
        ),
        Digits::Supported => match decimal_order(&half) {
            None => {
                let value = round_significant(&interval.value, SIGNIFICANT);
                (value.clone(), value.clone(), value)
            }
            Some(place) => {
                let value = round_to_place(&interval.value, place);
                let low = floor_to_place(&interval.low, place - 1);
                let high = ceil_to_place(&interval.high, place - 1);
                (value, low, high)
            }
        },
    };
    let low = low.min(value.clone());
    let high = high.max(value.clone());
    Printed {
        value: decimal(&value),
        lower: decimal(&low),
        upper: decimal(&high),
    }
}

fn decimal(value: &BigRational) -> String {
    if value.is_zero() {
        "0".to_owned()
    } else {
        to_decimal(value)
    }
}
