//! Follows a ledger from its first byte: nothing edited, deleted, reordered or cut off.

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::KeyId;
use serde::{Deserialize, Serialize};

use crate::line::{self, BadLine, Line};
use crate::merkle::Tree;
use crate::record::{ACT, Event, Noted, POLICY_CHANGED, Record};

/// Where a ledger stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of the last record; 0 for an empty ledger.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// What is wrong with a ledger, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    /// A line is not what was written.
    #[error("line {line} {why}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// Why.
        why: BadLine,
    },
    /// A record does not follow the one before.
    #[error(
        "line {line} does not follow the record before it: records were deleted, inserted or reordered"
    )]
    Order {
        /// Which line, from 1.
        line: u64,
    },
    /// The ledger ends before a place that it once reached.
    #[error("the ledger ends at record {found}, but {witness} saw record {seq}: it was cut off")]
    CutOff {
        /// Last record found.
        found: u64,
        /// Record that was there.
        seq: u64,
        /// Who says so.
        witness: &'static str,
    },
    /// A record that a witness saw has another hash now.
    #[error("record {seq} is not the one that {witness} saw: the ledger was rewritten")]
    Rewritten {
        /// Which record.
        seq: u64,
        /// Who says so.
        witness: &'static str,
    },
    /// A record's words are gone, and no record of retention says so.
    #[error("the words of record {0} are gone and no record of retention says so: it was emptied")]
    Emptied(u64),
    /// A ledger without its head file.
    #[error(
        "the head file is missing or damaged: without it nobody can tell whether the ledger was cut off"
    )]
    NoHead,
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Unreadable(String),
}

/// A ledger that holds together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    /// Where it ends.
    pub head: Head,
    /// The tree over its records.
    pub tree: Tree,
    /// The latest time that any record tells, unix seconds.
    pub time: i64,
    /// Questions opened and not closed, by the number of the record that opened them.
    pub open: BTreeMap<u64, String>,
    /// Questions that were interrupted and not closed since.
    pub interrupted: BTreeSet<String>,
    /// The most records of the release store that any record here tells of.
    pub records: u64,
    /// Bytes of whole records; anything after them is the torn end of a record never acknowledged.
    pub bytes: u64,
    /// Whether there is such a torn end.
    pub torn: bool,
    /// Records of which retention left the hash and the signature.
    pub stubs: u64,
    /// Signed acts of governance that it tells of: their kind and who signed, by digest.
    pub acts: BTreeMap<String, Act>,
    /// The policy that was in force last; empty if nothing tells.
    pub policy: String,
}

/// A signed act of governance, as a ledger tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Act {
    /// Its kind.
    pub kind: String,
    /// Keys of those who signed it.
    pub signers: BTreeSet<String>,
}

/// Takes in what a note tells of signed acts.
pub fn take_act(acts: &mut BTreeMap<String, Act>, noted: &Noted) {
    if let Some(kind) = noted.what.strip_prefix(ACT) {
        for digest in &noted.documents {
            let act = acts.entry(digest.clone()).or_default();
            kind.clone_into(&mut act.kind);
            act.signers.insert(noted.actor.key.clone());
        }
    }
}

impl Sound {
    fn take(&mut self, seq: u64, event: Event) {
        match event {
            Event::Open(open) => {
                self.open.insert(seq, open.question);
                self.policy = open.policy;
            }
            Event::Close(close) => {
                self.open.remove(&close.opened);
                self.interrupted.remove(&close.question);
                self.records = self.records.max(close.disclosure.records);
            }
            Event::Interrupted(event) => {
                self.open.remove(&event.opened);
                self.interrupted.insert(event.question);
            }
            Event::Retained(event) => self.records = self.records.max(event.records),
            Event::Noted(noted) => {
                take_act(&mut self.acts, &noted);
                if noted.what == POLICY_CHANGED {
                    self.policy = noted.concerns;
                }
            }
            Event::Begin(_) | Event::Decided(_) | Event::Erased(_) => {}
        }
    }
}

/// Follows the chain of a ledger's bytes, which must pass the places that witnesses saw. Signatures
/// are checked if a key is given.
///
/// # Errors
/// The first thing that is wrong.
pub fn walk(
    bytes: &[u8],
    key: Option<&KeyId>,
    witnesses: &[(&'static str, &Head)],
) -> Result<Sound, Tampered> {
    let mut sound = Sound::default();
    let (mut stub, mut retained) = (0, 0);
    for (index, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let Some(whole) = text.strip_suffix(b"\n") else {
            sound.torn = true;
            break;
        };
        let bad = |why| Tampered::Line { line: number, why };
        let words = std::str::from_utf8(whole).map_err(|_| bad(BadLine::Unreadable))?;
        let hash = match line::read(words, key).map_err(bad)? {
            Line::Whole(record, hash) => {
                if record.seq != number || record.previous != sound.head.hash {
                    return Err(Tampered::Order { line: number });
                }
                if let Event::Retained(event) = &record.event {
                    retained = retained.max(event.through.min(number));
                }
                sound.time = sound.time.max(record.time);
                sound.take(record.seq, record.event);
                hash
            }
            Line::Stub(hash) => {
                (stub, sound.stubs) = (number, sound.stubs + 1);
                hash
            }
        };
        sound.tree.push(&line::leaf(&hash).map_err(bad)?);
        sound.head = Head { seq: number, hash };
        sound.bytes += u64::try_from(text.len()).unwrap_or(0);
        saw(&sound.head, witnesses)?;
    }
    if stub > retained {
        return Err(Tampered::Emptied(stub));
    }
    reaches(&sound.head, witnesses)?;
    Ok(sound)
}

/// The record that opened the question of a decision or of an end.
#[must_use]
pub fn opened_by(record: &Record) -> Option<u64> {
    match &record.event {
        Event::Decided(decided) => Some(decided.opened),
        Event::Close(close) => Some(close.opened),
        Event::Interrupted(event) => Some(event.opened),
        Event::Open(_) => Some(record.seq),
        Event::Begin(_) | Event::Erased(_) | Event::Retained(_) | Event::Noted(_) => None,
    }
}

fn saw(head: &Head, witnesses: &[(&'static str, &Head)]) -> Result<(), Tampered> {
    let other = |seen: &Head| seen.seq == head.seq && seen.hash != head.hash;
    match witnesses.iter().find(|(_, seen)| other(seen)) {
        Some((witness, seen)) => Err(Tampered::Rewritten {
            seq: seen.seq,
            witness,
        }),
        None => Ok(()),
    }
}

fn reaches(head: &Head, witnesses: &[(&'static str, &Head)]) -> Result<(), Tampered> {
    match witnesses.iter().find(|(_, seen)| seen.seq > head.seq) {
        Some((witness, seen)) => Err(Tampered::CutOff {
            found: head.seq,
            seq: seen.seq,
            witness,
        }),
        None => Ok(()),
    }
}
