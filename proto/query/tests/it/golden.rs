//! Golden files: SQL to canonical form, or to code, sentence, place and suggestion.
//!
//! A case is `### title`, lines `$name = value`, the text, `---`, and what is expected.
//! `UPDATE_GOLDEN=1` writes down what is read now; the difference is then for a person to judge.

use crate::common::{language, param, path, shown, text};
use quorate_query::question::Params;
use quorate_query::sql;

#[test]
fn accepted_questions_read_as_written_down() {
    check("tests/golden/accepted.txt", |code| code.is_none());
}

#[test]
fn refused_questions_read_as_written_down() {
    check("tests/golden/refused.txt", |code| code.is_some());
}

fn check(file: &str, belongs: impl Fn(Option<&str>) -> bool) {
    let codebook = language();
    let golden = text(file);
    let mut now = String::new();
    let mut cases = 0;
    for case in golden.split("### ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (input, _) = rest.split_once("\n---").unwrap_or((rest.trim_end(), ""));
        let params: Params = input.lines().filter_map(param).collect();
        let lines: Vec<&str> = input.lines().filter(|line| param(line).is_none()).collect();
        let sql = lines.join("\n");
        let result = sql::read(&sql, &params, &codebook);
        let code = result.as_ref().err().map(|problem| problem.code.0);
        assert!(
            belongs(code),
            "`{title}` is in the wrong file: {}",
            shown(&sql, &result)
        );
        now += &format!("### {title}\n{input}\n---\n{}\n\n", shown(&sql, &result));
        cases += 1;
    }
    assert!(cases > 0, "{file} has no cases");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path(file), now).expect("writing the golden file");
        return;
    }
    for (want, got) in golden.split("### ").zip(now.split("### ")) {
        assert_eq!(want.trim_end(), got.trim_end(), "{file}");
    }
}
