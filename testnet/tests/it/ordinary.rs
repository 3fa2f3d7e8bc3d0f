//! Ordinary questions must be answered, whatever the order in which they come.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use quorate_testnet::arena::ordinary::{self, Tally};

use crate::attacks::together;

/// Orders that are tried.
const ORDERS: u64 = 20;
/// Denied cells in a thousand that are aimed at.
const AIM: usize = 20;
/// What is reached so far, with a little room: tables of events by time, and cells beside the few
/// oldest, are still denied too often. It may only go down.
const BAR: usize = 180;
const WORLD: u64 = 1;

/// One order of `QUORATE_SEED`, or twenty.
fn seeds() -> Vec<u64> {
    match crate::support::wish("QUORATE_SEED") {
        Some(seed) => vec![seed.parse().expect("a number")],
        None => (1..=ORDERS).collect(),
    }
}

#[test]
fn ordinary_questions_are_answered_in_any_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ordinary");
    let questions = ordinary::read_folder(&folder).unwrap_or_else(|error| panic!("{error}"));
    assert!(questions.len() >= 40, "only {} questions", questions.len());
    let allowed = ordinary::allowed(&questions, WORLD).unwrap_or_else(|error| panic!("{error}"));
    let all = Mutex::new((Tally::default(), Vec::new()));
    let seeds = seeds();
    together(&seeds, |seed| {
        let order = ordinary::order(questions.len(), *seed);
        let tally = ordinary::play(&questions, &allowed, &order, WORLD);
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
        "{} questions in {} orders: {} of {} cells denied ({} in a thousand), {} near an earlier answer",
        questions.len(),
        seeds.len(),
        total.denied,
        total.allowed,
        total.per_mille(),
        total.near,
    );
    println!("the aim is {AIM} in a thousand");
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in &total.reasons {
        *reasons.entry(reason).or_default() += 1;
    }
    reasons
        .iter()
        .for_each(|(reason, times)| println!("  {times} x {reason}"));
    assert!(
        total.per_mille() <= BAR,
        "denied: {} in a thousand; the bar is {BAR}, the aim {AIM}",
        total.per_mille()
    );
}
