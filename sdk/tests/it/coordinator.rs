//! A coordinator on loopback: enrolls, takes questions in, and lets the three nodes of the world
//! answer at once. It can be told to fall over, to lie, and to have a node wait for its custodian.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use quorate_identity::token::EnrolToken;
use quorate_identity::{Role, Signed, digest_text, tls};
use quorate_sdk::profile::identity_or_new;
use quorate_wire::v1::enrolment_server::{Enrolment, EnrolmentServer};
use quorate_wire::v1::research_server::{Research, ResearchServer};
use quorate_wire::v1::watch_event::Event;
use quorate_wire::{NodeOutcome, open_possession, to_status, v1};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use quorate_query::problem::{Code, Problem};

use crate::world::{CODEBOOK, World, absent, by_sex};

/// What the coordinator and its nodes do with the next questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Two nodes answer, oslo is absent; bern withholds men.
    #[default]
    Honest,
    /// Like honest, with an altered table.
    Lying,
    /// Every node refuses.
    Refusing,
    /// Oslo waits for its custodian, for ever.
    Waiting,
    /// The stream breaks twice before the end, and the question is forgotten once.
    Falling,
    /// Nothing ever ends.
    Stuck,
}

struct Asked {
    question: Signed,
    result: v1::Signed,
    submissions: u32,
    watches: u32,
}

pub(crate) struct State {
    world: World,
    mood: Mood,
    questions: BTreeMap<String, Asked>,
    issuer: Issuer<'static, KeyPair>,
    ca_pem: String,
    /// Certificates are issued near their end.
    old_certificates: bool,
    renewals: u32,
}

/// A running coordinator and the folder of a researcher who has logged in.
pub(crate) struct Network {
    state: Arc<Mutex<State>>,
    pub(crate) address: SocketAddr,
    pub(crate) home: tempfile::TempDir,
    pub(crate) genesis: String,
    ca_pem: String,
    _runtime: tokio::runtime::Runtime,
}

impl Network {
    /// Starts it on a free port.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (issuer, ca_pem) = authority();
        let (chain, key) = server_certificate(&issuer, &ca_pem);
        let config = tls::server_config(&chain, &key, &ca_pem).unwrap();
        let mut world = World::new();
        let home = tempfile::tempdir().unwrap();
        // The world's alice gets the key that the profile makes.
        world.alice = identity_or_new(home.path()).unwrap();
        let alice = identity_or_new(home.path()).unwrap();
        world.replace_alice(&alice);
        let genesis = world.custodian.key_id().to_string();
        let state = State {
            world,
            mood: Mood::Honest,
            questions: BTreeMap::new(),
            issuer,
            ca_pem: ca_pem.clone(),
            old_certificates: false,
            renewals: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, config, Service(Arc::clone(&state))));
        Self {
            state,
            address,
            home,
            genesis,
            ca_pem,
            _runtime: runtime,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn token(&self) -> EnrolToken {
        EnrolToken {
            url: self.url(),
            ca_sha256: digest_text(&tls::fingerprint(&self.ca_pem).unwrap()),
            secret: "a secret of sufficient length".to_owned(),
            until: 4_000_000_000,
            role: Some(Role::Researcher),
            name: Some("alice".to_owned().try_into().unwrap()),
            genesis: Vec::new(),
        }
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// How often a question was submitted.
    pub(crate) fn submissions(&self) -> u32 {
        self.state
            .lock()
            .unwrap()
            .questions
            .values()
            .map(|asked| asked.submissions)
            .sum()
    }

    /// From now on certificates are issued near their end.
    pub(crate) fn issue_old_certificates(&self) {
        self.state.lock().unwrap().old_certificates = true;
    }

    pub(crate) fn renewals(&self) -> u32 {
        self.state.lock().unwrap().renewals
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A custodian adds another node; every later roster has it.
    pub(crate) fn grow(&self) {
        let key = quorate_identity::SigningKey::from_seed(&[77; 32]).unwrap();
        self.state
            .lock()
            .unwrap()
            .world
            .add(Role::Node, "rome", &key);
    }
}

fn authority() -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::from_ca_cert_pem(&pem, key).unwrap(), pem)
}

fn server_certificate(issuer: &Issuer<'static, KeyPair>, ca_pem: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
    let leaf = params.signed_by(&key, issuer).unwrap();
    (leaf.pem() + ca_pem, key.serialize_pem())
}

async fn serve(listener: TcpListener, config: rustls::ServerConfig, service: Service) {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (send, incoming) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(tcp).await {
                let _ = send.send(Ok::<_, std::io::Error>(stream)).await;
            }
        }
    });
    let (enrolment, research) = (
        EnrolmentServer::new(service.clone()),
        ResearchServer::new(service),
    );
    let doors = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let (mut enrolment, mut research) = (enrolment.clone(), research.clone());
        async move {
            if request.uri().path().starts_with("/quorate.v1.Enrolment/") {
                tower::Service::call(&mut enrolment, request).await
            } else {
                tower::Service::call(&mut research, request).await
            }
        }
    });
    tonic::transport::Server::builder()
        .serve_with_incoming(doors, ReceiverStream::new(incoming))
        .await
        .unwrap();
}

#[derive(Clone)]
struct Service(Arc<Mutex<State>>);

impl State {
    fn nodes(&self, question: &Signed) -> Vec<NodeOutcome> {
        let world = &self.world;
        match self.mood {
            Mood::Refusing => ["bern", "cork", "oslo"]
                .map(|n| world.refused(n, question, "G501"))
                .to_vec(),
            _ => vec![
                world.answered("bern", question, by_sex(Some(100), None)),
                world.answered("cork", question, by_sex(Some(50), Some(245))),
                absent("oslo"),
            ],
        }
    }

    fn take(&mut self, question: Signed) -> Result<String, Status> {
        let (asked, _) = self.world.read(&question);
        let id = asked.question_id.to_string();
        if asked.project != "heart-1" {
            return Err(to_status(&Problem::of(Code("G501"))));
        }
        if let Some(known) = self.questions.get_mut(&id) {
            known.submissions += 1;
            return if known.question == question {
                Ok(id)
            } else {
                Err(to_status(&Problem::of(Code("A403"))))
            };
        }
        let nodes = self.nodes(&question);
        let mut result = self.world.result(&question, nodes);
        if self.mood == Mood::Lying {
            let text = String::from_utf8(result.combined.clone()).unwrap();
            result.combined = text.replace("\"150\"", "\"155\"").into_bytes();
        }
        let result = (&self.world.signed(&result)).into();
        let asked = Asked {
            question,
            result,
            submissions: 1,
            watches: 0,
        };
        self.questions.insert(id.clone(), asked);
        Ok(id)
    }

    fn issue(&self, csr_pem: &str, possession: Option<v1::Signed>, old: bool) -> v1::EnrolResponse {
        let possession: Signed = possession.unwrap().try_into().unwrap();
        let claim = open_possession(&possession).unwrap().into_payload();
        assert_eq!(
            claim.csr_sha256,
            quorate_identity::sha256(csr_pem.as_bytes())
        );
        let name = claim.name.try_into().unwrap();
        let key = tls::check_csr(csr_pem, claim.role, &name).unwrap();
        let mut params = CertificateParams::default();
        let uri = tls::uri(claim.role, &name);
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(if old { 2030 } else { 2090 }, 1, 1);
        v1::EnrolResponse {
            certificate_pem: params.signed_by(&key, &self.issuer).unwrap().pem(),
            ca_pem: self.ca_pem.clone(),
            network: "heart".to_owned(),
            roster: self.roster(),
            codebooks: self.codebooks(),
        }
    }

    fn roster(&self) -> Vec<v1::Signed> {
        self.world.roster.log().iter().map(Into::into).collect()
    }

    fn codebooks(&self) -> Vec<v1::Codebook> {
        vec![v1::Codebook {
            digest: self.world.codebook.digest.clone(),
            text: CODEBOOK.as_bytes().to_vec(),
        }]
    }

    fn standing(&self, id: &str) -> Result<v1::StatusResponse, Status> {
        self.questions
            .get(id)
            .ok_or_else(|| to_status(&Problem::of(Code("X806"))))?;
        let ended = !matches!(self.mood, Mood::Waiting | Mood::Stuck);
        let node = |node: &str, status: &str| progress(node, status, "");
        Ok(v1::StatusResponse {
            question_id: id.to_owned(),
            status: if ended { "answered" } else { "running" }.to_owned(),
            nodes: vec![
                node("bern", "answered"),
                node("cork", "answered"),
                node("oslo", if ended { "absent" } else { "waiting" }),
            ],
            project: "heart-1".to_owned(),
            submitted: 1_790_000_000,
        })
    }
}

fn progress(node: &str, status: &str, code: &str) -> v1::NodeProgress {
    v1::NodeProgress {
        node: node.to_owned(),
        status: status.to_owned(),
        code: code.to_owned(),
    }
}

#[tonic::async_trait]
impl Enrolment for Service {
    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let request = request.into_inner();
        if request.secret != "a secret of sufficient length" {
            return Err(to_status(&Problem::of(Code("A413"))));
        }
        let state = self.0.lock().unwrap();
        let reply = state.issue(&request.csr_pem, request.possession, state.old_certificates);
        Ok(Response::new(reply))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        assert!(request.peer_certs().is_some(), "no certificate");
        let request = request.into_inner();
        let mut state = self.0.lock().unwrap();
        state.renewals += 1;
        Ok(Response::new(state.issue(
            &request.csr_pem,
            request.possession,
            false,
        )))
    }
}

type Events = Pin<Box<dyn futures::Stream<Item = Result<v1::WatchEvent, Status>> + Send>>;

#[tonic::async_trait]
impl Research for Service {
    type WatchStream = Events;

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        assert!(request.peer_certs().is_some(), "no certificate");
        let question: Signed = request.into_inner().question.unwrap().try_into().unwrap();
        let question_id = self.0.lock().unwrap().take(question)?;
        let nodes = ["bern", "cork", "oslo"].map(str::to_owned).to_vec();
        Ok(Response::new(v1::SubmitResponse { question_id, nodes }))
    }

    async fn watch(&self, request: Request<v1::QuestionRef>) -> Result<Response<Events>, Status> {
        let id = request.into_inner().question_id;
        let mut state = self.0.lock().unwrap();
        let mood = state.mood;
        let asked = state.questions.get_mut(&id);
        let asked = asked.ok_or_else(|| to_status(&Problem::of(Code("X806"))))?;
        asked.watches += 1;
        let watches = asked.watches;
        if mood == Mood::Falling && watches == 2 {
            // Lost for a moment, as if a journal had been restored from before the question.
            return Err(to_status(&Problem::of(Code("X806"))));
        }
        let (send, events) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            let node = |node: &str, status: &str, code: &str| {
                Ok(v1::WatchEvent {
                    event: Some(Event::Node(progress(node, status, code))),
                })
            };
            let _ = send.send(node("bern", "running", "")).await;
            if mood == Mood::Falling && watches < 3 {
                let _ = send.send(Err(Status::unavailable("going down"))).await;
                return;
            }
            if mood == Mood::Refusing {
                for name in ["bern", "cork", "oslo"] {
                    let _ = send.send(node(name, "refused", "G501")).await;
                }
            } else {
                let _ = send.send(node("bern", "answered", "")).await;
                let _ = send.send(node("cork", "answered", "")).await;
                let last = if mood == Mood::Waiting {
                    "waiting"
                } else {
                    "absent"
                };
                if mood != Mood::Stuck {
                    let _ = send.send(node("oslo", last, "")).await;
                }
            }
            if matches!(mood, Mood::Waiting | Mood::Stuck) {
                send.closed().await;
                return;
            }
            let status = if mood == Mood::Refusing {
                "refused"
            } else {
                "answered"
            };
            let finished = v1::Finished {
                status: status.to_owned(),
            };
            let _ = send
                .send(Ok(v1::WatchEvent {
                    event: Some(Event::Finished(finished)),
                }))
                .await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(events))))
    }

    async fn fetch(
        &self,
        request: Request<v1::QuestionRef>,
    ) -> Result<Response<v1::FetchResponse>, Status> {
        let id = request.into_inner().question_id;
        let state = self.0.lock().unwrap();
        let asked = state.questions.get(&id);
        let asked = asked.ok_or_else(|| to_status(&Problem::of(Code("X806"))))?;
        let ended = !matches!(state.mood, Mood::Waiting | Mood::Stuck);
        let result = ended.then(|| asked.result.clone());
        Ok(Response::new(v1::FetchResponse { result }))
    }

    async fn status(
        &self,
        request: Request<v1::QuestionRef>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let id = request.into_inner().question_id;
        Ok(Response::new(self.0.lock().unwrap().standing(&id)?))
    }

    async fn list(
        &self,
        _: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListResponse>, Status> {
        let state = self.0.lock().unwrap();
        let ids = state.questions.keys();
        let questions = ids.map(|id| state.standing(id)).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListResponse { questions }))
    }

    async fn cancel(
        &self,
        request: Request<v1::QuestionRef>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let id = request.into_inner().question_id;
        let mut standing = self.0.lock().unwrap().standing(&id)?;
        if standing.status == "running" {
            standing.status = "cancelled".to_owned();
        }
        Ok(Response::new(standing))
    }

    async fn catalogue(
        &self,
        _: Request<v1::CatalogueRequest>,
    ) -> Result<Response<v1::CatalogueResponse>, Status> {
        let state = self.0.lock().unwrap();
        let codebooks = vec![state.world.codebook.digest.clone()];
        let node = |name: &str, connected| v1::NodeEntry {
            name: name.to_owned(),
            connected,
            codebooks: codebooks.clone(),
        };
        Ok(Response::new(v1::CatalogueResponse {
            codebooks: state.codebooks(),
            nodes: vec![node("bern", true), node("cork", true), node("oslo", false)],
        }))
    }

    async fn roster(
        &self,
        _: Request<v1::RosterRequest>,
    ) -> Result<Response<v1::RosterResponse>, Status> {
        let state = self.0.lock().unwrap();
        Ok(Response::new(v1::RosterResponse {
            roster: state.roster(),
            network: "heart".to_owned(),
            stamps: Vec::new(),
        }))
    }
}
