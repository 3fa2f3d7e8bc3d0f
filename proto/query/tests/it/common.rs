//! What the tests of this folder share: the sample codebook, parameters, how a reading is shown.

use std::fmt::Write as _;
use std::path::PathBuf;

use quorate_query::codebook::{self, Codebook};
use quorate_query::problem::Problem;
use quorate_query::question::{ParamValue, Params, Question};
use quorate_query::sql;
use quorate_query::value::{ColumnType, Scalar};

/// A path below this crate.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// A file below this crate.
pub(crate) fn text(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap_or_else(|e| panic!("{relative}: {e}"))
}

/// The codebook of the language page.
pub(crate) fn language() -> Codebook {
    codebook::read(&text("tests/codebooks/language.toml"), "language.toml")
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Reads without parameters.
pub(crate) fn read(sql: &str, codebook: &Codebook) -> Result<Question, Problem> {
    sql::read(sql, &Params::new(), codebook)
}

/// One line `$name = value`, where value is a literal or `[literal, ...]`.
pub(crate) fn param(line: &str) -> Option<(String, ParamValue)> {
    let (name, value) = line.strip_prefix('$')?.split_once(" = ")?;
    let value = match value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
        Some("") => ParamValue::List(Vec::new()),
        Some(list) => ParamValue::List(list.split(", ").map(literal).collect()),
        None => ParamValue::One(literal(value)),
    };
    Some((name.to_owned(), value))
}

fn literal(text: &str) -> Scalar {
    if let Some(text) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        return Scalar::Text(text.to_owned());
    }
    if let Some(day) = text.strip_prefix("DATE ") {
        return Scalar::parse(day.trim_matches('\''), ColumnType::Date).expect("a date");
    }
    Scalar::parse(text, ColumnType::Bool)
        .or_else(|| text.parse().ok().map(Scalar::Number))
        .unwrap_or_else(|| panic!("no literal: {text}"))
}

/// A reading as golden files and the language page show it.
pub(crate) fn shown(sql: &str, result: &Result<Question, Problem>) -> String {
    match result {
        Ok(question) => question.canonical_text(),
        Err(problem) => {
            let mut out = format!("{} {}", problem.code, problem.message);
            if let Some(span) = problem.span {
                let part = sql
                    .get(span.start..span.end)
                    .expect("a span inside the text");
                let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
                let _ = write!(out, "\nat [{},{}] {part}", span.start, span.end);
            }
            if let Some(write) = &problem.write {
                let _ = write!(out, "\nwrite {write}");
            }
            out
        }
    }
}
