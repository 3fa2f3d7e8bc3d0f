//! The outbox: signed answers and refusals, kept until acknowledged, and for ever by question id.
//!
//! Its releases were made durable before it was signed. A message is first *prepared*, then the ledger closes
//! its entry, then it is *sealed*: only sealed messages leave. A crash in between leaves a
//! prepared message, which the next start closes in the ledger and seals. So a question id has one
//! answer for ever, and nothing leaves that is not recorded.

use quorate_identity::Signed;
use quorate_wire::{signed_from_bytes, signed_to_bytes};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::secrets::{SecretError, StoreKey};
use crate::store::{Store, StoreError};

const PREPARED: i64 = 0;
const SEALED: i64 = 1;
const ACKNOWLEDGED: i64 = 2;

/// A message and what it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Id of the question.
    pub question: String,
    /// SHA-256 of the question's payload.
    pub payload: [u8; 32],
    /// The signed answer or refusal.
    pub signed: Signed,
    /// Number of the ledger record that opened the question.
    pub opened: u64,
    /// The ledger event that closes it, as JSON.
    pub close: String,
    /// Unix seconds.
    pub time: i64,
}

/// What is kept for a question id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The message.
    pub message: Message,
    /// Whether the ledger has closed it, so that it may leave.
    pub sealed: bool,
}

impl Store {
    /// What is kept for a question id.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn kept(&self, question: &str) -> Result<Option<Kept>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT question, payload, message, opened, close, time, state FROM message
             WHERE question = ?1",
        )?;
        let found = select.query_row([question], columns).optional()?;
        found.map(|columns| read(&self.key, columns)).transpose()
    }

    /// Stores a message. It does not leave yet.
    ///
    /// # Errors
    /// If it cannot be stored: then nothing of it is.
    pub fn prepare(&mut self, message: &Message) -> Result<(), StoreError> {
        let (signed, close) = seal(
            &self.key,
            &message.question,
            &signed_to_bytes(&message.signed),
            &message.close,
        )?;
        self.connection.execute(
            "INSERT INTO message (question, payload, message, sha256, state, opened, close, time)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                message.question,
                message.payload,
                signed,
                message.signed.digest(),
                PREPARED,
                i64::try_from(message.opened).unwrap_or(i64::MAX),
                close,
                message.time,
            ],
        )?;
        Ok(())
    }

    /// The ledger has closed it: from now on it may leave.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn seal(&mut self, question: &str) -> Result<(), StoreError> {
        let sql = "UPDATE message SET state = ?1 WHERE question = ?2 AND state = ?3";
        self.connection
            .execute(sql, params![SEALED, question, PREPARED])?;
        Ok(())
    }

    /// Messages that a crash left between store and ledger.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn prepared(&self) -> Result<Vec<Message>, StoreError> {
        self.in_state(PREPARED)
    }

    /// The newest ledger record that any message names; 0 if there is no message.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn newest_message(&self) -> Result<u64, StoreError> {
        let sql = "SELECT max(opened) FROM message";
        let newest: Option<i64> = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(newest.unwrap_or(0)).unwrap_or(0))
    }

    /// Messages that the coordinator has not acknowledged, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn waiting(&self) -> Result<Vec<Message>, StoreError> {
        self.in_state(SEALED)
    }

    /// The coordinator has stored a message; `sha256` is over its payload.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn acknowledge(&mut self, question: &str, sha256: &[u8]) -> Result<bool, StoreError> {
        let sql =
            "UPDATE message SET state = ?1 WHERE question = ?2 AND sha256 = ?3 AND state = ?4";
        let changed = self
            .connection
            .execute(sql, params![ACKNOWLEDGED, question, sha256, SEALED])?;
        Ok(changed == 1)
    }

    fn in_state(&self, state: i64) -> Result<Vec<Message>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT question, payload, message, opened, close, time, state FROM message
             WHERE state = ?1 ORDER BY time, question",
        )?;
        let found = select.query_map([state], columns)?;
        found
            .map(|columns| Ok(read(&self.key, columns?)?.message))
            .collect()
    }
}

type Columns = (String, [u8; 32], Vec<u8>, i64, Vec<u8>, i64, i64);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
    ))
}

fn read(key: &StoreKey, columns: Columns) -> Result<Kept, StoreError> {
    let (question, payload, sealed, opened, close, time, state) = columns;
    let signed = signed_from_bytes(&key.open(&place("message", &question), &sealed)?)?;
    let close = key.open(&place("close", &question), &close)?;
    let close = String::from_utf8(close).map_err(|_| SecretError::Sealed)?;
    let opened = u64::try_from(opened).unwrap_or(0);
    let message = Message {
        question,
        payload,
        signed,
        opened,
        close,
        time,
    };
    Ok(Kept {
        message,
        sealed: state != PREPARED,
    })
}

/// The signed bytes and the ledger's event, sealed: an answer names values and groups.
fn seal(
    key: &StoreKey,
    question: &str,
    signed: &[u8],
    close: &str,
) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let signed = key.seal(&place("message", question), signed)?;
    Ok((
        signed,
        key.seal(&place("close", question), close.as_bytes())?,
    ))
}

/// Where sealed bytes lie: they open nowhere else.
fn place(column: &str, question: &str) -> Vec<u8> {
    [column.as_bytes(), &[0], question.as_bytes()].concat()
}

/// Seals the messages of the first form of the store.
pub(crate) fn seal_first_form(
    transaction: &Transaction<'_>,
    key: &StoreKey,
) -> Result<(), StoreError> {
    let mut select = transaction.prepare("SELECT question, message, close FROM message")?;
    let open = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let open: Vec<(String, Vec<u8>, String)> = open.collect::<Result<_, _>>()?;
    let sql = "UPDATE message SET message = ?2, close = ?3 WHERE question = ?1";
    for (question, signed, close) in open {
        let (signed, close) = seal(key, &question, &signed, &close)?;
        transaction.execute(sql, params![question, signed, close])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_identity::SigningKey;

    use super::*;

    fn message(question: &str) -> Message {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        Message {
            question: question.into(),
            payload: [5; 32],
            signed: Signed::by(&key, "answer", question.as_bytes().to_vec()),
            opened: 2,
            close: "{}".into(),
            time: 9,
        }
    }

    #[test]
    fn a_message_leaves_only_sealed_and_until_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let one = message("q1");
        store.prepare(&one).unwrap();
        assert!(store.prepare(&one).is_err(), "an id is single use");
        assert!(store.waiting().unwrap().is_empty());
        drop(store);
        let mut store = Store::open(folder.path()).unwrap();
        assert_eq!(store.prepared().unwrap(), vec![one.clone()]);
        assert!(!store.kept("q1").unwrap().unwrap().sealed);
        store.seal("q1").unwrap();
        assert_eq!(store.waiting().unwrap(), vec![one.clone()]);
        assert!(
            !store.acknowledge("q1", &[0; 32]).unwrap(),
            "of other bytes"
        );
        assert_eq!(store.waiting().unwrap().len(), 1);
        assert!(store.acknowledge("q1", &one.signed.digest()).unwrap());
        assert!(store.waiting().unwrap().is_empty());
        let kept = store.kept("q1").unwrap().unwrap();
        assert!(kept.sealed && kept.message == one);
        assert!(
            Store::look(folder.path())
                .unwrap()
                .kept("q1")
                .unwrap()
                .is_some()
        );
    }
}
