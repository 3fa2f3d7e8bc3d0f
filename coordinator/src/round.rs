//! The story of a question at the coordinator: verify, read, choose, accept; then fan out, admit,
//! combine, sign. Each step returns a type that only it can make and that the next one demands.
//!
//! The coordinator passes on the signed original. It is not trusted for safety: a node verifies,
//! reads and decides for itself, and the researcher's machine checks every signature and combines
//! again. What is refused here is refused early, as a courtesy.

use std::sync::Arc;
use std::time::Duration;

use quorate_identity::{Role, Signed};
use quorate_query::canonical;
use quorate_query::combine::{SiteTables, combine_tables};
use quorate_query::problem::{Code, Problem};
use quorate_query::question::Question;
use quorate_wire::v1::Deliver;
use quorate_wire::{
    MAX_MESSAGE, NodeOutcome, NodeStatus, OpenError, Opened, Payload, QuestionPayload,
    QuestionStatus, ResultPayload, open, open_question, sign as sign_payload,
};
use tokio::time::Instant;

use crate::admit::{Admitted, Spoken, TurnedAway, recall};
use crate::ca::seconds;
use crate::codebooks::Published;
use crate::fanout::Patience;
use crate::hub::Hub;
use crate::journal::{
    Accept, JournalError, NewQuestion, Outcome, Settled, Unfinished, pack, unpack,
};
use crate::public::Public;

/// Largest payload of a result: a message, less its envelope.
const MAX_RESULT: usize = MAX_MESSAGE - 16 * 1024;

/// Takes a question in. When it returns, the question is on disk and its nodes are being asked.
pub(crate) async fn submit(
    hub: &Hub,
    researcher: &str,
    signed: &Signed,
) -> Result<Submitted, SubmitError> {
    let (public, now) = (hub.public(), hub.now());
    let verified = verify(&public, researcher, signed, now)?;
    let read = read(&public, verified)?;
    let chosen = choose(&public, read, now)?;
    accept(hub, chosen, now).await
}

/// Brings an accepted question to its end, in one go or after a restart.
pub(crate) async fn finish(hub: &Hub, accepted: Accepted) -> Result<QuestionStatus, RoundError> {
    let asked = fan_out(hub, accepted).await?;
    let heard = admit(&hub.public(), asked, hub.now())?;
    let combined = combine(heard);
    let signed = sign(hub, combined);
    record(hub, signed).await
}

/// Why a question is not taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The researcher is told what is wrong.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Nothing was acknowledged.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why an accepted question cannot be finished now; it stays in the journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundError {
    /// The journal is at fault.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What the journal holds does not open any more.
    #[error("a stored message does not open: {0}")]
    Stored(#[from] OpenError),
    /// A stored answer does not open any more.
    #[error("a stored answer does not open: {0}")]
    Answer(#[from] TurnedAway),
    /// The question cannot be read any more, because its codebook is gone.
    #[error("a stored question cannot be read: {0}")]
    Unreadable(#[from] Problem),
}

/// What became of a submitted question.
pub(crate) struct Submitted {
    /// Its id.
    pub(crate) id: String,
    /// The nodes that it is put to.
    pub(crate) nodes: Vec<String>,
    /// What to finish; none if the same bytes were accepted before.
    pub(crate) accepted: Option<Accepted>,
}

/// Signed by a live researcher, who is the one on the line, for this network and this time.
struct Verified(Opened<QuestionPayload>);

/// Read with the same code as everywhere, against a published codebook.
struct Read {
    opened: Opened<QuestionPayload>,
    question: Question,
    book: Arc<Published>,
    quorum: u32,
}

/// Put to these nodes.
struct Chosen {
    read: Read,
    nodes: Vec<String>,
}

/// A question that is on disk.
pub(crate) struct Accepted {
    read: Read,
    deadline: i64,
    closed: bool,
}

impl Accepted {
    /// Its id.
    pub(crate) fn id(&self) -> String {
        self.read.opened.payload().question_id.to_string()
    }
}

/// A closed question: every node is settled, in the journal.
struct Asked {
    read: Read,
    outcomes: Vec<Outcome>,
}

/// What each node said.
struct Heard {
    read: Read,
    nodes: Vec<(Outcome, Option<Admitted>)>,
}

/// How it ended.
struct Ended {
    heard: Heard,
    status: QuestionStatus,
    problem: Option<String>,
    combined: Vec<u8>,
}

/// A signed result.
struct SignedResult {
    id: String,
    status: QuestionStatus,
    problem: Option<String>,
    signed: Signed,
    outcomes: Vec<Outcome>,
}

fn verify(
    public: &Public,
    researcher: &str,
    signed: &Signed,
    now: i64,
) -> Result<Verified, Problem> {
    let roster = public.roster()?;
    let opened = open_question(signed, roster, now).map_err(|error| error.problem())?;
    let payload = opened.payload();
    if payload.researcher != researcher {
        return Err(Problem::of(Code("A401")));
    }
    payload.check(now, &[])?;
    if roster.seq_of(&payload.roster_head).is_none() {
        return Err(Problem::of(Code("A404")));
    }
    Ok(Verified(opened))
}

fn read(public: &Public, Verified(opened): Verified) -> Result<Read, Problem> {
    let payload = opened.payload();
    let Some(book) = public.codebooks.get(&payload.codebook) else {
        return Err(Problem::new(
            Code("C601"),
            "the network has not published this codebook",
        ));
    };
    let question = payload.request.read(&payload.params, &book.codebook)?;
    if payload.canonical_version != canonical::VERSION
        || payload.canonical_digest != question.digest()
    {
        return Err(Problem::of(Code("A408")));
    }
    let quorum = payload
        .min_nodes
        .max(book.codebook.release.min_nodes)
        .max(1);
    Ok(Read {
        book: Arc::clone(book),
        opened,
        question,
        quorum,
    })
}

/// Live nodes of the roster that the question names, or all of them.
fn choose(public: &Public, read: Read, now: i64) -> Result<Chosen, Problem> {
    let payload = read.opened.payload();
    let members = public.roster()?.members(now);
    let live = members
        .filter(|m| m.role == Role::Node)
        .map(|m| m.name.to_string());
    let nodes: Vec<String> = live.filter(|node| payload.names(node)).collect();
    if let Some(missing) = payload.nodes.iter().find(|name| !nodes.contains(name)) {
        let text = format!("the roster has no current node `{missing}`");
        return Err(Problem::new(Code("X802"), text));
    }
    if nodes.is_empty() {
        return Err(Problem::of(Code("X802")));
    }
    if u32::try_from(nodes.len()).is_ok_and(|count| count < read.quorum) {
        return Err(Problem::of(Code("X801")));
    }
    Ok(Chosen { read, nodes })
}

async fn accept(hub: &Hub, chosen: Chosen, now: i64) -> Result<Submitted, SubmitError> {
    let Chosen { read, nodes } = chosen;
    let payload = read.opened.payload();
    let id = payload.question_id.to_string();
    let limit = hub.config.questions;
    let deadline = now
        .saturating_add(seconds(limit.deadline))
        .min(payload.expires);
    let question = NewQuestion {
        id: id.clone(),
        researcher: payload.researcher.clone(),
        project: payload.project.clone(),
        codebook: payload.codebook.clone(),
        signed: pack(read.opened.signed()),
        nodes: nodes.clone(),
        submitted: now,
        deadline,
    };
    let accept = hub
        .journal
        .call(move |store| store.accept(&question, limit.concurrent))
        .await?;
    let accepted = Accepted {
        read,
        deadline,
        closed: false,
    };
    match accept {
        Accept::New => Ok(Submitted {
            id,
            nodes,
            accepted: Some(accepted),
        }),
        Accept::Again(nodes) => Ok(Submitted {
            id,
            nodes,
            accepted: None,
        }),
        Accept::Taken => Err(Problem::of(Code("A403")).into()),
        Accept::TooMany => Err(Problem::of(Code("L706")).into()),
    }
}

/// A question that a restart interrupted. Its standing was checked when it was accepted; a node
/// checks it again whenever it is asked. It gets its full time anew, because nobody listened.
pub(crate) async fn resume(hub: &Hub, row: Unfinished) -> Result<Accepted, RoundError> {
    let signed = unpack(&row.signed)?;
    let signer = signed
        .verify_sole(QuestionPayload::KIND)
        .map_err(OpenError::from)?
        .clone();
    let read = read(&hub.public(), Verified(open(&signed, &signer)?))?;
    let again = hub
        .now()
        .saturating_add(seconds(hub.config.questions.deadline));
    let deadline = row.deadline.max(again.min(read.opened.payload().expires));
    if !row.closed {
        hub.journal
            .call(move |store| store.extend(&row.id, deadline))
            .await?;
    }
    Ok(Accepted {
        read,
        deadline,
        closed: row.closed,
    })
}

/// Delivers the signed original, waits, and closes the question.
async fn fan_out(hub: &Hub, accepted: Accepted) -> Result<Asked, RoundError> {
    let id = accepted.id();
    let Accepted {
        read,
        deadline,
        closed,
    } = accepted;
    let mut unsettled = Vec::new();
    if !closed {
        let key = id.clone();
        let outcomes = hub.journal.call(move |store| store.outcomes(&key)).await?;
        let question = Some(read.opened.signed().into());
        hub.fanout.start(
            Deliver {
                question,
                round: 0,
                deadline,
            },
            &id,
            &outcomes,
        );
        let expires = read.opened.payload().expires;
        let left = |until: i64| {
            let seconds = u64::try_from(until.saturating_sub(hub.now())).unwrap_or(0);
            Instant::now() + Duration::from_secs(seconds)
        };
        let patience = Patience {
            deadline: left(deadline),
            expires: left(expires),
            absent_after: hub.config.questions.absent_after,
        };
        unsettled = hub.fanout.gather(&id, patience).await;
    }
    let now = hub.now();
    let outcomes = hub
        .journal
        .call(move |store| store.close(&id, &unsettled, now))
        .await?;
    Ok(Asked { read, outcomes })
}

/// Reads back what was admitted when it came. A late answer is not among it, and a node that was
/// revoked in the meantime has not answered.
fn admit(public: &Public, asked: Asked, now: i64) -> Result<Heard, RoundError> {
    let roster = public.roster()?;
    let mut nodes = Vec::with_capacity(asked.outcomes.len());
    for mut outcome in asked.outcomes {
        let signed = outcome.signed.as_deref().map(unpack).transpose()?;
        let admitted = signed
            .map(|signed| recall(signed, &outcome.node))
            .transpose()?;
        let standing = admitted.filter(|admitted| admitted.stands(roster, now));
        if standing.is_none() && outcome.signed.is_some() {
            (outcome.settled, outcome.code) = (Some(Settled::Absent), None);
        }
        nodes.push((outcome, standing));
    }
    Ok(Heard {
        read: asked.read,
        nodes,
    })
}

/// Combines what was released, if enough nodes answered.
fn combine(heard: Heard) -> Ended {
    let sites: Vec<SiteTables<'_>> = heard.nodes.iter().map(site).collect();
    let answered = sites.iter().filter(|site| site.tables.is_some()).count();
    let all_refused = heard
        .nodes
        .iter()
        .all(|(o, _)| o.settled == Some(Settled::Refused));
    let enough = u32::try_from(answered).is_ok_and(|count| count >= heard.read.quorum);
    let (status, problem, combined) = if enough {
        match combine_tables(&heard.read.question, &heard.read.book.codebook, &sites) {
            Ok(combined) => (QuestionStatus::Answered, None, combined.to_bytes()),
            Err(_) => (QuestionStatus::Failed, Some("X805".to_owned()), Vec::new()),
        }
    } else if all_refused {
        (QuestionStatus::Refused, refusal(&heard.nodes), Vec::new())
    } else {
        (
            QuestionStatus::TooFewNodes,
            Some("X801".to_owned()),
            Vec::new(),
        )
    };
    Ended {
        heard,
        status,
        problem,
        combined,
    }
}

/// What combining sees of a node. One that refused, was late or absent is eligible all the same.
fn site((outcome, admitted): &(Outcome, Option<Admitted>)) -> SiteTables<'_> {
    let tables = match admitted.as_ref().map(Admitted::spoken) {
        Some(Spoken::Tables(tables, protection)) => Some((tables.as_slice(), *protection)),
        Some(Spoken::Refusal(_)) | None => None,
    };
    SiteTables {
        node: &outcome.node,
        tables,
    }
}

/// The code that stands for a question which every node refused: the first node's, by name.
fn refusal(nodes: &[(Outcome, Option<Admitted>)]) -> Option<String> {
    nodes.iter().find_map(|(outcome, _)| outcome.code.clone())
}

/// Signs the combined table together with every node's own signed bytes.
fn sign(hub: &Hub, ended: Ended) -> SignedResult {
    let Ended {
        heard,
        mut status,
        mut problem,
        combined,
    } = ended;
    let question = heard.read.opened;
    let mut outcomes = Vec::with_capacity(heard.nodes.len());
    let mut nodes = Vec::with_capacity(heard.nodes.len());
    for (outcome, admitted) in heard.nodes {
        nodes.push(NodeOutcome {
            name: outcome.node.clone(),
            status: outcome.settled.map_or(NodeStatus::Absent, Settled::status),
            code: outcome.code.clone(),
            signed: admitted.map(|admitted| admitted.signed().clone()),
        });
        outcomes.push(outcome);
    }
    let mut result = ResultPayload {
        network: question.payload().network.clone(),
        question_id: question.payload().question_id,
        question: question.signed().clone(),
        nodes,
        status,
        combined,
        finished: hub.now(),
        problem: problem.clone(),
    };
    if result.encode().len() > MAX_RESULT {
        // Too large to travel: the outcome is said without the bytes.
        (status, problem) = (QuestionStatus::Failed, Some("L701".to_owned()));
        result.nodes.iter_mut().for_each(|node| node.signed = None);
        (result.status, result.problem, result.combined) = (status, problem.clone(), Vec::new());
    }
    let id = question.payload().question_id.to_string();
    SignedResult {
        id,
        status,
        problem,
        signed: sign_payload(&result, &hub.key),
        outcomes,
    }
}

/// Puts the result on disk, then tells whoever watches.
async fn record(hub: &Hub, result: SignedResult) -> Result<QuestionStatus, RoundError> {
    let SignedResult {
        id,
        status,
        problem,
        signed,
        outcomes,
    } = result;
    let (key, now) = (id.clone(), hub.now());
    let (bytes, told) = (pack(&signed), outcomes.clone());
    let finished = hub
        .journal
        .call(move |store| {
            let verdict = (status, problem.as_deref());
            store.finish(&key, verdict, &told, &bytes, now)
        })
        .await?;
    if finished {
        hub.fanout.finish(&id, status, &outcomes);
        return Ok(status);
    }
    hub.fanout.cancel(&id);
    Ok(QuestionStatus::Cancelled)
}
