//! The typed question: everything that can be asked, and nothing else.
//!
//! What has no variant here cannot be run. Typed analyses expand to a table (`analyses`). Columns that
//! a question derives from others are columns of its tables like any ([`crate::derived`]).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::codebook::Codebook;
pub use crate::codebook::ColumnRef;
use crate::derived::{Called, Columns};
use crate::number::Number;
use crate::value::Scalar;

/// Typed parameters by name, without the `$`.
pub type Params = BTreeMap<String, ParamValue>;

/// The value of a parameter: never text that is pasted into the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamValue {
    /// One value.
    One(Scalar),
    /// A list, for IN.
    List(Vec<Scalar>),
}

/// A question that was read against one codebook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Digest of the codebook it was read against.
    pub codebook: String,
    /// The derived columns that the body names, and those that these are derived from.
    pub derived: Columns,
    /// What the text calls derived columns. It changes nothing that is computed and is not part of the
    /// canonical form.
    pub called: Called,
    /// What is asked.
    pub body: Body,
}

impl Question {
    /// The codebook it was read against, with the columns that it derives: what domains, facts and
    /// rules of its tables are looked up in. Sources know nothing of these columns.
    #[must_use]
    pub fn book<'c>(&self, codebook: &'c Codebook) -> Cow<'c, Codebook> {
        if self.derived.is_empty() {
            Cow::Borrowed(codebook)
        } else {
            let mut book = codebook.with(&self.derived);
            book.called.clone_from(&self.called);
            Cow::Owned(book)
        }
    }
}
/// Most tables that one question may come to.
pub const MAX_TABLES: usize = 64;

/// The kinds of question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one body a question, and nearly all have one table"
)]
pub enum Body {
    /// A table of aggregates.
    Table(TableQuestion),
    /// Several tables under one signature, two or more: approved together, computed on one state of
    /// the data, and each decided beside those before it. Only analyses come to several.
    Tables(Vec<NamedTable>),
}

/// One of several tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTable {
    /// What the analysis calls it; no two have the same name. It changes nothing that is computed.
    pub name: String,
    /// The table.
    pub table: TableQuestion,
}

impl Body {
    /// The body of a question of these tables; the name of a single one is dropped. `None` without
    /// a table.
    #[must_use]
    pub fn of(mut tables: Vec<NamedTable>) -> Option<Self> {
        match tables.len() {
            0 => None,
            1 => tables.pop().map(|named| Self::Table(named.table)),
            _ => Some(Self::Tables(tables)),
        }
    }
}

impl Question {
    /// Every table in order, with its name; a single table has an empty one.
    #[must_use]
    pub fn tables(&self) -> Vec<(&str, &TableQuestion)> {
        match &self.body {
            Body::Table(table) => vec![("", table)],
            Body::Tables(tables) => {
                let all = tables.iter();
                all.map(|named| (named.name.as_str(), &named.table))
                    .collect()
            }
        }
    }

    /// Every table but one.
    #[must_use]
    pub fn beside(&self, place: usize) -> Vec<&TableQuestion> {
        let tables = self.tables().into_iter().enumerate();
        let others = tables.filter(|(other, _)| *other != place);
        others.map(|(_, (_, table))| table).collect()
    }

    /// Its table, if it has one only.
    #[must_use]
    pub fn sole(&self) -> Option<&TableQuestion> {
        match &self.body {
            Body::Table(table) => Some(table),
            Body::Tables(_) => None,
        }
    }

    /// As [`Self::sole`], taken out.
    #[must_use]
    pub fn into_sole(self) -> Option<TableQuestion> {
        match self.body {
            Body::Table(table) => Some(table),
            Body::Tables(_) => None,
        }
    }
}

/// A table: the node part is everything but `output`, the combine part is `output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableQuestion {
    /// The table whose rows are counted: a unit table, or one event table.
    pub rows: String,
    /// One-per-unit tables joined to it by the unit key; never contains `rows`.
    pub joined: BTreeSet<String>,
    /// Which rows.
    pub filter: Predicate,
    /// Group keys, in order of first appearance in GROUP BY.
    pub keys: Vec<GroupKey>,
    /// What is measured in each cell; no two are equal.
    pub measures: Vec<Measure>,
    /// What coordinator and SDK make of the released cells.
    pub output: Output,
}

/// A conjunction: every column lies in its set, and the person is in every cohort.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Predicate {
    /// One normalised set per column; a column that may be anything has no entry.
    pub boxes: BTreeMap<ColumnRef, Set>,
    /// Semi-joins on the unit key.
    pub cohorts: BTreeSet<Cohort>,
}

/// `unit_key [NOT] IN (SELECT unit_key FROM rows JOIN joined WHERE filter)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cohort {
    /// NOT IN.
    pub negated: bool,
    /// The table it selects from.
    pub rows: String,
    /// One-per-unit tables joined to it.
    pub joined: BTreeSet<String>,
    /// Which rows.
    pub filter: Predicate,
}

/// A set of values of one column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set {
    /// Whether NULL is in it.
    pub null: bool,
    /// Which other values are in it.
    pub values: Values,
}

/// The non-NULL part of a [`Set`], normalised: equal sets are equal values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Values {
    /// Every value.
    All,
    /// Ascending, disjoint, non-adjacent closed ranges of ordinals; `None` is unbounded.
    /// The ordinal of an int is itself, of a decimal its mantissa at the column's scale,
    /// of a date its day number, of a bool 0 or 1. Empty means no value.
    Ranges(Vec<(Option<i128>, Option<i128>)>),
    /// Exactly these texts.
    Texts(BTreeSet<String>),
    /// Every text but these.
    NotTexts(BTreeSet<String>),
}

/// What a table is grouped by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKey {
    /// The column's own values.
    Column(ColumnRef),
    /// `floor(column / width) * width`: the key is the lower edge of the band.
    Band {
        /// The column.
        column: ColumnRef,
        /// A declared width, in the column's unit.
        width: Number,
    },
    /// `date_trunc(grain, column)`: the key is the first day of the period.
    Period {
        /// A date column.
        column: ColumnRef,
        /// Month, quarter or year.
        grain: Grain,
    },
}

/// Grain of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// Calendar month.
    Month,
    /// Calendar quarter.
    Quarter,
    /// Calendar year.
    Year,
}

/// One statistic that a node releases for a cell. The parts it sends are listed in `answer`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Distinct persons (with a non-missing `of`, if named).
    Persons {
        /// `count(col)`: only rows where this column is not missing.
        of: Option<ColumnRef>,
    },
    /// Rows of the event table, at most `max_rows` per person.
    Events {
        /// `count(col)`: only rows where this column is not missing.
        of: Option<ColumnRef>,
    },
    /// Mean and standard deviation as one release.
    Moments {
        /// The aggregated column.
        column: ColumnRef,
    },
    /// Counts per value of a closed domain of at most 20 numbers: sum, mean and variance come from them.
    ValueCounts {
        /// The aggregated column.
        column: ColumnRef,
    },
    /// Mean of the products of two columns of one table with one row per unit, each less its centre,
    /// over the persons with both. Asked by typed analyses only.
    Products {
        /// The first column, in order of names.
        left: ColumnRef,
        /// The second; never the first again.
        right: ColumnRef,
    },
}

/// The combine part: computed on released values only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// SELECT list.
    pub columns: Vec<OutputColumn>,
    /// HAVING.
    pub having: Option<Condition>,
    /// ORDER BY; ties are broken by key.
    pub order: Vec<OrderBy>,
    /// LIMIT.
    pub limit: Option<u64>,
}

/// A named column of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    /// Alias, or the SQL text in lower case; a second of the same name gets `_2`.
    pub name: String,
    /// How it is computed.
    pub expr: Expr,
}

/// An expression over released values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expr {
    /// The n-th group key.
    Key(usize),
    /// A statistic read from the n-th measure.
    Stat {
        /// Index into `measures`.
        measure: usize,
        /// What is read from it.
        stat: Stat,
    },
    /// A number.
    Literal(Number),
    /// Arithmetic; division by zero is NULL.
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
}

/// What can be read from a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stat {
    /// From `Persons` and `Events`.
    Count,
    /// From `Moments` (n' times mean') and `ValueCounts`.
    Sum,
    /// From `Moments`, `ValueCounts` and `Products`; the rest from the first two.
    Mean,
    /// Sample standard deviation (divisor n - 1).
    SdSample,
    /// Population standard deviation (divisor n).
    SdPop,
    /// Sample variance.
    VarSample,
    /// Population variance.
    VarPop,
}

/// Arithmetic over output columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BinaryOp {
    /// +
    Add,
    /// -
    Sub,
    /// *
    Mul,
    /// /
    Div,
}

/// HAVING: a row whose condition is not known to hold (withheld or NULL operand) is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Comparison.
    Compare {
        /// Operator.
        op: CompareOp,
        /// Left side.
        left: Expr,
        /// Right side.
        right: Expr,
    },
    /// Comparison of a group key with a value that is no number.
    KeyIs {
        /// The n-th key.
        key: usize,
        /// Operator.
        op: CompareOp,
        /// The value.
        value: Scalar,
    },
    /// All of them.
    And(Vec<Condition>),
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CompareOp {
    /// =
    Eq,
    /// <>
    Ne,
    /// <
    Lt,
    /// <=
    Le,
    /// >
    Gt,
    /// >=
    Ge,
}

/// One ORDER BY item. Withheld and NULL values sort last in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// What to order by.
    pub expr: Expr,
    /// Descending.
    pub descending: bool,
}
