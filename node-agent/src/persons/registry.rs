//! Who has which number: asked by the engine row by row, kept in the release store.
//!
//! A key that is met for the first time gets its number in memory. The number is made durable, with
//! all others that are new, before anything is decided with it ([`Registry::save`]); one that was
//! lost with the process had not been used.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::datatypes::Int64Type;
use ring::hmac;
use rusqlite::{OptionalExtension, params};

use super::dictionary::Dictionary;
use super::key::UnitKey;
use super::sealed;
use crate::store::{Store, StoreError};

/// A key's HMAC, all that the store knows of it.
type Mac = [u8; 32];

/// Rows whose person has no number yet, and their keys.
type Unknown = Vec<(usize, UnitKey)>;

/// Persons cannot be numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonsError {
    /// The numbers are used up.
    #[error("this population has had more persons than can be numbered")]
    Full,
    /// A row without a unit key; sources with one are refused when they are read.
    #[error("a row has no unit key")]
    NoKey,
}

/// The numbers of a population's persons.
pub struct Registry {
    key: hmac::Key,
    /// Numbers of a trial are never stored.
    durable: bool,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    dictionary: Dictionary,
    /// Stored numbers whose key has not been met since the start.
    stored: HashMap<Mac, u32>,
    /// Given since the last save.
    fresh: Vec<(Mac, u32)>,
    /// The next number that was never given.
    next: u64,
}

impl Registry {
    /// The numbers given so far. `domain_key` belongs to the population for ever. Without `durable`
    /// new numbers stay in memory, as in a trial.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn open(store: &Store, domain_key: &[u8; 32], durable: bool) -> Result<Self, StoreError> {
        let mut known = Known::default();
        if exists(store)? {
            let mut select = store.connection.prepare("SELECT mac, id FROM person")?;
            let rows = select.query_map([], |row| Ok((row.get::<_, Mac>(0)?, row.get(1)?)))?;
            known.stored = rows.collect::<Result<_, _>>()?;
            let next = "SELECT next FROM person_counter";
            let next: Option<i64> = store
                .connection
                .query_row(next, [], |row| row.get(0))
                .optional()?;
            known.next = u64::try_from(next.unwrap_or(0)).unwrap_or(u64::MAX);
        }
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, domain_key),
            durable,
            known: RwLock::new(known),
        })
    }

    /// The number of every row's person; new persons get one.
    ///
    /// # Errors
    /// If a row has no key, or there are no numbers left.
    pub fn ids(&self, keys: &ArrayRef) -> Result<UInt32Array, PersonsError> {
        if keys.null_count() > 0 {
            return Err(PersonsError::NoKey);
        }
        let (mut ids, unknown) = self.read().look_up(keys)?;
        self.introduce(unknown, &mut ids)?;
        Ok(UInt32Array::from(ids))
    }

    /// Looks up persons that were not met since the start, and numbers those never met at all.
    fn introduce(&self, unknown: Unknown, ids: &mut [u32]) -> Result<(), PersonsError> {
        if unknown.is_empty() {
            return Ok(());
        }
        let mac = |(row, key): (usize, UnitKey)| {
            let mac = self.mac(&key);
            (row, key, mac)
        };
        let unknown: Vec<_> = unknown.into_iter().map(mac).collect();
        let mut known = self.write();
        for (row, key, mac) in unknown {
            let person = match known.dictionary.get(&key) {
                Some(person) => person,
                None => known.introduce(key, mac)?,
            };
            *ids.get_mut(row).ok_or(PersonsError::NoKey)? = person;
        }
        Ok(())
    }

    /// Makes every number given so far durable. Whoever decides with a number calls this before.
    ///
    /// # Errors
    /// If the store cannot be written; the numbers are then tried again at the next call.
    pub fn save(&self, store: &mut Store) -> Result<(), StoreError> {
        if !self.durable || self.read().fresh.is_empty() {
            return Ok(());
        }
        let mut known = self.write();
        let transaction = store.connection.transaction()?;
        {
            let sql = "INSERT INTO person (mac, id) VALUES (?1, ?2)";
            let mut insert = transaction.prepare_cached(sql)?;
            for (mac, person) in &known.fresh {
                insert.execute(params![mac, person])?;
            }
        }
        let next = i64::try_from(known.next).unwrap_or(i64::MAX);
        transaction.execute(
            "INSERT INTO person_counter (one, next) VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET next = max(next, excluded.next)",
            [next],
        )?;
        transaction.commit()?;
        known.fresh.clear();
        Ok(())
    }

    /// Forgets whose number it was, and what the person's rows were, from which whoever has them and
    /// the keys could find the number again. The number stays used, and so does every release with
    /// it. True if the person was known. If the data still hold the person, it is a new one from then on.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn forget(&self, store: &mut Store, key: &UnitKey) -> Result<bool, StoreError> {
        self.save(store)?;
        let mac = self.mac(key);
        let mut known = self.write();
        let transaction = store.connection.transaction()?;
        let sql = "DELETE FROM person WHERE mac = ?1 RETURNING id";
        let person: Option<u32> = transaction
            .query_row(sql, [mac], |row| row.get(0))
            .optional()?;
        if let Some(person) = person {
            sealed::forget(&transaction, &store.key, person)?;
        }
        transaction.commit()?;
        known.stored.remove(&mac);
        known.dictionary.remove(key);
        Ok(person.is_some())
    }

    /// One more than the greatest number ever given.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.read().next
    }

    /// Whether numbers outlast the process.
    pub(super) fn is_durable(&self) -> bool {
        self.durable
    }

    /// A key of the population for one purpose.
    pub(super) fn key_for(&self, purpose: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.key, purpose).as_ref())
    }

    fn mac(&self, key: &UnitKey) -> Mac {
        let tag = hmac::sign(
            &self.key,
            &[&b"quorate person\0"[..], &key.bytes()].concat(),
        );
        let mut mac = [0; 32];
        mac.copy_from_slice(tag.as_ref());
        mac
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The numbers of a column, 0 where there is none yet, and the rows and keys of the latter.
    fn look_up(&self, keys: &ArrayRef) -> Result<(Vec<u32>, Unknown), PersonsError> {
        let mut unknown = Vec::new();
        let mut note = |row: usize, key: Option<UnitKey>| {
            unknown.push((row, key.ok_or(PersonsError::NoKey)?));
            Ok(0)
        };
        let ids = if let Some(ints) = keys.as_primitive_opt::<Int64Type>() {
            let new = |row: usize, key: i64| note(row, Some(UnitKey::Int(key)));
            self.dictionary.ints(ints.values(), new)?
        } else if let Some(texts) = keys.as_string_opt::<i32>() {
            let mut spelling = vec![UnitKey::TEXT];
            let id = |row: usize| {
                spelling.truncate(1);
                spelling.extend_from_slice(texts.value(row).as_bytes());
                match self.dictionary.other(&spelling) {
                    Some(person) => Ok(person),
                    None => note(row, UnitKey::at(keys, row)),
                }
            };
            (0..keys.len()).map(id).collect::<Result<_, _>>()?
        } else {
            let id = |row: usize| {
                let key = UnitKey::at(keys, row);
                match key.as_ref().and_then(|key| self.dictionary.get(key)) {
                    Some(person) => Ok(person),
                    None => note(row, key),
                }
            };
            (0..keys.len()).map(id).collect::<Result<_, _>>()?
        };
        Ok((ids, unknown))
    }

    fn introduce(&mut self, key: UnitKey, mac: Mac) -> Result<u32, PersonsError> {
        let person = match self.stored.remove(&mac) {
            Some(person) => person,
            None => {
                let person = u32::try_from(self.next).map_err(|_| PersonsError::Full)?;
                self.next += 1;
                self.fresh.push((mac, person));
                person
            }
        };
        self.dictionary.insert(key, person);
        Ok(person)
    }
}

/// Whether the store has the tables; one that is only looked at may be of an earlier form.
fn exists(store: &Store) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM sqlite_master WHERE name = 'person_counter'";
    let found: i64 = store.connection.query_row(sql, [], |row| row.get(0))?;
    Ok(found > 0)
}
