//! One record is one line: the record as JSON, its hash, the node's signature over the hash.
//! The hash covers the very bytes of the JSON, which name the hash before: a chain.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_identity::{KeyId, SigningKey};
use sha2::{Digest, Sha256};

use super::record::Record;

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

/// A line, without its end.
pub(super) fn write(record: &Record, key: &SigningKey) -> Result<(String, String), BadLine> {
    let json = serde_json::to_string(record).map_err(|_| BadLine::Unreadable)?;
    let hash = hash(&json);
    let signature = BASE64.encode(key.sign(KIND, hash.as_bytes()).signature);
    Ok((format!("{json}\t{hash}\t{signature}"), hash))
}

/// The record of a line and its hash; the signature is checked if a key is given.
pub(super) fn read(line: &str, key: Option<&KeyId>) -> Result<(Record, String), BadLine> {
    let mut fields = line.split('\t');
    let (Some(json), Some(stated), Some(signature), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(BadLine::Unreadable);
    };
    if hash(json) != stated {
        return Err(BadLine::Hash);
    }
    if let Some(key) = key {
        let bytes = BASE64
            .decode(signature)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let signed = bytes.is_some_and(|bytes| key.verifies(KIND, stated.as_bytes(), &bytes));
        if !signed {
            return Err(BadLine::Signature);
        }
    }
    let record = serde_json::from_str(json).map_err(|_| BadLine::Unreadable)?;
    Ok((record, stated.to_owned()))
}

fn hash(json: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"quorate/ledger/1\0");
    hash.update(json.as_bytes());
    format!("sha256:{}", hex::encode(hash.finalize()))
}
