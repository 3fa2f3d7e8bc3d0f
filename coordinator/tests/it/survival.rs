//! What survives: SIGKILL, restart, a full disk, and how a coordinator ends in order.

use std::process::Command;

use quorate_wire::QuestionStatus;

use crate::net::{BINARY, Net, exists, lines};
use crate::party::code;

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_question_survives_kill_and_no_node_releases_twice() {
    let mut net = Net::start();
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
    let answer = a.answer(&question, 20);
    a.say(&answer).await;
    a.receipt().await;
    let url = net.url.clone();
    net.kill();
    net.up();
    assert_eq!(net.url, url, "it comes back where nodes look for it");
    assert_eq!(alice.status(&id).await, "running");
    let mut again = south.attach().await.unwrap();
    assert_eq!(
        again.question().await,
        question,
        "the same signed original is delivered again"
    );
    // North's answer is on disk: it is not asked again, and its stored bytes are received again.
    let mut north_again = north.attach().await.unwrap();
    north_again.say(&answer).await;
    assert_eq!(north_again.receipt().await, answer.digest());
    again.say(&again.answer(&question, 35)).await;
    let result = alice.result(&id).await;
    assert_eq!(result.status, QuestionStatus::Answered);
    assert_eq!(result.nodes[0].signed, Some(answer));
    assert!(result.nodes[1].signed.is_some());
    net.kill();
    net.up();
    assert_eq!(
        alice.result(&id).await,
        result,
        "a finished result does not change"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_in_time_is_asked_then() {
    let net = Net::start();
    let north = net.party("node", "north").await;
    let alice = net.party("researcher", "alice").await;
    let id = alice
        .submit(&alice.question(&[], |_| {}).await)
        .await
        .unwrap();
    let mut a = north.attach().await.unwrap();
    let question = a.question().await;
    drop(a);
    let mut a = north.attach().await.unwrap();
    assert_eq!(a.question().await, question);
    a.say(&a.answer(&question, 20)).await;
    assert_eq!(alice.result(&id).await.status, QuestionStatus::Answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_acknowledges_nothing_it_does_not_keep() {
    let mut net = Net::start();
    net.party("node", "north").await;
    let alice = net.party("researcher", "alice").await;
    net.kill();
    // The disk may also fill up while results are kept: then questions stay open, and a small
    // limit of open ones would hide the full disk for ever.
    let file = net.path("coordinator.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("concurrent = 3", "concurrent = 1000")).unwrap();
    // No file may grow beyond 1024 blocks of 512 bytes: a disk that fills up while it runs.
    let mut run = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" run --dir \"$1\"";
    run.args(["-c", script, BINARY]).arg(net.dir.path());
    net.up_with(run);
    let mut kept = Vec::new();
    let refused = loop {
        let question = alice.question(&[], |q| q.purpose = "x".repeat(4096)).await;
        match alice.submit(&question).await {
            Ok(id) => kept.push(id),
            Err(status) => break status,
        }
        assert!(kept.len() < 500, "the disk never fills");
    };
    assert_eq!(code(&refused), "E900");
    assert!(!refused.message().contains("disk"), "{}", refused.message());
    net.kill();
    net.up();
    let listed = alice
        .research()
        .await
        .list(quorate_wire::v1::ListRequest { limit: 200 })
        .await;
    let mut found: Vec<_> = listed
        .unwrap()
        .into_inner()
        .questions
        .into_iter()
        .map(|q| q.question_id)
        .collect();
    found.sort();
    kept.sort();
    assert_eq!(found, kept, "what was acknowledged, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_in_order_even_with_open_streams() {
    let mut net = Net::start();
    let north = net.party("node", "north").await;
    let mut stream = north.attach().await.unwrap();
    assert_eq!(net.stop(), Some(0));
    assert!(!matches!(stream.hear().await, Ok(Some(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_coordinators_do_not_share_a_state() {
    let net = Net::start();
    let said = net.refused(&["run"]);
    assert!(said.contains("another coordinator runs"), "{said}");
    assert!(
        net.refused(&["init", "--network", "heart", "--url", "https://x:1"])
            .contains("exists")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_whole_coordinator_and_doctor_finds_it_sound() {
    let net = Net::start();
    net.party("node", "north").await;
    let copy = tempfile::tempdir().unwrap();
    let state = copy.path().join("state.db");
    net.operate(&["backup", &state.display().to_string()]);
    assert!(
        net.refused(&["backup", &state.display().to_string()])
            .contains("never overwrites")
    );
    for file in ["coordinator.toml", "ca.pem", "ca.key", "identity.key"] {
        assert!(exists(&net.path(file)));
        std::fs::copy(net.path(file), copy.path().join(file)).unwrap();
    }
    let doctor = |dir: &std::path::Path| {
        Command::new(BINARY)
            .args(["doctor", "--dir"])
            .arg(dir)
            .output()
            .unwrap()
    };
    let found = doctor(copy.path());
    assert!(found.status.success(), "{:?}", lines(&found));
    std::fs::remove_file(copy.path().join("ca.key")).unwrap();
    let found = doctor(copy.path());
    assert_eq!(found.status.code(), Some(1));
    assert!(
        lines(&found)
            .iter()
            .any(|line| line.starts_with("WRONG authority"))
    );
}

#[test]
fn usage_errors_end_with_64() {
    let run = |args: &[&str]| {
        Command::new(BINARY)
            .args(args)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(run(&["--nonsense"]), Some(64));
    assert_eq!(
        run(&["enrol-token", "--role", "custodian", "--name", "x"]),
        Some(64)
    );
    assert_eq!(run(&["--help"]), Some(0));
    assert_eq!(run(&["nodes", "--dir", "/nonexistent"]), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_old_backup_unknown_certificates_open_nothing() {
    let mut net = Net::start();
    let old = net.text("old.db");
    net.operate(&["backup", &old]);
    let north = net.party("node", "north").await;
    drop(north.attach().await.unwrap());
    net.kill();
    for file in ["state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(net.path(file));
    }
    std::fs::rename(&old, net.path("state.db")).unwrap();
    net.up();
    assert_eq!(code(&north.attach().await.err().unwrap()), "A411");
}
