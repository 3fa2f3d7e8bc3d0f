//! A coordinator that lies: it has the real one's certificate authority, so that nodes connect to
//! it, and then sends whatever the test tells it to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_identity::Signed;
use quorate_identity::tls;
use quorate_wire::v1;
use quorate_wire::v1::node_link_server::{NodeLink, NodeLinkServer};
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// A running liar; it stops when dropped.
#[derive(Debug)]
pub struct FalseCoordinator {
    address: SocketAddr,
    frames: mpsc::Receiver<v1::NodeFrame>,
    sessions: Sessions,
    _runtime: tokio::runtime::Runtime,
}

/// Frames for the newest session.
type Sessions =
    Arc<Mutex<Option<tokio::sync::mpsc::UnboundedSender<Result<v1::HubFrame, Status>>>>>;

impl FalseCoordinator {
    /// Starts to listen on loopback with a certificate of the network's authority, whose files
    /// `ca.pem` and `ca.key` lie in `state`. Every node that attaches gets `welcome`.
    ///
    /// # Errors
    /// When the authority cannot be used or no port opened.
    pub fn start(state: &Path, welcome: v1::Welcome) -> anyhow::Result<Self> {
        let acceptor = acceptor(state)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let (send, frames) = mpsc::channel();
        let sessions = Sessions::default();
        let service = Service {
            welcome,
            frames: Mutex::new(send),
            sessions: Arc::clone(&sessions),
        };
        runtime.spawn(serve(listener, acceptor, service));
        Ok(Self {
            address,
            frames,
            sessions,
            _runtime: runtime,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next frame that a node sends, if one comes in time.
    pub fn next(&self, patience: Duration) -> Option<v1::NodeFrame> {
        self.frames.recv_timeout(patience).ok()
    }

    /// The next answer or refusal, with the kind it came as; other frames are passed over.
    pub fn outcome(&self, patience: Duration) -> Option<(&'static str, Signed)> {
        use v1::node_frame::Frame;
        let end = crate::clock::now() + patience;
        loop {
            let left = end.saturating_duration_since(crate::clock::now());
            match self.next(left)?.frame? {
                Frame::Answer(signed) => {
                    return Signed::try_from(signed).ok().map(|s| ("answer", s));
                }
                Frame::Refusal(signed) => {
                    return Signed::try_from(signed).ok().map(|s| ("refusal", s));
                }
                _ => {}
            }
        }
    }

    /// Sends a frame to the node that attached last; false if none has.
    pub fn send(&self, frame: v1::hub_frame::Frame) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = v1::HubFrame { frame: Some(frame) };
        sessions
            .as_ref()
            .is_some_and(|session| session.send(Ok(frame)).is_ok())
    }

    /// Delivers a question.
    pub fn deliver(&self, question: &Signed, deadline: i64) -> bool {
        let deliver = v1::Deliver {
            question: Some(question.clone().into()),
            round: 0,
            deadline,
        };
        self.send(v1::hub_frame::Frame::Deliver(deliver))
    }
}

fn acceptor(state: &Path) -> anyhow::Result<TlsAcceptor> {
    let ca_pem = std::fs::read_to_string(state.join("ca.pem"))?;
    let ca_key = KeyPair::from_pem(&std::fs::read_to_string(state.join("ca.key"))?)?;
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
    let certificate = params.signed_by(&key, &issuer)?;
    let chain = format!("{}{ca_pem}", certificate.pem());
    let config = tls::server_config(&chain, &key.serialize_pem(), &ca_pem)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, service: Service) {
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await
                && send.send(Ok::<_, std::io::Error>(stream)).is_err()
            {
                return;
            }
        }
    });
    let incoming = UnboundedReceiverStream::new(receive);
    let service = NodeLinkServer::new(service);
    drop(
        tonic::transport::Server::builder()
            .serve_with_incoming(service, incoming)
            .await,
    );
}

struct Service {
    welcome: v1::Welcome,
    frames: Mutex<mpsc::Sender<v1::NodeFrame>>,
    sessions: Sessions,
}

#[tonic::async_trait]
impl NodeLink for Service {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<v1::HubFrame, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::NodeFrame>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut incoming = request.into_inner();
        let (send, receive) = tokio::sync::mpsc::unbounded_channel();
        let frame = v1::hub_frame::Frame::Welcome(self.welcome.clone());
        drop(send.send(Ok(v1::HubFrame { frame: Some(frame) })));
        *self.sessions.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
        let frames = self
            .frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = incoming.next().await {
                if frames.send(frame).is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(
            receive,
        ))))
    }
}
