//! Stopping is easy and one person's; going on, and loosening, is two persons'.

use quorate_governance::Opened;
use quorate_governance::change::{Change, ChangeError, DELAY, in_force};
use quorate_governance::suspension::{Lift, Suspension, Target, standing};

use crate::support::{NOW, digest, keys, name, person, signed};

fn suspension(target: Target, by: &str) -> Opened<Suspension> {
    let content = Suspension {
        network: name("heart"),
        node: name("north"),
        target,
        reason: "under inquiry".to_owned(),
        appeal: String::new(),
        at: NOW,
    };
    signed(&content, &[by])
}

fn lift(of: &Opened<Suspension>, by: &[&str]) -> Opened<Lift> {
    let content = Lift {
        network: name("heart"),
        node: name("north"),
        suspension: of.digest().to_owned(),
        reason: "cleared".to_owned(),
        at: NOW + 1,
    };
    signed(&content, by)
}

fn stands(suspensions: &[Opened<Suspension>], lifts: &[Opened<Lift>]) -> usize {
    let pause = keys(&["carla", "olga"]);
    let resume = keys(&["carla", "dana", "alice"]);
    standing(suspensions, lifts, &pause, &resume).len()
}

#[test]
fn rule_7_one_person_stops_and_two_let_go_on() {
    let stopped = [suspension(Target::Node, "olga")];
    assert_eq!(stands(&stopped, &[]), 1);
    assert_eq!(stands(&stopped, &[lift(&stopped[0], &["carla"])]), 1);
    let twice = [lift(&stopped[0], &["carla"]), lift(&stopped[0], &["carla"])];
    assert_eq!(stands(&stopped, &twice), 1, "one person twice is one");
    let olga = lift(&stopped[0], &["carla", "olga"]);
    assert_eq!(stands(&stopped, &[olga]), 1, "an operator resumes nothing");
    assert_eq!(
        stands(&stopped, &[lift(&stopped[0], &["carla", "dana"])]),
        0
    );
}

#[test]
fn a_further_signature_takes_nothing_away() {
    let content = Suspension {
        network: name("heart"),
        node: name("north"),
        target: Target::Node,
        reason: "under inquiry".to_owned(),
        appeal: String::new(),
        at: NOW,
    };
    let stopped = [signed(&content, &["olga", "zoe"])];
    assert_eq!(stands(&stopped, &[]), 1, "a stranger's signature below it");
}

#[test]
fn a_stranger_stops_nothing_and_the_suspended_lift_nothing() {
    assert_eq!(stands(&[suspension(Target::Node, "zoe")], &[]), 0);
    let key = person("alice").key;
    let alice = [suspension(Target::Person { key }, "carla")];
    assert_eq!(stands(&alice, &[lift(&alice[0], &["carla", "alice"])]), 1);
    let id = name("heart-1");
    let other = suspension(Target::Project { id }, "carla");
    let lifted = lift(&other, &["carla", "dana"]);
    assert_eq!(stands(&alice, &[lifted]), 1, "a lift is for one suspension");
}

fn change(by: &[&str], seen: i64) -> (Opened<Change>, i64) {
    let content = Change {
        network: name("heart"),
        node: name("north"),
        from: digest("old"),
        to: digest("new"),
        reason: "new project".to_owned(),
        at: NOW - 100 * DELAY,
    };
    (signed(&content, by), seen)
}

#[test]
fn rule_3_tightening_is_at_once_and_loosening_two_persons_and_a_day() {
    let (old, new) = (digest("old"), digest("new"));
    let looser = ["release.k".to_owned()];
    let decide = |looser: &[String], changes: &[(Opened<Change>, i64)], now| {
        let (custodian, seconds) = (keys(&["carla"]), keys(&["dana", "carla"]));
        in_force((&old, &new), looser, changes, &custodian, &seconds, now)
    };
    assert_eq!(decide(&[], &[], NOW), Ok(()));
    assert!(matches!(
        decide(&looser, &[], NOW),
        Err(ChangeError::NotAnnounced(_))
    ));
    let alone = change(&["carla"], NOW);
    assert_eq!(
        decide(&looser, &[alone], NOW + 9 * DELAY),
        Err(ChangeError::OnePerson)
    );
    let second_only = change(&["dana"], NOW);
    assert_eq!(
        decide(&looser, &[second_only], NOW + 9 * DELAY),
        Err(ChangeError::OnePerson)
    );
    // A date that its signers wrote does not shorten the wait: the node's first sight counts.
    let both = change(&["carla", "dana"], NOW);
    let early = decide(&looser, std::slice::from_ref(&both), NOW + DELAY - 1);
    assert_eq!(early, Err(ChangeError::TooSoon(NOW + DELAY)));
    assert_eq!(decide(&looser, &[both], NOW + DELAY), Ok(()));
}
