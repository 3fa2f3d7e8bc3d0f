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

/// Whoever is in none of the two later sums: six of either sex, one of whom has nearly everything.
fn three_columns(largest: i64) -> People {
    let mut people = People::new();
    for (sex, at) in [(0, 0), (1, 1000)] {
        let income = |id: u32| 29_000 + i64::from(id * 37 % 200);
        people.extend((at..at + 60).map(|id| (id, [sex, 0, 40, 0, income(id)])));
    }
    people.extend((100..106).map(|id| (id, [0, 1, 40, 0, i64::from(id)])));
    people.extend((1100..1106).map(|id| (id, [1, 0, 70, 0, i64::from(id)])));
    people.insert(1106, [1, 0, 70, 0, largest]);
    people
}

#[test]
fn a_dominated_rest_of_three_sums_is_withheld_whatever_the_order() {
    let asked = [
        "SELECT avg(income) FROM person",
        "SELECT avg(income) FROM person WHERE sex = 0 AND town = 0",
        "SELECT avg(income) FROM person WHERE sex = 1 AND age < 50",
    ];
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
        let mut node = Node::of(three_columns(90_000));
        let [first, second, third] = order.map(|at: usize| node.ask(asked[at]));
        assert_eq!(pattern(&first) + &pattern(&second), "vv");
        assert_eq!(pattern(&third), "-", "{order:?}");
        assert!(rules(&third).contains(&"H1s"), "{:?}", rules(&third));
        // Of what nobody dominates all three leave.
        let mut people = three_columns(1100);
        for (id, person) in people.iter_mut().filter(|(_, person)| person[4] < 20_000) {
            person[4] = 30_000 + i64::from(id % 7) * 100;
        }
        let mut node = Node::of(people);
        let shown = order.map(|at: usize| node.shows(asked[at]));
        assert_eq!(shown, ["v", "v", "v"], "{order:?}");
    }
}

/// The same persons with incomes that have changed by so much.
fn raised(mut people: People, by: impl Fn(u32) -> i64) -> People {
    for (id, person) in &mut people {
        person[4] += by(*id);
    }
    people
}

/// All of one state less one town of the state before: the other town, and what has changed in the first. One
/// of its persons has much more since, or not.
#[test]
fn a_change_that_one_makes_up_is_withheld() {
    for (much, told) in [(60_000, "-"), (0, "v")] {
        let mut people = incomes();
        for (id, person) in people.range_mut(100..112) {
            person[4] = 90 + i64::from(id % 7) * 20;
        }
        let mut node = Node::of(people.clone());
        let town = node.shows("SELECT avg(income) FROM person WHERE town = 0");
        assert_eq!(town, "v");
        node.refresh("e1", raised(people, |id| if id == 7 { much } else { 0 }));
        let found = node.ask(ALL);
        assert_eq!(pattern(&found), told, "{much}");
        assert_eq!(
            rules(&found).contains(&"H1s"),
            told == "-",
            "{:?}",
            rules(&found)
        );
    }
}

/// Three sums over three columns, two of them of an earlier state. What is in none of the earlier two nobody
/// dominates; what one of the others has more since does.
#[test]
fn a_change_that_one_makes_up_is_withheld_of_three_sums() {
    let asked = [
        "SELECT avg(income) FROM person WHERE sex = 0 AND town = 0",
        "SELECT avg(income) FROM person WHERE sex = 1 AND age < 50",
        "SELECT avg(income) FROM person",
    ];
    for (much, told) in [(60_000, "-"), (0, "v")] {
        let mut people = three_columns(1_090);
        for (id, person) in people.iter_mut().filter(|(_, person)| person[4] < 20_000) {
            person[4] = 90 + i64::from(id % 7) * 20;
        }
        let mut node = Node::of(people.clone());
        assert_eq!(node.shows(asked[0]), "v");
        assert_eq!(node.shows(asked[1]), "v");
        node.refresh("e1", raised(people, |id| if id == 7 { much } else { 0 }));
        let found = node.ask(asked[2]);
        assert_eq!(pattern(&found), told, "{much}: {:?}", rules(&found));
        assert_eq!(
            rules(&found).contains(&"H1s"),
            told == "-",
            "{:?}",
            rules(&found)
        );
    }
}
