//! The node's own functions inside the engine: total, exact, and unable to fail on data.
//!
//! The engine's arithmetic wraps, its LEAST forgets NULL, and its errors quote values. None of its
//! functions are used: what a typed question needs are these four, on NULL they are NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use quorate_query::value::{from_civil, to_civil};

/// Type of every mantissa: bounds and domains were proven to fit.
const MANTISSA: DataType = DataType::Int64;

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
                if let Some(bands) = self.edges(ints.len()) {
                    return Some(Arc::new(bands.of(ints)));
                }
                Some(Arc::new(Int64Array::from_iter(ints.iter().map(|v| {
                    i64::try_from(self.on_mantissa(i128::from(v?))?).ok()
                }))))
            }
            (Self::Mantissa, DataType::Int64) => Some(Arc::clone(array)),
            (Self::Clamp { low, high }, DataType::Int64) => {
                let ints = array.as_primitive_opt::<Int64Type>()?;
                let (low, high) = (saturated(low), saturated(high));
                let clamped = ints.unary::<_, Int64Type>(|value| value.max(low).min(high));
                Some(Arc::new(clamped))
            }
            (Self::Band { .. }, DataType::Decimal128(precision, scale)) => {
                let decimals = array.as_primitive_opt::<Decimal128Type>()?;
                let bands = decimals.iter().map(|value| self.on_mantissa(value?));
                let bands = Decimal128Array::from_iter(bands);
                let bands = bands.with_precision_and_scale(*precision, *scale).ok()?;
                Some(Arc::new(bands))
            }
            (Self::Mantissa | Self::Clamp { .. }, DataType::Decimal128(..)) => {
                let decimals = array.as_primitive_opt::<Decimal128Type>()?;
                let value = |value| self.on_mantissa(value).map_or(0, saturated);
                Some(Arc::new(decimals.unary::<_, Int64Type>(value)))
            }
            _ => None,
        }
    }

    /// The lower edge of every whole number within the bounds, if these are few beside so many rows.
    fn edges(self, rows: usize) -> Option<Edges> {
        let Self::Band {
            bounds: Some((low, high)),
            ..
        } = self
        else {
            return None;
        };
        let (least, most) = (i64::try_from(low).ok()?, i64::try_from(high).ok()?);
        let few = usize::try_from(most.checked_sub(least)?).ok()? < rows / 8;
        let edge = |value: i64| i64::try_from(self.on_mantissa(value.into())?).ok();
        let edges = few.then(|| (least..=most).map(edge).collect::<Option<Vec<i64>>>())??;
        (!edges.is_empty()).then_some(Edges { least, most, edges })
    }

    fn output(self, input: &DataType) -> DataType {
        match self {
            Self::Band { .. } | Self::Period { .. } => input.clone(),
            Self::Mantissa | Self::Clamp { .. } => MANTISSA,
        }
    }
}

/// The band of every value within bounds, looked up by place.
struct Edges {
    least: i64,
    most: i64,
    edges: Vec<i64>,
}

impl Edges {
    fn of(&self, ints: &Int64Array) -> Int64Array {
        ints.unary(|value| {
            let place = value
                .max(self.least)
                .min(self.most)
                .wrapping_sub(self.least);
            let edge = usize::try_from(place).ok();
            let edge = edge.and_then(|place| self.edges.get(place));
            // of a value within the bounds there is one
            edge.copied().unwrap_or(self.least)
        })
    }
}

/// The nearest number of 64 bits.
fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
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

    /// Looked up by place, or worked out one by one: the same.
    #[test]
    fn bands_within_few_values_are_looked_up() {
        let values = (-300..300_i64).chain([i64::MIN, i64::MAX]);
        let values: Vec<Option<i64>> = values.map(|v| (v % 7 != 0).then_some(v)).collect();
        let input: ArrayRef = Arc::new(Int64Array::from(values.clone()));
        for (low, high, width) in [(-7, 12, 5), (0, 60, 10), (3, 3, 2), (-20, -1, 100)] {
            let band = Function::Band {
                bounds: Some((low, high)),
                width,
            };
            assert!(band.edges(values.len()).is_some());
            let out = band.apply(&input).unwrap();
            let out: Vec<_> = out.as_primitive::<Int64Type>().iter().collect();
            let plain = |v: &Option<i64>| {
                let edge = band.on_mantissa(i128::from((*v)?))?;
                i64::try_from(edge).ok()
            };
            assert_eq!(out, values.iter().map(plain).collect::<Vec<_>>());
        }
        let wide = Function::Band {
            bounds: Some((0, 1000)),
            width: 5,
        };
        assert!(wide.edges(values.len()).is_none());
        let turned = Function::Band {
            bounds: Some((5, 0)),
            width: 5,
        };
        assert!(turned.edges(values.len()).is_none());
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
    fn clamped_values_are_mantissas_and_null_stays_missing() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(-9), None, Some(3), Some(9)]));
        let decimals = Decimal128Array::from(vec![Some(-90), None, Some(3), Some(i128::MAX)]);
        let decimals = decimals.with_precision_and_scale(38, 1).unwrap();
        let apply = |f: Function, input: &ArrayRef| -> Vec<Option<i64>> {
            f.apply(input)
                .unwrap()
                .as_primitive::<Int64Type>()
                .iter()
                .collect()
        };
        let expected = vec![Some(-2), None, Some(3), Some(5)];
        let clamp = Function::Clamp { low: -2, high: 5 };
        assert_eq!(apply(clamp, &ints), expected);
        let decimals: ArrayRef = Arc::new(decimals);
        assert_eq!(apply(clamp, &decimals), expected);
        let plain = vec![Some(-90), None, Some(3), Some(i64::MAX)];
        assert_eq!(apply(Function::Mantissa, &decimals), plain);
        assert_eq!(apply(Function::Mantissa, &ints)[0], Some(-9));
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
