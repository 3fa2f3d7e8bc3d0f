//! A coordinator that lies to a node: it forges, alters, replays and delays, and gains nothing.

use std::time::Duration;

use quorate_identity::Signed;
use quorate_testnet::adversary::client::Forger;
use quorate_testnet::adversary::coordinator::FalseCoordinator;
use quorate_testnet::network::Network;
use quorate_testnet::{clock, evidence};
use quorate_wire::{Payload, QuestionPayload, RefusalPayload, v1};

use crate::{badinput, support};

const PATIENCE: Duration = Duration::from_secs(20);
const VICTIM: &str = "northfield";
const SQL: &str = "SELECT count(*) AS n FROM person WHERE year_of_birth >= 1950";

/// A liar with the network's own files, to whom the victim is led.
fn liar(network: &Network, roster: &[Signed]) -> FalseCoordinator {
    let state = network.dir.join("coordinator");
    let welcome = v1::Welcome {
        network: "lab".into(),
        protocol: 1,
        roster: roster.iter().cloned().map(Into::into).collect(),
        codebooks: Vec::new(),
        time: clock::unix(),
        stamps: Vec::new(),
    };
    let liar = FalseCoordinator::start(&state, welcome).unwrap();
    network.lead(VICTIM, liar.address());
    liar
}

/// What a refusal says, or nothing where the node stays silent; an answer fails the test.
fn refused(liar: &FalseCoordinator, question: &Signed, what: &str) -> Option<String> {
    assert!(
        liar.deliver(question, clock::unix() + 60),
        "{what}: nobody is attached"
    );
    let (kind, signed) = liar.outcome(Duration::from_secs(5))?;
    assert_eq!(kind, "refusal", "{what} was answered");
    Some(RefusalPayload::decode(&signed.payload).unwrap().code)
}

#[test]
fn a_lying_coordinator_cannot_make_a_node_speak() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = badinput::lab(dir.path(), "state");
    for who in ["alice", "mallory"] {
        support::ask(&network, who, "SELECT count(*) AS n FROM person", &[]);
    }
    let alice = Forger::of(network.home("alice").unwrap()).unwrap();
    let mallory = Forger::of(network.home("mallory").unwrap()).unwrap();
    let liar = liar(&network, alice.roster.log());
    attached(&liar);
    let now = clock::unix();

    let honest = alice.honest(SQL, "study-1", now).unwrap();
    let signed = alice.sign(&honest);
    assert!(liar.deliver(&signed, now + 60));
    let (kind, answer) = liar
        .outcome(PATIENCE)
        .expect("an honest question is answered");
    assert_eq!(kind, "answer");

    // replayed: the same bytes again, and no second release
    assert!(liar.deliver(&signed, now + 60));
    let (_, again) = liar
        .outcome(PATIENCE)
        .expect("a replayed question is answered from store");
    assert_eq!(
        (&answer.payload, &answer.signatures),
        (&again.payload, &again.signatures)
    );
    let node_dir = network.node(VICTIM).unwrap().dir.clone();
    let id = honest.question_id.to_string();
    assert_eq!(
        evidence::closed(&node_dir, &id, &["answered", "recovered"]),
        1
    );

    lies(&liar, &alice, &mallory, &honest, &signed);

    let closed: usize = evidence::events(&node_dir)
        .iter()
        .filter(|event| event["kind"] == "close" && event["outcome"] == "answered")
        .count();
    assert_eq!(closed, 2, "alice's first question and the honest one");
    network.lead(VICTIM, network.address());
    network.start_all().unwrap();
    support::answer(&network, "alice", SQL);
}

/// Everything that a liar may try with an honest question in hand.
fn lies(
    liar: &FalseCoordinator,
    alice: &Forger,
    mallory: &Forger,
    honest: &QuestionPayload,
    signed: &Signed,
) {
    let now = clock::unix();
    let fresh = || alice.renew(honest.clone(), now).unwrap();
    let other = "SELECT count(*) AS n FROM person WHERE year_of_birth >= 1960";
    let altered = QuestionPayload {
        request: other.into(),
        ..fresh()
    };
    let forged = Signed {
        payload: altered.encode(),
        ..signed.clone()
    };
    let expect = |question: &Signed, what: &str, codes: &[&str]| {
        if let Some(code) = refused(liar, question, what) {
            assert!(codes.contains(&code.as_str()), "{what}: {code}");
        }
    };
    expect(&forged, "an altered question", &["A406"]);
    let reused = QuestionPayload {
        request: other.into(),
        ..honest.clone()
    };
    expect(&alice.sign(&reused), "an id used twice", &["A403"]);
    let late = QuestionPayload {
        not_before: now - 7200,
        expires: now - 3600,
        ..fresh()
    };
    expect(&alice.sign(&late), "a late question", &["A402"]);
    let early = QuestionPayload {
        not_before: now + 7200,
        expires: now + 9000,
        ..fresh()
    };
    expect(&alice.sign(&early), "a question before its time", &["A407"]);
    expect(
        &alice.sign(&altered),
        "another text under the digest of this one",
        &["A408"],
    );
    let elsewhere = QuestionPayload {
        network: "elsewhere".into(),
        ..fresh()
    };
    expect(
        &alice.sign(&elsewhere),
        "a question to another network",
        &["A400", "A401", "A405", "A406"],
    );
    let not_us = QuestionPayload {
        nodes: ["southport".into()].into(),
        ..fresh()
    };
    expect(
        &alice.sign(&not_us),
        "a question to another node",
        &["A405"],
    );
    let demanding = QuestionPayload {
        must_understand: ["sealed".into()].into(),
        ..fresh()
    };
    expect(
        &alice.sign(&demanding),
        "a demand that nobody knows",
        &["A409"],
    );
    expect(
        &mallory.sign(&fresh()),
        "mallory's signature under alice's name",
        &["A400", "A401"],
    );
    let hers = mallory.honest(SQL, "study-1", now).unwrap();
    expect(
        &mallory.sign(&hers),
        "a question of nobody on the project",
        &["G500", "G501", "G502"],
    );
}

#[test]
fn a_roster_that_goes_back_ends_the_session() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = badinput::lab(dir.path(), "state");
    support::answer(&network, "alice", "SELECT count(*) AS n FROM person");
    let alice = Forger::of(network.home("alice").unwrap()).unwrap();
    let log = alice.roster.log();
    let liar = liar(&network, &log[..log.len() - 1]);
    let told = clock::wait_for(PATIENCE, || {
        let log = network.node_log(VICTIM).to_lowercase();
        let after = log
            .rsplit("\"connected\"")
            .next()
            .unwrap_or_default()
            .to_owned();
        after.contains("roster").then_some(after)
    });
    assert!(told.is_some(), "{}", network.node_log(VICTIM));
    let question = alice.sign(&alice.honest(SQL, "study-1", clock::unix()).unwrap());
    liar.deliver(&question, clock::unix() + 60);
    assert_eq!(
        liar.outcome(Duration::from_secs(3)).map(|(kind, _)| kind),
        None
    );
    // the custodian is shown the same door
    let short = dir.path().join("short.jsonl");
    std::fs::write(
        &short,
        quorate_identity::roster::write_log(&log[..log.len() - 1]),
    )
    .unwrap();
    let done = network
        .custodian(VICTIM, ["roster", "accept", &short.display().to_string()])
        .unwrap();
    assert_ne!(done.code, Some(0), "{done:?}");
    network.lead(VICTIM, network.address());
    network.start_all().unwrap();
    support::answer(&network, "alice", SQL);
}

fn attached(liar: &FalseCoordinator) {
    let hello = clock::wait_for(PATIENCE, || {
        let frame = liar.next(Duration::from_millis(200))?.frame?;
        matches!(frame, v1::node_frame::Frame::Checkpoint(_)).then_some(())
    });
    assert!(hello.is_some(), "the node did not attach to the liar");
}
