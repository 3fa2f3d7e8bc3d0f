//! The line to the coordinator. The node dials out, keeps one stream open, and listens on no port.
//!
//! The coordinator is not trusted: it may withhold, replay or invent. What it delivers goes to
//! [`crate::answer`], which believes signatures only; rosters and codebooks are taken only if they
//! verify from keys and digests that the policy pins. What must not be known here: what a question
//! asks and what an answer says.

pub(crate) mod dial;
pub(crate) mod enrolment;
mod session;
mod trust;
mod work;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use quorate_wire::from_status;
use tokio::sync::watch;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::home::{Home, HomeError};
use crate::node::Node;
use dial::{DialError, Route, Target, chain, dial, secure};
use session::{End, Session};
use work::Work;

/// Unix seconds, from the edge.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// First pause before dialling again; doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(200);
/// Longest pause before dialling again.
const LONGEST: Duration = Duration::from_secs(30);

/// Why there is no session, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The coordinator cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Certificate and keys are not in order.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// TLS cannot be set up from what is in the state folder.
    #[error("certificate or key cannot be used: {0}; enrol again")]
    Tls(#[from] quorate_identity::tls::TlsError),
    /// The coordinator refused, with a code.
    #[error("the coordinator says {code}: {message}")]
    Refused {
        /// Code of the problem table.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The coordinator does not speak the protocol.
    #[error("the coordinator {0}")]
    Protocol(&'static str),
    /// The coordinator shows a roster that is not ours continued.
    #[error("the coordinator's roster is refused: {0}; tell the other custodians")]
    Roster(String),
}

impl From<Status> for LinkError {
    fn from(status: Status) -> Self {
        match from_status(&status) {
            Some(problem) => Self::Refused {
                code: problem.code,
                message: problem.message,
            },
            None => Self::Broken(chain(&status)),
        }
    }
}

/// A node and everything it needs to stay connected.
pub(crate) struct Link {
    node: Arc<Node>,
    home: Home,
    clock: Clock,
    work: Arc<Work>,
}

impl Link {
    /// A link that is not connected yet.
    pub(crate) fn new(node: Arc<Node>, home: Home, clock: Clock) -> Self {
        let work = Work::new(Arc::clone(&node), Arc::clone(&clock));
        Self {
            node,
            home,
            clock,
            work,
        }
    }

    /// Stays connected until `stop` turns true. `random` gives the jitter of the pauses.
    pub(crate) async fn run(&self, mut stop: watch::Receiver<bool>, mut random: fastrand::Rng) {
        let work = Arc::clone(&self.work);
        let airlock = tokio::spawn(async move { work.attend().await });
        let _ends_with_this = AbortOnDrop(airlock.abort_handle());
        let mut failures = 0_u32;
        loop {
            let ended = tokio::select! {
                ended = self.attach() => ended,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match ended {
                Ok(End::Renewed) => {
                    tracing::info!("certificate renewed, connecting anew");
                    failures = 0;
                }
                Ok(End::Closed) => {
                    tracing::warn!("the coordinator closed the connection");
                    failures = 1;
                }
                Err(error) => {
                    tracing::warn!(%error, "not connected");
                    failures = if self.work.was_connected() {
                        1
                    } else {
                        failures.saturating_add(1)
                    };
                }
            }
            let pause = pause(failures, &mut random);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One connection from dialling to its end.
    async fn attach(&self) -> Result<End, LinkError> {
        let enrolment = self.home.enrolment()?;
        let policy = &self.node.policy;
        let line = connect(policy, &enrolment).await?;
        let certificate = quorate_identity::tls::certificates(&enrolment.certificate)?;
        let own = certificate
            .first()
            .map(|der| quorate_identity::tls::peer(der))
            .transpose()?;
        let own = own.ok_or(LinkError::Protocol("certificate is empty"))?;
        Session {
            node: &self.node,
            home: &self.home,
            clock: &self.clock,
            work: &self.work,
            own,
            peer: line.peer,
        }
        .run(line.channel)
        .await
    }
}

/// Ends a task with the one that began it.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A pause before the next attempt: doubling, and anywhere in its upper half, so that a thousand
/// nodes do not come back in the same moment.
fn pause(failures: u32, random: &mut fastrand::Rng) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doubled = SHORTEST.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let longest = u64::try_from(doubled.min(LONGEST).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random.u64(longest / 2..=longest))
}

/// A connection, and who is at its other end.
pub(crate) struct Line {
    pub(crate) channel: Channel,
    /// Digest of the certificate that the other end showed.
    pub(crate) peer: String,
}

/// A channel over one fresh TLS connection, with the node's certificate.
pub(crate) async fn connect(
    policy: &crate::policy::Policy,
    enrolment: &crate::home::Enrolment,
) -> Result<Line, LinkError> {
    let extra = extra_authorities(policy)?;
    let identity = Some((enrolment.certificate.as_str(), enrolment.key.as_str()));
    let config = quorate_identity::tls::client_config(&enrolment.ca, &extra, identity)?;
    let target = Target::parse(&policy.node.coordinator)?;
    channel(&Route::choose(&policy.node.proxy, &target), &target, config).await
}

/// The texts of the policy's `extra_ca` files.
pub(crate) fn extra_authorities(policy: &crate::policy::Policy) -> Result<Vec<String>, LinkError> {
    let files = policy.node.extra_ca.iter();
    let read = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path).map_err(|source| HomeError::Io {
            path: path.clone(),
            source,
        })
    };
    Ok(files.map(read).collect::<Result<_, _>>()?)
}

/// HTTP/2 over one connection. It is never opened anew behind our back: when it ends, the session
/// ends, and the link decides when to dial again.
pub(crate) async fn channel(
    route: &Route,
    target: &Target,
    config: rustls::ClientConfig,
) -> Result<Line, LinkError> {
    let stream = secure(dial(route, target).await?, config, target).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let leaf = shown.and_then(|certificates| certificates.first());
    let peer = leaf.map(|der| quorate_identity::digest_text(&quorate_identity::sha256(der)));
    let broken = |error: tonic::transport::Error| LinkError::Broken(chain(&error));
    let endpoint = Endpoint::from_shared(format!(
        "http://{}:{}",
        bracketed(&target.host),
        target.port
    ));
    let endpoint = endpoint
        .map_err(broken)?
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true);
    let once = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let connector = service_fn(move |_: http::Uri| {
        let stream = once.lock().ok().and_then(|mut slot| slot.take());
        std::future::ready(
            stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected)),
        )
    });
    let channel = endpoint.connect_with_connector(connector).await;
    Ok(Line {
        channel: channel.map_err(broken)?,
        peer: peer.unwrap_or_default(),
    })
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}
