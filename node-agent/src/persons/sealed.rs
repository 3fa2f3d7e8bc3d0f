//! What epochs keep at rest, sealed: names of states (digests of data, which whoever knows all
//! persons but one could try out), who changed, and what each person's rows add up to.
//!
//! Every value is bound to its row, and padded so that its length does not tell how many persons it
//! is about. What this file must not know: what a change means.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::releases::{pad, unpad};
use crate::secrets::{SecretError, StoreKey};
use crate::store::StoreError;

/// Persons whose sums are stored together.
pub(super) const CHUNK: usize = 1 << 14;

/// Where a value lies.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The name of an epoch, by its number.
    Name(i64),
    /// Who changed in an epoch.
    Changed(i64),
    /// Contents of a source, by its name.
    Source(&'a str),
    /// Contents that a part's sums are of.
    Part(&'a [u8; 32]),
    /// Sums of a chunk of persons.
    Sums(&'a [u8; 32], i64),
    /// What some of them were before. There may be several: together they are a set.
    Was(&'a [u8; 32], i64),
}

impl Place<'_> {
    fn bytes(self) -> Vec<u8> {
        let chunk =
            |what: &[u8], part: &[u8; 32], chunk: i64| [what, part, &chunk.to_be_bytes()].concat();
        match self {
            Self::Name(seq) => [&b"epoch name\0"[..], &seq.to_be_bytes()].concat(),
            Self::Changed(seq) => [&b"epoch changed\0"[..], &seq.to_be_bytes()].concat(),
            Self::Source(name) => [b"epoch source\0", name.as_bytes()].concat(),
            Self::Part(part) => [&b"epoch part\0"[..], part].concat(),
            Self::Sums(part, at) => chunk(b"epoch sums\0", part, at),
            Self::Was(part, at) => chunk(b"epoch was\0", part, at),
        }
    }
}

pub(super) fn seal(key: &StoreKey, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    Ok(key.seal(&place.bytes(), &pad(plain.to_vec()))?)
}

pub(super) fn open(key: &StoreKey, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let padded = key.open(&place.bytes(), sealed)?;
    Ok(unpad(&padded).ok_or(SecretError::Sealed)?.to_vec())
}

/// A digest that was sealed.
pub(super) fn open_digest(
    key: &StoreKey,
    place: Place<'_>,
    sealed: &[u8],
) -> Result<[u8; 32], StoreError> {
    let plain = open(key, place, sealed)?;
    let digest = plain.as_slice().try_into();
    digest.map_err(|_| StoreError::Damaged("an epoch"))
}

/// Seals what an earlier form of the store kept in the clear. Its columns have their new names.
pub(crate) fn seal_epochs(transaction: &Transaction<'_>, key: &StoreKey) -> Result<(), StoreError> {
    let mut select = transaction.prepare("SELECT seq, sealed_name, sealed_changed FROM epoch")?;
    let mut rows = select.query([])?;
    let sql = "UPDATE epoch SET sealed_name = ?2, sealed_changed = ?3 WHERE seq = ?1";
    while let Some(row) = rows.next()? {
        let (seq, name, changed): (i64, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let name = seal(key, Place::Name(seq), name.as_bytes())?;
        let changed = seal(key, Place::Changed(seq), &changed)?;
        transaction.execute(sql, params![seq, name, changed])?;
    }
    let mut select = transaction.prepare("SELECT name, sealed FROM source_state")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in rows.collect::<Result<Vec<(String, Vec<u8>)>, _>>()? {
        let sealed = seal(key, Place::Source(&row.0), &row.1)?;
        let sql = "UPDATE source_state SET sealed = ?2 WHERE name = ?1";
        transaction.execute(sql, params![row.0, sealed])?;
    }
    let mut select = transaction.prepare("SELECT part, sealed FROM part_state")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in rows.collect::<Result<Vec<([u8; 32], Vec<u8>)>, _>>()? {
        let sealed = seal(key, Place::Part(&row.0), &row.1)?;
        let sql = "UPDATE part_state SET sealed = ?2 WHERE part = ?1";
        transaction.execute(sql, params![row.0, sealed])?;
    }
    seal_sums(transaction, key, "person_sum", |part, at| {
        Place::Sums(part, at)
    })?;
    seal_sums(transaction, key, "person_was", |part, at| {
        Place::Was(part, at)
    })
}

fn seal_sums(
    transaction: &Transaction<'_>,
    key: &StoreKey,
    table: &str,
    place: impl for<'p> Fn(&'p [u8; 32], i64) -> Place<'p>,
) -> Result<(), StoreError> {
    for row in row_ids(transaction, &format!("SELECT rowid FROM {table}"), None)? {
        let sql = format!("SELECT part, chunk, sealed FROM {table} WHERE rowid = ?1");
        let mut select = transaction.prepare_cached(&sql)?;
        let (part, chunk, sums): ([u8; 32], i64, Vec<u8>) =
            select.query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let sealed = seal(key, place(&part, chunk), &sums)?;
        let sql = format!("UPDATE {table} SET sealed = ?2 WHERE rowid = ?1");
        transaction.execute(&sql, params![row, sealed])?;
    }
    Ok(())
}

/// Forgets what a person's rows were in every state: the number says nothing any more.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    key: &StoreKey,
    person: u32,
) -> Result<(), StoreError> {
    let place = usize::try_from(person).map_err(|_| StoreError::Damaged("a person"))?;
    let chunk = i64::try_from(place / CHUNK).unwrap_or(i64::MAX);
    let from = (place % CHUNK).saturating_mul(SUM);
    let sql = "SELECT rowid FROM person_sum WHERE chunk = ?1";
    for row in row_ids(transaction, sql, Some(chunk))? {
        let sql = "SELECT part, sealed FROM person_sum WHERE rowid = ?1";
        let (part, sealed): ([u8; 32], Vec<u8>) =
            transaction.query_row(sql, [row], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut sums = open(key, Place::Sums(&part, chunk), &sealed)?;
        if let Some(sum) = sums.get_mut(from..).and_then(|rest| rest.get_mut(..SUM)) {
            sum.fill(0);
        }
        let sealed = seal(key, Place::Sums(&part, chunk), &sums)?;
        let sql = "UPDATE person_sum SET sealed = ?2 WHERE rowid = ?1";
        transaction.execute(sql, params![row, sealed])?;
    }
    let sql = "SELECT rowid FROM person_was WHERE chunk = ?1";
    for row in row_ids(transaction, sql, Some(chunk))? {
        let sql = "SELECT part, sealed FROM person_was WHERE rowid = ?1";
        let (part, sealed): ([u8; 32], Vec<u8>) =
            transaction.query_row(sql, [row], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let was = open(key, Place::Was(&part, chunk), &sealed)?;
        let (each, _) = was.as_chunks::<WAS>();
        let others = each
            .iter()
            .filter(|was| !was.starts_with(&person.to_be_bytes()));
        let others: Vec<u8> = others.flatten().copied().collect();
        let sealed = seal(key, Place::Was(&part, chunk), &others)?;
        let sql = "UPDATE person_was SET sealed = ?2 WHERE rowid = ?1";
        transaction.execute(sql, params![row, sealed])?;
    }
    Ok(())
}

/// Bytes of a sum.
const SUM: usize = 16;
/// Bytes of a person's number and sum.
const WAS: usize = 20;

fn row_ids(
    transaction: &Transaction<'_>,
    sql: &str,
    chunk: Option<i64>,
) -> Result<Vec<i64>, StoreError> {
    let mut select = transaction.prepare(sql)?;
    let rows = select.query_map(rusqlite::params_from_iter(chunk), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Sums of a chunk; nothing if nobody of it was there.
pub(super) fn sums(
    transaction: &Transaction<'_>,
    key: &StoreKey,
    part: &[u8; 32],
    chunk: i64,
) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT sealed FROM person_sum WHERE part = ?1 AND chunk = ?2";
    let mut select = transaction.prepare_cached(sql)?;
    let sealed: Option<Vec<u8>> = select
        .query_row(params![part, chunk], |row| row.get(0))
        .optional()?;
    let opened = sealed.map(|sealed| open(key, Place::Sums(part, chunk), &sealed));
    Ok(opened.transpose()?.unwrap_or_default())
}
