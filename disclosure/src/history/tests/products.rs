//! Attacks on mean products, which only typed analyses can ask for.

use quorate_query::analyses::{Analysis, Request};
use quorate_query::question::Params;

use super::*;

/// Means of age and income and their mean product, of persons who satisfy a condition.
fn correlation(condition: Option<&str>) -> TableQuestion {
    let given = [("columns", Some("age,income")), ("where", condition)];
    let given = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let arguments = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let analysis = Analysis::named("correlation", arguments.collect()).unwrap();
    let read = Request::Analysis(analysis).read(&Params::new(), &book());
    read.unwrap().into_sole().unwrap()
}

/// 60 persons in town 0, and twelve in town 1 of whom one may stand out.
fn towns(age: i64, income: i64) -> People {
    let spread = |id: u32, by: u32, of: u32| i64::from(id * by % of);
    let person = |id| {
        (
            id,
            [
                0,
                0,
                30 + spread(id, 7, 40),
                0,
                29_000 + spread(id, 37, 9000),
            ],
        )
    };
    let mut people: People = (0..60).map(person).collect();
    people.extend((100..111).map(|id| (id, [0, 1, 30 + spread(id, 7, 40), 0, i64::from(id)])));
    people.insert(111, [0, 1, age, 0, income]);
    people
}

/// What is said of the product, which is the third measure.
fn of_product(outcome: &Outcome) -> Vec<&'static str> {
    let found = outcome.findings.iter().filter(|found| found.measure == 2);
    found.map(|found| found.rule).collect()
}

#[test]
fn a_difference_of_products_that_one_person_makes_up_is_withheld() {
    for order in [[None, Some("town = 0")], [Some("town = 0"), None]] {
        let mut node = Node::of(towns(90, 100_000));
        assert_eq!(pattern(&node.ask_of(&correlation(order[0]))), "vvv");
        let found = node.ask_of(&correlation(order[1]));
        assert!(of_product(&found).contains(&"H1s"), "{order:?}");
        // Where nobody stands out both leave.
        let mut people = towns(90, 100_000);
        for (id, person) in people.range_mut(100..112) {
            *person = [
                0,
                1,
                35 + i64::from(id * 5 % 30),
                0,
                30_000 + i64::from(id % 7) * 900,
            ];
        }
        let mut node = Node::of(people);
        let shown = order.map(|condition| pattern(&node.ask_of(&correlation(condition))));
        assert_eq!(shown, ["vvv", "vvv"], "{order:?}");
    }
}

#[test]
fn a_column_that_one_person_has_does_not_hide_behind_its_centre() {
    // Everybody but one has no income: about 50,000 they all add much to the product.
    let mut people = towns(40, 0);
    for person in people.values_mut() {
        person[4] = 0;
    }
    people.get_mut(&111).unwrap()[4] = 90_000;
    let found = Node::of(people).ask_of(&correlation(None));
    assert!(!of_product(&found).is_empty());
    assert!(pattern(&found).ends_with("--"));
}

#[test]
fn the_same_persons_but_one_are_not_asked_about_twice() {
    let mut people = towns(44, 33_000);
    for (_, person) in people.range_mut(12..) {
        person[2] = person[2].min(64);
    }
    let mut node = Node::of(people);
    assert_eq!(pattern(&node.ask_of(&correlation(None))), "vvv");
    // The same question gives the same parts.
    let again = node.ask_of(&correlation(None));
    assert_eq!((pattern(&again).as_str(), again.repeated), ("vvv", 3));
    let found = node.ask_of(&correlation(Some("age < 65")));
    assert!(pattern(&found).ends_with('-') || pattern(&found).ends_with('n'));
}

/// Of complete cases all but a few are those of a known number: that stands in the place of theirs.
#[test]
fn a_product_of_nearly_everybody_stands_beside_the_number_of_all() {
    for (older, shown) in [(3, "nnn"), (9, "vvv")] {
        let mut people = towns(44, 33_000);
        for (id, person) in &mut people {
            person[2] = if *id < older { 65 } else { person[2].min(64) };
        }
        let mut node = Node::of(people);
        let all = Cell::Value(vec![Number::new(70, 0)]);
        assert_eq!(node.one("SELECT count(*) FROM person"), all);
        let found = node.ask_of(&correlation(Some("age < 65")));
        assert_eq!(pattern(&found), shown, "{:?}", rules(&found));
    }
}

#[test]
fn few_persons_have_a_budget() {
    let people: People = towns(44, 33_000)
        .into_iter()
        .filter(|(id, _)| *id < 15)
        .collect();
    let found = Node::of(people).ask_of(&correlation(None));
    assert_eq!(pattern(&found), "---");
    assert!(
        rules(&found).iter().all(|rule| *rule == "R12"),
        "{:?}",
        rules(&found)
    );
}

/// Of persons of one band the product with age is all but a multiple of the other column.
#[test]
fn a_product_with_a_column_of_one_band_stands_for_the_other() {
    for (condition, shown) in [(None, "nnn"), (Some("age < 65"), "nn-")] {
        let mut people = towns(44, 33_000);
        people.retain(|id, _| *id < 103);
        for person in people.values_mut() {
            person[2] = person[2].min(64);
        }
        let mut node = Node::of(people);
        let narrowed = condition.map_or(String::new(), |condition| format!(" AND {condition}"));
        let others = format!("SELECT avg(income) FROM person WHERE town = 0{narrowed}");
        assert!(matches!(node.one(&others), Cell::Value(_)));
        let found = node.ask_of(&correlation(condition));
        assert_eq!(pattern(&found), shown, "{condition:?}: {:?}", rules(&found));
    }
}
