//! A cohort: a statement that says once which persons a study is about and what is known of each,
//! signed with every question that uses it as the table `cohort`.
//!
//! It is a query as it may stand in WITH, with one row for each person, without parameters. Complete
//! cases are fixed with it: persons of whom one of the listed columns is missing are not in it, so all
//! analyses of a study rest on the same persons. What it must not know: who asks, and where it is kept.

use sha2::{Digest, Sha256};

use crate::canonical::show_digest;
use crate::codebook::Codebook;
use crate::question::Question;

/// The name of the table that it is.
pub const TABLE: &str = "cohort";

/// A statement that selects persons, and the columns that none of them lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cohort {
    /// The statement.
    pub sql: String,
    /// Columns of it that must not be missing.
    pub complete: Vec<String>,
}

impl Cohort {
    /// Whether a question is about these persons only, and about what the statement says of them: it
    /// has the conditions of the statement, perhaps more on its columns, and names no column but these
    /// and what is computed from them row by row. A person who approved the statement knows then of
    /// whom and of what the question can be.
    #[must_use]
    pub fn holds(&self, question: &Question, codebook: &Codebook) -> bool {
        crate::sql::is_within(self, question, codebook)
    }

    /// A digest of the statement and the list, `sha256:...`: equal for the same file.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"quorate/cohort/v1\0");
        hash.update(self.sql.as_bytes());
        for column in &self.complete {
            hash.update([0]);
            hash.update(column.as_bytes());
        }
        show_digest(&hash.finalize().into())
    }
}
