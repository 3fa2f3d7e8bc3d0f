//! What a question means, for people: canonical form, columns touched, what each node
//! computes and sends, and the rules that apply. Depends on question and codebook only.

use std::fmt;

use crate::canonical::show_digest;
use crate::codebook::Codebook;
use crate::question::Question;

/// An explanation; `Display` prints it as plain text, one heading a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Question hash, `sha256:...`.
    pub hash: String,
    /// Canonical form for people.
    pub canonical: String,
    /// Columns touched, `table.column: how`.
    pub columns: Vec<String>,
    /// What each node computes.
    pub computes: Vec<String>,
    /// What each node sends.
    pub sends: Vec<String>,
    /// What coordinator and SDK do with released values.
    pub combines: Vec<String>,
    /// Rules of release that apply, with their parameters.
    pub rules: Vec<String>,
}

/// Explains a question that was read against this codebook.
#[must_use]
pub fn explain(q: &Question, _cb: &Codebook) -> Explanation {
    Explanation {
        hash: show_digest(&q.digest()),
        canonical: q.canonical_text(),
        columns: Vec::new(),
        computes: Vec::new(),
        sends: Vec::new(),
        combines: Vec::new(),
        rules: Vec::new(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "question {}", self.hash)?;
        writeln!(f, "{}", self.canonical)
    }
}
