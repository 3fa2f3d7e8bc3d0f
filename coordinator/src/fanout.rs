//! Who is connected, what was delivered to whom, and how long each node is waited for. It moves
//! signed originals and never looks into them; whether an answer is good is for `admit` to say.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_wire::v1::hub_frame::Frame;
use quorate_wire::v1::{Cancel, Deliver};
use quorate_wire::{NodeStatus, QuestionStatus};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::journal::{Outcome, Settled};

/// How a question stands at one node, as far as this process has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not connected, since this moment or since the question came.
    Away(Instant),
    /// Delivered; the node has said this much.
    Told(NodeStatus),
    /// Answered or refused (with a code), on disk.
    Settled(Settled, Option<String>),
}

impl Place {
    /// The word that a researcher sees; none for a node that was not reached yet.
    pub(crate) fn status(&self) -> Option<NodeStatus> {
        match self {
            Self::Away(_) => None,
            Self::Told(status) => Some(*status),
            Self::Settled(settled, _) => Some(settled.status()),
        }
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Settled(_, code) => code.as_deref(),
            Self::Away(_) | Self::Told(_) => None,
        }
    }
}

/// How one question stands everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Board {
    /// By node.
    pub(crate) nodes: BTreeMap<String, Place>,
    /// How it ended, once it has.
    pub(crate) finished: Option<QuestionStatus>,
}

impl Board {
    /// When to stop waiting: the latest deadline of a node that is not settled, none if all are.
    /// A node that is away has a shorter one, so that a dead node does not hold up the others; one
    /// where a person has to decide has as long as the question is valid.
    fn patience(&self, times: Patience) -> Option<Instant> {
        let Patience {
            deadline,
            expires,
            absent_after,
        } = times;
        if self.finished.is_some() {
            return None;
        }
        let one = |place: &Place| match place {
            Place::Away(since) => Some((*since + absent_after).min(deadline)),
            Place::Told(NodeStatus::Waiting) => Some(expires.max(deadline)),
            Place::Told(_) => Some(deadline),
            Place::Settled(..) => None,
        };
        self.nodes.values().filter_map(one).max()
    }

    /// How the nodes that are not settled are to be settled now.
    fn unsettled(&self) -> Vec<(String, Settled)> {
        let one = |(node, place): (&String, &Place)| match place {
            Place::Away(_) => Some((node.clone(), Settled::Absent)),
            Place::Told(_) => Some((node.clone(), Settled::Late)),
            Place::Settled(..) => None,
        };
        self.nodes.iter().filter_map(one).collect()
    }
}

/// How long nodes are waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Until when one that computes.
    pub(crate) deadline: Instant,
    /// Until when one where a person has to decide.
    pub(crate) expires: Instant,
    /// How long one that is not connected.
    pub(crate) absent_after: Duration,
}

struct Link {
    number: u64,
    frames: mpsc::Sender<Frame>,
}

struct Round {
    deliver: Deliver,
    board: watch::Sender<Board>,
}

#[derive(Default)]
struct Inner {
    links: BTreeMap<String, Link>,
    rounds: BTreeMap<String, Round>,
    numbers: u64,
}

/// The connected nodes and the questions under way.
#[derive(Default)]
pub(crate) struct Fanout {
    inner: Mutex<Inner>,
}

impl Fanout {
    /// Takes a node's stream in, in place of an older one, and delivers what waits for it.
    /// Returns the number that [`Fanout::detach`] wants back.
    pub(crate) fn attach(&self, node: &str, frames: mpsc::Sender<Frame>) -> u64 {
        let mut inner = self.lock();
        inner.numbers += 1;
        let number = inner.numbers;
        for round in inner.rounds.values() {
            round.deliver_to(node, &frames);
        }
        inner.links.insert(node.to_owned(), Link { number, frames });
        number
    }

    /// Forgets a stream that has ended, unless a newer one has taken its place.
    pub(crate) fn detach(&self, node: &str, number: u64) -> bool {
        let mut inner = self.lock();
        if inner
            .links
            .get(node)
            .is_none_or(|link| link.number != number)
        {
            return false;
        }
        inner.links.remove(node);
        for round in inner.rounds.values() {
            round.set(node, Place::Away(Instant::now()));
        }
        true
    }

    /// The connected nodes, by name.
    pub(crate) fn connected(&self) -> Vec<String> {
        self.lock().links.keys().cloned().collect()
    }

    /// Starts a round: delivers the signed original to every node that is not settled.
    pub(crate) fn start(&self, deliver: Deliver, id: &str, outcomes: &[Outcome]) {
        let mut inner = self.lock();
        let place = |outcome: &Outcome| match outcome.settled {
            Some(settled) => Place::Settled(settled, outcome.code.clone()),
            None => Place::Away(Instant::now()),
        };
        let nodes = outcomes
            .iter()
            .map(|o| (o.node.clone(), place(o)))
            .collect();
        let (board, _) = watch::channel(Board {
            nodes,
            finished: None,
        });
        let round = Round { deliver, board };
        for (node, link) in &inner.links {
            round.deliver_to(node, &link.frames);
        }
        inner.rounds.insert(id.to_owned(), round);
    }

    /// Waits until every node of a round is settled or out of time, and says how those are to be
    /// settled that are not. Returns at once for a round that is not under way.
    pub(crate) async fn gather(&self, id: &str, times: Patience) -> Vec<(String, Settled)> {
        let Some(mut board) = self.watch(id) else {
            return Vec::new();
        };
        loop {
            let patience = board.borrow_and_update().patience(times);
            let Some(until) = patience.filter(|until| *until > Instant::now()) else {
                break;
            };
            tokio::select! {
                changed = board.changed() => if changed.is_err() { break },
                () = sleep_until(until) => {}
            }
        }
        board.borrow().unsettled()
    }

    /// A node says what it is doing.
    pub(crate) fn progress(&self, id: &str, node: &str, status: NodeStatus) {
        if let Some(round) = self.lock().rounds.get(id) {
            round.set(node, Place::Told(status));
        }
    }

    /// A node's answer or refusal is on disk.
    pub(crate) fn settle(&self, id: &str, node: &str, settled: Settled, code: Option<String>) {
        if let Some(round) = self.lock().rounds.get(id) {
            round.set(node, Place::Settled(settled, code));
        }
    }

    /// Ends a round: whoever watches it is told how it ended.
    pub(crate) fn finish(&self, id: &str, status: QuestionStatus, outcomes: &[Outcome]) {
        if let Some(round) = self.lock().rounds.remove(id) {
            round.board.send_modify(|board| {
                for outcome in outcomes {
                    if let Some(settled) = outcome.settled {
                        let place = Place::Settled(settled, outcome.code.clone());
                        board.nodes.insert(outcome.node.clone(), place);
                    }
                }
                board.finished = Some(status);
            });
        }
    }

    /// Takes a question back from every node that has it.
    pub(crate) fn cancel(&self, id: &str) {
        let mut inner = self.lock();
        if let Some(round) = inner.rounds.remove(id) {
            for node in round.board.borrow().nodes.keys() {
                if let Some(link) = inner.links.get(node) {
                    let question_id = id.to_owned();
                    let _ = link.frames.try_send(Frame::Cancel(Cancel { question_id }));
                }
            }
            round
                .board
                .send_modify(|board| board.finished = Some(QuestionStatus::Cancelled));
        }
    }

    /// A view of a round under way.
    pub(crate) fn watch(&self, id: &str) -> Option<watch::Receiver<Board>> {
        self.lock()
            .rounds
            .get(id)
            .map(|round| round.board.subscribe())
    }

    /// Sends a frame to every connected node but one.
    pub(crate) fn tell_others(&self, but: &str, frame: &Frame) {
        for (node, link) in &self.lock().links {
            if node != but {
                let _ = link.frames.try_send(frame.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    /// Delivers to a node that is not settled. A node whose queue is full stays away: its stream
    /// is stuck and will end.
    fn deliver_to(&self, node: &str, frames: &mpsc::Sender<Frame>) {
        let waits = match self.board.borrow().nodes.get(node) {
            Some(Place::Away(_) | Place::Told(_)) => true,
            Some(Place::Settled(..)) | None => false,
        };
        if waits
            && frames
                .try_send(Frame::Deliver(self.deliver.clone()))
                .is_ok()
        {
            self.set(node, Place::Told(NodeStatus::Sent));
        }
    }

    /// Notes where a node stands; what is settled stays so, and so does what waits for a person
    /// there, whether or not the node is connected.
    fn set(&self, node: &str, place: Place) {
        self.board
            .send_if_modified(|board| match board.nodes.get_mut(node) {
                Some(Place::Told(NodeStatus::Waiting)) if !matches!(place, Place::Settled(..)) => {
                    false
                }
                Some(known) if !matches!(known, Place::Settled(..)) => {
                    let changed = *known != place;
                    *known = place;
                    changed
                }
                Some(_) | None => false,
            });
    }
}

#[cfg(test)]
mod tests {
    use super::{Fanout, Patience};
    use crate::journal::{Outcome, Settled};
    use quorate_wire::v1::Deliver;
    use quorate_wire::v1::hub_frame::Frame;
    use quorate_wire::{NodeStatus, QuestionStatus};
    use std::time::Duration;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    fn outcomes(nodes: &[&str]) -> Vec<Outcome> {
        let one = |node: &&str| Outcome {
            node: (*node).to_owned(),
            settled: None,
            code: None,
            signed: None,
        };
        nodes.iter().map(one).collect()
    }

    const ABSENT: Duration = Duration::from_millis(100);

    fn soon() -> Patience {
        let deadline = Instant::now() + Duration::from_millis(300);
        Patience {
            deadline,
            expires: deadline,
            absent_after: ABSENT,
        }
    }

    #[tokio::test]
    async fn a_dead_node_is_absent_and_a_slow_one_late() {
        let fanout = Fanout::default();
        let (frames, mut slow) = mpsc::channel(4);
        fanout.attach("slow", frames);
        fanout.start(Deliver::default(), "q", &outcomes(&["dead", "slow"]));
        assert!(matches!(slow.recv().await, Some(Frame::Deliver(_))));
        let begun = Instant::now();
        let unsettled = fanout.gather("q", soon()).await;
        assert!(begun.elapsed() >= Duration::from_millis(290));
        let expected = [
            ("dead".to_owned(), Settled::Absent),
            ("slow".to_owned(), Settled::Late),
        ];
        assert_eq!(unsettled, expected);
    }

    #[tokio::test]
    async fn a_dead_node_does_not_hold_up_the_others() {
        let fanout = Fanout::default();
        fanout.start(Deliver::default(), "q", &outcomes(&["dead", "quick"]));
        fanout.settle("q", "quick", Settled::Answered, None);
        let begun = Instant::now();
        let unsettled = fanout.gather("q", soon()).await;
        let waited = begun.elapsed();
        assert!(
            waited >= ABSENT && waited < Duration::from_millis(290),
            "{waited:?}"
        );
        assert_eq!(unsettled, [("dead".to_owned(), Settled::Absent)]);
    }

    #[tokio::test]
    async fn a_node_where_a_person_decides_has_until_the_question_ends() {
        let fanout = Fanout::default();
        let (frames, _queue) = mpsc::channel(4);
        let number = fanout.attach("north", frames);
        fanout.start(Deliver::default(), "q", &outcomes(&["north"]));
        fanout.progress("q", "north", NodeStatus::Waiting);
        assert!(fanout.detach("north", number), "it goes, and comes back");
        let (frames, _queue) = mpsc::channel(4);
        fanout.attach("north", frames);
        fanout.progress("q", "north", NodeStatus::Running);
        let board = fanout.watch("q").unwrap().borrow().clone();
        assert_eq!(board.nodes["north"].status(), Some(NodeStatus::Waiting));
        let begun = Instant::now();
        let mut times = soon();
        times.expires = begun + Duration::from_millis(700);
        let unsettled = fanout.gather("q", times).await;
        assert!(begun.elapsed() >= Duration::from_millis(690));
        assert_eq!(unsettled, [("north".to_owned(), Settled::Late)]);
    }

    #[tokio::test]
    async fn a_node_that_comes_back_is_delivered_to_again() {
        let fanout = Fanout::default();
        let (frames, _first) = mpsc::channel(4);
        let number = fanout.attach("north", frames);
        fanout.start(Deliver::default(), "q", &outcomes(&["north"]));
        assert!(fanout.detach("north", number));
        let (frames, mut second) = mpsc::channel(4);
        let newer = fanout.attach("north", frames);
        assert!(matches!(second.recv().await, Some(Frame::Deliver(_))));
        assert!(!fanout.detach("north", number));
        assert!(newer > number);
        fanout.settle("q", "north", Settled::Refused, Some("G501".to_owned()));
        fanout.progress("q", "north", NodeStatus::Running);
        let board = fanout.watch("q").unwrap().borrow().clone();
        assert_eq!(board.nodes["north"].code(), Some("G501"));
        assert!(fanout.gather("q", soon()).await.is_empty());
    }

    #[tokio::test]
    async fn cancelling_tells_nodes_and_watchers() {
        let fanout = Fanout::default();
        let (frames, mut node) = mpsc::channel(4);
        fanout.attach("north", frames);
        fanout.start(Deliver::default(), "q", &outcomes(&["north"]));
        let watcher = fanout.watch("q").unwrap();
        fanout.cancel("q");
        assert!(matches!(node.recv().await, Some(Frame::Deliver(_))));
        assert!(matches!(node.recv().await, Some(Frame::Cancel(_))));
        assert_eq!(watcher.borrow().finished, Some(QuestionStatus::Cancelled));
    }
}
