//! The node's database: releases and signed messages, in one file so that both change in one
//! transaction. What they mean is told in [`crate::releases`] and [`crate::outbox`].

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

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
}

/// An open database.
pub struct Store {
    pub(crate) connection: Connection,
}

const FORM: &[M<'_>] = &[
    M::up(
        "CREATE TABLE release (
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
    CREATE INDEX message_by_state ON message (state, time);",
    ),
    M::up(
        "CREATE TABLE person (
        mac BLOB PRIMARY KEY NOT NULL,
        id INTEGER NOT NULL UNIQUE
    ) WITHOUT ROWID;
    CREATE TABLE person_counter (
        one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
        next INTEGER NOT NULL
    );",
    ),
    M::up(
        "CREATE TABLE epoch (
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
    CREATE INDEX person_was_by_chunk ON person_was (part, chunk);",
    ),
];

impl Store {
    /// Opens the database of a state folder; makes it if there is none.
    ///
    /// # Errors
    /// If it cannot be opened or brought to its present form.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(STORE_FILE);
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Migrations::from_slice(FORM).to_latest(&mut connection)?;
        Ok(Self { connection })
    }

    /// Whether a state folder holds releases: then the keys that they were made with must be there.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn has_releases(folder: &Path) -> Result<bool, StoreError> {
        let store = Self::look(folder)?;
        let there = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'release')";
        let any = "SELECT EXISTS (SELECT 1 FROM release)";
        let ask = |sql| store.connection.query_row(sql, [], |row| row.get(0));
        Ok(ask(there)? && ask(any)?)
    }

    /// Opens it for reading only, beside a running node; an empty one if there is none yet.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn look(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(STORE_FILE);
        if !path.exists() {
            return Self::empty();
        }
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(Self { connection })
    }

    /// An empty database that is gone with the process.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn empty() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        Migrations::from_slice(FORM).to_latest(&mut connection)?;
        Ok(Self { connection })
    }
}
