//! Tries every example of `docs/language.md`, so that the page cannot lie.

use std::collections::BTreeSet;

use quorate_query::analyses::Request;
use quorate_query::problem::{Family, Problem, table};
use quorate_query::question::{Params, Question};
use quorate_query::sql;

use crate::common::{language, param, path, shown};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Accepted,
    Refused,
    Same,
    /// As the three others, of a question for review; without review it is refused.
    AcceptedInReview,
    RefusedInReview,
    SameInReview,
}

impl Kind {
    fn is_reviewed(self) -> bool {
        let kinds = [
            Self::AcceptedInReview,
            Self::RefusedInReview,
            Self::SameInReview,
        ];
        kinds.contains(&self)
    }
}

/// Rows of the page's tables of examples, as cells.
fn rows() -> Vec<(Kind, Vec<String>)> {
    let page = std::fs::read_to_string(path("../../docs/language.md")).expect("the page");
    let mut kind = None;
    let mut rows = Vec::new();
    for line in page.lines() {
        let cells = line.strip_prefix("| ").and_then(|l| l.strip_suffix('|'));
        let Some(cells) = cells else {
            if !line.starts_with("|---") {
                kind = None;
            }
            continue;
        };
        let cells: Vec<String> = cells
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        match cells[0].as_str() {
            "Accepted" => kind = Some(Kind::Accepted),
            "Refused" => kind = Some(Kind::Refused),
            "One text" => kind = Some(Kind::Same),
            "Accepted in review" => kind = Some(Kind::AcceptedInReview),
            "Refused in review" => kind = Some(Kind::RefusedInReview),
            "One text in review" => kind = Some(Kind::SameInReview),
            _ => rows.push((kind.expect("a table with a known head"), cells)),
        }
    }
    rows
}

/// Parts of a cell between backticks.
fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Reads a cell: parameters, then the text.
fn read(cell: &str, reviewed: bool) -> (String, Result<Question, Problem>) {
    let parts = codes(cell);
    let params: Params = parts.iter().filter_map(|part| param(part)).collect();
    let sql = parts.last().expect("a text").to_string();
    let plain: Request = sql.as_str().into();
    let request = match reviewed {
        true => Request::Reviewed(Box::new(plain)),
        false => plain,
    };
    let result = request.read(&params, &language());
    (sql, result)
}

#[test]
fn every_example_does_what_the_page_says() {
    let mut tried = [0, 0, 0];
    for (kind, cells) in rows() {
        let (sql, result) = read(&cells[0], kind.is_reviewed());
        let got = shown(&sql, &result);
        if kind.is_reviewed() {
            assert!(
                read(&cells[0], false).1.is_err(),
                "no review is needed for\n{sql}"
            );
        }
        match (kind, result) {
            (Kind::Accepted | Kind::AcceptedInReview, Ok(_)) => tried[0] += 1,
            (Kind::Refused | Kind::RefusedInReview, Err(problem)) => {
                assert_eq!(problem.code.0, cells[1], "{sql}\n{got}");
                let write = codes(&cells[2]);
                assert_eq!(
                    problem.write.as_deref(),
                    write.first().copied(),
                    "{sql}\n{got}"
                );
                tried[1] += 1;
            }
            (Kind::Same | Kind::SameInReview, Ok(one)) => {
                let (other_sql, other) = read(&cells[1], kind.is_reviewed());
                let other = other.unwrap_or_else(|p| panic!("{other_sql}\n{p}"));
                assert_eq!(
                    one.canonical_bytes(),
                    other.canonical_bytes(),
                    "{sql}\n{other_sql}"
                );
                tried[2] += 1;
            }
            _ => panic!("the page is wrong about\n{sql}\n{got}"),
        }
    }
    assert!(
        tried[0] >= 30 && tried[1] >= 70 && tried[2] >= 5,
        "{tried:?}"
    );
}

#[test]
fn every_v_code_has_an_example() {
    let shown: BTreeSet<String> = rows()
        .into_iter()
        .filter(|(kind, _)| *kind == Kind::Refused)
        .map(|(_, c)| c[1].clone())
        .collect();
    // Typed analyses have a page of their own.
    let analyses = std::fs::read_to_string(path("../../docs/analyses/README.md"));
    assert!(analyses.expect("the page").contains("| V900 |"));
    let all = table()
        .iter()
        .filter(|entry| entry.code.family() == Some(Family::Question) && entry.code.0 != "V900");
    for entry in all {
        assert!(
            shown.contains(entry.code.0),
            "{} has no example on the page",
            entry.code
        );
    }
}

#[test]
fn the_limits_on_the_page_are_the_limits() {
    let page = std::fs::read_to_string(path("../../docs/language.md")).expect("the page");
    let size = page
        .split("## 10. Size")
        .nth(1)
        .expect("the section on size");
    let words = size
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(',', "");
    let limits = [
        format!("{} KiB", sql::MAX_TEXT / 1024),
        format!("{} words", sql::MAX_TOKENS),
        format!("brackets {} deep", sql::MAX_DEPTH),
        format!("{} output columns", sql::MAX_OUTPUTS),
        format!("{} keys", sql::MAX_KEYS),
        format!("{} restricted columns", sql::MAX_CONDITIONS),
    ];
    for limit in limits {
        assert!(words.contains(&limit), "{limit}");
    }
    assert!(page.contains(&format!("at\nmost {} values", sql::MAX_IN_LIST)));
}
