//! Sums of different derived columns beside each other: what a person adds to one may be all but what
//! they add to another.

use std::collections::BTreeMap;

use quorate_query::release::ReleaseParams;

use super::*;
use crate::evidence::Contributions;
use crate::facets::count_vec;
use crate::history::{Across, Addends, FacetCandidate, Footprint, Form, Shape, derived_vec};

type Adds = BTreeMap<u32, i128>;

fn shape(sql: &str) -> Shape {
    let question = question(sql);
    Shape {
        rows: question.rows,
        joined: question.joined,
        predicate: question.filter,
    }
}

fn candidate(column: u8, adds: &Adds) -> FacetCandidate<'static> {
    let pairs = adds.iter().map(|(id, add)| (*id, *add)).collect();
    let contributions = Contributions::of(pairs).unwrap();
    let shape = shape("SELECT count(*) FROM person");
    FacetCandidate {
        facet: Facet {
            vec: derived_vec([column; 32]),
            form: Form::Sum([column; 32]),
            shape: shape.clone(),
            footprint: Footprint::of(&contributions),
        },
        asked: shape,
        first_vec: None,
        contributions: Some(Addends::Of(std::borrow::Cow::Owned(contributions))),
        clamp: 1_000_000,
        same_in_every_box: true,
        exact: true,
        across: Across {
            compared: true,
            ..Across::default()
        },
    }
}

/// The rules against a sum of a column beside those that left; it leaves if there are none.
fn ask(history: &mut History, candidate: FacetCandidate<'_>) -> Vec<&'static str> {
    let (book, params) = (book(), ReleaseParams::default());
    let from = history.standpoint(&book, &params, "e0");
    let hits = crate::history::find(&history.shown, &from, &candidate, None);
    if hits.is_empty() {
        leave(history, candidate.facet, [0; 32]);
    }
    hits.into_iter().map(|hit| hit.rule).collect()
}

/// Somewhat different values of sixty persons.
fn values(times: i128) -> Adds {
    (0..60)
        .map(|id| (id, times * (100 + i128::from(id * 37 % 50))))
        .collect()
}

#[test]
fn a_column_that_is_all_but_another_is_withheld() {
    for (differ, withheld) in [(0, true), (1, true), (7, true), (8, false), (40, false)] {
        let mut history = history();
        assert_eq!(ask(&mut history, candidate(1, &values(1))), [""; 0]);
        let mut other = values(1);
        for id in 0..differ {
            *other.get_mut(&id).unwrap() += 30;
        }
        let found = ask(&mut history, candidate(2, &other));
        assert_eq!(!found.is_empty(), withheld, "{differ}: {found:?}");
        assert!(found.iter().all(|rule| *rule == "H1s"));
    }
}

#[test]
fn one_person_who_makes_the_difference_dominates_it() {
    let mut history = history();
    assert_eq!(ask(&mut history, candidate(1, &values(1))), [""; 0]);
    let mut other = values(1);
    for id in 0..20 {
        *other.get_mut(&id).unwrap() += 1;
    }
    *other.get_mut(&30).unwrap() += 100_000;
    assert_eq!(ask(&mut history, candidate(2, &other)), ["H1s"]);
}

#[test]
fn signs_and_small_multiples_hide_nothing() {
    for times in [-1, 2, -2, 3, 4, 7, -12] {
        let mut history = history();
        assert_eq!(ask(&mut history, candidate(1, &values(1))), [""; 0]);
        let mut other = values(times);
        *other.get_mut(&5).unwrap() += 40;
        assert_eq!(ask(&mut history, candidate(2, &other)), ["H1s"], "{times}");
    }
}

#[test]
fn two_columns_that_add_up_to_a_third_leave_nobody_alone() {
    let second: Adds = (0..60)
        .map(|id| (id, i128::from(id * id % 83) + 7))
        .collect();
    let sum = |more: i128| -> Adds {
        let each = values(1)
            .into_iter()
            .map(|(id, add)| (id, add + second[&id]));
        each.map(|(id, add)| (id, add + if id == 9 { more } else { 0 }))
            .collect()
    };
    for more in [0, 500] {
        let mut history = history();
        assert_eq!(ask(&mut history, candidate(1, &values(1))), [""; 0]);
        assert_eq!(ask(&mut history, candidate(2, &second)), [""; 0]);
        assert_eq!(ask(&mut history, candidate(3, &sum(more))), ["H1s"]);
    }
    // other persons, other values
    let other: Adds = (0..60)
        .map(|id| (id, i128::from(id * 71 % 97) + 3))
        .collect();
    let mut history = history();
    assert_eq!(ask(&mut history, candidate(1, &values(1))), [""; 0]);
    assert_eq!(ask(&mut history, candidate(2, &second)), [""; 0]);
    assert_eq!(ask(&mut history, candidate(3, &other)), [""; 0]);
}

/// Numbers of rows, or of persons, who add so many times a unit each.
fn counted(form: Form, adds: &Adds) -> FacetCandidate<'static> {
    let mut found = candidate(9, adds);
    found.facet.vec = count_vec();
    found.facet.form = form;
    found.across = Across::default();
    found
}

#[test]
fn a_column_of_numbers_of_rows_is_compared_with_rows() {
    let rows: Adds = (0..60).map(|id| (id, 1 + i128::from(id * 7 % 5))).collect();
    for (differ, withheld) in [(0, true), (1, true), (7, true), (20, false)] {
        // The same numbers as a column of persons, in units of 10^-9, but for a few who have more.
        let mut column: Adds = rows
            .iter()
            .map(|(id, n)| (*id, n * 1_000_000_000))
            .collect();
        for id in 0..differ {
            *column.get_mut(&id).unwrap() += 3_000_000_000;
        }
        for rows_first in [true, false] {
            let mut history = history();
            let mut both = [counted(Form::Rows(20), &rows), candidate(1, &column)];
            if !rows_first {
                both.reverse();
            }
            let [first, second] = both;
            assert_eq!(ask(&mut history, first), [""; 0]);
            let found = ask(&mut history, second);
            assert_eq!(found.contains(&"H1s"), withheld, "{differ}: {found:?}");
        }
    }
}

#[test]
fn values_that_were_not_kept_are_not_taken_for_different() {
    let mut history = history();
    assert_eq!(ask(&mut history, candidate(1, &values(1))), [""; 0]);
    let mut other = candidate(2, &Adds::from([(1, 5), (2, 90)]));
    other.facet.footprint.spread = None;
    assert_eq!(ask(&mut history, other), ["H1s"]);
}

/// Numbers of sixty persons that have nothing to do with those of another seed.
fn scattered(seed: u32) -> Adds {
    let of = |id: u32| (id * id * (seed + 3) + id * 29 * seed + seed * seed) % 997;
    (0..60).map(|id| (id, 10 + i128::from(of(id)))).collect()
}

/// Four columns of which one is, but for some persons, what the others make up.
#[test]
fn four_columns_leave_nobody_alone() {
    let [first, second, third] = [1, 2, 5].map(scattered);
    for (more, withheld) in [(0, true), (1, true), (7, true), (20, false)] {
        let own: Adds = (0..60)
            .map(|id| {
                let made = first[&id] + second[&id] - 3 * third[&id];
                let other = i128::from(id * 41 % 31 + 1);
                (id, made + if id < more { 50 * other } else { 0 })
            })
            .collect();
        let mut history = history();
        for (column, adds) in [(1, &first), (2, &second), (3, &third)] {
            assert_eq!(ask(&mut history, candidate(column, adds)), [""; 0]);
        }
        let found = ask(&mut history, candidate(4, &own));
        assert_eq!(!found.is_empty(), withheld, "{more}: {found:?}");
        assert!(found.iter().all(|rule| *rule == "H1s"));
    }
}

/// A column of everybody, and another of two halves of them.
#[test]
fn halves_of_one_column_are_put_together_beside_another() {
    let half = |lower: bool, sql: &str, adds: &Adds| {
        let adds = adds.iter().filter(|(id, _)| (**id < 30) == lower);
        let mut found = candidate(2, &adds.map(|(id, add)| (*id, *add)).collect());
        found.facet.shape = shape(sql);
        found
    };
    for (more, withheld) in [(1, true), (40, false)] {
        let mut second = scattered(4);
        let whole = second.clone();
        for id in 0..more {
            *second.get_mut(&id).unwrap() += 5 + i128::from(id * 17 % 23);
        }
        let mut history = history();
        assert_eq!(ask(&mut history, candidate(1, &whole)), [""; 0]);
        let one = half(true, "SELECT count(*) FROM person WHERE town = 0", &second);
        assert_eq!(ask(&mut history, one), [""; 0]);
        let other = half(false, "SELECT count(*) FROM person WHERE town = 1", &second);
        let found = ask(&mut history, other);
        assert_eq!(!found.is_empty(), withheld, "{more}: {found:?}");
    }
}
