//! One stream, from hello to its end.

use std::sync::Arc;
use std::time::Duration;

use quorate_identity::Signed;
use quorate_identity::tls::PeerIdentity;
use quorate_wire::v1::hub_frame::Frame as Heard;
use quorate_wire::v1::node_frame::Frame;
use quorate_wire::v1::node_link_client::NodeLinkClient;
use quorate_wire::v1::{HubFrame, NodeFrame, Pong, RosterUpdate, Welcome};
use quorate_wire::{Hello, MAX_MESSAGE, PROTOCOL};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::trust::{self, Freshness};
use super::work::Work;
use super::{Clock, LinkError, enrolment};
use crate::home::Home;
use crate::node::Node;

/// How long the coordinator may take to say welcome.
const WELCOME_TIME: Duration = Duration::from_secs(20);
/// How often unacknowledged answers are sent again on a stream that stays open.
const AGAIN: Duration = Duration::from_secs(300);
/// How often the node says anew which roster it knows.
const STAMP: Duration = Duration::from_secs(6 * 3600);
/// How long another node may know more of the roster than the coordinator tells us.
const BEHIND: Duration = Duration::from_secs(60);
/// How long after a failed renewal the next one is tried.
const RENEW_AGAIN: Duration = Duration::from_secs(600);
/// Seconds by which clocks may differ before the custodian is told.
const SKEW: u64 = 60;
/// Frames that may wait for the connection.
const QUEUE: usize = 64;

/// How a session ended without a fault.
pub(super) enum End {
    /// The coordinator closed the stream.
    Closed,
    /// A new certificate is there and wants a new connection.
    Renewed,
}

/// What a session works with.
pub(super) struct Session<'a> {
    pub(super) node: &'a Arc<Node>,
    pub(super) home: &'a Home,
    pub(super) clock: &'a Clock,
    pub(super) work: &'a Arc<Work>,
    pub(super) own: PeerIdentity,
    /// Digest of the coordinator's certificate.
    pub(super) peer: String,
}

impl Session<'_> {
    /// Says hello, waits for the welcome, serves until the stream ends.
    pub(super) async fn run(&self, channel: Channel) -> Result<End, LinkError> {
        let (out, frames) = mpsc::channel(QUEUE);
        let hello = Frame::Hello(self.hello().into());
        let _ = out.send(NodeFrame { frame: Some(hello) }).await;
        let mut client =
            NodeLinkClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE);
        let mut hub = client
            .attach(ReceiverStream::new(frames))
            .await?
            .into_inner();
        let first = tokio::time::timeout(WELCOME_TIME, hub.message()).await;
        let first =
            first.map_err(|_| LinkError::Protocol("said no welcome within 20 seconds"))??;
        let Some(HubFrame {
            frame: Some(Heard::Welcome(welcome)),
        }) = first
        else {
            return Err(LinkError::Protocol("did not begin with a welcome"));
        };
        let behind = self.welcomed(welcome)?;
        tracing::info!(coordinator = self.node.policy.node.coordinator, "connected");
        self.send_standing(&out);
        self.work.connect(out.clone());
        let ended = self.serve(&channel, &mut hub, &out, behind).await;
        self.work.disconnect();
        ended
    }

    /// The node's first words: bound to the certificate of this very connection.
    fn hello(&self) -> Signed {
        let roster = self.node.roster();
        let hello = Hello {
            network: roster.network().to_string(),
            node: self.node.policy.node.name.clone(),
            protocol_min: PROTOCOL.0,
            protocol_max: PROTOCOL.1,
            build: concat!("quorate-node ", env!("CARGO_PKG_VERSION")).to_owned(),
            features: std::collections::BTreeSet::new(),
            certificate_sha256: self.own.sha256,
            roster_head: roster.head().hash,
            codebooks: self.node.policy.node.codebooks.clone(),
            time: (self.clock)(),
        };
        quorate_wire::sign(&hello, &self.node.key)
    }

    fn welcomed(&self, welcome: Welcome) -> Result<Freshness, LinkError> {
        if *self.node.roster().network() != *welcome.network {
            return Err(LinkError::Protocol("belongs to another network"));
        }
        if !(PROTOCOL.0..=PROTOCOL.1).contains(&welcome.protocol) {
            return Err(LinkError::Protocol(
                "chose a protocol version that this release does not speak",
            ));
        }
        let now = (self.clock)();
        let ahead = welcome.time.saturating_sub(now);
        if ahead.unsigned_abs() > SKEW {
            tracing::warn!(
                seconds = ahead,
                "the coordinator's clock and this machine's differ"
            );
        }
        self.node.set_clock_ahead(ahead);
        trust::take_roster(self.node, self.home, welcome.roster)?;
        trust::take_codebooks(self.node, self.home, welcome.codebooks);
        trust::read_stamps(self.node, welcome.stamps, now)
    }

    /// Which roster this node knows and where its ledger stands.
    fn send_standing(&self, out: &mpsc::Sender<NodeFrame>) {
        let now = (self.clock)();
        offer(out, Frame::Stamp(trust::stamp(self.node, now).into()));
        // A node that is behind would show a past that is not its own.
        if self.node.behind().is_none() {
            offer(out, Frame::Checkpoint(self.node.checkpoint(now).into()));
        }
    }

    async fn serve(
        &self,
        channel: &Channel,
        hub: &mut Streaming<HubFrame>,
        out: &mpsc::Sender<NodeFrame>,
        freshness: Freshness,
    ) -> Result<End, LinkError> {
        let start = Instant::now();
        let mut again = interval_at(start + AGAIN, AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stamps = interval_at(start + STAMP, STAMP);
        let mut renewal = start + self.until_renewal();
        let mut behind = (freshness == Freshness::Behind).then(|| start + BEHIND);
        loop {
            let patience = behind.unwrap_or_else(|| Instant::now() + STAMP);
            tokio::select! {
                frame = hub.message() => match frame? {
                    Some(HubFrame { frame: Some(frame) }) => {
                        if let Some(freshness) = self.hear(frame, out)? {
                            let until = behind.unwrap_or_else(|| Instant::now() + BEHIND);
                            behind = (freshness == Freshness::Behind).then_some(until);
                        }
                    }
                    Some(HubFrame { frame: None }) => {}
                    None => return Ok(End::Closed),
                },
                () = sleep_until(renewal) => match self.renew(channel).await {
                    Ok(()) => return Ok(End::Renewed),
                    Err(error) => {
                        tracing::error!(%error, "the certificate cannot be renewed");
                        renewal = Instant::now() + RENEW_AGAIN;
                    }
                },
                _ = again.tick() => self.work.send_again(),
                _ = stamps.tick() => self.send_standing(out),
                () = sleep_until(patience), if behind.is_some() => {
                    return Err(LinkError::Roster("other nodes know newer entries than it sends".to_owned()));
                }
            }
        }
    }

    /// Takes in one frame; says how fresh the roster is if the frame tells.
    fn hear(
        &self,
        frame: Heard,
        out: &mpsc::Sender<NodeFrame>,
    ) -> Result<Option<Freshness>, LinkError> {
        let now = (self.clock)();
        match frame {
            Heard::Welcome(_) => return Err(LinkError::Protocol("said welcome twice")),
            Heard::Deliver(deliver) => {
                let signed = deliver.question.map(Signed::try_from);
                let Some(Ok(signed)) = signed else {
                    return Err(LinkError::Protocol(
                        "delivered something that is no question",
                    ));
                };
                if deliver.round != 0 {
                    return Err(LinkError::Protocol(
                        "delivered a question in a round that it does not have",
                    ));
                }
                self.work.deliver(signed, deliver.round, &self.peer);
            }
            Heard::NextRound(_) => {
                return Err(LinkError::Protocol(
                    "sent a further round, which no question here has",
                ));
            }
            Heard::Cancel(cancel) => self.work.cancel(&cancel.question_id),
            Heard::Roster(RosterUpdate { entries, stamps }) => {
                if trust::take_roster(self.node, self.home, entries)? {
                    self.send_standing(out);
                }
                return trust::read_stamps(self.node, stamps, now).map(Some);
            }
            Heard::Witness(witness) => {
                trust::witness(self.node, witness.checkpoint, now)?;
            }
            Heard::Ping(_) => offer(out, Frame::Pong(Pong { time: now })),
            Heard::Receipt(receipt) => {
                let kept = self
                    .node
                    .acknowledge(&receipt.question_id, &receipt.answer_sha256);
                if let Err(error) = kept {
                    tracing::error!(%error, "the outbox cannot be written");
                }
            }
        }
        Ok(None)
    }

    /// Two thirds of the certificate's life, from now.
    fn until_renewal(&self) -> Duration {
        let life = self.own.not_after.saturating_sub(self.own.not_before);
        let due = self.own.not_before.saturating_add(life / 3 * 2);
        let left = u64::try_from(due.saturating_sub((self.clock)())).unwrap_or(0);
        // At least a moment, so that a coordinator with very short lives is not asked in a loop.
        Duration::from_secs(left.max(1))
    }

    async fn renew(&self, channel: &Channel) -> Result<(), LinkError> {
        let old = self.home.enrolment()?;
        let fresh =
            enrolment::renew(channel.clone(), &self.node.policy, &self.node.key, &old).await?;
        Ok(self.home.save_enrolment(&fresh)?)
    }
}

/// Sends a frame unless the stream is stuck. The session never waits to be heard, because the
/// coordinator may be waiting for us to listen; what is lost here is said again.
fn offer(out: &mpsc::Sender<NodeFrame>, frame: Frame) {
    let _ = out.try_send(NodeFrame { frame: Some(frame) });
}
