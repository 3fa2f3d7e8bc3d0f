//! A result document as text, JSON, CSV, Arrow, Parquet and SVG.
//!
//! All of them are pure functions of the document; none of them looks at signed bytes.

pub mod analysis;
pub mod arrow;
pub mod csv;
pub mod plot;
pub mod statistics;
pub mod table;

use serde_json::Value;

use crate::document::{Column, Document};

/// The document as JSON, one line, newline at the end.
///
/// # Errors
/// Only if the document cannot be written as JSON, which would be a mistake of ours.
pub fn json(document: &Document) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(document)?;
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

/// Text from elsewhere without control characters, so that it cannot steer a terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    let safe = |c: char| {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if hidden { '\u{fffd}' } else { c }
    };
    text.chars().map(safe).collect()
}
