//! The combine part: released tables of nodes become one table of values with intervals.
//!
//! Coordinator and SDK run the same code on the same signed answers and must get the same bytes.
//! Merging is exact and does not depend on the order of nodes; intervals are exact fractions until
//! they are printed, rounded outwards.
//!
//! What it must not know: how answers travelled, who asked, when.

mod eval;
mod json;
mod merge;
mod notes;
mod print;
mod released;
mod table;

use std::collections::BTreeMap;

use crate::answer::{NodeTable, Protection};
use crate::codebook::Codebook;
use crate::question::{Question, TableQuestion};
use crate::value::Scalar;

pub use crate::measure::interval::Interval;
pub use released::{Released, ReleasedTables};

/// One eligible node and what came from it.
#[derive(Clone, Copy, Debug)]
pub struct SiteAnswer<'a> {
    /// The node's name; no two sites have the same.
    pub node: &'a str,
    /// Its released table; `None` if it refused, was late or absent.
    pub table: Option<(&'a NodeTable, Protection)>,
}

/// One eligible node and every table that came from it, in the order of the question.
#[derive(Clone, Copy, Debug)]
pub struct SiteTables<'a> {
    /// The node's name; no two sites have the same.
    pub node: &'a str,
    /// Its released tables; `None` if it refused, was late or absent.
    pub tables: Option<(&'a [NodeTable], Protection)>,
}

/// Every table of a question, combined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CombinedTables {
    /// Each with its name, in the order of the question; a single one has an empty name.
    pub tables: Vec<(String, Combined)>,
}

/// The combined table and everything that is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combined {
    /// One entry per column of the SELECT list.
    pub columns: Vec<ColumnInfo>,
    /// Rows after HAVING, ORDER BY and LIMIT.
    pub rows: Vec<CombinedRow>,
    /// The strictest protection among the nodes that answered; `None` if none did.
    pub protection: Option<Protection>,
    /// What a reader of the table has to know.
    pub notes: Vec<Note>,
}

/// What a column shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What kind of value it holds.
    pub kind: Kind,
    /// What a count counts: `persons` or `rows`.
    pub of: Option<&'static str>,
    /// Unit of measure.
    pub unit: Option<String>,
    /// Type of a group key: `int decimal text date bool`.
    pub ty: Option<&'static str>,
}

/// Kinds of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A group key.
    Key,
    /// Persons.
    Count,
    /// Rows of an event table.
    Events,
    /// Sum.
    Sum,
    /// Mean.
    Mean,
    /// Standard deviation.
    Sd,
    /// Variance.
    Var,
    /// Anything computed from other values.
    Ratio,
}

impl Kind {
    /// The word in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Count => "count",
            Self::Events => "events",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Sd => "sd",
            Self::Var => "var",
            Self::Ratio => "ratio",
        }
    }
}

/// One row of the combined table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CombinedRow {
    /// One value per column of kind [`Kind::Key`], in the order of the columns.
    pub key: Vec<Scalar>,
    /// One cell per other column, in the order of the columns.
    pub cells: Vec<CombinedCell>,
}

/// One combined value. Withheld cells have neither value nor interval; a NULL (no data in an
/// unprotected population, or a division by zero) has no value and is not withheld.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CombinedCell {
    /// The value as a plain decimal, with no more digits than its interval supports.
    pub value: Option<String>,
    /// No node released it.
    pub withheld: bool,
    /// Least possible value.
    pub lower: Option<String>,
    /// Greatest possible value; none where an answering node withheld the cell, because what it
    /// withheld may be large. `lower` then speaks for the nodes that released.
    pub upper: Option<String>,
    /// Nodes whose numbers are in the value.
    pub nodes: u32,
    /// Nodes that were asked.
    pub eligible: u32,
    /// A node answered with the value of an earlier, nearly equal question.
    pub near_earlier: bool,
    /// The value at each node that released it.
    pub sites: BTreeMap<String, String>,
}

/// A remark on a whole result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Stable code: `N` and three digits, or `UNPROTECTED`.
    pub code: &'static str,
    /// One or two sentences.
    pub text: String,
}

/// Why tables cannot be combined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// A node's table does not fit the question: that node is at fault.
    #[error("node `{node}` sent a table that does not fit the question: {what}")]
    Malformed {
        /// The node.
        node: String,
        /// What is wrong; never a value.
        what: &'static str,
    },
    /// Two sites have the same name: the caller is at fault.
    #[error("node `{node}` is in the list twice")]
    Twice {
        /// The node.
        node: String,
    },
    /// Decisions 7: unprotected answers are never mixed with protected ones.
    #[error(
        "node `{unprotected}` answered without protection and node `{protected}` with it; ask them apart"
    )]
    MixedProtection {
        /// A node with mode none.
        unprotected: String,
        /// A node with another mode.
        protected: String,
    },
    /// Two protections of one cell would narrow what each of them leaves open.
    #[error(
        "node `{rounded}` rounds its numbers and node `{perturbed}` perturbs them; ask them apart"
    )]
    MixedModes {
        /// A node with mode round.
        rounded: String,
        /// A node with mode cell key.
        perturbed: String,
    },
    /// The question does not fit the codebook it names: the caller is at fault.
    #[error("the question does not fit this codebook: {what}")]
    Question {
        /// What is wrong.
        what: &'static str,
    },
}

/// Combines the tables of all eligible nodes for a question of one table.
pub fn combine(
    q: &Question,
    cb: &Codebook,
    sites: &[SiteAnswer<'_>],
) -> Result<Combined, CombineError> {
    let question = q.sole().ok_or(CombineError::Question {
        what: "it has several tables",
    })?;
    combine_one(question, &q.book(cb), sites)
}

/// Combines all tables of all eligible nodes, each by itself.
///
/// # Errors
/// If a node's tables do not fit the question, or answers cannot be mixed.
pub fn combine_tables(
    q: &Question,
    cb: &Codebook,
    sites: &[SiteTables<'_>],
) -> Result<CombinedTables, CombineError> {
    let cb = &*q.book(cb);
    let asked = q.tables();
    let count = asked.len();
    let mut tables = Vec::with_capacity(count);
    for (place, (name, question)) in asked.into_iter().enumerate() {
        let sites = of_table(sites, place, count)?;
        tables.push((name.to_owned(), combine_one(question, cb, &sites)?));
    }
    Ok(CombinedTables { tables })
}

fn combine_one(
    question: &TableQuestion,
    cb: &Codebook,
    sites: &[SiteAnswer<'_>],
) -> Result<Combined, CombineError> {
    let merged = merge::merge(question, cb, sites)?;
    Ok(table::finish(question, cb, &merged))
}

/// What every site said of one of so many tables.
fn of_table<'a>(
    sites: &[SiteTables<'a>],
    place: usize,
    count: usize,
) -> Result<Vec<SiteAnswer<'a>>, CombineError> {
    let answer = |site: &SiteTables<'a>| {
        let table = match site.tables {
            Some((tables, protection)) if tables.len() == count => {
                tables.get(place).map(|table| (table, protection))
            }
            Some(_) => {
                return Err(CombineError::Malformed {
                    node: site.node.to_owned(),
                    what: "it does not have as many tables as the question",
                });
            }
            None => None,
        };
        Ok(SiteAnswer {
            node: site.node,
            table,
        })
    };
    sites.iter().map(answer).collect()
}

impl CombinedTables {
    /// As [`Combined::to_bytes`]; several tables stand in a list with their names.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self.tables.as_slice() {
            [(_, only)] => only.to_bytes(),
            _ => self.to_json().into_bytes(),
        }
    }
}

impl Combined {
    /// The same table is the same bytes everywhere: JSON with a fixed order of fields.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_json().into_bytes()
    }
}

#[cfg(test)]
mod tests;
