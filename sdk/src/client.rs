//! Talking to the coordinator: submit, watch, fetch. Nothing it says is believed here: results go
//! through `verify`, rosters through the pinned founders, codebooks through their digests.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_identity::{Roster, RosterError, Signed, SigningKey};
use quorate_query::codebook::Codebook;
use quorate_wire::v1::research_client::ResearchClient;
use quorate_wire::{
    MAX_MESSAGE, NodeStatus, QuestionId, QuestionStatus, Stamp, WireError, open_member, v1,
};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::ask::{self, AskError, Asked, Draft};
use crate::journal::{self, Remembered};
use crate::link::{self, LinkError};
use crate::profile::{Profile, ProfileError};
use crate::verify::{Standard, VerifiedResult, VerifyError, verify};

/// Longest wait for one reply; watching has no limit.
const REPLY: Duration = Duration::from_secs(60);

/// Why something could not be done with the coordinator.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The researcher's own folder.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// TLS could not be set up from the profile.
    #[error("the certificate in the profile cannot be used ({0}); run `quorate login TOKEN` again")]
    Tls(#[from] quorate_identity::tls::TlsError),
    /// The coordinator, or the way there.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The coordinator sent something that is no message.
    #[error("the coordinator sent something that is no message: {0}")]
    Wire(#[from] WireError),
    /// The result is not believed.
    #[error("NOT VERIFIED: {0}")]
    Verify(#[from] VerifyError),
    /// The question was not signed.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// There is no answer yet.
    #[error("the question {0} has no answer yet")]
    Waiting(QuestionId),
}

impl ClientError {
    /// The problem the coordinator stated, if that is the reason.
    #[must_use]
    pub fn problem(&self) -> Option<&quorate_wire::RemoteProblem> {
        match self {
            Self::Link(LinkError::Problem(problem)) => Some(problem),
            _ => None,
        }
    }

    fn is_passing(&self) -> bool {
        matches!(self, Self::Link(link) if link.is_passing())
    }
}

/// How a question stands at one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProgress {
    /// The node.
    pub node: String,
    /// How it stands.
    pub status: NodeStatus,
    /// Refusal code.
    pub code: Option<String>,
}

/// What happens while a question is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something changed at a node.
    Node(NodeProgress),
    /// The connection is lost; it is tried again after this time.
    Lost {
        /// In words.
        why: String,
        /// Pause before the next try.
        again_in: Duration,
    },
    /// The connection is back.
    Back,
}

/// How a question stands as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: QuestionId,
    /// How it stands.
    pub status: QuestionStatus,
    /// At each node, by name.
    pub nodes: Vec<NodeProgress>,
    /// Its project.
    pub project: String,
    /// When it was submitted, unix seconds.
    pub submitted: i64,
}

/// What the network offers.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Published codebooks, checked and cached.
    pub codebooks: Vec<Codebook>,
    /// Nodes: name, whether connected, digests of the codebooks they answer to.
    pub nodes: Vec<(String, bool, Vec<String>)>,
}

/// A researcher's connection to the network.
#[derive(Clone, Debug)]
pub struct Client {
    profile: Profile,
    research: ResearchClient<Channel>,
}

impl Client {
    /// Prepares the connection; it is made with the first call.
    ///
    /// # Errors
    /// If the profile lacks keys or certificates.
    pub fn connect(profile: Profile) -> Result<Self, ClientError> {
        let (chain, key) = profile.tls()?;
        let tls = quorate_identity::tls::client_config(
            &profile.ca()?,
            &profile.extra_ca()?,
            Some((&chain, &key)),
        )?;
        let channel = link::channel(&profile.settings.coordinator, tls)?;
        let research = ResearchClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        Ok(Self { profile, research })
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The newest roster, verified from the pinned founders; it never goes back, and no node may
    /// have stamped a newer one or another history. `now` is in unix seconds.
    ///
    /// # Errors
    /// If the coordinator cannot be reached or offers a roster that is not to be believed.
    pub async fn roster(&mut self, now: i64) -> Result<Roster, ClientError> {
        let reply = self
            .call(|mut it| async move { it.roster(timed(v1::RosterRequest {})).await })
            .await?;
        let log = envelopes(reply.roster)?;
        let roster = self.profile.advance_roster(&log)?;
        let stamps: Vec<_> = envelopes(reply.stamps)?
            .iter()
            .filter_map(|stamp| open_member::<Stamp>(stamp, &roster, now).ok())
            .map(|stamp| (stamp.claim(), stamp.signer().clone()))
            .collect();
        match roster.fresh_until(&stamps, None, now) {
            Err(alarm @ (RosterError::Fork { .. } | RosterError::Behind { .. })) => {
                Err(ProfileError::Roster(alarm).into())
            }
            // A young or sleeping network has no fresh stamps; that is for nodes to insist on.
            Ok(_) | Err(_) => Ok(roster),
        }
    }

    /// Codebooks and nodes of the network; codebooks are kept for work without it.
    ///
    /// # Errors
    /// If the coordinator cannot be reached or offers a codebook that is none.
    pub async fn catalogue(&mut self) -> Result<Catalogue, ClientError> {
        let reply = self
            .call(|mut it| async move { it.catalogue(timed(v1::CatalogueRequest {})).await })
            .await?;
        let mut codebooks = Vec::new();
        for book in reply.codebooks {
            let text = String::from_utf8(book.text).map_err(|_| WireError::Invalid("codebook"))?;
            let codebook = self.profile.keep_codebook(&text)?;
            if codebook.digest != book.digest {
                return Err(WireError::Invalid("codebook digest").into());
            }
            codebooks.push(codebook);
        }
        let nodes = reply.nodes.into_iter();
        let nodes = nodes
            .map(|node| (node.name, node.connected, node.codebooks))
            .collect();
        Ok(Catalogue { codebooks, nodes })
    }

    /// The whole way in one call: reads the question against `codebook`, signs it, sends it,
    /// waits for its end however long it takes, and returns the verified result. `now` is in unix
    /// milliseconds.
    ///
    /// # Errors
    /// If the question is refused, or the coordinator or its result is not to be had or believed.
    pub async fn ask(
        &mut self,
        draft: &Draft,
        codebook: &Codebook,
        now: u64,
        on_event: &mut impl FnMut(Event),
    ) -> Result<VerifiedResult, ClientError> {
        let seconds = i64::try_from(now / 1000).unwrap_or(i64::MAX);
        let (roster, key) = (self.roster(seconds).await?, self.key()?);
        let name = self.profile.settings.name.clone();
        let asked = ask::sign(draft, name.as_str(), codebook, &roster, &key, now)?;
        self.submit(&asked, seconds, on_event).await?;
        self.watch(asked.id, None, on_event).await?;
        self.fetch(asked.id, seconds).await
    }

    fn key(&self) -> Result<SigningKey, ClientError> {
        Ok(self.profile.identity()?)
    }

    /// Sends a signed question, again and again if the way there is broken for a moment: the same
    /// bytes under the same id are the same question. Returns the nodes it goes to.
    ///
    /// # Errors
    /// If the coordinator refuses it or stays out of reach.
    pub async fn submit(
        &mut self,
        asked: &Asked,
        now: i64,
        on_event: &mut impl FnMut(Event),
    ) -> Result<Vec<String>, ClientError> {
        let mut remembered = Remembered::new(asked.id, asked.signed.clone(), now);
        journal::keep(&self.profile, &remembered)?;
        let mut pauses = Pauses::new(6);
        loop {
            match self.submit_once(&asked.signed).await {
                Ok(nodes) => {
                    pauses.back(on_event);
                    remembered.nodes.clone_from(&nodes);
                    journal::keep(&self.profile, &remembered)?;
                    return Ok(nodes);
                }
                Err(error) => pauses.wait(error, on_event).await?,
            }
        }
    }

    async fn submit_once(&mut self, signed: &Signed) -> Result<Vec<String>, ClientError> {
        let request = v1::SubmitRequest {
            question: Some(signed.into()),
        };
        let mut research = self.research.clone();
        let reply = research.submit(timed(request)).await;
        Ok(reply
            .map_err(|status| self.explain(&status))?
            .into_inner()
            .nodes)
    }

    /// Watches a question until it ends. Given the nodes it went to, it also stops, as `Waiting`,
    /// when all that is left to come waits for a person. A lost connection or a restarted
    /// coordinator changes nothing: it goes on by the question's id.
    ///
    /// # Errors
    /// If the coordinator refuses, or has lost the question and this machine did not ask it.
    pub async fn watch(
        &mut self,
        id: QuestionId,
        impatient: Option<&[String]>,
        on_event: &mut impl FnMut(Event),
    ) -> Result<QuestionStatus, ClientError> {
        let mut pauses = Pauses::endless();
        loop {
            let outcome = self.watch_once(id, impatient, &mut pauses, on_event).await;
            match outcome {
                Ok(Some(status)) => return Ok(status),
                // The stream ended without an end of the question.
                Ok(None) => pauses.rest().await,
                Err(error) if error.problem().is_some_and(|p| p.code == "X806") => {
                    self.remind(id, error).await?;
                }
                Err(error) => pauses.wait(error, on_event).await?,
            }
        }
    }

    /// A coordinator that does not know a question of mine is told again, in the same bytes.
    async fn remind(&mut self, id: QuestionId, error: ClientError) -> Result<(), ClientError> {
        match journal::recall(&self.profile, id)? {
            Some(remembered) => self.submit_once(&remembered.signed).await.map(|_| ()),
            None => Err(error),
        }
    }

    async fn watch_once(
        &mut self,
        id: QuestionId,
        impatient: Option<&[String]>,
        pauses: &mut Pauses,
        on_event: &mut impl FnMut(Event),
    ) -> Result<Option<QuestionStatus>, ClientError> {
        let mut research = self.research.clone();
        let request = v1::QuestionRef {
            question_id: id.to_string(),
        };
        let reply = research.watch(Request::new(request)).await;
        let mut stream = reply.map_err(|status| self.explain(&status))?.into_inner();
        pauses.back(on_event);
        let mut standing = BTreeMap::new();
        while let Some(event) = stream
            .message()
            .await
            .map_err(|status| self.explain(&status))?
        {
            match event.event {
                Some(v1::watch_event::Event::Node(node)) => {
                    let progress = progress(node)?;
                    standing.insert(progress.node.clone(), progress.status);
                    on_event(Event::Node(progress));
                }
                Some(v1::watch_event::Event::Finished(finished)) => {
                    let status = QuestionStatus::parse(&finished.status)
                        .ok_or(WireError::Invalid("status"))?;
                    if status.is_final()
                        || (status == QuestionStatus::Waiting && impatient.is_some())
                    {
                        return Ok(Some(status));
                    }
                }
                None => {}
            }
            if impatient.is_some_and(|nodes| only_people_left(nodes, &standing)) {
                return Ok(Some(QuestionStatus::Waiting));
            }
        }
        let now = self.status(id).await?.status;
        Ok(Some(now).filter(|status| status.is_final()))
    }

    /// Gets the result of a question and verifies it. `now` is in unix seconds.
    ///
    /// # Errors
    /// If there is none yet, or it is not to be believed.
    pub async fn fetch(&mut self, id: QuestionId, now: i64) -> Result<VerifiedResult, ClientError> {
        let reply = self
            .call(|mut it| async move { it.fetch(timed(reference(id))).await })
            .await?;
        let Some(result) = reply.result else {
            return Err(ClientError::Waiting(id));
        };
        let signed: Signed = result.try_into()?;
        // After the result, so that every head that it names is known.
        let roster = self.roster(now).await?;
        let remembered = journal::recall(&self.profile, id)?;
        let codebooks = self.codebooks_for(&signed).await?;
        let asked = remembered.as_ref().map(|r| (&r.signed, r.nodes.as_slice()));
        Ok(verify(
            &signed,
            Standard {
                roster: &roster,
                codebooks: &codebooks,
                asked,
            },
        )?)
    }

    /// The cache, filled from the network if it lacks what a result needs.
    async fn codebooks_for(&mut self, signed: &Signed) -> Result<Vec<Codebook>, ClientError> {
        let cached = self.profile.codebooks()?;
        let wanted = crate::verify::codebook_of(signed);
        if cached
            .iter()
            .any(|book| Some(&book.digest) == wanted.as_ref())
        {
            return Ok(cached);
        }
        self.catalogue().await?;
        Ok(self.profile.codebooks()?)
    }

    /// How a question stands.
    ///
    /// # Errors
    /// If the coordinator does not know it as mine.
    pub async fn status(&mut self, id: QuestionId) -> Result<Standing, ClientError> {
        let reply = self
            .call(|mut it| async move { it.status(timed(reference(id))).await })
            .await?;
        standing(reply)
    }

    /// Withdraws a question.
    ///
    /// # Errors
    /// If the coordinator does not know it as mine.
    pub async fn cancel(&mut self, id: QuestionId) -> Result<Standing, ClientError> {
        let reply = self
            .call(|mut it| async move { it.cancel(timed(reference(id))).await })
            .await?;
        standing(reply)
    }

    /// My questions, newest first.
    ///
    /// # Errors
    /// If the coordinator cannot be reached.
    pub async fn list(&mut self, limit: u32) -> Result<Vec<Standing>, ClientError> {
        let reply = self
            .call(|mut it| async move { it.list(timed(v1::ListRequest { limit })).await })
            .await?;
        reply.questions.into_iter().map(standing).collect()
    }

    /// One request and its reply, tried again a few times if the way there is broken for a moment.
    async fn call<T, F, Reply>(&self, request: F) -> Result<T, ClientError>
    where
        F: Fn(ResearchClient<Channel>) -> Reply,
        Reply: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let mut pauses = Pauses::new(3);
        loop {
            match request(self.research.clone()).await {
                Ok(reply) => return Ok(reply.into_inner()),
                Err(status) => pauses.wait(self.explain(&status), &mut |_| ()).await?,
            }
        }
    }

    fn explain(&self, status: &Status) -> ClientError {
        link::classify(status, &self.profile.settings.coordinator).into()
    }
}

fn reference(id: QuestionId) -> v1::QuestionRef {
    v1::QuestionRef {
        question_id: id.to_string(),
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(REPLY);
    request
}

/// Envelopes as they travel, as envelopes.
pub(crate) fn envelopes(wire: Vec<v1::Signed>) -> Result<Vec<Signed>, WireError> {
    wire.into_iter().map(TryInto::try_into).collect()
}

fn progress(node: v1::NodeProgress) -> Result<NodeProgress, WireError> {
    let status = NodeStatus::parse(&node.status).ok_or(WireError::Invalid("node status"))?;
    let code = Some(node.code).filter(|code| !code.is_empty());
    Ok(NodeProgress {
        node: node.node,
        status,
        code,
    })
}

fn standing(reply: v1::StatusResponse) -> Result<Standing, ClientError> {
    let mut nodes = reply
        .nodes
        .into_iter()
        .map(progress)
        .collect::<Result<Vec<_>, WireError>>()?;
    nodes.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(Standing {
        id: QuestionId::parse(&reply.question_id).map_err(|_| WireError::Invalid("question_id"))?,
        status: QuestionStatus::parse(&reply.status).ok_or(WireError::Invalid("status"))?,
        nodes,
        project: reply.project,
        submitted: reply.submitted,
    })
}

/// Whether every node has ended but those that wait for a person.
fn only_people_left(nodes: &[String], standing: &BTreeMap<String, NodeStatus>) -> bool {
    let rests = |node: &String| match standing.get(node) {
        None | Some(NodeStatus::Sent | NodeStatus::Running) => false,
        Some(
            NodeStatus::Waiting
            | NodeStatus::Answered
            | NodeStatus::Refused
            | NodeStatus::Late
            | NodeStatus::Absent,
        ) => true,
    };
    let waits = |status: &NodeStatus| *status == NodeStatus::Waiting;
    nodes.iter().all(rests) && standing.values().any(waits)
}

/// Pauses between tries: 0.25 s, doubled each time, at most 10 s.
struct Pauses {
    tries: Option<u32>,
    made: u32,
}

impl Pauses {
    fn new(tries: u32) -> Self {
        Self {
            tries: Some(tries),
            made: 0,
        }
    }

    fn endless() -> Self {
        Self {
            tries: None,
            made: 0,
        }
    }

    fn length(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.made.min(8));
        (Duration::from_millis(250) * factor).min(Duration::from_secs(10))
    }

    /// Waits if trying again can help, else gives the error back.
    async fn wait(
        &mut self,
        error: ClientError,
        on_event: &mut impl FnMut(Event),
    ) -> Result<(), ClientError> {
        if !error.is_passing() || self.tries.is_some_and(|tries| self.made >= tries) {
            return Err(error);
        }
        let again_in = self.length();
        self.made = self.made.saturating_add(1);
        on_event(Event::Lost {
            why: error.to_string(),
            again_in,
        });
        tokio::time::sleep(again_in).await;
        Ok(())
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.length()).await;
        self.made = self.made.saturating_add(1);
    }

    /// The connection works.
    fn back(&mut self, on_event: &mut impl FnMut(Event)) {
        if self.made > 0 {
            on_event(Event::Back);
        }
        self.made = 0;
    }
}
