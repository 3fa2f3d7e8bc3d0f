//! Whole columns become the codebook's types, and values outside a closed domain become missing.
//!
//! The rules for single values are in [`super::value`]. What it must not know: files and maps.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Date32Builder, Decimal128Builder,
    Int64Builder, StringBuilder, new_null_array,
};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int64Type, Schema, SchemaRef,
    TimeUnit, TimestampMicrosecondType,
};
use quorate_query::codebook::{Column, Table};
use quorate_query::value::{ColumnType, Scalar};

use super::value::{self, Bad, Spelling};

/// The Arrow type that stands for a codebook type.
pub(crate) fn arrow_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Int => DataType::Int64,
        ColumnType::Decimal { scale } => DataType::Decimal128(38, i8::try_from(scale).unwrap_or(9)),
        ColumnType::Text => DataType::Utf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Bool => DataType::Boolean,
    }
}

/// A codebook table's columns, in order of their names.
pub(crate) fn schema(table: &Table) -> SchemaRef {
    let columns = table.columns.iter();
    let fields = columns.map(|(name, column)| Field::new(name, arrow_type(column.ty), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A column under construction, from text.
pub(crate) enum Builder {
    Int(Int64Builder),
    Decimal(Decimal128Builder, u32),
    Text(StringBuilder),
    Date(Date32Builder),
    Bool(BooleanBuilder),
}

impl Builder {
    /// An empty column.
    pub(crate) fn new(ty: ColumnType) -> Self {
        match ty {
            ColumnType::Int => Self::Int(Int64Builder::new()),
            ColumnType::Decimal { scale } => {
                let builder = Decimal128Builder::new().with_data_type(arrow_type(ty));
                Self::Decimal(builder, scale)
            }
            ColumnType::Text => Self::Text(StringBuilder::new()),
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Bool => Self::Bool(BooleanBuilder::new()),
        }
    }

    /// Adds a value; a bad one is added as missing and returned.
    pub(crate) fn push(&mut self, text: Option<&str>, spelling: &Spelling<'_>) -> Result<(), Bad> {
        let trimmed = text.map(str::trim_ascii);
        match self {
            Self::Int(to) => put(trimmed.map(|t| value::int(t, spelling.decimal)), |v| {
                to.append_option(v)
            }),
            Self::Decimal(to, scale) => {
                let parsed = trimmed.map(|t| value::decimal(t, spelling.decimal, *scale));
                put(parsed, |v| to.append_option(v))
            }
            Self::Text(to) => put(text.map(Ok), |v| to.append_option(v)),
            Self::Date(to) => put(trimmed.map(|t| value::day(t, spelling.date_format)), |v| {
                to.append_option(v)
            }),
            Self::Bool(to) => put(trimmed.map(value::truth), |v| to.append_option(v)),
        }
    }

    /// The column so far; the builder starts anew.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int(from) => Arc::new(from.finish()),
            Self::Decimal(from, _) => Arc::new(from.finish()),
            Self::Text(from) => Arc::new(from.finish()),
            Self::Date(from) => Arc::new(from.finish()),
            Self::Bool(from) => Arc::new(from.finish()),
        }
    }
}

/// Adds what was parsed, or a missing value if it is bad.
fn put<T>(parsed: Option<Result<T, Bad>>, append: impl FnOnce(Option<T>)) -> Result<(), Bad> {
    match parsed {
        Some(Err(bad)) => {
            append(None);
            Err(bad)
        }
        parsed => {
            append(parsed.and_then(Result::ok));
            Ok(())
        }
    }
}

/// A column of the codebook's type, and the rows whose values were bad (and are missing now).
pub(crate) struct Converted {
    pub(crate) array: ArrayRef,
    pub(crate) bad: Vec<(usize, Bad)>,
}

/// A column whose very type cannot become the codebook's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch(pub(crate) DataType);

/// Converts a column that SQL or Parquet made.
pub(crate) fn convert(array: &ArrayRef, ty: ColumnType) -> Result<Converted, Mismatch> {
    let target = arrow_type(ty);
    let from = array.data_type().clone();
    let mismatch = || Mismatch(from.clone());
    if from == target {
        return Ok(Converted {
            array: Arc::clone(array),
            bad: Vec::new(),
        });
    }
    let like = |to: &DataType| cast(array, to).map_err(|_| mismatch());
    match (&from, ty) {
        (DataType::Null, _) => Ok(Converted {
            array: new_null_array(&target, array.len()),
            bad: Vec::new(),
        }),
        (text, ty) if is_text(text) => Ok(from_text(&like(&DataType::Utf8)?, ty)),
        (whole, ColumnType::Int) if whole.is_integer() => Ok(widened(array, like(&target)?)),
        (whole, ColumnType::Text) if whole.is_integer() => Ok(widened(array, like(&target)?)),
        (whole, ColumnType::Bool) if whole.is_integer() => {
            let whole = like(&DataType::Int64)?;
            Ok(by_row(&whole, ty, |row, text| {
                write!(text, "{}", whole.as_primitive::<Int64Type>().value(row))
            }))
        }
        (whole, ColumnType::Decimal { scale }) if whole.is_integer() => Ok(from_decimals(
            array,
            &like(&DataType::Decimal128(38, 0))?,
            0,
            Some(scale),
        )),
        (real, ColumnType::Int | ColumnType::Decimal { .. }) if real.is_floating() => {
            Ok(from_reals(&like(&DataType::Float64)?, ty))
        }
        (
            DataType::Decimal32(_, s)
            | DataType::Decimal64(_, s)
            | DataType::Decimal128(_, s)
            | DataType::Decimal256(_, s),
            ColumnType::Int | ColumnType::Decimal { .. },
        ) => {
            let scale = if let ColumnType::Decimal { scale } = ty {
                Some(scale)
            } else {
                None
            };
            Ok(from_decimals(
                array,
                &like(&DataType::Decimal128(38, *s))?,
                *s,
                scale,
            ))
        }
        (DataType::Timestamp(..) | DataType::Date64, ColumnType::Date) => {
            let micros = like(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
            Ok(from_moments(&micros))
        }
        _ => Err(mismatch()),
    }
}

/// Whether a column type holds text, also behind a dictionary.
fn is_text(ty: &DataType) -> bool {
    match ty {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A cast that can only fail by being too large, which leaves a missing value.
fn widened(from: &ArrayRef, array: ArrayRef) -> Converted {
    let lost = |row: &usize| array.is_null(*row) && !from.is_null(*row);
    let bad = if array.null_count() > from.null_count() {
        (0..array.len())
            .filter(lost)
            .map(|row| (row, Bad::Range))
            .collect()
    } else {
        Vec::new()
    };
    Converted { array, bad }
}

fn from_text(texts: &ArrayRef, ty: ColumnType) -> Converted {
    let texts = texts.as_string::<i32>();
    by_row(texts, ty, |row, text| text.write_str(texts.value(row)))
}

/// Floating point numbers as the shortest decimal that reads back as them; NaN is missing.
fn from_reals(reals: &ArrayRef, ty: ColumnType) -> Converted {
    let reals = reals.as_primitive::<Float64Type>();
    let nan = BooleanArray::from_unary(reals, f64::is_nan);
    let numbers = nullif(reals, &nan).unwrap_or_else(|_| Arc::new(reals.clone()));
    by_row(&numbers, ty, |row, text| {
        write!(text, "{:e}", reals.value(row))
    })
}

/// Row by row through text.
fn by_row(
    from: &dyn Array,
    ty: ColumnType,
    write: impl Fn(usize, &mut String) -> std::fmt::Result,
) -> Converted {
    let (mut builder, mut bad, mut text) = (Builder::new(ty), Vec::new(), String::new());
    for row in 0..from.len() {
        text.clear();
        let present = !from.is_null(row) && write(row, &mut text).is_ok();
        if let Err(what) = builder.push(present.then_some(text.as_str()), &Spelling::PLAIN) {
            bad.push((row, what));
        }
    }
    Converted {
        array: builder.finish(),
        bad,
    }
}

/// From a decimal of `scale` to `to` digits after the point, or to whole numbers.
fn from_decimals(from: &ArrayRef, decimals: &ArrayRef, scale: i8, to: Option<u32>) -> Converted {
    let ty = to.map_or(ColumnType::Int, |scale| ColumnType::Decimal { scale });
    let exponent = -i32::from(scale);
    let decimals_typed = decimals.as_primitive::<Decimal128Type>();
    let (mut builder, mut bad) = (Builder::new(ty), Vec::new());
    for row in 0..decimals.len() {
        let outcome = if from.is_null(row) {
            builder.push(None, &Spelling::PLAIN)
        } else if decimals.is_null(row) {
            builder.push(None, &Spelling::PLAIN).and(Err(Bad::Range))
        } else {
            builder.push_number(decimals_typed.value(row), exponent)
        };
        if let Err(what) = outcome {
            bad.push((row, what));
        }
    }
    Converted {
        array: builder.finish(),
        bad,
    }
}

impl Builder {
    /// Adds `mantissa * 10^exponent` to a column of numbers.
    fn push_number(&mut self, mantissa: i128, exponent: i32) -> Result<(), Bad> {
        match self {
            Self::Int(to) => {
                let number = quorate_query::number::Number::new(mantissa, exponent);
                let whole = number.at_scale(0).ok_or(Bad::Int);
                let whole = whole.and_then(|whole| i64::try_from(whole).map_err(|_| Bad::Range));
                put(Some(whole), |v| to.append_option(v))
            }
            Self::Decimal(to, scale) => {
                put(Some(value::rescale(mantissa, exponent, *scale)), |v| {
                    to.append_option(v)
                })
            }
            Self::Text(_) | Self::Date(_) | Self::Bool(_) => Err(Bad::Number),
        }
    }
}

/// Moments at midnight are days; others are bad.
fn from_moments(moments: &ArrayRef) -> Converted {
    const DAY: i64 = 86_400_000_000;
    let micros = moments.as_primitive::<TimestampMicrosecondType>();
    let (mut builder, mut bad) = (Date32Builder::new(), Vec::new());
    for (row, moment) in micros.iter().enumerate() {
        let day = moment.map(|m| match i32::try_from(m.div_euclid(DAY)) {
            _ if m.rem_euclid(DAY) != 0 => Err(Bad::TimeOfDay),
            Ok(day) => Ok(day),
            Err(_) => Err(Bad::Range),
        });
        if let Err(what) = put(day, |v| builder.append_option(v)) {
            bad.push((row, what));
        }
    }
    Converted {
        array: Arc::new(builder.finish()),
        bad,
    }
}

/// Makes values outside a closed domain or a period missing, and says how many there were. The
/// column has the codebook's type already.
pub(crate) fn narrowed(array: &ArrayRef, limits: &Limits, ty: ColumnType) -> (ArrayRef, u64) {
    match limits {
        Limits::Open => (Arc::clone(array), 0),
        Limits::Domain(domain) => apply_domain(array, ty, domain),
        Limits::Period(first, last) => {
            let days = array.as_primitive::<Date32Type>();
            let outside = BooleanArray::from_unary(days, |day| day < *first || *last < day);
            without(array, &outside)
        }
    }
}

/// Which values a column may have.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limits {
    /// Any of its type.
    Open,
    /// These.
    Domain(Vec<Scalar>),
    /// Days from the first to the last.
    Period(i32, i32),
}

impl Limits {
    /// What the codebook says of a column.
    pub(crate) fn of(column: &Column) -> Self {
        match (&column.domain, column.period) {
            (Some(domain), _) => Self::Domain(domain.iter().map(|(v, _)| v.clone()).collect()),
            (None, Some((first, last))) => Self::Period(first, last),
            (None, None) => Self::Open,
        }
    }
}

fn apply_domain(array: &ArrayRef, ty: ColumnType, domain: &[Scalar]) -> (ArrayRef, u64) {
    let outside: BooleanArray = match ty {
        ColumnType::Int => {
            let known: HashSet<i64> = domain
                .iter()
                .filter_map(|s| mantissa(s, 0)?.try_into().ok())
                .collect();
            BooleanArray::from_unary(array.as_primitive::<Int64Type>(), |v| !known.contains(&v))
        }
        ColumnType::Decimal { scale } => {
            let known: HashSet<i128> = domain.iter().filter_map(|s| mantissa(s, scale)).collect();
            BooleanArray::from_unary(array.as_primitive::<Decimal128Type>(), |v| {
                !known.contains(&v)
            })
        }
        ColumnType::Date => {
            let known: HashSet<i32> = domain.iter().filter_map(days).collect();
            BooleanArray::from_unary(array.as_primitive::<Date32Type>(), |v| !known.contains(&v))
        }
        ColumnType::Text => {
            let known: HashSet<&str> = domain.iter().filter_map(text).collect();
            BooleanArray::from_unary(array.as_string::<i32>(), |v| !known.contains(v))
        }
        ColumnType::Bool => {
            let values = array.as_boolean();
            values
                .iter()
                .map(|v| v.map(|v| !domain.contains(&Scalar::Bool(v))))
                .collect()
        }
    };
    without(array, &outside)
}

/// The values that are not outside, and how many are.
fn without(array: &ArrayRef, outside: &BooleanArray) -> (ArrayRef, u64) {
    let count = u64::try_from(outside.true_count()).unwrap_or(u64::MAX);
    if count == 0 {
        return (Arc::clone(array), 0);
    }
    let kept =
        nullif(array, outside).unwrap_or_else(|_| new_null_array(array.data_type(), array.len()));
    (kept, count)
}

fn mantissa(scalar: &Scalar, scale: u32) -> Option<i128> {
    if let Scalar::Number(number) = scalar {
        number.at_scale(scale)
    } else {
        None
    }
}

fn days(scalar: &Scalar) -> Option<i32> {
    if let Scalar::Date(days) = scalar {
        Some(*days)
    } else {
        None
    }
}

fn text(scalar: &Scalar) -> Option<&str> {
    if let Scalar::Text(text) = scalar {
        Some(text)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Date32Array, Float64Array, Int32Array, StringArray, TimestampNanosecondArray, UInt64Array,
    };
    use quorate_query::number::Number;

    use super::*;

    fn decimals(converted: &Converted) -> Vec<Option<i128>> {
        converted
            .array
            .as_primitive::<Decimal128Type>()
            .iter()
            .collect()
    }

    #[test]
    fn numbers_of_other_widths_are_converted_exactly() {
        let reals: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(2.675),
            None,
            Some(f64::NAN),
            Some(-0.125),
        ]));
        let converted = convert(&reals, ColumnType::Decimal { scale: 2 }).unwrap();
        assert_eq!(decimals(&converted), [Some(268), None, None, Some(-12)]);
        assert!(converted.bad.is_empty());

        let reals: ArrayRef = Arc::new(Float64Array::from(vec![63.0, 63.5, f64::INFINITY]));
        let converted = convert(&reals, ColumnType::Int).unwrap();
        assert_eq!(
            converted
                .array
                .as_primitive::<Int64Type>()
                .iter()
                .collect::<Vec<_>>(),
            [Some(63), None, None]
        );
        assert_eq!(converted.bad, [(1, Bad::Int), (2, Bad::Int)]);

        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        assert_eq!(
            decimals(&convert(&narrow, ColumnType::Decimal { scale: 1 }).unwrap()),
            [Some(70), None]
        );
        let wide: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert_eq!(
            convert(&wide, ColumnType::Int).unwrap().bad,
            [(0, Bad::Range)]
        );
    }

    #[test]
    fn a_wrong_type_is_a_mismatch_of_the_column() {
        let truth: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        assert!(matches!(
            convert(&truth, ColumnType::Int),
            Err(Mismatch(DataType::Boolean))
        ));
        assert!(convert(&truth, ColumnType::Date).is_err());
    }

    #[test]
    fn moments_are_days_only_at_midnight() {
        let moments: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![
            Some(86_400_000_000_000),
            Some(1_000),
            None,
            Some(-86_400_000_000_000),
        ]));
        let converted = convert(&moments, ColumnType::Date).unwrap();
        let days: Vec<_> = converted
            .array
            .as_primitive::<Date32Type>()
            .iter()
            .collect();
        assert_eq!(days, [Some(1), None, None, Some(-1)]);
        assert_eq!(converted.bad, [(1, Bad::TimeOfDay)]);
    }

    #[test]
    fn what_lies_outside_a_period_is_missing_and_counted() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![
            Some(9),
            Some(10),
            None,
            Some(20),
            Some(21),
        ]));
        let (kept, outside) = narrowed(&days, &Limits::Period(10, 20), ColumnType::Date);
        let kept: Vec<_> = kept.as_primitive::<Date32Type>().iter().collect();
        assert_eq!(
            (kept, outside),
            (vec![None, Some(10), None, Some(20), None], 2)
        );
    }

    #[test]
    fn what_lies_outside_a_domain_is_missing_and_counted() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("z"), None]));
        let domain = [Scalar::Text("a".into()), Scalar::Text("b".into())];
        let (kept, outside) = apply_domain(&texts, ColumnType::Text, &domain);
        assert_eq!(outside, 1);
        assert_eq!(
            kept.as_string::<i32>().iter().collect::<Vec<_>>(),
            [Some("a"), None, None]
        );

        let numbers = convert(
            &(Arc::new(Float64Array::from(vec![0.5, 0.7])) as ArrayRef),
            ColumnType::Decimal { scale: 1 },
        );
        let domain = [Scalar::Number(Number::new(5, -1))];
        let (kept, outside) = apply_domain(
            &numbers.unwrap().array,
            ColumnType::Decimal { scale: 1 },
            &domain,
        );
        assert_eq!((kept.null_count(), outside), (1, 1));
    }
}
