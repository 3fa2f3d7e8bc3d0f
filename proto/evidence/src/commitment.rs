//! Salted commitments: what must not be readable in a ledger is there as a code that only the
//! custodian, who keeps the salt, can open, and that can be opened one entry at a time.
//!
//! The key of an entry is HMAC-SHA-256(salt, field ‖ 0 ‖ number of the record that opened the
//! question); the commitment is HMAC-SHA-256(key, value). To open one entry is to show its key and
//! value: that says nothing about any other entry.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::record::{Event, Record};

/// How a commitment of this kind begins.
const PREFIX: &str = "entry-hmac-sha256:";

/// The node's secret, from which the key of every entry is made.
pub struct Salt(hmac::Key);

impl Salt {
    /// From the bytes of the salt file.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The commitment to a value of a field, in the entry that this record opened.
    #[must_use]
    pub fn commitment(&self, opened: u64, field: &str, value: &[u8]) -> String {
        written(&self.entry(opened, field), value)
    }

    /// Opens one entry: what somebody needs to check that the value was this one.
    #[must_use]
    pub fn open(&self, opened: u64, field: &str, value: &[u8]) -> Opening {
        Opening {
            opened,
            field: field.to_owned(),
            key: hex::encode(self.entry(opened, field)),
            value: BASE64.encode(value),
        }
    }

    /// What makes a record's hash say nothing about its words: 128 bits, in hexadecimal.
    #[must_use]
    pub fn of_record(&self, seq: u64) -> String {
        let whole = self.entry(seq, "record");
        hex::encode(whole.iter().copied().take(16).collect::<Vec<_>>())
    }

    fn entry(&self, opened: u64, field: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(field.as_bytes());
        context.update(&[0]);
        context.update(&opened.to_be_bytes());
        bytes(&context.sign())
    }
}

fn bytes(tag: &hmac::Tag) -> [u8; 32] {
    let mut all = [0; 32];
    all.iter_mut()
        .zip(tag.as_ref())
        .for_each(|(to, from)| *to = *from);
    all
}

fn written(key: &[u8], value: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), value);
    format!("{PREFIX}{}", hex::encode(tag.as_ref()))
}

/// One entry, opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Number of the record that opened the question.
    pub opened: u64,
    /// `purpose`, `params` or `filter`.
    pub field: String,
    /// The entry's key, in hexadecimal.
    pub key: String,
    /// The value, in base64.
    pub value: String,
}

/// Why an opening shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOpening {
    /// Key or value cannot be read.
    #[error("the key or the value of the opening cannot be read")]
    Unreadable,
    /// The record has no such field, or belongs to another question.
    #[error("the record has no commitment of that field for that question")]
    Elsewhere,
    /// The value was another one.
    #[error("the record commits to another value")]
    Other,
}

impl Opening {
    /// Checks against the record of the ledger that holds the commitment.
    ///
    /// # Errors
    /// If the value is not the one that the record commits to.
    pub fn check(&self, record: &Record) -> Result<(), BadOpening> {
        let stated = stated(record, &self.field, self.opened).ok_or(BadOpening::Elsewhere)?;
        let key = hex::decode(&self.key).map_err(|_| BadOpening::Unreadable)?;
        let value = BASE64.decode(&self.value);
        let value = value.map_err(|_| BadOpening::Unreadable)?;
        if written(&key, &value) == stated {
            Ok(())
        } else {
            Err(BadOpening::Other)
        }
    }
}

/// The commitment that a record holds of a field.
fn stated<'a>(record: &'a Record, field: &str, opened: u64) -> Option<&'a str> {
    let found = match (&record.event, field) {
        (Event::Open(open), "purpose") if record.seq == opened => &open.purpose,
        (Event::Close(close), "params") if close.opened == opened => &close.params,
        (Event::Close(close), "filter") if close.opened == opened => &close.filter,
        _ => return None,
    };
    Some(found.as_str()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Close, Open};

    fn record(seq: u64, event: Event) -> Record {
        Record {
            seq,
            event,
            ..Record::default()
        }
    }

    #[test]
    fn one_entry_is_opened_and_no_other() {
        let salt = Salt::new(b"salt");
        let purpose = salt.commitment(4, "purpose", b"stroke");
        let open = record(
            4,
            Event::Open(Box::new(Open {
                purpose,
                ..Open::default()
            })),
        );
        let opening = salt.open(4, "purpose", b"stroke");
        assert_eq!(opening.check(&open), Ok(()));
        let lie = salt.open(4, "purpose", b"asthma");
        assert_eq!(lie.check(&open), Err(BadOpening::Other));
        let close = record(
            5,
            Event::Close(Box::new(Close {
                opened: 4,
                params: salt.commitment(4, "params", b"stroke"),
                ..Close::default()
            })),
        );
        assert_eq!(opening.check(&close), Err(BadOpening::Elsewhere));
        let other = Opening {
            field: "params".to_owned(),
            ..opening
        };
        assert_eq!(
            other.check(&close),
            Err(BadOpening::Other),
            "a key opens one field only"
        );
        let bent = Opening {
            key: "x".to_owned(),
            ..other
        };
        assert_eq!(bent.check(&close), Err(BadOpening::Unreadable));
        assert_ne!(salt.of_record(1), salt.of_record(2));
    }
}
