//! Making a question: read on this machine first, then signed with the researcher's key.
//!
//! What it must not know: networks and files. Time and randomness come in.

use std::collections::BTreeSet;

use quorate_identity::{KeyError, Roster, Signed, SigningKey};
use quorate_query::analyses::Request;
use quorate_query::canonical;
use quorate_query::codebook::Codebook;
use quorate_query::problem::Problem;
use quorate_query::question::{Params, Question};
use quorate_wire::{QuestionId, QuestionPayload, sign_question};

use crate::params;

/// How long a question stays valid: a custodian may take some days to decide. In seconds.
pub const LIFE: i64 = 14 * 24 * 3600;

/// How far clocks may differ, in seconds: a question is valid from a little before it was signed.
pub const CLOCKS: i64 = 300;

/// What a researcher wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The question in SQL, or an analysis.
    pub request: Request,
    /// Its parameters.
    pub params: Params,
    /// Under which project.
    pub project: String,
    /// What for.
    pub purpose: String,
    /// Which nodes; none means every node of the project.
    pub nodes: BTreeSet<String>,
    /// Least number of nodes that must answer.
    pub min_nodes: u32,
}

/// A question that was read and signed here, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub id: QuestionId,
    /// The signed bytes.
    pub signed: Signed,
    /// What it means.
    pub meaning: Question,
}

/// Why a question was not signed.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The language refuses it.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// No random bytes for an id.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Reads a question against its codebook.
///
/// # Errors
/// If the language refuses it, or a parameter is missing or superfluous.
pub fn read(request: &Request, given: &Params, codebook: &Codebook) -> Result<Question, Problem> {
    if let Request::Sql(sql) = request.bare() {
        params::check_used(sql, given)?;
    }
    request.read(given, codebook)
}

/// Reads and signs a question. `now` is in unix milliseconds.
///
/// # Errors
/// If the language refuses it or there is no randomness for its id.
pub fn sign(
    draft: &Draft,
    name: &str,
    codebook: &Codebook,
    roster: &Roster,
    key: &SigningKey,
    now: u64,
) -> Result<Asked, AskError> {
    let meaning = read(&draft.request, &draft.params, codebook)?;
    let seconds = i64::try_from(now / 1000).unwrap_or(i64::MAX - LIFE);
    let payload = QuestionPayload {
        network: roster.network().to_string(),
        question_id: QuestionId::generate(now)?,
        researcher: name.to_owned(),
        project: draft.project.clone(),
        purpose: draft.purpose.clone(),
        nodes: draft.nodes.clone(),
        codebook: codebook.digest.clone(),
        roster_head: roster.head().hash,
        request: draft.request.clone(),
        canonical_version: canonical::VERSION,
        canonical_digest: meaning.digest(),
        params: draft.params.clone(),
        not_before: seconds - CLOCKS,
        expires: seconds + LIFE,
        must_understand: BTreeSet::new(),
        min_nodes: draft.min_nodes,
    };
    Ok(Asked {
        id: payload.question_id,
        signed: sign_question(&payload, key),
        meaning,
    })
}
