//! What researchers may do: submit, watch, fetch, cancel their own questions, and read what is
//! public to members. A researcher must be live in the roster at every request.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use quorate_identity::tls::PeerIdentity;
use quorate_identity::{Role, Signed};
use quorate_query::problem::{Code, Problem};
use quorate_wire::v1::research_server::Research;
use quorate_wire::v1::watch_event::Event;
use quorate_wire::v1::{
    CatalogueRequest, CatalogueResponse, FetchResponse, Finished, ListRequest, ListResponse,
    NodeEntry, NodeProgress, QuestionRef, RosterRequest, RosterResponse, StatusResponse,
    SubmitRequest, SubmitResponse, WatchEvent,
};
use quorate_wire::{QuestionStatus, to_status};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{caller, internal, malformed};
use crate::fanout::{Board, Place};
use crate::hub::Hub;
use crate::journal::{NodeRow, Outcome, QuestionRow, unpack};
use crate::round::{SubmitError, submit};

/// Most questions that one list shows.
const LIST: u32 = 200;
/// Events that may wait for a slow watcher.
const QUEUE: usize = 64;

/// How long a watcher waits for a round that is about to begin.
const BETWEEN: Duration = Duration::from_millis(50);

/// Research over a hub.
pub(super) struct ResearchService(pub(super) Arc<Hub>);

type Events = Pin<Box<dyn Stream<Item = Result<WatchEvent, Status>> + Send>>;

#[tonic::async_trait]
impl Research for ResearchService {
    type WatchStream = Events;

    async fn submit(
        &self,
        request: Request<SubmitRequest>,
    ) -> Result<Response<SubmitResponse>, Status> {
        let peer = self.researcher(&request).await?;
        let question = request.into_inner().question;
        let question = question.ok_or_else(|| to_status(&Problem::of(Code("A414"))))?;
        let signed: Signed = question.try_into().map_err(malformed)?;
        let submitted = submit(&self.0, peer.name.as_str(), &signed)
            .await
            .map_err(told)?;
        if let Some(accepted) = submitted.accepted {
            tracing::info!(
                question = submitted.id,
                nodes = submitted.nodes.len(),
                "accepted"
            );
            self.0.finish(accepted);
        }
        let question_id = submitted.id;
        Ok(Response::new(SubmitResponse {
            question_id,
            nodes: submitted.nodes,
        }))
    }

    async fn watch(&self, request: Request<QuestionRef>) -> Result<Response<Events>, Status> {
        let (peer, row) = self.own(request).await?;
        let (events, stream) = mpsc::channel(QUEUE);
        let hub = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Err(status) = show(&hub, &peer, &row, &events).await {
                let _ = events.send(Err(status)).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn fetch(
        &self,
        request: Request<QuestionRef>,
    ) -> Result<Response<FetchResponse>, Status> {
        let (_, row) = self.own(request).await?;
        if row.status == QuestionStatus::Cancelled {
            return Err(to_status(&Problem::of(Code("X803"))));
        }
        let result = self
            .0
            .journal
            .call(move |store| store.result(&row.id))
            .await;
        let result = result.and_then(|bytes| bytes.map(|bytes| unpack(&bytes)).transpose());
        let result = result.map_err(|error| internal(&error))?.map(Into::into);
        Ok(Response::new(FetchResponse { result }))
    }

    async fn status(
        &self,
        request: Request<QuestionRef>,
    ) -> Result<Response<StatusResponse>, Status> {
        let (_, row) = self.own(request).await?;
        Ok(Response::new(self.describe(row).await?))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let peer = self.researcher(&request).await?;
        let most = match request.into_inner().limit {
            0 => LIST,
            limit => limit.min(LIST),
        };
        let name = peer.name.to_string();
        let rows = self
            .0
            .journal
            .call(move |store| store.questions(Some(&name), most))
            .await;
        let mut questions = Vec::new();
        for row in rows.map_err(|error| internal(&error))? {
            questions.push(self.describe(row).await?);
        }
        Ok(Response::new(ListResponse { questions }))
    }

    async fn cancel(
        &self,
        request: Request<QuestionRef>,
    ) -> Result<Response<StatusResponse>, Status> {
        let (_, mut row) = self.own(request).await?;
        let (id, now) = (row.id.clone(), self.0.now());
        let cancelled = self
            .0
            .journal
            .call(move |store| store.cancel(&id, now))
            .await;
        if cancelled.map_err(|error| internal(&error))? {
            self.0.fanout.cancel(&row.id);
            row.status = QuestionStatus::Cancelled;
        }
        Ok(Response::new(self.describe(row).await?))
    }

    async fn catalogue(
        &self,
        request: Request<CatalogueRequest>,
    ) -> Result<Response<CatalogueResponse>, Status> {
        self.researcher(&request).await?;
        let public = self.0.public();
        let known = self.0.journal.call(|store| store.nodes()).await;
        let known = known.map_err(|error| internal(&error))?;
        let connected = self.0.fanout.connected();
        let roster = public.roster().map_err(|problem| to_status(&problem))?;
        let members = roster
            .members(self.0.now())
            .filter(|member| member.role == Role::Node);
        let entry = |name: String| NodeEntry {
            connected: connected.contains(&name),
            codebooks: codebooks_of(&known, &name),
            name,
        };
        Ok(Response::new(CatalogueResponse {
            codebooks: public.codebooks_for_wire(|_| false),
            nodes: members
                .map(|member| entry(member.name.to_string()))
                .collect(),
        }))
    }

    async fn roster(
        &self,
        request: Request<RosterRequest>,
    ) -> Result<Response<RosterResponse>, Status> {
        self.0.fresh().await;
        // A certificate is enough: a researcher who is not in the roster yet must be able to see it.
        caller(&self.0, &request, Role::Researcher)?;
        let update = self.0.roster_update();
        Ok(Response::new(RosterResponse {
            roster: update.entries,
            network: self.0.config.network.to_string(),
            stamps: update.stamps,
        }))
    }
}

impl ResearchService {
    /// The live researcher on the line.
    async fn researcher<T: Sync>(&self, request: &Request<T>) -> Result<PeerIdentity, Status> {
        self.0.fresh().await;
        let peer = caller(&self.0, request, Role::Researcher)?;
        self.0
            .public()
            .member(&peer, self.0.now())
            .map_err(|problem| to_status(&problem))?;
        Ok(peer)
    }

    /// A question of the researcher on the line. Somebody else's does not exist.
    async fn own(
        &self,
        request: Request<QuestionRef>,
    ) -> Result<(PeerIdentity, QuestionRow), Status> {
        let peer = self.researcher(&request).await?;
        let id = request.into_inner().question_id;
        let row = self.0.journal.call(move |store| store.question(&id)).await;
        let row = row.map_err(|error| internal(&error))?;
        let own = row.filter(|row| peer.name == *row.researcher);
        own.map(|row| (peer, row))
            .ok_or_else(|| to_status(&Problem::of(Code("X806"))))
    }

    async fn describe(&self, row: QuestionRow) -> Result<StatusResponse, Status> {
        let nodes = match self.0.fanout.watch(&row.id) {
            Some(board) => progress(&board.borrow()),
            None => settled(&self.0, &row.id).await?,
        };
        Ok(StatusResponse {
            question_id: row.id,
            status: row.status.as_str().to_owned(),
            nodes,
            project: row.project,
            submitted: row.submitted,
        })
    }
}

/// Streams where every node stands, each change once, and then how the question ended. Between
/// acceptance and fan-out, and while a fault is being repaired, there is no round to watch: then
/// the journal is asked until there is one or the question has ended.
async fn show(
    hub: &Hub,
    peer: &PeerIdentity,
    row: &QuestionRow,
    events: &mpsc::Sender<Result<WatchEvent, Status>>,
) -> Result<(), Status> {
    let mut shown = Vec::new();
    loop {
        if let Some(board) = hub.fanout.watch(&row.id)
            && let Some(status) = follow(hub, peer, board, &mut shown, events).await?
        {
            return tell(events, finish(status)).await;
        }
        let id = row.id.clone();
        let ended = hub.journal.call(move |store| store.question(&id)).await;
        let ended = ended.map_err(|error| internal(&error))?;
        if let Some(status) = ended
            .map(|row| row.status)
            .filter(|status| status.is_final())
        {
            let nodes = settled(hub, &row.id).await?;
            tell_new(nodes, &mut shown, events).await?;
            return tell(events, finish(status)).await;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Shows one round until it ends; none if it was taken away without an end.
async fn follow(
    hub: &Hub,
    peer: &PeerIdentity,
    mut board: watch::Receiver<Board>,
    shown: &mut Vec<NodeProgress>,
    events: &mpsc::Sender<Result<WatchEvent, Status>>,
) -> Result<Option<QuestionStatus>, Status> {
    let mut changes = hub.changes();
    loop {
        let (nodes, finished) = look(&mut board);
        tell_new(nodes, shown, events).await?;
        if finished.is_some() {
            return Ok(finished);
        }
        tokio::select! {
            changed = board.changed() => if changed.is_err() { return Ok(None) },
            _ = changes.changed() => {
                let (public, now) = (hub.public(), hub.now());
                public.door(peer, now).map_err(|problem| to_status(&problem))?;
                public.member(peer, now).map_err(|problem| to_status(&problem))?;
            }
            () = events.closed() => return Err(gone()),
        }
    }
}

async fn tell_new(
    nodes: Vec<NodeProgress>,
    shown: &mut Vec<NodeProgress>,
    events: &mpsc::Sender<Result<WatchEvent, Status>>,
) -> Result<(), Status> {
    for node in nodes.iter().filter(|node| !shown.contains(node)) {
        tell(events, Event::Node(node.clone())).await?;
    }
    *shown = nodes;
    Ok(())
}

fn look(board: &mut watch::Receiver<Board>) -> (Vec<NodeProgress>, Option<QuestionStatus>) {
    let board = board.borrow_and_update();
    (progress(&board), board.finished)
}

fn finish(status: QuestionStatus) -> Event {
    Event::Finished(Finished {
        status: status.as_str().to_owned(),
    })
}

async fn tell(
    events: &mpsc::Sender<Result<WatchEvent, Status>>,
    event: Event,
) -> Result<(), Status> {
    let sent = events.send(Ok(WatchEvent { event: Some(event) })).await;
    sent.map_err(|_| gone())
}

fn gone() -> Status {
    Status::cancelled("the watcher has gone")
}

/// Nodes that were reached, and where they stand.
fn progress(board: &Board) -> Vec<NodeProgress> {
    let one = |(node, place): (&String, &Place)| {
        Some(NodeProgress {
            node: node.clone(),
            status: place.status()?.as_str().to_owned(),
            code: place.code().unwrap_or_default().to_owned(),
        })
    };
    board.nodes.iter().filter_map(one).collect()
}

/// Where the nodes of a question stand that is not under way.
async fn settled(hub: &Hub, id: &str) -> Result<Vec<NodeProgress>, Status> {
    let id = id.to_owned();
    let outcomes = hub.journal.call(move |store| store.outcomes(&id)).await;
    let one = |outcome: Outcome| {
        Some(NodeProgress {
            node: outcome.node,
            status: outcome.settled?.status().as_str().to_owned(),
            code: outcome.code.unwrap_or_default(),
        })
    };
    Ok(outcomes
        .map_err(|error| internal(&error))?
        .into_iter()
        .filter_map(one)
        .collect())
}

fn codebooks_of(known: &[NodeRow], name: &str) -> Vec<String> {
    let row = known.iter().find(|row| row.name == name);
    row.map(|row| row.codebooks.clone()).unwrap_or_default()
}

fn told(error: SubmitError) -> Status {
    match error {
        SubmitError::Problem(problem) => to_status(&problem),
        SubmitError::Journal(error) => internal(&error),
    }
}
