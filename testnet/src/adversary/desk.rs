//! Where a coordinator that lies meets researchers: it takes their questions, has real nodes answer
//! them, and hands out what it makes of that, after its lies.
//!
//! What is not a lie here is what an honest coordinator would say, so that whatever is refused is
//! refused for the lie.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_identity::{Signed, SigningKey};
use quorate_query::codebook::{self, Codebook};
use quorate_query::combine::{SiteTables, combine_tables};
use quorate_wire::v1::research_server::Research;
use quorate_wire::v1::{self, hub_frame, watch_event};
use quorate_wire::{
    AnswerPayload, NodeOutcome, NodeStatus, Payload, QuestionPayload, QuestionStatus,
    RefusalPayload, ResultPayload, sign,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::coordinator::Sessions;
use crate::clock;

/// How long nodes have to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A change of something before it is signed or shown.
pub type Lie<T> = Box<dyn Fn(&mut T) + Send>;

/// What the coordinator changes; nothing unless said.
#[derive(Default)]
pub struct Lies {
    /// Of what the nodes said, before it is combined.
    pub nodes: Option<Lie<Vec<NodeOutcome>>>,
    /// Of the result, before it is signed.
    pub result: Option<Lie<ResultPayload>>,
    /// Of the result as it is signed.
    pub signed: Option<Lie<Signed>>,
    /// Of the roster that researchers are shown.
    pub roster: Option<Lie<Vec<v1::Signed>>>,
    /// Of the codebooks that researchers are shown.
    pub codebooks: Option<Lie<Vec<v1::Codebook>>>,
}

impl std::fmt::Debug for Lies {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Lies")
    }
}

/// One question and what became of it.
#[derive(Clone, Debug)]
struct Asked {
    question: Signed,
    nodes: Vec<String>,
    said: BTreeMap<String, Signed>,
}

/// What the coordinator knows.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) key: SigningKey,
    welcome: v1::Welcome,
    sessions: Mutex<Sessions>,
    asked: Mutex<BTreeMap<String, Asked>>,
    lies: Mutex<Lies>,
}

impl Desk {
    pub(super) fn new(key: SigningKey, welcome: v1::Welcome) -> Self {
        Self {
            key,
            welcome,
            sessions: Mutex::default(),
            asked: Mutex::default(),
            lies: Mutex::default(),
        }
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }

    pub(super) fn lies(&self) -> MutexGuard<'_, Lies> {
        lock(&self.lies)
    }

    pub(super) fn send_to(&self, node: &str, frame: hub_frame::Frame) -> bool {
        let frame = v1::HubFrame { frame: Some(frame) };
        let sessions = self.sessions();
        let session = sessions.open.get(node);
        session.is_some_and(|session| session.send(Ok(frame)).is_ok())
    }

    /// A node's answer or refusal.
    pub(super) fn said(&self, id: &str, node: &str, signed: Signed) {
        if let Some(asked) = lock(&self.asked).get_mut(id) {
            asked.said.entry(node.to_owned()).or_insert(signed);
        }
    }

    /// Delivers a question to every node that it is for.
    fn submit(&self, question: Signed) -> Option<(String, Vec<String>)> {
        let payload = QuestionPayload::decode(&question.payload).ok()?;
        let id = payload.question_id.to_string();
        let open: Vec<String> = self.sessions().open.keys().cloned().collect();
        let nodes: Vec<String> = open.into_iter().filter(|n| payload.names(n)).collect();
        let asked = Asked {
            question: question.clone(),
            nodes: nodes.clone(),
            said: BTreeMap::new(),
        };
        lock(&self.asked).insert(id.clone(), asked);
        for node in &nodes {
            let deliver = v1::Deliver {
                question: Some(question.clone().into()),
                round: 0,
                deadline: clock::unix() + 60,
            };
            self.send_to(node, hub_frame::Frame::Deliver(deliver));
        }
        Some((id, nodes))
    }

    /// What became of a question, once every node has said something.
    async fn heard(&self, id: &str) -> Option<Asked> {
        let end = clock::now() + PATIENCE;
        loop {
            let asked = lock(&self.asked).get(id).cloned()?;
            if asked.said.len() == asked.nodes.len() || clock::now() >= end {
                return Some(asked);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The result, lies and all.
    fn result(&self, asked: &Asked) -> anyhow::Result<Signed> {
        let question = QuestionPayload::decode(&asked.question.payload)?;
        let outcome = |node: &String| outcome(node, asked.said.get(node));
        let mut nodes: Vec<NodeOutcome> = asked.nodes.iter().map(outcome).collect();
        let lies = self.lies();
        if let Some(lie) = &lies.nodes {
            lie(&mut nodes);
        }
        let combined = self.combined(&question, &nodes)?;
        let enough = combined.is_some();
        let mut result = ResultPayload {
            network: question.network.clone(),
            question_id: question.question_id,
            question: asked.question.clone(),
            nodes,
            status: if enough {
                QuestionStatus::Answered
            } else {
                QuestionStatus::TooFewNodes
            },
            combined: combined.unwrap_or_default(),
            finished: clock::unix(),
            problem: (!enough).then(|| "X801".to_owned()),
        };
        if let Some(lie) = &lies.result {
            lie(&mut result);
        }
        let mut signed = sign(&result, &self.key);
        if let Some(lie) = &lies.signed {
            lie(&mut signed);
        }
        Ok(signed)
    }

    /// What the answers combine to; none without an answer.
    fn combined(
        &self,
        question: &QuestionPayload,
        nodes: &[NodeOutcome],
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let book = self.codebook(&question.codebook)?;
        let read = question.request.read(&question.params, &book);
        let read = read.map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let answers: Vec<(&str, Option<AnswerPayload>)> = nodes
            .iter()
            .map(|node| (node.name.as_str(), answer(node)))
            .collect();
        if answers.iter().all(|(_, answer)| answer.is_none()) {
            return Ok(None);
        }
        let sites: Vec<SiteTables<'_>> = answers
            .iter()
            .map(|(node, answer)| SiteTables {
                node,
                tables: answer
                    .as_ref()
                    .map(|answer| (answer.tables.as_slice(), answer.protection)),
            })
            .collect();
        Ok(Some(combine_tables(&read, &book, &sites)?.to_bytes()))
    }

    fn codebook(&self, digest: &str) -> anyhow::Result<Codebook> {
        let found = self.welcome.codebooks.iter().find(|b| b.digest == digest);
        let found = found.ok_or_else(|| anyhow::anyhow!("no codebook {digest}"))?;
        let text = String::from_utf8(found.text.clone())?;
        codebook::read(&text, "codebook").map_err(|mistakes| anyhow::anyhow!("{mistakes}"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an honest coordinator says of a node.
fn outcome(node: &str, said: Option<&Signed>) -> NodeOutcome {
    let refusal = said.and_then(|signed| RefusalPayload::decode(&signed.payload).ok());
    let refusal = refusal.filter(|_| said.is_some_and(|signed| signed.kind == "refusal"));
    NodeOutcome {
        name: node.to_owned(),
        status: match (said, &refusal) {
            (None, _) => NodeStatus::Absent,
            (Some(_), Some(_)) => NodeStatus::Refused,
            (Some(_), None) => NodeStatus::Answered,
        },
        code: refusal.map(|refusal| refusal.code),
        signed: said.cloned(),
    }
}

fn answer(node: &NodeOutcome) -> Option<AnswerPayload> {
    let signed = node.signed.as_ref()?;
    let answered = node.status == NodeStatus::Answered;
    answered.then(|| AnswerPayload::decode(&signed.payload).ok())?
}

/// The service over the desk.
pub(super) struct ResearchDesk(pub(super) Arc<Desk>);

type Events = Pin<Box<dyn Stream<Item = Result<v1::WatchEvent, Status>> + Send>>;

fn lost() -> Status {
    Status::internal("the liar has lost its thread")
}

#[tonic::async_trait]
impl Research for ResearchDesk {
    type WatchStream = Events;

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let question = request.into_inner().question.ok_or_else(lost)?;
        let question = Signed::try_from(question).map_err(|_| lost())?;
        let (question_id, nodes) = self.0.submit(question).ok_or_else(lost)?;
        Ok(Response::new(v1::SubmitResponse { question_id, nodes }))
    }

    async fn watch(
        &self,
        request: Request<v1::QuestionRef>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let id = request.into_inner().question_id;
        self.0.heard(&id).await.ok_or_else(lost)?;
        let finished = watch_event::Event::Finished(v1::Finished {
            status: "answered".to_owned(),
        });
        let event = v1::WatchEvent {
            event: Some(finished),
        };
        let events = tokio_stream::once(Ok(event));
        Ok(Response::new(Box::pin(events)))
    }

    async fn fetch(
        &self,
        request: Request<v1::QuestionRef>,
    ) -> Result<Response<v1::FetchResponse>, Status> {
        let id = request.into_inner().question_id;
        let asked = self.0.heard(&id).await.ok_or_else(lost)?;
        let signed = self.0.result(&asked).map_err(|_| lost())?;
        let result = Some(signed.into());
        Ok(Response::new(v1::FetchResponse { result }))
    }

    async fn status(
        &self,
        request: Request<v1::QuestionRef>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let question_id = request.into_inner().question_id;
        Ok(Response::new(v1::StatusResponse {
            question_id,
            status: "answered".to_owned(),
            ..v1::StatusResponse::default()
        }))
    }

    async fn list(
        &self,
        _: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListResponse>, Status> {
        Ok(Response::new(v1::ListResponse::default()))
    }

    async fn cancel(
        &self,
        _: Request<v1::QuestionRef>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        Err(lost())
    }

    async fn catalogue(
        &self,
        _: Request<v1::CatalogueRequest>,
    ) -> Result<Response<v1::CatalogueResponse>, Status> {
        let mut codebooks = self.0.welcome.codebooks.clone();
        if let Some(lie) = &self.0.lies().codebooks {
            lie(&mut codebooks);
        }
        let open: Vec<String> = self.0.sessions().open.keys().cloned().collect();
        let entry = |name: String| v1::NodeEntry {
            name,
            connected: true,
            codebooks: codebooks.iter().map(|book| book.digest.clone()).collect(),
        };
        let nodes = open.into_iter().map(entry).collect();
        Ok(Response::new(v1::CatalogueResponse { codebooks, nodes }))
    }

    async fn roster(
        &self,
        _: Request<v1::RosterRequest>,
    ) -> Result<Response<v1::RosterResponse>, Status> {
        let mut roster = self.0.welcome.roster.clone();
        if let Some(lie) = &self.0.lies().roster {
            lie(&mut roster);
        }
        Ok(Response::new(v1::RosterResponse {
            roster,
            network: self.0.welcome.network.clone(),
            stamps: Vec::new(),
        }))
    }
}
