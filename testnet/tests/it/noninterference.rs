//! What nodes say whose databases differ in one person, over sequences that nobody thought of; and
//! that the comparison notices a node that says too much. The corpus of attacks is compared in
//! `attacks.rs`.

use std::sync::Mutex;

use quorate_query::answer::Cell;
use quorate_query::number::Number;
use quorate_testnet::arena::corpus::{Attack, Step};
use quorate_testnet::arena::duel::{Bout, Tries, compare, play};
use quorate_testnet::arena::house::{Ask, Said};
use quorate_testnet::arena::noninterference::{Scene, first_difference};
use quorate_testnet::arena::sequences::{sequence, sequence_for_review};

use crate::attacks::together;

/// Sequences that are played, and questions in each.
const SEQUENCES: u64 = 24;
const QUESTIONS: usize = 8;

/// One sequence of `QUORATE_SEED`, or so many.
fn seeds(usual: u64) -> Vec<u64> {
    match crate::support::wish("QUORATE_SEED") {
        Some(seed) => vec![seed.parse().expect("a number")],
        None => (1..=usual).collect(),
    }
}

#[test]
fn differences_of_generated_sequences_have_a_reason() {
    have_a_reason(sequence, SEQUENCES);
}

#[test]
fn differences_of_sequences_for_review_have_a_reason() {
    have_a_reason(sequence_for_review, SEQUENCES);
}

/// Most questions for review are answered, so that the sequences say something.
#[test]
fn sequences_for_review_are_answered() {
    let (mut asked, mut answered) = (0, 0);
    for seed in 1..=4 {
        let sequence = sequence_for_review(seed, QUESTIONS);
        let bout = play(&sequence, 0, true, Tries::Never).unwrap();
        for (number, step) in (1..).zip(&sequence.steps) {
            if matches!(step, Step::Ask(ask, _) if ask.reviewed) {
                asked += 1;
                answered += usize::from(bout.said[&number].told().is_some());
            }
        }
    }
    println!("{answered} of {asked} questions for review are answered");
    assert!(
        asked >= 12 && 2 * answered >= asked,
        "{answered} of {asked}"
    );
}

fn have_a_reason(sequence: fn(u64, usize) -> Attack, usual: u64) {
    let lines = Mutex::new(Vec::new());
    let wrong = Mutex::new(Vec::new());
    let seeds = seeds(usual);
    together(&seeds, |seed| {
        let sequence = sequence(*seed, QUESTIONS);
        let outcome = compare(&sequence).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        let why = outcome.explained.unwrap_or("the same bytes".to_owned());
        lines.lock().unwrap().push((*seed, why));
        let found = outcome.wrong.into_iter();
        wrong
            .lock()
            .unwrap()
            .extend(found.map(|why| format!("QUORATE_SEED={seed}: {why}\n{:#?}", sequence.steps)));
    });
    let mut lines = lines.into_inner().unwrap();
    lines.sort();
    println!("{} sequences of {QUESTIONS} questions:", seeds.len());
    lines
        .iter()
        .for_each(|(seed, why)| println!("  seed {seed}: {why}"));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Two databases, one of which has a case more in a town, and one question about it.
fn one_case_more() -> Attack {
    let mut attack = sequence(1, 0);
    let ill = |value: &str| {
        let columns = [("disease", value), ("town", "b"), ("age", "50")];
        Some(columns.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
    };
    attack.victim = [ill("0"), ill("1")];
    let sql = "SELECT town, count(*) AS n FROM person WHERE disease = 1 GROUP BY town";
    attack.steps = vec![Step::Ask(Ask::plain(sql), None)];
    attack
}

/// What the comparison says of two sides.
fn verdict(attack: &Attack, sides: &[Bout; 2], exact: &[Bout; 2]) -> Result<String, String> {
    let [zero, one] = sides;
    let step = first_difference(zero, one).expect("a difference");
    Scene::of(attack, step, [zero, one], exact)
        .unwrap()
        .explain()
}

fn both(attack: &Attack, protected: bool) -> [Bout; 2] {
    [0, 1].map(|side| play(attack, side, protected, Tries::Always).unwrap())
}

/// Changes the cell of town b in what one side was told.
fn tamper(bout: &mut Bout, change: impl Fn(&mut Cell)) {
    for said in bout.said.values_mut() {
        let Said::Answered(told) = said else {
            continue;
        };
        let row = told.payload.tables[0].rows.iter_mut();
        let row = row.into_iter().find(|row| row.key[0].to_string() == "b");
        change(&mut row.expect("town b").cells[0]);
    }
}

#[test]
fn a_node_without_protection_is_noticed() {
    let attack = one_case_more();
    let exact = both(&attack, false);
    let why = verdict(&attack, &both(&attack, false), &exact).unwrap_err();
    assert!(why.contains("is not the rounding"), "{why}");
}

#[test]
fn a_node_that_withholds_by_a_secret_is_noticed() {
    let attack = one_case_more();
    let (mut sides, exact) = (both(&attack, true), both(&attack, false));
    tamper(&mut sides[1], |cell| *cell = Cell::Suppressed);
    let why = verdict(&attack, &sides, &exact).unwrap_err();
    assert!(why.contains("on one side only"), "{why}");
}

#[test]
fn a_node_that_rounds_by_a_secret_is_noticed() {
    let attack = one_case_more();
    let (mut sides, exact) = (both(&attack, true), both(&attack, false));
    tamper(&mut sides[1], |cell| {
        let Cell::Value(parts) = cell else {
            panic!("shown");
        };
        parts[0] = Number::from(u64::try_from(parts[0].to_integer().unwrap()).unwrap() + 5);
    });
    let why = verdict(&attack, &sides, &exact).unwrap_err();
    assert!(why.contains("is not the rounding"), "{why}");
}

/// One who is poor in one database and rich in the other, among poor students.
fn one_who_is_rich(incomes: [&str; 2]) -> Attack {
    let mut attack = sequence(1, 0);
    attack.victim = incomes.map(|income| {
        let columns = [("gp", "1018"), ("income", income)];
        Some(columns.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
    });
    let sql = "SELECT avg(income) AS m FROM person WHERE gp = 1018";
    attack.steps = vec![Step::Ask(Ask::plain(sql), None)];
    attack
}

#[test]
fn one_who_makes_up_a_sum_on_one_side_is_a_reason() {
    let attack = one_who_is_rich(["700", "199000"]);
    let (sides, exact) = (both(&attack, true), both(&attack, false));
    let why = verdict(&attack, &sides, &exact).unwrap();
    assert!(why.starts_with("R4"), "{why}");
}

/// The node names R4, whose numbers do not bear it out: nobody is rich.
#[test]
fn a_node_that_withholds_for_a_reason_that_is_none_is_noticed() {
    let rich = both(&one_who_is_rich(["700", "199000"]), true);
    let attack = one_who_is_rich(["700", "900"]);
    let exact = both(&attack, false);
    let [_, withheld] = rich;
    let [zero, _] = both(&attack, true);
    let why = verdict(&attack, &[zero, withheld], &exact).unwrap_err();
    assert!(
        why.contains("R4 withholds by its page [false, false]"),
        "{why}"
    );
}

#[test]
fn a_node_whose_answers_have_other_lengths_is_noticed() {
    let attack = one_case_more();
    let (mut sides, exact) = (both(&attack, true), both(&attack, true));
    for said in sides[1].said.values_mut() {
        let Said::Answered(told) = said else {
            panic!("answered");
        };
        told.bytes += 1;
        told.payload = exact[0].said[&1].told().unwrap().payload.clone();
    }
    let why = verdict(&attack, &sides, &exact).unwrap_err();
    assert!(why.contains("sizes differ"), "{why}");
}
