//! The states that the data have been in, in order, and whose data differ from one to the next.
//!
//! A *part* is one table as one codebook types it. For each the store holds the persons' sums
//! ([`super::rows`]) of the last state, and of earlier states those of persons that changed since.
//!
//! `changed` is never too large, because rules count changed persons as people that a difference
//! cannot be pinned on. So: a part whose sums are not those of the state right before says nothing
//! about who changed. And whoever comes back to what an earlier state said (A, B, A) is taken out of
//! `changed` everywhere, since a difference between the two As would show that person as he is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension, Params, Transaction, params};

use crate::store::{Store, StoreError};

/// Persons whose sums are stored together.
const CHUNK: usize = 1 << 14;

/// One state of the data, as one codebook names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// The epoch of the codebook's tables.
    pub name: String,
    /// Persons whose data differ from the epoch before.
    pub changed: RoaringBitmap,
}

/// One table as one codebook types it, in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Name of the source.
    pub(crate) source: String,
    /// How it is read and typed.
    pub(crate) part: [u8; 32],
    /// Digest of its files.
    pub(crate) content: [u8; 32],
}

/// Sums of a part whose state is new; `None` if its rows could not be read.
pub(crate) type Read = (Part, Option<Vec<u128>>);

/// The states so far.
#[derive(Clone, Default)]
pub(crate) struct Epochs {
    epochs: Arc<Vec<Epoch>>,
    /// Contents of each source in the present state.
    sources: BTreeMap<String, [u8; 32]>,
    /// Contents that the stored sums of each part are of.
    parts: BTreeMap<[u8; 32], [u8; 32]>,
    /// Parts whose rows could not be read, with their contents: they are not tried again.
    unreadable: BTreeMap<[u8; 32], [u8; 32]>,
    /// First epoch of the present state.
    present: usize,
}

/// A change of the store; in a trial it is only looked at.
struct Change<'a> {
    transaction: Transaction<'a>,
    durable: bool,
}

impl Change<'_> {
    fn execute(&self, sql: &str, values: impl Params) -> Result<(), StoreError> {
        if self.durable {
            self.transaction.prepare_cached(sql)?.execute(values)?;
        }
        Ok(())
    }
}

impl Epochs {
    pub(crate) fn open(store: &Store) -> Result<Self, StoreError> {
        let mut found = Self::default();
        let sql = "SELECT count(*) FROM sqlite_master WHERE name = 'epoch'";
        let there: i64 = store.connection.query_row(sql, [], |row| row.get(0))?;
        if there == 0 {
            return Ok(found);
        }
        let mut epochs = Vec::new();
        let sql = "SELECT name, changed, present FROM epoch ORDER BY seq";
        let mut select = store.connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let changed: Vec<u8> = row.get(1)?;
            if row.get::<_, bool>(2)? {
                found.present = epochs.len();
            }
            epochs.push(Epoch {
                name: row.get(0)?,
                changed: bitmap(&changed)?,
            });
        }
        found.epochs = Arc::new(epochs);
        let mut select = store
            .connection
            .prepare("SELECT name, content FROM source_state")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        found.sources = rows.collect::<Result<_, _>>()?;
        let mut select = store
            .connection
            .prepare("SELECT part, content FROM part_state")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        found.parts = rows.collect::<Result<_, _>>()?;
        Ok(found)
    }

    /// All epochs in order. A new list replaces it when the data change.
    pub(crate) fn list(&self) -> Arc<Vec<Epoch>> {
        Arc::clone(&self.epochs)
    }

    /// Whether this epoch of these parts is already the present state.
    pub(crate) fn knows(&self, name: &str, parts: &[Part]) -> bool {
        let mut present = self.epochs.iter().skip(self.present);
        present.any(|epoch| epoch.name == name)
            && parts.iter().all(|part| {
                self.sources.get(&part.source) == Some(&part.content) && !self.is_stale(part)
            })
    }

    /// Whether a part's sums are not of its present contents.
    pub(crate) fn is_stale(&self, part: &Part) -> bool {
        let is_present = |of: &BTreeMap<_, _>| of.get(&part.part) == Some(&part.content);
        !is_present(&self.parts) && !is_present(&self.unreadable)
    }

    /// The states with one more, durable if `durable`. `read` are all stale parts of the codebook.
    pub(crate) fn begin(
        &self,
        store: &mut Store,
        durable: bool,
        name: &str,
        parts: &[Part],
        read: &[Read],
    ) -> Result<Self, StoreError> {
        let mut next = self.clone();
        let before = |source: &str| self.sources.get(source);
        let is_new_state = parts
            .iter()
            .any(|part| before(&part.source).is_some_and(|known| *known != part.content));
        let change = Change {
            transaction: store.connection.transaction()?,
            durable,
        };
        let seq = self.epochs.len();
        let mut found = Found::default();
        for (part, sums) in read {
            let Some(sums) = sums else {
                next.unreadable.insert(part.part, part.content);
                continue;
            };
            // only the state right before says who changed at this border
            let known = before(&part.source);
            let comparable = known.is_some() && self.parts.get(&part.part) == known;
            found.replace(&change, part, sums, comparable)?;
            next.parts.insert(part.part, part.content);
        }
        for part in parts {
            next.sources.insert(part.source.clone(), part.content);
        }
        if is_new_state {
            next.present = seq;
        } else {
            found.changed.clear();
        }
        next.add(&change, name, found)?;
        next.write(&change, seq)?;
        if durable {
            change.transaction.commit()?;
        }
        Ok(next)
    }

    /// Takes whoever came back out of all epochs, and adds this one.
    fn add(&mut self, change: &Change<'_>, name: &str, found: Found) -> Result<(), StoreError> {
        let mut epochs: Vec<Epoch> = self.epochs.to_vec();
        for (at, epoch) in epochs.iter_mut().enumerate() {
            if !epoch.changed.is_disjoint(&found.returned) {
                epoch.changed -= &found.returned;
                let sql = "UPDATE epoch SET changed = ?2 WHERE seq = ?1";
                change.execute(sql, params![index(at), bytes(&epoch.changed)?])?;
            }
        }
        if epochs
            .iter()
            .skip(self.present)
            .all(|epoch| epoch.name != name)
        {
            epochs.push(Epoch {
                name: name.to_owned(),
                changed: found.changed - found.returned,
            });
        }
        self.epochs = Arc::new(epochs);
        Ok(())
    }

    fn write(&self, change: &Change<'_>, seq: usize) -> Result<(), StoreError> {
        for (at, epoch) in self.epochs.iter().enumerate().skip(seq) {
            let sql = "INSERT INTO epoch (seq, name, changed, present) VALUES (?1, ?2, ?3, ?4)";
            let first = at == self.present;
            change.execute(
                sql,
                params![index(at), epoch.name, bytes(&epoch.changed)?, first],
            )?;
        }
        let sql = "INSERT OR REPLACE INTO source_state (name, content) VALUES (?1, ?2)";
        for (name, content) in &self.sources {
            change.execute(sql, params![name, content])?;
        }
        let sql = "INSERT OR REPLACE INTO part_state (part, content) VALUES (?1, ?2)";
        for (part, content) in &self.parts {
            change.execute(sql, params![part, content])?;
        }
        Ok(())
    }
}

/// Who changed, and who came back to an earlier state of his.
#[derive(Default)]
struct Found {
    changed: RoaringBitmap,
    returned: RoaringBitmap,
}

impl Found {
    /// Replaces the stored sums of a part, chunk by chunk, and notes who changed.
    fn replace(
        &mut self,
        change: &Change<'_>,
        part: &Part,
        sums: &[u128],
        comparable: bool,
    ) -> Result<(), StoreError> {
        let most = "SELECT max(chunk) FROM person_sum WHERE part = ?1";
        let most: Option<i64> = change
            .transaction
            .query_row(most, [part.part], |row| row.get(0))?;
        let stored = most.map_or(0, |most| usize::try_from(most + 1).unwrap_or(0));
        for chunk in 0..stored.max(sums.len().div_ceil(CHUNK)) {
            let start = chunk * CHUNK;
            let now = sums.get(start..).unwrap_or_default();
            let now = now.get(..CHUNK).unwrap_or(now);
            let select = "SELECT sums FROM person_sum WHERE part = ?1 AND chunk = ?2";
            let mut select = change.transaction.prepare_cached(select)?;
            let before: Option<Vec<u8>> = select
                .query_row(params![part.part, index(chunk)], |row| row.get(0))
                .optional()?;
            let before: Vec<u128> = values(before.as_deref().unwrap_or_default()).collect();
            if before.iter().ne(now) {
                let earlier = earlier(&change.transaction, part, chunk)?;
                let was = self.compare(start, &before, now, &earlier, comparable);
                let sql = "INSERT INTO person_was (part, chunk, sums) VALUES (?1, ?2, ?3)";
                if !was.is_empty() {
                    change.execute(sql, params![part.part, index(chunk), was])?;
                }
                let now: Vec<u8> = now.iter().flat_map(|sum| sum.to_be_bytes()).collect();
                let sql =
                    "INSERT OR REPLACE INTO person_sum (part, chunk, sums) VALUES (?1, ?2, ?3)";
                change.execute(sql, params![part.part, index(chunk), now])?;
            }
        }
        Ok(())
    }

    /// Compares the sums of persons from `start` on; returns what the changed ones were.
    fn compare(
        &mut self,
        start: usize,
        before: &[u128],
        now: &[u128],
        earlier: &BTreeSet<(u32, u128)>,
        comparable: bool,
    ) -> Vec<u8> {
        let mut was = Vec::new();
        for place in 0..before.len().max(now.len()) {
            let (old, new) = (sum(before, place), sum(now, place));
            let Ok(person) = u32::try_from(start + place) else {
                break;
            };
            if old == new {
                continue;
            }
            // a person without rows is in no cell: nothing can be pinned on that state
            if old != 0 {
                was.extend_from_slice(&person.to_be_bytes());
                was.extend_from_slice(&old.to_be_bytes());
            }
            if comparable {
                self.changed.insert(person);
            }
            if earlier.contains(&(person, new)) {
                self.returned.insert(person);
            }
        }
        was
    }
}

/// Persons of a chunk with the sums that they had in earlier states.
fn earlier(
    transaction: &Transaction<'_>,
    part: &Part,
    chunk: usize,
) -> Result<BTreeSet<(u32, u128)>, StoreError> {
    let sql = "SELECT sums FROM person_was WHERE part = ?1 AND chunk = ?2";
    let mut select = transaction.prepare_cached(sql)?;
    let mut rows = select.query(params![part.part, index(chunk)])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        let mut rest = bytes.as_slice();
        while let Some((person, tail)) = rest.split_first_chunk::<4>() {
            let Some((sum, tail)) = tail.split_first_chunk::<16>() else {
                break;
            };
            found.insert((u32::from_be_bytes(*person), u128::from_be_bytes(*sum)));
            rest = tail;
        }
    }
    Ok(found)
}

fn sum(sums: &[u128], place: usize) -> u128 {
    sums.get(place).copied().unwrap_or(0)
}

fn values(bytes: &[u8]) -> impl Iterator<Item = u128> + '_ {
    let (chunks, _) = bytes.as_chunks::<16>();
    chunks.iter().map(|chunk| u128::from_be_bytes(*chunk))
}

fn index(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

fn bitmap(bytes: &[u8]) -> Result<RoaringBitmap, StoreError> {
    RoaringBitmap::deserialize_from(bytes).map_err(|_| StoreError::Damaged("an epoch"))
}

fn bytes(bitmap: &RoaringBitmap) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    let written = bitmap.serialize_into(&mut bytes);
    written.map_err(|_| StoreError::Damaged("an epoch"))?;
    Ok(bytes)
}
