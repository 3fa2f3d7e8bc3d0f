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

/// So many with a first, a second and a third thing, and many with at most one of the three.
fn three_kinds(both: u32) -> Node {
    let mut people = alike(0, 30, [0, 0, 30, 0, 0]);
    people.extend(alike(30, 30, [1, 0, 60, 0, 0]));
    people.extend(alike(60, 30, [0, 1, 60, 0, 0]));
    people.extend(alike(90, 50, [0, 0, 60, 0, 0]));
    people.extend(alike(140, both, [1, 1, 60, 0, 0]));
    Node::of(people)
}

#[test]
fn what_three_overlapping_conditions_and_the_one_they_share_leave_is_not_told() {
    let conditions = [
        "age < 50 OR sex = 1",
        "age < 50 OR town = 1",
        "age < 50 OR sex = 1 OR town = 1",
        "age < 50",
    ];
    for last in 0..4 {
        for (both, all) in [(3, false), (12, true)] {
            let mut node = three_kinds(both);
            for first in (0..4).filter(|first| *first != last) {
                assert!(left(&mut node, conditions[first]), "{first} {both}");
            }
            assert_eq!(left(&mut node, conditions[last]), all, "{last} {both}");
        }
    }
}

#[test]
fn the_same_is_seen_where_parts_make_up_what_the_conditions_share() {
    let mut node = three_kinds(3);
    for id in 0..15 {
        node.people.insert(id, [0, 0, 10, 0, 0]);
    }
    for condition in [
        "age < 20",
        "age >= 20 AND age < 50",
        "age < 50 OR sex = 1",
        "age < 50 OR town = 1",
    ] {
        assert!(left(&mut node, condition), "{condition}");
    }
    assert!(!left(&mut node, "age < 50 OR sex = 1 OR town = 1"));
}

#[test]
fn the_same_is_seen_where_others_have_changed_between() {
    let mut node = three_kinds(3);
    assert!(left(&mut node, "age < 50 OR sex = 1"));
    assert!(left(&mut node, "age < 50"));
    let mut people = node.people.clone();
    for id in 95..107 {
        people.insert(id, [0, 2, 60, 0, 0]);
    }
    node.refresh("e1", people);
    assert!(left(&mut node, "age < 50 OR town = 1"));
    assert!(!left(&mut node, "age < 50 OR sex = 1 OR town = 1"));
}

/// Conditions of which some overlap, some lie in others, and some are made up of others.
const CONDITIONS: [&str; 16] = [
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
    "sex = 1 OR town = 1 OR age < 50",
    "disease = 1 OR town = 1 OR age < 50",
];

/// One person for every way to be, as far as the conditions can tell.
fn ways() -> Vec<Person> {
    let mut all = Vec::new();
    for (sex, town, age, disease) in every(2, 4, 2, 2) {
        all.push([sex, town, 30 + 30 * age, disease, 0]);
    }
    all
}

fn every(a: i64, b: i64, c: i64, d: i64) -> impl Iterator<Item = (i64, i64, i64, i64)> {
    (0..a * b * c * d).map(move |n| (n / (b * c * d), n / (c * d) % b, n / d % c, n % d))
}

/// Whether some ways to be are all that have one of some sexes, one of some towns, and so on.
fn is_product(ways: &[Person], inside: &[bool]) -> bool {
    let chosen = || ways.iter().zip(inside).filter(|(_, inside)| **inside);
    let sides: Vec<std::collections::BTreeSet<i64>> = (0..4)
        .map(|at| chosen().map(|(way, _)| way[at]).collect())
        .collect();
    let within = |way: &&Person| {
        sides
            .iter()
            .enumerate()
            .all(|(at, side)| side.contains(&way[at]))
    };
    chosen().count() == ways.iter().filter(within).count()
}

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

    /// Whatever is added or taken off, of any number of numbers that left: no few follow who share one of
    /// some values of each column.
    #[test]
    fn no_few_of_a_kind_follow_from_any_number_of_soft_conditions(
        people in prop::collection::vec((0..2_i64, 0..4_i64, 0..2_i64, 0..2_i64), 60..260),
        order in prop::collection::vec(0..CONDITIONS.len(), 5..9),
    ) {
        let numbered = (0_u32..).zip(people);
        let people: People = numbered
            .map(|(id, (sex, town, age, disease))| (id, [sex, town, 30 + 30 * age, disease, 0]))
            .collect();
        let mut node = Node::of(people);
        let ways = ways();
        let mut shown: Vec<Vec<i64>> = Vec::new();
        for at in order {
            if left(&mut node, CONDITIONS[at]) {
                let asked = for_review(CONDITIONS[at]);
                let published = book();
                let book = asked.book(&published);
                let filter = &asked.sole().unwrap().filter;
                let meets = |way: &Person| i64::from(holds(&asked, &book, filter, way));
                shown.push(ways.iter().map(meets).collect());
            }
        }
        let many: usize = 3_usize.pow(u32::try_from(shown.len()).unwrap());
        for number in 0..many {
            let mut rest = number;
            let mut sum = vec![0; ways.len()];
            for one in &shown {
                let sign = [0, 1, -1][rest % 3];
                rest /= 3;
                for (sum, one) in sum.iter_mut().zip(one) {
                    *sum += sign * one;
                }
            }
            if sum.iter().any(|times| !(0..=1).contains(times)) {
                continue;
            }
            let inside: Vec<bool> = sum.iter().map(|times| *times == 1).collect();
            if !is_product(&ways, &inside) {
                continue;
            }
            let is_in = |person: &Person| {
                let alike = |(way, inside): (&Person, &bool)| *inside && way[..4] == person[..4];
                ways.iter().zip(&inside).any(alike)
            };
            let few = node.people.values().filter(|person| is_in(person)).count();
            prop_assert!(!(1..8).contains(&few), "{few} follow from {shown:?} by {number}");
        }
    }
}
