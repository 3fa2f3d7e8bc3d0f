//! One value written as text becomes a value of the codebook's type, or is bad.
//!
//! Conversion is strict: nothing is guessed, cut off or wrapped. The one exception is the number of
//! digits after the point: numbers are rounded half to even to the codebook's scale. A [`Bad`] says
//! what was expected and never holds the value.

use jiff::civil::{Date, date};
use quorate_query::value::ColumnType;

/// Why a value could not be converted. Never the value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Bad {
    /// Not a whole number.
    #[error("is not a whole number")]
    Int,
    /// Not a decimal number.
    #[error("is not a number")]
    Number,
    /// Too large for the type.
    #[error("is a number too large for its type")]
    Range,
    /// Not a day.
    #[error("is not a day of the expected date_format")]
    Date,
    /// A time of day where a day is expected.
    #[error("has a time of day: write CAST(.. AS DATE) in the map")]
    TimeOfDay,
    /// Not true or false.
    #[error("is not true or false")]
    Bool,
    /// Missing in a column that the codebook requires.
    #[error("is missing, and the codebook says it never is")]
    Missing,
    /// Outside the closed domain of a column that the codebook requires.
    #[error("is not in the domain, so it would be missing, and the codebook says it never is")]
    Outside,
    /// Missing where the unit key is needed.
    #[error("is missing: a row must belong to someone")]
    Unit,
}

/// How numbers and days are written in a source.
#[derive(Clone, Debug)]
pub(crate) struct Spelling<'a> {
    /// The decimal character.
    pub(crate) decimal: u8,
    /// strftime form of a day.
    pub(crate) date_format: &'a str,
}

impl Spelling<'_> {
    /// How values are written that SQL or Parquet made.
    pub(crate) const PLAIN: Spelling<'static> = Spelling {
        decimal: b'.',
        date_format: ISO_DAY,
    };
}

/// The default form of a day.
pub(crate) const ISO_DAY: &str = "%Y-%m-%d";

/// A whole number; `63.0` and `1e2` are whole, `63.5` is not.
pub(crate) fn int(text: &str, decimal: u8) -> Result<i64, Bad> {
    if let Ok(plain) = text.parse::<i64>() {
        return Ok(plain);
    }
    let (mantissa, exponent) = number(text, decimal).ok_or(Bad::Int)?;
    let whole = if exponent >= 0 {
        scale_up(mantissa, exponent.unsigned_abs())?
    } else {
        let (quotient, rest) = scale_down(mantissa, exponent.unsigned_abs());
        if rest == Rest::Zero {
            quotient
        } else {
            return Err(Bad::Int);
        }
    };
    i64::try_from(whole).map_err(|_| Bad::Range)
}

/// The mantissa at `scale` digits after the point, rounded half to even.
pub(crate) fn decimal(text: &str, point: u8, scale: u32) -> Result<i128, Bad> {
    let (mantissa, exponent) = number(text, point).ok_or(Bad::Number)?;
    rescale(mantissa, exponent, scale)
}

/// `mantissa * 10^exponent` as a mantissa at `scale`, rounded half to even.
pub(crate) fn rescale(mantissa: i128, exponent: i32, scale: u32) -> Result<i128, Bad> {
    let shift = i64::from(exponent) + i64::from(scale);
    let steps = u32::try_from(shift.unsigned_abs()).map_err(|_| Bad::Range)?;
    let scaled = if shift >= 0 {
        scale_up(mantissa, steps)?
    } else {
        match scale_down(mantissa, steps) {
            (quotient, Rest::Zero | Rest::BelowHalf) => quotient,
            (quotient, Rest::Half) if quotient % 2 == 0 => quotient,
            (quotient, _) => quotient + mantissa.signum(),
        }
    };
    if scaled.unsigned_abs() < LIMIT {
        Ok(scaled)
    } else {
        Err(Bad::Range)
    }
}

/// A `Decimal128(38, _)` has at most 38 digits.
const LIMIT: u128 = 10_u128.pow(38);

/// A day.
pub(crate) fn day(text: &str, form: &str) -> Result<i32, Bad> {
    let parsed = if form == ISO_DAY {
        iso_day(text).ok_or(Bad::Date)?
    } else {
        Date::strptime(form, text).map_err(|_| Bad::Date)?
    };
    let since = date(1970, 1, 1).until(parsed).map_err(|_| Bad::Date)?;
    Ok(since.get_days())
}

/// True or false, as the common programs write them.
pub(crate) fn truth(text: &str) -> Result<bool, Bad> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(Bad::Bool),
    }
}

/// What a type is called in messages.
pub(crate) fn type_name(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Int => "int",
        ColumnType::Decimal { .. } => "decimal",
        ColumnType::Text => "text",
        ColumnType::Date => "date",
        ColumnType::Bool => "bool",
    }
}

/// `YYYY-MM-DD` without the general parser: most files have millions of these.
fn iso_day(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let digits = |from: usize, to: usize| -> Option<i16> {
        bytes.get(from..to)?.iter().try_fold(0_i16, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + i16::from(byte - b'0'))
        })
    };
    let month = i8::try_from(digits(5, 7)?).ok()?;
    let day = i8::try_from(digits(8, 10)?).ok()?;
    Date::new(digits(0, 4)?, month, day).ok()
}

/// Sign, digits, one decimal character, optional exponent: mantissa and exponent of ten.
fn number(text: &str, decimal: u8) -> Option<(i128, i32)> {
    let mut bytes = text.bytes().peekable();
    let negative = bytes.next_if(|b| matches!(b, b'+' | b'-')) == Some(b'-');
    let (mut mantissa, mut exponent, mut digits, mut point) = (0_i128, 0_i32, 0_u32, false);
    while let Some(byte) = bytes.next_if(|b| !matches!(b, b'e' | b'E')) {
        if byte == decimal && !point {
            point = true;
        } else if byte.is_ascii_digit() {
            digits += 1;
            mantissa = mantissa
                .checked_mul(10)?
                .checked_add(i128::from(byte - b'0'))?;
            exponent = exponent.checked_sub(i32::from(point))?;
        } else {
            return None;
        }
    }
    if digits == 0 {
        return None;
    }
    if bytes.next().is_some() {
        let rest: Vec<u8> = bytes.collect();
        let written: i32 = std::str::from_utf8(&rest).ok()?.parse().ok()?;
        exponent = exponent.checked_add(written)?;
    }
    Some((if negative { -mantissa } else { mantissa }, exponent))
}

/// `mantissa * 10^steps`.
fn scale_up(mantissa: i128, steps: u32) -> Result<i128, Bad> {
    if mantissa == 0 {
        return Ok(0);
    }
    let factor = 10_i128.checked_pow(steps).ok_or(Bad::Range)?;
    mantissa.checked_mul(factor).ok_or(Bad::Range)
}

/// What a division leaves.
#[derive(PartialEq, Eq)]
enum Rest {
    Zero,
    BelowHalf,
    Half,
    AboveHalf,
}

/// `mantissa / 10^steps` towards zero, and what is left.
fn scale_down(mantissa: i128, steps: u32) -> (i128, Rest) {
    let Some(divisor) = 10_i128.checked_pow(steps) else {
        let rest = if mantissa == 0 {
            Rest::Zero
        } else {
            Rest::BelowHalf
        };
        return (0, rest);
    };
    let left = (mantissa % divisor).unsigned_abs();
    let half = divisor.unsigned_abs() / 2;
    let rest = match left.cmp(&half) {
        _ if left == 0 => Rest::Zero,
        std::cmp::Ordering::Less => Rest::BelowHalf,
        std::cmp::Ordering::Equal => Rest::Half,
        std::cmp::Ordering::Greater => Rest::AboveHalf,
    };
    (mantissa / divisor, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_in_every_common_spelling() {
        for (text, value) in [
            ("63", 63),
            ("-5", -5),
            ("+7", 7),
            ("63.0", 63),
            ("1e+05", 100_000),
        ] {
            assert_eq!(int(text, b'.'), Ok(value), "{text}");
        }
        for text in ["", "-", ".", "63.5", "6 3", "0x10", "nan", "1e", "1,0"] {
            assert_eq!(int(text, b'.'), Err(Bad::Int), "{text}");
        }
        assert_eq!(int("9223372036854775808", b'.'), Err(Bad::Range));
        assert_eq!(int("1e300", b'.'), Err(Bad::Range));
    }

    #[test]
    fn decimals_round_half_to_even_at_the_scale() {
        for (text, value) in [
            ("2.345", 234),
            ("2.355", 236),
            ("-2.345", -234),
            ("2.3451", 235),
            ("7", 700),
        ] {
            assert_eq!(decimal(text, b'.', 2), Ok(value), "{text}");
        }
        assert_eq!(decimal("2,5", b',', 1), Ok(25));
        assert_eq!(decimal("2.5", b',', 1), Err(Bad::Number));
        assert_eq!(decimal("1e-60", b'.', 2), Ok(0));
        assert_eq!(decimal("1e38", b'.', 0), Err(Bad::Range));
    }

    #[test]
    fn days() {
        assert_eq!(day("1970-01-02", ISO_DAY), Ok(1));
        assert_eq!(day("02.01.1970", "%d.%m.%Y"), Ok(1));
        for text in ["1970-1-2", "1970-02-30", "1970/01/02", "x970-01-02", ""] {
            assert_eq!(day(text, ISO_DAY), Err(Bad::Date), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_at_the_scale_is_read_back(mantissa in -(10_i128.pow(37))..10_i128.pow(37), scale in 0_u32..10) {
            let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = scale as usize + 1);
            let (whole, part) = digits.split_at(digits.len() - scale as usize);
            let text = format!("{}{whole}.{part}", if mantissa < 0 { "-" } else { "" });
            prop_assert_eq!(decimal(&text, b'.', scale), Ok(mantissa));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = (int(&text, b'.'), decimal(&text, b',', 3), day(&text, ISO_DAY), truth(&text));
        }
    }
}
