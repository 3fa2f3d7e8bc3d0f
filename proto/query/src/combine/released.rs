//! Released cells for whoever computes further with them: which node released what, and each
//! statistic of any choice of nodes with its interval.
//!
//! What it must not know: what is computed from them.

use super::merge::{Merged, merge};
use super::{CombineError, SiteAnswer, SiteTables, of_table};
use crate::answer::Mode;
use crate::codebook::{Codebook, Column};
use crate::measure::{self, SiteParts, facts::Facts, interval::Interval};
use crate::question::{Expr, GroupKey, Measure, Question, Stat, TableQuestion};
use crate::value::Scalar;

/// The released tables of all nodes that answered, laid side by side.
pub struct Released<'a> {
    question: &'a TableQuestion,
    codebook: &'a Codebook,
    merged: Merged<'a>,
}

impl<'a> Released<'a> {
    /// Checks and lays side by side, as [`super::combine`] does.
    ///
    /// # Errors
    /// As [`super::combine`].
    pub fn new(
        question: &'a TableQuestion,
        codebook: &'a Codebook,
        sites: &[SiteAnswer<'a>],
    ) -> Result<Self, CombineError> {
        let merged = merge(question, codebook, sites)?;
        Ok(Self {
            question,
            codebook,
            merged,
        })
    }

    /// The table that was asked for.
    #[must_use]
    pub fn question(&self) -> &'a TableQuestion {
        self.question
    }

    /// The codebook it was read against.
    #[must_use]
    pub fn codebook(&self) -> &'a Codebook {
        self.codebook
    }

    /// The group keys of the question.
    #[must_use]
    pub fn group_keys(&self) -> &'a [GroupKey] {
        &self.question.keys
    }

    /// The column of the n-th group key, as the codebook has it.
    #[must_use]
    pub fn key_column(&self, key: usize) -> Option<&'a Column> {
        self.codebook.column(self.question.keys.get(key)?.column())
    }

    /// What the question calls the column of the n-th group key: a derived column is called by its digest
    /// everywhere else.
    #[must_use]
    pub fn key_name(&self, key: usize) -> &'a str {
        let columns = &self.question.output.columns;
        let named = columns.iter().find(|column| column.expr == Expr::Key(key));
        let Some(text) = named.map(|column| column.name.as_str()) else {
            return "";
        };
        let band = text
            .strip_prefix("floor(")
            .and_then(|rest| rest.split_once('/'));
        let period = text
            .strip_prefix("date_trunc(")
            .and_then(|rest| rest.split_once(','));
        match (band, period) {
            (Some((name, _)), _) => name.trim(),
            (None, Some((_, rest))) => rest.trim_end_matches(')').trim(),
            (None, None) => text,
        }
    }

    /// The label of a value of the n-th group key, where the codebook has one.
    #[must_use]
    pub fn label(&self, key: usize, value: &Scalar) -> Option<&'a str> {
        match self.question.keys.get(key)? {
            GroupKey::Column(column) => self.codebook.column(column)?.label(value),
            GroupKey::Band { .. } | GroupKey::Period { .. } => None,
        }
    }

    /// Keys of all rows, ascending.
    pub fn rows(&self) -> impl Iterator<Item = &[Scalar]> {
        self.merged.rows.keys().map(Vec::as_slice)
    }

    /// Names of the nodes that answered, ascending.
    pub fn sites(&self) -> impl Iterator<Item = &'a str> {
        self.merged.sites.iter().map(|site| site.node)
    }

    /// Whether nothing was protected; `false` without answers.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.merged.mode == Some(Mode::None)
    }

    /// Where the mean of a column stands among the measures, by the name that the question has for it: a
    /// cohort may call a column as it likes.
    #[must_use]
    pub fn mean_of(&self, name: &str) -> Option<usize> {
        let asked = format!("avg({})", name.to_ascii_lowercase());
        let columns = &self.question.output.columns;
        let found = columns.iter().find(|column| column.name == asked)?;
        match found.expr {
            Expr::Stat { measure, .. } => Some(measure),
            _ => None,
        }
    }

    /// Where the mean product of two columns stands among the measures, and whether it has them in
    /// this order.
    #[must_use]
    pub fn product_of(&self, [one, other]: [&str; 2]) -> Option<(usize, bool)> {
        let column = |name| match self.question.measures.get(self.mean_of(name)?)? {
            Measure::Moments { column } => Some(column),
            _ => None,
        };
        let (one, other) = (column(one)?, column(other)?);
        let mut measures = self.question.measures.iter().enumerate();
        measures.find_map(|(at, measure)| match measure {
            Measure::Products { left, right } if (left, right) == (one, other) => Some((at, true)),
            Measure::Products { left, right } if (left, right) == (other, one) => Some((at, false)),
            _ => None,
        })
    }

    /// Public facts of a measure.
    #[must_use]
    pub fn facts(&self, measure: usize) -> Option<&Facts> {
        self.merged.facts.get(measure)
    }

    /// Whether a node released a measure of a row.
    #[must_use]
    pub fn has(&self, row: &[Scalar], measure: usize, site: usize) -> bool {
        self.parts(row, measure, site).is_some()
    }

    /// A statistic of some nodes, each of which must have released the measure in this row.
    #[must_use]
    pub fn statistic(
        &self,
        row: &[Scalar],
        measure: usize,
        stat: Stat,
        sites: &[usize],
    ) -> Option<Interval> {
        let parts: Option<Vec<SiteParts<'_>>> = sites
            .iter()
            .map(|site| self.parts(row, measure, *site))
            .collect();
        let (parts, facts) = (parts?, self.facts(measure)?);
        if parts.is_empty() {
            return None;
        }
        measure::estimate(self.question.measures.get(measure)?, facts, stat, &parts)
    }

    fn parts(&self, row: &[Scalar], measure: usize, site: usize) -> Option<SiteParts<'_>> {
        let cells = self.merged.rows.get(row);
        match cells {
            Some(cells) => self.merged.parts(cells, site, measure),
            // No node listed the row.
            None => self.merged.parts(&[], site, measure),
        }
    }
}

/// The released cells of every table of a question, in their order.
pub struct ReleasedTables<'a> {
    tables: Vec<(&'a str, Released<'a>)>,
}

impl<'a> ReleasedTables<'a> {
    /// Checks every table and lays it side by side, as [`super::combine`] does.
    ///
    /// # Errors
    /// As [`super::combine`].
    pub fn new(
        question: &'a Question,
        codebook: &'a Codebook,
        sites: &[SiteTables<'a>],
    ) -> Result<Self, CombineError> {
        let asked = question.tables();
        let count = asked.len();
        let released = |(place, (name, table)): (usize, (&'a str, &'a TableQuestion))| {
            let sites = of_table(sites, place, count)?;
            Ok((name, Released::new(table, codebook, &sites)?))
        };
        let tables = asked.into_iter().enumerate().map(released);
        Ok(Self {
            tables: tables.collect::<Result<_, _>>()?,
        })
    }

    /// The table of an analysis that comes to one; of several the first.
    #[must_use]
    pub fn first(&self) -> Option<&Released<'a>> {
        self.tables.first().map(|(_, released)| released)
    }

    /// A table by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Released<'a>> {
        let found = self.tables.iter().find(|(known, _)| *known == name);
        found.map(|(_, released)| released)
    }

    /// Every table with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &Released<'a>)> {
        self.tables.iter().map(|(name, released)| (*name, released))
    }
}
