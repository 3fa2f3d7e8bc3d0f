//! Set algebra of boxes, states of the data, and the sample, against plain sets.

use proptest::prelude::*;

use super::*;
use crate::history::Shape;
use crate::history::boxes::{are_disjoint, differ_harmlessly, intersection, is_inside, partition};
use crate::history::times::Times;
use crate::history::weights::{weight_minus, weight_plus};
use crate::signature::Signature;

fn shape(conditions: &str) -> Shape {
    let question = question(&format!("SELECT count(*) FROM person {conditions}"));
    Shape {
        rows: question.rows,
        joined: question.joined,
        predicate: question.filter,
    }
}

#[test]
fn two_boxes_make_up_a_third_if_they_share_out_one_column() {
    let all = shape("");
    let is =
        |whole: &str, a: &str, b: &str| partition(&shape(whole), &shape(a), &shape(b), &book());
    assert!(is("", "WHERE sex = 0", "WHERE sex = 1"));
    assert!(is("", "WHERE age < 40", "WHERE age >= 40"));
    assert!(is(
        "WHERE sex = 0",
        "WHERE sex = 0 AND town = 2",
        "WHERE sex = 0 AND town <> 2"
    ));
    assert!(
        !is("", "WHERE town = 0", "WHERE town = 1"),
        "two towns are left over"
    );
    assert!(!is("", "WHERE age < 45", "WHERE age >= 40"), "they overlap");
    assert!(!is("", "WHERE sex = 0", "WHERE town = 1"));
    assert!(!is("WHERE sex = 0", "WHERE town = 2", "WHERE town <> 2"));
    let member = |negated: &str| {
        let cohort = "SELECT id FROM person WHERE town = 1";
        shape(&format!("WHERE id {negated} IN ({cohort})"))
    };
    assert!(partition(&all, &member(""), &member("NOT"), &book()));
    assert!(!partition(&all, &member(""), &member(""), &book()));
    assert!(are_disjoint(
        &member("").predicate,
        &member("NOT").predicate
    ));
    assert!(is_inside(&member("").predicate, &all.predicate));
}

#[test]
fn boxes_lie_in_each_other_as_their_rows_do() {
    let (young, women) = (shape("WHERE age < 40"), shape("WHERE sex = 0"));
    let both = shape("WHERE age < 40 AND sex = 0");
    assert_eq!(
        intersection(&young.predicate, &women.predicate),
        both.predicate
    );
    assert!(is_inside(&both.predicate, &young.predicate));
    assert!(!is_inside(&young.predicate, &both.predicate));
    assert!(!are_disjoint(&young.predicate, &women.predicate));
    assert!(are_disjoint(
        &young.predicate,
        &shape("WHERE age >= 40").predicate
    ));
}

#[test]
fn only_tags_make_a_difference_harmful() {
    let all = shape("");
    assert!(differ_harmlessly(
        &all,
        &shape("WHERE age < 40 AND sex = 1"),
        &book()
    ));
    assert!(!differ_harmlessly(
        &all,
        &shape("WHERE disease = 0"),
        &book()
    ));
    let hidden = shape("WHERE id IN (SELECT id FROM person WHERE disease = 1)");
    assert!(!differ_harmlessly(&all, &hidden, &book()));
}

#[test]
fn who_changes_twice_may_have_changed_back() {
    let mut times = Times::default();
    let people = |all: &[u32]| -> RoaringBitmap { all.iter().copied().collect() };
    assert!(times.begin("a".to_owned(), people(&[])));
    assert!(times.begin("b".to_owned(), people(&[1, 2])));
    assert!(times.begin("c".to_owned(), people(&[2, 3])));
    assert!(
        !times.begin("b".to_owned(), people(&[9])),
        "epochs do not begin twice"
    );
    let against = times.against("c");
    assert_eq!(against["a"].surely, people(&[1, 3]));
    assert_eq!(against["a"].perhaps, Some(people(&[1, 2, 3])));
    assert_eq!(against["b"].surely, people(&[2, 3]));
    assert_eq!(against["c"].perhaps, Some(people(&[])));
    assert_eq!(
        times.against("a")["c"].surely,
        people(&[1, 3]),
        "in either direction"
    );
}

fn set() -> impl Strategy<Value = RoaringBitmap> {
    let near = prop::collection::btree_set(0_u32..60, 0..40);
    let far = prop::collection::btree_set(1_000_000_u32..1_000_400, 0..80);
    (near, far).prop_map(|(near, far)| near.into_iter().chain(far).collect())
}

proptest! {
    /// The sample never says more than there is, and all of a small population is in it.
    #[test]
    fn the_sample_is_a_lower_bound(q in set(), a in set(), b in set()) {
        let coefficient = |id: u32, plus: bool| {
            let of = |set: &RoaringBitmap| i32::from(set.contains(id));
            if plus { of(&q) + of(&a) - of(&b) } else { of(&q) - of(&a) - of(&b) }
        };
        let all: RoaringBitmap = &(&q | &a) | &b;
        let count = |plus: bool, below: u32| {
            let ids = all.iter().filter(|id| *id < below && coefficient(*id, plus) != 0);
            u64::try_from(ids.count()).unwrap()
        };
        prop_assert_eq!(weight_plus(&q, [&a, &b], u64::MAX), count(true, u32::MAX));
        prop_assert_eq!(weight_minus(&q, [&a, &b], u64::MAX), count(false, u32::MAX));
        let (x, y, z) = (Signature::of(&q), Signature::of(&a), Signature::of(&b));
        prop_assert!((count(true, 60)..=count(true, u32::MAX)).contains(&x.plus([&y, &z], u64::MAX)));
        prop_assert!((count(false, 60)..=count(false, u32::MAX)).contains(&x.minus([&y, &z], u64::MAX)));
        prop_assert!(x.xor(&y, u64::MAX) <= q.symmetric_difference_len(&a));
        prop_assert!(x.outside(&y, u64::MAX) <= q.difference_len(&a));
    }
}
