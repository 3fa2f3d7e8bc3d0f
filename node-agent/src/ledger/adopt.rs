//! Taking the newest ledger of this node from a file that it wrote itself, after a backup was put
//! back. What is there is only ever continued.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use quorate_evidence::line::{self, Line};
use quorate_evidence::record::Event;
use quorate_evidence::{Head, Sound, Tampered, walk};
use quorate_identity::KeyId;

use super::LedgerError;
use super::disk::{Disk, Files};
use super::verify::read;

/// The longer of two ledgers of one node, and whether anything had to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// The ledger here was continued by the other one.
    Continued(Head),
    /// The other one has nothing that is not here.
    Nothing(Head),
}

/// Why a ledger cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    /// It does not hold together, or is not this node's.
    #[error("the ledger in the file: {0}")]
    Theirs(Tampered),
    /// The ledger here does not hold together.
    #[error("the ledger here: {0}")]
    Ours(Tampered),
    /// Something was asked here since the backup was put back.
    #[error(
        "the ledger here and the one in the file went different ways after record {0}: both hold questions that the other lacks. Keep both files and tell the other custodians"
    )]
    Fork(u64),
    /// It cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Continues the ledger in a state folder with another copy of it.
///
/// A node that was restored may have noted interruptions before it knew; such notes are set aside
/// in a file of their own.
pub(crate) fn adopt(folder: &Path, key: &KeyId, theirs: &[u8]) -> Result<Adopted, AdoptError> {
    let sound = walk(theirs, Some(key), &[]).map_err(AdoptError::Theirs)?;
    let ours = read(folder).map_err(AdoptError::Ours)?;
    let own = walk(&ours, Some(key), &[]).map_err(AdoptError::Ours)?;
    let (theirs, ours) = (whole(theirs, &sound), whole(&ours, &own));
    if ours.starts_with(theirs) {
        return Ok(Adopted::Nothing(own.head));
    }
    let common = common(ours, theirs);
    let tail = ours.get(common..).unwrap_or_default();
    if !is_idle(tail) {
        let records = ours
            .iter()
            .take(common)
            .filter(|byte| **byte == b'\n')
            .count();
        return Err(AdoptError::Fork(u64::try_from(records).unwrap_or(u64::MAX)));
    }
    if !tail.is_empty() {
        set_aside(folder, tail).map_err(LedgerError::Write)?;
    }
    let length = u64::try_from(common).unwrap_or(u64::MAX);
    let mut disk = Files::open(folder, length).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => LedgerError::InUse,
        _ => LedgerError::Write(error),
    })?;
    let rest = theirs.get(common..).unwrap_or_default();
    disk.append(rest).map_err(LedgerError::Write)?;
    disk.keep_head(&sound.head).map_err(LedgerError::Write)?;
    Ok(Adopted::Continued(sound.head))
}

/// The bytes of whole records.
fn whole<'a>(bytes: &'a [u8], sound: &Sound) -> &'a [u8] {
    let length = usize::try_from(sound.bytes).unwrap_or(usize::MAX);
    bytes.get(..length).unwrap_or(bytes)
}

/// How many bytes of whole lines both begin with.
fn common(ours: &[u8], theirs: &[u8]) -> usize {
    let ours = ours.split_inclusive(|byte| *byte == b'\n');
    let theirs = theirs.split_inclusive(|byte| *byte == b'\n');
    let same = ours.zip(theirs).take_while(|(a, b)| a == b);
    same.map(|(line, _)| line.len()).sum()
}

/// Whether these records tell of no question that was asked in them.
fn is_idle(tail: &[u8]) -> bool {
    let mut lines = tail
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines.all(|line| {
        let text = std::str::from_utf8(line).unwrap_or_default();
        match line::read(text, None) {
            Ok(Line::Whole(record, _)) => !matches!(
                record.event,
                Event::Open(_) | Event::Erased(_) | Event::Retained(_) | Event::Noted(_)
            ),
            Ok(Line::Stub(_)) | Err(_) => false,
        }
    })
}

fn set_aside(folder: &Path, tail: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(folder.join("ledger.set-aside"))?;
    file.write_all(tail)?;
    file.sync_all()
}
