//! Questions as they are asked in an arena: a text or an analysis, of a cohort or not, for review or
//! not, by one of four researchers. It must not know who answers.

use anyhow::{Result, anyhow};
use quorate_query::analyses::{Analysis, Request};
use quorate_query::codebook::Codebook;
use quorate_query::cohort::Cohort;
use quorate_query::problem::Problem;
use quorate_query::question::{Params, Question};

/// Researchers, the seeds of their keys, and the project each asks in unless told otherwise.
pub(super) const RESEARCHERS: [(&str, u8, &str); 4] = [
    ("alice", 11, "one"),
    ("bob", 12, "one"),
    ("carol", 13, "two"),
    ("dave", 14, "two"),
];

/// A question to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The text; empty for an analysis.
    pub sql: String,
    /// The analysis, if it is one.
    pub analysis: Option<Analysis>,
    /// The cohort it is asked of, if of one.
    pub cohort: Option<Cohort>,
    /// Who asks: `alice`, `bob`, `carol` or `dave`; alice if empty.
    pub who: String,
    /// In which project; the asker's own if empty.
    pub project: String,
    /// Typed parameters.
    pub params: Params,
    /// Whether it is one for review; the custodian then approves exactly this question.
    pub reviewed: bool,
}

impl Ask {
    /// Alice's question without parameters.
    #[must_use]
    pub fn plain(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            ..Self::default()
        }
    }

    /// As it is signed.
    #[must_use]
    pub fn request(&self) -> Request {
        let own = match &self.analysis {
            Some(analysis) => Request::Analysis(analysis.clone()),
            None => Request::Sql(self.sql.clone()),
        };
        let of = match &self.cohort {
            Some(cohort) => Request::Of(cohort.clone(), Box::new(own)),
            None => own,
        };
        if self.reviewed {
            Request::Reviewed(Box::new(of))
        } else {
            of
        }
    }

    /// As everybody reads it.
    ///
    /// # Errors
    /// A problem with a V code.
    pub fn read(&self, codebook: &Codebook) -> Result<Question, Problem> {
        self.request().read(&self.params, codebook)
    }

    /// Name, seed of the key, and own project of whoever asks.
    pub(super) fn asker(&self) -> Result<(&'static str, u8, &'static str)> {
        let who = if self.who.is_empty() {
            "alice"
        } else {
            &self.who
        };
        let found = RESEARCHERS.iter().find(|(name, ..)| *name == who);
        found
            .copied()
            .ok_or_else(|| anyhow!("no researcher `{who}`"))
    }

    pub(super) fn project(&self) -> Result<String> {
        let own = self.asker()?.2;
        let named = if self.project.is_empty() {
            own
        } else {
            &self.project
        };
        Ok(named.to_owned())
    }
}
