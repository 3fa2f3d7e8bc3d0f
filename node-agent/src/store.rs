//! The node's database: releases, persons and signed messages, in one file so that what belongs
//! together changes in one transaction. What they mean is told in [`crate::releases`],
//! [`crate::persons`] and [`crate::outbox`]. What tells about persons, values or questions is
//! sealed with the store key: a copied file without the key tells nothing.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, params};
use rusqlite_migration::{HookError, HookResult, M, Migrations};

use crate::secrets::{SecretError, Secrets, StoreKey};
use crate::{outbox, persons, releases};

/// File name of the database in the state folder.
pub const STORE_FILE: &str = "releases.sqlite";

/// The database cannot be used. Nothing may be released without it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read or written.
    #[error("the release store cannot be used: {0}")]
    Sql(#[from] rusqlite::Error),
    /// It was written by a newer release of the software, or is damaged.
    #[error("the release store has an unknown form: {0}")]
    Form(#[from] rusqlite_migration::Error),
    /// A stored message cannot be read back.
    #[error("a stored message is damaged: {0}")]
    Message(#[from] quorate_wire::WireError),
    /// Something in it is not what was written.
    #[error("the release store is damaged ({0}); restore it from the backup")]
    Damaged(&'static str),
    /// Its keys are lost, or something in it does not open with them.
    #[error("the release store: {0}")]
    Secret(#[from] SecretError),
    /// A record opens and cannot be read.
    #[error("record {0} of the release store was written by a newer release of the software")]
    Unknown(i64),
}

/// An open database.
pub struct Store {
    pub(crate) connection: Connection,
    pub(crate) key: StoreKey,
}

/// Releases and signed messages, in the clear.
const FIRST: &str = "CREATE TABLE release (
    population TEXT NOT NULL,
    predicate BLOB NOT NULL,
    vec BLOB NOT NULL,
    epoch TEXT NOT NULL,
    protection TEXT NOT NULL,
    boxes BLOB NOT NULL,
    value BLOB NOT NULL,
    time INTEGER NOT NULL,
    question TEXT NOT NULL,
    project TEXT NOT NULL,
    principal TEXT NOT NULL,
    codebook TEXT NOT NULL,
    policy TEXT NOT NULL,
    PRIMARY KEY (population, predicate, vec, epoch, protection)
) WITHOUT ROWID;
CREATE INDEX release_by_time ON release (time, question);
CREATE TABLE message (
    question TEXT PRIMARY KEY NOT NULL,
    payload BLOB NOT NULL,
    message BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    state INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    close TEXT NOT NULL,
    time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX message_by_state ON message (state, time);";

/// Who has which number.
const PERSONS: &str = "CREATE TABLE person (
    mac BLOB PRIMARY KEY NOT NULL,
    id INTEGER NOT NULL UNIQUE
) WITHOUT ROWID;
CREATE TABLE person_counter (
    one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    next INTEGER NOT NULL
);";

/// States of the data and whose data differ between them.
const EPOCHS: &str = "CREATE TABLE epoch (
    seq INTEGER PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    changed BLOB NOT NULL,
    present INTEGER NOT NULL
);
CREATE TABLE source_state (
    name TEXT PRIMARY KEY NOT NULL,
    content BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE part_state (
    part BLOB PRIMARY KEY NOT NULL,
    content BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE person_sum (
    part BLOB NOT NULL,
    chunk INTEGER NOT NULL,
    sums BLOB NOT NULL,
    UNIQUE (part, chunk)
);
CREATE TABLE person_was (
    part BLOB NOT NULL,
    chunk INTEGER NOT NULL,
    sums BLOB NOT NULL
);
CREATE INDEX person_was_by_chunk ON person_was (part, chunk);";

/// One append-only table for all that the population has shown. What was there is sealed.
const SEALED: &str = "CREATE TABLE record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tag BLOB NOT NULL UNIQUE,
    sealed BLOB NOT NULL
);";

/// What epochs keep about data and persons is sealed too.
const SEALED_EPOCHS: &str = "ALTER TABLE epoch RENAME COLUMN name TO sealed_name;
ALTER TABLE epoch RENAME COLUMN changed TO sealed_changed;
ALTER TABLE source_state RENAME COLUMN content TO sealed;
ALTER TABLE part_state RENAME COLUMN content TO sealed;
ALTER TABLE person_sum RENAME COLUMN sums TO sealed;
ALTER TABLE person_was RENAME COLUMN sums TO sealed;";

/// Every form the database ever had, oldest first. A step that was published never changes.
fn form(key: &StoreKey) -> Migrations<'static> {
    let (of_releases, of_messages, of_epochs) = (key.clone(), key.clone(), key.clone());
    let hook = move |transaction: &Transaction<'_>| -> HookResult {
        releases::seal_first_form(transaction, &of_releases).map_err(hook_error)?;
        outbox::seal_first_form(transaction, &of_messages).map_err(hook_error)
    };
    let epochs = move |transaction: &Transaction<'_>| -> HookResult {
        persons::seal_epochs(transaction, &of_epochs).map_err(hook_error)
    };
    Migrations::new(vec![
        M::up(FIRST),
        M::up(PERSONS),
        M::up(EPOCHS),
        M::up_with_hook(SEALED, hook),
        M::up_with_hook(SEALED_EPOCHS, epochs),
        M::up(crate::runs::RUNS),
        M::up(crate::airlock::AIRLOCK),
    ])
}

fn hook_error(error: StoreError) -> HookError {
    match error {
        StoreError::Sql(error) => error.into(),
        other => HookError::Hook(other.to_string()),
    }
}

impl Store {
    /// Opens the database of a state folder; makes it, and the keys, if there is none.
    ///
    /// # Errors
    /// If it cannot be opened or brought to its present form, or its keys are lost.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let key = Self::key(folder)?;
        let path = folder.join(STORE_FILE);
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", true)?;
        form(&key).to_latest(&mut connection)?;
        Ok(Self { connection, key })
    }

    /// Whether a state folder holds releases: then the keys that they were made with must be there.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn has_releases(folder: &Path) -> Result<bool, StoreError> {
        let path = folder.join(STORE_FILE);
        if !path.exists() {
            return Ok(false);
        }
        let connection = reading(&path)?;
        for table in ["release", "record", "person"] {
            let there = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ?1)";
            let any = format!("SELECT EXISTS (SELECT 1 FROM {table})");
            if connection.query_row(there, params![table], |row| row.get(0))?
                && connection.query_row(&any, [], |row| row.get(0))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens it for reading only, beside a running node; an empty one if there is none yet, or one
    /// that the node has to bring to its present form first.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn look(folder: &Path) -> Result<Self, StoreError> {
        let key = Self::key(folder)?;
        let path = folder.join(STORE_FILE);
        if !path.exists() {
            return Self::empty_with(key);
        }
        let connection = reading(&path)?;
        if form(&key).pending_migrations(&connection)? > 0 {
            drop(connection);
            return Self::open(folder);
        }
        Ok(Self { connection, key })
    }

    /// An empty database that is gone with the process.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn empty() -> Result<Self, StoreError> {
        let key = quorate_identity::random::<32>().map_err(SecretError::from)?;
        Self::empty_with(StoreKey::new(&key)?)
    }

    /// A database as it was before epochs were sealed.
    ///
    /// # Errors
    /// If it cannot be made.
    #[cfg(test)]
    pub(crate) fn with_epochs_in_the_clear(folder: &Path) -> Result<Self, StoreError> {
        let key = Self::key(folder)?;
        let mut connection = Connection::open(folder.join(STORE_FILE))?;
        form(&key).to_version(&mut connection, 4)?;
        Ok(Self { connection, key })
    }

    fn empty_with(key: StoreKey) -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        form(&key).to_latest(&mut connection)?;
        Ok(Self { connection, key })
    }

    fn key(folder: &Path) -> Result<StoreKey, StoreError> {
        let used = Self::has_releases(folder)?;
        Ok(Secrets::open(folder, used)?.store().clone())
    }
}

fn reading(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}
