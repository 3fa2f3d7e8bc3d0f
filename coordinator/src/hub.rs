//! What every service of a running coordinator shares, and the two tasks beside them: finishing
//! accepted questions and noticing what an operator changed.

use std::sync::Arc;
use std::time::Duration;

use quorate_identity::SigningKey;
use quorate_wire::v1::hub_frame::Frame;
use quorate_wire::v1::{RosterUpdate, Witness};
use tokio::sync::watch;

use crate::ca::Authority;
use crate::clock::Clock;
use crate::config::Config;
use crate::fanout::Fanout;
use crate::journal::{Journal, JournalError};
use crate::log::{self, Log};
use crate::public::Public;
use crate::roster_store::PublishError;
use crate::round::{self, Accepted};

/// How often the journal is asked whether an operator changed something.
const POLL: Duration = Duration::from_millis(300);
/// How long a question that could not be finished rests before it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A running coordinator, without its sockets.
pub(crate) struct Hub {
    /// Its configuration.
    pub(crate) config: Config,
    /// Its journal.
    pub(crate) journal: Journal,
    /// Its certificate authority.
    pub(crate) authority: Authority,
    /// Its identity key: it signs results.
    pub(crate) key: SigningKey,
    /// Connected nodes and questions under way.
    pub(crate) fanout: Fanout,
    /// Where its own log stands.
    pub(crate) log: Log,
    clock: Clock,
    public: watch::Sender<Arc<Public>>,
}

/// Why shared knowledge cannot be read from the journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HubError {
    /// The journal is at fault.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The stored roster is not valid.
    #[error(transparent)]
    Roster(#[from] PublishError),
}

impl Hub {
    /// Reads what is shared and puts everything together.
    pub(crate) async fn open(
        config: Config,
        clock: Clock,
        journal: Journal,
        authority: Authority,
        key: SigningKey,
    ) -> Result<Self, HubError> {
        let public = watch::Sender::new(Arc::new(read(&config, &clock, &journal).await?));
        let fanout = Fanout::default();
        Ok(Self {
            config,
            journal,
            authority,
            key,
            fanout,
            log: Log::default(),
            clock,
            public,
        })
    }

    /// Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// What is shared, as of now.
    pub(crate) fn public(&self) -> Arc<Public> {
        Arc::clone(&self.public.borrow())
    }

    /// Wakes whenever what is shared has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Public>> {
        self.public.subscribe()
    }

    /// Makes sure that what an operator has changed up to now is seen: a request that comes after
    /// a command is judged by it, without waiting for the next look at the journal.
    pub(crate) async fn fresh(&self) {
        match self.journal.call(|store| store.generation()).await {
            Ok(generation) if generation == self.public().generation => {}
            Ok(_) => {
                if let Err(error) = self.reload().await {
                    tracing::error!(%error, "what an operator changed cannot be read");
                }
            }
            Err(error) => tracing::error!(%error, "the journal cannot be read"),
        }
    }

    /// Reads what is shared again.
    pub(crate) async fn reload(&self) -> Result<(), HubError> {
        let fresh = Arc::new(read(&self.config, &self.clock, &self.journal).await?);
        self.public.send_replace(fresh);
        Ok(())
    }

    /// Shows every node where the log of results and roster entries stands, if it has grown. What
    /// cannot be shown now is shown after the next result.
    pub(crate) async fn show_log(&self) {
        match log::show(self).await {
            Ok(Some(signed)) => {
                let checkpoint = Some(signed.into());
                let frame = Frame::Witness(Witness { checkpoint });
                self.fanout.tell_others("", &frame);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the log of results cannot be shown"),
        }
    }

    /// Finishes an accepted question in the background, however often it takes.
    pub(crate) fn finish(self: &Arc<Self>, accepted: Accepted) {
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            let id = accepted.id();
            match round::finish(&hub, accepted).await {
                Ok(status) => {
                    tracing::info!(question = id, status = status.as_str(), "finished");
                    hub.show_log().await;
                }
                Err(error) => {
                    tracing::error!(question = id, %error, "cannot be finished now");
                    tokio::time::sleep(AGAIN).await;
                    hub.resume_one(&id).await;
                }
            }
        });
    }

    /// Takes up every question that an earlier run accepted and did not finish.
    pub(crate) async fn resume_all(self: &Arc<Self>) -> Result<(), JournalError> {
        for row in self.journal.call(|store| store.unfinished()).await? {
            let id = row.id.clone();
            match round::resume(self, row).await {
                Ok(accepted) => self.finish(accepted),
                Err(error) => tracing::error!(question = id, %error, "cannot be taken up again"),
            }
        }
        Ok(())
    }

    async fn resume_one(self: &Arc<Self>, id: &str) {
        let Ok(rows) = self.journal.call(|store| store.unfinished()).await else {
            return;
        };
        if let Some(row) = rows.into_iter().find(|row| row.id == id)
            && let Ok(accepted) = round::resume(self, row).await
        {
            self.finish(accepted);
        }
    }

    /// Notices what an operator changes in the state file, for sessions that nobody speaks on.
    pub(crate) async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(POLL).await;
            self.fresh().await;
        }
    }

    /// What a node must be sent to know this roster: the whole log, as entries follow each other.
    pub(crate) fn roster_update(&self) -> RosterUpdate {
        let public = self.public();
        let log = public
            .roster
            .as_ref()
            .map(quorate_identity::Roster::log)
            .unwrap_or_default();
        RosterUpdate {
            entries: log.iter().map(Into::into).collect(),
            stamps: public.stamps.iter().map(Into::into).collect(),
        }
    }
}

async fn read(config: &Config, clock: &Clock, journal: &Journal) -> Result<Public, HubError> {
    let (network, now) = (config.network.clone(), clock());
    let read = journal
        .call(move |store| Ok(Public::load(store, &network, now)))
        .await??;
    Ok(read)
}
