//! Which columns and tables something names, and which derived columns a question needs.

use std::collections::BTreeSet;

use super::Columns;
use crate::codebook::ColumnRef;
use crate::measure::facts::columns_of;
use crate::question::{Predicate, TableQuestion};

/// The columns of a condition, those of cohorts included.
pub(super) fn columns(predicate: &Predicate) -> Vec<&ColumnRef> {
    let mut all: Vec<&ColumnRef> = predicate.boxes.keys().collect();
    for cohort in &predicate.cohorts {
        all.extend(columns(&cohort.filter));
    }
    all
}

/// The tables of cohorts.
pub(super) fn tables<'a>(predicate: &'a Predicate, found: &mut BTreeSet<&'a str>) {
    for cohort in &predicate.cohorts {
        found.insert(&cohort.rows);
        found.extend(cohort.joined.iter().map(String::as_str));
        tables(&cohort.filter, found);
    }
}

/// Those of the derived columns that a table needs, itself or through others.
#[must_use]
pub fn used(table: &TableQuestion, known: &Columns) -> Columns {
    let mut open: Vec<&ColumnRef> = columns(&table.filter);
    open.extend(table.keys.iter().map(crate::question::GroupKey::column));
    open.extend(table.measures.iter().flat_map(columns_of));
    let mut found = Columns::new();
    while let Some(next) = open.pop() {
        if found.contains_key(next) {
            continue;
        }
        if let Some(derived) = known.get(next) {
            found.insert(next.clone(), derived.clone());
            open.extend(derived.inputs());
        }
    }
    found
}
