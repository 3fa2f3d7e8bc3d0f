//! First step: who asks, whether it was altered, whether it is for us and for now.
//!
//! It trusts nobody on the way: the signature is the researcher's own, the roster is the one this
//! node verified. It must not look at the question itself.

use quorate_identity::{KeyId, RosterError, Signed};
use quorate_query::analyses::Request;
use quorate_query::codebook::Codebook;
use quorate_query::problem::{Code, Problem};
use quorate_query::question::Params;
use quorate_wire::{OpenError, Payload, QuestionId, QuestionPayload, open_question};

use crate::answer::Delivery;
use crate::node::{Claim, Node};
use crate::record::RecordError;
use crate::refusal::Coded;

/// Demands in `must_understand` that this release knows.
const UNDERSTOOD: &[&str] = &[];

/// A question whose sender is known. Only this module can make one.
///
/// ```compile_fail,E0451
/// fn forge(asked: quorate_node::verify::Asked) -> quorate_node::verify::Verified {
///     quorate_node::verify::Verified { asked, delivered: None, _claim: None }
/// }
/// ```
///
/// ```no_run
/// fn id(verified: &quorate_node::verify::Verified) -> &quorate_wire::QuestionId {
///     &verified.asked().id
/// }
/// ```
pub struct Verified {
    asked: Asked,
    /// As it was delivered; `None` for what nobody delivered.
    delivered: Option<Signed>,
    /// Held while the question is being answered, so that nobody answers it twice at once.
    _claim: Option<Claim>,
}

/// What was asked, by whom, under which project.
pub struct Asked {
    /// Single use at this node.
    pub id: QuestionId,
    /// SHA-256 of the payload as carried.
    pub digest: [u8; 32],
    /// Which network.
    pub network: String,
    /// 0 for a question of one round.
    pub round: u32,
    /// Digest of the certificate that it was delivered with; empty for the custodian's own.
    pub peer: String,
    /// Who asks.
    pub asker: Asker,
    /// Under which project; `None` for the custodian's own trial of any table held.
    pub project: Option<String>,
    /// What for.
    pub purpose: String,
    /// Digest of the codebook.
    pub codebook: String,
    /// The text or analysis. Read once, by `read`, and kept nowhere.
    pub request: Request,
    /// Typed parameters.
    pub params: Params,
    /// Version and digest of the canonical form that the asker computed; a trial has none.
    pub canonical: Option<(u32, [u8; 32])>,
}

impl Asked {
    /// Whether it is the custodian's own trial, which keeps nothing.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.asker == Asker::Custodian
    }

    /// Which core table of its codebook it is, from 0, if it is one.
    #[must_use]
    pub fn core(&self) -> Option<u32> {
        match self.asker {
            Asker::Core { statement } => Some(statement),
            _ => None,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A researcher, by roster name and key.
    Researcher {
        /// Name in the roster.
        name: String,
        /// Key that signed.
        key: KeyId,
    },
    /// The custodian, alone at this machine.
    Custodian,
    /// Nobody: a core table of the codebook, which every state of the data begins with.
    Core {
        /// Which statement of the codebook, from 0.
        statement: u32,
    },
}

impl Verified {
    /// What was asked.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The question as it was delivered; a trial and a core table have none.
    pub(crate) fn delivered(&self) -> Option<&Signed> {
        self.delivered.as_ref()
    }
}

/// What a delivery turned out to be.
pub enum Heard {
    /// A new question.
    New(Box<Verified>),
    /// A question that was answered before: send the same bytes again.
    Again(Signed),
    /// A question that is being answered right now.
    Running,
    /// A question that waits in the airlock.
    Waits,
}

/// Why a delivery is not believed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Signature, payload, or standing in the roster.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Not valid now, or a demand that this release does not know.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// For other nodes.
    #[error("the question does not name this node")]
    NotForUs,
    /// The researcher knows a roster that we do not.
    #[error("the question names a roster head that is not in this node's log")]
    RosterBehind,
    /// Nobody has said for a day that our roster is current: revocations may be withheld.
    #[error("the roster is not known to be current: {0}")]
    NotFresh(RosterError),
    /// The id came before, with other bytes.
    #[error("the question id was used before with other content: possible replay")]
    IdUsed,
    /// Others have seen more of our past than we hold.
    #[error("this node was restored and must catch up first: {0}")]
    Behind(String),
    /// An earlier answer cannot be read, or not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Coded for VerifyError {
    fn code(&self) -> Code {
        match self {
            Self::Open(error) => error.code(),
            Self::Problem(problem) => problem.code,
            Self::NotForUs => Code("A405"),
            Self::RosterBehind => Code("A404"),
            Self::NotFresh(_) => Code("A412"),
            Self::IdUsed => Code("A403"),
            Self::Behind(_) => Code("G507"),
            Self::Record(_) => Code("E901"),
        }
    }
}

/// Verifies a delivery. A question id is single use: what was answered gets its stored bytes.
///
/// # Errors
/// Says what is not believed; such deliveries are counted, not recorded.
pub fn verify(node: &Node, delivery: &Delivery, now: i64) -> Result<Heard, VerifyError> {
    let stated = QuestionPayload::decode(&delivery.question.payload)
        .map_err(OpenError::Wire)?
        .question_id;
    let Some(claim) = node.claim(&stated) else {
        return Ok(Heard::Running);
    };
    if let Some((payload, message)) = node.answered(&stated, now)? {
        let same = payload == delivery.question.digest();
        return if same {
            Ok(Heard::Again(message))
        } else {
            Err(VerifyError::IdUsed)
        };
    }
    if let Some(waiting) = node.waiting(&stated).map_err(RecordError::from)? {
        return match waiting == delivery.question.digest() {
            true => Ok(Heard::Waits),
            false => Err(VerifyError::IdUsed),
        };
    }
    let peer = (delivery.round, delivery.peer.as_str());
    let asked = believed(node, &delivery.question, peer, now)?;
    Ok(Heard::New(Box::new(Verified {
        asked,
        delivered: Some(delivery.question.clone()),
        _claim: Some(claim),
    })))
}

/// Checks signature, standing, time and addressee.
fn believed(
    node: &Node,
    signed: &Signed,
    (round, peer): (u32, &str),
    now: i64,
) -> Result<Asked, VerifyError> {
    if let Some(reason) = node.behind() {
        return Err(VerifyError::Behind(reason));
    }
    let roster = node.roster();
    let own = &node.policy.node.name;
    roster
        .check_fresh(node.stamped(), own, now)
        .map_err(VerifyError::NotFresh)?;
    let opened = open_question(signed, &roster, now)?;
    let question = opened.payload();
    question.check(now, UNDERSTOOD)?;
    if !question.names(own) {
        return Err(VerifyError::NotForUs);
    }
    if roster.seq_of(&question.roster_head).is_none() {
        return Err(VerifyError::RosterBehind);
    }
    let (digest, key) = (opened.digest(), opened.signer().clone());
    Ok(asked(opened.into_payload(), digest, key, (round, peer)))
}

fn asked(
    question: QuestionPayload,
    digest: [u8; 32],
    key: KeyId,
    (round, peer): (u32, &str),
) -> Asked {
    Asked {
        id: question.question_id,
        digest,
        network: question.network,
        round,
        peer: peer.to_owned(),
        asker: Asker::Researcher {
            name: question.researcher,
            key,
        },
        project: Some(question.project),
        purpose: question.purpose,
        codebook: question.codebook,
        request: question.request,
        params: question.params,
        canonical: Some((question.canonical_version, question.canonical_digest)),
    }
}

/// A question that was verified when it came and has waited since: with why it is not believed any
/// more, if so. `None` while it is being answered, or while nobody can say.
pub(crate) fn recall(
    node: &Node,
    signed: Signed,
    peer: (u32, &str),
    now: i64,
) -> Option<(Verified, Option<VerifyError>)> {
    let question = QuestionPayload::decode(&signed.payload).ok()?;
    let claim = node.claim(&question.question_id)?;
    let wrong = match believed(node, &signed, peer, now) {
        Ok(_) => None,
        Err(VerifyError::NotFresh(_) | VerifyError::Behind(_) | VerifyError::Record(_)) => {
            return None;
        }
        Err(error) => Some(error),
    };
    // Its signature was good when it came, and the bytes were sealed since.
    let key = signed.signatures.first()?.key_id.clone();
    let verified = Verified {
        asked: asked(question, signed.digest(), key, peer),
        delivered: Some(signed),
        _claim: Some(claim),
    };
    Some((verified, wrong))
}

/// A core table of a codebook that the policy pins.
#[must_use]
pub(crate) fn core(node: &Node, id: QuestionId, codebook: &Codebook, statement: u32) -> Verified {
    let sql = usize::try_from(statement).ok();
    let sql = sql.and_then(|statement| codebook.core.get(statement));
    alone(
        node,
        id,
        Asker::Core { statement },
        crate::trial::Trial {
            request: sql.cloned().unwrap_or_default().into(),
            params: Params::new(),
            codebook: codebook.digest.clone(),
            project: None,
        },
    )
}

/// A question of the custodian to the own node, for a trial that sends nothing: whoever can read
/// policy and key files needs no signature.
#[must_use]
pub fn own(node: &Node, id: QuestionId, trial: crate::trial::Trial) -> Verified {
    alone(node, id, Asker::Custodian, trial)
}

fn alone(node: &Node, id: QuestionId, asker: Asker, trial: crate::trial::Trial) -> Verified {
    let asked = Asked {
        id,
        digest: [0; 32],
        network: node.roster().network().to_string(),
        round: 0,
        peer: String::new(),
        asker,
        project: trial.project,
        purpose: String::new(),
        codebook: trial.codebook,
        request: trial.request,
        params: trial.params,
        canonical: None,
    };
    Verified {
        asked,
        delivered: None,
        _claim: None,
    }
}
