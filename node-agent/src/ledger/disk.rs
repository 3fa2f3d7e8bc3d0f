//! Where records are written: appended, and on the disk before anybody is told.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{HEAD_FILE, Head, LEDGER_FILE};

/// A place for records. A failed append leaves nothing behind, or says that it did.
pub(super) trait Disk: Send {
    /// Appends bytes and waits until they are on the disk.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Undoes a failed append.
    fn undo(&mut self) -> io::Result<()>;
    /// Keeps where the ledger stands. May lag behind a crash, never lead.
    fn keep_head(&mut self, head: &Head) -> io::Result<()>;
}

/// A file with an exclusive lock: one process writes a ledger.
pub(super) struct Files {
    ledger: File,
    length: u64,
    folder: PathBuf,
}

impl Files {
    /// Opens the ledger of a state folder and cuts off the torn end of an unfinished append.
    pub(super) fn open(folder: &Path, length: u64) -> io::Result<Self> {
        let ledger = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(folder.join(LEDGER_FILE))?;
        rustix::fs::flock(
            &ledger,
            rustix::fs::FlockOperation::NonBlockingLockExclusive,
        )?;
        ledger.set_len(length)?;
        Ok(Self {
            ledger,
            length,
            folder: folder.to_owned(),
        })
    }
}

impl Disk for Files {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.ledger.write_all(bytes)?;
        self.ledger.sync_data()?;
        self.length += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(())
    }

    fn undo(&mut self) -> io::Result<()> {
        self.ledger.set_len(self.length)
    }

    fn keep_head(&mut self, head: &Head) -> io::Result<()> {
        let next = self.folder.join(format!("{HEAD_FILE}.next"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)?;
        file.write_all(&serde_json::to_vec(head)?)?;
        std::fs::rename(next, self.folder.join(HEAD_FILE))
    }
}
