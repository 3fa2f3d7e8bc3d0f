//! Questions under way. They outlive a connection: an answer that finds no stream waits in the
//! outbox for the next one.
//!
//! An answer leaves at its arrival plus a multiple of the policy's slot, so that its time says
//! nothing about the data; that includes the time it waited for its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_identity::Signed;
use quorate_identity::envelope::kind;
use quorate_query::problem::Code;
use quorate_wire::v1::node_frame::Frame;
use quorate_wire::v1::{Accepted, NodeFrame, Progress};
use quorate_wire::{AnswerPayload, NodeStatus, Payload, QuestionPayload, RefusalPayload};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::Clock;
use crate::airlock::{Seen, due};
use crate::answer::{Delivery, Reply, answer, resume};
use crate::halt::{self, holds_back};
use crate::node::{Node, leaves_after};
use crate::sign;

/// Questions that may wait for their turn, for each that may run.
const WAITING: usize = 16;

/// How often the airlock is looked at.
const ATTEND: Duration = Duration::from_secs(1);

/// Waits for so long. Tests put another one in its place.
pub(super) type Pause = Arc<dyn Fn(Duration) -> Waiting + Send + Sync>;
pub(super) type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where frames of the present stream go.
pub(super) type Out = mpsc::Sender<NodeFrame>;

/// Questions under way.
pub(super) struct Work {
    node: Arc<Node>,
    clock: Clock,
    pause: Pause,
    pub(super) turns: Arc<Semaphore>,
    state: Mutex<State>,
    connected: AtomicBool,
}

#[derive(Default)]
struct State {
    out: Option<Out>,
    /// Questions that have not begun; only these can be cancelled without a trace.
    waiting: BTreeMap<String, AbortHandle>,
    /// Questions whose answer is signed but whose slot is not over.
    held: BTreeSet<String>,
    /// Questions whose answer was held back because somebody stopped it.
    stopped: BTreeSet<String>,
}

impl Work {
    pub(super) fn new(node: Arc<Node>, clock: Clock) -> Arc<Self> {
        let pause = Arc::new(|time| Box::pin(tokio::time::sleep(time)) as Waiting);
        Self::with_pause(node, clock, pause)
    }

    /// With another way to wait for the end of a slot.
    pub(super) fn with_pause(node: Arc<Node>, clock: Clock, pause: Pause) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(node.policy.limits.concurrent));
        Arc::new(Self {
            node,
            clock,
            pause,
            turns,
            state: Mutex::default(),
            connected: AtomicBool::new(false),
        })
    }

    /// From now on frames go to this stream; everything unacknowledged goes first. That happens
    /// beside the session, which must go on listening: the coordinator acknowledges meanwhile.
    pub(super) fn connect(self: &Arc<Self>, out: Out) {
        self.connected.store(true, Ordering::Relaxed);
        self.state().out = Some(out);
        self.send_again();
    }

    /// No stream any more.
    pub(super) fn disconnect(&self) {
        self.state().out = None;
    }

    /// Whether there was a session since the last time this was asked.
    pub(super) fn was_connected(&self) -> bool {
        self.connected.swap(false, Ordering::Relaxed)
    }

    /// Sends what the coordinator has not acknowledged, but nothing before its slot.
    pub(super) fn send_again(self: &Arc<Self>) {
        let unacknowledged = match self.node.unacknowledged() {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be read");
                return;
            }
        };
        let work = Arc::clone(self);
        tokio::spawn(async move {
            for signed in unacknowledged {
                let id = question_of(&signed);
                let held = id.is_some_and(|id| work.state().held.contains(&id));
                if !held {
                    work.say(signed).await;
                }
            }
        });
    }

    /// Takes a question. It is answered in its own task. One that is waiting, running or held back
    /// until its slot is over is not taken twice: the first delivery speaks, when its slot says so.
    pub(super) fn deliver(self: &Arc<Self>, question: Signed, round: u32, peer: &str) {
        let arrived = (self.node.stopwatch)();
        let delivery = Delivery {
            question,
            round,
            peer: peer.to_owned(),
        };
        let Ok(payload) = QuestionPayload::decode(&delivery.question.payload) else {
            return;
        };
        let id = payload.question_id.to_string();
        let mut state = self.state();
        if state.waiting.contains_key(&id) || state.held.contains(&id) {
            return;
        }
        if state.waiting.len() >= WAITING * self.node.policy.limits.concurrent {
            drop(state);
            self.turn_away(&delivery);
            return;
        }
        let work = Arc::clone(self);
        let question = id.clone();
        let task = tokio::spawn(async move { work.take_turn(question, delivery, arrived).await });
        state.waiting.insert(id, task.abort_handle());
    }

    /// Forgets a question that has not begun. One that runs ends by itself: its release is recorded.
    pub(super) fn cancel(&self, id: &str) {
        if let Some(task) = self.state().waiting.remove(id) {
            task.abort();
        }
    }

    async fn take_turn(self: Arc<Self>, id: String, delivery: Delivery, arrived: Duration) {
        // At arrival, not when the turn comes: that would tell when the question before it ended.
        self.send(Frame::Accepted(Accepted {
            question_id: id.clone(),
        }))
        .await;
        self.send(Frame::Progress(Progress {
            question_id: id.clone(),
            stage: "running".to_owned(),
        }))
        .await;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        {
            let mut state = self.state();
            state.waiting.remove(&id);
            state.held.insert(id.clone());
        }
        let reply = answer(&self.node, delivery, (self.clock)()).await;
        drop(turn);
        let took = (self.node.stopwatch)().saturating_sub(arrived);
        let leaves = leaves_after(took, self.node.policy.limits.latency_slot);
        (self.pause)(leaves.saturating_sub(took)).await;
        self.state().held.remove(&id);
        self.reply(id, reply).await;
    }

    /// Sends what a question came to, and where the ledger stands after it.
    async fn reply(&self, id: String, reply: Reply) {
        match reply {
            Reply::Say(signed) => {
                self.say(signed).await;
                if self.node.behind().is_none() {
                    let checkpoint = self.node.checkpoint((self.clock)());
                    self.send(Frame::Checkpoint(checkpoint.into())).await;
                }
            }
            Reply::Waits => {
                self.send(Frame::Progress(Progress {
                    question_id: id,
                    stage: NodeStatus::Waiting.as_str().to_owned(),
                }))
                .await;
            }
            Reply::Nothing => {}
        }
    }

    /// Looks after what waits in the airlock, whether or not there is a stream: an answer that
    /// finds none waits in the outbox.
    pub(super) async fn attend(&self) {
        let mut seen = Seen::default();
        loop {
            if let Err(error) = self.node.take_notes((self.clock)()) {
                tracing::error!(%error, "the ledger cannot be written");
            }
            match due(&self.node, &mut seen, (self.clock)()) {
                Ok(waiting) => {
                    for held in waiting {
                        let _turn = Arc::clone(&self.turns).acquire_owned().await;
                        let reply = resume(&self.node, &held, (self.clock)()).await;
                        if !matches!(reply, Reply::Waits) {
                            self.reply(held.question, reply).await;
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "the airlock cannot be read"),
            }
            (self.pause)(ATTEND).await;
        }
    }

    /// Too many at once. Depends on load only, so that it leaves at once and unrecorded.
    fn turn_away(self: &Arc<Self>, delivery: &Delivery) {
        if let Some(signed) = sign::turn_away(&self.node, delivery, Code("L702")) {
            let work = Arc::clone(self);
            tokio::spawn(async move { work.say(signed).await });
        }
    }

    /// Sends an answer or refusal. One that somebody stopped stays in the outbox, for the next time.
    async fn say(&self, signed: Signed) {
        let now = (self.clock)();
        if holds_back(&self.node, &signed, now) {
            self.note_held_back(&signed, now);
            return;
        }
        let frame = if signed.kind == kind::ANSWER {
            Frame::Answer(signed.into())
        } else {
            Frame::Refusal(signed.into())
        };
        self.send(frame).await;
    }

    /// Tells custodian and ledger, once, that an answer is held back.
    fn note_held_back(&self, signed: &Signed, now: i64) {
        let question = question_of(signed).unwrap_or_default();
        if !self.state().stopped.insert(question.clone()) {
            return;
        }
        tracing::warn!(question, "an answer is held back: somebody stopped it");
        if let Err(error) = halt::note_held_back(&self.node, question, now) {
            tracing::error!(%error, "the ledger cannot be written");
        }
    }

    /// Sends a frame if there is a stream; otherwise the outbox keeps what matters.
    pub(super) async fn send(&self, frame: Frame) {
        let out = self.state().out.clone();
        if let Some(out) = out {
            let _ = out.send(NodeFrame { frame: Some(frame) }).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The question that an answer or refusal is about.
fn question_of(signed: &Signed) -> Option<String> {
    if signed.kind == kind::ANSWER {
        return Some(
            AnswerPayload::decode(&signed.payload)
                .ok()?
                .question_id
                .to_string(),
        );
    }
    Some(
        RefusalPayload::decode(&signed.payload)
            .ok()?
            .question_id
            .to_string(),
    )
}
