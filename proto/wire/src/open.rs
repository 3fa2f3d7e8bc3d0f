//! Signing payloads, and believing them: kind, key and payload are checked together.

use quorate_identity::{KeyId, Role, Roster, RosterError, Signed, SigningKey};

use crate::error::{OpenError, WireError};
use crate::question::QuestionPayload;
use crate::session::{EnrolPayload, Stamp};

/// A payload with its kind and its strict byte form.
pub trait Payload: Sized {
    /// The kind that signatures cover.
    const KIND: &'static str;

    /// The bytes to sign.
    #[must_use]
    fn encode(&self) -> Vec<u8>;

    /// Reads a payload; rejects missing, oversized and odd fields.
    ///
    /// # Errors
    /// Says which field is wrong.
    fn decode(bytes: &[u8]) -> Result<Self, WireError>;
}

/// A payload that a member of a network says.
pub trait Spoken: Payload {
    /// As what its speaker must stand in the roster.
    const SPEAKER: Role;

    /// The network it belongs to.
    fn network(&self) -> &str;

    /// The name its speaker claims; a coordinator's result claims none.
    fn speaker(&self) -> Option<&str>;
}

/// A payload whose signature was verified. Only this module can make one, so a function that
/// takes an `Opened<QuestionPayload>` cannot be called with bytes that nobody checked.
///
/// ```compile_fail
/// # use quorate_wire::{Opened, Stamp};
/// fn forge(payload: Stamp, signer: quorate_identity::KeyId, signed: quorate_identity::Signed) -> Opened<Stamp> {
///     Opened { payload, signer, signed }
/// }
/// ```
///
/// ```
/// # use quorate_wire::{open, OpenError, Opened, Stamp};
/// fn believe(key: &quorate_identity::KeyId, signed: &quorate_identity::Signed) -> Result<Opened<Stamp>, OpenError> {
///     open(signed, key)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<P> {
    payload: P,
    signer: KeyId,
    signed: Signed,
}

impl<P> Opened<P> {
    /// What was said.
    #[must_use]
    pub fn payload(&self) -> &P {
        &self.payload
    }

    /// Whose signature was verified.
    #[must_use]
    pub fn signer(&self) -> &KeyId {
        &self.signer
    }

    /// SHA-256 of the payload as carried.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.signed.digest()
    }

    /// The envelope as received.
    #[must_use]
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// What was said, by value.
    #[must_use]
    pub fn into_payload(self) -> P {
        self.payload
    }
}

/// Signs a payload.
#[must_use]
pub fn sign<P: Payload>(payload: &P, key: &SigningKey) -> Signed {
    Signed::by(key, P::KIND, payload.encode())
}

/// Signs a question with the researcher's key.
#[must_use]
pub fn sign_question(question: &QuestionPayload, key: &SigningKey) -> Signed {
    sign(question, key)
}

/// Believes a message if it is of this kind and signed by exactly this key.
///
/// # Errors
/// If kind, signature or payload is wrong.
pub fn open<P: Payload>(signed: &Signed, key: &KeyId) -> Result<Opened<P>, OpenError> {
    signed.verify(P::KIND, key)?;
    unwrap(signed, key)
}

/// Believes a message if its signer stands in the roster, at `now`, in the role and under the
/// name that the message claims, and the message belongs to the roster's network.
///
/// # Errors
/// If any of that is wrong.
pub fn open_member<P: Spoken>(
    signed: &Signed,
    roster: &Roster,
    now: i64,
) -> Result<Opened<P>, OpenError> {
    let signer = signed.verify_sole(P::KIND)?;
    let opened: Opened<P> = unwrap(signed, signer)?;
    if *roster.network() != *opened.payload.network() {
        return Err(OpenError::Network(opened.payload.network().to_owned()));
    }
    let member = roster.by_key(signer, now)?;
    let named = opened
        .payload
        .speaker()
        .is_none_or(|name| member.name == *name);
    if member.role == P::SPEAKER && named {
        return Ok(opened);
    }
    let name = opened.payload.speaker().unwrap_or_default().to_owned();
    Err(OpenError::Speaker {
        role: P::SPEAKER,
        name,
    })
}

/// [`open_member`] for a question: signed by the researcher whom it names.
///
/// # Errors
/// If any of that is wrong.
pub fn open_question(
    signed: &Signed,
    roster: &Roster,
    now: i64,
) -> Result<Opened<QuestionPayload>, OpenError> {
    open_member(signed, roster, now)
}

/// Until when `roster` counts as fresh by these signed stamps; stamps that are not believed count
/// for nothing. A node passes its own name as `own`, because its own word proves nothing to it.
///
/// # Errors
/// If a believed stamp shows a fork or entries that we lack, or none holds at `now`.
pub fn fresh_until(
    roster: &Roster,
    stamps: &[Signed],
    own: Option<&str>,
    now: i64,
) -> Result<i64, RosterError> {
    let believed: Vec<_> = stamps
        .iter()
        .filter_map(|stamp| open_member::<Stamp>(stamp, roster, now).ok())
        .map(|opened| (opened.claim(), opened.signer().clone()))
        .collect();
    roster.fresh_until(&believed, own, now)
}

/// Opens a proof of possession: the signer is whoever the envelope names, because an enrolling
/// party need not stand in the roster yet. It proves that the sender holds that key, no more.
///
/// # Errors
/// If kind, signature or payload is wrong.
pub fn open_possession(signed: &Signed) -> Result<Opened<EnrolPayload>, OpenError> {
    let signer = signed.verify_sole(EnrolPayload::KIND)?;
    unwrap(signed, signer)
}

fn unwrap<P: Payload>(signed: &Signed, signer: &KeyId) -> Result<Opened<P>, OpenError> {
    let payload = P::decode(&signed.payload)?;
    Ok(Opened {
        payload,
        signer: signer.clone(),
        signed: signed.clone(),
    })
}
