//! Carrying a node's whole past over to a restored backup of itself, in one sealed file.
//!
//! The file holds the ledger and the release store as they stood together, sealed with the store
//! key: nobody else can read or make one. Importing only ever continues what is there.

use std::path::{Path, PathBuf};

use quorate_identity::KeyId;
use rusqlite::MAIN_DB;

use crate::ledger::{AdoptError, Adopted, LEDGER_FILE, adopt};
use crate::secrets::{SecretError, Secrets};
use crate::store::{Store, StoreError};

/// First bytes of every file.
const MAGIC: &[u8] = b"quorate history 1\n";
/// Name of a passing copy of the database in the state folder.
const COPY: &str = "transfer.sqlite";
/// How often the pair is read until nothing was recorded meanwhile.
const ATTEMPTS: u32 = 20;

/// The past cannot be carried over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The release store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is missing, or the file was sealed with another one.
    #[error("the file {0}")]
    Secret(#[from] SecretError),
    /// Not a file of ours.
    #[error("the file is not one that `quorate-node history export` wrote")]
    Foreign,
    /// The node records all the time.
    #[error("the node is answering: pause or stop it, then export again")]
    Busy,
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] AdoptError),
    /// Releases here that the file lacks, and the other way round.
    #[error(
        "{0} records here are not in the file, and {1} in the file are not here: something was released after the backup was put back. Keep both and tell the other custodians"
    )]
    Fork(u64, u64),
}

impl From<rusqlite::Error> for TransferError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Records of the release store that were missing.
    pub(crate) records: u64,
    /// What became of the ledger.
    pub(crate) ledger: Adopted,
}

/// The past of the node in a state folder, sealed.
///
/// # Errors
/// If it cannot be read, or the node never pauses.
pub(crate) fn export(folder: &Path) -> Result<Vec<u8>, TransferError> {
    let secrets = Secrets::open(folder, true)?;
    let path = folder.join(LEDGER_FILE);
    let ledger = || std::fs::read(&path).map_err(|error| io(&path, error));
    for _ in 0..ATTEMPTS {
        let before = ledger()?;
        let image = image(folder)?;
        if ledger()? == before {
            let length = u64::try_from(before.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes();
            let plain = [length.as_slice(), &before, &image].concat();
            let sealed = secrets.store().seal(MAGIC, &plain)?;
            return Ok([MAGIC, &sealed].concat());
        }
    }
    Err(TransferError::Busy)
}

/// A copy of the database as of one moment.
fn image(folder: &Path) -> Result<Vec<u8>, TransferError> {
    let (store, path) = (Store::look(folder)?, folder.join(COPY));
    remove(&path)?;
    let name = path.to_str().ok_or(TransferError::Foreign)?;
    store.connection.execute("VACUUM INTO ?1", [name])?;
    let bytes = std::fs::read(&path).map_err(|error| io(&path, error));
    remove(&path)?;
    bytes
}

/// Continues the past in a state folder with an exported one. The node must not be running.
///
/// # Errors
/// If the file is not this node's, or both hold what the other lacks. Nothing is lost then.
pub(crate) fn import(folder: &Path, key: &KeyId, file: &[u8]) -> Result<Imported, TransferError> {
    let secrets = Secrets::open(folder, true)?;
    let sealed = file.strip_prefix(MAGIC).ok_or(TransferError::Foreign)?;
    let plain = secrets.store().open(MAGIC, sealed)?;
    let (length, rest) = plain
        .split_first_chunk::<8>()
        .ok_or(TransferError::Foreign)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (ledger, image) = rest
        .split_at_checked(length)
        .ok_or(TransferError::Foreign)?;
    let path = folder.join(COPY);
    crate::state::write_file(&path, image).map_err(|error| io(&path, error))?;
    // Releases first: a ledger that tells of more than the store holds would seal the node.
    let records = merge(folder, &path);
    remove(&path)?;
    let records = records?;
    let ledger = adopt(folder, key, ledger)?;
    Ok(Imported { records, ledger })
}

/// Takes the copy's database if it holds all that is here and more.
fn merge(folder: &Path, copy: &Path) -> Result<u64, TransferError> {
    let mut store = Store::open(folder)?;
    let name = copy.to_str().ok_or(TransferError::Foreign)?;
    store.connection.execute("ATTACH ?1 AS copy", [name])?;
    let lacking = |a: &str, b: &str| -> Result<u64, TransferError> {
        let sql = format!(
            "SELECT (SELECT count(*) FROM {a}.record WHERE tag NOT IN (SELECT tag FROM {b}.record))
             + (SELECT count(*) FROM {a}.message
                WHERE question NOT IN (SELECT question FROM {b}.message))"
        );
        let count: i64 = store.connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let (theirs, ours) = (lacking("copy", "main")?, lacking("main", "copy")?);
    store.connection.execute("DETACH copy", [])?;
    match (theirs, ours) {
        (0, _) => Ok(0),
        (theirs, 0) => {
            let before = store.records()?;
            store
                .connection
                .restore(MAIN_DB, copy, None::<fn(rusqlite::backup::Progress)>)?;
            drop(store);
            let after = Store::open(folder)?.records()?;
            Ok(after.saturating_sub(before).max(u64::from(theirs > 0)))
        }
        (theirs, ours) => Err(TransferError::Fork(ours, theirs)),
    }
}

fn remove(path: &Path) -> Result<(), TransferError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path, error)),
        _ => Ok(()),
    }
}

fn io(path: &Path, source: std::io::Error) -> TransferError {
    TransferError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
