//! What this population has shown, in memory: rebuilt from the release store at every start, and
//! kept in step with it record by record. One writer holds it from the decision to the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_disclosure::history::History;
use quorate_disclosure::history::caps::Asks;
use quorate_query::derived::Columns;

use crate::persons::Epoch;
use crate::releases::{CoreDone, Record};
use crate::store::{Store, StoreError};

/// The past of a population.
#[derive(Default)]
pub(crate) struct Past {
    history: History,
    /// The states of the data that `history` was built from.
    epochs: Arc<Vec<Epoch>>,
    /// The one protection of every state of the data that something left of.
    protections: BTreeMap<String, String>,
    core: BTreeSet<CoreDone>,
    /// Every column that something which left was derived by.
    derived: Columns,
    asks: Asks,
}

impl Past {
    /// The past as the store tells it.
    ///
    /// # Errors
    /// If a record cannot be read, or was altered.
    pub(crate) fn rebuild(
        store: &Store,
        population: &str,
        epochs: Arc<Vec<Epoch>>,
    ) -> Result<Self, StoreError> {
        let mut past = Self {
            history: begun(&epochs),
            epochs,
            ..Self::default()
        };
        store.past(population, |record| past.take(record))?;
        Ok(past)
    }

    /// Takes a record that is on the disk: at a start as in the running node.
    pub(crate) fn take(&mut self, record: Record) {
        match record {
            Record::Protected(seen) => {
                self.protections
                    .entry(seen.epoch)
                    .or_insert(seen.protection);
            }
            Record::Release(release) => self.history.add(release.0),
            Record::Core(done) => drop(self.core.insert(done)),
            Record::Asked(asked) => self.asks.take(asked),
            Record::Derived(name, derived) => drop(self.derived.insert(name, derived)),
            Record::Told(_) => {}
        }
    }

    /// Builds the history anew if the states of the data are other ones than it was built from:
    /// who comes back to an earlier state has then changed in none.
    pub(crate) fn follow(&mut self, epochs: Arc<Vec<Epoch>>) {
        if Arc::ptr_eq(&self.epochs, &epochs) || self.epochs == epochs {
            return;
        }
        let mut history = begun(&epochs);
        for entry in self.history.entries() {
            history.add(entry.clone());
        }
        (self.history, self.epochs) = (history, epochs);
    }

    /// What the rules compare with. A decision leaves it as it was.
    pub(crate) fn history(&mut self) -> &mut History {
        &mut self.history
    }

    /// The protection under which cells of a state of the data leave, if any did.
    pub(crate) fn protection(&self, epoch: &str) -> Option<&str> {
        self.protections.get(epoch).map(String::as_str)
    }

    /// How many cells were asked for, and by whom.
    pub(crate) fn asks(&self) -> &Asks {
        &self.asks
    }

    /// Every column that something which left was derived by.
    pub(crate) fn derived(&self) -> &Columns {
        &self.derived
    }

    /// Whether a core table has been released to history.
    pub(crate) fn core_done(&self, done: &CoreDone) -> bool {
        self.core.contains(done)
    }
}

fn begun(epochs: &[Epoch]) -> History {
    let mut history = History::new();
    for epoch in epochs {
        history.begin_epoch(epoch.name.clone(), epoch.changed.clone());
    }
    history
}
