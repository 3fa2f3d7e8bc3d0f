//! Parameters of a question: typed values, never text that is pasted into the SQL.
//!
//! What it must not know: files and the command line's layout; texts come in.

use quorate_query::number::Number;
use quorate_query::problem::{Code, Problem};
use quorate_query::question::{ParamValue, Params};
use quorate_query::value::{Scalar, from_civil};
use serde_json::Value;

/// What is wrong with a parameter as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// No `=`.
    #[error("`{0}`: write NAME=VALUE")]
    NoValue(String),
    /// Not a name.
    #[error("`{0}` is not a parameter's name: write letters, digits and `_`, without the `$`")]
    Name(String),
    /// Named twice.
    #[error("the parameter `{0}` is given twice")]
    Twice(String),
    /// A list without values.
    #[error("the list for `{0}` has no values")]
    Empty(String),
    /// Not CSV.
    #[error("the list for `{0}` is not one value per line or CSV")]
    NotCsv(String),
}

/// Splits `name=value` and checks the name.
///
/// # Errors
/// If there is no `=` or the name is none.
pub fn split(text: &str) -> Result<(&str, &str), ParamError> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| ParamError::NoValue(text.to_owned()))?;
    let name = name.strip_prefix('$').unwrap_or(name);
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let other = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(first) && name.chars().all(other) {
        Ok((name, value))
    } else {
        Err(ParamError::Name(name.to_owned()))
    }
}

/// Adds a parameter.
///
/// # Errors
/// If there is one of that name already.
pub fn add(params: &mut Params, name: &str, value: ParamValue) -> Result<(), ParamError> {
    match params.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(ParamError::Twice(name.to_owned())),
    }
}

/// The value of a text: a number, a day, true or false, else text. Quotes force text.
#[must_use]
pub fn scalar(text: &str) -> Scalar {
    let trimmed = text.trim();
    if let Some(inner) = unquote(trimmed) {
        return Scalar::Text(inner);
    }
    match trimmed {
        "true" => return Scalar::Bool(true),
        "false" => return Scalar::Bool(false),
        _ => {}
    }
    if is_plain_number(trimmed)
        && let Ok(number) = trimmed.parse::<Number>()
    {
        return Scalar::Number(number);
    }
    day_number(trimmed).map_or_else(|| Scalar::Text(text.to_owned()), Scalar::Date)
}

/// `'x'` or `"x"` without the quotes, doubled ones made single.
fn unquote(text: &str) -> Option<String> {
    ["'", "\""].iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        Some(inner.replace(&quote.repeat(2), quote))
    })
}

/// Digits with sign and point. Codes such as `1e5` or `007` stay text: they are not quantities.
fn is_plain_number(text: &str) -> bool {
    let body = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = body.split_once('.').unwrap_or((body, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

fn day_number(text: &str) -> Option<i32> {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !shape {
        return None;
    }
    text.parse().ok().map(from_civil)
}

/// The values of a file: one per line, or the first column of a CSV. Empty lines and lines that
/// begin with `#` are skipped, and so is a heading: a first value that is text where all others
/// are not, or the first line of a CSV with several columns that are all text.
///
/// # Errors
/// If there are no values or the file is not CSV.
pub fn list(name: &str, text: &str) -> Result<Vec<Scalar>, ParamError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut values = Vec::new();
    let mut columns = 0;
    for record in reader.records() {
        let record = record.map_err(|_| ParamError::NotCsv(name.to_owned()))?;
        columns = columns.max(record.len());
        let first = record.get(0).unwrap_or_default().trim();
        if !first.is_empty() {
            values.push(scalar(first));
        }
    }
    let is_text = |value: &Scalar| matches!(value, Scalar::Text(_));
    let heading = match values.split_first() {
        Some((first, rest)) if is_text(first) && !rest.is_empty() => {
            !rest.iter().any(is_text) || (columns > 1 && rest.iter().all(is_text))
        }
        _ => false,
    };
    if heading {
        values.remove(0);
    }
    if values.is_empty() {
        return Err(ParamError::Empty(name.to_owned()));
    }
    Ok(values)
}

/// Refuses parameters that the text does not have.
///
/// # Errors
/// V700, naming the parameter.
pub fn check_used(sql: &str, params: &Params) -> Result<(), Problem> {
    for name in params.keys() {
        if !mentions(sql, name) {
            let message = format!("the question has no parameter `${name}`");
            let write = format!("`${name}` in the SQL text, or leave the parameter out");
            return Err(Problem::new(Code("V700"), message).write(write));
        }
    }
    Ok(())
}

/// Whether `$name` occurs in the text as a whole word.
fn mentions(sql: &str, name: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let wanted = format!("${}", name.to_ascii_lowercase());
    sql.match_indices(&wanted).any(|(at, found)| {
        let rest = sql.get(at + found.len()..).unwrap_or_default();
        !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// A parameter as JSON.
#[must_use]
pub fn to_json(value: &ParamValue) -> Value {
    match value {
        ParamValue::One(one) => one.to_json(),
        ParamValue::List(list) => Value::Array(list.iter().map(Scalar::to_json).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Scalar {
        Scalar::Number(text.parse().unwrap())
    }

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.to_owned())
    }

    #[test]
    fn types_are_inferred() {
        for (written, meant) in [
            ("42", number("42")),
            ("-1.50", number("-1.5")),
            ("0.25", number("0.25")),
            ("true", Scalar::Bool(true)),
            ("1970-01-02", Scalar::Date(1)),
            ("2000-02-30", text("2000-02-30")),
            ("'42'", text("42")),
            ("\"it''s\"", text("it''s")),
            ("'it''s'", text("it's")),
            ("007", text("007")),
            ("1e5", text("1e5")),
            ("E11", text("E11")),
            ("", text("")),
            ("True", text("True")),
        ] {
            assert_eq!(scalar(written), meant, "{written}");
        }
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(split("age=1=2"), Ok(("age", "1=2")));
        assert_eq!(split("$age=1"), Ok(("age", "1")));
        assert!(matches!(split("age"), Err(ParamError::NoValue(_))));
        assert!(matches!(split("a b=1"), Err(ParamError::Name(_))));
        assert!(matches!(split("=1"), Err(ParamError::Name(_))));
    }

    #[test]
    fn lists_come_from_lines_or_the_first_column() {
        let numbers = vec![number("1"), number("2")];
        assert_eq!(list("x", "1\n\n2\n").unwrap(), numbers);
        assert_eq!(list("x", "concept_id,name\n1,a\n2,b\n").unwrap(), numbers);
        assert_eq!(
            list("x", "\u{feff}concept_id\r\n1\r\n2\r\n").unwrap(),
            numbers
        );
        assert_eq!(list("x", "# from the ATC\n1\n2").unwrap(), numbers);
        assert_eq!(list("x", "E11\nE10").unwrap(), [text("E11"), text("E10")]);
        assert_eq!(
            list("x", "code,name\nE11,a\nE10,b").unwrap(),
            [text("E11"), text("E10")]
        );
        assert_eq!(
            list("x", "\n# no\n"),
            Err(ParamError::Empty("x".to_owned()))
        );
    }

    #[test]
    fn a_parameter_that_the_text_lacks_is_refused() {
        let params = Params::from([("age".to_owned(), ParamValue::One(number("1")))]);
        assert!(check_used("WHERE age > $age", &params).is_ok());
        let refused = check_used("WHERE age > $ages", &params).unwrap_err();
        assert_eq!(refused.code.0, "V700");
    }
}
