//! What can be wrong with a source. The fault lies with the custodian's files or map, and only the
//! custodian sees the text; even so no variant holds a value of the data.

use std::fmt;

use super::files::FileError;

/// A source that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("source.{table}: {fault}")]
pub struct SourceError {
    /// The codebook's name of the table.
    pub table: String,
    /// What is wrong.
    pub fault: SourceFault,
}

/// What is wrong with a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceFault {
    /// A file or folder could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The first line of a file is not what is needed.
    #[error("{file}: {what}")]
    Header {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// Columns of the codebook that are not there.
    #[error("{file}: no column {}; it has {}. Name them in `map`, or write `NULL AS {}` there", list(.missing), list(.found), .missing.first().map_or("name", |name| name.as_str()))]
    Columns {
        /// The file, or `map`.
        file: String,
        /// What the codebook has and the source has not.
        missing: Vec<String>,
        /// What the source has.
        found: Vec<String>,
    },
    /// Bad rows: each with its place, never with its value.
    #[error("{0}")]
    Rows(Problems),
    /// A table with one row per unit has several for some.
    #[error(
        "{persons} persons have more than one row; the codebook says one row per unit: choose one in `map` (GROUP BY, DISTINCT)"
    )]
    Duplicates {
        /// Persons with several rows.
        persons: u64,
    },
    /// The custodian's SQL is not a query over `source`.
    #[error("map: {0}")]
    Map(String),
    /// The custodian's SQL failed on some row. The engine's text would show the value.
    #[error(
        "map: it failed on a row, most likely in a CAST or a division: write TRY_CAST(..), or x / nullif(y, 0)"
    )]
    MapFailed,
    /// A column of a type that cannot become the codebook's.
    #[error("column `{column}` is {found}, the codebook says {expected}: convert it in `map`")]
    Type {
        /// The column.
        column: String,
        /// What the source has.
        found: String,
        /// What the codebook says.
        expected: &'static str,
    },
    /// A Parquet file that cannot be read.
    #[error("{file}: not a readable Parquet file")]
    Parquet {
        /// The file.
        file: String,
    },
    /// The files changed while they were being read.
    #[error("its files changed while they were being read: ask again when they are complete")]
    Moving,
    /// `refresh = "hold"` and the files changed.
    #[error(
        "its files changed and `refresh = \"hold\"`: look at them with `quorate-node data check`, then run `quorate-node data accept`"
    )]
    Held,
    /// A mistake of ours.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl SourceFault {
    /// The fault, as one of that table.
    #[must_use]
    pub fn of(self, table: &str) -> SourceError {
        SourceError {
            table: table.to_owned(),
            fault: self,
        }
    }
}

/// One bad row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `file:line`, or the number of a row.
    pub place: String,
    /// The column, where one is at fault.
    pub column: Option<String>,
    /// What is wrong with it; never the value.
    pub what: String,
}

/// Bad rows: all counted, the first few kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The first ones.
    pub first: Vec<Problem>,
    /// How many there are.
    pub total: u64,
}

impl Problems {
    /// How many are kept.
    const KEPT: usize = 20;

    /// Counts a bad value, and keeps it if there are few so far.
    pub(crate) fn add(
        &mut self,
        place: impl FnOnce() -> String,
        column: Option<&str>,
        what: String,
    ) {
        self.total += 1;
        if self.first.len() < Self::KEPT {
            let column = column.map(str::to_owned);
            self.first.push(Problem {
                place: place(),
                column,
                what,
            });
        }
    }

    /// Nothing, or all of them as one fault.
    pub(crate) fn into_result(self) -> Result<(), SourceFault> {
        if self.total == 0 {
            Ok(())
        } else {
            Err(SourceFault::Rows(self))
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bad {}",
            self.total,
            if self.total == 1 { "value" } else { "values" }
        )?;
        for Problem {
            place,
            column,
            what,
        } in &self.first
        {
            let column = column
                .as_ref()
                .map(|column| format!("column `{column}` "))
                .unwrap_or_default();
            write!(f, "\n  {place}: {column}{what}")?;
        }
        let more = self.total - u64::try_from(self.first.len()).unwrap_or(self.total);
        if more > 0 {
            write!(f, "\n  and {more} more")
        } else {
            Ok(())
        }
    }
}

fn list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
