//! Signed payloads of governance: JSON in one spelling, inside the envelope of `quorate-identity`.
//!
//! The digest of the payload is the name by which other artefacts, the ledger and receipts point
//! to it. A payload that this release would write differently is refused, so that one act has one
//! digest. It must not know who may sign what.

use std::collections::BTreeSet;

use quorate_identity::{KeyId, SignatureError, Signed, SigningKey, digest_text};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest payload, in bytes.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// A payload that persons sign.
pub trait Artefact: Serialize + DeserializeOwned {
    /// Its kind in the envelope.
    const KIND: &'static str;

    /// What is wrong with its content, whoever signed it: one sentence a mistake.
    fn mistakes(&self) -> Vec<String>;

    /// The bytes to sign.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        // Names, numbers, texts and key ids always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// How others point to it: `sha256:...` of its bytes.
    #[must_use]
    fn digest(&self) -> String {
        digest_text(&quorate_identity::sha256(&self.to_bytes()))
    }

    /// Signs it.
    #[must_use]
    fn sign(&self, key: &SigningKey) -> Signed {
        Signed::by(key, Self::KIND, self.to_bytes())
    }
}

/// Why bytes are not an artefact. The fault lies with whoever made or carried them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtefactError {
    /// Kind or signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Not the content of this kind.
    #[error("the {0} cannot be read: it is damaged, or was made by another release")]
    Unreadable(&'static str),
    /// Another spelling of a readable content.
    #[error("the {0} is not written as this release writes it: make it anew with the command line")]
    Spelling(&'static str),
    /// Larger than allowed.
    #[error("the {0} is larger than {MAX_PAYLOAD} bytes")]
    TooLarge(&'static str),
    /// Its content is wrong.
    #[error("the {kind} is not in order: {}", .mistakes.join("; "))]
    Wrong {
        /// Of what kind it is.
        kind: &'static str,
        /// Every mistake.
        mistakes: Vec<String>,
    },
}

/// An artefact whose content is in order and whose every signature is valid. Whether the signers
/// may speak is for its own module to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<A> {
    content: A,
    digest: String,
    signers: BTreeSet<KeyId>,
}

impl<A: Artefact> Opened<A> {
    /// Opens a signed artefact.
    ///
    /// # Errors
    /// If a signature is wrong, or the content is not in order.
    pub fn open(signed: &Signed) -> Result<Self, ArtefactError> {
        let signers = signed.verify_all(A::KIND)?;
        let signers = signers.into_iter().cloned().collect();
        let content = read::<A>(&signed.payload)?;
        let digest = digest_text(&signed.digest());
        Ok(Self {
            content,
            digest,
            signers,
        })
    }

    /// What was signed.
    pub fn content(&self) -> &A {
        &self.content
    }

    /// How others point to it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Who signed.
    pub fn signers(&self) -> &BTreeSet<KeyId> {
        &self.signers
    }

    /// The only signer, if there is one only.
    pub fn sole_signer(&self) -> Option<&KeyId> {
        let mut signers = self.signers.iter();
        signers.next().filter(|_| signers.next().is_none())
    }

    /// Whether this key signed.
    pub fn signed_by(&self, key: &KeyId) -> bool {
        self.signers.contains(key)
    }

    /// Whether it is the word of whoever holds this key. What permits something is signed by them
    /// alone; what stops something stays theirs whatever somebody else signs below: otherwise anybody
    /// could void a suspension or a refusal by signing it too.
    pub fn said_by(&self, key: &KeyId, stops: bool) -> bool {
        self.signed_by(key) && (stops || self.signers.len() == 1)
    }
}

/// Reads a payload and holds it to its one spelling.
///
/// # Errors
/// If it is none, too large, or not in order.
pub fn read<A: Artefact>(payload: &[u8]) -> Result<A, ArtefactError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(ArtefactError::TooLarge(A::KIND));
    }
    let content: A =
        serde_json::from_slice(payload).map_err(|_| ArtefactError::Unreadable(A::KIND))?;
    if content.to_bytes() != payload {
        return Err(ArtefactError::Spelling(A::KIND));
    }
    let mistakes = content.mistakes();
    if mistakes.is_empty() {
        Ok(content)
    } else {
        Err(ArtefactError::Wrong {
            kind: A::KIND,
            mistakes,
        })
    }
}

/// Adds a signature; a second one of the same key changes nothing.
pub fn cosign(key: &SigningKey, signed: &mut Signed) {
    if !signed.signatures.iter().any(|s| &s.key_id == key.key_id()) {
        let kind = signed.kind.clone();
        signed.signatures.push(key.sign(&kind, &signed.payload));
    }
}

/// A payload that nobody has signed yet.
#[must_use]
pub fn unsigned<A: Artefact>(content: &A) -> Signed {
    Signed {
        kind: A::KIND.to_owned(),
        payload: content.to_bytes(),
        signatures: Vec::new(),
    }
}

/// Notes a mistake where a text is empty, too long, or cannot be shown.
pub(crate) fn need_text(mistakes: &mut Vec<String>, name: &str, text: &str, max: usize) {
    if text.trim().is_empty() {
        mistakes.push(format!("`{name}` is missing"));
    } else if text.len() > max {
        mistakes.push(format!("`{name}` is longer than {max} bytes"));
    } else if text.chars().any(|c| c.is_control() && c != '\n') {
        mistakes.push(format!("`{name}` has control characters"));
    }
}

/// Notes a mistake where a text is not a digest.
pub(crate) fn need_digest(mistakes: &mut Vec<String>, name: &str, text: &str) {
    if quorate_identity::parse_digest(text).is_none() {
        mistakes.push(format!(
            "`{name}` is not a digest: sha256: and 64 hexadecimal digits"
        ));
    }
}
