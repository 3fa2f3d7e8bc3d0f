//! The codebook: the consortium's contract for data. Tables, columns, types, roles, domains,
//! bounds and keys; published, versioned, hashed. No role, no use.

mod check;
mod column;
mod draft;
mod fuzz;
mod inline;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use draft::{TableSample, draft};
pub use fuzz::fuzz;
pub use inline::inline_sets;
pub use read::{digest, read};

use crate::derived::{Called, Columns};
use crate::number::Number;
use crate::release::ReleaseParams;
use crate::value::{ColumnType, Scalar};

/// A codebook that was read and found free of mistakes.
#[derive(Clone, Debug)]
pub struct Codebook {
    /// `sha256:` + hex of the exact bytes that were read.
    pub digest: String,
    /// Those bytes: whoever is shown a result reads them again.
    pub text: Arc<str>,
    /// Name of the codebook.
    pub name: String,
    /// Version, counted by the consortium.
    pub version: u64,
    /// The privacy unit: a column of the unit table.
    pub unit: ColumnRef,
    /// The floor for release; a node may raise it for its whole population.
    pub release: ReleaseParams,
    /// Named concept sets.
    pub sets: BTreeMap<String, ConceptSet>,
    /// Tables by name.
    pub tables: BTreeMap<String, Table>,
    /// Core tables released to history at the start of an epoch, as SQL.
    pub core: Vec<String>,
    /// Columns that a question defines, among those of the tables; none in a published codebook.
    pub derived: Columns,
    /// What a question calls derived columns.
    pub called: Called,
}

/// A column of a table, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnRef {
    /// Table name.
    pub table: String,
    /// Column name.
    pub column: String,
}

/// A named set of codes for one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConceptSet {
    /// The column it may be used with.
    pub column: ColumnRef,
    /// Its members.
    pub values: BTreeSet<Scalar>,
}

/// What one row of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsPer {
    /// At most one row per privacy unit.
    Unit,
    /// Any number of rows per privacy unit, of which at most `max_rows` count.
    Many {
        /// Rows of one unit that count.
        max_rows: u32,
    },
}

/// A table that questions may name.
#[derive(Clone, Debug)]
pub struct Table {
    /// One row per unit, or many.
    pub rows: RowsPer,
    /// The column that holds the privacy unit.
    pub unit_key: String,
    /// The column that dates a row, if any.
    pub date: Option<String>,
    /// Columns by name.
    pub columns: BTreeMap<String, Column>,
}

/// What a column may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The privacy unit of the unit table.
    Unit,
    /// The privacy unit elsewhere: joins and cohorts only.
    Key,
    /// May be compared in WHERE.
    Filter,
    /// May be grouped by.
    Group,
    /// May be aggregated.
    Value,
    /// Dates rows; filtered by literal, grouped by month, quarter or year.
    Date,
}

/// A column and everything public about it.
#[derive(Clone, Debug)]
pub struct Column {
    /// Type.
    pub ty: ColumnType,
    /// Unit of measure (UCUM), if any.
    pub unit: Option<String>,
    /// Roles; none means unusable.
    pub roles: BTreeSet<Role>,
    /// Closed domain in ascending order with labels, or open.
    pub domain: Option<Vec<(Scalar, String)>>,
    /// Least and greatest value that counts; larger ones are clamped.
    pub bounds: Option<(Number, Number)>,
    /// First and last day that counts, by day number; others are missing.
    pub period: Option<(i32, i32)>,
    /// Band widths that GROUP BY may use and whose multiples WHERE may name.
    pub bands: Vec<Number>,
    /// Further values that WHERE may name.
    pub cuts: Vec<Number>,
    /// Sensitive: see R7 and H.
    pub sensitive: bool,
    /// Which values of it are: those listed, or every one if the list is empty.
    pub sensitive_values: Vec<Scalar>,
    /// How many values are missing may leave a node.
    pub missing_public: bool,
    /// Never missing: a source with a missing value is refused, and NULL is no value of the column.
    pub required: bool,
    /// Bounds that hold only where another column lies in a set.
    pub when: Vec<When>,
}

/// Unit and bounds of a column whose meaning depends on a concept set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// Name of the set that must contain the filter.
    pub set: String,
    /// Unit of measure.
    pub unit: Option<String>,
    /// Bounds.
    pub bounds: (Number, Number),
}

impl Codebook {
    /// A column by its reference.
    #[must_use]
    pub fn column(&self, column: &ColumnRef) -> Option<&Column> {
        self.tables.get(&column.table)?.columns.get(&column.column)
    }

    /// The same codebook, in which only these columns (table, column) can be used; the privacy unit
    /// still joins. A question that uses no other means the same, read against it.
    #[must_use]
    pub fn granting(&self, granted: impl Fn(&str, &str) -> bool) -> Self {
        let mut book = self.clone();
        for (name, table) in &mut book.tables {
            for (column, facts) in &mut table.columns {
                if !granted(name, column) {
                    let joins = |role: &Role| matches!(role, Role::Unit | Role::Key);
                    facts.roles.retain(joins);
                }
            }
        }
        book
    }
}

impl Column {
    /// Whether it has a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether nobody may learn that a whole group has this value.
    #[must_use]
    pub fn is_sensitive(&self, value: &Scalar) -> bool {
        let values = &self.sensitive_values;
        let listed = values.is_empty() || values.contains(value);
        self.sensitive && listed && *value != Scalar::Null
    }

    /// The label of a value of a closed domain.
    #[must_use]
    pub fn label(&self, value: &Scalar) -> Option<&str> {
        let domain = self.domain.as_ref()?;
        domain
            .iter()
            .find(|(known, _)| known == value)
            .map(|(_, label)| label.as_str())
    }
}

#[cfg(test)]
mod tests;
