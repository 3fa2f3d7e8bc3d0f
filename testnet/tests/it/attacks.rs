//! The corpus of attacks, played against protected and unprotected nodes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use quorate_testnet::arena::clinic::Clinic;
use quorate_testnet::arena::corpus::{self, Attack};
use quorate_testnet::arena::duel::duel;
use quorate_testnet::arena::house::{Ask, House, Plan};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks")
}

/// The whole corpus, or the attacks whose id or class contains `QUORATE_ATTACK`.
fn attacks() -> Vec<Attack> {
    let all = corpus::read_folder(&folder()).unwrap_or_else(|error| panic!("{error}"));
    match crate::support::wish("QUORATE_ATTACK") {
        Some(word) => all
            .into_iter()
            .filter(|a| a.id.contains(&word) || a.class.contains(&word))
            .collect(),
        None => all,
    }
}

/// Works through all items on half the processors: tests beside it wait for networks.
pub(crate) fn together<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (threads / 2).max(1);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

#[test]
fn every_attack_works_unprotected_and_fails_protected() {
    let wrong = Mutex::new(Vec::new());
    let explained = Mutex::new(Vec::new());
    let attacks = attacks();
    together(&attacks, |attack| {
        let outcome = duel(attack).unwrap_or_else(|error| panic!("{}: {error:#}", attack.id));
        let mut wrong = wrong.lock().unwrap();
        wrong.extend(
            outcome
                .wrong
                .iter()
                .map(|why| format!("{}: {why}", attack.id)),
        );
        if let Some(why) = outcome.explained {
            explained
                .lock()
                .unwrap()
                .push(format!("{}: {why}", attack.id));
        }
    });
    let mut explained = explained.into_inner().unwrap();
    explained.sort();
    println!("{} attacks; differences with a reason:", attacks.len());
    explained.iter().for_each(|line| println!("  {line}"));
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Attacks that are not stopped are published with the reason; one that is stopped by now belongs
/// to the others.
#[test]
fn what_still_succeeds_is_known() {
    let open =
        corpus::read_folder(&folder().join("open")).unwrap_or_else(|error| panic!("{error}"));
    let stopped = Mutex::new(Vec::new());
    together(&open, |attack| {
        let outcome = duel(attack).unwrap_or_else(|error| panic!("{}: {error:#}", attack.id));
        let works = |why: &String| why.starts_with("the attack works");
        if !outcome.wrong.iter().any(works) {
            let by = outcome.stopped_by;
            stopped
                .lock()
                .unwrap()
                .push(format!("{}: {by:?}", attack.id));
        }
    });
    let stopped = stopped.into_inner().unwrap();
    assert!(stopped.is_empty(), "move to testnet/attacks: {stopped:#?}");
}

#[test]
fn the_page_about_attacks_is_the_corpus() {
    let attacks = corpus::read_folder(&folder()).unwrap_or_else(|error| panic!("{error}"));
    let known = corpus::read_classes(&folder()).unwrap_or_else(|error| panic!("{error}"));
    let open =
        corpus::read_folder(&folder().join("open")).unwrap_or_else(|error| panic!("{error}"));
    let page = corpus::page(
        &attacks,
        &open,
        &known,
        "testnet/tests/it/attacks.rs::every_attack_works_unprotected_and_fails_protected",
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attacks.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == page,
        "docs/attacks.md is not what the corpus says; run with UPDATE_GOLDEN=1"
    );
    let classes: BTreeSet<&str> = attacks.iter().map(|a| a.class.as_str()).collect();
    assert!(classes.len() >= 26 && attacks.len() >= 120);
    let introduced: BTreeSet<&str> = known.keys().map(String::as_str).collect();
    assert_eq!(introduced, classes);
}

#[test]
fn the_arena_answers_tries_restarts_and_restores() {
    let world = Clinic::generate(1).with(&Some([].into()));
    let mut house = House::open(Plan::clinic(world.files())).unwrap();
    let ask = Ask::plain("SELECT town, count(*) AS n, avg(chol) AS m FROM person GROUP BY town");
    let first = house.ask(&ask).unwrap();
    let first = first.told().expect("an answer").clone();
    let shown = house
        .try_out(&ask)
        .unwrap()
        .unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(shown.tables[0].table, first.payload.tables[0]);
    house.keep_copy(1).unwrap();
    house.restart().unwrap();
    let again = house.ask(&ask).unwrap();
    assert_eq!(again.told().unwrap().payload.tables, first.payload.tables);
    let refused = house
        .ask(&Ask::plain("SELECT max(age) FROM person"))
        .unwrap();
    assert_eq!(refused.code(), Some("V500"));
    house
        .refresh(world.with_changes(20, 1).next().files())
        .unwrap();
    let later = house.ask(&ask).unwrap();
    assert_ne!(later.told().unwrap().payload.epoch, first.payload.epoch);
    house.restore(1).unwrap();
    assert!(house.node().is_some());
}

#[test]
fn the_name_of_an_epoch_tells_nothing_about_the_data() {
    let world = Clinic::generate(1).with(&Some([].into()));
    let named = |secret: u8| {
        let plan = Plan {
            secret,
            ..Plan::clinic(world.files())
        };
        let said = House::open(plan)
            .unwrap()
            .ask(&Ask::plain("SELECT count(*) FROM person"));
        said.unwrap()
            .told()
            .expect("an answer")
            .payload
            .epoch
            .clone()
    };
    assert_eq!(named(42), named(42));
    assert_ne!(named(42), named(43), "the same data under another secret");
}
