//! What a table says about each person, as one keyed number a person.
//!
//! Every row is hashed under a key of the population, and a person's number is the sum over the
//! person's rows: the order of rows does not matter, and memory grows with persons, not rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::row::{RowConverter, SortField};
use ring::hmac;

use super::registry::{PersonsError, Registry};

/// Rows cannot be read as the table that they should be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowsError {
    /// Persons cannot be numbered.
    #[error(transparent)]
    Persons(#[from] PersonsError),
    /// A column is missing, or its type cannot be compared.
    #[error("a table does not have its codebook's columns")]
    Columns,
}

/// Sums in progress.
pub(crate) struct Rows {
    registry: Arc<Registry>,
    key: hmac::Key,
    /// Index of the unit key among the columns.
    unit: usize,
    converter: Option<RowConverter>,
    /// By number of the person; 0 for persons without a row.
    sums: Vec<u128>,
}

impl Rows {
    pub(crate) fn new(registry: &Arc<Registry>, part: &[u8; 32], unit: usize) -> Self {
        Self {
            registry: Arc::clone(registry),
            key: registry.key_for(&[&b"quorate rows\0"[..], part].concat()),
            unit,
            converter: None,
            sums: Vec::new(),
        }
    }

    /// Adds the rows of a batch.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), RowsError> {
        let keys = batch.columns().get(self.unit).ok_or(RowsError::Columns)?;
        let persons = self.registry.ids(keys)?;
        if self.converter.is_none() {
            let fields = batch.schema_ref().fields().iter();
            let fields = fields.map(|field| SortField::new(field.data_type().clone()));
            let converter = RowConverter::new(fields.collect());
            self.converter = Some(converter.map_err(|_| RowsError::Columns)?);
        }
        let converter = self.converter.as_ref().ok_or(RowsError::Columns)?;
        let rows = converter.convert_columns(batch.columns());
        let rows = rows.map_err(|_| RowsError::Columns)?;
        for (row, person) in rows.iter().zip(persons.values()) {
            let tag = hmac::sign(&self.key, row.as_ref());
            let head = tag.as_ref().first_chunk::<16>();
            let value = u128::from_be_bytes(*head.ok_or(RowsError::Columns)?);
            let place = usize::try_from(*person).map_err(|_| RowsError::Columns)?;
            if place >= self.sums.len() {
                self.sums.resize(place + 1, 0);
            }
            if let Some(sum) = self.sums.get_mut(place) {
                *sum = sum.wrapping_add(value);
            }
        }
        Ok(())
    }

    /// The sums by number of the person.
    pub(crate) fn finish(self) -> Vec<u128> {
        self.sums
    }
}
