//! Admission: an answer counts only if the node that sent it signed it, for this question, network
//! and codebook, under a roster head that is in our log. Everything else is turned away, so that
//! neither a confused node nor a thief of a stream can put numbers into a result.

use quorate_identity::envelope::kind;
use quorate_identity::{Roster, Signed};
use quorate_query::answer::{NodeTable, Protection};
use quorate_wire::{
    AnswerPayload, OpenError, Payload, QuestionId, QuestionPayload, RefusalPayload, open,
    open_member,
};

/// The question that an answer must fit.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its id.
    pub(crate) id: QuestionId,
    /// SHA-256 of its payload as carried.
    pub(crate) digest: [u8; 32],
    /// Digest of its codebook.
    pub(crate) codebook: String,
}

impl Asked {
    /// What an answer to this stored question must fit.
    pub(crate) fn about(question: &Signed) -> Result<Self, OpenError> {
        let payload = QuestionPayload::decode(&question.payload)?;
        Ok(Self {
            id: payload.question_id,
            digest: question.digest(),
            codebook: payload.codebook,
        })
    }
}

/// An answer or refusal that may count. Only [`admit`] makes one;
/// [`recall`] brings it back from the journal.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    node: String,
    spoken: Spoken,
    signed: Signed,
}

/// What a node said.
#[derive(Clone, Debug)]
pub(crate) enum Spoken {
    /// It released a table for each that was asked for.
    Tables(Vec<NodeTable>, Protection),
    /// It refused, with a code.
    Refusal(String),
}

impl Admitted {
    /// Who said it.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// What was said.
    pub(crate) fn spoken(&self) -> &Spoken {
        &self.spoken
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        match &self.spoken {
            Spoken::Refusal(code) => Some(code),
            Spoken::Tables(..) => None,
        }
    }

    /// Whether its signer still stands in the roster. A reader of the result will ask the same.
    pub(crate) fn stands(&self, roster: &Roster, now: i64) -> bool {
        let signer = self.signed.signatures.first();
        signer.is_some_and(|signature| roster.by_key(&signature.key_id, now).is_ok())
    }

    /// The bytes that the node signed.
    pub(crate) fn signed(&self) -> &Signed {
        &self.signed
    }
}

/// Why an answer is turned away. The fault lies with whoever sent it on this stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnedAway {
    /// It is no answer and no refusal.
    #[error("a frame that is neither an answer nor a refusal")]
    Kind,
    /// Signature, payload, network or the signer's place in the roster.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Signed by another node: answers were swapped.
    #[error("an answer of another node came on this node's stream")]
    OtherNode,
    /// For another question, or another text under the same id: answers were swapped.
    #[error("an answer to another question")]
    OtherQuestion,
    /// Read against another codebook.
    #[error("an answer under another codebook")]
    OtherCodebook,
    /// A round that was never asked for.
    #[error("an answer for a round that was not asked for")]
    OtherRound,
    /// The node answered this question before, with other bytes.
    #[error("a second, different answer of one node")]
    SecondAnswer,
    /// The node knows a roster that we do not.
    #[error("an answer under a roster head that is not in our log")]
    UnknownHead,
}

/// What every answer and refusal says about where it belongs.
struct Claim<'a> {
    node: &'a str,
    id: QuestionId,
    digest: [u8; 32],
    codebook: &'a str,
    roster_head: &'a str,
    round: u32,
}

/// Admits an answer or refusal that came from `node`, or says why it does not count.
pub(crate) fn admit(
    signed: Signed,
    node: &str,
    asked: &Asked,
    roster: &Roster,
    now: i64,
) -> Result<Admitted, TurnedAway> {
    let spoken = match signed.kind.as_str() {
        kind::ANSWER => {
            let opened = open_member::<AnswerPayload>(&signed, roster, now)?;
            let p = opened.payload();
            fits(&claim_of_answer(p), node, asked, roster)?;
            Spoken::Tables(p.tables.clone(), p.protection)
        }
        kind::REFUSAL => {
            let opened = open_member::<RefusalPayload>(&signed, roster, now)?;
            let p = opened.payload();
            fits(&claim_of_refusal(p), node, asked, roster)?;
            Spoken::Refusal(p.code.clone())
        }
        _ => return Err(TurnedAway::Kind),
    };
    Ok(Admitted {
        node: node.to_owned(),
        spoken,
        signed,
    })
}

/// An answer that was admitted before and comes out of the journal: the signature is checked
/// again; whether its signer still stands is for [`Admitted::stands`] to say.
pub(crate) fn recall(signed: Signed, node: &str) -> Result<Admitted, TurnedAway> {
    let signer = signed
        .verify_sole(&signed.kind)
        .map_err(OpenError::Signature)?
        .clone();
    let spoken = match signed.kind.as_str() {
        kind::ANSWER => {
            let p = open::<AnswerPayload>(&signed, &signer)?.into_payload();
            Spoken::Tables(p.tables, p.protection)
        }
        kind::REFUSAL => Spoken::Refusal(
            open::<RefusalPayload>(&signed, &signer)?
                .into_payload()
                .code,
        ),
        _ => return Err(TurnedAway::Kind),
    };
    Ok(Admitted {
        node: node.to_owned(),
        spoken,
        signed,
    })
}

/// The id of the question that a frame claims to answer. Nothing is believed yet.
pub(crate) fn claimed_question(signed: &Signed) -> Result<QuestionId, TurnedAway> {
    let open = |error| TurnedAway::Open(OpenError::Wire(error));
    match signed.kind.as_str() {
        kind::ANSWER => Ok(AnswerPayload::decode(&signed.payload)
            .map_err(open)?
            .question_id),
        kind::REFUSAL => Ok(RefusalPayload::decode(&signed.payload)
            .map_err(open)?
            .question_id),
        _ => Err(TurnedAway::Kind),
    }
}

fn fits(claim: &Claim<'_>, node: &str, asked: &Asked, roster: &Roster) -> Result<(), TurnedAway> {
    if claim.node != node {
        return Err(TurnedAway::OtherNode);
    }
    if claim.id != asked.id || claim.digest != asked.digest {
        return Err(TurnedAway::OtherQuestion);
    }
    if claim.codebook != asked.codebook {
        return Err(TurnedAway::OtherCodebook);
    }
    if claim.round != 0 {
        return Err(TurnedAway::OtherRound);
    }
    match roster.seq_of(claim.roster_head) {
        Some(_) => Ok(()),
        None => Err(TurnedAway::UnknownHead),
    }
}

fn claim_of_answer(payload: &AnswerPayload) -> Claim<'_> {
    Claim {
        node: &payload.node,
        id: payload.question_id,
        digest: payload.question_digest,
        codebook: &payload.codebook,
        roster_head: &payload.roster_head,
        round: payload.round,
    }
}

fn claim_of_refusal(payload: &RefusalPayload) -> Claim<'_> {
    Claim {
        node: &payload.node,
        id: payload.question_id,
        digest: payload.question_digest,
        codebook: &payload.codebook,
        roster_head: &payload.roster_head,
        round: payload.round,
    }
}
