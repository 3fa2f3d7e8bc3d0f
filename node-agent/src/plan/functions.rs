//! The node's own functions inside the engine: total, exact, and unable to fail on data.
//!
//! The engine's arithmetic wraps, its LEAST forgets NULL, and its errors quote values. None of its
//! functions are used: what a typed question needs are these five, on NULL they are NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use quorate_query::value::{from_civil, to_civil};

/// Type of every mantissa that is summed.
pub(super) const MANTISSA: DataType = DataType::Decimal128(38, 0);

/// What is computed from one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Function {
    /// The mantissa at the column's scale.
    Mantissa,
    /// The mantissa, clamped to bounds.
    Clamp {
        /// Least.
        low: i128,
        /// Greatest.
        high: i128,
    },
    /// The square of the clamped mantissa.
    Square {
        /// Least, before squaring.
        low: i128,
        /// Greatest, before squaring.
        high: i128,
    },
    /// The lower edge of the band that the clamped value lies in; keeps the column's type.
    Band {
        /// Bounds of the column, if it has any.
        bounds: Option<(i128, i128)>,
        /// Width of the bands.
        width: i128,
    },
    /// The first day of the period of this many months (1, 3 or 12).
    Period {
        /// Length in months.
        months: i8,
    },
}

impl Function {
    /// The function applied to a column.
    pub(super) fn call(self, column: Expr) -> Expr {
        ScalarUDF::new_from_impl(Total {
            function: self,
            signature: Signature::any(1, Volatility::Immutable),
        })
        .call(vec![column])
    }

    fn on_mantissa(self, value: i128) -> Option<i128> {
        match self {
            Self::Mantissa => Some(value),
            Self::Clamp { low, high } => Some(value.max(low).min(high)),
            Self::Square { low, high } => {
                let clamped = value.max(low).min(high);
                clamped.checked_mul(clamped)
            }
            Self::Band { bounds, width } => {
                let clamped = bounds.map_or(value, |(low, high)| value.max(low).min(high));
                clamped.checked_sub(clamped.checked_rem_euclid(width)?)
            }
            Self::Period { .. } => None,
        }
    }

    fn apply(self, array: &ArrayRef) -> Option<ArrayRef> {
        match (self, array.data_type()) {
            (Self::Period { months }, DataType::Date32) => {
                let days = array.as_primitive_opt::<Date32Type>()?;
                Some(Arc::new(Date32Array::from_iter(
                    days.iter().map(|day| first_day(day?, months)),
                )))
            }
            (Self::Band { .. }, DataType::Int64) => {
                let ints = array.as_primitive_opt::<Int64Type>()?;
                Some(Arc::new(Int64Array::from_iter(ints.iter().map(|v| {
                    i64::try_from(self.on_mantissa(i128::from(v?))?).ok()
                }))))
            }
            (_, DataType::Int64) => {
                let ints = array.as_primitive_opt::<Int64Type>()?;
                let out = ints.iter().map(|v| self.on_mantissa(i128::from(v?)));
                Some(Arc::new(mantissas(
                    out.collect(),
                    self.output(array.data_type()),
                )?))
            }
            (_, DataType::Decimal128(..)) => {
                let decimals = array.as_primitive_opt::<Decimal128Type>()?;
                let out = decimals.iter().map(|v| self.on_mantissa(v?));
                Some(Arc::new(mantissas(
                    out.collect(),
                    self.output(array.data_type()),
                )?))
            }
            _ => None,
        }
    }

    fn output(self, input: &DataType) -> DataType {
        match self {
            Self::Band { .. } | Self::Period { .. } => input.clone(),
            Self::Mantissa | Self::Clamp { .. } | Self::Square { .. } => MANTISSA,
        }
    }
}

fn mantissas(values: Vec<Option<i128>>, ty: DataType) -> Option<Decimal128Array> {
    let DataType::Decimal128(precision, scale) = ty else {
        return None;
    };
    Decimal128Array::from(values)
        .with_precision_and_scale(precision, scale)
        .ok()
}

/// First day of the period that a day lies in; `None` far outside any calendar.
fn first_day(day: i32, months: i8) -> Option<i32> {
    let date = to_civil(day)?;
    let month = date.month() - (date.month() - 1) % months;
    jiff::civil::Date::new(date.year(), month, 1)
        .ok()
        .map(from_civil)
}

/// The face a [`Function`] shows to the engine.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    function: Function,
    signature: Signature,
}

impl ScalarUDFImpl for Total {
    fn name(&self) -> &'static str {
        match self.function {
            Function::Mantissa => "mantissa",
            Function::Clamp { .. } => "clamp",
            Function::Square { .. } => "square",
            Function::Band { .. } => "band",
            Function::Period { .. } => "period",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [one] => Ok(self.function.output(one)),
            _ => exec_err!("one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        match arrays.first().and_then(|array| self.function.apply(array)) {
            Some(array) => Ok(ColumnarValue::Array(array)),
            None => exec_err!("a column does not have its codebook's type"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(dates: &[&str]) -> Vec<Option<i32>> {
        dates
            .iter()
            .map(|d| Some(from_civil(d.parse().unwrap())))
            .collect()
    }

    #[test]
    fn bands_floor_towards_minus_infinity_and_clamp_first() {
        let band = Function::Band {
            bounds: Some((-7, 12)),
            width: 5,
        };
        let input: ArrayRef = Arc::new(Int64Array::from(vec![
            Some(-100),
            Some(-1),
            None,
            Some(0),
            Some(9),
            Some(99),
        ]));
        let out = band.apply(&input).unwrap();
        let out: Vec<_> = out.as_primitive::<Int64Type>().iter().collect();
        assert_eq!(
            out,
            vec![Some(-10), Some(-5), None, Some(0), Some(5), Some(10)]
        );
        let free = Function::Band {
            bounds: None,
            width: 10,
        };
        let extreme: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
        let out = free.apply(&extreme).unwrap();
        let out: Vec<_> = out.as_primitive::<Int64Type>().iter().collect();
        assert_eq!(out, vec![None, Some(i64::MAX - 7)]);
    }

    #[test]
    fn bands_of_decimals_keep_their_type() {
        let band = Function::Band {
            bounds: None,
            width: 50,
        };
        let input: ArrayRef = Arc::new(
            Decimal128Array::from(vec![149, -1])
                .with_precision_and_scale(38, 2)
                .unwrap(),
        );
        let out = band.apply(&input).unwrap();
        assert_eq!(out.data_type(), &DataType::Decimal128(38, 2));
        assert_eq!(
            out.as_primitive::<Decimal128Type>().values().to_vec(),
            vec![100, -50]
        );
    }

    #[test]
    fn clamp_and_square_keep_null_missing() {
        let input: ArrayRef = Arc::new(Int64Array::from(vec![Some(-9), None, Some(3), Some(9)]));
        let apply = |f: Function| -> Vec<Option<i128>> {
            f.apply(&input)
                .unwrap()
                .as_primitive::<Decimal128Type>()
                .iter()
                .collect()
        };
        assert_eq!(
            apply(Function::Clamp { low: -2, high: 5 }),
            vec![Some(-2), None, Some(3), Some(5)]
        );
        assert_eq!(
            apply(Function::Square { low: -2, high: 5 }),
            vec![Some(4), None, Some(9), Some(25)]
        );
    }

    #[test]
    fn periods_start_on_their_first_day() {
        let input: ArrayRef = Arc::new(Date32Array::from(days(&[
            "2024-02-29",
            "2024-12-31",
            "1969-05-05",
        ])));
        let apply = |months| -> Vec<Option<i32>> {
            let out = Function::Period { months }.apply(&input).unwrap();
            out.as_primitive::<Date32Type>().iter().collect()
        };
        assert_eq!(apply(1), days(&["2024-02-01", "2024-12-01", "1969-05-01"]));
        assert_eq!(apply(3), days(&["2024-01-01", "2024-10-01", "1969-04-01"]));
        assert_eq!(apply(12), days(&["2024-01-01", "2024-01-01", "1969-01-01"]));
    }
}
