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
use rusqlite::{Params, Transaction, params};

use super::sealed::{CHUNK, Place, open, open_digest, seal, sums as kept};
use crate::secrets::StoreKey;
use crate::store::{Store, StoreError};

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
    key: &'a StoreKey,
    durable: bool,
}

impl Change<'_> {
    fn execute(&self, sql: &str, values: impl Params) -> Result<(), StoreError> {
        if self.durable {
            self.transaction.prepare_cached(sql)?.execute(values)?;
        }
        Ok(())
    }

    /// Who changed in an epoch, as it is kept.
    fn changed(&self, at: usize, epoch: &Epoch) -> Result<Vec<u8>, StoreError> {
        seal(self.key, Place::Changed(index(at)), &bytes(&epoch.changed)?)
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
        let key = &store.key;
        let sql = "SELECT seq, sealed_name, sealed_changed, present FROM epoch ORDER BY seq";
        let mut select = store.connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            let (name, changed): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
            if row.get::<_, bool>(3)? {
                found.present = epochs.len();
            }
            let name = String::from_utf8(open(key, Place::Name(seq), &name)?);
            epochs.push(Epoch {
                name: name.map_err(|_| StoreError::Damaged("an epoch"))?,
                changed: bitmap(&open(key, Place::Changed(seq), &changed)?)?,
            });
        }
        found.epochs = Arc::new(epochs);
        let sql = "SELECT name, sealed FROM source_state";
        let mut select = store.connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (name, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let content = open_digest(key, Place::Source(&name), &sealed)?;
            found.sources.insert(name, content);
        }
        let sql = "SELECT part, sealed FROM part_state";
        let mut select = store.connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (part, sealed): ([u8; 32], Vec<u8>) = (row.get(0)?, row.get(1)?);
            let content = open_digest(key, Place::Part(&part), &sealed)?;
            found.parts.insert(part, content);
        }
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
            key: &store.key,
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
                let sql = "UPDATE epoch SET sealed_changed = ?2 WHERE seq = ?1";
                change.execute(sql, params![index(at), change.changed(at, epoch)?])?;
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
            let sql = "INSERT INTO epoch (seq, sealed_name, sealed_changed, present)
                VALUES (?1, ?2, ?3, ?4)";
            let first = at == self.present;
            let name = seal(change.key, Place::Name(index(at)), epoch.name.as_bytes())?;
            let changed = change.changed(at, epoch)?;
            change.execute(sql, params![index(at), name, changed, first])?;
        }
        let sql = "INSERT OR REPLACE INTO source_state (name, sealed) VALUES (?1, ?2)";
        for (name, content) in &self.sources {
            let sealed = seal(change.key, Place::Source(name), content)?;
            change.execute(sql, params![name, sealed])?;
        }
        let sql = "INSERT OR REPLACE INTO part_state (part, sealed) VALUES (?1, ?2)";
        for (part, content) in &self.parts {
            let sealed = seal(change.key, Place::Part(part), content)?;
            change.execute(sql, params![part, sealed])?;
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
            let at = index(chunk);
            let before = kept(&change.transaction, change.key, &part.part, at)?;
            let before: Vec<u128> = values(&before).collect();
            if before.iter().ne(now) {
                let earlier = earlier(change, part, chunk)?;
                let was = self.compare(start, &before, now, &earlier, comparable);
                let sql = "INSERT INTO person_was (part, chunk, sealed) VALUES (?1, ?2, ?3)";
                if !was.is_empty() {
                    let sealed = seal(change.key, Place::Was(&part.part, at), &was)?;
                    change.execute(sql, params![part.part, at, sealed])?;
                }
                let now: Vec<u8> = now.iter().flat_map(|sum| sum.to_be_bytes()).collect();
                let sealed = seal(change.key, Place::Sums(&part.part, at), &now)?;
                let sql =
                    "INSERT OR REPLACE INTO person_sum (part, chunk, sealed) VALUES (?1, ?2, ?3)";
                change.execute(sql, params![part.part, at, sealed])?;
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
    change: &Change<'_>,
    part: &Part,
    chunk: usize,
) -> Result<BTreeSet<(u32, u128)>, StoreError> {
    let sql = "SELECT sealed FROM person_was WHERE part = ?1 AND chunk = ?2";
    let mut select = change.transaction.prepare_cached(sql)?;
    let mut rows = select.query(params![part.part, index(chunk)])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let sealed: Vec<u8> = row.get(0)?;
        let bytes = open(change.key, Place::Was(&part.part, index(chunk)), &sealed)?;
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
