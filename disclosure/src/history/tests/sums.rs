//! Attacks on sums and means.

use super::*;

/// 60 persons with incomes around 30,000, and one with 100,000 in town 1 among eleven others.
fn incomes() -> People {
    let income = |id: u32| 29_000 + i64::from(id * 37 % 200);
    let mut people: People = (0..60).map(|id| (id, [0, 0, 40, 0, income(id)])).collect();
    people.extend((100..111).map(|id| (id, [0, 1, 40, 0, i64::from(id)])));
    people.insert(111, [0, 1, 40, 0, 100_000]);
    people
}

const ALL: &str = "SELECT avg(income) FROM person";

#[test]
fn a_dominated_difference_of_sums_is_withheld() {
    let mut node = Node::of(incomes());
    assert_eq!(node.shows(ALL), "v");
    // Of twelve persons in town 1 one has nearly everything.
    let found = node.ask("SELECT avg(income) FROM person WHERE town = 0");
    assert_eq!(pattern(&found), "-");
    assert!(rules(&found).contains(&"H1s"), "{:?}", rules(&found));
    // The other way round as well.
    let mut node = Node::of(incomes());
    assert_eq!(
        node.shows("SELECT avg(income) FROM person WHERE town = 0"),
        "v"
    );
    let found = node.ask(ALL);
    assert_eq!(pattern(&found), "-");
    assert!(rules(&found).contains(&"H1s"), "{:?}", rules(&found));
}

#[test]
fn a_difference_that_nobody_dominates_is_shown() {
    let mut people = incomes();
    for (id, person) in people.range_mut(100..112) {
        person[4] = 30_000 + i64::from(id % 7) * 100;
    }
    let mut node = Node::of(people);
    assert_eq!(node.shows(ALL), "v");
    assert_eq!(
        node.shows("SELECT avg(income) FROM person WHERE town = 0"),
        "v"
    );
}

#[test]
fn a_difference_where_all_are_alike_is_withheld() {
    let mut people = incomes();
    for (_, person) in people.range_mut(100..112) {
        person[4] = 31_000;
    }
    let mut node = Node::of(people);
    assert_eq!(node.shows(ALL), "v");
    let found = node.ask("SELECT avg(income) FROM person WHERE town = 0");
    assert_eq!(pattern(&found), "-");
    assert!(rules(&found).contains(&"H1s"));
}

#[test]
fn one_changed_value_is_not_seen_after_a_refresh() {
    let mut people = incomes();
    people.retain(|id, _| *id < 60);
    let mut node = Node::of(people.clone());
    let first = node.one(ALL);
    people.get_mut(&7).unwrap()[4] = 90_000;
    node.refresh("e1", people.clone());
    assert_eq!(node.one(ALL), first);
}
