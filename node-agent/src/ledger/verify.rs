//! Checks a ledger from its first byte: nothing edited, deleted, reordered or cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use quorate_identity::KeyId;

use super::line::{self, BadLine};
use super::record::Event;
use super::{HEAD_FILE, Head, LEDGER_FILE};

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
}

impl Sound {
    fn take(&mut self, seq: u64, event: Event) {
        match event {
            Event::Open(open) => drop(self.open.insert(seq, open.question)),
            Event::Close(close) => {
                self.open.remove(&close.opened);
                self.interrupted.remove(&close.question);
                self.records = self.records.max(close.disclosure.records);
            }
            Event::Interrupted(event) => {
                self.open.remove(&event.opened);
                self.interrupted.insert(event.question);
            }
            Event::Begin(_) | Event::Erased(_) => {}
        }
    }
}

/// Whether the ledger in a state folder holds the record that a witness saw. The torn end of an
/// append under way does not matter.
///
/// # Errors
/// If it is shorter, or holds another record there.
pub fn holds(folder: &Path, witness: &'static str, head: &Head) -> Result<(), Tampered> {
    let bytes = read(folder)?;
    walk(&bytes, None, &[(witness, head)]).map(|_| ())
}

/// Reads the ledger in a state folder.
pub(super) fn read(folder: &Path) -> Result<Vec<u8>, Tampered> {
    match std::fs::read(folder.join(LEDGER_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(|error| Tampered::Unreadable(error.to_string())),
    }
}

/// Verifies the ledger in a state folder against its chain, the node's signatures, its head file
/// and, if given, a checkpoint that somebody else kept.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    folder: &Path,
    key: Option<&KeyId>,
    checkpoint: Option<&Head>,
) -> Result<Sound, Tampered> {
    let bytes = read(folder)?;
    let kept = head_file(folder)?;
    let mut witnesses = Vec::new();
    if let Some(kept) = &kept {
        witnesses.push(("the head file", kept));
    }
    if let Some(checkpoint) = checkpoint {
        witnesses.push(("the checkpoint", checkpoint));
    }
    let sound = walk(&bytes, key, &witnesses)?;
    if sound.head.seq > 1 && kept.is_none() {
        return Err(Tampered::NoHead);
    }
    Ok(sound)
}

/// Follows the chain, which must pass the places that witnesses saw.
pub(super) fn walk(
    bytes: &[u8],
    key: Option<&KeyId>,
    witnesses: &[(&'static str, &Head)],
) -> Result<Sound, Tampered> {
    let mut sound = Sound::default();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let Some(whole) = line.strip_suffix(b"\n") else {
            sound.torn = true;
            break;
        };
        let bad = |why| Tampered::Line { line: number, why };
        let text = std::str::from_utf8(whole).map_err(|_| bad(BadLine::Unreadable))?;
        let (record, hash) = line::read(text, key).map_err(bad)?;
        if record.seq != sound.head.seq + 1 || record.previous != sound.head.hash {
            return Err(Tampered::Order { line: number });
        }
        for (witness, head) in witnesses {
            if head.seq == record.seq && head.hash != hash {
                return Err(Tampered::Rewritten {
                    seq: head.seq,
                    witness,
                });
            }
        }
        sound.take(record.seq, record.event);
        sound.head = Head {
            seq: record.seq,
            hash,
        };
        sound.bytes += u64::try_from(line.len()).unwrap_or(0);
    }
    for (witness, head) in witnesses {
        if head.seq > sound.head.seq {
            let (found, seq) = (sound.head.seq, head.seq);
            return Err(Tampered::CutOff {
                found,
                seq,
                witness,
            });
        }
    }
    Ok(sound)
}

/// The head file, if there is one that can be read.
fn head_file(folder: &Path) -> Result<Option<Head>, Tampered> {
    match std::fs::read(folder.join(HEAD_FILE)) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| Tampered::NoHead),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Tampered::Unreadable(error.to_string())),
    }
}
