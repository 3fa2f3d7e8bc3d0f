//! Canonical form, version 1: the bytes that question hash, approvals, history and receipts
//! rest on. Two texts that ask the same have the same bytes; version 1 is frozen.
//!
//! The encoding is our own and depends on no printer: a field is a tag byte, the length of
//! its content as four big-endian bytes, and the content. Tags, order and vectors are published
//! in `docs/canonical-form.md`. Names of output columns are not part of it: they change nothing
//! that is computed. What this module must not know: SQL text, and who approves what.

mod decode;
mod derived;
mod encode;
pub(crate) mod text;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::codebook::{Codebook, Column, RowsPer};
use crate::domain::band_set;
use crate::measure::facts::facts;
use crate::question::{Grain, GroupKey, Measure, Predicate, Question, Set, TableQuestion, Values};
use crate::set::{number_ordinal, ordinal};
use crate::value::{Scalar, from_civil, to_civil};
pub use decode::{DecodeError, decode_derived, decode_rows};
use encode::{Writer, tag};

/// Version of the canonical form.
pub const VERSION: u32 = 1;

impl Question {
    /// The canonical form.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        encode::question(self)
    }

    /// The canonical form for people: one line a part. Values are ordinals (see [`Values`]).
    #[must_use]
    pub fn canonical_text(&self) -> String {
        text::question(self)
    }

    /// SHA-256 over canonical form and codebook digest: the question hash.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[&self.canonical_bytes(), self.codebook.as_bytes()])
    }
}

/// A digest as it is shown: `sha256:` and hexadecimal.
#[must_use]
pub fn show_digest(digest: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(digest))
}

/// The predicate of one cell: WHERE and equality with the key.
///
/// So `WHERE sex = 1` and the row `sex = 1` of `GROUP BY sex` are the same cell.
#[must_use]
pub fn cell_predicate(q: &TableQuestion, key: &[Scalar], codebook: &Codebook) -> Predicate {
    let mut predicate = q.filter.clone();
    for (part, value) in q.keys.iter().zip(key) {
        let Some(column) = codebook.column(part.column()) else {
            continue;
        };
        let set = key_set(part, value, column);
        let both = match predicate.boxes.get(part.column()) {
            Some(old) => old.intersect(&set).within(column),
            None => set.within(column),
        };
        if both.is_anything() {
            predicate.boxes.remove(part.column());
        } else {
            predicate.boxes.insert(part.column().clone(), both);
        }
    }
    predicate
}

/// The values of a column that fall under one value of a key.
fn key_set(key: &GroupKey, value: &Scalar, column: &Column) -> Set {
    if *value == Scalar::Null {
        return Set::null_only();
    }
    match (key, value) {
        (GroupKey::Column(_), Scalar::Text(text)) => Set::of(Values::texts([text.clone()])),
        (GroupKey::Column(_), _) => Set::of(Values::points(ordinal(value, column.ty))),
        (GroupKey::Band { width, .. }, Scalar::Number(edge)) => {
            match number_ordinal(edge, column.ty) {
                Some(edge) => band_set(edge, column, *width),
                None => Set::of(Values::none()),
            }
        }
        (GroupKey::Period { grain, .. }, Scalar::Date(first)) => {
            Set::of(Values::from_ranges([period_days(*first, *grain)]))
        }
        (GroupKey::Band { .. } | GroupKey::Period { .. }, _) => Set::of(Values::none()),
    }
}

/// First and last day of the period that begins on this day.
fn period_days(first: i32, grain: Grain) -> (Option<i128>, Option<i128>) {
    let months = match grain {
        Grain::Month => 1,
        Grain::Quarter => 3,
        Grain::Year => 12,
    };
    let next = to_civil(first)
        .zip(jiff::Span::new().try_months(months).ok())
        .and_then(|(date, span)| date.checked_add(span).ok());
    let last = next.map(|next| i128::from(from_civil(next)) - 1);
    (Some(i128::from(first)), last)
}

/// Identity of a set of rows, part 1 of a release id: canonical tables and boxes.
#[must_use]
pub fn predicate_id(rows: &str, joined: &BTreeSet<String>, p: &Predicate) -> [u8; 32] {
    sha256(&[b"quorate/predicate/v1\0", &predicate_bytes(rows, joined, p)])
}

/// The canonical tables and boxes that [`predicate_id`] is the digest of.
#[must_use]
pub fn predicate_bytes(rows: &str, joined: &BTreeSet<String>, p: &Predicate) -> Vec<u8> {
    let mut writer = Writer::default();
    encode::rows(&mut writer, rows, joined, p);
    writer.bytes().to_vec()
}

/// Identity of what is measured, part 2 of a release id: monomial, bounds, `max_rows`, base.
///
/// Counts of persons are one family whatever table they were counted on.
#[must_use]
pub fn vec_id(m: &Measure, q: &TableQuestion, codebook: &Codebook) -> [u8; 32] {
    let mut writer = Writer::default();
    encode::measure(&mut writer, m);
    writer.number_u64(tag::BASE, u64::from(codebook.release.round_base));
    let persons = matches!(m, Measure::Persons { .. });
    if let Some(RowsPer::Many { max_rows }) = codebook.tables.get(&q.rows).map(|t| t.rows)
        && !persons
    {
        writer.text(tag::ROWS, &q.rows);
        writer.number_u64(tag::MAX_ROWS, u64::from(max_rows));
    }
    let summed = matches!(
        m,
        Measure::Moments { .. } | Measure::ValueCounts { .. } | Measure::Products { .. }
    );
    if let (true, Some(facts)) = (summed, facts(m, q, codebook)) {
        if let Some((low, high)) = facts.bounds {
            writer.decimal(tag::LOWER, &low);
            writer.decimal(tag::UPPER, &high);
        }
        for value in &facts.domain {
            writer.decimal(tag::DOMAIN, value);
        }
        if matches!(m, Measure::Moments { .. }) && !facts.complete {
            writer.flag(tag::INCOMPLETE, true);
        }
        for centre in facts.centres.iter().flat_map(|(left, right)| [left, right]) {
            writer.decimal(tag::CENTRE, centre);
        }
    }
    sha256(&[b"quorate/vec/v1\0", writer.bytes()])
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
