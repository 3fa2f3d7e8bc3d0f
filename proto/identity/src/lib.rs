//! Who says what: names, keys, signatures over exact bytes, the roster, and the one rustls set-up.
//!
//! Trust in Quorate rests on signatures by keys that a custodian-signed log, the [`roster`],
//! names. Certificates only make TLS work; a certificate without a roster entry opens no door.
//!
//! It has no clock: `now` is passed in as unix seconds. What it must not know: what questions
//! and answers say, protobuf, and where files lie on a party's machine.

pub mod envelope;
pub mod keys;
pub mod name;
pub mod roster;
pub mod tls;
pub mod token;

pub use envelope::{Signature, SignatureError, Signed};
pub use keys::{KeyError, KeyId, SigningKey};
pub use name::{Name, NameError};
pub use roster::{Head, Member, Role, Roster, RosterError};

use sha2::{Digest, Sha256};

/// SHA-256 of some bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// `sha256:` and 64 hexadecimal digits: how digests are written for people.
#[must_use]
pub fn digest_text(digest: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(digest))
}

/// Reads what [`digest_text`] writes; nothing else is accepted, not even capitals.
#[must_use]
pub fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:")?;
    if digits.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut digest = [0; 32];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

/// Fresh random bytes from the operating system, for secrets, salts and ids.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}
