//! The line to a coordinator that behaves, restarts, lies, or is not the coordinator at all.

mod hub;
mod slots;

use std::time::Duration;

use tokio::time::Instant;

use base64::Engine;
use quorate_identity::tls::Verdict;
use quorate_identity::{Role, Roster, Signed};
use quorate_wire::v1::hub_frame::Frame as Said;
use quorate_wire::v1::node_frame::Frame as Heard;
use quorate_wire::v1::{self, AnswerReceipt, Deliver, Ping, RosterUpdate, Witness};
use quorate_wire::{Checkpoint, Payload, RefusalPayload, Stamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::dial::{DialError, Route, Target, dial};
use super::{LinkError, connect};
use crate::policy::Proxy;
use hub::{
    Attached, Authority, Hub, Place, add, codebook_digest, custodian, node_key, now, question,
    roster_of,
};

fn deliver(question: &Signed) -> Said {
    Said::Deliver(Deliver {
        question: Some(question.into()),
        round: 0,
        deadline: 0,
    })
}

fn id_of(question: &Signed) -> String {
    quorate_wire::QuestionPayload::decode(&question.payload)
        .unwrap()
        .question_id
        .to_string()
}

async fn refusal(stream: &mut Attached) -> (RefusalPayload, Signed) {
    let Some(Heard::Refusal(signed)) = stream.next().await else {
        panic!("no refusal")
    };
    let signed: Signed = signed.try_into().unwrap();
    signed
        .verify("refusal", node_key("alpha").key_id())
        .unwrap();
    (RefusalPayload::decode(&signed.payload).unwrap(), signed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_enrols_attaches_answers_in_its_slot_and_is_acknowledged() {
    let mut hub = Hub::new();
    let place = Place::new(hub.port, "", "[limits]\nlatency_slot = '400 ms'");
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let mut stream = hub.attached().await;
    assert_eq!(
        stream.hello.certificate_sha256, stream.certificate,
        "bound to this connection"
    );
    assert_eq!(stream.hello.node, "alpha");

    let question = question(1);
    let sent = Instant::now();
    stream.say(deliver(&question)).await;
    let (payload, signed) = refusal(&mut stream).await;
    assert!(
        sent.elapsed() >= Duration::from_millis(400),
        "left before its slot"
    );
    assert_eq!(payload.question_digest, question.digest());
    assert_eq!(node.unacknowledged().unwrap().len(), 1);

    let question_id = payload.question_id.to_string();
    stream
        .say(Said::Receipt(AnswerReceipt {
            question_id,
            answer_sha256: signed.digest().to_vec(),
        }))
        .await;
    stream.say(Said::Ping(Ping { time: now() })).await;
    assert!(matches!(stream.next().await, Some(Heard::Pong(_))));
    assert!(node.unacknowledged().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_restarts_gets_the_same_bytes_again() {
    let mut hub = Hub::new();
    let place = Place::new(hub.port, "", "[limits]\nlatency_slot = '10 ms'");
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let mut stream = hub.attached().await;
    let question = question(1);
    stream.say(deliver(&question)).await;
    let (_, first) = refusal(&mut stream).await;
    let (knows, port) = (std::sync::Arc::clone(&hub.knows), hub.port);
    drop(stream);
    drop(hub);

    let mut hub = Hub::start(knows, port);
    let mut stream = hub.attached().await;
    let (_, again) = refusal(&mut stream).await;
    assert_eq!(first, again);
    stream.say(deliver(&question)).await;
    let (_, asked_again) = refusal(&mut stream).await;
    assert_eq!(first, asked_again, "a known id gets the stored bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_delivered_twice_is_answered_once_and_not_before_its_slot() {
    let mut hub = Hub::new();
    let place = Place::new(hub.port, "", "[limits]\nlatency_slot = '300 ms'");
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let mut stream = hub.attached().await;
    let question = question(1);
    let sent = Instant::now();
    for _ in 0..5 {
        stream.say(deliver(&question)).await;
    }
    refusal(&mut stream).await;
    assert!(sent.elapsed() >= Duration::from_millis(300));
    stream.say(Said::Ping(Ping { time: now() })).await;
    let next = stream.next().await;
    assert!(matches!(next, Some(Heard::Pong(_))), "one delivery speaks");
    assert_eq!(node.ledger_head().seq, 3, "begin, open, close");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_in_a_round_that_it_does_not_have_ends_the_session() {
    let mut hub = Hub::new();
    let place = Place::new(hub.port, "", "[limits]\nlatency_slot = '10 ms'");
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let stream = hub.attached().await;
    let question = question(1);
    let Said::Deliver(mut further) = deliver(&question) else {
        panic!("no delivery")
    };
    further.round = 1;
    stream.say(Said::Deliver(further)).await;
    let mut again = hub.attached().await;
    assert_eq!(node.ledger_head().seq, 1, "not heard");
    again.say(deliver(&question)).await;
    let (said, _) = refusal(&mut again).await;
    assert_eq!(said.round, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roster_continues_and_never_goes_back() {
    let mut hub = Hub::new();
    let place = Place::new(hub.port, "", "");
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let mut stream = hub.attached().await;
    let genesis = [custodian().key_id().clone()];
    let old = hub.knows.lock().unwrap().roster.clone();
    let mut longer = Roster::verify(None, &genesis, &old).unwrap();
    add(
        &mut longer,
        Role::Node,
        "beta",
        &node_key("beta"),
        now() + 1000,
    );
    let entries = longer.log().iter().map(Into::into).collect();
    stream
        .say(Said::Roster(RosterUpdate {
            entries,
            stamps: Vec::new(),
        }))
        .await;
    eventually(|| node.roster().head() == longer.head()).await;
    assert_eq!(
        place.home.roster(&place.policy).unwrap().head(),
        longer.head(),
        "on disk"
    );

    // The old one, and one with another third entry: the session ends, the roster stays.
    let mut forked = Roster::verify(None, &genesis, &old).unwrap();
    add(
        &mut forked,
        Role::Node,
        "mallory",
        &node_key("mallory"),
        now() + 1000,
    );
    hub.knows.lock().unwrap().roster = longer.log().to_vec();
    for bad in [old, forked.log().to_vec()] {
        let entries = bad.iter().map(Into::into).collect();
        stream
            .say(Said::Roster(RosterUpdate {
                entries,
                stamps: Vec::new(),
            }))
            .await;
        assert!(stream.next().await.is_none(), "the node goes away");
        assert_eq!(node.roster().head(), longer.head());
        stream = hub.attached().await;
    }
    assert!(
        place
            .home
            .accept_roster(&place.policy, forked.log())
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_nodes_stamp_shows_a_fork() {
    let mut hub = Hub::new();
    hub.knows.lock().unwrap().roster = roster_of(&["alpha", "beta"]);
    let place = Place::new(hub.port, "", "");
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let mut stream = hub.attached().await;
    let stamp = Stamp {
        network: "test".to_owned(),
        node: "beta".to_owned(),
        roster_seq: 2,
        roster_head: codebook_digest(),
        time: now(),
    };
    let stamp = quorate_wire::sign(&stamp, &node_key("beta"));
    stream
        .say(Said::Roster(RosterUpdate {
            entries: Vec::new(),
            stamps: vec![stamp.into()],
        }))
        .await;
    assert!(stream.next().await.is_none(), "the node goes away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pinned_codebooks_with_their_own_digest_are_taken() {
    let mut hub = Hub::new();
    let other = hub::CODEBOOK.replace("version = 1", "version = 2");
    let codebook = |digest: String, text: &str| v1::Codebook {
        digest,
        text: text.as_bytes().to_vec(),
    };
    let other_digest = quorate_identity::digest_text(&quorate_identity::sha256(other.as_bytes()));
    hub.knows.lock().unwrap().codebooks = vec![
        codebook(other_digest, &other),
        codebook(codebook_digest(), &other),
    ];
    let place = Place::new(hub.port, "", "");
    place.enrol(&hub).await;
    let node = place.open();
    let running = place.run(&node);
    let stream = hub.attached().await;
    stream.say(Said::Ping(Ping { time: 0 })).await;
    assert!(node.codebooks().is_empty());
    hub.knows.lock().unwrap().codebooks = vec![codebook(codebook_digest(), hub::CODEBOOK)];
    drop(running);
    let _running = place.run(&node);
    hub.attached().await;
    eventually(|| node.codebook(&codebook_digest()).is_some()).await;
    assert_eq!(
        place.home.codebooks(&place.policy).unwrap().len(),
        1,
        "on disk"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_set_back_silences_the_node() {
    let mut hub = Hub::new();
    let place = Place::new(hub.port, "", "");
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let stream = hub.attached().await;
    let witness = |name: &str| {
        let checkpoint = Checkpoint {
            network: "test".to_owned(),
            node: name.to_owned(),
            seq: 1000,
            head: codebook_digest(),
            time: now(),
            root: None,
            proof: None,
        };
        let signed = quorate_wire::sign(&checkpoint, &node_key(name));
        Said::Witness(Witness {
            checkpoint: Some(signed.into()),
        })
    };
    stream.say(witness("beta")).await;
    stream.say(witness("alpha")).await;
    eventually(|| node.behind().is_some()).await;
    assert!(node.behind().unwrap().contains("a witness saw record 1000"));
    assert!(!node.paused(), "the custodian did not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_at_two_thirds_of_its_life() {
    let mut hub = Hub::new();
    // In the middle of 6 seconds: two thirds are over in one second.
    hub.knows.lock().unwrap().life = 3;
    let place = Place::new(hub.port, "", "");
    place.enrol(&hub).await;
    let before = place.home.enrolment().unwrap();
    hub.knows.lock().unwrap().life = 3600;
    let node = place.open();
    let _running = place.run(&node);
    let first = hub.attached().await;
    let second = hub.attached().await;
    let after = place.home.enrolment().unwrap();
    assert_ne!(first.certificate, second.certificate);
    assert_ne!(before.key, after.key, "a fresh key");
    let shown = quorate_identity::tls::fingerprint(&after.certificate).unwrap();
    assert_eq!(second.hello.certificate_sha256, shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_questions_at_once_are_turned_away() {
    let mut hub = Hub::new();
    let place = Place::new(
        hub.port,
        "",
        "[limits]\nconcurrent = 1\nlatency_slot = '10 ms'",
    );
    place.enrol(&hub).await;
    let node = place.open();
    let link = place.link(&node);
    let turn = std::sync::Arc::clone(&link.work.turns)
        .acquire_owned()
        .await
        .unwrap();
    let _running = place.run_link(link);
    let mut stream = hub.attached().await;
    let mut codes = std::collections::BTreeMap::new();
    let first = question(0);
    stream.say(deliver(&first)).await;
    for number in 1..20 {
        stream.say(deliver(&question(number))).await;
    }
    for _ in 0..4 {
        *codes.entry(refusal(&mut stream).await.0.code).or_insert(0) += 1;
    }
    stream
        .say(Said::Cancel(v1::Cancel {
            question_id: id_of(&first),
        }))
        .await;
    stream.say(Said::Ping(Ping { time: now() })).await;
    assert!(matches!(stream.next().await, Some(Heard::Pong(_))));
    drop(turn);
    for _ in 0..15 {
        *codes.entry(refusal(&mut stream).await.0.code).or_insert(0) += 1;
    }
    let expected = [("C601".to_owned(), 15), ("L702".to_owned(), 4)];
    assert_eq!(
        codes,
        expected.into(),
        "sixteen wait, one of them is cancelled"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_another_authority_is_refused_on_the_wire() {
    let hub = Hub::new();
    let place = Place::new(hub.port, "", "");
    let mut token = hub.token();
    token.ca_sha256 = codebook_digest();
    let key = place.home.node_key().unwrap();
    let error = super::enrolment::enrol(&place.policy, &key, &token)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error, LinkError::Dial(DialError::Tls { .. })),
        "{error}"
    );
}

/// A CONNECT proxy that asks for `alice:secret`, for one connection after the other.
async fn connect_proxy() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = socket.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let basic = base64::engine::general_purpose::STANDARD.encode("alice:secret");
                if !head.to_lowercase().contains(&format!(
                    "proxy-authorization: basic {}",
                    basic.to_lowercase()
                )) {
                    let _ = client
                        .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                        .await;
                    return;
                }
                let target = head.split(' ').nth(1).unwrap().to_owned();
                let Ok(mut server) = TcpStream::connect(target).await else {
                    let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
                    return;
                };
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_proxy_with_a_password_works_and_says_when_it_does_not() {
    let proxy = connect_proxy().await;
    let mut hub = Hub::new();
    let place = Place::new(
        hub.port,
        &format!("proxy = 'http://alice:secret@127.0.0.1:{proxy}'"),
        "",
    );
    place.enrol(&hub).await;
    let node = place.open();
    let _running = place.run(&node);
    let stream = hub.attached().await;
    assert_eq!(stream.hello.node, "alpha");

    let target = Target::parse(&place.policy.node.coordinator).unwrap();
    let route = Route::choose(&Proxy::Url(format!("http://127.0.0.1:{proxy}")), &target);
    let error = dial(&route, &target).await.unwrap_err();
    assert!(matches!(error, DialError::ProxyPassword { .. }), "{error}");
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = Target::parse(&format!("https://{free}")).unwrap();
    let route = Route::choose(&place.policy.node.proxy, &nobody);
    let error = dial(&route, &nobody).await.unwrap_err();
    assert!(matches!(error, DialError::Proxy { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_opens_tls_is_recognised() {
    let hub = Hub::new();
    let place = Place::new(hub.port, "", "");
    place.enrol(&hub).await;
    let ours =
        crate::cli::probe::look(&place.policy, &place.home.enrolment().unwrap().ca, now()).await;
    assert!(matches!(
        ours,
        Ok(crate::cli::probe::Seen::Shown(Verdict::Ours, _))
    ));

    let inspector = Authority::new("St. Elsewhere Web Gateway");
    let (chain, key) = inspector.server();
    let tls = quorate_identity::tls::server_config(&chain, &key, &inspector.pem).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls));
        while let Ok((tcp, _)) = socket.accept().await {
            let _ = acceptor.accept(tcp).await;
        }
    });
    let mut policy = place.policy.clone();
    policy.node.coordinator = format!("https://127.0.0.1:{port}");
    let enrolment = place.home.enrolment().unwrap();
    let error = connect(&policy, &enrolment).await.err().unwrap();
    assert!(
        matches!(error, LinkError::Dial(DialError::Tls { .. })),
        "{error}"
    );
    let seen = crate::cli::probe::look(&policy, &enrolment.ca, now())
        .await
        .unwrap();
    let crate::cli::probe::Seen::Shown(Verdict::Foreign { issuer }, _) = seen else {
        panic!("not recognised")
    };
    assert!(issuer.contains("St. Elsewhere Web Gateway"), "{issuer}");
    let letter = crate::cli::probe::letter(&policy.node.coordinator, &issuer, "sha256:00");
    assert!(letter.contains("exempt the destination") && letter.contains("St. Elsewhere"));
}

#[test]
fn pauses_double_with_jitter_up_to_a_limit() {
    let mut random = fastrand::Rng::with_seed(1);
    assert_eq!(super::pause(0, &mut random), Duration::ZERO);
    for failures in 1..40 {
        let pause = super::pause(failures, &mut random);
        assert!(
            pause >= Duration::from_millis(100) && pause <= super::LONGEST,
            "{pause:?}"
        );
    }
    let pauses: std::collections::BTreeSet<_> =
        (0..20).map(|_| super::pause(9, &mut random)).collect();
    assert!(pauses.len() > 10, "no jitter");
}

async fn eventually(true_at_last: impl Fn() -> bool) {
    for _ in 0..400 {
        if true_at_last() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never came true");
}
