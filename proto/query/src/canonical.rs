//! Canonical form, version 1.
//!
//! Skeleton of the interface; the encoding follows.

use std::collections::BTreeSet;

use crate::codebook::Codebook;
use crate::question::{Measure, Predicate, Question, TableQuestion};
use crate::value::Scalar;

/// Version of the canonical form.
pub const VERSION: u32 = 1;

impl Question {
    /// The canonical form.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        self.canonical_text().into_bytes()
    }

    /// The canonical form for people.
    #[must_use]
    pub fn canonical_text(&self) -> String {
        format!("{self:?}")
    }

    /// SHA-256 over canonical form and codebook digest: the question hash.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[&self.canonical_bytes(), self.codebook.as_bytes()])
    }
}

/// The predicate of one cell: WHERE and equality with the key.
#[must_use]
pub fn cell_predicate(q: &TableQuestion, _key: &[Scalar], _codebook: &Codebook) -> Predicate {
    q.filter.clone()
}

/// Identity of a set of persons, part 1 of a release id.
#[must_use]
pub fn predicate_id(rows: &str, joined: &BTreeSet<String>, p: &Predicate) -> [u8; 32] {
    sha256(&[format!("{rows:?}{joined:?}{p:?}").as_bytes()])
}

/// Identity of what is measured, part 2 of a release id.
#[must_use]
pub fn vec_id(m: &Measure, q: &TableQuestion, _codebook: &Codebook) -> [u8; 32] {
    sha256(&[format!("{m:?}{:?}", q.rows).as_bytes()])
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The question hash as it is shown: `sha256:` and hexadecimal.
#[must_use]
pub fn show_digest(digest: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(digest))
}
