//! Functions of several columns inside the engine, and steps of aggregates: total, exact, and unable
//! to fail on data. On a missing value they are missing, but where their description says otherwise.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, PrimitiveArray,
};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use quorate_query::value::to_civil;

/// Wide numbers: sums of mantissas, and a date packed with a value.
const WIDE: DataType = DataType::Decimal128(38, 0);
/// Where the value begins in a packed pair: it takes 64 bits and one more for what is missing.
const PLACE: i128 = 1 << 65;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scalars {
    /// Days from the first date to the second.
    Days,
    /// Full years from the first date to the second.
    Years,
    /// The calendar year of a date.
    Year,
    /// The earliest date that is there.
    Least,
    /// The latest date that is there.
    Greatest,
    /// A mantissa as a wide number.
    Wide,
    /// A date and a mantissa as one wide number in their order; what is missing comes last. Never missing.
    Pack,
    /// The mantissa of a packed pair.
    Unpack,
    /// A wide sum by a number of rows, half to even, with so many more decimals: a wide number.
    Mean {
        /// Decimals beyond those of the sum.
        more: u32,
    },
    /// A wide number or mantissa within bounds, as a value of its column.
    Typed {
        /// Least mantissa.
        low: i128,
        /// Greatest mantissa.
        high: i128,
        /// Decimals of a decimal column; `None` for whole numbers.
        scale: Option<u32>,
    },
}

impl Scalars {
    /// The function applied to columns.
    pub(super) fn call(self, columns: Vec<Expr>) -> Expr {
        ScalarUDF::new_from_impl(Total {
            function: self,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
        .call(columns)
    }

    fn output(self) -> DataType {
        match self {
            Self::Days | Self::Years | Self::Year | Self::Unpack => DataType::Int64,
            Self::Least | Self::Greatest => DataType::Date32,
            Self::Wide | Self::Pack | Self::Mean { .. } => WIDE,
            Self::Typed { scale: None, .. } => DataType::Int64,
            Self::Typed {
                scale: Some(scale), ..
            } => DataType::Decimal128(38, i8::try_from(scale).unwrap_or(0)),
        }
    }

    fn apply(self, columns: &[ArrayRef]) -> Option<ArrayRef> {
        match (self, columns) {
            (Self::Days, [from, to]) => {
                let days = |from: i32, to: i32| Some(i64::from(to) - i64::from(from));
                of_dates(from, to, days)
            }
            (Self::Years, [from, to]) => of_dates(from, to, full_years),
            (Self::Year, [of]) => {
                let year = |day: i32| Some(i64::from(to_civil(day)?.year()));
                let days = of.as_primitive_opt::<Date32Type>()?;
                let years = days.iter().map(|day| year(day?));
                Some(Arc::new(Int64Array::from_iter(years)))
            }
            (Self::Least, all) => extreme(all, i32::min),
            (Self::Greatest, all) => extreme(all, i32::max),
            (Self::Wide, [of]) => {
                let of = of.as_primitive_opt::<Int64Type>()?;
                wide(of.iter().map(|value| Some(i128::from(value?))))
            }
            (Self::Pack, [date, value]) => {
                let dates = date.as_primitive_opt::<Date32Type>()?;
                let values = value.as_primitive_opt::<Int64Type>()?;
                let pairs = dates.iter().zip(values.iter());
                wide(pairs.map(|(date, value)| Some(pack(date, value))))
            }
            (Self::Unpack, [pair]) => {
                let pairs = pair.as_primitive_opt::<Decimal128Type>()?;
                let values = pairs.iter().map(|pair| unpack(pair?));
                Some(Arc::new(Int64Array::from_iter(values)))
            }
            (Self::Mean { more }, [sum, rows]) => {
                let sums = sum.as_primitive_opt::<Decimal128Type>()?;
                let rows = rows.as_primitive_opt::<Int64Type>()?;
                let pairs = sums.iter().zip(rows.iter());
                wide(pairs.map(|(sum, rows)| mean(sum?, rows?, more)))
            }
            (Self::Typed { low, high, scale }, [of]) => {
                let clamp = |value: i128| value.max(low).min(high);
                let values: Vec<Option<i128>> = match of.data_type() {
                    DataType::Int64 => {
                        let of = of.as_primitive_opt::<Int64Type>()?;
                        of.iter().map(|v| Some(clamp(i128::from(v?)))).collect()
                    }
                    _ => {
                        let of = of.as_primitive_opt::<Decimal128Type>()?;
                        of.iter().map(|v| Some(clamp(v?))).collect()
                    }
                };
                typed(values, scale)
            }
            _ => None,
        }
    }
}

fn of_dates(
    from: &ArrayRef,
    to: &ArrayRef,
    apply: impl Fn(i32, i32) -> Option<i64>,
) -> Option<ArrayRef> {
    let from = from.as_primitive_opt::<Date32Type>()?;
    let to = to.as_primitive_opt::<Date32Type>()?;
    let pairs = from.iter().zip(to.iter());
    let values = pairs.map(|(from, to)| apply(from?, to?));
    Some(Arc::new(Int64Array::from_iter(values)))
}

/// Full years: one more at each anniversary. Where the last month is too short for it, the anniversary
/// is its last day. Backwards they count the same, below zero.
fn full_years(from: i32, to: i32) -> Option<i64> {
    if from > to {
        return full_years(to, from).map(|years| -years);
    }
    let (from, to) = (to_civil(from)?, to_civil(to)?);
    let day = from.day().min(to.days_in_month());
    let months = 12 * (i64::from(to.year()) - i64::from(from.year())) + i64::from(to.month())
        - i64::from(from.month())
        - i64::from(to.day() < day);
    Some(months.div_euclid(12))
}

fn extreme(columns: &[ArrayRef], pick: fn(i32, i32) -> i32) -> Option<ArrayRef> {
    let (first, rest) = columns.split_first()?;
    let mut found: Vec<Option<i32>> = first.as_primitive_opt::<Date32Type>()?.iter().collect();
    for column in rest {
        let column = column.as_primitive_opt::<Date32Type>()?;
        for (best, next) in found.iter_mut().zip(column.iter()) {
            *best = match (*best, next) {
                (Some(a), Some(b)) => Some(pick(a, b)),
                (a, b) => a.or(b),
            };
        }
    }
    Some(Arc::new(Date32Array::from(found)))
}

fn wide(values: impl Iterator<Item = Option<i128>>) -> Option<ArrayRef> {
    let values: PrimitiveArray<Decimal128Type> = values.collect();
    Some(Arc::new(values.with_precision_and_scale(38, 0).ok()?))
}

fn pack(date: Option<i32>, value: Option<i64>) -> i128 {
    let date = date.map_or(1_i128 << 32, |day| i128::from(day) - i128::from(i32::MIN));
    let value = value.map_or(1_i128 << 64, |value| {
        i128::from(value) - i128::from(i64::MIN)
    });
    date * PLACE + value
}

fn unpack(pair: i128) -> Option<i64> {
    i64::try_from(pair.rem_euclid(PLACE) + i128::from(i64::MIN)).ok()
}

/// Half to even.
fn mean(sum: i128, rows: i64, more: u32) -> Option<i128> {
    let rows = i128::from(rows);
    let sum = sum.checked_mul(10_i128.checked_pow(more)?)?;
    let (floor, rest) = (sum.checked_div_euclid(rows)?, sum.checked_rem_euclid(rows)?);
    let up = match (2 * rest).cmp(&rows) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor.rem_euclid(2) == 1,
        std::cmp::Ordering::Greater => true,
    };
    Some(floor + i128::from(up))
}

fn typed(values: Vec<Option<i128>>, scale: Option<u32>) -> Option<ArrayRef> {
    match scale {
        None => {
            let ints = values.into_iter().map(|v| i64::try_from(v?).ok());
            Some(Arc::new(Int64Array::from_iter(ints)))
        }
        Some(scale) => {
            let values = Decimal128Array::from(values);
            let scale = i8::try_from(scale).ok()?;
            Some(Arc::new(values.with_precision_and_scale(38, scale).ok()?))
        }
    }
}

/// The face a [`Scalars`] shows to the engine.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    function: Scalars,
    signature: Signature,
}

impl ScalarUDFImpl for Total {
    fn name(&self) -> &'static str {
        match self.function {
            Scalars::Days => "days",
            Scalars::Years => "years",
            Scalars::Year => "year",
            Scalars::Least => "least",
            Scalars::Greatest => "greatest",
            Scalars::Wide => "wide",
            Scalars::Pack => "pack",
            Scalars::Unpack => "unpack",
            Scalars::Mean { .. } => "mean",
            Scalars::Typed { .. } => "typed",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.output())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        match self.function.apply(&arrays) {
            Some(array) => Ok(ColumnarValue::Array(array)),
            None => exec_err!("a column does not have its codebook's type"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quorate_query::value::from_civil;

    use super::*;

    fn day(text: &str) -> i32 {
        from_civil(text.parse().unwrap())
    }

    /// As DuckDB 2.0 counts them: `date_sub('year', from, to)`.
    #[test]
    fn full_years_count_anniversaries() {
        for (from, to, years) in [
            ("2000-02-29", "2001-02-28", 1),
            ("2000-02-29", "2001-03-01", 1),
            ("2000-02-29", "2004-02-28", 3),
            ("2000-02-29", "2004-02-29", 4),
            ("2000-06-15", "2020-06-14", 19),
            ("2000-06-15", "2020-06-15", 20),
            ("2020-06-15", "2000-06-14", -20),
            ("2020-06-15", "2000-06-16", -19),
            ("2001-02-28", "2000-02-29", -1),
        ] {
            assert_eq!(full_years(day(from), day(to)), Some(years), "{from} {to}");
        }
    }

    #[test]
    fn the_first_of_dates_passes_over_what_is_missing() {
        let dates = |all: &[Option<i32>]| Arc::new(Date32Array::from(all.to_vec())) as ArrayRef;
        let columns = [
            dates(&[Some(3), None, None, Some(1)]),
            dates(&[Some(2), Some(5), None, None]),
        ];
        let found = |function: Scalars| -> Vec<Option<i32>> {
            let found = function.apply(&columns).unwrap();
            found.as_primitive::<Date32Type>().iter().collect()
        };
        assert_eq!(found(Scalars::Least), [Some(2), Some(5), None, Some(1)]);
        assert_eq!(found(Scalars::Greatest), [Some(3), Some(5), None, Some(1)]);
    }

    #[test]
    fn means_round_half_to_even() {
        assert_eq!(mean(5, 2, 0), Some(2));
        assert_eq!(mean(7, 2, 0), Some(4));
        assert_eq!(mean(-5, 2, 0), Some(-2));
        assert_eq!(mean(2, 3, 2), Some(67));
        assert_eq!(mean(-2, 3, 2), Some(-67));
        assert_eq!(mean(1, 0, 0), None);
    }

    proptest! {
        /// Packed pairs are in the order of dates and then values, missing ones last, and give the
        /// value back.
        #[test]
        fn packed_pairs_keep_order_and_value(
            a in any::<(Option<i32>, Option<i64>)>(),
            b in any::<(Option<i32>, Option<i64>)>(),
        ) {
            let key = |(date, value): (Option<i32>, Option<i64>)| {
                (date.is_none(), date, value.is_none(), value)
            };
            prop_assert_eq!(pack(a.0, a.1).cmp(&pack(b.0, b.1)), key(a).cmp(&key(b)));
            prop_assert_eq!(unpack(pack(a.0, a.1)), a.1);
            prop_assert!(pack(a.0, a.1) < 10_i128.pow(38));
        }
    }
}
