//! The one port: accept, TLS handshake within its time, then gRPC. The TLS configuration is taken
//! anew for each connection, so a renewed server certificate is in use at once.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use quorate_identity::tls::{self, TlsError};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

use super::connection::{Seated, Slots};
use super::doors::Doors;
use crate::ca::{Authority, CaError, SERVER_LIFE};
use crate::hub::Hub;

/// Connections that finished their handshake and wait to be served.
const QUEUE: usize = 64;
/// Keeps connections through firewalls, and notices peers that are gone.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long a peer may take to answer a keepalive.
const KEEPALIVE_TIME: Duration = Duration::from_secs(10);
/// Requests of one connection at the same time.
const STREAMS: u32 = 64;
/// Header bytes of one request.
const HEADERS: u32 = 16 * 1024;
/// How long running requests may take to end after a stop.
const GRACE: Duration = Duration::from_secs(1);

/// Why the coordinator does not listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// The address cannot be bound.
    #[error(
        "{address} cannot be bound ({source}): free it, or change `listen` in coordinator.toml"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No server certificate can be made.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// No TLS configuration can be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server stopped by itself.
    #[error("the server stopped: {0}")]
    Stopped(#[from] tonic::transport::Error),
}

/// A bound socket with its TLS configuration.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Arc<ArcSwap<ServerConfig>>,
}

impl Listener {
    /// Binds the address and makes the first server certificate.
    pub(crate) async fn bind(
        address: SocketAddr,
        authority: &Authority,
        host: &str,
        now: i64,
    ) -> Result<Self, ListenError> {
        let tls = Arc::new(ArcSwap::from_pointee(server_config(authority, host, now)?));
        let failed = |source| ListenError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self {
            socket,
            address,
            tls,
        })
    }

    /// The address that was bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop. Open streams get a moment to end, then they are cut: nodes dial
    /// again, and what was acknowledged is in the journal.
    pub(crate) async fn serve(
        self,
        hub: Arc<Hub>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ListenError> {
        let (ready, connections) = mpsc::channel(QUEUE);
        let accepting = tokio::spawn(accept(
            self.socket,
            Arc::clone(&self.tls),
            hub.clone(),
            ready,
        ));
        let renewing = tokio::spawn(renew(self.tls, Arc::clone(&hub)));
        let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = server().serve_with_incoming_shutdown(
            Doors::new(&hub),
            ReceiverStream::new(connections),
            async move {
                // A dropped sender means the same: stop.
                let _ = stopped.await;
            },
        );
        tokio::pin!(server);
        let served = tokio::select! {
            served = &mut server => served,
            () = stop => {
                drop(stopping);
                accepting.abort();
                tokio::time::timeout(GRACE, &mut server).await.unwrap_or(Ok(()))
            }
        };
        accepting.abort();
        renewing.abort();
        Ok(served?)
    }
}

fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIME))
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
}

type Ready = mpsc::Sender<io::Result<Seated>>;

/// Accepts connections; a handshake that is slow or wrong costs its own slot and nothing else.
async fn accept(socket: TcpListener, tls: Arc<ArcSwap<ServerConfig>>, hub: Arc<Hub>, ready: Ready) {
    let limits = hub.config.connections;
    drop(hub);
    let slots = usize::try_from(limits.handshakes).unwrap_or(usize::MAX);
    let slots = Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS)));
    let seats = Slots::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, say: wait for some to come back instead of spinning.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let acceptor = TlsAcceptor::from(tls.load_full());
        let (ready, seats) = (ready.clone(), seats.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(limits.handshake_time, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => match seats.seat(stream) {
                    Some(seated) => {
                        let _ = ready.send(Ok(seated)).await;
                    }
                    None => tracing::warn!(%peer, "no slot left for this kind of connection"),
                },
                // The client sees only a broken connection; the reason is for the operator.
                Ok(Err(error)) => tracing::warn!(%peer, %error, "handshake refused"),
                Err(_) => tracing::warn!(%peer, "handshake too slow"),
            }
        });
    }
}

/// Makes a new server certificate long before the old one ends.
async fn renew(tls: Arc<ArcSwap<ServerConfig>>, hub: Arc<Hub>) {
    loop {
        tokio::time::sleep(SERVER_LIFE / 3).await;
        match server_config(&hub.authority, &hub.config.url.host, hub.now()) {
            Ok(fresh) => tls.store(Arc::new(fresh)),
            Err(error) => tracing::error!(%error, "the server certificate cannot be renewed"),
        }
    }
}

fn server_config(authority: &Authority, host: &str, now: i64) -> Result<ServerConfig, ListenError> {
    let made = authority.issue_server(&[host], now)?;
    Ok(tls::server_config(
        &made.chain_pem,
        &made.key_pem,
        authority.pem(),
    )?)
}
