//! Releases: what this population has ever shown, cell by cell, with who is behind it.
//!
//! An append-only list of sealed records. A cell is known by (population, predicate, vec) within an
//! epoch and its protection; a record that is there already stays as it is. From the whole list,
//! oldest first, the history is rebuilt at every start. This module must not decide what may leave.

mod bytes;
mod first_form;
mod record;

use std::collections::BTreeMap;

use quorate_disclosure::history::State;
use rusqlite::{Transaction, params};

pub(crate) use self::bytes::{pad, unpad};
pub(crate) use self::first_form::seal_first_form;
pub use self::record::{CoreDone, Occasion, Protected, Reason, Record, Told};
use crate::secrets::{SecretError, StoreKey};
use crate::store::{Store, StoreError};

/// One line of the history: how much left with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// With which question.
    pub occasion: Occasion,
    /// Cells that left for the first time.
    pub cells: u64,
    /// Cells that were given up so that others could leave.
    pub given_up: u64,
    /// State of the data.
    pub epoch: String,
}

impl Store {
    /// Appends records in one transaction; when this returns, they are on the disk. One that is
    /// there already stays as it is. Returns how many records there are now.
    ///
    /// # Errors
    /// If they cannot be stored: then none of them is.
    pub fn reserve(&mut self, population: &str, records: &[Record]) -> Result<u64, StoreError> {
        let transaction = self.connection.transaction()?;
        append(&transaction, &self.key, population, records)?;
        let count = count(&transaction)?;
        transaction.commit()?;
        Ok(count)
    }

    /// How many records there are.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn records(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM record";
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Everything that a population has shown, oldest first.
    ///
    /// # Errors
    /// If a record cannot be read, or was altered.
    pub fn past(&self, population: &str, mut tell: impl FnMut(Record)) -> Result<(), StoreError> {
        let sql = "SELECT seq, tag, sealed FROM record ORDER BY seq";
        let mut select = self.connection.prepare_cached(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, tag): (i64, [u8; 32]) = (row.get(0)?, row.get(1)?);
            let sealed: Vec<u8> = row.get(2)?;
            let (of, record) = open(&self.key, seq, &tag, &sealed)?;
            if of == population {
                tell(record);
            }
        }
        Ok(())
    }

    /// What has left, newest first, one line a question and epoch.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn history(&self, population: &str, limit: u32) -> Result<Vec<HistoryLine>, StoreError> {
        let mut lines: BTreeMap<(i64, String, String, String), HistoryLine> = BTreeMap::new();
        self.past(population, |record| {
            if let Record::Release(release) = record {
                let (entry, occasion) = *release;
                let key = (
                    -occasion.time,
                    occasion.question.clone(),
                    occasion.principal.clone(),
                    entry.id.epoch.clone(),
                );
                let line = lines.entry(key).or_insert_with(|| HistoryLine {
                    occasion,
                    cells: 0,
                    given_up: 0,
                    epoch: entry.id.epoch.clone(),
                });
                match entry.state {
                    State::Released(_) | State::Near(_) => line.cells += 1,
                    State::Sacrificed => line.given_up += 1,
                    State::Union { .. } => {}
                }
            }
        })?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(lines.into_values().take(limit).collect())
    }
}

/// Appends records to a transaction that the caller commits.
pub(crate) fn append(
    transaction: &Transaction<'_>,
    key: &StoreKey,
    population: &str,
    records: &[Record],
) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO record (tag, sealed) VALUES (?1, ?2)";
    let mut insert = transaction.prepare_cached(sql)?;
    for record in records {
        let tag = key.tag(&record.key(population));
        let bytes = pad(record.encode(population));
        insert.execute(params![tag, key.seal(&place(&tag), &bytes)?])?;
    }
    Ok(())
}

fn count(transaction: &Transaction<'_>) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM record";
    let count: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn open(
    key: &StoreKey,
    seq: i64,
    tag: &[u8; 32],
    sealed: &[u8],
) -> Result<(String, Record), StoreError> {
    let bytes = key.open(&place(tag), sealed)?;
    let content = unpad(&bytes).ok_or(SecretError::Sealed)?;
    Record::decode(content).ok_or(StoreError::Unknown(seq))
}

/// Where a record lies: its bytes open nowhere else.
fn place(tag: &[u8; 32]) -> Vec<u8> {
    [&b"record\0"[..], tag].concat()
}

#[cfg(test)]
mod tests;
