//! Golden files: SQL to canonical form, or to code, sentence, place and suggestion.
//!
//! A case is `### title`, lines `$name = value`, the text, `---`, and what is expected.
//! `UPDATE_GOLDEN=1` writes down what is read now; the difference is then for a person to judge.

use crate::common::{language, param, path, shown, text};
use quorate_query::question::{ParamValue, Params};
use quorate_query::sql;
use quorate_query::value::Scalar;

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

#[test]
fn columns_are_named_by_alias_or_text() {
    let sql = "SELECT p.sex, COUNT( * ), (count(*)), Avg(p.age) AS M, count(*) - 1 AS m, avg(age)
        FROM person p GROUP BY SEX";
    let question = sql::read(sql, &Params::new(), &language()).expect("an accepted question");
    let table = question.into_sole().expect("one table");
    let names: Vec<&str> = table
        .output
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["sex", "count(*)", "count(*)_2", "m", "m_2", "avg(age)"]
    );
}

#[test]
fn long_lists_are_parameters_up_to_a_limit() {
    let sql = "SELECT count(*) FROM condition_occurrence WHERE condition_concept_id IN $codes";
    let read = |length: usize| {
        let list = (0..length)
            .map(|n| Scalar::Number((n as i128 * 2).into()))
            .collect();
        let params = Params::from([("codes".to_owned(), ParamValue::List(list))]);
        sql::read(sql, &params, &language())
    };
    assert!(read(sql::MAX_LIST_PARAM).is_ok());
    let refused = read(sql::MAX_LIST_PARAM + 1).expect_err("a list that is too long");
    assert_eq!(refused.code.0, "V800");
}
