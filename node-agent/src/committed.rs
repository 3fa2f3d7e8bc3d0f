//! What the ledger commits to without saying it: parameters and row filters, as bytes that anybody
//! with the question can make again when the custodian opens an entry.

use std::collections::BTreeMap;

use quorate_query::canonical;
use quorate_query::question::{ParamValue, Params, TableQuestion};
use quorate_query::value::Scalar;
use serde_json::Value;

/// Parameters as one JSON object, names ascending; nothing where there are none.
pub(crate) fn params(params: &Params) -> Vec<u8> {
    let value = |value: &ParamValue| match value {
        ParamValue::One(one) => one.to_json(),
        ParamValue::List(list) => Value::Array(list.iter().map(Scalar::to_json).collect()),
    };
    let all: BTreeMap<&String, Value> = params.iter().map(|(k, v)| (k, value(v))).collect();
    serde_json::to_vec(&all).unwrap_or_default()
}

/// The canonical forms of the row filters, table after table.
pub(crate) fn filters(tables: &[&TableQuestion]) -> Vec<u8> {
    let filter = |table: &&TableQuestion| {
        canonical::predicate_bytes(&table.rows, &table.joined, &table.filter)
    };
    tables.iter().flat_map(filter).collect()
}
