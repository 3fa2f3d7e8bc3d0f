//! A node whose past is shorter than others have seen answers nothing until it has caught up.
//!
//! That happens when a backup is put back: the releases since then would be forgotten, and the
//! next answers compared with too little. Three witnesses tell: checkpoints that the node signed
//! and the coordinator kept, the ledger (how many records the release store held), and the node's
//! own signed messages (where the ledger stood).

use std::path::Path;

use crate::ledger::{self, Head, Ledger};
use crate::state::write_file;
use crate::store::{Store, StoreError};

/// File in the state folder with the newest head that a witness showed and the ledger lacks.
const BEHIND_FILE: &str = "behind.json";

/// Why the node must not answer, if it must not.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn look(
    folder: &Path,
    ledger: &Ledger,
    store: &Store,
) -> Result<Option<String>, StoreError> {
    if let Some(seen) = witnessed(folder) {
        let Ok(seen) = seen else {
            return Ok(Some(format!("{BEHIND_FILE} cannot be read")));
        };
        if let Some(reason) = compare(folder, ledger.head(), &seen) {
            return Ok(Some(reason));
        }
        // Caught up: the note has done its work. If it stays, it is looked at again.
        let _ = std::fs::remove_file(folder.join(BEHIND_FILE));
    }
    let (kept, told) = (store.records()?, ledger.records());
    if kept < told {
        return Ok(Some(format!(
            "the release store holds {kept} records, the ledger tells of {told}"
        )));
    }
    let (opened, end) = (store.newest_message()?, ledger.head().seq);
    if opened > end {
        return Ok(Some(format!(
            "the ledger ends at record {end}, a signed answer names record {opened}"
        )));
    }
    Ok(None)
}

/// Why the ledger is not the one that a witness saw, if it is not.
pub(crate) fn compare(folder: &Path, own: &Head, seen: &Head) -> Option<String> {
    if own == seen {
        return None;
    }
    let found = ledger::holds(folder, "a witness", seen);
    found.err().map(|tampered| tampered.to_string())
}

/// Notes what a witness saw, so that a restart does not forget it.
///
/// # Errors
/// If the note cannot be written.
pub(crate) fn note(folder: &Path, seen: &Head) -> std::io::Result<()> {
    let newer = match witnessed(folder) {
        Some(Ok(known)) => known.seq < seen.seq,
        Some(Err(())) => false,
        None => true,
    };
    if newer {
        write_file(&folder.join(BEHIND_FILE), &serde_json::to_vec(seen)?)?;
    }
    Ok(())
}

fn witnessed(folder: &Path) -> Option<Result<Head, ()>> {
    match std::fs::read(folder.join(BEHIND_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(_) => Some(Err(())),
        Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|_| ())),
    }
}
