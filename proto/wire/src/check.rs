//! Small checks that every payload shares: lengths, digests, names.

use quorate_identity::Name;

use crate::error::WireError;
use crate::id::QuestionId;

/// Longest purpose, note or similar sentence, in bytes.
pub(crate) const MAX_SENTENCE: usize = 4 * 1024;
/// Longest SQL text, in bytes. The language has a lower limit of its own.
pub(crate) const MAX_SQL: usize = 256 * 1024;

pub(crate) fn text(value: String, field: &'static str, max: usize) -> Result<String, WireError> {
    if value.len() > max {
        Err(WireError::TooLarge(field))
    } else {
        Ok(value)
    }
}

/// A text for people, which may be empty and may be shown in a terminal: no control characters
/// but line breaks and tabs.
pub(crate) fn sentence(
    value: String,
    field: &'static str,
    max: usize,
) -> Result<String, WireError> {
    if value
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        return Err(WireError::Invalid(field));
    }
    text(value, field, max)
}

/// A text that must be there and short: names of projects, populations, features.
pub(crate) fn word(value: String, field: &'static str) -> Result<String, WireError> {
    if value.is_empty() {
        return Err(WireError::Missing(field));
    }
    if value.chars().any(char::is_control) {
        return Err(WireError::Invalid(field));
    }
    text(value, field, 256)
}

/// A roster name.
pub(crate) fn name(value: String, field: &'static str) -> Result<String, WireError> {
    if value.is_empty() {
        return Err(WireError::Missing(field));
    }
    Name::parse(&value)
        .map(String::from)
        .map_err(|_| WireError::Invalid(field))
}

/// `sha256:` and 64 lower-case hexadecimal digits.
pub(crate) fn digest(value: String, field: &'static str) -> Result<String, WireError> {
    if value.is_empty() {
        return Err(WireError::Missing(field));
    }
    if quorate_identity::parse_digest(&value).is_some() {
        Ok(value)
    } else {
        Err(WireError::Invalid(field))
    }
}

pub(crate) fn hash(value: &[u8], field: &'static str) -> Result<[u8; 32], WireError> {
    if value.is_empty() {
        return Err(WireError::Missing(field));
    }
    value.try_into().map_err(|_| WireError::Invalid(field))
}

pub(crate) fn id(value: &str) -> Result<QuestionId, WireError> {
    if value.is_empty() {
        return Err(WireError::Missing("question_id"));
    }
    QuestionId::parse(value).map_err(|_| WireError::Invalid("question_id"))
}

pub(crate) fn some<T>(value: Option<T>, field: &'static str) -> Result<T, WireError> {
    value.ok_or(WireError::Missing(field))
}

pub(crate) fn at_most<T>(values: &[T], field: &'static str, max: usize) -> Result<(), WireError> {
    if values.len() > max {
        Err(WireError::TooLarge(field))
    } else {
        Ok(())
    }
}

/// Seconds since 1970 that make sense: from then to the year 9999.
pub(crate) fn time(value: i64, field: &'static str) -> Result<i64, WireError> {
    match value {
        0 => Err(WireError::Missing(field)),
        1..=253_402_300_799 => Ok(value),
        _ => Err(WireError::Invalid(field)),
    }
}

/// A problem code: a letter and three digits. Newer releases may send codes we do not know.
pub(crate) fn code(value: String) -> Result<String, WireError> {
    let mut bytes = value.bytes();
    let letter = bytes.next().ok_or(WireError::Missing("code"))?;
    if letter.is_ascii_uppercase() && bytes.len() == 3 && bytes.all(|b| b.is_ascii_digit()) {
        Ok(value)
    } else {
        Err(WireError::Invalid("code"))
    }
}
