//! Reads the ledger of a state folder and checks it: the chain by the code that everybody checks
//! with, and the head file, which knows where it ended.

use std::path::Path;

use quorate_evidence::{Head, Sound, Tampered, walk};
use quorate_identity::KeyId;

use super::{HEAD_FILE, LEDGER_FILE};

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
pub(crate) fn read(folder: &Path) -> Result<Vec<u8>, Tampered> {
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
