//! Retention: the words of old records are removed, their hashes and signatures stay, so that chain
//! and tree stay whole and every checkpoint still fits. That it was done is a record itself, and is
//! on the disk before a word is removed.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use quorate_evidence::line::{self, Line};
use quorate_evidence::{Sound, walk};
use quorate_identity::SigningKey;

use super::verify::read;
use super::{Event, LEDGER_FILE, Ledger, LedgerError, Retained};

/// The last record before a moment that retention may reach: nothing from the first question on
/// that has no end yet.
fn last_before(bytes: &[u8], sound: &Sound, before: i64) -> u64 {
    let open = sound.open.keys().next().copied().unwrap_or(u64::MAX);
    let mut last = 0;
    for text in bytes.split(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(text).unwrap_or_default();
        match line::read(text, None) {
            Ok(Line::Whole(record, _)) if record.time < before && record.seq < open => {
                last = record.seq;
            }
            Ok(Line::Stub(_)) => last += 1,
            _ => break,
        }
    }
    last
}

/// Removes the words of every record before a moment; returns up to which record, 0 if there was
/// nothing to remove. The node must not be running.
///
/// # Errors
/// If the ledger is in use, does not hold together, or cannot be written.
pub(crate) fn retain(
    folder: &Path,
    node: &str,
    key: &SigningKey,
    (before, reason): (i64, &str),
    now: i64,
) -> Result<u64, LedgerError> {
    let mut ledger = Ledger::open(folder, node, key, now)?;
    let bytes = read(folder)?;
    let sound = walk(&bytes, Some(key.key_id()), &[])?;
    let through = last_before(&bytes, &sound, before);
    if through <= sound.stubs {
        return Ok(0);
    }
    let retained = Retained {
        through,
        reason: reason.to_owned(),
        records: sound.records,
    };
    ledger.append(Event::Retained(retained), key, now)?;
    let text = read(folder)?;
    let mut kept = Vec::with_capacity(text.len());
    for (number, text) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        let stub = std::str::from_utf8(text).ok().map(str::trim_end);
        match stub.filter(|_| number <= through).and_then(line::stub) {
            Some(stub) => {
                kept.extend_from_slice(stub.as_bytes());
                kept.push(b'\n');
            }
            None => kept.extend_from_slice(text),
        }
    }
    replace(folder, &kept)?;
    Ok(through)
}

fn replace(folder: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let next = folder.join(format!("{LEDGER_FILE}.next"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(next, folder.join(LEDGER_FILE))?;
    std::fs::File::open(folder)?.sync_all()
}
