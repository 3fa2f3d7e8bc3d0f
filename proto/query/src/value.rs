//! Values of columns: what a literal, a parameter, a domain entry or a group key can be.
//!
//! What it must not know: SQL, TOML and the wire; they convert at their own edge.

use std::fmt;

use crate::number::Number;

/// The type a codebook gives to a column. Every custodian's data is converted to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnType {
    /// 64-bit whole number.
    Int,
    /// Fixed-point number with this many digits after the point (0 to 9).
    Decimal {
        /// Digits after the decimal point.
        scale: u32,
    },
    /// UTF-8 text.
    Text,
    /// Calendar day.
    Date,
    /// True or false.
    Bool,
}

impl ColumnType {
    /// The word the codebook uses: `int decimal text date bool`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Decimal { .. } => "decimal",
            Self::Text => "text",
            Self::Date => "date",
            Self::Bool => "bool",
        }
    }

    /// Digits after the decimal point of a numeric type: 0 for `int`.
    #[must_use]
    pub fn scale(self) -> Option<u32> {
        match self {
            Self::Int => Some(0),
            Self::Decimal { scale } => Some(scale),
            Self::Text | Self::Date | Self::Bool => None,
        }
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        self.scale().is_some()
    }

    /// What a value of this type looks like, for messages.
    #[must_use]
    pub fn description(self) -> String {
        match self {
            Self::Int => "a whole number".to_owned(),
            Self::Decimal { scale } => format!("a number with at most {scale} decimals"),
            Self::Text => "a text".to_owned(),
            Self::Date => "a date such as 2024-12-31".to_owned(),
            Self::Bool => "true or false".to_owned(),
        }
    }
}

impl fmt::Display for ColumnType {
    /// `int`, `decimal(2)`, `text`, `date`, `bool`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal { scale } => write!(f, "decimal({scale})"),
            Self::Int | Self::Text | Self::Date | Self::Bool => f.write_str(self.name()),
        }
    }
}

/// One value. `Null` sorts first; equal numbers are equal whatever their spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// Missing.
    Null,
    /// True or false.
    Bool(bool),
    /// Int or decimal.
    Number(Number),
    /// Days since 1970-01-01.
    Date(i32),
    /// Text.
    Text(String),
}

impl Scalar {
    /// Reads a value of a column type from plain text; `None` if it is not one. Text is taken as
    /// it is; nothing is ever read as `Null`.
    #[must_use]
    pub fn parse(text: &str, ty: ColumnType) -> Option<Self> {
        let value = match ty {
            ColumnType::Int | ColumnType::Decimal { .. } => Self::Number(text.parse().ok()?),
            ColumnType::Text => Self::Text(text.to_owned()),
            ColumnType::Date => Self::Date(parse_date(text)?),
            ColumnType::Bool => Self::Bool(match text {
                "true" => true,
                "false" => false,
                _ => return None,
            }),
        };
        value.fits(ty).then_some(value)
    }

    /// Whether this is a value that a column of the type can hold. `Null` always is.
    #[must_use]
    pub fn fits(&self, ty: ColumnType) -> bool {
        match (self, ty) {
            (Self::Null, _)
            | (Self::Bool(_), ColumnType::Bool)
            | (Self::Date(_), ColumnType::Date)
            | (Self::Text(_), ColumnType::Text) => true,
            (Self::Number(number), _) => ty
                .scale()
                .and_then(|scale| number.at_scale(scale))
                .is_some_and(|mantissa| i64::try_from(mantissa).is_ok()),
            _ => false,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::Date(_) | Self::Text(_) => None,
        }
    }

    /// The form in results: numbers as JSON numbers where that loses nothing, dates as text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(number) => number_to_json(number),
            Self::Date(_) => self.to_string().into(),
            Self::Text(text) => text.clone().into(),
        }
    }
}

impl fmt::Display for Scalar {
    /// Plain text; `NULL` for a missing value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Date(days) => match to_civil(*days) {
                Some(date) => write!(f, "{date}"),
                None => write!(f, "day {days}"),
            },
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Days since 1970-01-01 of a civil date.
#[must_use]
pub fn from_civil(date: jiff::civil::Date) -> i32 {
    (date - jiff::civil::date(1970, 1, 1)).get_days()
}

/// The civil date of a number of days since 1970-01-01, within years -9999 to 9999.
#[must_use]
pub fn to_civil(days: i32) -> Option<jiff::civil::Date> {
    let span = jiff::Span::new().try_days(days).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(span).ok()
}

/// `YYYY-MM-DD` and nothing else.
fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return None;
    }
    text.parse().ok().map(from_civil)
}

fn number_to_json(number: &Number) -> serde_json::Value {
    let text = number.to_string();
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    let float = text
        .parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64);
    match float {
        Some(float) if float.to_string() == text => float.into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_a_type() {
        let decimal = ColumnType::Decimal { scale: 1 };
        assert_eq!(
            Scalar::parse("01.50", decimal),
            Some(Scalar::Number(Number::new(15, -1)))
        );
        assert_eq!(Scalar::parse("1.25", decimal), None);
        assert_eq!(Scalar::parse("1.5", ColumnType::Int), None);
        assert_eq!(Scalar::parse("9223372036854775808", ColumnType::Int), None);
        assert_eq!(
            Scalar::parse("-1", ColumnType::Int),
            Some(Scalar::Number(Number::new(-1, 0)))
        );
        assert_eq!(
            Scalar::parse("true", ColumnType::Bool),
            Some(Scalar::Bool(true))
        );
        assert_eq!(Scalar::parse("1", ColumnType::Bool), None);
        assert_eq!(
            Scalar::parse("1970-01-02", ColumnType::Date),
            Some(Scalar::Date(1))
        );
        assert_eq!(
            Scalar::parse("1969-12-31", ColumnType::Date),
            Some(Scalar::Date(-1))
        );
        assert_eq!(Scalar::parse("2023-02-29", ColumnType::Date), None);
        assert_eq!(Scalar::parse("1970-1-02", ColumnType::Date), None);
        assert_eq!(
            Scalar::parse("", ColumnType::Text),
            Some(Scalar::Text(String::new()))
        );
    }

    #[test]
    fn printing_and_json() {
        let half = Scalar::Number(Number::new(5, -1));
        assert_eq!(half.to_json().to_string(), "0.5");
        assert_eq!(
            Scalar::Number(Number::new(12, 2)).to_json().to_string(),
            "1200"
        );
        let long = Scalar::Number("1234567890123456789.5".parse().unwrap());
        assert_eq!(long.to_json().to_string(), "\"1234567890123456789.5\"");
        assert_eq!(Scalar::Date(19_722).to_string(), "2023-12-31");
        assert_eq!(Scalar::Null.to_json(), serde_json::Value::Null);
    }
}
