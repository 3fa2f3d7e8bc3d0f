//! The attacker that nobody designed: random questions, a solver that knows every answer, and a
//! secret that it must not learn. `QUORATE_SEED` replays one seed, `QUORATE_SEQUENCES` says how many
//! are played.

use std::sync::Mutex;

use quorate_testnet::arena::clinic::VICTIM;
use quorate_testnet::attacker::limits::BESIDE;
use quorate_testnet::attacker::model::{self, Question};
use quorate_testnet::attacker::play::{
    Loot, Rules, extracts, guess, listen, loot, questions, questions_for_review, with_secret,
};
use quorate_testnet::generate::rng::Rng;

use crate::attacks::together;

/// Sequences that are played unless told otherwise, and questions in each.
const SEQUENCES: u64 = 5;
const QUESTIONS: usize = 14;
/// Sequences with questions for review.
const FOR_REVIEW: u64 = 3;
/// Secrets that are guessed, and questions before each guess.
const SECRETS: u64 = 20;
const BEFORE: usize = 4;

#[expect(clippy::disallowed_methods, reason = "a test is its own edge")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

fn seeds(usual: u64) -> Vec<u64> {
    match number("QUORATE_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("QUORATE_SEQUENCES").unwrap_or(usual)).collect(),
    }
}

fn played(seed: u64, rules: Rules) -> Loot {
    played_of(&questions(seed, QUESTIONS), seed, rules)
}

fn played_of(questions: &[Question], seed: u64, rules: Rules) -> Loot {
    let extracts = extracts(seed);
    let learned = listen(&extracts, questions, rules).unwrap();
    loot(&learned, &extracts, seed).unwrap_or_else(|e| panic!("QUORATE_SEED={seed}: {e:#}"))
}

/// Of every group of one to seven persons that was tried, the count stays open by at least four (no
/// better known than a large group that was released), and the sum of incomes by a tenth of what
/// one person may add. Without protection the same attacker pins many.
#[test]
fn small_groups_stay_open() {
    let all = Mutex::new(Vec::new());
    together(&seeds(SEQUENCES), |seed| {
        let (protected, exact) = (played(*seed, Rules::All), played(*seed, Rules::None));
        all.lock().unwrap().push((*seed, protected, exact));
    });
    let mut all = all.into_inner().unwrap();
    all.sort_by_key(|(seed, ..)| *seed);
    let mut wrong = Vec::new();
    for (seed, protected, exact) in &all {
        println!(
            "seed {seed}: {} cells answered, {} small groups tried, {} follow, bounds at least {:?} \
             apart; unprotected {} cells, {} follow, {} pinned",
            protected.answered,
            protected.tried,
            protected.follow,
            protected.narrowest,
            exact.answered,
            exact.follow,
            exact.pinned.len()
        );
        let pinned = protected.pinned.iter();
        wrong.extend(pinned.map(|what| format!("QUORATE_SEED={seed}: {what}")));
        // What follows exactly is pinned exactly: the two solvers agree.
        assert!(exact.pinned.len() >= exact.follow, "QUORATE_SEED={seed}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let works = all.iter().filter(|(_, _, exact)| !exact.pinned.is_empty());
    assert!(
        works.count() * 2 > all.len(),
        "the attacker pins too little without protection"
    );
    let answered = all
        .iter()
        .filter(|(_, protected, _)| protected.answered > 10);
    assert!(
        answered.count() * 2 > all.len(),
        "too little is answered to say anything"
    );
}

/// Where nothing is rounded, no two and no three numbers rest on fewer than eight persons, nor do any
/// number of them that differ in two columns show so few, numbers of rows beside means included. What
/// needs more is the published limit, and counted. Without protection the same search finds many.
#[test]
fn history_alone_keeps_its_limits() {
    let all = Mutex::new(Vec::new());
    together(&seeds(SEQUENCES), |seed| {
        let (unrounded, exact) = (played(*seed, Rules::Unrounded), played(*seed, Rules::None));
        all.lock().unwrap().push((*seed, unrounded, exact));
    });
    let mut all = all.into_inner().unwrap();
    all.sort_by_key(|(seed, ..)| *seed);
    let mut wrong = Vec::new();
    for (seed, unrounded, exact) in &all {
        let beside = |what: &&String| what.contains(BESIDE);
        println!(
            "seed {seed}: {} numbers, {} of {} small groups follow beyond the limits, {} by numbers \
             of rows beside means, {} within the limits; unprotected {} numbers, {} within",
            unrounded.answered,
            unrounded.follow,
            unrounded.tried,
            unrounded.within.iter().filter(beside).count(),
            unrounded.within.iter().filter(|what| !beside(what)).count(),
            exact.answered,
            exact.within.len()
        );
        let within = unrounded.within.iter();
        wrong.extend(within.map(|what| format!("QUORATE_SEED={seed}: {what}")));
        assert!(
            !exact.within.is_empty(),
            "QUORATE_SEED={seed}: finds nothing unprotected"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same where every second question is for review and asks for persons with one of several
/// properties: no small group becomes known, and where nothing is rounded no two and no three numbers
/// rest on few persons. Without protection the same search finds many.
#[test]
fn soft_conditions_keep_small_groups_open() {
    let all = Mutex::new(Vec::new());
    together(&seeds(FOR_REVIEW), |seed| {
        let questions = questions_for_review(*seed, QUESTIONS);
        let play = |rules| played_of(&questions, *seed, rules);
        let loot = [Rules::All, Rules::Unrounded, Rules::None].map(play);
        all.lock().unwrap().push((*seed, loot));
    });
    let mut all = all.into_inner().unwrap();
    all.sort_by_key(|(seed, _)| *seed);
    let mut wrong = Vec::new();
    for (seed, [protected, unrounded, exact]) in &all {
        println!(
            "seed {seed}: {} numbers, {} of {} small groups follow, {} beyond the limits where nothing \
             is rounded; unprotected {} pinned, {} within",
            protected.answered,
            protected.follow,
            protected.tried,
            unrounded.follow,
            exact.pinned.len(),
            exact.within.len()
        );
        let found = protected.pinned.iter().chain(&unrounded.within);
        wrong.extend(found.map(|what| format!("QUORATE_SEED={seed}: {what}")));
        assert!(!exact.within.is_empty(), "QUORATE_SEED={seed}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let works = all
        .iter()
        .filter(|(_, [.., exact])| !exact.pinned.is_empty());
    assert!(works.count() * 2 > all.len());
    let answered = all.iter().filter(|(_, [kept, ..])| kept.answered > 10);
    assert!(answered.count() * 2 > all.len());
}

/// A bit drawn at random; how often the attacker guesses it.
fn wins(seeds: &[u64], rules: Rules) -> u64 {
    let won = Mutex::new(0);
    together(seeds, |seed| {
        let ill = Rng::new(&[*seed, 1]).chance(500);
        let clinic = with_secret(*seed, ill);
        assert_eq!(
            clinic
                .people
                .iter()
                .filter(|person| person.id == VICTIM)
                .count(),
            1
        );
        let mut asked = questions(*seed, BEFORE);
        asked.extend(model::about_the_secret());
        let learned = listen(&[clinic], &asked, rules).unwrap();
        let guessed = guess(&learned, *seed).unwrap();
        *won.lock().unwrap() += u64::from(guessed == ill);
    });
    won.into_inner().unwrap()
}

#[test]
fn a_secret_bit_is_guessed_no_better_than_by_chance() {
    let seeds = seeds(SECRETS);
    let tries = u64::try_from(seeds.len()).unwrap();
    let (protected, exact) = (wins(&seeds, Rules::All), wins(&seeds, Rules::None));
    println!("{protected} of {tries} guessed, without protection {exact}");
    if tries >= SECRETS {
        // At most three standard deviations above a fair coin: the root of 9 * tries / 4.
        let above = (2 * protected).saturating_sub(tries);
        assert!(above * above <= 9 * tries, "{protected} of {tries}");
        assert!(
            exact * 10 >= tries * 9,
            "{exact} of {tries} without protection"
        );
    }
}
