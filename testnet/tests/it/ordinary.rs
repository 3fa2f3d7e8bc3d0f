//! Ordinary questions must be answered, whatever the order in which they come.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use quorate_testnet::arena::ordinary::{self, Ordinary, Tally, World};

use crate::attacks::together;

/// Orders that are tried in the world of ten thousand persons.
const ORDERS: u64 = 20;
/// Orders in the small world of the attacks, for information.
const FEW_ORDERS: u64 = 4;
/// Denied cells in a thousand, at most.
const BAR: usize = 20;
/// The same among few persons, where a cell has a few dozen: it may only go down.
const FEW_BAR: usize = 120;
/// Orders that are tried with the questions over person frames beside all others.
const FRAMES_ORDERS: u64 = 4;
/// Denied cells in a thousand then: it may only go down.
const FRAMES_BAR: usize = 80;

/// One order of `QUORATE_SEED`, or so many.
fn seeds(orders: u64) -> Vec<u64> {
    match crate::support::wish("QUORATE_SEED") {
        Some(seed) => vec![seed.parse().expect("a number")],
        None => (1..=orders).collect(),
    }
}

fn read(folder: &str) -> Vec<Ordinary> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    ordinary::read_folder(&folder).unwrap_or_else(|error| panic!("{error}"))
}

fn questions() -> Vec<Ordinary> {
    let questions = read("ordinary");
    assert!(questions.len() >= 40, "only {} questions", questions.len());
    questions
}

/// Asks everything in each order, and prints what was denied and why.
fn ask_in_orders(questions: &[Ordinary], world: World, seeds: &[u64]) -> Tally {
    let allowed = ordinary::allowed(questions, world).unwrap_or_else(|error| panic!("{error}"));
    let all = Mutex::new((Tally::default(), Vec::new()));
    together(seeds, |seed| {
        let order = ordinary::order(questions.len(), *seed);
        let tally = ordinary::play(questions, &allowed, &order, world);
        let tally = tally.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        let Tally {
            allowed,
            denied,
            near,
            ..
        } = &tally;
        let line = format!(
            "seed {seed}: {denied} of {allowed} cells denied, {near} near an earlier answer"
        );
        let mut all = all.lock().unwrap();
        all.1.push((*seed, line));
        all.0.add(tally);
    });
    let (total, mut lines) = all.into_inner().unwrap();
    lines.sort();
    lines.iter().for_each(|(_, line)| println!("{line}"));
    println!(
        "{world:?}: {} questions in {} orders: {} of {} cells denied ({} in a thousand), {} near an earlier answer",
        questions.len(),
        seeds.len(),
        total.denied,
        total.allowed,
        total.per_mille(),
        total.near,
    );
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in &total.reasons {
        *reasons.entry(reason).or_default() += 1;
    }
    reasons
        .iter()
        .for_each(|(reason, times)| println!("  {times} x {reason}"));
    total
}

#[test]
fn ordinary_questions_are_answered_in_any_order() {
    let total = ask_in_orders(&questions(), World::District, &seeds(ORDERS));
    assert!(
        total.per_mille() <= BAR,
        "denied: {} in a thousand; the bar is {BAR}",
        total.per_mille()
    );
}

/// Where a cell has a few dozen persons, history costs more: printed so that it is known. Most of
/// what is allowed must still be answered.
#[test]
fn most_ordinary_questions_are_answered_among_few_persons() {
    let total = ask_in_orders(&questions(), World::Clinic, &seeds(FEW_ORDERS));
    assert!(
        total.per_mille() <= FEW_BAR,
        "denied: {} in a thousand; the bar is {FEW_BAR}",
        total.per_mille()
    );
}

/// Questions about what is computed of persons, beside all others: history knows what derived columns
/// mean, and what it does not know it denies. Every reason is printed.
#[test]
fn most_questions_over_person_frames_are_answered() {
    let (mut all, frames) = (questions(), read("ordinary/frames"));
    assert!(frames.len() >= 25, "only {} questions", frames.len());
    all.extend(frames);
    let total = ask_in_orders(&all, World::District, &seeds(FRAMES_ORDERS));
    assert!(
        total.per_mille() <= FRAMES_BAR,
        "denied: {} in a thousand; the bar is {FRAMES_BAR}",
        total.per_mille()
    );
}
