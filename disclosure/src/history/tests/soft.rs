//! Conditions with OR and NOT, which only questions for review have: history knows who is behind them
//! by the persons themselves, so they are judged like any set, and what follows from them beside plain
//! conditions too.

use proptest::prelude::*;
use quorate_query::analyses::Request;
use quorate_query::derived::Derived;
use quorate_query::question::{Params, Predicate, Question};

use super::*;

fn for_review(condition: &str) -> Question {
    let sql = format!("SELECT count(*) FROM person WHERE {condition}");
    let read = Request::Reviewed(Box::new(sql.into())).read(&Params::new(), &book());
    read.unwrap_or_else(|problem| panic!("{condition}: {problem}"))
}

fn holds(question: &Question, book: &Codebook, predicate: &Predicate, person: &Person) -> bool {
    predicate.boxes.iter().all(|(column, set)| {
        let value = match question.derived.get(column) {
            Some(Derived::Any(any)) => {
                i64::from(any.iter().any(|p| holds(question, book, p, person)))
            }
            Some(other) => panic!("{other:?}"),
            None => value_of(person, column),
        };
        set.contains(&number(value), book.column(column).unwrap().ty)
    })
}

/// Asks how many persons meet a condition; who they are, if a number of them leaves.
fn ask(node: &mut Node, condition: &str) -> (Cell, RoaringBitmap) {
    let asked = for_review(condition);
    let table = asked.sole().unwrap();
    let published = book();
    let book = asked.book(&published);
    let people = node.people.iter();
    let inside: Vec<(u32, Person)> = people
        .filter(|(_, person)| holds(&asked, &book, &table.filter, person))
        .map(|(id, person)| (*id, *person))
        .collect();
    let evidence = Evidence {
        cells: [(Vec::new(), cell(table, &inside))].into(),
    };
    let sheet = Sheet {
        question: table,
        codebook: &book,
        nobody: &cell(table, &[]),
        evidence: &evidence,
        params: &node.params,
        epoch: &node.epoch,
        project: &node.project,
        core: false,
        noise: None,
    };
    let mut outcome = decide(&sheet, &mut node.history);
    for entry in std::mem::take(&mut outcome.fresh) {
        node.history.add(entry);
    }
    let shown = outcome.table.rows[0].cells[0].clone();
    (shown, inside.into_iter().map(|(id, _)| id).collect())
}

fn left(node: &mut Node, condition: &str) -> bool {
    matches!(ask(node, condition).0, Cell::Value(_))
}

/// Twenty of either kind, three of both, forty of neither.
fn two_kinds(both: u32) -> Node {
    let mut people = alike(0, 20, [1, 0, 30, 0, 0]);
    people.extend(alike(20, 20, [0, 1, 30, 0, 0]));
    people.extend(alike(40, both, [1, 1, 30, 0, 0]));
    people.extend(alike(60, 40, [0, 0, 30, 0, 0]));
    Node::of(people)
}

#[test]
fn the_few_of_both_do_not_follow_from_either() {
    let conditions = ["sex = 1", "town = 1", "sex = 1 OR town = 1"];
    for first in 0..3 {
        for second in (0..3).filter(|second| *second != first) {
            let third = 3 - first - second;
            for (both, all) in [(3, false), (12, true)] {
                let mut node = two_kinds(both);
                assert!(left(&mut node, conditions[first]));
                assert!(left(&mut node, conditions[second]));
                let last = left(&mut node, conditions[third]);
                assert_eq!(last, all, "{first} {second} {both}");
            }
        }
    }
}

#[test]
fn a_condition_and_its_opposite_make_up_everybody() {
    // Who meets neither alternative are 40, all but three of whom are asked for otherwise.
    let mut node = two_kinds(12);
    for id in [97, 98, 99] {
        node.people.insert(id, [0, 2, 30, 0, 0]);
    }
    assert!(left(&mut node, "age >= 0 OR sex = 0"), "everybody");
    assert!(left(&mut node, "sex = 1 OR town = 1"));
    assert!(!left(&mut node, "sex = 0 AND town = 0"));
    // In other words they are the same persons.
    let mut node = two_kinds(12);
    assert!(left(&mut node, "sex = 1 OR town = 1"));
    assert!(left(&mut node, "NOT (NOT town = 1 AND NOT sex = 1)"));
    assert_eq!(node.history.entries().len(), 1, "one release, told twice");
}

/// Conditions of which some overlap, some lie in others, and some are made up of others.
const CONDITIONS: [&str; 14] = [
    "age >= 0",
    "sex = 1",
    "town = 1",
    "age < 50",
    "disease = 1",
    "sex = 1 OR town = 1",
    "sex = 1 OR age < 50",
    "town = 1 OR age < 50",
    "sex = 1 AND town = 1",
    "sex = 1 AND age < 50",
    "NOT (sex = 1 AND age < 50)",
    "(sex = 1 AND town = 1) OR (sex = 0 AND age < 50)",
    "(sex = 1 AND age < 50) OR (town = 1 AND age >= 50)",
    "disease = 1 OR (sex = 0 AND town = 2)",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Of no two or three numbers that left does a sum or difference rest on a few persons.
    #[test]
    fn no_few_persons_follow_from_soft_conditions(
        people in prop::collection::vec((0..2_i64, 0..4_i64, 0..20_i64, 0..2_i64), 40..140),
        order in prop::collection::vec(0..CONDITIONS.len(), 5..9),
    ) {
        let numbered = (0_u32..).zip(people);
        let people: People = numbered
            .map(|(id, (sex, town, age, disease))| (id, [sex, town, 5 * age, disease, 0]))
            .collect();
        let mut node = Node::of(people);
        let mut shown: Vec<RoaringBitmap> = Vec::new();
        for at in order {
            if let (Cell::Value(_), set) = ask(&mut node, CONDITIONS[at]) {
                shown.push(set);
            }
        }
        let few = |n: u64| (1..8).contains(&n);
        for (at, a) in shown.iter().enumerate() {
            prop_assert!(!few(a.len()));
            for (more, b) in shown.iter().enumerate().skip(at + 1) {
                prop_assert!(!few(a.symmetric_difference_len(b)));
                for c in shown.iter().skip(more + 1) {
                    for (x, y, z) in [(a, b, c), (a, c, b), (b, c, a)] {
                        // x + y - z: who is in z and in one of the others evens out.
                        let weight = ((x | y) | z).len() - ((x ^ y) & z).len();
                        prop_assert!(!few(weight), "{} of three", weight);
                    }
                }
            }
        }
    }
}
