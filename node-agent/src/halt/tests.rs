//! A question is stopped while it runs, whatever it waits for; what was decided and not sent stays.

use std::time::Duration;

use quorate_governance::artefact::{self, Artefact};
use quorate_governance::suspension::{Lift, Suspension, Target};
use quorate_identity::{Name, Signed};

use super::holds_back;
use crate::answer::{Reply, answer};
use crate::govern;
use crate::ledger::{Event, LEDGER_FILE, Record};
use crate::node::Node;
use crate::testing::{BOOK, House, NOW, alice, bob, key, people, refused, tell};

const COUNT: &str = "SELECT sex, count(*) AS n FROM person GROUP BY sex";

/// Carla and Dana speak for the custodian.
fn house() -> House {
    let mut house = people(BOOK, "");
    let entry =
        |name: &str, seed| format!("{{ name = \"{name}\", key = \"{}\" }}", key(seed).key_id());
    house.policy.push_str(&format!(
        "[governance]\ncustodian = [{}, {}]\n",
        entry("carla", 1),
        entry("dana", 35)
    ));
    house
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn suspend(node: &Node, target: Target) -> String {
    let suspension = Suspension {
        network: name("net"),
        node: name("cleveland"),
        target,
        reason: "an inquiry about 4711".to_owned(),
        appeal: String::new(),
        at: NOW,
    };
    govern::keep(&node.policy.node.state, &suspension.sign(&key(1))).unwrap()
}

fn lift(node: &Node, suspension: String) {
    let lift = Lift {
        network: name("net"),
        node: name("cleveland"),
        suspension,
        reason: "cleared".to_owned(),
        at: NOW,
    };
    let mut lift = lift.sign(&key(1));
    artefact::cosign(&key(35), &mut lift);
    govern::keep(&node.policy.node.state, &lift).unwrap();
}

fn records(house: &House) -> Vec<Record> {
    let text = std::fs::read_to_string(house.state().join(LEDGER_FILE)).unwrap();
    let record = |line: &str| serde_json::from_str(line.split('\t').next()?).ok();
    text.lines().filter_map(record).collect()
}

/// What the node says of Alice's question when `happens` happens while it waits for the engine, all
/// of whose slots are taken and stay so.
fn meanwhile(house: &House, node: &Node, happens: impl FnOnce(&Node)) -> Signed {
    let _slots = node.engine.occupy();
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let delivery = house.deliver(&house.question(COUNT), &alice());
    let reply = waiting.block_on(async {
        let asking = answer(node, delivery, NOW);
        let acting = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            happens(node);
        };
        futures::future::join(asking, acting).await.0
    });
    match reply {
        Reply::Say(message) => message,
        Reply::Waits | Reply::Nothing => panic!("the node says nothing"),
    }
}

#[test]
fn what_runs_stops_at_once_and_the_ledger_says_so() {
    let targets = [
        Target::Node,
        Target::Project {
            id: name("heart-1"),
        },
        Target::Person {
            key: alice().key_id().clone(),
        },
    ];
    for target in targets {
        let house = house();
        let node = house.open();
        let message = meanwhile(&house, &node, |node| drop(suspend(node, target)));
        assert_eq!(refused(&message).code, "G510");
        assert_eq!(node.unacknowledged().unwrap(), [message]);
        let ends = records(&house)
            .into_iter()
            .filter_map(|one| match one.event {
                Event::Close(close) if close.outcome != "core" => Some((close.outcome, close.code)),
                _ => None,
            });
        let ends: Vec<_> = ends.collect();
        assert_eq!(ends, [("refused".to_owned(), "G510".to_owned())]);
        let decided = |one: &Record| matches!(one.event, Event::Decided(_));
        assert!(!records(&house).iter().any(decided), "nothing was released");
    }
}

#[test]
fn a_question_of_somebody_else_runs_on_and_core_tables_are_tried_again() {
    let house = house();
    let node = house.open();
    let stopped = meanwhile(&house, &node, |node| {
        suspend(
            node,
            Target::Person {
                key: alice().key_id().clone(),
            },
        );
    });
    assert_eq!(refused(&stopped).code, "G510");
    let refusal = tell(&node, house.deliver(&house.question(COUNT), &alice()));
    assert_eq!(refused(&refusal).code, "G510");
    let told = node.with_ledger(|ledger| Ok(ledger.acts().keys().next().cloned()));
    lift(&node, told.unwrap().unwrap());
    assert_eq!(house.ask(&node, COUNT).tables[0].rows.len(), 2);
    let core = records(&house).into_iter().filter(|one| {
        matches!(&one.event, Event::Close(close) if close.outcome == "core" && close.code.is_empty())
    });
    assert_eq!(core.count(), 1, "once, when nobody was stopped");
}

#[test]
fn a_pause_stops_what_runs() {
    let house = house();
    let node = house.open();
    let home = crate::home::Home::open(&house.state()).unwrap();
    let message = meanwhile(&house, &node, |_| home.set_paused(Some("moving")).unwrap());
    assert_eq!(refused(&message).code, "G506");
}

#[test]
fn an_answer_that_was_not_sent_is_held_back_until_two_lift_it() {
    let house = house();
    let node = house.open();
    let message = tell(&node, house.deliver(&house.question(COUNT), &alice()));
    assert!(!holds_back(&node, &message, NOW));
    let other = suspend(
        &node,
        Target::Person {
            key: bob().key_id().clone(),
        },
    );
    assert!(!holds_back(&node, &message, NOW), "somebody else's");
    let suspension = suspend(
        &node,
        Target::Person {
            key: alice().key_id().clone(),
        },
    );
    assert_ne!(other, suspension);
    assert!(holds_back(&node, &message, NOW));
    let refusal = tell(&node, house.deliver(&house.question(COUNT), &alice()));
    assert!(!holds_back(&node, &refusal, NOW), "refusals go");
    lift(&node, suspension);
    assert!(!holds_back(&node, &message, NOW));
}

#[test]
fn the_ledger_tells_of_every_act_and_signer_once_and_of_no_reason() {
    let house = house();
    let node = house.open();
    let suspension = suspend(&node, Target::Node);
    lift(&node, suspension.clone());
    house.ask(&node, COUNT);
    house.ask(&node, COUNT);
    drop(node);
    drop(house.open());
    let notes: Vec<_> = records(&house)
        .into_iter()
        .filter_map(|one| match one.event {
            Event::Noted(noted) => Some(*noted),
            _ => None,
        })
        .collect();
    let words: Vec<_> = notes
        .iter()
        .map(|noted| {
            (
                noted.what.as_str(),
                noted.actor.subject.as_str(),
                noted.actor.role.as_str(),
            )
        })
        .collect();
    let expected = [
        ("act.lift", "carla", "custodian"),
        ("act.lift", "dana", "custodian"),
        ("act.suspension", "carla", "custodian"),
    ];
    let mut sorted = words.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let text = std::fs::read_to_string(house.state().join(LEDGER_FILE)).unwrap();
    assert!(text.contains(&suspension));
    assert!(
        !text.contains("4711") && !text.contains("cleared"),
        "no reasons"
    );
}

#[test]
fn a_suspension_that_is_taken_away_stops_everything() {
    let house = house();
    let node = house.open();
    suspend(&node, Target::Project { id: name("other") });
    house.ask(&node, COUNT);
    let folder = house.state().join(govern::FOLDER);
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    let text = std::fs::read(file.path()).unwrap();
    std::fs::remove_file(file.path()).unwrap();
    let code = |node: &Node| {
        let message = tell(node, house.deliver(&house.question(COUNT), &alice()));
        refused(&message).code
    };
    assert_eq!(code(&node), "G509");
    drop(node);
    let node = house.open();
    assert_eq!(code(&node), "G509", "after a restart too");
    std::fs::write(file.path(), text).unwrap();
    house.ask(&node, COUNT);
}

#[test]
fn another_policy_is_told_once() {
    let mut house = house();
    let node = house.open();
    house.ask(&node, COUNT);
    drop(node);
    let old = house.policy().digest;
    house.policy = house.policy.replace("256 MiB", "257 MiB");
    for _ in 0..2 {
        let node = house.open();
        house.ask(&node, COUNT);
    }
    let changes = records(&house)
        .into_iter()
        .filter_map(|one| match one.event {
            Event::Noted(noted) if noted.what == "policy_changed" => Some(*noted),
            _ => None,
        });
    let changes: Vec<_> = changes.collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].concerns, house.policy().digest);
    assert!(changes[0].documents.contains(&old));
}
