//! The journal: everything the coordinator must not forget, in one SQLite file. A question is
//! acknowledged only after its signed original is on disk; answers are kept as the bytes their
//! node signed. It must not know what a question or an answer says: it keeps bytes and codes.
//!
//! One thread owns the connection of a running coordinator, so there is one writer and no
//! interleaving. Operator commands open the file beside it (WAL) and count up the generation.

mod documents;
#[cfg(test)]
mod laws;
mod questions;
mod register;
mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_identity::Signed;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

pub(crate) use documents::{CodebookRow, StampRow};
pub(crate) use questions::{Accept, Kept, NewQuestion, Outcome, QuestionRow, Settled, Unfinished};
pub(crate) use register::{CertificateRow, NodeRow, Redeemed};

/// Name of the state file inside the state directory.
const FILE: &str = "state.db";
/// How long a statement waits for the other process to finish its transaction.
const BUSY: Duration = Duration::from_secs(10);
/// Jobs that may wait for the writer before callers have to wait too.
const QUEUE: usize = 256;

/// Why the journal could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The disk or the file is at fault: the operator must act.
    #[error("the state file could not be read or written ({0}): check the disk and its free space")]
    Disk(#[from] rusqlite::Error),
    /// The file was made by another release.
    #[error(
        "the state file does not fit this release ({0}): use the release that made it, or newer"
    )]
    Schema(#[from] rusqlite_migration::Error),
    /// A row that only this program writes does not read back.
    #[error("the state file holds {0} that this release cannot read: restore a backup")]
    Damaged(&'static str),
    /// There is no state file.
    #[error("{0} holds no coordinator: run `quorate-coordinator init` first")]
    Missing(PathBuf),
    /// The writer thread has ended.
    #[error("the journal is closed")]
    Closed,
}

/// The state file, opened. All SQL of the coordinator is in methods of this type.
pub(crate) struct Store {
    connection: Connection,
}

impl Store {
    /// Makes or opens the state file of a state directory and brings its tables up to date.
    pub(crate) fn open(dir: &Path) -> Result<Self, JournalError> {
        let connection = Connection::open(dir.join(FILE))?;
        Self::prepare(connection)
    }

    /// Opens the state file of a directory that was initialised before.
    pub(crate) fn open_existing(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Err(JournalError::Missing(dir.to_path_buf()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::prepare(Connection::open_with_flags(path, flags)?)
    }

    fn prepare(mut connection: Connection) -> Result<Self, JournalError> {
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        schema::MIGRATIONS.to_latest(&mut connection)?;
        Ok(Self { connection })
    }

    /// How often an operator has changed something.
    pub(crate) fn generation(&self) -> Result<i64, JournalError> {
        let sql = "SELECT n FROM generation WHERE id = 1";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// A consistent copy of the whole file, made while the coordinator runs, then checked.
    pub(crate) fn backup(&self, to: &Path) -> Result<(), JournalError> {
        self.connection.backup("main", to, None)?;
        let copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        check(&copy)
    }

    /// SQLite's own check of the whole file.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        check(&self.connection)
    }

    /// A transaction that takes the write lock at once, so that what it reads stays true.
    fn begin(&mut self) -> Result<Transaction<'_>, JournalError> {
        Ok(self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?)
    }
}

fn check(connection: &Connection) -> Result<(), JournalError> {
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(JournalError::Damaged("pages"))
    }
}

/// An envelope as the journal keeps it.
pub(crate) fn pack(signed: &Signed) -> Vec<u8> {
    quorate_wire::signed_to_bytes(signed)
}

/// Reads what [`pack`] wrote.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Signed, JournalError> {
    quorate_wire::signed_from_bytes(bytes).map_err(|_| JournalError::Damaged("a signed envelope"))
}

/// Tells a running coordinator that an operator changed something.
fn bump(transaction: &Transaction<'_>) -> Result<(), JournalError> {
    transaction.execute("UPDATE generation SET n = n + 1 WHERE id = 1", [])?;
    Ok(())
}

/// A `u64` from the wire as SQLite keeps it; larger ones do not occur and are capped.
fn to_sql(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count as SQLite kept it.
fn from_sql(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// A handle on the writer thread of a running coordinator.
#[derive(Clone)]
pub(crate) struct Journal {
    jobs: mpsc::Sender<Job>,
}

impl Journal {
    /// Opens the state file and starts its one writer; the thread ends with the last handle.
    pub(crate) fn start(dir: &Path) -> Result<Self, JournalError> {
        let mut store = Store::open_existing(dir)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut store);
                }
            })
            .map_err(|_| JournalError::Closed)?;
        Ok(Self { jobs })
    }

    /// Runs one step on the writer thread and waits until it is on disk.
    pub(crate) async fn call<T, F>(&self, step: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Store) -> Result<T, JournalError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            // The caller may have gone away; the step is done all the same.
            let _ = reply.send(step(store));
        });
        self.jobs
            .send(job)
            .await
            .map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)?
    }
}

#[cfg(test)]
mod tests {
    use super::{JournalError, Store};

    #[test]
    fn a_directory_without_a_coordinator_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Store::open_existing(dir.path()).err().unwrap();
        assert!(matches!(error, JournalError::Missing(_)));
    }

    #[test]
    fn a_backup_opens_and_passes_the_check() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.set_port(8443).unwrap();
        let copy = tempfile::tempdir().unwrap();
        store.backup(&copy.path().join("state.db")).unwrap();
        let again = Store::open_existing(copy.path()).unwrap();
        again.check().unwrap();
        assert_eq!(again.port().unwrap(), Some(8443));
    }
}
