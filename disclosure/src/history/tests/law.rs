//! Laws over random populations and random questions, with a judge of its own: it adds up what
//! every person counts for, and knows nothing of indices, samples or boxes.

use proptest::prelude::*;
use quorate_query::answer::Cell;

use super::*;
use crate::history::{Entry, Facet, State};

/// Persons behind a difference: never 1 to 7 of them.
const FEW: std::ops::Range<usize> = 1..8;

fn person() -> impl Strategy<Value = Person> {
    // Two thirds of them in one town, and few of the oldest, so that there are small groups.
    let town = prop_oneof![4 => Just(0_i64), 2 => Just(1), 1 => Just(2), 1 => Just(3)];
    let age = prop_oneof![8 => 20_i64..60, 1 => 60_i64..95];
    (0_i64..2, town, age, 0_i64..2, 0_i64..1000).prop_map(|(s, t, a, d, i)| [s, t, a, d, i])
}

pub(super) fn people() -> impl Strategy<Value = People> {
    prop::collection::vec(person(), 30..140).prop_map(|all| (0_u32..).zip(all).collect())
}

fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_i64..2).prop_map(|sex| format!("sex = {sex}")),
        (0_i64..4).prop_map(|town| format!("town = {town}")),
        (0_i64..4).prop_map(|town| format!("town <> {town}")),
        (4_i64..19).prop_map(|edge| format!("age < {}", edge * 5)),
        (4_i64..19).prop_map(|edge| format!("age >= {}", edge * 5)),
        (0_i64..2).prop_map(|disease| format!("disease = {disease}")),
    ]
}

pub(super) fn asked() -> impl Strategy<Value = String> {
    let keys = prop_oneof![
        4 => Just(""),
        1 => Just("sex"),
        2 => Just("town"),
        1 => Just("town, sex"),
    ];
    let measure = prop_oneof![3 => Just("count(*)"), 1 => Just("sum(disease)")];
    let conditions = prop::collection::vec(condition(), 0..3);
    let asked = (keys, measure, conditions).prop_map(|(keys, measure, conditions)| {
        let mut sql = match keys {
            "" => format!("SELECT {measure} FROM person"),
            keys => format!("SELECT {keys}, {measure} FROM person"),
        };
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        if !keys.is_empty() {
            sql.push_str(" GROUP BY ");
            sql.push_str(keys);
        }
        sql
    });
    asked.prop_filter("the language refuses it", |sql| readable(sql).is_some())
}

/// The distinct sets of persons that were released, of the family of counts.
fn released(history: &History) -> Vec<Vec<bool>> {
    let is_released = |entry: &&Entry| matches!(entry.state, State::Released(_));
    let facets = history
        .entries()
        .filter(is_released)
        .flat_map(|e| &e.facets);
    let members = |facet: &Facet| -> Vec<bool> {
        let people = &facet.footprint.people;
        (0..140).map(|id| people.contains(id)).collect()
    };
    let mut sets: Vec<Vec<bool>> = facets
        .filter(|facet| facet.form.is_count())
        .map(members)
        .filter(|set| set.contains(&true))
        .collect();
    sets.sort();
    sets.dedup();
    sets
}

/// How many persons have a coefficient that is not zero.
fn weight(terms: &[(i32, &Vec<bool>)]) -> usize {
    let of = |id: usize| -> i32 {
        terms
            .iter()
            .map(|(sign, set)| sign * i32::from(set[id]))
            .sum()
    };
    (0..140).filter(|id| of(*id) != 0).count()
}

/// How many other releases a finding of a rule names at least. Two of H2 may be of one cell.
fn least_named(rule: &str) -> usize {
    usize::from(["H1", "H2", "H2f"].contains(&rule))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Neither one release, nor a difference of two, nor a combination of three rests on a few.
    #[test]
    fn no_combination_of_three_rests_on_a_few(
        people in people(),
        questions in prop::collection::vec(asked(), 1..10),
    ) {
        let mut node = Node::of(people);
        for sql in &questions {
            node.ask(sql);
        }
        let sets = released(&node.history);
        for (i, a) in sets.iter().enumerate() {
            prop_assert!(!FEW.contains(&weight(&[(1, a)])));
            for (j, b) in sets.iter().enumerate().skip(i + 1) {
                prop_assert!(!FEW.contains(&weight(&[(1, a), (-1, b)])));
                for c in sets.iter().skip(j + 1) {
                    prop_assert!(!FEW.contains(&weight(&[(1, a), (1, b), (-1, c)])));
                    prop_assert!(!FEW.contains(&weight(&[(1, a), (-1, b), (1, c)])));
                    prop_assert!(!FEW.contains(&weight(&[(-1, a), (1, b), (1, c)])));
                }
            }
        }
    }

    /// What was shown is shown again, and deciding leaves no trace.
    #[test]
    fn what_was_shown_is_shown_again(
        people in people(),
        questions in prop::collection::vec(asked(), 1..6),
    ) {
        let mut node = Node::of(people);
        let mut first = Vec::new();
        for sql in &questions {
            let foreseen = node.look(sql);
            let asked = node.ask(sql);
            prop_assert_eq!(&foreseen.table, &asked.table);
            first.push(asked.table);
        }
        for (sql, earlier) in questions.iter().zip(first) {
            let again = node.ask(sql).table;
            for (now, then) in again.rows.iter().zip(&earlier.rows) {
                for (now, then) in now.cells.iter().zip(&then.cells) {
                    prop_assert!(*then == Cell::Suppressed || now == then);
                }
            }
        }
    }

    /// Asked again at once, a question is told the same: nothing that was withheld leaves then.
    #[test]
    fn asked_again_the_same_is_told(
        people in people(),
        questions in prop::collection::vec(asked(), 1..8),
    ) {
        let mut node = Node::of(people);
        for sql in &questions {
            let first = node.ask(sql).table;
            prop_assert_eq!(&node.ask(sql).table, &first, "{}", sql);
        }
    }

    /// The custodian is told beside which earlier releases a cell would say too much.
    #[test]
    fn findings_name_the_other_releases(
        people in people(),
        questions in prop::collection::vec(asked(), 1..8),
    ) {
        let mut node = Node::of(people);
        for sql in &questions {
            for finding in node.ask(sql).findings {
                let names = node.history.entries().map(Entry::name);
                let named = names.filter(|name| finding.why.contains(name)).count();
                prop_assert!(named >= least_named(finding.rule), "{}", finding);
            }
        }
    }

    /// Numbers of persons and the order of rows decide nothing.
    #[test]
    fn only_who_is_together_decides(
        people in people(),
        questions in prop::collection::vec(asked(), 1..6),
    ) {
        let renamed: People = people.iter().map(|(id, p)| (9_000_000 - id * 13, *p)).collect();
        let (mut node, mut other) = (Node::of(people), Node::of(renamed));
        for sql in &questions {
            prop_assert_eq!(node.ask(sql).table, other.ask(sql).table);
        }
    }
}
