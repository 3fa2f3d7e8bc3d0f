//! A coordinator under the test's control, over real TLS on loopback, and a node to connect to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use quorate_identity::roster::{Change, Founder, genesis, unsigned};
use quorate_identity::tls::{check_csr, peer, server_config};
use quorate_identity::token::EnrolToken;
use quorate_identity::{Name, Role, Roster, Signed, SigningKey, digest_text, sha256};
use quorate_wire::v1::enrolment_server::{Enrolment, EnrolmentServer};
use quorate_wire::v1::hub_frame::Frame as Said;
use quorate_wire::v1::node_frame::Frame as Heard;
use quorate_wire::v1::node_link_server::{NodeLink, NodeLinkServer};
use quorate_wire::v1::{
    self, EnrolRequest, EnrolResponse, HubFrame, NodeFrame, RenewRequest, Welcome,
};
use quorate_wire::{
    Hello, QuestionId, QuestionPayload, open_member, open_possession, sign_question,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::Service as _;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::home::Home;
use crate::link::{Clock, Link, enrolment};
use crate::node::{Node, Opening};
use crate::policy::{self, Policy};

/// The moment at which all tests happen, unless they say otherwise.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A certificate authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Chain and key of a server on loopback.
    pub(super) fn server(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        let leaf = params.signed_by(&key, &self.issuer).unwrap().pem();
        (format!("{leaf}{}", self.pem), key.serialize_pem())
    }

    fn certify(&self, csr_pem: &str, name: &str, life: i64) -> String {
        let name = Name::parse(name).unwrap();
        let key = check_csr(csr_pem, Role::Node, &name).unwrap();
        let mut params = CertificateParams::default();
        let uri = quorate_identity::tls::uri(Role::Node, &name);
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().unwrap())];
        let moment = |seconds: i64| {
            std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap())
        };
        params.not_before = moment(now() - life).into();
        params.not_after = moment(now() + life).into();
        params.signed_by(&key, &self.issuer).unwrap().pem()
    }
}

/// What the coordinator knows.
pub(super) struct Knows {
    pub(super) authority: Authority,
    /// Half the life of certificates, in seconds; they are always in the middle of it.
    pub(super) life: i64,
    pub(super) roster: Vec<Signed>,
    pub(super) codebooks: Vec<v1::Codebook>,
    pub(super) stamps: Vec<v1::Signed>,
}

/// A stream that a node opened.
pub(super) struct Attached {
    pub(super) hello: Hello,
    pub(super) certificate: [u8; 32],
    pub(super) say: mpsc::Sender<Result<HubFrame, Status>>,
    pub(super) heard: mpsc::UnboundedReceiver<Heard>,
}

impl Attached {
    pub(super) async fn say(&self, frame: Said) {
        self.say
            .send(Ok(HubFrame { frame: Some(frame) }))
            .await
            .unwrap();
    }

    /// The next frame that is neither stamp nor checkpoint nor progress; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.heard.recv()).await;
            match frame.expect("nothing heard") {
                Some(
                    Heard::Stamp(_)
                    | Heard::Checkpoint(_)
                    | Heard::Accepted(_)
                    | Heard::Progress(_),
                ) => {}
                other => return other,
            }
        }
    }
}

#[derive(Clone)]
struct Service {
    knows: Arc<std::sync::Mutex<Knows>>,
    attached: mpsc::UnboundedSender<Attached>,
}

#[tonic::async_trait]
impl Enrolment for Service {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let EnrolRequest {
            csr_pem,
            possession,
            ..
        } = request.into_inner();
        self.issue(&csr_pem, possession)
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        assert!(
            request.peer_certs().is_some(),
            "renewal needs the old certificate"
        );
        let RenewRequest {
            csr_pem,
            possession,
        } = request.into_inner();
        self.issue(&csr_pem, possession)
    }
}

impl Service {
    fn issue(
        &self,
        csr_pem: &str,
        possession: Option<v1::Signed>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let possession: Signed = possession.unwrap().try_into().unwrap();
        let proof = open_possession(&possession).unwrap();
        assert_eq!(proof.payload().csr_sha256, sha256(csr_pem.as_bytes()));
        let knows = self.knows.lock().unwrap();
        Ok(Response::new(EnrolResponse {
            certificate_pem: knows
                .authority
                .certify(csr_pem, &proof.payload().name, knows.life),
            ca_pem: knows.authority.pem.clone(),
            network: "test".to_owned(),
            roster: knows.roster.iter().map(Into::into).collect(),
            codebooks: knows.codebooks.clone(),
        }))
    }
}

#[tonic::async_trait]
impl NodeLink for Service {
    type AttachStream = Pin<Box<dyn futures::Stream<Item = Result<HubFrame, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<NodeFrame>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let certificate = request.peer_certs().unwrap().first().unwrap().clone();
        let certificate = peer(&certificate).unwrap().sha256;
        let mut incoming = request.into_inner();
        let (say, frames) = mpsc::channel(64);
        let service = self.clone();
        tokio::spawn(async move {
            let first = incoming.message().await.unwrap().unwrap().frame.unwrap();
            let Heard::Hello(hello) = first else {
                panic!("no hello")
            };
            let (welcome, hello) = {
                let knows = service.knows.lock().unwrap();
                let roster =
                    Roster::verify(None, &[custodian().key_id().clone()], &knows.roster).unwrap();
                let hello =
                    open_member::<Hello>(&hello.try_into().unwrap(), &roster, now()).unwrap();
                let welcome = Welcome {
                    network: "test".to_owned(),
                    protocol: 1,
                    roster: knows.roster.iter().map(Into::into).collect(),
                    codebooks: knows.codebooks.clone(),
                    time: now(),
                    stamps: knows.stamps.clone(),
                };
                (welcome, hello.into_payload())
            };
            say.send(Ok(HubFrame {
                frame: Some(Said::Welcome(welcome)),
            }))
            .await
            .unwrap();
            let (to, heard) = mpsc::unbounded_channel();
            let _ = service.attached.send(Attached {
                hello,
                certificate,
                say,
                heard,
            });
            while let Ok(Some(NodeFrame { frame: Some(frame) })) = incoming.message().await {
                if to.send(frame).is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(frames))))
    }
}

/// A running coordinator; dropping it closes every connection.
pub(super) struct Hub {
    pub(super) port: u16,
    pub(super) knows: Arc<std::sync::Mutex<Knows>>,
    pub(super) attached: mpsc::UnboundedReceiver<Attached>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Hub {
    pub(super) fn new() -> Self {
        let knows = Knows {
            authority: Authority::new("test authority"),
            life: 3600,
            roster: roster_of(&["alpha"]),
            codebooks: Vec::new(),
            stamps: Vec::new(),
        };
        Self::start(Arc::new(std::sync::Mutex::new(knows)), 0)
    }

    /// Starts on a port, after an earlier coordinator on it is gone.
    pub(super) fn start(knows: Arc<std::sync::Mutex<Knows>>, port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (chain, key) = knows.lock().unwrap().authority.server();
        let tls = server_config(&chain, &key, &knows.lock().unwrap().authority.pem).unwrap();
        let (attached, streams) = mpsc::unbounded_channel();
        let service = Service {
            knows: Arc::clone(&knows),
            attached,
        };
        let socket = loop {
            match std::net::TcpListener::bind(("127.0.0.1", port)) {
                Ok(socket) => break socket,
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let port = socket.local_addr().unwrap().port();
        socket.set_nonblocking(true).unwrap();
        runtime.spawn(serve(socket, Arc::new(tls), service));
        Self {
            port,
            knows,
            attached: streams,
            runtime: Some(runtime),
        }
    }

    /// The next stream that a node opens.
    pub(super) async fn attached(&mut self) -> Attached {
        let next = tokio::time::timeout(Duration::from_secs(30), self.attached.recv()).await;
        next.expect("no node came").unwrap()
    }

    pub(super) fn token(&self) -> EnrolToken {
        let knows = self.knows.lock().unwrap();
        let ca = quorate_identity::tls::fingerprint(&knows.authority.pem).unwrap();
        EnrolToken {
            url: format!("https://127.0.0.1:{}", self.port),
            ca_sha256: digest_text(&ca),
            secret: "0123456789abcdef".to_owned(),
            until: now() + 600,
            role: None,
            name: None,
            genesis: Vec::new(),
        }
    }
}

async fn serve(socket: std::net::TcpListener, tls: Arc<rustls::ServerConfig>, service: Service) {
    let socket = TcpListener::from_std(socket).unwrap();
    let (ready, incoming) = mpsc::channel(16);
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(tls);
        while let Ok((tcp, _)) = socket.accept().await {
            if let Ok(stream) = acceptor.accept(tcp).await {
                let _ = ready.send(Ok::<_, std::io::Error>(stream)).await;
            }
        }
    });
    let doors = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let service = service.clone();
        async move {
            let mut nodes = NodeLinkServer::new(service.clone());
            let mut enrolment = EnrolmentServer::new(service);
            if request.uri().path().contains("NodeLink") {
                nodes.call(request).await
            } else {
                enrolment.call(request).await
            }
        }
    });
    Server::builder()
        .serve_with_incoming(doors, ReceiverStream::new(incoming))
        .await
        .unwrap();
}

pub(super) fn custodian() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

pub(super) fn node_key(name: &str) -> SigningKey {
    SigningKey::from_seed(&sha256(name.as_bytes())).unwrap()
}

pub(super) fn alice() -> SigningKey {
    SigningKey::from_seed(&[3; 32]).unwrap()
}

/// A roster of one custodian, one researcher and these nodes.
pub(super) fn roster_of(nodes: &[&str]) -> Vec<Signed> {
    // Fixed, so that every call gives the same bytes.
    let until = 4_000_000_000;
    let network = Name::parse("test").unwrap();
    let founder = Founder {
        name: Name::parse("carol").unwrap(),
        key: custodian().key_id().clone(),
        until,
    };
    let mut first = unsigned(genesis(&network, vec![founder], 1_700_000_000));
    quorate_identity::roster::cosign(&custodian(), &mut first);
    let mut roster = Roster::verify(None, &[custodian().key_id().clone()], &[first]).unwrap();
    add(&mut roster, Role::Researcher, "alice", &alice(), until);
    for name in nodes {
        add(&mut roster, Role::Node, name, &node_key(name), until);
    }
    roster.log().to_vec()
}

pub(super) fn add(roster: &mut Roster, role: Role, name: &str, key: &SigningKey, until: i64) {
    let change = Change::Add {
        role,
        name: Name::parse(name).unwrap(),
        key: key.key_id().clone(),
        until,
    };
    let mut entry = unsigned(roster.propose(change, 1_700_000_000));
    quorate_identity::roster::cosign(&custodian(), &mut entry);
    roster.append(&entry).unwrap();
}

/// A node in a temporary folder.
pub(super) struct Place {
    _dir: tempfile::TempDir,
    pub(super) policy: Policy,
    pub(super) home: Home,
}

pub(super) const CODEBOOK: &str = "[codebook]\nformat = 1\nname = 'c'\nversion = 1\nunit = 'person.person_id'\n[table.person]\nrows = 'one-per-unit'\n[table.person.column]\nperson_id = { type = 'int', role = ['unit'] }\n";

pub(super) fn codebook_digest() -> String {
    digest_text(&sha256(CODEBOOK.as_bytes()))
}

impl Place {
    /// A node called alpha; `node` and `rest` are further lines of its policy.
    pub(super) fn new(port: u16, node: &str, rest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = policy_in(dir.path(), port, node, rest);
        let home = Home::open(&policy.node.state).unwrap();
        node_key("alpha").save(&home.node_key_path()).unwrap();
        home.secrets().unwrap();
        Self {
            _dir: dir,
            policy,
            home,
        }
    }

    pub(super) async fn enrol(&self, hub: &Hub) {
        let key = self.home.node_key().unwrap();
        let enrolled = enrolment::enrol(&self.policy, &key, &hub.token())
            .await
            .unwrap();
        self.home.save_enrolment(&enrolled.enrolment).unwrap();
        self.home
            .accept_roster(&self.policy, &enrolled.roster)
            .unwrap();
    }

    pub(super) fn open(&self) -> Arc<Node> {
        let start = Instant::now();
        Arc::new(
            Node::open(Opening {
                policy: self.policy.clone(),
                key: self.home.node_key().unwrap(),
                roster: self.home.roster(&self.policy).unwrap(),
                codebooks: self.home.codebooks(&self.policy).unwrap(),
                stopwatch: Arc::new(move || start.elapsed()),
                timings: None,
                now: now(),
            })
            .unwrap(),
        )
    }

    /// Keeps the node connected until the returned handle is aborted.
    pub(super) fn run(&self, node: &Arc<Node>) -> Running {
        self.run_link(self.link(node))
    }

    pub(super) fn link(&self, node: &Arc<Node>) -> Link {
        let clock: Clock = Arc::new(now);
        Link::new(Arc::clone(node), self.home.clone(), clock)
    }

    pub(super) fn run_link(&self, link: Link) -> Running {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let task =
            tokio::spawn(async move { link.run(stopped, fastrand::Rng::with_seed(7)).await });
        Running { _stop: stop, task }
    }
}

pub(super) struct Running {
    _stop: tokio::sync::watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn policy_in(dir: &Path, port: u16, node: &str, rest: &str) -> Policy {
    let text = format!(
        "[node]\nformat = 1\nname = 'alpha'\ncoordinator = 'https://127.0.0.1:{port}'\ngenesis = ['{}']\ncodebooks = ['{}']\n{node}\n[population]\nname = 'p'\n{rest}",
        custodian().key_id(),
        codebook_digest(),
    );
    let path: PathBuf = dir.join("node.toml");
    std::fs::write(&path, text).unwrap();
    policy::read_file(&path, &[]).unwrap()
}

/// A question of alice's that no project of the node allows: it is recorded and refused.
pub(super) fn question(number: u8) -> Signed {
    let roster = Roster::verify(
        None,
        &[custodian().key_id().clone()],
        &roster_of(&["alpha"]),
    )
    .unwrap();
    let millis = u64::try_from(now()).unwrap() * 1000;
    let question = QuestionPayload {
        network: "test".to_owned(),
        question_id: QuestionId::new(millis, &[number; 10]),
        researcher: "alice".to_owned(),
        project: "none".to_owned(),
        purpose: String::new(),
        nodes: BTreeSet::new(),
        codebook: codebook_digest(),
        roster_head: roster
            .log()
            .first()
            .map(|entry| digest_text(&entry.digest()))
            .unwrap(),
        request: "SELECT count(*) FROM person".into(),
        canonical_version: 1,
        canonical_digest: [0; 32],
        params: quorate_query::question::Params::new(),
        not_before: now() - 10,
        expires: now() + 600,
        must_understand: BTreeSet::new(),
        min_nodes: 1,
    };
    sign_question(&question, &alice())
}
