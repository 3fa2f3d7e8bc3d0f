//! What a population has ever shown, and what a new cell would show beside it.
//!
//! In memory and whole: every release of every epoch and dataset of the population. What this
//! module must not know: where releases are stored, and who asked for them.

mod candidate;
mod entry;
pub mod family;

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

pub use candidate::FacetCandidate;
pub use entry::{Entry, Facet, Footprint, ReleaseId, Shape, State};

/// Everything a population has shown, oldest first. A node builds it from its store when it starts
/// and adds what it has made durable.
#[derive(Default)]
pub struct History {
    entries: Vec<Entry>,
    by_id: BTreeMap<ReleaseId, usize>,
    epochs: Vec<(String, RoaringBitmap)>,
}

impl History {
    /// Nothing was ever shown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new state of the data, later than all that were begun before. `changed` are the persons
    /// whose data differ from the state before. Beginning an epoch again changes nothing.
    pub fn begin_epoch(&mut self, epoch: String, changed: RoaringBitmap) {
        if !self.epochs.iter().any(|(known, _)| *known == epoch) {
            self.epochs.push((epoch, changed));
        }
    }

    /// Adds what is durable. An entry that is there already changes nothing.
    pub fn add(&mut self, entry: Entry) {
        if !self.by_id.contains_key(&entry.id) {
            self.by_id.insert(entry.id.clone(), self.entries.len());
            self.entries.push(entry);
        }
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entry with this identity.
    #[must_use]
    pub fn get(&self, id: &ReleaseId) -> Option<&Entry> {
        self.entries.get(*self.by_id.get(id)?)
    }
}
