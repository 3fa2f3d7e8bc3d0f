//! When answers leave: at their arrival plus the slot, whatever the data made of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_wire::v1::NodeFrame;
use quorate_wire::v1::node_frame::Frame;
use tokio::sync::{Notify, mpsc};

use super::super::work::{Waiting, Work};
use crate::node::Node;
use crate::testing::{BOOK, NOW, PEER, alice, people};

const SLOT: Duration = Duration::from_secs(2);

async fn heard(frames: &mut mpsc::Receiver<NodeFrame>) -> Frame {
    let waited = tokio::time::timeout(Duration::from_secs(60), frames.recv()).await;
    waited.unwrap().unwrap().frame.unwrap()
}

/// Shown, too small, too near an earlier answer, refused by a cap: each takes another time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_withheld_and_refused_leave_alike() {
    let mut house = people(BOOK, "cells_per_principal = 5");
    house.policy = house
        .policy
        .replace("time = \"30 s\"", "time = \"30 s\"\nlatency_slot = \"2 s\"");
    let (time, step) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
    let mut opening = house.opening();
    let (now, each) = (Arc::clone(&time), Arc::clone(&step));
    // every look at the watch takes a while
    opening.stopwatch = Arc::new(move || {
        let took = each.load(Ordering::SeqCst);
        Duration::from_millis(now.fetch_add(took, Ordering::SeqCst) + took)
    });
    let node = Arc::new(tokio::task::block_in_place(|| Node::open(opening).unwrap()));
    assert_eq!(node.policy.limits.latency_slot, SLOT);
    let (over, mut pauses) = (
        Arc::new(Notify::new()),
        mpsc::unbounded_channel::<Duration>(),
    );
    let (now, ends, tell) = (Arc::clone(&time), Arc::clone(&over), pauses.0.clone());
    let pause = Arc::new(move |wait: Duration| {
        let ends = Arc::clone(&ends);
        let until = Duration::from_millis(now.load(Ordering::SeqCst)) + wait;
        tell.send(until).unwrap();
        Box::pin(async move { ends.notified().await }) as Waiting
    });
    let work = Work::with_pause(node, Arc::new(|| NOW), pause);
    let (out, mut frames) = mpsc::channel(64);
    work.connect(out);

    let questions = [
        ("SELECT count(*) AS n FROM person", true),
        ("SELECT count(*) AS n FROM person WHERE town = 'c'", true),
        ("SELECT count(*) AS n FROM person WHERE town <> 'c'", true),
        (
            "SELECT sex, count(*) AS n FROM person WHERE town = 'a' GROUP BY sex",
            true,
        ),
        (
            "SELECT sex, count(*) AS n FROM person WHERE town = 'b' GROUP BY sex",
            false,
        ),
        ("SELECT nothing FROM person", false),
    ];
    for (took, (sql, is_answered)) in [1, 5, 9, 3, 7, 11].into_iter().zip(questions) {
        step.store(took, Ordering::SeqCst);
        let arrived = Duration::from_millis(time.load(Ordering::SeqCst) + took);
        let delivery = house.deliver(&house.question(sql), &alice());
        work.deliver(delivery.question, 0, PEER);
        assert!(matches!(heard(&mut frames).await, Frame::Accepted(_)));
        assert!(matches!(heard(&mut frames).await, Frame::Progress(_)));
        let leaves = tokio::time::timeout(Duration::from_secs(60), pauses.1.recv()).await;
        assert_eq!(leaves.unwrap().unwrap() - arrived, SLOT, "{sql}");
        assert!(frames.try_recv().is_err(), "nothing before its slot: {sql}");
        over.notify_one();
        let said = heard(&mut frames).await;
        assert_eq!(matches!(said, Frame::Answer(_)), is_answered, "{sql}");
        assert!(matches!(heard(&mut frames).await, Frame::Checkpoint(_)));
    }
}
