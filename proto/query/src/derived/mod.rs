//! Derived columns: one more value of a person, or of an event, computed from columns that there are.
//!
//! A person's rows in one table, grouped by the unit key, give columns of a *person frame*: their
//! number, the first date, the last value. Scalars are computed from columns of one row. A derived
//! column of a person is a column of the unit table: everybody there has it, missing where there is
//! no row. One that looks at the date of an event is a column of that event's table. The name holds a
//! digest of the definition, so equal definitions are one column whatever they were called.
//!
//! What it must not know: SQL, engines, and data.

mod column;
mod reach;

use std::collections::{BTreeMap, BTreeSet};

use crate::codebook::{Codebook, ColumnRef, RowsPer};
use crate::question::{Cohort, Predicate};
use crate::value::Scalar;
pub use reach::used;

/// A column as people are shown it: of the digest in a derived name the first digits.
#[must_use]
pub fn shown(name: &ColumnRef) -> String {
    format!("{}.{}", name.table, shown_column(name))
}

/// A column without its table, as people are shown it.
#[must_use]
pub fn shown_column(name: &ColumnRef) -> String {
    match name.column.split_once(':') {
        Some((word, digest)) => {
            let digits: String = digest.chars().take(SHOWN_DIGITS).collect();
            format!("{word}:{digits}")
        }
        None => name.column.clone(),
    }
}

/// Digits of a digest that people are shown.
const SHOWN_DIGITS: usize = 8;

/// Definitions by the column that they define.
pub type Columns = BTreeMap<ColumnRef, Derived>;

/// What a text calls derived columns.
pub type Called = BTreeMap<ColumnRef, String>;

/// How a derived column is computed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Derived {
    /// From all rows that a person has in a frame; missing where there is none.
    Frame {
        /// Whose rows.
        frame: Frame,
        /// What is made of them.
        of: Aggregate,
    },
    /// One day for everybody, by day number: a date that others are counted from.
    Day(i32),
    /// `to - from` in days; missing where either is.
    Days {
        /// The earlier date, if the result is positive.
        from: ColumnRef,
        /// The later one.
        to: ColumnRef,
    },
    /// Full years from one date to another; missing where either is.
    Years {
        /// From this date.
        from: ColumnRef,
        /// To this date.
        to: ColumnRef,
    },
    /// The calendar year of a date.
    Year {
        /// The date.
        of: ColumnRef,
    },
    /// The earliest of these dates that are there.
    Least(BTreeSet<ColumnRef>),
    /// The latest of these dates that are there.
    Greatest(BTreeSet<ColumnRef>),
    /// The value, or a literal where it is missing.
    Coalesce {
        /// The value.
        of: ColumnRef,
        /// The literal.
        otherwise: Scalar,
    },
    /// The result of the first condition that holds.
    Case {
        /// Conditions on columns of the row, and their results.
        arms: Vec<(Predicate, Scalar)>,
        /// The result where none holds.
        otherwise: Scalar,
    },
    /// 1 where at least one of these conditions holds, else 0; never missing. Only questions that a
    /// person reviews have it.
    Any(BTreeSet<Predicate>),
}

/// The rows that a frame groups by person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    /// The table whose rows are grouped: never the unit table.
    pub rows: String,
    /// One-per-unit tables joined to it.
    pub joined: BTreeSet<String>,
    /// Which rows.
    pub filter: Predicate,
}

/// What is made of a person's rows. Missing values are passed over, but for first and last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aggregate {
    /// How many there are.
    Rows,
    /// How many different values there are.
    Distinct(ColumnRef),
    /// The least value or the first date.
    Min(ColumnRef),
    /// The greatest value or the last date.
    Max(ColumnRef),
    /// The sum of values.
    Sum(ColumnRef),
    /// The mean of values, rounded half to even at four more decimals than the column has.
    Mean(ColumnRef),
    /// The value of the first row by date, then by value; what is missing comes last.
    First {
        /// The value.
        value: ColumnRef,
        /// The date.
        by: ColumnRef,
    },
    /// The value of the last row of the same order.
    Last {
        /// The value.
        value: ColumnRef,
        /// The date.
        by: ColumnRef,
    },
}

impl Aggregate {
    /// The columns it looks at.
    #[must_use]
    pub fn inputs(&self) -> Vec<&ColumnRef> {
        match self {
            Self::Rows => Vec::new(),
            Self::Distinct(column)
            | Self::Min(column)
            | Self::Max(column)
            | Self::Sum(column)
            | Self::Mean(column) => vec![column],
            Self::First { value, by } | Self::Last { value, by } => vec![value, by],
        }
    }

    /// What it is called in SQL.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rows => "count",
            Self::Distinct(_) => "distinct",
            Self::Min(_) => "min",
            Self::Max(_) => "max",
            Self::Sum(_) => "sum",
            Self::Mean(_) => "avg",
            Self::First { .. } => "first",
            Self::Last { .. } => "last",
        }
    }
}

impl Frame {
    /// The persons who have such a row, or have none.
    #[must_use]
    pub fn cohort(&self, negated: bool) -> Cohort {
        Cohort {
            negated,
            rows: self.rows.clone(),
            joined: self.joined.clone(),
            filter: self.filter.clone(),
        }
    }

    /// Whether a cohort is of those who have a row in this frame, or of those who have none.
    #[must_use]
    pub fn is_of(&self, cohort: &Cohort) -> bool {
        let Cohort {
            negated: _,
            rows,
            joined,
            filter,
        } = cohort;
        (rows, joined, filter) == (&self.rows, &self.joined, &self.filter)
    }

    /// Rows of one person that count.
    #[must_use]
    pub fn most_rows(&self, codebook: &Codebook) -> u32 {
        match codebook.tables.get(&self.rows).map(|table| table.rows) {
            Some(RowsPer::Many { max_rows }) => max_rows,
            Some(RowsPer::Unit) | None => 1,
        }
    }
}

impl Derived {
    /// The columns that it is computed from, those of conditions and cohorts included.
    #[must_use]
    pub fn inputs(&self) -> Vec<&ColumnRef> {
        match self {
            Self::Frame { frame, of } => {
                let mut all = reach::columns(&frame.filter);
                all.extend(of.inputs());
                all
            }
            Self::Day(_) => Vec::new(),
            Self::Days { from, to } | Self::Years { from, to } => vec![from, to],
            Self::Year { of } | Self::Coalesce { of, .. } => vec![of],
            Self::Least(of) | Self::Greatest(of) => of.iter().collect(),
            Self::Case { arms, .. } => arms
                .iter()
                .flat_map(|(condition, _)| reach::columns(condition))
                .collect(),
            Self::Any(conditions) => conditions.iter().flat_map(reach::columns).collect(),
        }
    }

    /// The event table whose rows it is a value of; `None` if it is a value of the person.
    #[must_use]
    pub fn events<'a>(&'a self, codebook: &Codebook) -> Option<&'a str> {
        if matches!(self, Self::Frame { .. }) {
            return None;
        }
        let of_events = |table: &&str| {
            let table = codebook.tables.get(*table);
            table.is_some_and(|table| matches!(table.rows, RowsPer::Many { .. }))
        };
        let mut tables = self.inputs().into_iter().map(|input| input.table.as_str());
        tables.find(of_events)
    }

    /// The column that it is: a column of the unit table, or of an event table.
    #[must_use]
    pub fn reference(&self, codebook: &Codebook) -> ColumnRef {
        let table = self.events(codebook).unwrap_or(&codebook.unit.table);
        ColumnRef {
            table: table.to_owned(),
            column: format!("{}:{}", self.word(), hex::encode(self.digest())),
        }
    }

    /// The first word of its name.
    fn word(&self) -> &'static str {
        match self {
            Self::Frame { of, .. } => of.word(),
            Self::Day(_) => "day",
            Self::Days { .. } => "days",
            Self::Years { .. } => "years",
            Self::Year { .. } => "year",
            Self::Least(_) => "least",
            Self::Greatest(_) => "greatest",
            Self::Coalesce { .. } => "coalesce",
            Self::Case { .. } => "case",
            Self::Any(_) => "any",
        }
    }

    /// The tables that it reads, those of cohorts included.
    #[must_use]
    pub fn tables(&self) -> BTreeSet<&str> {
        let mut found: BTreeSet<&str> = BTreeSet::new();
        if let Self::Frame { frame, .. } = self {
            found.insert(&frame.rows);
            found.extend(frame.joined.iter().map(String::as_str));
            reach::tables(&frame.filter, &mut found);
        }
        found.extend(self.inputs().into_iter().map(|input| input.table.as_str()));
        found
    }
}

impl Codebook {
    /// A column in words: as the question calls it, else by its definition; one of the published
    /// codebook by its name. Without its table, unless the definition names it.
    #[must_use]
    pub fn in_words(&self, name: &ColumnRef) -> String {
        match (self.called.get(name), self.derived.get(name)) {
            (Some(called), _) => called.clone(),
            (None, Some(derived)) => crate::canonical::text::meaning(derived),
            (None, None) => shown_column(name),
        }
    }

    /// The codebook with these derived columns among those of its tables. Its digest is another one.
    /// A definition whose columns are not there is left out.
    #[must_use]
    pub fn with(&self, columns: &Columns) -> Self {
        let mut book = self.clone();
        let mut open: Vec<(&ColumnRef, &Derived)> = columns.iter().collect();
        loop {
            let before = open.len();
            open.retain(|(name, derived)| !book.add(name, derived));
            if open.len() == before {
                break;
            }
        }
        if !book.derived.is_empty() {
            book.digest = derived_digest(self, &book.derived);
        }
        book
    }

    /// Adds one derived column, unless it is there; `false` if its definition does not fit.
    pub(crate) fn add(&mut self, name: &ColumnRef, derived: &Derived) -> bool {
        if self.derived.contains_key(name) {
            return true;
        }
        let Some(column) = derived
            .column(self)
            .filter(|_| *name == derived.reference(self))
        else {
            return false;
        };
        let Some(table) = self.tables.get_mut(&name.table) else {
            return false;
        };
        table.columns.insert(name.column.clone(), column);
        self.derived.insert(name.clone(), derived.clone());
        true
    }
}

fn derived_digest(base: &Codebook, columns: &Columns) -> String {
    let names: Vec<String> = columns
        .keys()
        .map(|name| format!("\n{}.{}", name.table, name.column))
        .collect();
    crate::codebook::digest(&(base.digest.clone() + &names.concat()))
}

#[cfg(test)]
mod tests;
