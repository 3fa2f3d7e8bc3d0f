//! Numbers the cells: every row's group keys become the index of its cell.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use quorate_query::number::Number;
use quorate_query::value::Scalar;

use super::fold::FoldError;

/// Cells in order of first appearance. The map is only ever looked up, never walked.
#[derive(Default)]
pub(super) struct Cells {
    converter: Option<RowConverter>,
    index: HashMap<Box<[u8]>, usize>,
    keys: Vec<Vec<Scalar>>,
}

impl Cells {
    /// The cell of every row, given the arrays of its keys and the number of rows.
    pub(super) fn of(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<usize>, FoldError> {
        if keys.is_empty() {
            if rows > 0 && self.keys.is_empty() {
                self.keys.push(Vec::new());
            }
            return Ok(vec![0; rows]);
        }
        let encoded = self
            .converter(keys)?
            .convert_columns(keys)
            .map_err(|_| FoldError::Shape)?;
        let mut cells = Vec::with_capacity(rows);
        for (row, bytes) in encoded.iter().enumerate() {
            if let Some(&cell) = self.index.get(bytes.as_ref()) {
                cells.push(cell);
                continue;
            }
            let key = keys
                .iter()
                .map(|array| scalar(array, row))
                .collect::<Result<_, _>>()?;
            let cell = self.keys.len();
            if cell >= super::MAX_CELLS {
                return Err(FoldError::TooManyCells);
            }
            self.keys.push(key);
            self.index.insert(bytes.as_ref().into(), cell);
            cells.push(cell);
        }
        Ok(cells)
    }

    /// How many cells there are so far.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys, by index of the cell.
    pub(super) fn into_keys(self) -> Vec<Vec<Scalar>> {
        self.keys
    }

    fn converter(&mut self, keys: &[ArrayRef]) -> Result<&RowConverter, FoldError> {
        if self.converter.is_none() {
            let fields = keys
                .iter()
                .map(|k| SortField::new(k.data_type().clone()))
                .collect();
            self.converter = Some(RowConverter::new(fields).map_err(|_| FoldError::Shape)?);
        }
        self.converter.as_ref().ok_or(FoldError::Shape)
    }
}

/// One value of a key column.
fn scalar(array: &ArrayRef, row: usize) -> Result<Scalar, FoldError> {
    if array.is_null(row) {
        return Ok(Scalar::Null);
    }
    let value = match array.data_type() {
        DataType::Int64 => array
            .as_primitive_opt::<Int64Type>()
            .map(|a| Scalar::Number(Number::new(i128::from(a.value(row)), 0))),
        DataType::Decimal128(_, scale) => array
            .as_primitive_opt::<Decimal128Type>()
            .map(|a| Scalar::Number(Number::new(a.value(row), -i32::from(*scale)))),
        DataType::Date32 => array
            .as_primitive_opt::<Date32Type>()
            .map(|a| Scalar::Date(a.value(row))),
        DataType::Boolean => array.as_boolean_opt().map(|a| Scalar::Bool(a.value(row))),
        DataType::Utf8 => array
            .as_string_opt::<i32>()
            .map(|a| Scalar::Text(a.value(row).to_owned())),
        _ => None,
    };
    value.ok_or(FoldError::Shape)
}
