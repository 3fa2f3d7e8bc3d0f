//! Talking to the coordinator: submit, watch, fetch. Nothing it says is believed here: results go
//! through `verify`, rosters through the pinned founders, codebooks through their digests.

mod error;
mod pauses;
mod standing;

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_identity::{Roster, RosterError, Signed, SigningKey};
use quorate_query::codebook::Codebook;
use quorate_wire::v1::research_client::ResearchClient;
use quorate_wire::{MAX_MESSAGE, QuestionId, QuestionStatus, Stamp, WireError, open_member, v1};
use tonic::transport::Channel;
use tonic::{Request, Status};

pub use error::ClientError;
use pauses::Pauses;
pub(crate) use standing::envelopes;
pub use standing::{Catalogue, Event, NodeProgress, Standing};
use standing::{only_people_left, progress, standing};

use crate::ask::{self, Asked, Draft};
use crate::heads;
use crate::journal::{self, Remembered};
use crate::link;
use crate::profile::{Profile, ProfileError};
use crate::verify::{Standard, VerifiedResult, verify};

/// Longest wait for one reply; watching has no limit.
const REPLY: Duration = Duration::from_secs(60);

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
        let identity = profile.tls()?;
        let tls = quorate_identity::tls::client_config(
            &profile.ca()?,
            &profile.extra_ca()?,
            Some((&identity, &identity)),
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
        let verified = verify(
            &signed,
            Standard {
                roster: &roster,
                codebooks: &codebooks,
                asked,
            },
        )?;
        heads::notice(&self.profile, &verified)?;
        Ok(verified)
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
