//! The table `cohort`: the same question as with the statement in WITH, for texts and analyses.

use std::collections::BTreeMap;

use quorate_query::analyses::{Analysis, Request};
use quorate_query::cohort::Cohort;
use quorate_query::problem::Problem;
use quorate_query::question::{Params, Question};

use crate::common::{language, read};

const STUDY: &str = "WITH f AS (SELECT person_id, count(*) AS n FROM condition_occurrence \
    WHERE condition_concept_id IN set.diabetes GROUP BY person_id) \
    SELECT p.person_id, p.sex, p.age, p.chol, f.n AS codes FROM person p \
    JOIN f ON p.person_id = f.person_id WHERE p.age >= 18";

fn cohort(complete: &[&str]) -> Cohort {
    Cohort {
        sql: STUDY.to_owned(),
        complete: complete.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn of(cohort: Cohort, request: impl Into<Request>) -> Result<Question, Problem> {
    Request::Of(cohort, Box::new(request.into())).read(&Params::new(), &language())
}

fn analysis(name: &str, arguments: &[(&str, &str)]) -> Request {
    let arguments: BTreeMap<String, String> = arguments
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Request::Analysis(Analysis::named(name, arguments).expect("an analysis"))
}

#[test]
fn it_is_the_question_with_the_statement_in_with() {
    let text = "SELECT sex, avg(codes) FROM cohort GROUP BY sex";
    let written = format!("WITH cohort AS ({STUDY}) {text}");
    let written = read(&written, &language()).unwrap();
    let asked = of(cohort(&[]), text).unwrap();
    assert_eq!(asked, written);
    assert_eq!(asked.digest(), written.digest());
}

#[test]
fn complete_cases_are_those_with_every_listed_column() {
    let text = "SELECT count(*) FROM cohort";
    let written = "SELECT count(*) FROM cohort WHERE chol IS NOT NULL AND age IS NOT NULL";
    let complete = of(cohort(&["age", "chol"]), text).unwrap();
    assert_eq!(complete, of(cohort(&[]), written).unwrap());
    assert_ne!(complete, of(cohort(&[]), text).unwrap());
    let digests = [&[][..], &["age"], &["age", "chol"]].map(|list| cohort(list).digest());
    assert!(digests[0] != digests[1] && digests[1] != digests[2]);
    let lost = of(cohort(&["weight"]), text).unwrap_err();
    assert_eq!(lost.code.0, "V400");
}

#[test]
fn analyses_take_it_for_their_table() {
    let request = analysis("describe", &[("value", "age"), ("by", "sex")]);
    let described = of(cohort(&[]), request.clone()).unwrap();
    let text = Request::Of(cohort(&[]), Box::new(request)).text(&language());
    assert!(text.contains("FROM cohort"), "{text}");
    assert_eq!(described, of(cohort(&[]), text.as_str()).unwrap());
    let named = analysis("describe", &[("value", "age"), ("table", "cohort")]);
    assert!(of(cohort(&[]), named).is_ok());
    let other = analysis("describe", &[("value", "age"), ("table", "person")]);
    assert_eq!(of(cohort(&[]), other).unwrap_err().code.0, "V700");
}

#[test]
fn what_is_no_cohort_is_refused() {
    let text = "SELECT count(*) FROM cohort";
    for (statement, code) in [
        ("SELECT sex FROM person", "V202"),
        (
            "SELECT person_id, measurement_date FROM measurement",
            "V202",
        ),
        ("SELECT count(*) AS n FROM person", "V202"),
        ("SELECT person_id FROM person WHERE age >= $age", "V700"),
        ("SELECT person_id FROM persn", "V200"),
        ("DELETE FROM person", "V100"),
    ] {
        let cohort = Cohort {
            sql: statement.to_owned(),
            complete: Vec::new(),
        };
        let problem = of(cohort, text).unwrap_err();
        assert_eq!(problem.code.0, code, "{statement}: {problem}");
        assert!(problem.message.starts_with("in the cohort: "), "{problem}");
        assert_eq!(problem.span, None);
    }
    let unused = of(cohort(&[]), "SELECT count(*) FROM person").unwrap_err();
    assert_eq!(unused.code.0, "V700");
}

/// Who approved the statement knows of whom and of what every question is that the cohort holds.
#[test]
fn a_cohort_holds_questions_of_its_persons_and_columns_only() {
    let book = language();
    let own = cohort(&["age"]);
    let holds = |request: Request| {
        let asked = of(own.clone(), request).unwrap_or_else(|problem| panic!("{problem}"));
        own.holds(&asked, &book)
    };
    let text = |sql: &str| holds(sql.into());
    for sql in [
        "SELECT count(*) FROM cohort",
        "SELECT sex, avg(codes), avg(chol) FROM cohort WHERE age >= 65 GROUP BY sex",
        "WITH s AS (SELECT person_id, CASE WHEN codes >= 10 THEN 1 ELSE 0 END AS many FROM cohort) SELECT many, count(*) FROM s GROUP BY many",
        "SELECT floor(codes/10)*10, count(*) FROM cohort GROUP BY 1",
    ] {
        assert!(text(sql), "{sql}");
    }
    for sql in [
        // other columns, other tables, other persons
        "SELECT p.region, count(*) FROM cohort c JOIN person p ON c.person_id = p.person_id GROUP BY p.region",
        "SELECT count(*) FROM cohort c JOIN death d ON c.person_id = d.person_id",
        "SELECT count(*) FROM measurement WHERE person_id IN (SELECT person_id FROM cohort)",
        "SELECT count(*) FROM person WHERE person_id NOT IN (SELECT person_id FROM cohort)",
        "SELECT count(*) FROM cohort WHERE person_id IN (SELECT person_id FROM death)",
        "WITH n AS (SELECT person_id, count(*) AS n FROM measurement GROUP BY person_id) SELECT avg(n) FROM cohort c JOIN n ON c.person_id = n.person_id",
        "WITH n AS (SELECT person_id, count(*) AS n FROM condition_occurrence GROUP BY person_id) SELECT avg(n) FROM cohort c JOIN n ON c.person_id = n.person_id",
    ] {
        assert!(!text(sql), "{sql}");
    }
    let crosstab = [("rows", "sex"), ("columns", "codes:50")];
    assert!(holds(analysis("crosstab", &crosstab)));
    assert_eq!(analysis("crosstab", &crosstab).kind(), "crosstab");
    // A join of the statement leaves out persons too, though the text names the cohort somewhere.
    let dead = Cohort {
        sql: "SELECT p.person_id, p.sex FROM person p JOIN death d ON p.person_id = d.person_id"
            .into(),
        complete: Vec::new(),
    };
    let unused =
        "WITH c AS (SELECT person_id FROM cohort) SELECT sex, count(*) FROM person GROUP BY sex";
    let unused = of(dead.clone(), unused).unwrap();
    assert!(!dead.holds(&unused, &book));
    let used = of(
        dead.clone(),
        "SELECT sex, count(*) FROM cohort GROUP BY sex",
    )
    .unwrap();
    assert!(dead.holds(&used, &book));
    // The same question without the conditions of the statement is not held.
    let wider = read("SELECT count(*) FROM person WHERE age >= 18", &book).unwrap();
    assert!(!own.holds(&wider, &book));
}
