//! The envelope: a kind, the payload exactly as carried, and signatures over both.
//!
//! A signature covers `quorate/v1/<kind>\0` followed by the payload bytes, so that bytes signed
//! as one kind mean nothing as another. The payload is never re-serialised by anyone.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyId, SigningKey};

/// The kinds of signed payload. Anything else is refused.
pub mod kind {
    /// What a researcher asks.
    pub const QUESTION: &str = "question";
    /// What a node releases.
    pub const ANSWER: &str = "answer";
    /// That a node does not answer.
    pub const REFUSAL: &str = "refusal";
    /// What a coordinator combined.
    pub const RESULT: &str = "result";
    /// An entry of the roster.
    pub const ROSTER: &str = "roster";
    /// Which roster head a node knew, and when.
    pub const STAMP: &str = "stamp";
    /// A node's first words on its stream.
    pub const HELLO: &str = "hello";
    /// Where a node's ledger stands.
    pub const CHECKPOINT: &str = "checkpoint";
    /// Proof that the holder of an identity key asks for a certificate.
    pub const ENROL: &str = "enrol";
    /// A node's part of the public register.
    pub const EXTRACT: &str = "extract";
    /// Where a coordinator's log of results and roster entries stands.
    pub const LOG: &str = "log";
    /// A custodian's word on a state of the data.
    pub const REGISTRATION: &str = "registration";

    /// What an applicant asks to do.
    pub const PROJECT: &str = "project";
    /// A committee member's vote on a project.
    pub const VOTE: &str = "vote";
    /// A custodian's word on a project for its own node.
    pub const ACCEPTANCE: &str = "acceptance";
    /// That somebody was trained, or accepted an agreement.
    pub const EVIDENCE: &str = "evidence";
    /// That a question may run.
    pub const APPROVAL: &str = "approval";
    /// What an output checker says of what would leave.
    pub const REVIEW: &str = "review";
    /// That a person, project or node is stopped.
    pub const SUSPENSION: &str = "suspension";
    /// That a suspension ends.
    pub const LIFT: &str = "lift";
    /// That a node's policy changes.
    pub const CHANGE: &str = "change";

    /// That an operator may read one question for some hours.
    pub const GLASS: &str = "glass";

    /// All of them.
    pub const ALL: [&str; 22] = [
        QUESTION,
        ANSWER,
        REFUSAL,
        RESULT,
        ROSTER,
        STAMP,
        HELLO,
        CHECKPOINT,
        ENROL,
        PROJECT,
        VOTE,
        ACCEPTANCE,
        EVIDENCE,
        APPROVAL,
        REVIEW,
        SUSPENSION,
        LIFT,
        CHANGE,
        EXTRACT,
        REGISTRATION,
        LOG,
        GLASS,
    ];
}

/// One signature and who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The signer's public key.
    pub key_id: KeyId,
    /// 64 bytes of Ed25519.
    #[serde(with = "signature_text")]
    pub signature: [u8; 64],
}

/// A payload and its signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// One of [`kind::ALL`].
    pub kind: String,
    /// The exact bytes that were signed.
    #[serde(with = "payload_text")]
    pub payload: Vec<u8>,
    /// Who signed; one for messages, one or more for roster entries.
    pub signatures: Vec<Signature>,
}

/// Why an envelope is not believed. The fault lies with whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The kind is none that exists.
    #[error("unknown kind of message")]
    UnknownKind,
    /// A message of one kind was presented as another.
    #[error("expected a signed {expected}, not another kind of message")]
    WrongKind {
        /// What was expected.
        expected: String,
    },
    /// Nobody signed.
    #[error("not signed")]
    Unsigned,
    /// One key signed twice.
    #[error("{0} signed twice")]
    Twice(KeyId),
    /// A message of one speaker carries more than one signature.
    #[error("more than one signature on a message of one speaker")]
    TooMany,
    /// Signed by somebody else.
    #[error("signed by {found}, not by {expected}")]
    WrongKey {
        /// Who should have signed.
        expected: KeyId,
        /// Who signed.
        found: KeyId,
    },
    /// The bytes are not what was signed.
    #[error(
        "the signature of {0} does not fit the bytes: they were altered, or signed as something else"
    )]
    Invalid(KeyId),
}

impl Signed {
    /// Signs a payload.
    #[must_use]
    pub fn by(key: &SigningKey, kind: &str, payload: Vec<u8>) -> Self {
        let signature = key.sign(kind, &payload);
        Self {
            kind: kind.to_owned(),
            payload,
            signatures: vec![signature],
        }
    }

    /// Checks that this is `kind`, signed by `key` and by nobody else.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn verify(&self, kind: &str, key: &KeyId) -> Result<(), SignatureError> {
        let found = self.verify_sole(kind)?;
        if found == key {
            Ok(())
        } else {
            Err(SignatureError::WrongKey {
                expected: key.clone(),
                found: found.clone(),
            })
        }
    }

    /// Checks that this is `kind` with one valid signature, and says whose. Whether that key may
    /// speak is for the roster to say.
    ///
    /// # Errors
    /// If kind, number of signatures or the signature is wrong.
    pub fn verify_sole(&self, kind: &str) -> Result<&KeyId, SignatureError> {
        self.check_kind(kind)?;
        match self.signatures.as_slice() {
            [] => Err(SignatureError::Unsigned),
            [one] => self.check(one),
            _ => Err(SignatureError::TooMany),
        }
    }

    /// Checks that this is `kind` and that every signature on it is valid, and says whose they are.
    ///
    /// # Errors
    /// If the kind is wrong, nobody signed, a key signed twice, or any signature is invalid.
    pub fn verify_all(&self, kind: &str) -> Result<BTreeSet<&KeyId>, SignatureError> {
        self.check_kind(kind)?;
        let mut signers = BTreeSet::new();
        for signature in &self.signatures {
            if !signers.insert(self.check(signature)?) {
                return Err(SignatureError::Twice(signature.key_id.clone()));
            }
        }
        if signers.is_empty() {
            Err(SignatureError::Unsigned)
        } else {
            Ok(signers)
        }
    }

    /// SHA-256 of the payload as carried.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        crate::sha256(&self.payload)
    }

    fn check_kind(&self, expected: &str) -> Result<(), SignatureError> {
        if !kind::ALL.contains(&self.kind.as_str()) {
            return Err(SignatureError::UnknownKind);
        }
        if self.kind == expected {
            Ok(())
        } else {
            Err(SignatureError::WrongKind {
                expected: expected.to_owned(),
            })
        }
    }

    fn check<'a>(&self, signature: &'a Signature) -> Result<&'a KeyId, SignatureError> {
        if signature
            .key_id
            .verifies(&self.kind, &self.payload, &signature.signature)
        {
            Ok(&signature.key_id)
        } else {
            Err(SignatureError::Invalid(signature.key_id.clone()))
        }
    }
}

/// What a signature covers.
pub(crate) fn signed_bytes(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(kind.len() + payload.len() + 12);
    bytes.extend_from_slice(b"quorate/v1/");
    bytes.extend_from_slice(kind.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(payload);
    bytes
}

mod payload_text {
    //! Payload bytes as base64 in JSON.
    use super::{BASE64, Engine};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        BASE64
            .decode(String::deserialize(from)?)
            .map_err(D::Error::custom)
    }
}

mod signature_text {
    //! Signature bytes as base64 in JSON.
    use super::{BASE64, Engine};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 64], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 64], D::Error> {
        let bytes = BASE64
            .decode(String::deserialize(from)?)
            .map_err(D::Error::custom)?;
        bytes
            .try_into()
            .map_err(|_| D::Error::custom("a signature is 64 bytes"))
    }
}
