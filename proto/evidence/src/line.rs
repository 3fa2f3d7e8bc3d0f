//! One record is one line: the record as JSON, its hash, the node's signature over the hash.
//! The hash covers the very bytes of the JSON, which name the hash before: a chain. Retention
//! leaves a line without the JSON: a signed stub that still carries the chain and the tree.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_identity::{KeyId, SigningKey, digest_text, parse_digest};
use sha2::{Digest, Sha256};

use crate::record::Record;

/// What a signature over a record covers, beside the hash.
const KIND: &str = "ledger";

/// Why a line is not a record of this chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not three fields, or not a record.
    #[error("is not a ledger record")]
    Unreadable,
    /// The bytes do not have their hash.
    #[error("was altered: its bytes do not have its hash")]
    Hash,
    /// The hash was not signed by the node's key.
    #[error("was not signed by the node's key")]
    Signature,
}

/// A line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A record and its hash.
    Whole(Box<Record>, String),
    /// The hash of a record whose words retention removed.
    Stub(String),
}

/// A line, without its end, and the record's hash.
///
/// # Errors
/// If the record cannot be put into words.
pub fn write(record: &Record, key: &SigningKey) -> Result<(String, String), BadLine> {
    let json = serde_json::to_string(record).map_err(|_| BadLine::Unreadable)?;
    let hash = hash(&json);
    let signature = BASE64.encode(key.sign(KIND, hash.as_bytes()).signature);
    Ok((format!("{json}\t{hash}\t{signature}"), hash))
}

/// What a line says; the signature is checked if a key is given.
///
/// # Errors
/// If it is no line of a ledger, was altered, or was not signed by the key.
pub fn read(line: &str, key: Option<&KeyId>) -> Result<Line, BadLine> {
    let (json, stated, signature) = fields(line).ok_or(BadLine::Unreadable)?;
    if !json.is_empty() && hash(json) != stated {
        return Err(BadLine::Hash);
    }
    if let Some(key) = key {
        let bytes = BASE64.decode(signature).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        if !bytes.is_some_and(|bytes| key.verifies(KIND, stated.as_bytes(), &bytes)) {
            return Err(BadLine::Signature);
        }
    }
    if json.is_empty() {
        return Ok(Line::Stub(stated.to_owned()));
    }
    let record = serde_json::from_str(json).map_err(|_| BadLine::Unreadable)?;
    Ok(Line::Whole(record, stated.to_owned()))
}

/// The stub of a line: its hash and signature.
#[must_use]
pub fn stub(line: &str) -> Option<String> {
    let (_, hash, signature) = fields(line)?;
    Some(format!("\t{hash}\t{signature}"))
}

/// The JSON of a line, exactly as it was hashed; none of a stub.
#[must_use]
pub fn words(line: &str) -> Option<&str> {
    fields(line)
        .map(|(json, _, _)| json)
        .filter(|json| !json.is_empty())
}

fn fields(line: &str) -> Option<(&str, &str, &str)> {
    let mut fields = line.split('\t');
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some(json), Some(hash), Some(signature), None) => Some((json, hash, signature)),
        _ => None,
    }
}

/// The hash of a record's JSON, `sha256:...`.
#[must_use]
pub fn hash(json: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"quorate/ledger/1\0");
    hash.update(json.as_bytes());
    digest_text(&hash.finalize().into())
}

/// What a record puts into the tree: the bytes of its hash.
///
/// # Errors
/// If that is not a hash.
pub fn leaf(hash: &str) -> Result<[u8; 32], BadLine> {
    parse_digest(hash).ok_or(BadLine::Hash)
}
