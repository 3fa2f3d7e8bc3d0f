//! What a question means, for people: canonical form, columns touched, what each node
//! computes and sends, and the rules that apply. Depends on question and codebook only, so
//! it can be shown before anything is asked.
//!
//! What this file must not know: any node's own policy, which may be stricter.

mod disclosure;
mod parts;

use std::fmt;

use crate::canonical::show_digest;
use crate::codebook::Codebook;
use crate::question::Question;

pub use disclosure::{Disclosure, TableDisclosure, disclosure};

/// An explanation; `Display` prints it as plain text, one heading a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Question hash, `sha256:...`.
    pub hash: String,
    /// Canonical form for people.
    pub canonical: String,
    /// What is to be said of each table, in their order.
    pub tables: Vec<TableExplanation>,
}

/// One table of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableExplanation {
    /// Its name among several; empty for a single one.
    pub name: String,
    /// Columns touched, `table.column (type, unit): how`.
    pub columns: Vec<String>,
    /// What each node computes.
    pub computes: Vec<String>,
    /// What each node sends.
    pub sends: Vec<String>,
    /// What coordinator and SDK do with released values.
    pub combines: Vec<String>,
    /// Rules of release that apply, with the codebook's parameters.
    pub rules: Vec<String>,
}

/// Explains a question that was read against this codebook.
#[must_use]
pub fn explain(q: &Question, cb: &Codebook) -> Explanation {
    let cb = &*q.book(cb);
    let tables = q.tables().into_iter();
    let explained = tables.map(|(name, table)| TableExplanation {
        name: name.to_owned(),
        columns: parts::columns(table, cb),
        computes: parts::computes(table, cb),
        sends: parts::sends(table, cb),
        combines: parts::combines(table),
        rules: parts::rules(table, cb),
    });
    Explanation {
        hash: show_digest(&q.digest()),
        canonical: q.canonical_text(),
        tables: explained.collect(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "question {}", self.hash)?;
        writeln!(f, "\nCanonical form")?;
        for line in self.canonical.lines() {
            writeln!(f, "  {line}")?;
        }
        for table in &self.tables {
            write!(f, "{table}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TableExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            writeln!(f, "\nTABLE {}", self.name)?;
        }
        let headings = [
            ("Columns touched", &self.columns),
            ("Each node computes", &self.computes),
            ("Each node sends", &self.sends),
            ("Coordinator and SDK then", &self.combines),
            ("Rules of release", &self.rules),
        ];
        for (heading, lines) in headings {
            writeln!(f, "\n{heading}")?;
            for line in lines {
                writeln!(f, "  - {line}")?;
            }
            if lines.is_empty() {
                writeln!(f, "  - none")?;
            }
        }
        Ok(())
    }
}
