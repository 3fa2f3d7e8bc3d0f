//! A node with everything opened: what the steps of the story work with. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use quorate_identity::{Roster, Signed, SigningKey};
use quorate_query::codebook::Codebook;
use quorate_wire::{Checkpoint, QuestionId};

use crate::behind;
use crate::books::Books;
use crate::engine::{Engine, StartError};
use crate::govern::{self, Shelf};
use crate::home::{Home, HomeError};
use crate::ledger::{Event, Head, Interrupted, Ledger, LedgerError};
use crate::notes;
use crate::past::Past;
use crate::peers::{Noticed, Peers};
use crate::persons::{Epoch, Epochs, Registry};
use crate::policy::Policy;
use crate::record::{self, RecordError};
use crate::secrets::Secrets;
use crate::source;
use crate::store::{Store, StoreError};
use crate::times::StepTimes;

/// Time since some fixed moment, from the edge: only differences mean anything.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// File in the state folder with the reasons of refusals; it may quote data and never leaves.
pub const FAULT_FILE: &str = "faults.log";

/// What a node is opened with.
pub struct Opening {
    /// The custodian's policy.
    pub policy: Policy,
    /// The node's identity key.
    pub key: SigningKey,
    /// The roster as last verified.
    pub roster: Roster,
    /// Codebooks the node has; only those the policy pins are used.
    pub codebooks: Vec<Arc<Codebook>>,
    /// Measures the steps of the story.
    pub stopwatch: Stopwatch,
    /// Where step times are written, one JSON line a question.
    pub timings: Option<File>,
    /// The present moment, unix seconds.
    pub now: i64,
}

/// An opened node.
pub struct Node {
    /// The custodian's policy.
    pub policy: Arc<Policy>,
    /// The node's identity key.
    pub key: SigningKey,
    /// Typed tables kept between questions.
    pub sources: Arc<source::Cache>,
    /// Measures the steps of the story.
    pub stopwatch: Stopwatch,
    pub(crate) engine: Engine,
    pub(crate) persons: Arc<Registry>,
    /// The states that the data have been in.
    pub(crate) epochs: ArcSwap<Epochs>,
    pub(crate) noticing: tokio::sync::Mutex<()>,
    /// Held while core tables are released, before the first question of anybody.
    pub(crate) opening_epoch: tokio::sync::Mutex<()>,
    /// Whether anything is kept; a trial keeps nothing.
    durable: bool,
    secrets: Secrets,
    home: Home,
    roster: ArcSwap<Roster>,
    /// Until when other nodes' stamps say that the roster is current.
    stamped: AtomicI64,
    codebooks: ArcSwap<BTreeMap<String, Arc<Codebook>>>,
    /// `None` in a trial.
    ledger: Mutex<Option<Ledger>>,
    store: Mutex<Store>,
    /// One writer for the population: held from a decision until it is durable.
    pub(crate) past: tokio::sync::Mutex<Past>,
    running: Arc<Mutex<BTreeSet<String>>>,
    turned_away: AtomicU64,
    /// What questions have derived so far.
    pub(crate) books: Books,
    /// Why this node must catch up before it answers.
    behind: Mutex<Option<String>>,
    timings: Mutex<Option<File>>,
    /// Size of the ledger in the last checkpoint that others have seen: the next one continues it.
    shown: AtomicU64,
    /// Where the other nodes' ledgers were seen.
    peers: Mutex<Peers>,
    /// Acts of governance that were verified before.
    pub(crate) shelf: Shelf,
}

/// A node cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The release store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// The state folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// What a crash left open could not be closed.
    #[error("what a crash left open cannot be closed: {0}")]
    Recovery(#[from] RecordError),
}

/// A question id that is being answered. Given back when dropped.
pub(crate) struct Claim {
    id: String,
    running: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.id);
    }
}

impl Node {
    /// Opens ledger, releases, outbox and engine, and closes what a crash left open.
    ///
    /// # Errors
    /// If the state cannot be read or does not hold together.
    pub fn open(opening: Opening) -> Result<Self, OpenError> {
        let state = opening.policy.node.state.clone();
        let name = opening.policy.node.name.clone();
        let ledger = Ledger::open(&state, &name, &opening.key, opening.now)?;
        let store = Store::open(&state)?;
        let now = opening.now;
        let behind = behind::look(&state, &ledger, &store)?;
        let node = Self::assemble(opening, Some(ledger), store)?;
        *lock(&node.behind) = behind;
        node.recover(now)?;
        Ok(node)
    }

    /// Opens a node for a trial: it reads the releases of the past, writes nothing, and can sign
    /// nothing, because it has no ledger.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn open_for_trial(opening: Opening) -> Result<Self, OpenError> {
        let store = Store::look(&opening.policy.node.state)?;
        Self::assemble(opening, None, store)
    }

    fn assemble(opening: Opening, ledger: Option<Ledger>, store: Store) -> Result<Self, OpenError> {
        let state = opening.policy.node.state.clone();
        let home = Home::open(&state)?;
        let secrets = home.secrets()?;
        let epochs = Epochs::open(&store)?;
        let persons = Registry::open(&store, secrets.domain(), ledger.is_some())?;
        let past = Past::rebuild(&store, &opening.policy.population.name, epochs.list())?;
        let books = Books::of(past.derived());
        let codebooks = opening
            .codebooks
            .into_iter()
            .map(|c| (c.digest.clone(), c))
            .collect();
        Ok(Self {
            engine: Engine::start(&opening.policy.limits)?,
            sources: Arc::new(source::Cache::new(&state)),
            policy: Arc::new(opening.policy),
            key: opening.key,
            stopwatch: opening.stopwatch,
            persons: Arc::new(persons),
            epochs: ArcSwap::from_pointee(epochs),
            noticing: tokio::sync::Mutex::default(),
            opening_epoch: tokio::sync::Mutex::default(),
            durable: ledger.is_some(),
            secrets,
            home,
            roster: ArcSwap::from_pointee(opening.roster),
            stamped: AtomicI64::new(0),
            codebooks: ArcSwap::from_pointee(codebooks),
            ledger: Mutex::new(ledger),
            store: Mutex::new(store),
            past: tokio::sync::Mutex::new(past),
            running: Arc::default(),
            turned_away: AtomicU64::new(0),
            books,
            behind: Mutex::default(),
            timings: Mutex::new(opening.timings),
            shown: AtomicU64::new(0),
            peers: Mutex::new(Peers::open(&state)),
            shelf: Shelf::default(),
        })
    }

    /// Closes what a crash left: a message that was stored is recorded and may leave; a question
    /// without one was interrupted, and its next delivery starts anew.
    fn recover(&self, now: i64) -> Result<(), RecordError> {
        for message in self.with_store(|store| store.prepared())? {
            record::seal(self, &message, now)?;
        }
        self.take_notes(now)?;
        let unfinished = self.with_ledger(|ledger| Ok(ledger.unfinished().clone()))?;
        for (opened, question) in unfinished {
            // What waits in the airlock goes on waiting.
            if self.with_store(|store| store.held_of(&question))?.is_some() {
                continue;
            }
            let event = Event::Interrupted(Interrupted { opened, question });
            self.with_ledger(|ledger| ledger.append(event, &self.key, now))?;
        }
        Ok(())
    }

    /// Records what commands and acts of governance left for the ledger.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub(crate) fn take_notes(&self, now: i64) -> Result<(), LedgerError> {
        self.with_ledger(|ledger| {
            notes::take_in(&self.policy.node.state, ledger, &self.key, now)?;
            govern::tell(self, ledger, now)
        })
    }

    /// Where acts of governance lie.
    pub(crate) fn govern_folder(&self) -> std::path::PathBuf {
        self.policy.node.state.join(govern::FOLDER)
    }

    /// Whether anything is kept; a trial keeps nothing.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// Domain key and store key.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The states that the data have been in, oldest first, as history must know them: one that was
    /// built from another list must be built anew. The last ones may be of other codebooks.
    #[must_use]
    pub fn epochs(&self) -> Arc<Vec<Epoch>> {
        self.epochs.load().list()
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

    /// Another node's stamp says that the roster is current, and holds until this time. Whoever
    /// calls has verified it.
    pub fn note_stamp(&self, until: i64) {
        self.stamped.fetch_max(until, Ordering::Relaxed);
    }

    /// Until when other nodes' stamps hold.
    #[must_use]
    pub fn stamped(&self) -> i64 {
        self.stamped.load(Ordering::Relaxed)
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
    pub fn add_codebook(&self, codebook: &Arc<Codebook>) {
        self.codebooks.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            known.insert(codebook.digest.clone(), Arc::clone(codebook));
            known
        });
    }

    /// Signed answers and refusals that the coordinator has not acknowledged, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn unacknowledged(&self) -> Result<Vec<Signed>, StoreError> {
        let waiting = self.with_store(|store| store.waiting())?;
        Ok(waiting.into_iter().map(|message| message.signed).collect())
    }

    /// The coordinator has stored a message; `sha256` is over its payload. False if no such
    /// message waits.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn acknowledge(&self, question: &str, sha256: &[u8]) -> Result<bool, StoreError> {
        self.with_store(|store| store.acknowledge(question, sha256))
    }

    /// Where the ledger stands.
    #[must_use]
    pub fn ledger_head(&self) -> Head {
        lock(&self.ledger)
            .as_ref()
            .map(|ledger| ledger.head().clone())
            .unwrap_or_default()
    }

    /// A signed checkpoint of the ledger, for others to keep.
    #[must_use]
    pub fn checkpoint(&self, now: i64) -> Signed {
        let ledger = lock(&self.ledger);
        let head = ledger.as_ref().map(|ledger| ledger.head().clone());
        let Head { seq, hash } = head.unwrap_or_default();
        let tree = ledger.as_ref().map(Ledger::tree);
        let now = ledger.as_ref().map_or(now, |ledger| ledger.not_before(now));
        let shown = self.shown.fetch_max(seq, Ordering::Relaxed);
        let checkpoint = Checkpoint {
            network: self.roster().network().to_string(),
            node: self.policy.node.name.clone(),
            seq,
            head: hash,
            time: now,
            root: tree.and_then(|tree| tree.root(seq)),
            proof: tree.and_then(|tree| tree.consistency(shown, seq)),
        };
        quorate_wire::sign(&checkpoint, &self.key)
    }

    /// How far the coordinator's clock is ahead of ours, in seconds; the ledger notes it.
    pub fn set_clock_ahead(&self, seconds: i64) {
        if let Some(ledger) = lock(&self.ledger).as_mut() {
            ledger.set_clock_ahead(seconds);
        }
    }

    /// Why this node must catch up before it answers, if it must: it was restored, and others have
    /// seen more of its past than it holds.
    #[must_use]
    pub fn behind(&self) -> Option<String> {
        lock(&self.behind).clone()
    }

    /// Takes notice of where a witness saw our ledger. `true` if we are behind.
    ///
    /// # Errors
    /// If that cannot be noted for the next start.
    pub fn witnessed(&self, seen: &Head) -> Result<bool, std::io::Error> {
        let state = &self.policy.node.state;
        let Some(reason) = behind::compare(state, &self.ledger_head(), seen) else {
            self.shown.fetch_max(seen.seq, Ordering::Relaxed);
            return Ok(self.behind().is_some());
        };
        *lock(&self.behind) = Some(reason);
        behind::note(state, seen)?;
        Ok(true)
    }

    /// Takes notice of another node's ledger. The caller has verified the checkpoint.
    ///
    /// # Errors
    /// If it cannot be noted for the next start.
    pub fn watch_peer(
        &self,
        signed: &Signed,
        said: &Checkpoint,
        now: i64,
    ) -> Result<Noticed, std::io::Error> {
        lock(&self.peers).notice(&self.policy.node.state, signed, said, now)
    }

    /// Since when nobody but the coordinator witnesses this node's ledger, if that is too long.
    pub(crate) fn unwitnessed(&self, now: i64) -> Option<i64> {
        lock(&self.peers).unwitnessed(&self.roster(), &self.policy.node.name, now)
    }

    /// Whether a question was recorded here, so that nothing else may be said of it. `answered`
    /// also counts one that has its answer.
    pub(crate) fn is_recorded(&self, id: &QuestionId, answered: bool) -> bool {
        let id = id.to_string();
        let opened = self.with_ledger(|ledger| Ok(ledger.is_unanswered(&id)));
        let kept = || self.with_store(|store| store.kept(&id));
        opened.unwrap_or(false) || answered && !matches!(kept(), Ok(None))
    }

    /// Whether the custodian has paused the node.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.home.paused().is_some()
    }

    /// Whether the custodian approved a question by `quorate-node approve`. A list that cannot be
    /// read approves nothing.
    #[must_use]
    pub fn approved(&self, project: &str, hash: &str) -> bool {
        let lists = self.home.approved().unwrap_or_default();
        lists
            .get(project)
            .is_some_and(|hashes| hashes.contains(hash))
    }

    /// Whether the custodian approved questions of this kind of a cohort.
    #[must_use]
    pub fn approved_cohort(&self, project: &str, cohort: &str, kind: &str) -> bool {
        let lists = self.home.approved_cohorts().unwrap_or_default();
        let kinds = lists.get(project).and_then(|own| own.get(cohort));
        kinds.is_some_and(|kinds| kinds.contains(kind))
    }

    /// Deliveries that were not believed since the start.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    pub(crate) fn count_turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Claims a question id, unless it is being answered.
    pub(crate) fn claim(&self, id: &QuestionId) -> Option<Claim> {
        let id = id.to_string();
        let claimed = lock(&self.running).insert(id.clone());
        claimed.then(|| Claim {
            id,
            running: Arc::clone(&self.running),
        })
    }

    /// Digest of the question that waits in the airlock under an id, if one does.
    pub(crate) fn waiting(&self, id: &QuestionId) -> Result<Option<[u8; 32]>, StoreError> {
        let held = self.with_store(|store| store.held_of(&id.to_string()))?;
        held.map(|held| Ok(held.signed()?.digest())).transpose()
    }

    /// The stored message of a question id, with the digest of the question it answers. One that
    /// could not be recorded when it was made is recorded now.
    pub(crate) fn answered(
        &self,
        id: &QuestionId,
        now: i64,
    ) -> Result<Option<([u8; 32], Signed)>, RecordError> {
        let Some(kept) = self.with_store(|store| store.kept(&id.to_string()))? else {
            return Ok(None);
        };
        if !kept.sealed {
            record::seal(self, &kept.message, now)?;
        }
        Ok(Some((kept.message.payload, kept.message.signed)))
    }

    pub(crate) fn with_ledger<T>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        work(lock(&self.ledger).as_mut().ok_or(LedgerError::Trial)?)
    }

    pub(crate) fn with_store<T>(&self, work: impl FnOnce(&mut Store) -> T) -> T {
        work(&mut lock(&self.store))
    }

    /// Keeps the reason of a fault in the custodian's own file. It is not a condition of anything.
    pub(crate) fn note_fault(&self, ticket: &str, now: i64, detail: &str) {
        let path = self.home.path(FAULT_FILE);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path);
        if let Ok(mut file) = file {
            let _ = writeln!(
                file,
                "{now}\t{ticket}\t{}",
                detail.replace(['\n', '\t'], " ")
            );
        }
    }

    /// Writes the times of a question's steps, if that was asked for.
    pub(crate) fn note_times(&self, question: &QuestionId, steps: &StepTimes) {
        if let Some(file) = lock(&self.timings).as_mut() {
            let line =
                serde_json::json!({"question": question.to_string(), "micros": steps.micros()});
            let _ = writeln!(file, "{line}");
        }
    }
}

/// A lock whose holder panicked is taken over: every change behind it is a single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_on_the_grid_of_slots() {
        let ms = Duration::from_millis;
        assert_eq!(leaves_after(ms(0), ms(250)), ms(250));
        assert_eq!(leaves_after(ms(250), ms(250)), ms(250));
        assert_eq!(leaves_after(ms(251), ms(250)), ms(500));
        assert_eq!(leaves_after(ms(17), ms(0)), ms(17));
    }
}
