//! What waits in the airlock, kept sealed in the node's database: the question as it was delivered,
//! and what a checker is shown. It survives restarts; what a checker was shown goes when it ends.

use quorate_governance::airlock::Mode;
use quorate_identity::Signed;
use quorate_query::answer::{Cell, NodeTable};
use quorate_wire::{signed_from_bytes, signed_to_bytes};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::disclose::Checked;
use crate::ledger::Head;
use crate::record::Recorded;
use crate::secrets::SecretError;
use crate::store::{Store, StoreError};
use crate::verify::Asker;

/// The form of the table.
pub(crate) const AIRLOCK: &str = "CREATE TABLE airlock (
    question TEXT PRIMARY KEY NOT NULL,
    waits INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    time INTEGER NOT NULL
) WITHOUT ROWID;";

/// Something that waits for output checkers, or has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Id of the question.
    pub question: String,
    /// Under which project.
    pub project: String,
    /// Digest of the project's record; empty for one of the policy file.
    pub record: String,
    /// Who asked.
    pub asker: String,
    /// What for, in their words.
    pub purpose: String,
    /// How it is let out.
    pub mode: Mode,
    /// Digest of what would leave.
    pub outcome: String,
    /// The question in the canonical form.
    pub canonical: String,
    /// What would leave, exactly.
    pub tables: Vec<Table>,
    /// What the rules withhold, and why.
    pub findings: Vec<Finding>,
    /// State of the data.
    pub epoch: String,
    /// When it was checked, unix seconds.
    pub checked: i64,
    /// 0 for a question of one round.
    pub round: u32,
    /// Digest of the certificate that delivered it.
    pub peer: String,
    /// Number of its ledger record.
    pub opened: u64,
    /// Hash of its ledger record.
    pub head: String,
    /// The question as it was delivered.
    pub delivered: Vec<u8>,
}

/// A table that would leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name among several.
    pub name: String,
    /// Rows, as they would leave.
    pub rows: Vec<Row>,
}

/// A row that would leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its key.
    pub key: Vec<String>,
    /// The parts of each measure; `None` where nothing leaves.
    pub cells: Vec<Option<Vec<String>>>,
}

/// A cell that the rules withhold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule.
    pub rule: String,
    /// Which cell, and why.
    pub text: String,
}

impl Held {
    /// The question as it was delivered.
    ///
    /// # Errors
    /// If the bytes are damaged.
    pub fn signed(&self) -> Result<Signed, StoreError> {
        Ok(signed_from_bytes(&self.delivered)?)
    }

    pub(super) fn entry(&self) -> Head {
        Head {
            seq: self.opened,
            hash: self.head.clone(),
        }
    }
}

/// What is kept of a question; `None` for one that nobody delivered.
pub(super) fn held(
    recorded: &Recorded,
    checked: &Checked<'_>,
    tables: &[NodeTable],
    (outcome, mode): (String, Mode),
    now: i64,
) -> Option<Held> {
    let approved = checked.approved();
    let (question, asked) = (approved.question(), approved.question().asked());
    let entry = recorded.entry()?;
    let names = question.typed().tables();
    let shown = names.iter().zip(tables);
    let Asker::Researcher { name, .. } = &asked.asker else {
        return None;
    };
    Some(Held {
        question: asked.id.to_string(),
        project: asked.project.clone().unwrap_or_default(),
        record: approved
            .project()
            .map(|project| project.record.clone())
            .unwrap_or_default(),
        asker: name.clone(),
        purpose: asked.purpose.clone(),
        mode,
        outcome,
        canonical: question.typed().canonical_text(),
        tables: shown.map(|((name, _), table)| show(name, table)).collect(),
        findings: checked
            .findings()
            .iter()
            .map(|finding| Finding {
                rule: finding.rule.to_owned(),
                text: finding.to_string(),
            })
            .collect(),
        epoch: checked.epoch().to_owned(),
        checked: now,
        round: asked.round,
        peer: asked.peer.clone(),
        opened: entry.seq,
        head: entry.head,
        delivered: signed_to_bytes(recorded.verified().delivered()?),
    })
}

fn show(name: &str, table: &NodeTable) -> Table {
    let cell = |cell: &Cell| {
        let parts = cell.parts()?.iter();
        Some(parts.map(ToString::to_string).collect())
    };
    let rows = table.rows.iter().map(|row| Row {
        key: row.key.iter().map(ToString::to_string).collect(),
        cells: row.cells.iter().map(cell).collect(),
    });
    Table {
        name: name.to_owned(),
        rows: rows.collect(),
    }
}

impl Store {
    /// Keeps what waits, in place of what was shown before.
    ///
    /// # Errors
    /// If it cannot be kept: then it does not wait.
    pub fn hold(&mut self, held: &Held) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(held).map_err(|_| StoreError::Damaged("airlock"))?;
        let sealed = self.key.seal(&place(&held.question), &bytes)?;
        let sql = "INSERT INTO airlock (question, waits, sealed, time) VALUES (?1, 1, ?2, ?3)
             ON CONFLICT (question) DO UPDATE SET sealed = ?2, time = ?3 WHERE waits = 1";
        self.connection
            .execute(sql, params![held.question, sealed, held.checked])?;
        Ok(())
    }

    /// What waits, oldest first.
    ///
    /// # Errors
    /// If it cannot be read, or was altered.
    pub fn held(&self) -> Result<Vec<Held>, StoreError> {
        let sql = "SELECT question, sealed FROM airlock WHERE waits = 1 ORDER BY time, question";
        let mut select = self.connection.prepare_cached(sql)?;
        let found = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(String, Vec<u8>)> = found.collect::<Result<_, _>>()?;
        found
            .into_iter()
            .map(|(question, sealed)| self.opened(&question, &sealed))
            .collect()
    }

    /// What waits of one question.
    ///
    /// # Errors
    /// If it cannot be read, or was altered.
    pub fn held_of(&self, question: &str) -> Result<Option<Held>, StoreError> {
        let sql = "SELECT sealed FROM airlock WHERE waits = 1 AND question = ?1";
        let sealed: Option<Vec<u8>> = self
            .connection
            .query_row(sql, [question], |row| row.get(0))
            .optional()?;
        sealed
            .map(|sealed| self.opened(question, &sealed))
            .transpose()
    }

    /// It waits no more: what a checker was shown goes.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn let_go(&mut self, question: &str) -> Result<(), StoreError> {
        let sql = "UPDATE airlock SET waits = 0, sealed = x'' WHERE question = ?1";
        self.connection.execute(sql, [question])?;
        Ok(())
    }

    /// Forgets a question altogether, as no command does.
    ///
    /// # Errors
    /// If the store cannot be written.
    #[cfg(test)]
    pub(crate) fn forget(&mut self, question: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM airlock WHERE question = ?1";
        self.connection.execute(sql, [question])?;
        Ok(())
    }

    fn opened(&self, question: &str, sealed: &[u8]) -> Result<Held, StoreError> {
        let bytes = self.key.open(&place(question), sealed)?;
        serde_json::from_slice(&bytes).map_err(|_| SecretError::Sealed.into())
    }
}

fn place(question: &str) -> Vec<u8> {
    [&b"airlock\0"[..], question.as_bytes()].concat()
}
