//! What a researcher asks, bound to network, project, codebook and time.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use quorate_identity::Role;
use quorate_identity::envelope::kind;
use quorate_query::analyses::{Analysis, Request};
use quorate_query::cohort::Cohort;
use quorate_query::problem::{Code, Problem};
use quorate_query::question::Params;

use crate::check::{self, MAX_SENTENCE, MAX_SQL, at_most, sentence, text, word};
use crate::convert::{params_from_wire, params_to_wire};
use crate::error::WireError;
use crate::id::QuestionId;
use crate::open::{Payload, Spoken};
use crate::v1;

/// Longest life of a question: 30 days, in seconds.
pub const QUESTION_LIFE: i64 = 30 * 24 * 3600;

/// The profile of questions that a person approves before they run.
const REVIEWED: &str = "reviewed";

/// Payload of a signed question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionPayload {
    /// Which network.
    pub network: String,
    /// Single use at a node for its lifetime.
    pub question_id: QuestionId,
    /// Roster name of the researcher.
    pub researcher: String,
    /// Project under which it is asked.
    pub project: String,
    /// What for, in a sentence; may be empty.
    pub purpose: String,
    /// Which nodes; empty means every node of the project.
    pub nodes: BTreeSet<String>,
    /// Digest of the codebook, `sha256:...`.
    pub codebook: String,
    /// Hash of the newest roster entry that the researcher knew.
    pub roster_head: String,
    /// The question: a text, or an analysis.
    pub request: Request,
    /// Version of the canonical form.
    pub canonical_version: u32,
    /// SHA-256 of canonical form and codebook; every node computes it again.
    pub canonical_digest: [u8; 32],
    /// Typed parameters.
    pub params: Params,
    /// Not valid before, unix seconds.
    pub not_before: i64,
    /// Not valid after, unix seconds; at most [`QUESTION_LIFE`] after `not_before`.
    pub expires: i64,
    /// Features without which the question must be refused.
    pub must_understand: BTreeSet<String>,
    /// Quorum for the whole question; 0 and 1 mean one.
    pub min_nodes: u32,
}

impl QuestionPayload {
    /// Refuses a question before its time (A407), after it (A402), or with a demand that
    /// `understood` does not list (A409).
    ///
    /// # Errors
    /// The problem that the researcher is told.
    pub fn check(&self, now: i64, understood: &[&str]) -> Result<(), Problem> {
        let code = if now < self.not_before {
            "A407"
        } else if now > self.expires {
            "A402"
        } else if self
            .must_understand
            .iter()
            .any(|demand| !understood.contains(&demand.as_str()))
        {
            "A409"
        } else {
            return Ok(());
        };
        Err(Problem::of(Code(code)))
    }

    /// Whether the question is for this node.
    #[must_use]
    pub fn names(&self, node: &str) -> bool {
        self.nodes.is_empty() || self.nodes.contains(node)
    }
}

impl Payload for QuestionPayload {
    const KIND: &'static str = kind::QUESTION;

    fn encode(&self) -> Vec<u8> {
        v1::QuestionPayload {
            network: self.network.clone(),
            question_id: self.question_id.to_string(),
            researcher: self.researcher.clone(),
            project: self.project.clone(),
            purpose: self.purpose.clone(),
            nodes: self.nodes.iter().cloned().collect(),
            codebook: self.codebook.clone(),
            roster_head: self.roster_head.clone(),
            body: Some(body_to_wire(&self.request)),
            canonical_version: self.canonical_version,
            canonical_digest: self.canonical_digest.to_vec(),
            params: params_to_wire(&self.params),
            not_before: self.not_before,
            expires: self.expires,
            must_understand: self.must_understand.iter().cloned().collect(),
            min_nodes: self.min_nodes,
            cohort: self.request.cohort().map(cohort_to_wire),
            profile: match self.request.is_reviewed() {
                true => REVIEWED.to_owned(),
                false => String::new(),
            },
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::QuestionPayload::decode(bytes).map_err(|_| WireError::Malformed)?;
        let mut request = body_from_wire(check::some(wire.body, "body")?)?;
        if let Some(cohort) = wire.cohort {
            request = Request::Of(cohort_from_wire(cohort)?, Box::new(request));
        }
        match wire.profile.as_str() {
            "" => {}
            REVIEWED => request = Request::Reviewed(Box::new(request)),
            _ => return Err(WireError::Invalid("profile")),
        }
        at_most(&wire.nodes, "nodes", 1024)?;
        at_most(&wire.must_understand, "must_understand", 32)?;
        let (not_before, expires) = (
            check::time(wire.not_before, "not_before")?,
            check::time(wire.expires, "expires")?,
        );
        if expires <= not_before || expires - not_before > QUESTION_LIFE {
            return Err(WireError::Invalid("expires"));
        }
        if wire.canonical_version == 0 {
            return Err(WireError::Missing("canonical_version"));
        }
        Ok(Self {
            network: check::name(wire.network, "network")?,
            question_id: check::id(&wire.question_id)?,
            researcher: check::name(wire.researcher, "researcher")?,
            project: word(wire.project, "project")?,
            purpose: sentence(wire.purpose, "purpose", MAX_SENTENCE)?,
            nodes: set(wire.nodes, "nodes", check::name)?,
            codebook: check::digest(wire.codebook, "codebook")?,
            roster_head: check::digest(wire.roster_head, "roster_head")?,
            request,
            canonical_version: wire.canonical_version,
            canonical_digest: check::hash(&wire.canonical_digest, "canonical_digest")?,
            params: params_from_wire(&wire.params)?,
            not_before,
            expires,
            must_understand: set(wire.must_understand, "must_understand", word)?,
            min_nodes: wire.min_nodes,
        })
    }
}

fn body_to_wire(request: &Request) -> v1::question_payload::Body {
    match request {
        Request::Sql(sql) => v1::question_payload::Body::Sql(sql.clone()),
        Request::Analysis(analysis) => {
            let arguments = analysis.arguments.iter();
            let argument = |(name, value): (&String, &String)| v1::Argument {
                name: name.clone(),
                value: value.clone(),
            };
            v1::question_payload::Body::Analysis(v1::Analysis {
                name: analysis.name.clone(),
                arguments: arguments.map(argument).collect(),
            })
        }
        // Beside cohort and profile, which have fields of their own.
        Request::Of(_, request) | Request::Reviewed(request) => body_to_wire(request),
    }
}

fn cohort_to_wire(cohort: &Cohort) -> v1::Cohort {
    v1::Cohort {
        sql: cohort.sql.clone(),
        complete: cohort.complete.clone(),
    }
}

fn cohort_from_wire(cohort: v1::Cohort) -> Result<Cohort, WireError> {
    if cohort.sql.is_empty() {
        return Err(WireError::Missing("cohort"));
    }
    at_most(&cohort.complete, "cohort", 64)?;
    let complete = cohort.complete.into_iter();
    Ok(Cohort {
        sql: text(cohort.sql, "cohort", MAX_SQL)?,
        complete: complete
            .map(|column| word(column, "cohort"))
            .collect::<Result<_, _>>()?,
    })
}

fn body_from_wire(body: v1::question_payload::Body) -> Result<Request, WireError> {
    match body {
        v1::question_payload::Body::Sql(sql) if sql.is_empty() => Err(WireError::Missing("sql")),
        v1::question_payload::Body::Sql(sql) => Ok(Request::Sql(text(sql, "sql", MAX_SQL)?)),
        v1::question_payload::Body::Analysis(analysis) => {
            at_most(&analysis.arguments, "arguments", 32)?;
            let mut arguments = BTreeMap::<String, String>::new();
            for argument in analysis.arguments {
                let name = word(argument.name, "argument")?;
                if arguments
                    .last_key_value()
                    .is_some_and(|(last, _)| *last >= name)
                {
                    return Err(WireError::Invalid("arguments"));
                }
                arguments.insert(name, text(argument.value, "argument", MAX_SENTENCE)?);
            }
            Ok(Request::Analysis(Analysis {
                name: word(analysis.name, "analysis")?,
                arguments,
            }))
        }
    }
}

impl Spoken for QuestionPayload {
    const SPEAKER: Role = Role::Researcher;

    fn network(&self) -> &str {
        &self.network
    }

    fn speaker(&self) -> Option<&str> {
        Some(&self.researcher)
    }
}

/// A set that travels as an ascending list without repetition.
pub(crate) fn set(
    list: Vec<String>,
    field: &'static str,
    check: impl Fn(String, &'static str) -> Result<String, WireError>,
) -> Result<BTreeSet<String>, WireError> {
    let mut set = BTreeSet::<String>::new();
    for item in list {
        if set.last().is_some_and(|last| *last >= item) {
            return Err(WireError::Invalid(field));
        }
        set.insert(check(item, field)?);
    }
    Ok(set)
}
