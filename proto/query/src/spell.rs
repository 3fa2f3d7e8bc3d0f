//! Values as people write them, in messages, canonical text and explanations.

use jiff::civil::Date;

use crate::value::Scalar;

/// A value as an SQL literal.
pub(crate) fn literal(value: &Scalar) -> String {
    match value {
        Scalar::Null => "NULL".to_owned(),
        Scalar::Bool(b) => b.to_string(),
        Scalar::Number(n) => n.to_string(),
        Scalar::Date(d) => format!("DATE '{}'", day(*d)),
        Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A day number as `YYYY-MM-DD`; days outside the calendar as a plain number.
pub(crate) fn day(days: i32) -> String {
    date(days).map_or_else(|| format!("day {days}"), |date| date.to_string())
}

/// The calendar date of a day number.
pub(crate) fn date(days: i32) -> Option<Date> {
    let span = jiff::Span::new().try_days(days).ok()?;
    Date::new(1970, 1, 1).ok()?.checked_add(span).ok()
}

/// The day number of a calendar date.
pub(crate) fn days(date: Date) -> Option<i32> {
    let epoch = Date::new(1970, 1, 1).ok()?;
    date.since(epoch).ok().map(|span| span.get_days())
}

/// The day number of a date written `YYYY-MM-DD`.
pub(crate) fn parse_day(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let mut part = |width: usize| {
        let part = parts.next()?;
        let digits = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<i16>().ok()).flatten()
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    if parts.next().is_some() { None } else { days(date) }
}

#[cfg(test)]
mod tests {
    use super::{day, literal, parse_day};
    use crate::value::Scalar;

    #[test]
    fn days_go_both_ways() {
        for text in ["1970-01-01", "2020-02-29", "1899-12-31", "9999-12-31", "0001-01-01"] {
            assert_eq!(day(parse_day(text).unwrap()), text);
        }
        assert_eq!(parse_day("1970-01-02"), Some(1));
        for text in ["2021-02-29", "2021-1-1", "20210101", "2021-01-01-", "2021-01-01T00", ""] {
            assert_eq!(parse_day(text), None, "{text}");
        }
    }

    #[test]
    fn quotes_in_texts_are_doubled() {
        assert_eq!(literal(&Scalar::Text("O'Hara".into())), "'O''Hara'");
    }
}
