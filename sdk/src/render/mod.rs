//! A result document as text, JSON, CSV, Arrow, Parquet and SVG.
//!
//! All of them are pure functions of the document; none of them looks at signed bytes.

pub mod analysis;
pub mod arrow;
pub mod csv;
pub mod plot;
pub mod statistics;
pub mod table;

use std::fmt::Write;

use serde_json::Value;

use crate::document::{Column, Document};

/// The document as JSON, one line, newline at the end.
///
/// # Errors
/// Only if the document cannot be written as JSON, which would be a mistake of ours.
pub fn json(document: &Document) -> Result<String, serde_json::Error> {
    let mut text = printable_json(&serde_json::to_string(document)?);
    text.push('\n');
    Ok(text)
}

/// A key as text: the label of a closed domain stands beside its code, NULL is `(missing)`.
#[must_use]
pub fn key_text(column: &Column, value: &Value) -> String {
    let plain = plain_key(value);
    match (value, column.labels.get(&plain)) {
        (Value::Null, _) => "(missing)".to_owned(),
        (_, Some(label)) if *label != plain => format!("{} {}", clean(&plain), clean(label)),
        _ => clean(&plain),
    }
}

/// A key without its label; NULL is empty.
#[must_use]
pub fn plain_key(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a character may steer a terminal, or hide what is written.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text from elsewhere without control characters, so that it cannot steer a terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    let safe = |c: char| if steers(c) { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// JSON that means the same, and shows a terminal nothing that may steer it: characters that JSON allows
/// in its texts as they are (DEL, C1, marks of direction) are escaped.
#[must_use]
pub fn printable_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // JSON has these only between its texts.
            '\n' | '\t' | '\r' => text.push(c),
            // Writing to a text does not fail.
            _ if steers(c) => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_in_json() {
        let json =
            serde_json::to_string_pretty(&["a\u{9b}31m", "\u{7f}\u{1b}", "\u{202e}é"]).unwrap();
        assert_eq!(
            printable_json(&json),
            "[\n  \"a\\u009b31m\",\n  \"\\u007f\\u001b\",\n  \"\\u202eé\"\n]"
        );
    }

    proptest! {
        #[test]
        fn printable_json_means_the_same_and_steers_nothing(text in any::<String>(), more in "[\u{7f}-\u{a0}\u{200b}-\u{200f}\u{202e}\"\\\\x]{0,8}") {
            let value = Value::from(text + &more);
            let json = printable_json(&serde_json::to_string(&value).unwrap());
            prop_assert!(!json.contains(steers));
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
        }
    }
}
