//! The digest of what a node does to some tables: thresholds, and how each table is made from the
//! custodian's files. An approval names it, so that it ends when rules or views change.

use std::collections::BTreeSet;
use std::fmt::Write;

use quorate_query::codebook::Codebook;

use crate::disclose::{protection_of, words};
use crate::policy::Policy;

/// The digest for these tables at this node. File names and paths are not in it; the custodian's
/// view is.
pub(crate) fn rules_digest(
    policy: &Policy,
    codebook: &Codebook,
    tables: &BTreeSet<&str>,
) -> String {
    let params = policy.release_for(codebook);
    let mut text = String::from("quorate/rules/v1\n");
    text.push_str(&words(protection_of(policy, &params).mode, &params));
    for table in tables {
        let spec = policy.sources.get(*table);
        let view = spec.map(|spec| (&spec.kind, spec.map.as_deref().unwrap_or_default()));
        let _ = write!(text, "\n{table}\n{view:?}");
    }
    quorate_identity::digest_text(&quorate_identity::sha256(text.as_bytes()))
}

/// The same, for every table of the codebook: what the approval of a cohort rests on.
pub(crate) fn rules_of_all(policy: &Policy, codebook: &Codebook) -> String {
    let tables = codebook.tables.keys().map(String::as_str).collect();
    rules_digest(policy, codebook, &tables)
}
