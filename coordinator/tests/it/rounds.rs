//! A question from submission to result, and everything that must not count.

use quorate_identity::{Signed, SigningKey};
use quorate_query::combine::{SiteAnswer, combine};
use quorate_query::{codebook, sql};
use quorate_wire::v1::hub_frame::Frame;
use quorate_wire::v1::{
    CatalogueRequest, ListRequest, NodeFrame, Progress, QuestionRef, node_frame,
};
use quorate_wire::{NodeStatus, Payload, QuestionStatus, ResultPayload, Stamp, sign};

use crate::net::{CODEBOOK, Net, lines};
use crate::party::{SQL, code, now};

type Change = Box<dyn FnOnce(&mut quorate_wire::QuestionPayload)>;

fn statuses(result: &ResultPayload) -> Vec<(&str, NodeStatus)> {
    result
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), node.status))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_answer_and_the_result_recombines() {
    let net = Net::start();
    let (north, south) = (
        net.party("node", "north").await,
        net.party("node", "south").await,
    );
    let alice = net.party("researcher", "alice").await;
    let (mut a, mut b) = (north.attach().await.unwrap(), south.attach().await.unwrap());
    let question = alice.question(&[], |_| {}).await;
    let id = alice.submit(&question).await.unwrap();
    let (to_a, to_b) = (a.question().await, b.question().await);
    assert_eq!(
        (&to_a, &to_b),
        (&question, &question),
        "the signed original is passed on"
    );
    let progress = Progress {
        question_id: id.clone(),
        stage: "running".to_owned(),
    };
    let frame = Some(node_frame::Frame::Progress(progress));
    a.out.send(NodeFrame { frame }).await.unwrap();
    let (from_a, from_b) = (a.answer(&to_a, 20), b.answer(&to_b, 35));
    a.say(&from_a).await;
    assert_eq!(a.receipt().await, from_a.digest());
    b.say(&from_b).await;
    assert_eq!(b.receipt().await, from_b.digest());
    let result = alice.result(&id).await;
    assert_eq!(result.status, QuestionStatus::Answered);
    assert_eq!(result.question, question);
    assert_eq!(result.nodes[0].signed, Some(from_a.clone()));
    let book = codebook::read(CODEBOOK, "c").unwrap();
    let read = sql::read(SQL, &Default::default(), &book).unwrap();
    let (first, second) = (a.payload(&question, 20), b.payload(&question, 35));
    let sites = [
        SiteAnswer {
            node: "north",
            table: Some((&first.tables[0], first.protection)),
        },
        SiteAnswer {
            node: "south",
            table: Some((&second.tables[0], second.protection)),
        },
    ];
    assert_eq!(
        result.combined,
        combine(&read, &book, &sites).unwrap().to_bytes()
    );
    let shown = net.operate(&["questions"]);
    let shown = lines(&shown).join("\n");
    assert!(shown.contains("answered") && shown.contains(&id));
    // Ids and times may hold the digits of a value; no word is one.
    assert!(!shown.split_whitespace().any(|word| word == "55") && !shown.contains("SELECT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_absent_a_silent_one_late_and_a_refusal_has_its_code() {
    let net = Net::start();
    net.party("node", "dead").await;
    let (silent, strict) = (
        net.party("node", "silent").await,
        net.party("node", "strict").await,
    );
    let (quick, alice) = (
        net.party("node", "quick").await,
        net.party("researcher", "alice").await,
    );
    let mut late = silent.attach().await.unwrap();
    let (mut refusing, mut answering) = (
        strict.attach().await.unwrap(),
        quick.attach().await.unwrap(),
    );
    let id = alice
        .submit(&alice.question(&[], |_| {}).await)
        .await
        .unwrap();
    let question = refusing.question().await;
    refusing.say(&refusing.refusal(&question, "G501")).await;
    answering.question().await;
    answering.say(&answering.answer(&question, 20)).await;
    let result = alice.result(&id).await;
    assert_eq!(result.status, QuestionStatus::Answered);
    let expected = [
        ("dead", NodeStatus::Absent),
        ("quick", NodeStatus::Answered),
        ("silent", NodeStatus::Late),
        ("strict", NodeStatus::Refused),
    ];
    assert_eq!(statuses(&result), expected);
    assert_eq!(result.nodes[3].code.as_deref(), Some("G501"));
    late.question().await;
    let answer = late.answer(&question, 90);
    late.say(&answer).await;
    assert_eq!(
        late.receipt().await,
        answer.digest(),
        "kept, though it counts no more"
    );
    assert_eq!(alice.result(&id).await, result);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_nodes_answer_to_this_question_is_turned_away() {
    let net = Net::start();
    let (north, south) = (
        net.party("node", "north").await,
        net.party("node", "south").await,
    );
    let alice = net.party("researcher", "alice").await;
    let (mut a, mut b) = (north.attach().await.unwrap(), south.attach().await.unwrap());
    let first = alice
        .submit(&alice.question(&["north"], |_| {}).await)
        .await
        .unwrap();
    let other = alice
        .submit(&alice.question(&["south"], |_| {}).await)
        .await
        .unwrap();
    let (to_a, to_b) = (a.question().await, b.question().await);
    // Answers swapped between streams, and between questions.
    a.say(&b.answer(&to_a, 20)).await;
    let mut swapped = a.payload(&to_a, 20);
    swapped.question_id = b.payload(&to_b, 20).question_id;
    a.say(&sign(&swapped, &north.key)).await;
    a.say(&a.answer(&to_b, 20)).await;
    // Forged, altered, of another network, codebook, round, roster.
    a.say(&sign(
        &a.payload(&to_a, 20),
        &SigningKey::generate().unwrap(),
    ))
    .await;
    let mut altered = a.answer(&to_a, 20);
    altered.payload = a.payload(&to_a, 25).encode();
    a.say(&altered).await;
    let bad = |change: fn(&mut quorate_wire::AnswerPayload)| {
        let mut payload = a.payload(&to_a, 20);
        change(&mut payload);
        sign(&payload, &north.key)
    };
    a.say(&bad(|p| p.network = "lung".to_owned())).await;
    a.say(&bad(|p| {
        p.codebook = quorate_identity::digest_text(&[1; 32])
    }))
    .await;
    a.say(&bad(|p| {
        p.roster_head = quorate_identity::digest_text(&[2; 32])
    }))
    .await;
    a.say(&bad(|p| p.round = 1)).await;
    a.say(&bad(|p| p.question_digest = [3; 32])).await;
    let good = a.answer(&to_a, 20);
    a.say(&good).await;
    assert_eq!(
        a.receipt().await,
        good.digest(),
        "only the good one has a receipt"
    );
    a.say(&a.answer(&to_a, 30)).await;
    a.say(&good).await;
    assert_eq!(a.receipt().await, good.digest());
    let result = alice.result(&first).await;
    assert_eq!(result.nodes[0].signed, Some(good));
    b.say(&b.refusal(&to_b, "G502")).await;
    let result = alice.result(&other).await;
    assert_eq!(
        (result.status, result.problem.as_deref()),
        (QuestionStatus::Refused, Some("G502"))
    );
    let turned = net.log().matches("turned away").count();
    assert_eq!(turned, 11, "{}", net.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_altered_or_is_not_ours_is_refused_at_once() {
    let net = Net::start();
    net.party("node", "north").await;
    let alice = net.party("researcher", "alice").await;
    let bob = net.party("researcher", "bob").await;
    let mut altered = alice.question(&[], |_| {}).await;
    altered.payload.extend_from_slice(&[0x9a, 0x06, 0x00]);
    assert_eq!(code(&alice.submit(&altered).await.unwrap_err()), "A406");
    let bobs = bob.question(&[], |_| {}).await;
    assert_eq!(code(&alice.submit(&bobs).await.unwrap_err()), "A401");
    let digest = || quorate_identity::digest_text(&[9; 32]);
    let refused: [(&str, Change); 10] = [
        ("A405", Box::new(|q| q.network = "lung".to_owned())),
        (
            "A402",
            Box::new(|q| (q.not_before, q.expires) = (now() - 60, now() - 30)),
        ),
        (
            "A407",
            Box::new(|q| (q.not_before, q.expires) = (now() + 600, now() + 900)),
        ),
        ("A404", Box::new(move |q| q.roster_head = digest())),
        ("C601", Box::new(move |q| q.codebook = digest())),
        ("A408", Box::new(|q| q.canonical_digest = [1; 32])),
        (
            "A409",
            Box::new(|q| q.must_understand = ["magic".to_owned()].into()),
        ),
        (
            "X802",
            Box::new(|q| q.nodes = ["nowhere".to_owned()].into()),
        ),
        ("X801", Box::new(|q| q.min_nodes = 2)),
        (
            "V200",
            Box::new(|q| q.request = "SELECT count(*) FROM nothing".into()),
        ),
    ];
    for (expected, change) in refused {
        let question = alice.question(&[], change).await;
        assert_eq!(code(&alice.submit(&question).await.unwrap_err()), expected);
    }
    let listed = alice
        .research()
        .await
        .list(ListRequest { limit: 0 })
        .await
        .unwrap();
    assert!(
        listed.into_inner().questions.is_empty(),
        "nothing of it was kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_for_one_text_and_a_question_for_its_researcher() {
    let net = Net::start();
    net.party("node", "north").await;
    let (alice, bob) = (
        net.party("researcher", "alice").await,
        net.party("researcher", "bob").await,
    );
    let question = alice.question(&[], |_| {}).await;
    let id = alice.submit(&question).await.unwrap();
    assert_eq!(
        alice.submit(&question).await.unwrap(),
        id,
        "the same bytes again change nothing"
    );
    let mut payload = quorate_wire::QuestionPayload::decode(&question.payload).unwrap();
    payload.purpose = "another".to_owned();
    let replay = alice.submit(&sign(&payload, &alice.key)).await;
    assert_eq!(code(&replay.unwrap_err()), "A403");
    payload.researcher = "bob".to_owned();
    let stolen = bob.submit(&sign(&payload, &bob.key)).await;
    assert_eq!(code(&stolen.unwrap_err()), "A403");
    let own = QuestionRef {
        question_id: id.clone(),
    };
    let mut client = bob.research().await;
    assert_eq!(code(&client.status(own.clone()).await.unwrap_err()), "X806");
    assert_eq!(code(&client.fetch(own.clone()).await.unwrap_err()), "X806");
    assert_eq!(code(&client.watch(own.clone()).await.unwrap_err()), "X806");
    assert_eq!(code(&client.cancel(own).await.unwrap_err()), "X806");
    let result = alice.result(&id).await;
    assert_eq!(result.status, QuestionStatus::TooFewNodes);
    assert_eq!(result.problem.as_deref(), Some("X801"));
    assert!(result.combined.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_question_is_taken_back_from_its_nodes() {
    let net = Net::start();
    let north = net.party("node", "north").await;
    let alice = net.party("researcher", "alice").await;
    let mut a = north.attach().await.unwrap();
    let id = alice
        .submit(&alice.question(&[], |_| {}).await)
        .await
        .unwrap();
    let question = a.question().await;
    let own = QuestionRef {
        question_id: id.clone(),
    };
    let mut client = alice.research().await;
    let cancelled = client.cancel(own.clone()).await.unwrap().into_inner();
    assert_eq!(cancelled.status, "cancelled");
    assert!(matches!(a.hear().await.unwrap(), Some(Frame::Cancel(c)) if c.question_id == id));
    a.say(&a.answer(&question, 20)).await;
    a.receipt().await;
    assert_eq!(code(&client.fetch(own).await.unwrap_err()), "X803");
    assert_eq!(alice.status(&id).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_researcher_has_so_many_open_questions_and_no_more() {
    let net = Net::start();
    let north = net.party("node", "north").await;
    let alice = net.party("researcher", "alice").await;
    let _silent = north.attach().await.unwrap();
    for _ in 0..3 {
        alice
            .submit(&alice.question(&[], |_| {}).await)
            .await
            .unwrap();
    }
    let fourth = alice.submit(&alice.question(&[], |_| {}).await).await;
    assert_eq!(code(&fourth.unwrap_err()), "L706");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_codebooks_nodes_and_stamps() {
    let net = Net::start();
    let (north, south) = (
        net.party("node", "north").await,
        net.party("node", "south").await,
    );
    let alice = net.party("researcher", "alice").await;
    let (a, mut b) = (north.attach().await.unwrap(), south.attach().await.unwrap());
    let stamp = |time: i64, seq: u64, hash: &str| Stamp {
        network: "heart".to_owned(),
        node: "north".to_owned(),
        roster_seq: seq,
        roster_head: hash.to_owned(),
        time,
    };
    a.say(&sign(
        &stamp(now() - 90_000, a.head.seq, &a.head.hash),
        &north.key,
    ))
    .await;
    let good: Signed = sign(&stamp(now(), a.head.seq, &a.head.hash), &north.key);
    a.say(&good).await;
    match b.hear().await.unwrap() {
        Some(Frame::Roster(update)) => {
            let heard: Vec<Signed> = update
                .stamps
                .iter()
                .map(|stamp| stamp.try_into().unwrap())
                .collect();
            assert_eq!(heard, [good], "a stale stamp is not handed on");
        }
        other => panic!("no stamp but {other:?}"),
    }
    let seen = alice
        .research()
        .await
        .catalogue(CatalogueRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(seen.codebooks.len(), 1);
    assert_eq!(seen.codebooks[0].digest, net.codebook);
    let nodes: Vec<_> = seen
        .nodes
        .iter()
        .map(|n| (n.name.as_str(), n.connected))
        .collect();
    assert_eq!(nodes, [("north", true), ("south", true)]);
    let shown = net.operate(&["nodes"]);
    assert!(lines(&shown).join("\n").contains("connected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_revoked_before_the_end_has_not_answered() {
    let net = Net::start();
    let (north, south) = (
        net.party("node", "north").await,
        net.party("node", "south").await,
    );
    let alice = net.party("researcher", "alice").await;
    let (mut a, mut b) = (north.attach().await.unwrap(), south.attach().await.unwrap());
    let id = alice
        .submit(&alice.question(&[], |_| {}).await)
        .await
        .unwrap();
    let question = a.question().await;
    b.question().await;
    a.say(&a.answer(&question, 20)).await;
    a.receipt().await;
    net.propose(&["revoke", "--role", "node", "--name", "north"]);
    net.publish_signed();
    match b.hear().await.unwrap() {
        Some(Frame::Roster(_)) => {}
        other => panic!("no roster but {other:?}"),
    }
    b.say(&b.answer(&question, 35)).await;
    let result = alice.result(&id).await;
    let expected = [
        ("north", NodeStatus::Absent),
        ("south", NodeStatus::Answered),
    ];
    assert_eq!(statuses(&result), expected);
    assert_eq!(result.nodes[0].signed, None);
}
