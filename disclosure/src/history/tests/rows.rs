//! Rows beside persons, and rows and totals of rows beside each other: what a person adds to one
//! release need not be what they add to another. The judge adds up what every person adds.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_query::release::ReleaseParams;

use super::*;
use crate::history::{Addends, FacetCandidate, Footprint, Form, Shape};

/// What each person adds to a release.
type Adds = BTreeMap<u32, i64>;

const VEC: [u8; 32] = [7; 32];

fn shape(sql: &str) -> Shape {
    let question = question(sql);
    Shape {
        rows: question.rows,
        joined: question.joined,
        predicate: question.filter,
    }
}

fn facet(form: Form, adds: &Adds, shape: Shape) -> Facet {
    let pairs = adds.iter().map(|(id, add)| (*id, i128::from(*add)));
    let contributions = Contributions::of(pairs.collect()).unwrap();
    Facet {
        vec: VEC,
        form,
        shape,
        footprint: Footprint::of(&contributions),
    }
}

fn candidate(facet: Facet) -> FacetCandidate<'static> {
    FacetCandidate {
        asked: facet.shape.clone(),
        same_in_every_box: facet.form == Form::Persons,
        facet,
        first_vec: None,
        contributions: None,
        clamp: 1000,
        exact: true,
        across: Default::default(),
    }
}

/// The rules that find something against a facet beside what left; if none does, it leaves too.
fn ask(history: &mut History, facet: Facet) -> Vec<&'static str> {
    let (book, params) = (book(), ReleaseParams::default());
    let from = history.standpoint(&book, &params, "e0");
    let candidate = candidate(facet);
    let mut hits = Vec::new();
    for news in crate::history::news(&history.shown, &from, std::slice::from_ref(&candidate)) {
        hits.extend(crate::history::find(&history.shown, &from, news, None));
    }
    if hits.is_empty() {
        leave(history, candidate.facet, VEC);
    }
    hits.into_iter().map(|hit| hit.rule).collect()
}

fn rows(of: &[(std::ops::Range<u32>, i64)]) -> Adds {
    let each =
        |(persons, add): &(std::ops::Range<u32>, i64)| persons.clone().zip(std::iter::repeat(*add));
    of.iter().flat_map(each).collect()
}

/// Boxes of which no two make up a third.
fn prefix(at: usize) -> Shape {
    shape(&format!(
        "SELECT count(*) FROM person WHERE age < {}",
        5 * (at + 4)
    ))
}

#[test]
fn rows_less_persons_are_the_further_rows() {
    let everybody = "SELECT count(*) FROM person";
    for (with_more, withheld) in [(3, true), (0, true), (8, false), (30, false)] {
        let rows = rows(&[(0..with_more, 2), (with_more..60, 1)]);
        let persons = rows.keys().map(|id| (*id, 1)).collect();
        let facets = [(Form::Rows(9), &rows), (Form::Persons, &persons)];
        for order in [[0, 1], [1, 0]] {
            let mut history = history();
            let [first, second] =
                order.map(|at| facet(facets[at].0, facets[at].1, shape(everybody)));
            assert_eq!(ask(&mut history, first.clone()), [""; 0]);
            let found = ask(&mut history, second);
            assert_eq!(found.contains(&"H1"), withheld, "{with_more}: {found:?}");
            // What was said may be said again.
            assert_eq!(ask(&mut history, first), [""; 0]);
        }
    }
}

#[test]
fn rows_of_two_kinds_even_out_within_a_person() {
    // Everybody has rows of both kinds; a few have one of a third kind.
    let (one, two) = (
        rows(&[(0..30, 1), (30..60, 2)]),
        rows(&[(0..30, 3), (30..60, 1)]),
    );
    for (few, withheld) in [(3, true), (20, false)] {
        let all = rows(&[(0..few, 5), (few..30, 4), (30..60, 3)]);
        let mut history = history();
        for (at, adds) in [&one, &two].into_iter().enumerate() {
            assert_eq!(
                ask(&mut history, facet(Form::Rows(9), adds, prefix(at))),
                [""; 0]
            );
        }
        let found = ask(&mut history, facet(Form::Rows(9), &all, prefix(2)));
        assert_eq!(found.contains(&"H2"), withheld, "{few}: {found:?}");
    }
}

#[test]
fn rows_shared_out_by_their_boxes_add_up_unless_limits_took_some_off() {
    let parts = ["WHERE sex = 0", "WHERE sex = 1", ""];
    let parts = parts.map(|part| shape(&format!("SELECT count(*) FROM person {part}")));
    let adds = [
        rows(&[(0..40, 2)]),
        rows(&[(0..40, 3)]),
        rows(&[(0..40, 5)]),
    ];
    for limited in [false, true] {
        let mut history = history();
        let mut found = Vec::new();
        for (shape, adds) in parts.iter().zip(&adds) {
            let mut facet = facet(Form::Rows(9), adds, shape.clone());
            let sums = facet.footprint.spread.take().unwrap().sums().to_vec();
            let signed = false;
            facet.footprint.spread = Spread::kept(sums, Traits { signed, limited });
            found = ask(&mut history, facet);
        }
        assert_eq!(found.contains(&"H2"), limited, "{found:?}");
    }
}

#[test]
fn sums_within_other_bounds_are_not_released_beside_each_other() {
    let mut history = history();
    let narrow = rows(&[(0..40, 100)]);
    let wide = rows(&[(0..39, 100), (39..40, 200)]);
    let contributions = |adds: &Adds| {
        let pairs = adds.iter().map(|(id, add)| (*id, i128::from(*add)));
        Contributions::of(pairs.collect()).unwrap()
    };
    let all = shape("SELECT count(*) FROM person WHERE town = 0");
    let apart = shape("SELECT count(*) FROM person WHERE town = 1");
    assert_eq!(
        ask(
            &mut history,
            facet(Form::Sum([1; 32]), &narrow, all.clone())
        ),
        [""; 0]
    );
    let found = |history: &History, shape: &Shape, first: u32| {
        let (book, params) = (book(), ReleaseParams::default());
        let from = history.standpoint(&book, &params, "e0");
        let moved: Adds = wide
            .iter()
            .map(|(id, add)| (id + first, *add + i64::from(*id)))
            .collect();
        let contributions = contributions(&moved);
        let mut candidate = candidate(facet(Form::Sum([2; 32]), &moved, shape.clone()));
        candidate.contributions = Some(Addends::Of(std::borrow::Cow::Borrowed(&contributions)));
        let hits = crate::history::find(&history.shown, &from, &candidate, None);
        hits.into_iter().map(|hit| hit.rule).collect::<Vec<_>>()
    };
    assert!(found(&history, &all, 0).contains(&"H1s"));
    assert_eq!(
        found(&history, &apart, 1000),
        [""; 0],
        "nobody can be in both"
    );
}

/// Facets of which some are nearly the sum of two others.
fn facets() -> impl Strategy<Value = Vec<(Form, Adds)>> {
    let form = prop_oneof![
        Just(vec![Form::Persons, Form::Rows(9)]),
        Just(vec![Form::Rows(9)]),
        Just(vec![Form::Sum([1; 32])]),
    ];
    let adds = prop::collection::btree_map(0_u32..48, 1_i64..3, 8..40);
    let few = prop::collection::btree_map(0_u32..48, -1_i64..2, 0..14);
    let one = (
        any::<prop::sample::Index>(),
        adds.clone(),
        few,
        prop::option::weighted(
            0.7,
            (
                (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
                any::<bool>(),
            ),
        ),
    );
    (form, adds, prop::collection::vec(one, 2..6), any::<bool>()).prop_map(
        |(forms, first, more, far)| {
            // Far apart no two persons share a place of the spread; otherwise many do.
            let step = if far { 1 } else { 64 };
            let mut all: Vec<(Form, Adds)> = vec![(forms[0], first)];
            for (form, own, few, of) in more {
                let form = *form.get(&forms);
                let mut adds = match of {
                    None => own,
                    Some(((a, b), plus)) => {
                        let mut sum = a.get(&all).1.clone();
                        for (person, add) in &b.get(&all).1 {
                            *sum.entry(*person).or_default() += if plus { *add } else { -add };
                        }
                        sum
                    }
                };
                for (person, add) in few {
                    *adds.entry(person).or_default() += add;
                }
                let signed = matches!(form, Form::Sum(_));
                adds.retain(|_, add| *add > 0 || (signed && *add < 0));
                if form == Form::Persons {
                    adds.values_mut().for_each(|add| *add = 1);
                }
                all.push((form, adds));
            }
            let apart = |adds: Adds| adds.into_iter().map(|(id, add)| (id * step, add)).collect();
            all.into_iter()
                .map(|(form, adds)| {
                    let adds: Adds = apart(adds);
                    let one_each = |(id, _)| (id, 1);
                    let adds = match form {
                        Form::Persons => adds.into_iter().map(one_each).collect(),
                        _ => adds,
                    };
                    (form, adds)
                })
                .collect()
        },
    )
}

fn support(terms: &[(i64, &Adds)]) -> usize {
    let persons: std::collections::BTreeSet<u32> = terms
        .iter()
        .flat_map(|(_, adds)| adds.keys().copied())
        .collect();
    let sum = |person: &u32| -> i64 {
        let each = terms
            .iter()
            .map(|(times, adds)| times * adds.get(person).copied().unwrap_or(0));
        each.sum()
    };
    persons.iter().filter(|person| sum(person) != 0).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Nothing that leaves, no difference of two and no combination of three rests on a few, of
    /// persons, rows and signed totals alike.
    #[test]
    fn no_combination_of_rows_rests_on_a_few(facets in facets()) {
        let mut history = history();
        let mut left: Vec<&Adds> = Vec::new();
        for (at, (form, adds)) in facets.iter().enumerate() {
            if adds.len() >= 8 && ask(&mut history, facet(*form, adds, prefix(at))).is_empty() {
                left.push(adds);
            }
        }
        for (i, a) in left.iter().enumerate() {
            for (j, b) in left.iter().enumerate() {
                if i != j {
                    prop_assert!(support(&[(1, a), (-1, b)]) >= 8);
                }
                for (l, c) in left.iter().enumerate() {
                    if i < j && l != i && l != j {
                        prop_assert!(support(&[(1, a), (1, b), (-1, c)]) >= 8);
                    }
                }
            }
        }
    }
}
