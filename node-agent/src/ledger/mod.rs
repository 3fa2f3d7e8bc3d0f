//! The ledger: what this node was asked, what it decided and what left, in an append-only chain.
//!
//! A record is on the disk before the step it records goes on: no ledger, no run; no ledger, no
//! release. Records are chained by hash and signed by the node; the head is kept beside, so that
//! cutting off the end is noticed too. It must not know what any cell holds.

mod adopt;
mod disk;
mod retain;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use quorate_evidence::chain::{Act, take_act};
use quorate_evidence::record::POLICY_CHANGED;
use quorate_evidence::{Receipt, Salt, Tree, line};
use quorate_identity::SigningKey;

pub(crate) use adopt::{AdoptError, Adopted, adopt};
use disk::{Disk, Files};
pub use quorate_evidence::line::BadLine;
pub use quorate_evidence::record::{
    Actor, Approval, Begin, Cells, Close, Cost, Decided, Disclosure, Erased, Event, Interrupted,
    Noted, Open, Record, Retained, Rules, Statement,
};
pub use quorate_evidence::{Head, Sound, Tampered};
pub(crate) use retain::retain;
pub(crate) use verify::read;
pub use verify::{holds, verify};

/// File name of the ledger in the state folder.
pub const LEDGER_FILE: &str = "ledger.log";
/// File name of its head.
pub const HEAD_FILE: &str = "ledger.head";
/// File name of the salt of its commitments.
pub const SALT_FILE: &str = "ledger.salt";

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
    tree: Tree,
    /// Time of the last record: no later one says an earlier time, whatever the clock does.
    time: i64,
    open: BTreeMap<u64, String>,
    interrupted: BTreeSet<String>,
    acts: BTreeMap<String, Act>,
    policy: String,
    records: u64,
    salt: Salt,
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
            tree: sound.tree,
            time: sound.time,
            open: sound.open,
            interrupted: sound.interrupted,
            acts: sound.acts,
            policy: sound.policy,
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

    /// The tree over its records.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// A moment that is not before the last record.
    #[must_use]
    pub fn not_before(&self, now: i64) -> i64 {
        now.max(self.time)
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

    /// Signed acts of governance that it tells of, by digest.
    #[must_use]
    pub fn acts(&self) -> &BTreeMap<String, Act> {
        &self.acts
    }

    /// The policy that it tells of last; empty if nothing was recorded under any.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
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
        self.append_words(event, key, now)
            .map(|_| self.head.clone())
    }

    /// Appends a decision and gives its receipt.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn decide(
        &mut self,
        decided: Decided,
        key: &SigningKey,
        now: i64,
    ) -> Result<Receipt, LedgerError> {
        let json = self.append_words(Event::Decided(Box::new(decided)), key, now)?;
        Receipt::of_last(json, &self.tree).ok_or(LedgerError::Sealed)
    }

    /// Appends a record and gives its JSON.
    fn append_words(
        &mut self,
        event: Event,
        key: &SigningKey,
        now: i64,
    ) -> Result<String, LedgerError> {
        if self.sealed {
            return Err(LedgerError::Sealed);
        }
        let seq = self.head.seq + 1;
        let record = Record {
            seq,
            previous: self.head.hash.clone(),
            time: now.max(self.time),
            clock_ahead: self.clock_ahead,
            node: self.node.clone(),
            software: concat!("quorate ", env!("CARGO_PKG_VERSION")).to_owned(),
            salt: self.salt.of_record(seq),
            event,
        };
        let (mut line, hash) = line::write(&record, key)?;
        let json = line::words(&line).unwrap_or_default().to_owned();
        line.push('\n');
        if let Err(error) = self.disk.append(line.as_bytes()) {
            self.sealed = self.disk.undo().is_err();
            return Err(LedgerError::Write(error));
        }
        self.tree.push(&line::leaf(&hash)?);
        self.head = Head { seq, hash };
        self.time = record.time;
        self.note(record);
        self.disk.keep_head(&self.head)?;
        Ok(json)
    }

    /// Which questions are open after a record.
    fn note(&mut self, record: Record) {
        match record.event {
            Event::Open(open) => {
                self.open.insert(record.seq, open.question);
                self.policy = open.policy;
            }
            Event::Close(close) => {
                self.open.remove(&close.opened);
                self.interrupted.remove(&close.question);
            }
            Event::Interrupted(event) => {
                self.open.remove(&event.opened);
                self.interrupted.insert(event.question);
            }
            Event::Noted(noted) => {
                take_act(&mut self.acts, &noted);
                if noted.what == POLICY_CHANGED {
                    self.policy = noted.concerns;
                }
            }
            Event::Begin(_) | Event::Decided(_) | Event::Erased(_) | Event::Retained(_) => {}
        }
    }

    /// A commitment to something that must not be readable in the ledger: the custodian, who has
    /// the salt, can prove later what it was. `opened` is the record that opened the question; for
    /// that record itself, the next one.
    #[must_use]
    pub fn commitment(&self, opened: Option<u64>, field: &str, value: &[u8]) -> String {
        let opened = opened.unwrap_or(self.head.seq + 1);
        self.salt.commitment(opened, field, value)
    }
}

/// The salt, made at first use.
pub(crate) fn salt(folder: &Path) -> Result<Salt, LedgerError> {
    let path = folder.join(SALT_FILE);
    if !path.exists() {
        let fresh = hex::encode(quorate_identity::random::<32>()?);
        quorate_identity::keys::write_private(&path, fresh.as_bytes())?;
    }
    let bytes = quorate_identity::keys::read_private(&path)?;
    Ok(Salt::new(&bytes))
}

#[cfg(test)]
mod tests;
