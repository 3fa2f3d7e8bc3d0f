//! What is no question and belongs into the ledger all the same: data registered, ledger read, the node paused. A
//! command writes it there itself, or, while the node runs and holds the ledger, leaves it for the
//! node, which takes it in before its next question and at its start.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use quorate_identity::SigningKey;

use crate::ledger::{Event, Ledger, LedgerError, Noted};
use crate::policy::Policy;

/// File in the state folder with what waits for the ledger.
const WAITING: &str = "notes.waiting";

/// Records a note, or leaves it for the running node.
///
/// # Errors
/// If neither can be done.
pub(crate) fn note(
    policy: &Policy,
    key: &SigningKey,
    noted: Noted,
    now: i64,
) -> Result<(), LedgerError> {
    let state = &policy.node.state;
    match Ledger::open(state, &policy.node.name, key, now) {
        Ok(mut ledger) => {
            take_in(state, &mut ledger, key, now)?;
            ledger.append(Event::Noted(Box::new(noted)), key, now)?;
            Ok(())
        }
        Err(LedgerError::InUse) => Ok(leave(state, &noted)?),
        Err(error) => Err(error),
    }
}

fn leave(state: &Path, noted: &Noted) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(noted)?;
    line.push(b'\n');
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(state.join(WAITING))?;
    file.write_all(&line)?;
    file.sync_all()
}

/// Takes in what commands left. A note that is taken in twice after a crash is there twice.
///
/// # Errors
/// If the ledger cannot be written, or the notes cannot be read.
pub(crate) fn take_in(
    state: &Path,
    ledger: &mut Ledger,
    key: &SigningKey,
    now: i64,
) -> Result<(), LedgerError> {
    let (waiting, taken): (PathBuf, PathBuf) = (state.join(WAITING), state.join("notes.taken"));
    // What was left behind by a crash first, then what came since.
    for path in [&taken, &waiting] {
        if *path == waiting && waiting.exists() {
            std::fs::rename(&waiting, &taken)?;
        }
        let text = match std::fs::read_to_string(&taken) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            found => found?,
        };
        for line in text.lines() {
            let noted: Noted = serde_json::from_str(line).map_err(std::io::Error::other)?;
            ledger.append(Event::Noted(Box::new(noted)), key, now)?;
        }
        std::fs::remove_file(&taken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(what: &str) -> Noted {
        Noted {
            what: what.to_owned(),
            ..Noted::default()
        }
    }

    #[test]
    fn what_commands_leave_is_taken_in_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let state = folder.path();
        let mut ledger = Ledger::open(state, "north", &key, 1).unwrap();
        take_in(state, &mut ledger, &key, 1).unwrap();
        assert_eq!(ledger.head().seq, 1);
        leave(state, &noted("one")).unwrap();
        leave(state, &noted("two")).unwrap();
        take_in(state, &mut ledger, &key, 2).unwrap();
        take_in(state, &mut ledger, &key, 3).unwrap();
        assert_eq!(ledger.head().seq, 3);
        let text = std::fs::read_to_string(state.join(crate::ledger::LEDGER_FILE)).unwrap();
        let (one, two) = (text.find("\"one\"").unwrap(), text.find("\"two\"").unwrap());
        assert!(one < two);
    }
}
