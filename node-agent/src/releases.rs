//! Releases: what this population has ever shown, cell by cell.
//!
//! A release is known by (population, predicate, vec) within an epoch and its protection. A cell
//! that comes again gets its stored value (H0); later rules compare a new cell with all of them,
//! which is why boxes and epoch are kept from the first day. It must not decide what may leave.

use quorate_query::number::Number;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::store::{Store, StoreError};

/// What a release is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseId {
    /// The custodian's unit domain.
    pub population: String,
    /// Digest of canonical tables and boxes.
    pub predicate: [u8; 32],
    /// Digest of what is measured.
    pub vec: [u8; 32],
    /// State of the data.
    pub epoch: String,
    /// Thresholds and rounding, constants of an epoch.
    pub protection: String,
}

/// A cell that leaves for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What it is known by.
    pub id: ReleaseId,
    /// Canonical tables and boxes.
    pub boxes: Vec<u8>,
    /// The released parts.
    pub parts: Vec<Number>,
}

/// With which question releases left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// Unix seconds.
    pub time: i64,
    /// Id of the question.
    pub question: String,
    /// Under which project.
    pub project: String,
    /// Who asked.
    pub principal: String,
    /// Codebook it was read against.
    pub codebook: String,
    /// Policy in force.
    pub policy: String,
}

/// One line of the history: how much left with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// With which question.
    pub occasion: Occasion,
    /// Cells that left for the first time.
    pub cells: u64,
    /// State of the data.
    pub epoch: String,
}

impl Store {
    /// The stored parts of a release, if the cell has left before.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn released(&self, id: &ReleaseId) -> Result<Option<Vec<Number>>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT value FROM release WHERE population = ?1 AND predicate = ?2 AND vec = ?3
             AND epoch = ?4 AND protection = ?5",
        )?;
        let key = params![id.population, id.predicate, id.vec, id.epoch, id.protection];
        let value: Option<Vec<u8>> = select.query_row(key, |row| row.get(0)).optional()?;
        Ok(value.and_then(|bytes| decode(&bytes)))
    }

    /// What has left, newest first, one line a question and epoch.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn history(&self, limit: u32) -> Result<Vec<HistoryLine>, StoreError> {
        let mut select = self.connection.prepare(
            "SELECT time, question, project, principal, codebook, policy, epoch, count(*)
             FROM release GROUP BY time, question, project, principal, codebook, policy, epoch
             ORDER BY time DESC, question LIMIT ?1",
        )?;
        let lines = select.query_map([limit], |row| {
            Ok(HistoryLine {
                occasion: Occasion {
                    time: row.get(0)?,
                    question: row.get(1)?,
                    project: row.get(2)?,
                    principal: row.get(3)?,
                    codebook: row.get(4)?,
                    policy: row.get(5)?,
                },
                epoch: row.get(6)?,
                cells: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
            })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }
}

/// Adds releases; one that is there already stays as it is.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    releases: &[Release],
    occasion: &Occasion,
) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO release (population, predicate, vec, epoch, protection, boxes,
         value, time, question, project, principal, codebook, policy)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for release in releases {
        let id = &release.id;
        insert.execute(params![
            id.population,
            id.predicate,
            id.vec,
            id.epoch,
            id.protection,
            release.boxes,
            encode(&release.parts),
            occasion.time,
            occasion.question,
            occasion.project,
            occasion.principal,
            occasion.codebook,
            occasion.policy,
        ])?;
    }
    Ok(())
}

/// Twenty bytes a number: mantissa and exponent, big-endian.
fn encode(parts: &[Number]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.len() * 20);
    for part in parts {
        bytes.extend_from_slice(&part.mantissa().to_be_bytes());
        bytes.extend_from_slice(&part.exponent().to_be_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Vec<Number>> {
    let mut parts = Vec::with_capacity(bytes.len() / 20);
    let mut rest = bytes;
    while let Some((mantissa, tail)) = rest.split_first_chunk::<16>() {
        let (exponent, tail) = tail.split_first_chunk::<4>()?;
        parts.push(Number::new(
            i128::from_be_bytes(*mantissa),
            i32::from_be_bytes(*exponent),
        ));
        rest = tail;
    }
    rest.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(predicate: u8, value: i128) -> Release {
        let id = ReleaseId {
            population: "p".into(),
            predicate: [predicate; 32],
            vec: [1; 32],
            epoch: "sha256:e".into(),
            protection: "k=8".into(),
        };
        Release {
            id,
            boxes: vec![9],
            parts: vec![Number::new(value, 0), Number::new(-15, -1)],
        }
    }

    fn occasion(question: &str) -> Occasion {
        let text = |t: &str| t.to_owned();
        Occasion {
            time: 7,
            question: text(question),
            project: text("heart-1"),
            principal: text("alice"),
            codebook: text("sha256:c"),
            policy: text("sha256:p"),
        }
    }

    #[test]
    fn the_first_value_of_a_release_stays() {
        let mut store = Store::empty().unwrap();
        let add = |store: &mut Store, releases: &[Release], question: &str| {
            let transaction = store.connection.transaction().unwrap();
            insert(&transaction, releases, &occasion(question)).unwrap();
            transaction.commit().unwrap();
        };
        add(&mut store, &[release(1, 30), release(2, 45)], "q1");
        add(&mut store, &[release(1, 99), release(3, 50)], "q2");
        assert_eq!(
            store.released(&release(1, 0).id).unwrap(),
            Some(release(1, 30).parts)
        );
        let other_epoch = ReleaseId {
            epoch: "sha256:f".into(),
            ..release(1, 0).id
        };
        assert_eq!(store.released(&other_epoch).unwrap(), None);
        let history = store.history(10).unwrap();
        let cells: Vec<_> = history
            .iter()
            .map(|line| (line.occasion.question.as_str(), line.cells))
            .collect();
        assert_eq!(cells, vec![("q1", 2), ("q2", 1)]);
    }

    #[test]
    fn numbers_survive_their_bytes() {
        let parts = vec![
            Number::new(i128::MIN + 1, -9),
            Number::new(0, 0),
            Number::new(5, 3),
        ];
        assert_eq!(decode(&encode(&parts)), Some(parts));
        assert_eq!(decode(&[0; 21]), None);
    }
}
