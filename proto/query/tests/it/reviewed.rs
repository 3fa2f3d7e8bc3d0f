//! Questions that a person reviews: OR and NOT select the rows that SQL selects, whatever is missing;
//! arithmetic inside aggregates is the same number however it is written; and nothing of it is read
//! unless review was asked for.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_query::analyses::Request;
use quorate_query::answer::{Mode, NodeTable, Protection};
use quorate_query::codebook::{self, Codebook, ColumnRef};
use quorate_query::cohort::Cohort;
use quorate_query::combine::{CombinedCell, SiteAnswer, combine};
use quorate_query::derived::Derived;
use quorate_query::number::Number;
use quorate_query::problem::Problem;
use quorate_query::question::{Params, Predicate, Question};
use quorate_query::value::Scalar;

use crate::cells::{Person, node};
use crate::common::{language, read};

fn for_review(sql: &str, codebook: &Codebook) -> Result<Question, Problem> {
    Request::Reviewed(Box::new(sql.into())).read(&Params::new(), codebook)
}

/// A person's values; what is not there is missing.
type Row = BTreeMap<&'static str, Scalar>;

/// A condition, in SQL and as what it means: true, false, or unknown.
#[derive(Clone, Debug)]
enum Tree {
    Atom(&'static str, Atom),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

#[derive(Clone, Debug)]
enum Atom {
    Less(i128),
    Within(i128, i128),
    In(Vec<i128>),
    Text(&'static str),
    Missing,
}

impl Tree {
    fn sql(&self) -> String {
        match self {
            Self::Atom(name, atom) => match atom {
                Atom::Less(than) => format!("{name} < {than}"),
                Atom::Within(low, high) => format!("{name} BETWEEN {low} AND {high}"),
                Atom::In(all) => {
                    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                    format!("{name} IN ({})", all.join(", "))
                }
                Atom::Text(text) => format!("{name} = '{text}'"),
                Atom::Missing => format!("{name} IS NULL"),
            },
            Self::Not(of) => format!("NOT ({})", of.sql()),
            Self::And(a, b) => format!("({}) AND ({})", a.sql(), b.sql()),
            Self::Or(a, b) => format!("({}) OR ({})", a.sql(), b.sql()),
        }
    }

    fn holds(&self, row: &Row) -> Option<bool> {
        match self {
            Self::Atom(name, atom) => {
                let value = row.get(name);
                let number = || {
                    value
                        .and_then(Scalar::as_number)
                        .and_then(|n| n.to_integer())
                };
                match atom {
                    Atom::Missing => Some(value.is_none()),
                    Atom::Less(than) => number().map(|n| n < *than),
                    Atom::Within(low, high) => number().map(|n| *low <= n && n <= *high),
                    Atom::In(all) => number().map(|n| all.contains(&n)),
                    Atom::Text(text) => value.map(|v| *v == Scalar::Text((*text).to_owned())),
                }
            }
            Self::Not(of) => of.holds(row).map(|holds| !holds),
            Self::And(a, b) => match (a.holds(row), b.holds(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.holds(row), b.holds(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

/// Whether a row is selected by what was read.
fn selects(question: &Question, codebook: &Codebook, predicate: &Predicate, row: &Row) -> bool {
    predicate.boxes.iter().all(|(name, set)| {
        let value = match question.derived.get(name) {
            Some(Derived::Any(all)) => {
                let mut all = all.iter();
                let any = all.any(|one| selects(question, codebook, one, row));
                Scalar::Number(Number::new(i128::from(any), 0))
            }
            Some(other) => panic!("{other:?}"),
            None => row
                .get(name.column.as_str())
                .cloned()
                .unwrap_or(Scalar::Null),
        };
        let book = question.book(codebook);
        set.contains(&value, book.column(name).unwrap().ty)
    })
}

fn atom() -> impl Strategy<Value = Tree> {
    let grid = |of: &'static str, low: i128, high: i128, step: i128| {
        let point = move || (low..high).prop_map(move |n| n * step);
        prop_oneof![
            point().prop_map(move |at| Tree::Atom(of, Atom::Less(at))),
            (point(), 1..4_i128).prop_map(move |(from, more)| {
                Tree::Atom(of, Atom::Within(from, from + more * step - 1))
            }),
        ]
    };
    prop_oneof![
        grid("age", 1, 23, 5),
        grid("steps", 1, 29, 1000),
        prop::collection::vec(0..2_i128, 1..3).prop_map(|all| Tree::Atom("sex", Atom::In(all))),
        prop::sample::select(vec!["e", "n", "nw", "s"])
            .prop_map(|text| Tree::Atom("region", Atom::Text(text))),
        prop::sample::select(vec!["age", "sex", "region"])
            .prop_map(|name| Tree::Atom(name, Atom::Missing)),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    atom().prop_recursive(4, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.prop_map(|of| Tree::Not(Box::new(of))),
            two.clone()
                .prop_map(|(a, b)| Tree::And(Box::new(a), Box::new(b))),
            two.prop_map(|(a, b)| Tree::Or(Box::new(a), Box::new(b))),
        ]
    })
}

fn row() -> impl Strategy<Value = Row> {
    let number = |n: i128| Scalar::Number(Number::new(n, 0));
    let known = (
        prop::option::weighted(0.8, 0..120_i128),
        prop::option::weighted(0.8, 0..2_i128),
        prop::option::weighted(0.8, prop::sample::select(vec!["e", "n", "nw", "s"])),
        0..30_000_i128,
    );
    known.prop_map(move |(age, sex, region, steps)| {
        let mut row = Row::from([("steps", number(steps))]);
        row.extend(age.map(|age| ("age", number(age))));
        row.extend(sex.map(|sex| ("sex", number(sex))));
        row.extend(region.map(|text| ("region", Scalar::Text(text.to_owned()))));
        row
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The law of the reviewed WHERE: exactly the rows for which the condition is true.
    #[test]
    fn or_and_not_select_what_sql_selects(tree in tree(), rows in prop::collection::vec(row(), 40)) {
        let book = language();
        let sql = format!("SELECT count(*) FROM person WHERE {}", tree.sql());
        match for_review(&sql, &book) {
            Ok(question) => {
                let filter = &question.sole().unwrap().filter;
                prop_assert!(filter.cohorts.is_empty());
                for row in &rows {
                    let ours = selects(&question, &book, filter, row);
                    prop_assert_eq!(ours, tree.holds(row) == Some(true), "{}\n{:?}", sql, row);
                }
            }
            // A condition that is never met is refused, as in any WHERE.
            Err(problem) if problem.code.0 == "V401" => {
                let never = rows.iter().all(|row| tree.holds(row) != Some(true));
                let missing = problem.message.contains("never missing");
                prop_assert!(never || missing, "{}\n{}", sql, problem);
            }
            Err(problem) => prop_assert_eq!(problem.code.0, "V800", "{}\n{}", sql, problem),
        }
    }

    /// Order, brackets and double negation change nothing.
    #[test]
    fn one_condition_has_one_form(a in atom(), b in atom(), c in atom()) {
        let book = language();
        let digest = |text: String| {
            let sql = format!("SELECT count(*) FROM person WHERE {text}");
            for_review(&sql, &book).ok().map(|question| question.digest())
        };
        let (a, b, c) = (a.sql(), b.sql(), c.sql());
        let plain = digest(format!("{a} OR {b} OR {c}"));
        prop_assert_eq!(plain, digest(format!("{c} OR ({a} OR {b})")));
        prop_assert_eq!(plain, digest(format!("NOT (NOT ({b}) AND NOT ({a}) AND NOT ({c}))")));
        prop_assert_eq!(plain, digest(format!("({a} OR {b} OR {c}) OR {a}")));
    }
}

#[test]
fn alternatives_of_one_column_are_a_plain_question() {
    let book = language();
    for (loose, strict) in [
        ("sex = 0 OR sex = 1", "sex IN (0, 1)"),
        ("age < 50 OR age >= 65", "age NOT BETWEEN 50 AND 64"),
        ("NOT (age >= 50 OR sex = 1)", "age < 50 AND sex <> 1"),
        ("age < 50 OR (age < 50 AND sex = 1)", "age < 50"),
        (
            "chol IS NULL OR chol >= 80",
            "smoker = true OR NOT (smoker = true) OR smoker IS NULL",
        ),
    ] {
        let ask = |filter: &str| format!("SELECT count(*) FROM person WHERE {filter}");
        let one = for_review(&ask(loose), &book).unwrap();
        let other = for_review(&ask(strict), &book).unwrap();
        assert_eq!(one.canonical_bytes(), other.canonical_bytes(), "{loose}");
        assert!(one.derived.is_empty(), "{loose}");
        assert!(read(&ask(loose), &book).is_err(), "{loose}");
    }
}

#[test]
fn a_soft_condition_is_one_column_of_its_table() {
    let book = language();
    let sql = "SELECT sex, count(*) FROM person WHERE age >= 65 OR smoker = true GROUP BY sex";
    let question = for_review(sql, &book).unwrap();
    let (name, derived) = question.derived.first_key_value().unwrap();
    assert_eq!(name.table, "person");
    assert!(name.column.starts_with("any:"));
    assert!(matches!(derived, Derived::Any(all) if all.len() == 2));
    let known = question.book(&book).column(name).unwrap().clone();
    assert!(known.required && !known.sensitive);
    // What is sensitive stays sensitive.
    let sql = "SELECT count(*) FROM person WHERE age >= 65 OR disease = 1";
    let question = for_review(sql, &book).unwrap();
    let name: &ColumnRef = question.derived.keys().next().unwrap();
    assert!(question.book(&book).column(name).unwrap().sensitive);
    // Of events it is a column of the events.
    let sql =
        "SELECT count(*) FROM condition_occurrence c JOIN person p ON c.person_id = p.person_id
        WHERE condition_concept_id = 1 OR age >= 65";
    let question = for_review(sql, &book).unwrap();
    let name: &ColumnRef = question.derived.keys().next().unwrap();
    assert_eq!(name.table, "condition_occurrence");
}

#[test]
fn a_cohort_may_be_an_alternative_and_have_some() {
    let book = language();
    let sql = "SELECT count(*) FROM person WHERE sex = 1 OR person_id NOT IN (SELECT person_id FROM death)";
    let question = for_review(sql, &book).unwrap();
    let of_rows = |derived: &Derived| matches!(derived, Derived::Frame { .. });
    assert!(question.derived.values().any(of_rows));
    let cohort = Cohort {
        sql: "SELECT person_id, sex, age FROM person WHERE age >= 65 OR smoker = true".to_owned(),
        complete: Vec::new(),
    };
    let text = "SELECT count(*) FROM cohort";
    let of = Request::Of(cohort, Box::new(text.into()));
    assert_eq!(of.read(&Params::new(), &book).unwrap_err().code.0, "V301");
    let of = Request::Reviewed(Box::new(of));
    let question = of.read(&Params::new(), &book).unwrap();
    assert_eq!(question.derived.len(), 1);
    assert!(of.is_reviewed() && of.cohort().is_some());
}

/// What an aggregate comes to over the persons of two nodes.
fn aggregate(what: &str, sites: &[Vec<Person>], round: bool) -> CombinedCell {
    let book = codebook::read(include_str!("../codebooks/trial.toml"), "trial.toml").unwrap();
    let question = for_review(&format!("SELECT {what} AS x FROM person"), &book).unwrap();
    let protection = Protection {
        mode: if round { Mode::Round } else { Mode::None },
        k: 8,
        round_base: 5,
    };
    let table = question.sole().unwrap();
    let of = |people: &Vec<Person>| node(people, table, &book, round);
    let tables: Vec<NodeTable> = sites.iter().map(of).collect();
    let answers = ["a", "b"].iter().zip(&tables);
    let answers: Vec<SiteAnswer<'_>> = answers
        .map(|(node, table)| SiteAnswer {
            node,
            table: Some((table, protection)),
        })
        .collect();
    let mut combined = combine(&question, &book, &answers).unwrap();
    combined.rows.remove(0).cells.remove(0)
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    let one = (0..61_i64, 0..31_i64, 0..2_i64).prop_map(|(months, falls, died)| {
        Person::from([
            ("months", months),
            ("falls", falls),
            ("died", died),
            ("disease", died),
        ])
    });
    prop::collection::vec(one, 60..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// What an expression comes to is its sum or mean over persons: exactly without protection, within
    /// the limits with it.
    #[test]
    fn arithmetic_is_that_of_persons(a in people(), b in people()) {
        type Of = fn(f64, f64, f64) -> f64;
        let cases: [(&str, Of); 6] = [
            ("2 * months - 1", |m, _, _| 2.0 * m - 1.0),
            ("months - falls / 4 + 3", |m, f, _| m - f / 4.0 + 3.0),
            ("(months - 10) * (falls + 2)", |m, f, _| (m - 10.0) * (f + 2.0)),
            ("months * months", |m, _, _| m * m),
            ("(months + falls) * (months - falls)", |m, f, _| m * m - f * f),
            ("-(months * falls) + falls", |m, f, _| f - m * f),
        ];
        let sites = [a, b];
        for (text, of) in cases {
            let each = sites.iter().flatten().map(|person| {
                let at = |name: &str| f64::from(i32::try_from(person[name]).unwrap());
                of(at("months"), at("falls"), at("died"))
            });
            let (n, sum) = each.fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
            for (word, truth) in [("avg", sum / n), ("sum", sum)] {
                let what = format!("{word}({text})");
                let number = |text: &Option<String>| text.as_ref().map(|t| t.parse::<f64>().unwrap());
                let exact = number(&aggregate(&what, &sites, false).value).unwrap();
                let slack = 1e-9 * truth.abs().max(1.0);
                prop_assert!((exact - truth).abs() <= slack, "{} {} {}", what, exact, truth);
                let shown = aggregate(&what, &sites, true);
                let (low, high) = (number(&shown.lower), number(&shown.upper));
                let holds = low.is_none_or(|low| low <= truth + slack)
                    && high.is_none_or(|high| truth <= high + slack);
                prop_assert!(holds, "{} {} {:?}", what, truth, shown);
                prop_assert!(low.is_some() && high.is_some(), "{} {:?}", what, shown);
            }
        }
    }
}
