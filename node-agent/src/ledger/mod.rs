//! The ledger: what this node was asked, what it decided and what left, in an append-only chain.
//!
//! A record is on the disk before the step it records goes on: no ledger, no run; no ledger, no
//! release. Records are chained by hash and signed by the node; the head is kept beside, so that
//! cutting off the end is noticed too. It must not know what any cell holds.

mod adopt;
mod disk;
mod line;
mod record;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use quorate_identity::SigningKey;
use ring::hmac;
use serde::{Deserialize, Serialize};

pub(crate) use adopt::{AdoptError, Adopted, adopt};
use disk::{Disk, Files};
pub use line::BadLine;
pub use record::{
    Actor, Approval, Begin, Close, Cost, Disclosure, Erased, Event, Interrupted, Open, Record,
};
pub use verify::{Sound, Tampered, holds, verify};

/// File name of the ledger in the state folder.
pub const LEDGER_FILE: &str = "ledger.log";
/// File name of its head.
pub const HEAD_FILE: &str = "ledger.head";
/// File name of the salt of its commitments.
pub const SALT_FILE: &str = "ledger.salt";

/// Where a ledger stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of the last record; 0 for an empty ledger.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// The ledger cannot be used. Whatever was to be recorded must not happen.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It does not hold together.
    #[error("{0}; nothing is answered until the custodian has looked at it")]
    Tampered(#[from] Tampered),
    /// It cannot be written.
    #[error("the ledger cannot be written ({0}); nothing is answered until it can")]
    Write(#[from] std::io::Error),
    /// Another process writes it.
    #[error("the ledger is in use: is this node running already?")]
    InUse,
    /// A failed write could not be undone.
    #[error("a failed write could not be undone; restart the node")]
    Sealed,
    /// The salt of its commitments cannot be read or made.
    #[error("the ledger's salt: {0}")]
    Salt(#[from] quorate_identity::KeyError),
    /// A trial has none.
    #[error("a trial has no ledger")]
    Trial,
    /// A record could not be written down.
    #[error("a record {0}")]
    Record(#[from] BadLine),
}

/// An open ledger.
pub struct Ledger {
    disk: Box<dyn Disk>,
    node: String,
    head: Head,
    open: BTreeMap<u64, String>,
    interrupted: BTreeSet<String>,
    records: u64,
    salt: hmac::Key,
    clock_ahead: Option<i64>,
    sealed: bool,
}

impl Ledger {
    /// Verifies the ledger in a state folder and opens it for appending; begins it if there is none.
    ///
    /// # Errors
    /// If it was tampered with, is in use, or cannot be written.
    pub fn open(
        folder: &Path,
        node: &str,
        key: &SigningKey,
        now: i64,
    ) -> Result<Self, LedgerError> {
        let sound = verify(folder, Some(key.key_id()), None)?;
        let disk = Files::open(folder, sound.bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => LedgerError::InUse,
            _ => LedgerError::Write(error),
        })?;
        let mut ledger = Self {
            disk: Box::new(disk),
            node: node.to_owned(),
            head: sound.head,
            open: sound.open,
            interrupted: sound.interrupted,
            records: sound.records,
            salt: salt(folder)?,
            clock_ahead: None,
            sealed: false,
        };
        if ledger.head.seq == 0 {
            let begin = Begin {
                key: key.key_id().to_string(),
            };
            ledger.append(Event::Begin(begin), key, now)?;
        }
        Ok(ledger)
    }

    /// Where it stands.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Questions opened and not closed, by the number of the record that opened them.
    #[must_use]
    pub fn unfinished(&self) -> &BTreeMap<u64, String> {
        &self.open
    }

    /// Whether a question was opened and has no answer yet: running, or interrupted.
    #[must_use]
    pub fn is_unanswered(&self, question: &str) -> bool {
        self.interrupted.contains(question) || self.open.values().any(|open| open == question)
    }

    /// The most records of the release store that this ledger told of when it was opened.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How far the coordinator's clock is ahead of ours; goes into every later record.
    pub fn set_clock_ahead(&mut self, seconds: i64) {
        self.clock_ahead = Some(seconds);
    }

    /// Appends a record; when this returns, it is on the disk.
    ///
    /// # Errors
    /// If it is not. The ledger is then as it was before.
    pub fn append(
        &mut self,
        event: Event,
        key: &SigningKey,
        now: i64,
    ) -> Result<Head, LedgerError> {
        if self.sealed {
            return Err(LedgerError::Sealed);
        }
        let record = Record {
            seq: self.head.seq + 1,
            previous: self.head.hash.clone(),
            time: now,
            clock_ahead: self.clock_ahead,
            node: self.node.clone(),
            software: concat!("quorate ", env!("CARGO_PKG_VERSION")).to_owned(),
            event,
        };
        let (mut line, hash) = line::write(&record, key)?;
        line.push('\n');
        if let Err(error) = self.disk.append(line.as_bytes()) {
            self.sealed = self.disk.undo().is_err();
            return Err(LedgerError::Write(error));
        }
        self.head = Head {
            seq: record.seq,
            hash,
        };
        match record.event {
            Event::Open(open) => drop(self.open.insert(record.seq, open.question)),
            Event::Close(close) => {
                self.open.remove(&close.opened);
                self.interrupted.remove(&close.question);
            }
            Event::Interrupted(event) => {
                self.open.remove(&event.opened);
                self.interrupted.insert(event.question);
            }
            Event::Begin(_) | Event::Erased(_) => {}
        }
        self.disk.keep_head(&self.head)?;
        Ok(self.head.clone())
    }

    /// A commitment to something that must not be readable in the ledger: the custodian, who has
    /// the salt, can prove later what it was.
    #[must_use]
    pub fn commitment(&self, what: &str, value: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.salt);
        context.update(what.as_bytes());
        context.update(&[0]);
        context.update(&(self.head.seq + 1).to_be_bytes());
        context.update(value);
        format!("hmac-sha256:{}", hex::encode(context.sign()))
    }
}

/// The salt, made at first use.
fn salt(folder: &Path) -> Result<hmac::Key, LedgerError> {
    let path = folder.join(SALT_FILE);
    if !path.exists() {
        let fresh = hex::encode(quorate_identity::random::<32>()?);
        quorate_identity::keys::write_private(&path, fresh.as_bytes())?;
    }
    let bytes = quorate_identity::keys::read_private(&path)?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests;
