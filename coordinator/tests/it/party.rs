//! Scripted parties: a researcher and a node that do what a test tells them, over real mTLS.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper_util::rt::TokioIo;
use quorate_identity::roster::Head;
use quorate_identity::token::EnrolToken;
use quorate_identity::{Role, Signed, SigningKey, sha256, tls};
use quorate_query::answer::{Cell, Mode, NodeRow, NodeTable, Protection};
use quorate_query::number::Number;
use quorate_query::value::Scalar;
use quorate_query::{canonical, codebook, sql};
use quorate_wire::v1::enrolment_client::EnrolmentClient;
use quorate_wire::v1::hub_frame::Frame;
use quorate_wire::v1::node_frame;
use quorate_wire::v1::node_link_client::NodeLinkClient;
use quorate_wire::v1::research_client::ResearchClient;
use quorate_wire::v1::{
    EnrolRequest, EnrolResponse, HubFrame, NodeFrame, QuestionRef, RenewRequest, SubmitRequest,
};
use quorate_wire::{
    AnswerPayload, EnrolPayload, Hello, LedgerRef, Payload, QuestionId, QuestionPayload,
    RefusalPayload, ResultPayload, from_status, sign,
};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::net::CODEBOOK;

pub(crate) const SQL: &str = "SELECT sex, count(*) AS n FROM person GROUP BY sex";

pub(crate) fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the scripted parties live in real time"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// The stable code that a status carries.
pub(crate) fn code(status: &Status) -> String {
    from_status(status).map_or_else(|| format!("no code: {status:?}"), |problem| problem.code)
}

pub(crate) async fn connect(url: &str, config: rustls::ClientConfig) -> Result<Channel, String> {
    let address = url.strip_prefix("https://").unwrap().to_owned();
    let config = Arc::new(config);
    let connector = tower::service_fn(move |_: tonic::transport::Uri| {
        let (address, config) = (address.clone(), Arc::clone(&config));
        async move {
            let tcp = TcpStream::connect(address).await?;
            let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
            let stream = TlsConnector::from(config).connect(name, tcp).await?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://coordinator");
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| format!("{error:?}"))
}

/// A party with an identity key and a certificate.
pub(crate) struct Party {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) key: SigningKey,
    pub(crate) certificate: String,
    pub(crate) tls_key: String,
    pub(crate) ca: String,
    pub(crate) url: String,
    pub(crate) welcome: EnrolResponse,
}

fn request(role: Role, name: &str, key: &SigningKey) -> (tls::Csr, Signed) {
    let csr = tls::new_csr(&format!("quorate://{role}/{name}")).unwrap();
    let proof = EnrolPayload {
        role,
        name: name.to_owned(),
        csr_sha256: sha256(csr.csr_pem.as_bytes()),
    };
    let possession = sign(&proof, key);
    (csr, possession)
}

impl Party {
    pub(crate) async fn enrol(token: &EnrolToken, key: SigningKey) -> Result<Self, Status> {
        let (role, name) = (token.role.unwrap(), token.name.clone().unwrap().to_string());
        Self::enrol_as(token, key, role, &name).await
    }

    pub(crate) async fn enrol_as(
        token: &EnrolToken,
        key: SigningKey,
        role: Role,
        name: &str,
    ) -> Result<Self, Status> {
        let config = tls::enrol_client_config(&token.ca_pin().unwrap()).unwrap();
        let channel = connect(&token.url, config).await.unwrap();
        let (csr, possession) = request(role, name, &key);
        let request = EnrolRequest {
            secret: token.secret.clone(),
            csr_pem: csr.csr_pem,
            possession: Some(possession.into()),
        };
        let welcome = EnrolmentClient::new(channel)
            .enrol(request)
            .await?
            .into_inner();
        Ok(Self {
            role,
            name: name.to_owned(),
            key,
            certificate: welcome.certificate_pem.clone(),
            tls_key: csr.key_pem.to_string(),
            ca: welcome.ca_pem.clone(),
            url: token.url.clone(),
            welcome,
        })
    }

    pub(crate) async fn channel(&self) -> Channel {
        let identity = Some((self.certificate.as_str(), self.tls_key.as_str()));
        let config = tls::client_config(&self.ca, &[], identity).unwrap();
        connect(&self.url, config).await.unwrap()
    }

    /// Asks for a new certificate, with any identity key.
    pub(crate) async fn renew(&self, key: &SigningKey) -> Result<EnrolResponse, Status> {
        let (csr, possession) = request(self.role, &self.name, key);
        let renewal = RenewRequest {
            csr_pem: csr.csr_pem,
            possession: Some(possession.into()),
        };
        let mut client = EnrolmentClient::new(self.channel().await);
        client.renew(renewal).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn research(&self) -> ResearchClient<Channel> {
        ResearchClient::new(self.channel().await)
    }

    /// A question for these nodes, bound to the newest roster.
    pub(crate) async fn question(
        &self,
        nodes: &[&str],
        change: impl FnOnce(&mut QuestionPayload),
    ) -> Signed {
        let roster = self
            .research()
            .await
            .roster(quorate_wire::v1::RosterRequest {})
            .await
            .unwrap();
        let last: Signed = roster
            .into_inner()
            .roster
            .pop()
            .unwrap()
            .try_into()
            .unwrap();
        let book = codebook::read(CODEBOOK, "codebook.toml").unwrap();
        let read = sql::read(SQL, &Default::default(), &book).unwrap();
        let mut payload = QuestionPayload {
            network: "heart".to_owned(),
            question_id: QuestionId::generate(u64::try_from(now()).unwrap() * 1000).unwrap(),
            researcher: self.name.clone(),
            project: "heart-1".to_owned(),
            purpose: String::new(),
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            codebook: book.digest.clone(),
            roster_head: quorate_identity::digest_text(&last.digest()),
            request: SQL.into(),
            canonical_version: canonical::VERSION,
            canonical_digest: read.digest(),
            params: Default::default(),
            not_before: now() - 60,
            expires: now() + 3600,
            must_understand: BTreeSet::new(),
            min_nodes: 0,
        };
        change(&mut payload);
        sign(&payload, &self.key)
    }

    pub(crate) async fn submit(&self, question: &Signed) -> Result<String, Status> {
        let request = SubmitRequest {
            question: Some(question.into()),
        };
        let submitted = self.research().await.submit(request).await?;
        Ok(submitted.into_inner().question_id)
    }

    /// Waits for the end of a question and fetches its result.
    pub(crate) async fn result(&self, id: &str) -> ResultPayload {
        let mut client = self.research().await;
        let question = QuestionRef {
            question_id: id.to_owned(),
        };
        let mut events = client.watch(question.clone()).await.unwrap().into_inner();
        while events.message().await.unwrap().is_some() {}
        let result = client
            .fetch(question)
            .await
            .unwrap()
            .into_inner()
            .result
            .unwrap();
        let signed: Signed = result.try_into().unwrap();
        signed.verify_sole("result").unwrap();
        ResultPayload::decode(&signed.payload).unwrap()
    }

    pub(crate) async fn status(&self, id: &str) -> String {
        let question = QuestionRef {
            question_id: id.to_owned(),
        };
        self.research()
            .await
            .status(question)
            .await
            .unwrap()
            .into_inner()
            .status
    }

    /// Opens a node's stream and reads its welcome.
    pub(crate) async fn attach(&self) -> Result<Node<'_>, Status> {
        self.attach_with(|_| {}).await
    }

    pub(crate) async fn attach_with(
        &self,
        change: impl FnOnce(&mut Hello),
    ) -> Result<Node<'_>, Status> {
        let mut hello = Hello {
            network: "heart".to_owned(),
            node: self.name.clone(),
            protocol_min: 1,
            protocol_max: 1,
            build: "scripted".to_owned(),
            features: BTreeSet::new(),
            certificate_sha256: tls::fingerprint(&self.certificate).unwrap(),
            roster_head: String::new(),
            codebooks: BTreeSet::new(),
            time: now(),
        };
        change(&mut hello);
        let (out, frames) = mpsc::channel(16);
        let first = node_frame::Frame::Hello(sign(&hello, &self.key).into());
        out.send(NodeFrame { frame: Some(first) }).await.unwrap();
        let mut client = NodeLinkClient::new(self.channel().await);
        let mut incoming = client
            .attach(ReceiverStream::new(frames))
            .await?
            .into_inner();
        match incoming.message().await? {
            Some(HubFrame {
                frame: Some(Frame::Welcome(welcome)),
            }) => {
                let last: Signed = welcome.roster.last().unwrap().try_into().unwrap();
                let head = Head {
                    seq: u64::try_from(welcome.roster.len()).unwrap(),
                    hash: quorate_identity::digest_text(&last.digest()),
                };
                Ok(Node {
                    party: self,
                    out,
                    incoming,
                    head,
                })
            }
            other => panic!("no welcome but {other:?}"),
        }
    }
}

/// Whether a witness frame is about the coordinator's own log.
fn is_log(seen: &quorate_wire::v1::Witness) -> bool {
    seen.checkpoint
        .as_ref()
        .is_some_and(|signed| signed.kind == "log")
}

/// A node's open stream.
pub(crate) struct Node<'a> {
    pub(crate) party: &'a Party,
    pub(crate) out: mpsc::Sender<NodeFrame>,
    pub(crate) incoming: Streaming<HubFrame>,
    pub(crate) head: Head,
}

impl Node<'_> {
    /// The next frame that is no ping; none when the stream has ended.
    pub(crate) async fn hear(&mut self) -> Result<Option<Frame>, Status> {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.incoming.message()).await;
            match next
                .expect("a frame within 20 s")?
                .map(|frame| frame.frame.unwrap())
            {
                Some(Frame::Ping(_)) => {}
                // Where the coordinator's own log stands may come at any time.
                Some(Frame::Witness(seen)) if is_log(&seen) => {}
                other => return Ok(other),
            }
        }
    }

    /// The next question that is delivered.
    pub(crate) async fn question(&mut self) -> Signed {
        match self.hear().await.unwrap() {
            Some(Frame::Deliver(deliver)) => deliver.question.unwrap().try_into().unwrap(),
            other => panic!("no question but {other:?}"),
        }
    }

    /// The receipt for what was just said.
    pub(crate) async fn receipt(&mut self) -> Vec<u8> {
        match self.hear().await.unwrap() {
            Some(Frame::Receipt(receipt)) => receipt.answer_sha256,
            other => panic!("no receipt but {other:?}"),
        }
    }

    pub(crate) fn payload(&self, question: &Signed, persons: i128) -> AnswerPayload {
        let asked = QuestionPayload::decode(&question.payload).unwrap();
        let row = |sex: i128| NodeRow {
            key: vec![Scalar::Number(Number::new(sex, 0))],
            cells: vec![Cell::Value(vec![Number::new(persons, 0)])],
        };
        let digest = quorate_identity::digest_text(&[7; 32]);
        AnswerPayload {
            network: "heart".to_owned(),
            node: self.party.name.clone(),
            question_id: asked.question_id,
            question_digest: question.digest(),
            round: 0,
            roster_head: self.head.hash.clone(),
            codebook: asked.codebook,
            population: "p".to_owned(),
            epoch: digest.clone(),
            policy: digest.clone(),
            protection: Protection {
                mode: Mode::Round,
                k: 8,
                round_base: 5,
            },
            tables: vec![NodeTable {
                rows: vec![row(0), row(1)],
            }],
            notes: Vec::new(),
            ledger: LedgerRef {
                seq: 1,
                head: digest,
            },
            receipt: None,
            padding: 0,
        }
    }

    pub(crate) fn answer(&self, question: &Signed, persons: i128) -> Signed {
        sign(&self.payload(question, persons), &self.party.key)
    }

    pub(crate) fn refusal(&self, question: &Signed, code: &str) -> Signed {
        let answer = self.payload(question, 0);
        let refusal = RefusalPayload {
            network: answer.network,
            node: answer.node,
            question_id: answer.question_id,
            question_digest: answer.question_digest,
            round: 0,
            roster_head: answer.roster_head,
            codebook: answer.codebook,
            population: answer.population,
            epoch: answer.epoch,
            code: code.to_owned(),
            ticket: String::new(),
            ledger: Some(answer.ledger),
        };
        sign(&refusal, &self.party.key)
    }

    pub(crate) async fn say(&self, signed: &Signed) {
        let frame = match signed.kind.as_str() {
            "answer" => node_frame::Frame::Answer(signed.into()),
            "refusal" => node_frame::Frame::Refusal(signed.into()),
            "stamp" => node_frame::Frame::Stamp(signed.into()),
            "checkpoint" => node_frame::Frame::Checkpoint(signed.into()),
            other => panic!("{other}"),
        };
        self.out
            .send(NodeFrame { frame: Some(frame) })
            .await
            .unwrap();
    }
}
