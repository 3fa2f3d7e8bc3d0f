//! Stable problem codes as sentences, and a refused question with the place in its text.
//!
//! What it must not know: why a question was refused; that is the language's business.

use std::fmt::Write as _;

use quorate_query::problem::{Code, Problem};

use crate::document::ProblemInfo;
use crate::render::clean;

/// The sentence of a code and whose turn it is; empty for a code this version does not know.
#[must_use]
pub fn sentence(code: &str) -> String {
    match Code::parse(code).and_then(Code::entry) {
        Some(entry) => format!("{} (next: {})", entry.caller, entry.turn.word()),
        None => String::new(),
    }
}

/// A problem for the result document.
#[must_use]
pub fn info(problem: &Problem) -> ProblemInfo {
    ProblemInfo {
        code: problem.code.to_string(),
        message: problem.message.clone(),
        span: problem.span.map(|span| [span.start, span.end]),
        write: problem.write.clone(),
    }
}

/// The problem for people: code and sentence, the line of the text with a caret below the place,
/// and what to write.
#[must_use]
pub fn explain(problem: &Problem, sql: &str) -> String {
    let mut text = format!("refused: {} {}\n", problem.code, clean(&problem.message));
    if let Some(span) = problem.span {
        point(&mut text, sql, span.start, span.end);
    }
    if let Some(write) = &problem.write {
        let _ = writeln!(text, "  write: {}", clean(write));
    }
    text
}

/// Adds the lines from `start` to `end` with carets below what is meant.
fn point(text: &mut String, sql: &str, start: usize, end: usize) {
    let mut offset = 0;
    let width = sql.lines().count().to_string().len();
    for (number, line) in sql.split('\n').enumerate() {
        let line_end = offset + line.len();
        if start <= line_end && end.max(start + 1) > offset {
            let from = start.saturating_sub(offset);
            let to = end.saturating_sub(offset).min(line.len());
            let (mut spaces, mut carets) = (0, 0);
            for (at, _) in line.trim_end_matches('\r').char_indices() {
                if at < from {
                    spaces += 1;
                } else if at < to {
                    carets += 1;
                }
            }
            let shown = clean(&line.trim_end_matches('\r').replace('\t', " "));
            let _ = writeln!(text, "  {:>width$} │ {shown}", number + 1);
            let _ = writeln!(
                text,
                "  {:width$} │ {}{}",
                "",
                " ".repeat(spaces),
                "^".repeat(carets.max(1))
            );
        }
        offset = line_end + 1;
    }
}

#[cfg(test)]
mod tests {
    use quorate_query::problem::Span;

    use super::*;

    fn problem(start: usize, end: usize) -> Problem {
        Problem {
            code: Code("V402"),
            message: "group `age` by a declared band".to_owned(),
            span: Some(Span { start, end }),
            write: Some("floor(age/5)*5".to_owned()),
        }
    }

    #[test]
    fn the_caret_stands_below_the_word() {
        let sql = "SELECT age, count(*)\nFROM person\nGROUP BY age";
        let at = sql.rfind("age").unwrap();
        let text = explain(&problem(at, at + 3), sql);
        assert_eq!(
            text,
            "refused: V402 group `age` by a declared band\n  3 │ GROUP BY age\n    │          ^^^\n  write: floor(age/5)*5\n"
        );
    }

    #[test]
    fn carets_count_characters_not_bytes_and_survive_the_end_of_the_text() {
        let sql = "SELECT 'äöü' x";
        let at = sql.find('x').unwrap();
        assert!(explain(&problem(at, at + 1), sql).contains("\n    │              ^\n"));
        let text = explain(&problem(sql.len(), sql.len()), sql);
        assert!(text.contains('^'), "{text}");
    }

    #[test]
    fn a_place_over_two_lines_is_marked_on_both() {
        let sql = "SELECT count(\n*) FROM person";
        let text = explain(&problem(7, 15), sql);
        assert_eq!(text.matches('^').count(), 6 + 1, "{text}");
    }

    #[test]
    fn text_cannot_steer_the_terminal() {
        let text = explain(&problem(0, 3), "\u{1b}[2J x");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn every_code_has_a_sentence() {
        for entry in quorate_query::problem::table() {
            assert!(sentence(entry.code.0).len() > 10, "{}", entry.code);
        }
        assert_eq!(sentence("Z999"), "");
    }
}
