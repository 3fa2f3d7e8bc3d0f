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

const FOLLOWED: &str = "WITH f AS (SELECT person_id, min(condition_start_date) AS dx FROM condition_occurrence \
    WHERE condition_concept_id IN set.diabetes GROUP BY person_id), \
    d AS (SELECT person_id, min(death_date) AS died FROM death GROUP BY person_id) \
    SELECT f.person_id, coalesce(d.died, DATE '2020-12-31') - f.dx AS days, \
    CAST(d.died IS NOT NULL AS INTEGER) AS dead FROM f LEFT JOIN d USING (person_id)";

/// Days lie between 100 years before and after: nobody means to ask for so many bands.
#[test]
fn a_curve_of_derived_days_asks_for_few_cells() {
    let cohort = Cohort {
        sql: FOLLOWED.to_owned(),
        complete: Vec::new(),
    };
    let text = |arguments: &[(&str, &str)]| {
        let given = [&[("event", "dead")], arguments].concat();
        let request = analysis("survival", &given);
        let question = of(cohort.clone(), request.clone()).unwrap();
        let tables = question.tables().len();
        let text = Request::Of(cohort.clone(), Box::new(request)).text(&language());
        (tables, text)
    };
    let (tables, plain) = text(&[("time", "days:30")]);
    assert_eq!(tables, 2);
    assert!(plain.contains("days >= 0 AND days < 1200 "), "{plain}");
    assert!(plain.contains("days >= 1200"), "{plain}");
    let (_, longer) = text(&[("time", "days:365"), ("until", "3650")]);
    assert!(longer.contains("days < 3650"), "{longer}");
    let (tables, said) = text(&[("time", "days:90"), ("where", "days >= 0 AND days < 900")]);
    assert_eq!(tables, 1);
    assert!(!said.contains("3600"), "{said}");
    let (tables, merged) = text(&[("time", "days:30"), ("merge", "90")]);
    assert_eq!(tables, 3);
    assert!(merged.contains("days < 1170"), "{merged}");
}

/// Numbers that were derived, and what multiplies them.
#[test]
fn models_are_also_of_derived_columns() {
    let statement = |more: &str| Cohort {
        sql: format!(
            "WITH m AS (SELECT person_id, {more} AS sbp FROM measurement WHERE measurement_concept_id IN set.sbp \
             GROUP BY person_id), f AS (SELECT person_id, min(condition_start_date) AS dx FROM condition_occurrence \
             GROUP BY person_id) SELECT p.person_id, p.sex, date_sub('year', f.dx, DATE '2020-12-31') AS years, \
             coalesce(m.sbp, 120) AS sbp FROM person p JOIN f USING (person_id) LEFT JOIN m USING (person_id)"
        ),
        complete: vec!["years".to_owned()],
    };
    let model = analysis("lm", &[("formula", "sbp ~ years + C(sex)")]);
    let found = of(statement("max(value_as_number)"), model.clone()).unwrap();
    assert_eq!(found.tables().len(), 2);
    // The statement leaves out whoever lacks a column: the analysis need not say it again.
    let text = Request::Of(statement("max(value_as_number)"), Box::new(model.clone()));
    let text = text.text(&language());
    assert!(!text.contains("years IS NOT NULL"), "{text}");
    let pair = analysis("correlation", &[("columns", "sbp,years")]);
    assert!(of(statement("min(value_as_number)"), pair).is_ok());
}
