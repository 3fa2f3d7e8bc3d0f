//! A coordinator that lies: it has the real one's certificate authority and identity key, so that
//! nodes and researchers connect to it, and then sends whatever the test tells it to. Beside the
//! lies it does what a coordinator does, as far as its lies need it ([`super::desk`]).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use quorate_identity::tls;
use quorate_identity::{Signed, SigningKey};
use quorate_wire::v1;
use quorate_wire::v1::node_link_server::{NodeLink, NodeLinkServer};
use quorate_wire::v1::research_server::ResearchServer;
use quorate_wire::{AnswerPayload, Hello, MAX_MESSAGE, Payload, RefusalPayload};
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::{self, http};
use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};

use super::desk::{Desk, Lies, ResearchDesk};

/// A running liar; it stops when dropped.
#[derive(Debug)]
pub struct FalseCoordinator {
    address: SocketAddr,
    frames: mpsc::Receiver<v1::NodeFrame>,
    desk: Arc<Desk>,
    _runtime: tokio::runtime::Runtime,
}

/// Frames for one node's session.
pub(super) type Session = tokio::sync::mpsc::UnboundedSender<Result<v1::HubFrame, Status>>;

/// The sessions by node, and whose is the newest.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// By node.
    pub(super) open: BTreeMap<String, Session>,
    newest: String,
}

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
        let key = SigningKey::load(&state.join("identity.key"))?;
        let desk = Arc::new(Desk::new(key, welcome.clone()));
        let service = Service {
            welcome,
            frames: Mutex::new(send),
            desk: Arc::clone(&desk),
        };
        runtime.spawn(serve(listener, acceptor, service));
        Ok(Self {
            address,
            frames,
            desk,
            _runtime: runtime,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The coordinator's identity key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.desk.key
    }

    /// From now on it tells researchers these lies.
    pub fn lie(&self, lies: Lies) {
        *self.desk.lies() = lies;
    }

    /// The nodes that are attached.
    #[must_use]
    pub fn attached(&self) -> Vec<String> {
        self.desk.sessions().open.keys().cloned().collect()
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
        let newest = self.desk.sessions().newest.clone();
        self.send_to(&newest, frame)
    }

    /// Sends a frame to one node; false if it is not attached.
    pub fn send_to(&self, node: &str, frame: v1::hub_frame::Frame) -> bool {
        self.desk.send_to(node, frame)
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
    let doors = Doors {
        research: ResearchServer::new(ResearchDesk(Arc::clone(&service.desk)))
            .max_encoding_message_size(MAX_MESSAGE),
        nodes: NodeLinkServer::new(service).max_decoding_message_size(MAX_MESSAGE),
    };
    drop(
        tonic::transport::Server::builder()
            .serve_with_incoming(doors, incoming)
            .await,
    );
}

/// Which service a request is for.
#[derive(Clone)]
struct Doors {
    nodes: NodeLinkServer<Service>,
    research: ResearchServer<ResearchDesk>,
}

impl codegen::Service<http::Request<Body>> for Doors {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = codegen::BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/');
        match path.split('/').next().unwrap_or_default() {
            NodeLinkServer::<Service>::NAME => self.nodes.call(request),
            _ => self.research.call(request),
        }
    }
}

struct Service {
    welcome: v1::Welcome,
    frames: Mutex<mpsc::Sender<v1::NodeFrame>>,
    desk: Arc<Desk>,
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
        let frames = self
            .frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let desk = Arc::clone(&self.desk);
        tokio::spawn(async move {
            let mut send = Some(send);
            while let Some(Ok(frame)) = incoming.next().await {
                if let (Some(node), Some(send)) = (greeting(&frame), send.take()) {
                    let mut sessions = desk.sessions();
                    sessions.newest.clone_from(&node);
                    sessions.open.insert(node, send);
                }
                hear(&desk, &frame);
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

/// Who says hello, as it says itself: a liar verifies nothing.
fn greeting(frame: &v1::NodeFrame) -> Option<String> {
    let Some(v1::node_frame::Frame::Hello(hello)) = &frame.frame else {
        return None;
    };
    let hello = Hello::decode(&hello.payload).ok()?;
    Some(hello.node)
}

/// Keeps what a node says to a question.
fn hear(desk: &Desk, frame: &v1::NodeFrame) {
    use v1::node_frame::Frame;
    let (Some(Frame::Answer(signed)) | Some(Frame::Refusal(signed))) = &frame.frame else {
        return;
    };
    let Ok(signed) = Signed::try_from(signed.clone()) else {
        return;
    };
    let answer = AnswerPayload::decode(&signed.payload);
    let said = answer
        .map(|said| (said.question_id, said.node))
        .or_else(|_| {
            let refusal = RefusalPayload::decode(&signed.payload);
            refusal.map(|said| (said.question_id, said.node))
        });
    if let Ok((id, node)) = said {
        desk.said(&id.to_string(), &node, signed);
    }
}
