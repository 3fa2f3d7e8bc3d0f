//! Nothing leaves but what enough independent checkers have seen, and they can only hide more.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_governance::Opened;
use quorate_governance::airlock::{
    Judgement, Mode, Place, Reason, Review, ReviewError, Verdict, Waiting, counts, hidden, judge,
};
use quorate_governance::people::Person;

use crate::support::{NOW, digest, name, people, person, signed};

const CHECKERS: [&str; 4] = ["cleo", "cyril", "alice", "paul"];

fn review(who: &str, outcome: &str, verdict: Verdict) -> Opened<Review> {
    let content = Review {
        network: name("heart"),
        node: name("north"),
        question: "q1".to_owned(),
        outcome: digest(outcome),
        verdict,
        checker: person(who),
        comment: String::new(),
        at: NOW,
    };
    signed(&content, &[who])
}

fn with<T>(mode: Mode, outcome: &str, work: impl FnOnce(&Waiting<'_>) -> T) -> T {
    let (checkers, conflicted) = (people(&CHECKERS), people(&["alice", "paul"]));
    let outcome = digest(outcome);
    work(&Waiting {
        network: "heart",
        node: "north",
        question: "q1",
        outcome: &outcome,
        mode,
        checkers: &checkers,
        conflicted: &conflicted,
    })
}

fn decide(mode: Mode, reviews: &[Opened<Review>]) -> Judgement {
    with(mode, "table", |waiting| judge(waiting, reviews))
}

fn yes(who: &str) -> Opened<Review> {
    review(who, "table", Verdict::Approve)
}

fn left(who: &[&str]) -> Judgement {
    Judgement::Leaves(people(who))
}

#[test]
fn each_mode_needs_its_number_of_checkers() {
    assert_eq!(decide(Mode::Auto, &[]), left(&[]));
    assert_eq!(decide(Mode::Review, &[]), Judgement::Waits(1));
    assert_eq!(decide(Mode::Review, &[yes("cleo")]), left(&["cleo"]));
    assert_eq!(decide(Mode::Dual, &[yes("cleo")]), Judgement::Waits(1));
    assert_eq!(
        decide(Mode::Dual, &[yes("cleo"), yes("cyril")]),
        left(&["cleo", "cyril"])
    );
    assert_eq!(
        decide(Mode::None, &[yes("cleo"), yes("cyril")]),
        Judgement::Never
    );
}

#[test]
fn rule_5_dual_takes_two_persons_neither_on_the_project() {
    assert_eq!(
        decide(Mode::Dual, &[yes("cleo"), yes("cleo")]),
        Judgement::Waits(1)
    );
    assert_eq!(
        decide(Mode::Dual, &[yes("cleo"), yes("alice")]),
        Judgement::Waits(1)
    );
    assert_eq!(
        decide(Mode::Dual, &[yes("cleo"), yes("paul")]),
        Judgement::Waits(1)
    );
    assert_eq!(
        decide(Mode::Dual, &[yes("cleo"), yes("zoe")]),
        Judgement::Waits(1)
    );
    with(Mode::Dual, "table", |waiting| {
        let conflict = Err(ReviewError::Conflict(name("alice")));
        assert_eq!(counts(&yes("alice"), waiting), conflict);
        let stranger = Err(ReviewError::NotAChecker(name("zoe")));
        assert_eq!(counts(&yes("zoe"), waiting), stranger);
        let mut borrowed = yes("cleo").content().clone();
        borrowed.checker = person("cyril");
        let borrowed = signed(&borrowed, &["cleo"]);
        let theirs = Err(ReviewError::NotTheirs(name("cyril")));
        assert_eq!(counts(&borrowed, waiting), theirs);
    });
}

#[test]
fn rule_11_a_conflict_found_later_voids_what_was_said() {
    let reviews = [yes("cleo"), yes("cyril")];
    assert_eq!(decide(Mode::Dual, &reviews), left(&["cleo", "cyril"]));
    let (checkers, conflicted) = (people(&CHECKERS), people(&["cyril"]));
    let outcome = digest("table");
    let waiting = Waiting {
        network: "heart",
        node: "north",
        question: "q1",
        outcome: &outcome,
        mode: Mode::Dual,
        checkers: &checkers,
        conflicted: &conflicted,
    };
    assert_eq!(judge(&waiting, &reviews), Judgement::Waits(1));
}

#[test]
fn a_review_is_of_these_very_numbers_here() {
    let other = review("cleo", "another table", Verdict::Approve);
    assert_eq!(
        decide(Mode::Review, std::slice::from_ref(&other)),
        Judgement::Waits(1)
    );
    with(Mode::Review, "table", |waiting| {
        assert_eq!(counts(&other, waiting), Err(ReviewError::Outdated));
    });
    let mut elsewhere = yes("cleo").content().clone();
    elsewhere.node = name("south");
    let elsewhere = signed(&elsewhere, &["cleo"]);
    assert_eq!(decide(Mode::Review, &[elsewhere]), Judgement::Waits(1));
}

#[test]
fn one_return_sends_it_back_for_a_listed_reason() {
    let reason = Reason::TooDetailed;
    let back = review("cyril", "table", Verdict::Return { reason });
    let by = person("cyril");
    let expected = Judgement::Returned { reason, by };
    assert_eq!(decide(Mode::Dual, &[yes("cleo"), back]), expected);
    let outdated = review("cyril", "another table", Verdict::Return { reason });
    let back = decide(Mode::Dual, &[yes("cleo"), outdated]);
    assert!(matches!(back, Judgement::Returned { .. }), "never outdated");
    let codes: BTreeSet<_> = Reason::WORDS.iter().map(|(_, r)| r.code()).collect();
    assert_eq!(codes.len(), Reason::WORDS.len());
}

fn cells(list: &[u32]) -> BTreeSet<Place> {
    let place = |row: &u32| Place {
        table: 0,
        row: *row,
        cell: 0,
    };
    list.iter().map(place).collect()
}

#[test]
fn hiding_adds_up_and_is_never_outdated() {
    let hide = |who, outcome, rows: &[u32]| {
        let cells = cells(rows);
        review(who, outcome, Verdict::Suppress { cells })
    };
    let reviews = [
        hide("cleo", "table", &[1]),
        hide("cyril", "smaller table", &[2]),
    ];
    with(Mode::Dual, "smallest table", |waiting| {
        assert_eq!(hidden(waiting, &reviews), cells(&[1, 2]));
        let by_member = [hide("alice", "table", &[3])];
        assert!(hidden(waiting, &by_member).is_empty());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// More reviews never let out what fewer held back by hiding, and the order never matters.
    #[test]
    fn reviews_count_in_any_order(
        said in prop::collection::vec((0..4_usize, 0..4_u32, 0..2_usize), 0..8),
        turn in 0..8_usize,
    ) {
        let outcomes = ["table", "another"];
        let one = |(who, what, outcome): &(usize, u32, usize)| {
            let verdict = match what {
                0 | 1 => Verdict::Approve,
                2 => Verdict::Suppress { cells: cells(&[*what]) },
                _ => Verdict::Return { reason: Reason::Unclear },
            };
            review(CHECKERS[*who], outcomes[*outcome], verdict)
        };
        let mut reviews: Vec<_> = said.iter().map(one).collect();
        let before = decide(Mode::Dual, &reviews);
        let hides = with(Mode::Dual, "table", |waiting| hidden(waiting, &reviews));
        let length = reviews.len().max(1);
        reviews.rotate_left(turn % length);
        let sorted = |judgement: Judgement| match judgement {
            Judgement::Leaves(by) => {
                let by: BTreeSet<Person> = by.into_iter().collect();
                prop_assert!(by.len() == 2 && !by.contains(&person("alice")) && !by.contains(&person("paul")));
                Ok(Some(by))
            }
            Judgement::Waits(_) => Ok(None),
            other => {
                let returned = matches!(other, Judgement::Returned { .. });
                prop_assert!(returned);
                Ok(None)
            }
        };
        let after = decide(Mode::Dual, &reviews);
        prop_assert_eq!(std::mem::discriminant(&before), std::mem::discriminant(&after));
        prop_assert_eq!(sorted(before)?, sorted(after)?);
        reviews.pop();
        let fewer = with(Mode::Dual, "table", |waiting| hidden(waiting, &reviews));
        prop_assert!(fewer.is_subset(&hides));
    }
}
