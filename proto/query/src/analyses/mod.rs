//! Typed analyses: a name and arguments that everybody expands to the same aggregate question, and
//! a finish that makes statistics of what the nodes released for it.
//!
//! An analysis asks for nothing that SQL could not ask for: laptop, coordinator and every node expand
//! it themselves, by the code of this folder, and each reads the expansion as it reads any text. So
//! every rule of release applies as it stands, and what a custodian approves is the table that
//! leaves. The finish runs on released cells only, where the result is believed.
//!
//! One file per analysis (arguments, expansion, finish) and one line in [`ALL`]. What this folder
//! must not know: who asks, how answers travel, and anything that a node did not release.

mod anova;
mod arguments;
mod crosstab;
mod describe;
mod distribution;
mod follow_up;
mod groups;
mod logrank;
mod meta;
mod pooling;
mod proportion;
mod range;
mod rate;
mod report;
mod standardise;
mod strata;
mod survival;
mod ttest;
mod tukey;
mod two_by_two;
mod two_way;

use std::collections::BTreeMap;

pub use arguments::{Argument, Need};
use arguments::{Arguments, refuse};
pub use report::{Entry, Grid, Line, Report};

use crate::codebook::Codebook;
use crate::combine::Released;
use crate::problem::Problem;
use crate::question::{Body, Params, Question};
use crate::sql;

/// Every analysis.
pub const ALL: &[Definition] = &[
    crosstab::DEFINITION,
    ttest::DEFINITION,
    anova::DEFINITION,
    describe::DEFINITION,
    proportion::DEFINITION,
    survival::DEFINITION,
    rate::DEFINITION,
    standardise::DEFINITION,
    meta::DEFINITION,
];

/// What an analysis is.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its version: another expansion or another meaning of an argument is another version.
    pub version: u32,
    /// The question it answers, in a line.
    pub about: &'static str,
    /// Its arguments.
    pub arguments: &'static [Argument],
    expand: fn(&Arguments, &Codebook) -> Result<Expansion, Problem>,
    finish: fn(&Arguments, &Released<'_>) -> Report,
}

impl Definition {
    /// Name and version, as signed: `crosstab/1`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }
}

/// The aggregate question that an analysis comes to.
struct Expansion {
    /// In the language.
    sql: String,
    /// How many group keys it has; a condition that brought its own would change the meaning.
    keys: usize,
}

/// An analysis with its arguments, as it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Name and version: `crosstab/1`.
    pub name: String,
    /// Arguments by name; one that is not given is absent.
    pub arguments: BTreeMap<String, String>,
}

impl Analysis {
    /// The newest version of an analysis, by its bare name.
    #[must_use]
    pub fn named(name: &str, arguments: BTreeMap<String, String>) -> Option<Self> {
        let definition = ALL.iter().find(|known| known.name == name)?;
        Some(Self {
            name: definition.full_name(),
            arguments,
        })
    }

    /// The question in the language, as every party makes it.
    ///
    /// # Errors
    /// V900 if there is no such analysis or its arguments do not fit it.
    pub fn sql(&self, codebook: &Codebook) -> Result<String, Problem> {
        Ok(self.expand(codebook)?.sql)
    }

    fn expand(&self, codebook: &Codebook) -> Result<Expansion, Problem> {
        let definition = self.definition()?;
        (definition.expand)(&self.checked(definition)?, codebook)
    }

    /// Reads the expansion as a text is read.
    fn read(&self, params: &Params, codebook: &Codebook) -> Result<Question, Problem> {
        let expansion = self.expand(codebook)?;
        let question = sql::read(&expansion.sql, params, codebook)?;
        let Body::Table(table) = &question.body;
        let output = &table.output;
        let plain = output.having.is_none() && output.order.is_empty() && output.limit.is_none();
        if plain && table.keys.len() == expansion.keys {
            Ok(question)
        } else {
            Err(refuse("`where` holds conditions and nothing else"))
        }
    }

    /// The statistics of what was released for the expansion.
    ///
    /// # Errors
    /// V900 as for [`Self::sql`]; never after it was read.
    pub fn finish(&self, released: &Released<'_>) -> Result<Report, Problem> {
        let definition = self.definition()?;
        let mut report = (definition.finish)(&self.checked(definition)?, released);
        report.remarks(released);
        Ok(report)
    }

    fn definition(&self) -> Result<&'static Definition, Problem> {
        let known = ALL.iter().find(|known| known.full_name() == self.name);
        known.ok_or_else(|| {
            let names: Vec<String> = ALL.iter().map(Definition::full_name).collect();
            refuse(format!("there are {}", names.join(", ")))
        })
    }

    fn checked(&self, definition: &'static Definition) -> Result<Arguments, Problem> {
        Arguments::check(&self.arguments, definition.arguments)
    }
}

/// What a researcher asks: a text of the language, or an analysis that expands to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// SQL.
    Sql(String),
    /// A typed analysis.
    Analysis(Analysis),
}

impl Default for Request {
    /// An empty text, which is no question.
    fn default() -> Self {
        Self::Sql(String::new())
    }
}

impl From<String> for Request {
    fn from(sql: String) -> Self {
        Self::Sql(sql)
    }
}

impl From<&str> for Request {
    fn from(sql: &str) -> Self {
        Self::Sql(sql.to_owned())
    }
}

impl Request {
    /// Reads it against a codebook: the one way in for laptop, coordinator and node.
    ///
    /// # Errors
    /// A [`Problem`] with a V code. Its place is one in [`Self::text`].
    pub fn read(&self, params: &Params, codebook: &Codebook) -> Result<Question, Problem> {
        match self {
            Self::Sql(sql) => sql::read(sql, params, codebook),
            Self::Analysis(analysis) => analysis.read(params, codebook),
        }
    }

    /// The text of the language; empty for an analysis that has no expansion.
    #[must_use]
    pub fn text(&self, codebook: &Codebook) -> String {
        match self {
            Self::Sql(sql) => sql.clone(),
            Self::Analysis(analysis) => analysis.sql(codebook).unwrap_or_default(),
        }
    }

    /// The analysis, if it is one.
    #[must_use]
    pub fn analysis(&self) -> Option<&Analysis> {
        match self {
            Self::Sql(_) => None,
            Self::Analysis(analysis) => Some(analysis),
        }
    }
}

#[cfg(test)]
mod tests;
