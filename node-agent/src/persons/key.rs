//! The unit key of a person in one canonical spelling, whatever the type of the column it stands in.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use quorate_query::value::Scalar;

/// A unit key. Equal keys are equal whichever table they come from: 17 and 17.0 are one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitKey {
    /// A whole number of 64 bits.
    Int(i64),
    /// Anything else: a letter for its type, then its value.
    Other(Vec<u8>),
}

impl UnitKey {
    /// The letter of texts.
    pub(super) const TEXT: u8 = b't';

    /// The key of a typed value; `None` if it is missing.
    #[must_use]
    pub fn of(value: &Scalar) -> Option<Self> {
        Some(match value {
            Scalar::Null => return None,
            Scalar::Number(number) => match u32::try_from(number.exponent()) {
                Ok(zeros) => {
                    let ten = 10_i128.checked_pow(zeros);
                    let whole = ten.and_then(|ten| number.mantissa().checked_mul(ten));
                    whole.map_or_else(
                        || Self::other(b'e', format!("{number:?}").as_bytes()),
                        |whole| Self::number(whole, 0),
                    )
                }
                Err(_) => Self::number(number.mantissa(), number.exponent().unsigned_abs()),
            },
            Scalar::Date(days) => Self::other(b'd', &days.to_be_bytes()),
            Scalar::Bool(truth) => Self::other(b'b', &[u8::from(*truth)]),
            Scalar::Text(text) => Self::other(Self::TEXT, text.as_bytes()),
        })
    }

    /// The key in a row of a typed column; `None` if it is missing or of a type no key has.
    pub(super) fn at(array: &ArrayRef, row: usize) -> Option<Self> {
        if array.is_null(row) {
            return None;
        }
        Some(match array.data_type() {
            DataType::Int64 => Self::Int(array.as_primitive_opt::<Int64Type>()?.value(row)),
            DataType::Decimal128(_, scale) => {
                let value = array.as_primitive_opt::<Decimal128Type>()?.value(row);
                Self::number(value, u32::try_from(*scale).ok()?)
            }
            DataType::Date32 => {
                let days = array.as_primitive_opt::<Date32Type>()?.value(row);
                Self::other(b'd', &days.to_be_bytes())
            }
            DataType::Boolean => Self::other(b'b', &[u8::from(array.as_boolean_opt()?.value(row))]),
            DataType::Utf8 => Self::other(
                Self::TEXT,
                array.as_string_opt::<i32>()?.value(row).as_bytes(),
            ),
            _ => return None,
        })
    }

    /// The bytes that stand for the key under the population's HMAC.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Int(value) => [&b"i"[..], &value.to_be_bytes()].concat(),
            Self::Other(bytes) => bytes.clone(),
        }
    }

    fn number(mut mantissa: i128, mut scale: u32) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        match (i64::try_from(mantissa), scale) {
            (Ok(whole), 0) => Self::Int(whole),
            _ => {
                let digits = [mantissa.to_be_bytes().as_slice(), &scale.to_be_bytes()].concat();
                Self::other(b'n', &digits)
            }
        }
    }

    fn other(kind: u8, value: &[u8]) -> Self {
        Self::Other([&[kind], value].concat())
    }
}
