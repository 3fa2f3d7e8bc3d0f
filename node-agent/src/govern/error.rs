//! Why acts of governance cannot be used.

use std::path::{Path, PathBuf};

use quorate_governance::artefact::ArtefactError;
use quorate_query::problem::Code;

use crate::refusal::Coded;

/// Why acts of governance cannot be used. While one cannot be read nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum GovernError {
    /// The act itself is not in order.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// A file that is kept is not in order any more.
    #[error("{}: {why}; restore it from the backup", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: ArtefactError,
    },
    /// A file holds no act at all.
    #[error("{}: not a signed act of governance", .0.display())]
    NotAnAct(PathBuf),
    /// The name of a file is not that of its content.
    #[error("{}: its content has another digest; restore it from the backup", .0.display())]
    Renamed(PathBuf),
    /// The ledger tells of an act that is not in the folder any more.
    #[error(
        "the {kind} {digest} is in the ledger and not in the folder `governance`: restore it from the backup"
    )]
    Gone {
        /// Its kind.
        kind: String,
        /// Its digest.
        digest: String,
    },
    /// The file system refused.
    #[error("{}: {why}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl GovernError {
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            why: error.to_string(),
        }
    }
}

impl Coded for GovernError {
    fn code(&self) -> Code {
        Code("G509")
    }
}
