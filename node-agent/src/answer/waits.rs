//! What waits for output checkers: nothing leaves before enough of them have seen exactly that, and
//! what happens meanwhile counts.

use quorate_governance::airlock::{Place, Reason, Review, Verdict};
use quorate_governance::{Artefact, Person, artefact};
use quorate_identity::{Name, Signed, SigningKey};

use super::{Delivery, Reply};
use crate::airlock::{Held, Seen, due};
use crate::govern;
use crate::ledger::{self, Event};
use crate::node::Node;
use crate::testing::{BOOK, House, NOW, again, alice, answered, hear, key, people, refused};

const SQL: &str = "SELECT sex, count(*) AS n FROM person GROUP BY sex";
const DAY: i64 = 86_400;

pub(super) fn person(name: &str, key: &SigningKey) -> Person {
    Person {
        name: Name::parse(name).unwrap(),
        key: key.key_id().clone(),
    }
}

fn cleo() -> SigningKey {
    key(21)
}

fn cyril() -> SigningKey {
    key(22)
}

fn listed(name: &str, key: &SigningKey) -> String {
    format!("{{ name = \"{name}\", key = \"{}\" }}", key.key_id())
}

/// A house whose project lets answers out in this mode.
fn house(mode: &str) -> House {
    let mut house = people(BOOK, "");
    house.policy = house.policy.replace(
        "approval = \"auto\"",
        &format!("approval = \"auto\"\nrelease = \"{mode}\""),
    );
    house.policy.push_str(&format!(
        "[governance]\ncustodian = [{}]\ncheckers = [{}, {}, {}]\n",
        listed("carla", &key(1)),
        listed("cleo", &cleo()),
        listed("cyril", &cyril()),
        listed("alice", &alice()),
    ));
    house
}

fn ask(house: &House, node: &Node) -> Delivery {
    let question = house.question(SQL);
    let delivery = || house.deliver(&question, &alice());
    assert!(hear(node, delivery()).is_none(), "nothing leaves");
    delivery()
}

fn held(node: &Node) -> Held {
    let held = node.with_store(|store| store.held()).unwrap();
    assert_eq!(held.len(), 1);
    held.into_iter().next().unwrap()
}

fn say(node: &Node, who: &str, by: &SigningKey, verdict: Verdict) {
    let waiting = held(node);
    let review = Review {
        network: Name::parse("net").unwrap(),
        node: Name::parse("cleveland").unwrap(),
        question: waiting.question,
        outcome: waiting.outcome,
        verdict,
        checker: person(who, by),
        comment: String::new(),
        at: NOW,
    };
    govern::keep(&node.policy.node.state, &review.sign(by)).unwrap();
}

fn only(mut replies: Vec<Reply>) -> Option<Signed> {
    assert_eq!(replies.len(), 1);
    match replies.remove(0) {
        Reply::Say(message) => Some(message),
        Reply::Waits => None,
        Reply::Nothing => panic!("the node says nothing at all"),
    }
}

fn closes(house: &House) -> Vec<ledger::Close> {
    let text = std::fs::read_to_string(house.state().join(ledger::LEDGER_FILE)).unwrap();
    let events = text.lines().filter_map(|line| {
        let record: ledger::Record = serde_json::from_str(line.split('\t').next()?).ok()?;
        match record.event {
            Event::Close(close) if close.outcome != "core" => Some(*close),
            _ => None,
        }
    });
    events.collect()
}

#[test]
fn two_checkers_let_out_exactly_what_they_saw() {
    let house = house("dual");
    let node = house.open();
    let delivery = ask(&house, &node);
    assert!(node.unacknowledged().unwrap().is_empty());
    assert!(
        only(again(&node, NOW)).is_none(),
        "nobody has said anything"
    );
    say(&node, "cleo", &cleo(), Verdict::Approve);
    say(&node, "alice", &alice(), Verdict::Approve);
    assert!(only(again(&node, NOW)).is_none(), "a member's word is none");
    let shown = held(&node);
    say(&node, "cyril", &cyril(), Verdict::Approve);
    let message = only(again(&node, NOW)).unwrap();
    let answer = answered(&message);
    let digest = quorate_wire::tables_digest(&answer.tables);
    assert_eq!(quorate_identity::digest_text(&digest), shown.outcome);
    assert_eq!(
        node.unacknowledged().unwrap(),
        std::slice::from_ref(&message)
    );
    assert!(again(&node, NOW).is_empty());
    assert_eq!(hear(&node, delivery), Some(message), "the same bytes again");
    let close = closes(&house).pop().unwrap();
    assert_eq!(close.approval.release, "dual");
    assert_eq!(close.approval.reviewers.len(), 2);
}

#[test]
fn what_waits_survives_a_restart_and_is_delivered_again_in_vain() {
    let house = house("review");
    let node = house.open();
    let delivery = ask(&house, &node);
    drop(node);
    let node = house.open();
    assert!(hear(&node, delivery).is_none(), "it waits still");
    let sound = ledger::verify(&house.state(), None, None).unwrap();
    assert_eq!(sound.open.len(), 1, "one entry, and not interrupted");
    assert!(sound.interrupted.is_empty());
    say(&node, "cleo", &cleo(), Verdict::Approve);
    drop(node);
    let node = house.open();
    answered(&only(again(&node, NOW)).unwrap());
    let sound = ledger::verify(&house.state(), None, None).unwrap();
    assert!(sound.open.is_empty());
}

#[test]
fn one_return_sends_it_back_with_a_listed_reason() {
    let house = house("dual");
    let node = house.open();
    ask(&house, &node);
    say(&node, "cyril", &cyril(), Verdict::Approve);
    let reason = Reason::TooDetailed;
    say(&node, "cleo", &cleo(), Verdict::Return { reason });
    let refusal = refused(&only(again(&node, NOW)).unwrap());
    assert_eq!(
        (refusal.code.as_str(), refusal.ticket.as_str()),
        ("G514", "")
    );
    assert!(again(&node, NOW).is_empty());
}

#[test]
fn hiding_more_makes_it_another_outcome_and_the_cell_stays_hidden() {
    let house = house("dual");
    let node = house.open();
    ask(&house, &node);
    say(&node, "cyril", &cyril(), Verdict::Approve);
    let before = held(&node);
    let cells = [Place {
        table: 0,
        row: 1,
        cell: 0,
    }];
    let cells = cells.into_iter().collect();
    say(&node, "cleo", &cleo(), Verdict::Suppress { cells });
    assert!(only(again(&node, NOW)).is_none());
    let after = held(&node);
    assert_ne!(before.outcome, after.outcome);
    assert_eq!(after.tables[0].rows[1].cells[0], None);
    say(&node, "cleo", &cleo(), Verdict::Approve);
    assert!(only(again(&node, NOW)).is_none(), "Cyril saw another one");
    say(&node, "cyril", &cyril(), Verdict::Approve);
    let answer = answered(&only(again(&node, NOW)).unwrap());
    let rows = &answer.tables[0].rows;
    assert!(rows[0].cells[0].parts().is_some());
    assert!(rows[1].cells[0].parts().is_none());
}

#[test]
fn what_ends_meanwhile_ends_it() {
    let end = |change: fn(&mut House), now| {
        let mut house = house("review");
        let node = house.open();
        ask(&house, &node);
        say(&node, "cleo", &cleo(), Verdict::Approve);
        drop(node);
        change(&mut house);
        let node = house.open();
        node.note_stamp(now + DAY);
        let message = only(again(&node, now))?;
        Some(match message.kind.as_str() {
            "refusal" => refused(&message).code,
            _ => "answered".to_owned(),
        })
    };
    let code = |code: &str| Some(code.to_owned());
    assert_eq!(end(|_| {}, NOW), code("answered"));
    let ended = |house: &mut House| {
        house.policy = house.policy.replace("2030-12-31", "2027-01-01");
    };
    assert_eq!(end(ended, NOW), code("G501"));
    let left = |house: &mut House| {
        let (from, to) = ("name = \"alice\", key", "name = \"anna\", key");
        house.policy = house.policy.replacen(from, to, 1);
    };
    assert_eq!(end(left, NOW), code("G502"));
    let none = |house: &mut House| {
        house.policy = house.policy.replace("\"review\"", "\"none\"");
    };
    assert_eq!(end(none, NOW), code("G516"));
    assert_eq!(
        end(|_| {}, NOW + 3601),
        code("A402"),
        "the question's own time"
    );
    let stricter = |house: &mut House| {
        house.policy = house.policy.replace("\"review\"", "\"dual\"");
    };
    assert_eq!(end(stricter, NOW), None, "two are needed now");
}

#[test]
fn only_what_has_news_is_told_again() {
    let house = house("dual");
    let node = house.open();
    ask(&house, &node);
    let mut seen = Seen::default();
    let mut due = |now| due(&node, &mut seen, now).unwrap().len();
    assert_eq!(due(NOW), 0, "nobody has spoken");
    say(&node, "cleo", &cleo(), Verdict::Approve);
    assert_eq!(due(NOW + 1), 1);
    assert_eq!(due(NOW + 2), 0, "one of two");
    assert_eq!(due(NOW + 90), 0);
    say(&node, "cyril", &cyril(), Verdict::Approve);
    assert_eq!(due(NOW + 91), 1);
    assert_eq!(due(NOW + 92), 0);
    assert_eq!(due(NOW + 152), 1, "something held it up");
    assert_eq!(due(NOW + 3601), 1, "its time has ended");
}

#[test]
fn a_pause_holds_it_back_and_does_not_end_it() {
    let house = house("review");
    let node = house.open();
    ask(&house, &node);
    say(&node, "cleo", &cleo(), Verdict::Approve);
    let home = crate::home::Home::open(&house.state()).unwrap();
    home.set_paused(Some("a look around")).unwrap();
    assert!(only(again(&node, NOW)).is_none());
    home.set_paused(None).unwrap();
    answered(&only(again(&node, NOW)).unwrap());
}

#[test]
fn changed_data_must_be_seen_anew() {
    let house = house("review");
    let node = house.open();
    ask(&house, &node);
    say(&node, "cleo", &cleo(), Verdict::Approve);
    let before = held(&node);
    let path = house.folder.path().join("people.csv");
    let mut text = std::fs::read_to_string(&path).unwrap();
    (200..240).for_each(|id| text.push_str(&format!("{id},1,a,50\n")));
    std::fs::write(&path, text).unwrap();
    assert!(
        only(again(&node, NOW)).is_none(),
        "other numbers than were seen"
    );
    let after = held(&node);
    assert_ne!(before.outcome, after.outcome);
    assert_ne!(before.epoch, after.epoch);
    say(&node, "cleo", &cleo(), Verdict::Approve);
    answered(&only(again(&node, NOW)).unwrap());
}

#[test]
fn a_crash_after_the_answer_leaves_one_answer() {
    let house = house("review");
    let node = house.open();
    ask(&house, &node);
    let waiting = held(&node);
    say(&node, "cleo", &cleo(), Verdict::Approve);
    let message = only(again(&node, NOW)).unwrap();
    // As if the process had ended before it noted that nothing waits any more.
    let id = waiting.question.clone();
    node.with_store(|store| store.forget(&id)).unwrap();
    node.with_store(|store| store.hold(&waiting)).unwrap();
    drop(node);
    let node = house.open();
    assert_eq!(only(again(&node, NOW)), Some(message));
    assert!(again(&node, NOW).is_empty());
    assert_eq!(closes(&house).len(), 1);
}

#[test]
fn nothing_readable_lies_in_the_state_folder() {
    let house = house("review");
    let node = house.open();
    let question = house.question("SELECT count(*) AS n FROM person WHERE town = 'a'");
    assert!(hear(&node, house.deliver(&question, &alice())).is_none());
    for entry in std::fs::read_dir(house.state()).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains("to test"),
            "{:?} has the purpose",
            entry.path()
        );
        assert!(
            !text.contains("FROM person"),
            "{:?} has the text",
            entry.path()
        );
    }
}

#[test]
fn an_act_is_kept_once_with_all_its_signatures() {
    let house = house("review");
    let state = house.state();
    crate::state::folder(&state).unwrap();
    let review = Review {
        network: Name::parse("net").unwrap(),
        node: Name::parse("cleveland").unwrap(),
        question: "q".to_owned(),
        outcome: quorate_identity::digest_text(&[1; 32]),
        verdict: Verdict::Approve,
        checker: person("cleo", &cleo()),
        comment: String::new(),
        at: NOW,
    };
    let mut act = review.sign(&cleo());
    let digest = govern::keep(&state, &act).unwrap();
    artefact::cosign(&cyril(), &mut act);
    act.signatures.remove(0);
    assert_eq!(govern::keep(&state, &act).unwrap(), digest);
    let kept = govern::reviews(&state, Some("q")).unwrap();
    assert_eq!(kept[0].signers().len(), 2);
    act.payload[9] ^= 1;
    assert!(govern::keep(&state, &act).is_err());
    // A damaged file is no reason to go on.
    let path = std::fs::read_dir(state.join(govern::FOLDER)).unwrap();
    let path = path.flatten().next().unwrap().path();
    std::fs::write(&path, b"{}").unwrap();
    assert!(govern::reviews(&state, None).is_err());
}
