//! One node's open stream: welcome it, deliver to it, take in what it says. The session ends when
//! the stream does, when a newer stream of the same node comes, when the certificate ends, or when
//! certificate or place in the roster is revoked.

use std::sync::Arc;
use std::time::Duration;

use quorate_identity::tls::PeerIdentity;
use quorate_identity::{Head, Roster, RosterError, Signed};
use quorate_query::problem::{Code, Problem};
use quorate_wire::v1::hub_frame::Frame;
use quorate_wire::v1::node_frame::Frame as Said;
use quorate_wire::v1::{
    self, AnswerReceipt, HubFrame, NodeFrame, Ping, Progress, RosterUpdate, Welcome, Witness,
};
use quorate_wire::{
    Checkpoint, Hello, NodeStatus, OpenError, Opened, PROTOCOL, QuestionId, Spoken, Stamp,
    open_member,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_stream::StreamExt;
use tonic::{Status, Streaming};

use crate::admit::{Admitted, Asked, TurnedAway, admit, claimed_question};
use crate::hub::Hub;
use crate::journal::{JournalError, Kept, NodeRow, Settled, StampRow, pack, unpack};
use crate::public::Public;
use crate::witness;

/// How often a node is pinged at this level; HTTP/2 keeps the connection itself alive.
const PING: Duration = Duration::from_secs(30);
/// Frames turned away in one session before the stream is ended.
const PATIENCE: u32 = 32;
/// Checkpoints of each other node that a node is shown when it comes.
const SHOWN: u32 = 64;
/// Frames that may wait for a node before its stream counts as stuck.
const QUEUE: usize = 256;

type Out = mpsc::Sender<Result<HubFrame, Status>>;

/// A node's session.
pub(super) struct Session<'a> {
    hub: &'a Arc<Hub>,
    node: &'a str,
    turned_away: u32,
}

/// Why a frame was not taken in.
enum Unheard {
    /// The node is at fault.
    TurnedAway(TurnedAway),
    /// We are.
    Journal(JournalError),
}

impl From<JournalError> for Unheard {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl<E: Into<TurnedAway>> From<E> for Unheard {
    fn from(error: E) -> Self {
        Self::TurnedAway(error.into())
    }
}

impl Session<'_> {
    /// Runs a session from welcome to end; an error is told to the node.
    pub(super) async fn run(
        hub: &Arc<Hub>,
        peer: &PeerIdentity,
        hello: &Opened<Hello>,
        incoming: Streaming<NodeFrame>,
        out: &Out,
    ) -> Result<(), Problem> {
        let node = peer.name.as_str();
        let mut session = Session {
            hub,
            node,
            turned_away: 0,
        };
        let changes = hub.changes();
        session.welcome(hello, out).await?;
        let (frames, queue) = mpsc::channel(QUEUE);
        let number = hub.fanout.attach(node, frames);
        session.note(hello).await;
        tracing::info!(node, build = hello.payload().build, "connected");
        let ended = session.serve(peer, (incoming, out), queue, changes).await;
        if hub.fanout.detach(node, number) {
            let (name, now) = (node.to_owned(), hub.now());
            let gone = hub
                .journal
                .call(move |store| store.node_gone(&name, now))
                .await;
            session.log_journal(gone);
            tracing::info!(node, "disconnected");
        }
        ended
    }

    /// Everything a node needs to know before its first question: roster, codebooks, stamps, and
    /// where its own ledger was last seen.
    async fn welcome(&self, hello: &Opened<Hello>, out: &Out) -> Result<(), Problem> {
        let update = self.hub.roster_update();
        let pinned = &hello.payload().codebooks;
        let welcome = Welcome {
            network: self.hub.config.network.to_string(),
            protocol: PROTOCOL.1.min(hello.payload().protocol_max),
            roster: update.entries,
            codebooks: self
                .hub
                .public()
                .codebooks_for_wire(|digest| pinned.contains(digest)),
            time: self.hub.now(),
            stamps: update.stamps,
        };
        send(out, Frame::Welcome(welcome)).await?;
        let name = self.node.to_owned();
        let newest = self
            .hub
            .journal
            .call(move |store| store.checkpoint(&name))
            .await;
        if let Ok(Some(bytes)) = newest
            && let Ok(checkpoint) = unpack(&bytes)
        {
            send(
                out,
                Frame::Witness(Witness {
                    checkpoint: Some(checkpoint.into()),
                }),
            )
            .await?;
        }
        self.show_the_others(out).await
    }

    /// Where the other nodes' ledgers stand: this one is their witness.
    async fn show_the_others(&self, out: &Out) -> Result<(), Problem> {
        let name = self.node.to_owned();
        let journal = &self.hub.journal;
        let others = journal.call(move |store| store.checkpoints_of_others(&name, SHOWN));
        for bytes in others.await.unwrap_or_default() {
            if let Ok(checkpoint) = unpack(&bytes) {
                let checkpoint = Some(checkpoint.into());
                send(out, Frame::Witness(Witness { checkpoint })).await?;
            }
        }
        Ok(())
    }

    async fn note(&self, hello: &Opened<Hello>) {
        let said = hello.payload();
        let row = NodeRow {
            name: self.node.to_owned(),
            connected: true,
            since: self.hub.now(),
            build: said.build.clone(),
            roster_head: said.roster_head.clone(),
            codebooks: said.codebooks.iter().cloned().collect(),
            turned_away: 0,
        };
        self.log_journal(
            self.hub
                .journal
                .call(move |store| store.note_node(&row))
                .await,
        );
    }

    async fn serve(
        &mut self,
        peer: &PeerIdentity,
        (mut incoming, out): (Streaming<NodeFrame>, &Out),
        mut queue: mpsc::Receiver<Frame>,
        mut changes: watch::Receiver<Arc<Public>>,
    ) -> Result<(), Problem> {
        let left = u64::try_from(peer.not_after.saturating_sub(self.hub.now())).unwrap_or(0);
        let end = Instant::now() + Duration::from_secs(left);
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut head = self.head();
        loop {
            tokio::select! {
                said = incoming.next() => match said {
                    Some(Ok(NodeFrame { frame })) => self.hear(frame, out).await?,
                    Some(Err(_)) | None => return Ok(()),
                },
                frame = queue.recv() => match frame {
                    Some(frame) => send(out, frame).await?,
                    // A newer stream of this node has taken over.
                    None => return Ok(()),
                },
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    self.standing(peer)?;
                    if self.head() != head {
                        head = self.head();
                        send(out, Frame::Roster(self.hub.roster_update())).await?;
                    }
                }
                _ = ping.tick() => send(out, Frame::Ping(Ping { time: self.hub.now() })).await?,
                () = sleep_until(end) => return Err(Problem::of(Code("A411"))),
            }
        }
    }

    /// Whether certificate and place in the roster still stand.
    fn standing(&self, peer: &PeerIdentity) -> Result<(), Problem> {
        let (public, now) = (self.hub.public(), self.hub.now());
        public.door(peer, now)?;
        public.member(peer, now).map(|_| ())
    }

    fn head(&self) -> Option<Head> {
        self.hub.public().roster.as_ref().map(Roster::head)
    }

    /// Takes in one frame. Only a journal that fails, or too many bad frames, end the stream.
    async fn hear(&mut self, frame: Option<Said>, out: &Out) -> Result<(), Problem> {
        match self.take_in(frame, out).await {
            Ok(()) => Ok(()),
            Err(Unheard::TurnedAway(why)) => self.turn_away(&why).await,
            Err(Unheard::Journal(error)) => {
                // Not acknowledged, so the node keeps it and sends it again on its next stream.
                tracing::error!(node = self.node, %error, "a frame cannot be kept");
                Err(Problem::of(Code("E900")))
            }
        }
    }

    async fn take_in(&self, frame: Option<Said>, out: &Out) -> Result<(), Unheard> {
        match frame {
            Some(Said::Accepted(accepted)) => {
                self.progress(&accepted.question_id, NodeStatus::Running);
            }
            Some(Said::Progress(Progress { question_id, stage })) => {
                let waiting = stage == NodeStatus::Waiting.as_str();
                let status = if waiting {
                    NodeStatus::Waiting
                } else {
                    NodeStatus::Running
                };
                self.progress(&question_id, status);
            }
            Some(Said::Answer(signed) | Said::Refusal(signed)) => {
                self.answer(read(signed)?, out).await?;
            }
            Some(Said::Checkpoint(signed)) => self.checkpoint(read(signed)?).await?,
            Some(Said::Stamp(signed)) => self.stamp(read(signed)?).await?,
            Some(Said::Pong(_)) => {}
            Some(Said::Hello(_)) | None => return Err(TurnedAway::Kind.into()),
        }
        Ok(())
    }

    fn progress(&self, id: &str, status: NodeStatus) {
        if QuestionId::parse(id).is_ok() {
            self.hub.fanout.progress(id, self.node, status);
        }
    }

    /// Admits, keeps, acknowledges: in this order, so that an acknowledged answer is on disk.
    async fn answer(&self, signed: Signed, out: &Out) -> Result<(), Unheard> {
        let id = claimed_question(&signed)?.to_string();
        let key = id.clone();
        let question = self
            .hub
            .journal
            .call(move |store| store.signed_question(&key))
            .await?;
        let Some(question) = question else {
            return Err(TurnedAway::OtherQuestion.into());
        };
        let asked = Asked::about(&unpack(&question)?)?;
        let public = self.hub.public();
        let Some(roster) = &public.roster else {
            return Err(TurnedAway::UnknownHead.into());
        };
        let admitted = admit(signed, self.node, &asked, roster, self.hub.now())?;
        match self.keep(&id, &admitted).await? {
            Kept::Counted => {
                let code = admitted.code().map(str::to_owned);
                let settled = if code.is_some() {
                    Settled::Refused
                } else {
                    Settled::Answered
                };
                self.hub.fanout.settle(&id, self.node, settled, code);
            }
            Kept::Late => tracing::info!(node = self.node, question = id, "an answer came late"),
            Kept::Again => {}
            Kept::Other => return Err(TurnedAway::SecondAnswer.into()),
            Kept::NotAsked => return Err(TurnedAway::OtherQuestion.into()),
        }
        let answer_sha256 = admitted.signed().digest().to_vec();
        let receipt = AnswerReceipt {
            question_id: id,
            answer_sha256,
        };
        // If the stream is gone the node sends the answer again and gets its receipt then.
        let _ = send(out, Frame::Receipt(receipt)).await;
        Ok(())
    }

    async fn keep(&self, id: &str, admitted: &Admitted) -> Result<Kept, JournalError> {
        let (id, node) = (id.to_owned(), admitted.node().to_owned());
        let (code, bytes) = (admitted.code().map(str::to_owned), pack(admitted.signed()));
        let now = self.hub.now();
        self.hub
            .journal
            .call(move |store| store.keep_answer((&id, &node), code.as_deref(), &bytes, now))
            .await
    }

    /// Keeps where the node's ledger stands and tells the other nodes, so that neither the node
    /// nor we can show different ledgers to different parties. What contradicts is told as well.
    async fn checkpoint(&self, signed: Signed) -> Result<(), Unheard> {
        let opened: Opened<Checkpoint> = self.open_own(&signed)?;
        let said = opened.payload().clone();
        let (bytes, now) = (pack(&signed), self.hub.now());
        let judged = self
            .hub
            .journal
            .call(move |store| witness::take(store, &said, &bytes, now))
            .await?;
        if let Some(why) = judged {
            tracing::error!(
                node = self.node,
                %why,
                "the node's ledger contradicts itself; both checkpoints are kept"
            );
        }
        let witness = Witness {
            checkpoint: Some(signed.into()),
        };
        self.hub
            .fanout
            .tell_others(self.node, &Frame::Witness(witness));
        Ok(())
    }

    /// Keeps which roster head the node knows and tells the other nodes.
    async fn stamp(&self, signed: Signed) -> Result<(), Unheard> {
        let opened: Opened<Stamp> = self.open_own(&signed)?;
        let (public, now) = (self.hub.public(), self.hub.now());
        let Some(roster) = &public.roster else {
            return Err(TurnedAway::UnknownHead.into());
        };
        if let Err(error) = roster.check_stamp(&opened.claim(), opened.signer(), now) {
            if matches!(error, RosterError::Fork { .. } | RosterError::Behind { .. }) {
                tracing::error!(node = self.node, %error, "the roster of a node is not ours");
            }
            return Err(OpenError::Roster(error).into());
        }
        let said = opened.payload();
        let row = StampRow {
            node: self.node.to_owned(),
            seq: said.roster_seq,
            time: said.time,
            signed: pack(&signed),
        };
        if self
            .hub
            .journal
            .call(move |store| store.put_stamp(&row))
            .await?
        {
            let update = RosterUpdate {
                entries: Vec::new(),
                stamps: vec![signed.into()],
            };
            self.hub
                .fanout
                .tell_others(self.node, &Frame::Roster(update));
        }
        Ok(())
    }

    /// Opens what this node says about itself.
    fn open_own<P: Spoken>(&self, signed: &Signed) -> Result<Opened<P>, Unheard> {
        let public = self.hub.public();
        let Some(roster) = &public.roster else {
            return Err(TurnedAway::UnknownHead.into());
        };
        let opened = open_member::<P>(signed, roster, self.hub.now())?;
        if opened.payload().speaker() == Some(self.node) {
            Ok(opened)
        } else {
            Err(TurnedAway::OtherNode.into())
        }
    }

    async fn turn_away(&mut self, why: &TurnedAway) -> Result<(), Problem> {
        tracing::warn!(node = self.node, %why, "turned away");
        let name = self.node.to_owned();
        let counted = self
            .hub
            .journal
            .call(move |store| store.count_turned_away(&name))
            .await;
        self.log_journal(counted);
        self.turned_away += 1;
        if self.turned_away < PATIENCE {
            Ok(())
        } else {
            Err(Problem::of(Code("L706")))
        }
    }

    fn log_journal(&self, done: Result<(), JournalError>) {
        if let Err(error) = done {
            tracing::error!(node = self.node, %error, "the operator's view cannot be written");
        }
    }
}

fn read(signed: v1::Signed) -> Result<Signed, Unheard> {
    Signed::try_from(signed).map_err(|error| OpenError::from(error).into())
}

/// Sends one frame; a stream that is gone ends the session.
async fn send(out: &Out, frame: Frame) -> Result<(), Problem> {
    let sent = out.send(Ok(HubFrame { frame: Some(frame) })).await;
    sent.map_err(|_| Problem::of(Code("A411")))
}
