//! The first form of the release store, before there were persons in it: read once, when a state
//! folder of that time is opened.
//!
//! Nobody knows any more who was behind those cells. They are replayed and counted; no new cell can
//! be compared with them.

use quorate_disclosure::history::{Entry, ReleaseId, Shape, State};
use quorate_query::number::Number;
use quorate_query::question::Predicate;
use rusqlite::{Row, Transaction};

use super::append;
use super::record::{Occasion, Record};
use crate::secrets::{SecretError, StoreKey};
use crate::store::StoreError;

/// Moves the releases of the first form into sealed records and drops their table.
pub(crate) fn seal_first_form(
    transaction: &Transaction<'_>,
    key: &StoreKey,
) -> Result<(), StoreError> {
    {
        let mut select = transaction.prepare(
            "SELECT population, predicate, vec, epoch, protection, boxes, value, time, question,
             project, principal, codebook, policy FROM release ORDER BY time, question, predicate",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let population: String = row.get(0)?;
            append(transaction, key, &population, &[read(row)?])?;
        }
    }
    Ok(transaction.execute_batch("DROP TABLE release")?)
}

fn read(row: &Row<'_>) -> Result<Record, StoreError> {
    let value: Vec<u8> = row.get(6)?;
    let parts = numbers(&value).ok_or(SecretError::Sealed)?;
    // Boxes are compared by facets only, and these cells have none.
    let shape = Shape {
        rows: String::new(),
        joined: std::collections::BTreeSet::new(),
        predicate: Predicate::default(),
    };
    let entry = Entry {
        id: ReleaseId {
            predicate: row.get(1)?,
            vec: row.get(2)?,
            epoch: row.get(3)?,
            protection: row.get(4)?,
        },
        shape,
        state: State::Released(parts),
        project: row.get(9)?,
        core: false,
        facets: Vec::new(),
    };
    let occasion = Occasion {
        time: row.get(7)?,
        question: row.get(8)?,
        project: row.get(9)?,
        principal: row.get(10)?,
        codebook: row.get(11)?,
        policy: row.get(12)?,
    };
    Ok(Record::Release(Box::new((entry, occasion))))
}

/// Twenty bytes a number: mantissa and exponent, big-endian.
fn numbers(bytes: &[u8]) -> Option<Vec<Number>> {
    let (numbers, rest) = bytes.as_chunks::<20>();
    let number = |bytes: &[u8; 20]| {
        let (mantissa, exponent) = bytes.split_first_chunk::<16>()?;
        let exponent = i32::from_be_bytes(exponent.try_into().ok()?);
        Some(Number::new(i128::from_be_bytes(*mantissa), exponent))
    };
    rest.is_empty()
        .then(|| numbers.iter().map(number).collect())?
}
