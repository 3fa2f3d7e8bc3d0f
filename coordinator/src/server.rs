//! Puts a running coordinator together from its state directory.

use std::fs::{File, TryLockError};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quorate_identity::{KeyError, SigningKey};
use quorate_query::toml_reader::Mistakes;

use crate::ca::{Authority, CaError};
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::{Hub, HubError};
use crate::journal::{Journal, JournalError};
use crate::service::{ListenError, Listener};

/// The coordinator's identity key inside the state directory.
pub(crate) const IDENTITY: &str = "identity.key";
const LOCK: &str = "run.lock";
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Why the coordinator does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The configuration has mistakes; all of them are listed.
    #[error("{0}")]
    Config(Mistakes),
    /// The state file is at fault.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The certificate authority is at fault.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The identity key is at fault.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Roster or journal cannot be read.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The port is at fault.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Two coordinators on one state would answer for each other.
    #[error("another coordinator runs on {0}: stop it first")]
    Running(PathBuf),
    /// The lock file cannot be made.
    #[error("{path}: {source}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A coordinator that listens.
pub(crate) struct Running {
    hub: Arc<Hub>,
    listener: Listener,
    /// Held until the process ends.
    _lock: File,
}

/// Opens the state, binds the port and takes up unfinished questions.
pub(crate) async fn start(dir: &Path, clock: Clock) -> Result<Running, StartError> {
    let config = Config::load(dir).map_err(StartError::Config)?;
    let lock = lock(dir).await?;
    let journal = Journal::start(dir)?;
    let authority = Authority::load(dir)?;
    let key = SigningKey::load(&dir.join(IDENTITY))?;
    let now = clock();
    let kept = journal
        .call(move |store| {
            store.all_nodes_gone(now)?;
            store.port()
        })
        .await?;
    let mut address = config.listen;
    if address.port() == 0 {
        address.set_port(kept.unwrap_or(0));
    }
    let listener = Listener::bind(address, &authority, &config.url.host, now).await?;
    let port = listener.address().port();
    journal.call(move |store| store.set_port(port)).await?;
    let hub = Arc::new(Hub::open(config, clock, journal, authority, key).await?);
    hub.resume_all().await?;
    Ok(Running {
        hub,
        listener,
        _lock: lock,
    })
}

impl Running {
    /// The address that was bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Where nodes and researchers reach it.
    pub(crate) fn url(&self) -> String {
        self.hub.config.url.with_port(Some(self.address().port()))
    }

    /// Serves until told to stop.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let following = tokio::spawn(Arc::clone(&self.hub).follow());
        let served = self.listener.serve(self.hub, stop).await;
        following.abort();
        Ok(served?)
    }
}

/// Whether a coordinator runs on this state. Observers do not disturb each other.
pub(crate) fn is_running(dir: &Path) -> bool {
    let seen = lock_file(dir).map(|file| file.try_lock_shared());
    matches!(seen, Ok(Err(TryLockError::WouldBlock)))
}

/// The lock of the one coordinator on this state. An observer holds it for a moment only, so a
/// lock that stays taken is another coordinator's.
async fn lock(dir: &Path) -> Result<File, StartError> {
    let file = lock_file(dir)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            Err(TryLockError::Error(source)) => return Err(lock_failed(dir, source)),
        }
    }
    Err(StartError::Running(dir.to_path_buf()))
}

fn lock_file(dir: &Path) -> Result<File, StartError> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    options
        .open(dir.join(LOCK))
        .map_err(|source| lock_failed(dir, source))
}

fn lock_failed(dir: &Path, source: io::Error) -> StartError {
    let path = dir.join(LOCK);
    StartError::Lock { path, source }
}
