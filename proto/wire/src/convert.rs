//! Numbers, values, cells, tables and envelopes: generated types and ours, both ways.

use prost::Message;
use quorate_identity::{KeyId, Signature, Signed};
use quorate_query::answer::{Cell, Mode, NodeRow, NodeTable, Protection};
use quorate_query::number::Number;
use quorate_query::question::{ParamValue, Params};
use quorate_query::value::Scalar;

use crate::check::{at_most, some, text, word};
use crate::error::WireError;
use crate::{MAX_MESSAGE, v1};

/// Largest power of ten, either way.
const MAX_EXPONENT: u32 = 64;
/// Most rows of a node's table; a policy's limit is far lower.
const MAX_ROWS: usize = 65_536;
/// Most keys of a row.
const MAX_KEYS: usize = 16;
/// Most cells of a row.
const MAX_CELLS: usize = 64;
/// Most numbers of a cell: a count per value of a closed domain.
const MAX_PARTS: usize = 32;
/// Longest text value.
const MAX_TEXT: usize = 1024;
/// Most parameters, and most values of a list.
const MAX_PARAMS: usize = 64;
const MAX_LIST: usize = 100_000;
/// Most signatures on an envelope.
const MAX_SIGNATURES: usize = 32;

impl From<&Number> for v1::Number {
    fn from(number: &Number) -> Self {
        Self {
            mantissa: number.mantissa().to_be_bytes().to_vec(),
            exponent: number.exponent(),
        }
    }
}

impl TryFrom<&v1::Number> for Number {
    type Error = WireError;
    fn try_from(wire: &v1::Number) -> Result<Self, WireError> {
        let mantissa: [u8; 16] = wire
            .mantissa
            .as_slice()
            .try_into()
            .map_err(|_| WireError::Invalid("mantissa"))?;
        if wire.exponent.unsigned_abs() > MAX_EXPONENT {
            return Err(WireError::Invalid("exponent"));
        }
        let number = Self::new(i128::from_be_bytes(mantissa), wire.exponent);
        // One number, one spelling: digests of tables depend on it.
        if v1::Number::from(&number) == *wire {
            Ok(number)
        } else {
            Err(WireError::Invalid("number"))
        }
    }
}

impl From<&Scalar> for v1::Scalar {
    fn from(scalar: &Scalar) -> Self {
        use v1::scalar::Value;
        let value = match scalar {
            Scalar::Null => Value::Null(true),
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Number(number) => Value::Number(number.into()),
            Scalar::Date(days) => Value::Date(*days),
            Scalar::Text(text) => Value::Text(text.clone()),
        };
        Self { value: Some(value) }
    }
}

impl TryFrom<&v1::Scalar> for Scalar {
    type Error = WireError;
    fn try_from(wire: &v1::Scalar) -> Result<Self, WireError> {
        use v1::scalar::Value;
        match some(wire.value.as_ref(), "value")? {
            Value::Null(true) => Ok(Self::Null),
            Value::Null(false) => Err(WireError::Invalid("null")),
            Value::Bool(value) => Ok(Self::Bool(*value)),
            Value::Number(number) => Ok(Self::Number(number.try_into()?)),
            Value::Date(days) => Ok(Self::Date(*days)),
            Value::Text(value) => Ok(Self::Text(text(value.clone(), "text", MAX_TEXT)?)),
        }
    }
}

impl From<&Cell> for v1::Cell {
    fn from(cell: &Cell) -> Self {
        let parts = cell.parts().unwrap_or_default();
        Self {
            suppressed: cell.parts().is_none(),
            parts: parts.iter().map(Into::into).collect(),
            near_earlier: cell.is_near(),
        }
    }
}

impl TryFrom<&v1::Cell> for Cell {
    type Error = WireError;
    fn try_from(wire: &v1::Cell) -> Result<Self, WireError> {
        at_most(&wire.parts, "parts", MAX_PARTS)?;
        match (wire.suppressed, wire.near_earlier, wire.parts.is_empty()) {
            (true, false, true) => Ok(Self::Suppressed),
            (false, false, false) => Ok(Self::Value(all(&wire.parts)?)),
            (false, true, false) => Ok(Self::Near(all(&wire.parts)?)),
            (true, true, _) | (true, _, false) | (false, _, true) => {
                Err(WireError::Invalid("cell"))
            }
        }
    }
}

impl From<&NodeTable> for v1::NodeTable {
    fn from(table: &NodeTable) -> Self {
        let row = |row: &NodeRow| v1::Row {
            key: row.key.iter().map(Into::into).collect(),
            cells: row.cells.iter().map(Into::into).collect(),
        };
        Self {
            rows: table.rows.iter().map(row).collect(),
        }
    }
}

impl TryFrom<&v1::NodeTable> for NodeTable {
    type Error = WireError;
    fn try_from(wire: &v1::NodeTable) -> Result<Self, WireError> {
        at_most(&wire.rows, "rows", MAX_ROWS)?;
        let row = |row: &v1::Row| {
            at_most(&row.key, "key", MAX_KEYS)?;
            at_most(&row.cells, "cells", MAX_CELLS)?;
            Ok(NodeRow {
                key: all(&row.key)?,
                cells: all(&row.cells)?,
            })
        };
        let rows: Vec<NodeRow> = wire
            .rows
            .iter()
            .map(row)
            .collect::<Result<_, WireError>>()?;
        for (a, b) in rows.iter().zip(rows.iter().skip(1)) {
            if a.key.len() != b.key.len() || a.cells.len() != b.cells.len() {
                return Err(WireError::Invalid("rows of unequal length"));
            }
            if a.key >= b.key {
                return Err(WireError::Invalid("order of rows"));
            }
        }
        Ok(Self { rows })
    }
}

impl From<&Protection> for v1::Protection {
    fn from(protection: &Protection) -> Self {
        let (mode, noise_bound) = match protection.mode {
            Mode::Round => ("round", 0),
            Mode::CellKey { bound } => ("cell_key", bound),
            Mode::None => ("none", 0),
        };
        Self {
            mode: mode.to_owned(),
            k: protection.k,
            round_base: protection.round_base,
            noise_bound,
        }
    }
}

impl TryFrom<&v1::Protection> for Protection {
    type Error = WireError;
    fn try_from(wire: &v1::Protection) -> Result<Self, WireError> {
        let mode = match (wire.mode.as_str(), wire.noise_bound) {
            ("round", 0) => Mode::Round,
            ("none", 0) => Mode::None,
            ("cell_key", bound) if bound > 0 => Mode::CellKey { bound },
            _ => return Err(WireError::Invalid("protection")),
        };
        if mode != Mode::None && (wire.k == 0 || wire.round_base == 0) {
            return Err(WireError::Invalid("protection"));
        }
        Ok(Self {
            mode,
            k: wire.k,
            round_base: wire.round_base,
        })
    }
}

pub(crate) fn params_to_wire(params: &Params) -> Vec<v1::Param> {
    use v1::param::Value;
    let value = |value: &ParamValue| match value {
        ParamValue::One(scalar) => Value::One(scalar.into()),
        ParamValue::List(list) => Value::List(v1::ScalarList {
            values: list.iter().map(Into::into).collect(),
        }),
    };
    params
        .iter()
        .map(|(name, v)| v1::Param {
            name: name.clone(),
            value: Some(value(v)),
        })
        .collect()
}

pub(crate) fn params_from_wire(wire: &[v1::Param]) -> Result<Params, WireError> {
    use v1::param::Value;
    at_most(wire, "params", MAX_PARAMS)?;
    let mut params = Params::new();
    for param in wire {
        let name = word(param.name.clone(), "param name")?;
        if params
            .last_key_value()
            .is_some_and(|(last, _)| *last >= name)
        {
            return Err(WireError::Invalid("order of params"));
        }
        let value = match some(param.value.as_ref(), "param value")? {
            Value::One(scalar) => ParamValue::One(scalar.try_into()?),
            Value::List(list) => {
                at_most(&list.values, "list", MAX_LIST)?;
                ParamValue::List(all(&list.values)?)
            }
        };
        params.insert(name, value);
    }
    Ok(params)
}

impl From<&Signed> for v1::Signed {
    fn from(signed: &Signed) -> Self {
        let signature = |s: &Signature| v1::Signature {
            key_id: s.key_id.to_string(),
            signature: s.signature.to_vec(),
        };
        Self {
            kind: signed.kind.clone(),
            payload: signed.payload.clone(),
            signatures: signed.signatures.iter().map(signature).collect(),
        }
    }
}

impl From<Signed> for v1::Signed {
    fn from(signed: Signed) -> Self {
        (&signed).into()
    }
}

impl TryFrom<&v1::Signed> for Signed {
    type Error = WireError;
    fn try_from(wire: &v1::Signed) -> Result<Self, WireError> {
        wire.clone().try_into()
    }
}

impl TryFrom<v1::Signed> for Signed {
    type Error = WireError;
    fn try_from(wire: v1::Signed) -> Result<Self, WireError> {
        at_most(&wire.signatures, "signatures", MAX_SIGNATURES)?;
        at_most(&wire.payload, "payload", MAX_MESSAGE)?;
        let signature = |s: &v1::Signature| {
            let key_id = KeyId::parse(&s.key_id).map_err(|_| WireError::Invalid("key_id"))?;
            let signature = s
                .signature
                .as_slice()
                .try_into()
                .map_err(|_| WireError::Invalid("signature"))?;
            Ok(Signature { key_id, signature })
        };
        let signatures = wire
            .signatures
            .iter()
            .map(signature)
            .collect::<Result<_, WireError>>()?;
        if !quorate_identity::envelope::kind::ALL.contains(&wire.kind.as_str()) {
            return Err(WireError::Invalid("kind"));
        }
        Ok(Self {
            kind: wire.kind,
            payload: wire.payload,
            signatures,
        })
    }
}

/// An envelope as bytes, for stores and files.
#[must_use]
pub fn signed_to_bytes(signed: &Signed) -> Vec<u8> {
    v1::Signed::from(signed).encode_to_vec()
}

/// Reads what [`signed_to_bytes`] writes. Nothing is verified yet.
///
/// # Errors
/// If the bytes are no envelope.
pub fn signed_from_bytes(bytes: &[u8]) -> Result<Signed, WireError> {
    v1::Signed::decode(bytes)
        .map_err(|_| WireError::Malformed)?
        .try_into()
}

/// SHA-256 of a table as it is encoded in an answer; of several, that of their digests one after
/// the other.
#[must_use]
pub fn tables_digest(tables: &[NodeTable]) -> [u8; 32] {
    let digest =
        |table: &NodeTable| quorate_identity::sha256(&v1::NodeTable::from(table).encode_to_vec());
    match tables {
        [only] => digest(only),
        all => quorate_identity::sha256(&all.iter().flat_map(digest).collect::<Vec<u8>>()),
    }
}

fn all<'a, W, T: TryFrom<&'a W, Error = WireError>>(values: &'a [W]) -> Result<Vec<T>, WireError> {
    values.iter().map(T::try_from).collect()
}
