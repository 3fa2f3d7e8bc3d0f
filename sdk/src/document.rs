//! The result document, `quorate.result/1`: what `--format json` writes, and what every other
//! format is rendered from.
//!
//! It is a plain record of a result. Whether the result is genuine is not decided here: only
//! `verify` builds documents of answers, and a document that was read from a file is a claim until
//! `verify` has rebuilt it from the signed bytes inside.

use std::collections::BTreeMap;

use quorate_evidence::record::Statement;
use quorate_query::analyses::Report;
use quorate_query::cohort::Cohort;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The value of `schema`.
pub const SCHEMA: &str = "quorate.result/1";

/// A result, in every state a question can end in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// `answered`, `refused`, `too_few_nodes`, `waiting` or `failed`.
    pub status: String,
    /// What was asked; absent where the text was refused before it became a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionInfo>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemInfo>,
    /// Columns in the order of the SELECT list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// Rows in the order of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
    /// The tables of a question that comes to several, in place of `columns` and `rows`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableInfo>,
    /// What an analysis makes of the rows, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<AnalysisInfo>,
    /// Every node that was asked, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// What every cell went through before it left its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// Remarks on the whole result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The roster log the signatures were checked against, each entry as signed bytes in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roster: Vec<String>,
    /// Text of the codebook that the question was read against, under the digest that the question names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codebook: Option<String>,
    /// The coordinator's signed result, every node's signed bytes included, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
}

/// One of several tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableInfo {
    /// What its analysis calls it.
    pub name: String,
    /// Columns in the order of the SELECT list.
    pub columns: Vec<Column>,
    /// Rows in the order of the answer.
    pub rows: Vec<Row>,
}

impl Document {
    /// Every table with its name; a single one has an empty name.
    #[must_use]
    pub fn parts(&self) -> Vec<TableInfo> {
        if !self.tables.is_empty() {
            return self.tables.clone();
        }
        let only = TableInfo {
            name: String::new(),
            columns: self.columns.clone(),
            rows: self.rows.clone(),
        };
        vec![only]
    }

    /// A document of one of its tables alone.
    #[must_use]
    pub fn only(&self, table: TableInfo) -> Self {
        Self {
            columns: table.columns,
            rows: table.rows,
            tables: Vec::new(),
            ..self.clone()
        }
    }

    /// Every row of every table.
    pub fn all_rows(&self) -> impl Iterator<Item = &Row> {
        let others = self.tables.iter().flat_map(|table| &table.rows);
        self.rows.iter().chain(others)
    }
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QuestionInfo {
    /// UUID of the question.
    pub id: String,
    /// Hash of its canonical form and codebook.
    pub hash: String,
    /// Project it was asked for.
    pub project: String,
    /// Why, in the researcher's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub researcher: String,
    /// The SQL text.
    pub text: String,
    /// Its parameters.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// Digest of the codebook it was read against.
    pub codebook: String,
    /// The cohort that it was asked of, if of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<CohortInfo>,
}

/// A cohort: the statement that was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortInfo {
    /// Digest of the statement and the list.
    pub hash: String,
    /// The statement.
    pub text: String,
    /// Columns that none of its persons lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complete: Vec<String>,
}

impl CohortInfo {
    /// What is said of a cohort.
    #[must_use]
    pub fn of(cohort: &Cohort) -> Self {
        Self {
            hash: cohort.digest(),
            text: cohort.sql.clone(),
            complete: cohort.complete.clone(),
        }
    }
}

/// An analysis: what was signed, and what was computed where the result was believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnalysisInfo {
    /// Name and version.
    pub name: String,
    /// Its arguments.
    pub arguments: BTreeMap<String, String>,
    /// Its tables; none without an answer.
    #[serde(flatten)]
    pub report: Report,
}

/// A refusal or failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProblemInfo {
    /// Stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Bytes of the SQL text it is about: first, one past the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<[usize; 2]>,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<String>,
}

/// A column of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Alias, or the SQL text in lower case.
    pub name: String,
    /// `key`, `count`, `events`, `sum`, `mean`, `sd`, `var` or `ratio`.
    pub kind: String,
    /// Keys: type of the value.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub ty: Option<String>,
    /// Counts: what is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Unit of measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Keys of a closed domain: label by value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Column {
    /// Whether the column is a group key.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.kind == "key"
    }

    /// Whether its values are whole numbers of persons or events.
    #[must_use]
    pub fn is_count(&self) -> bool {
        self.kind == "count" || self.kind == "events"
    }
}

/// A row of the result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Values of the key columns.
    pub key: BTreeMap<String, Value>,
    /// Cells of the other columns.
    pub cells: BTreeMap<String, Cell>,
}

/// A cell: a value with its interval, withheld, or neither (division by zero).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenCell", into = "WrittenCell")]
pub struct Cell {
    /// Every node withheld it. It has no value and no reason.
    pub withheld: bool,
    /// The value and its interval.
    pub number: Option<Interval>,
    /// Nodes whose released values are in it.
    pub nodes: u64,
    /// Nodes that could have contributed.
    pub eligible: u64,
    /// Some node answered with an earlier release.
    pub near_earlier: bool,
    /// `--by-site`: each node's own value.
    pub sites: BTreeMap<String, String>,
}

impl Cell {
    /// Whether there is no such number: x/0, the spread of one value, the mean of nobody.
    #[must_use]
    pub fn is_undefined(&self) -> bool {
        self.number.is_none() && !self.withheld
    }
}

/// A value as decimal text, with the interval that holds the exact one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// The value.
    pub value: String,
    /// Least possible value.
    pub lower: Option<String>,
    /// Greatest possible value; none where a node withheld the cell.
    pub upper: Option<String>,
}

/// A cell as JSON has it: a withheld cell has no `value` at all, one without a number has `null`.
#[derive(Clone, Serialize, Deserialize)]
struct WrittenCell {
    #[serde(default, skip_serializing_if = "is_false")]
    withheld: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lower: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upper: Option<Option<String>>,
    nodes: u64,
    eligible: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    near_earlier: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sites: BTreeMap<String, String>,
}

impl From<Cell> for WrittenCell {
    fn from(cell: Cell) -> Self {
        let shown = |part: Option<String>| (!cell.withheld).then_some(part);
        let (value, lower, upper) = match cell.number {
            Some(number) => (Some(number.value), number.lower, number.upper),
            None => (None, None, None),
        };
        Self {
            withheld: cell.withheld,
            value: shown(value),
            lower: shown(lower),
            upper: shown(upper),
            nodes: cell.nodes,
            eligible: cell.eligible,
            near_earlier: cell.near_earlier,
            sites: cell.sites,
        }
    }
}

impl From<WrittenCell> for Cell {
    fn from(cell: WrittenCell) -> Self {
        let number = cell.value.flatten().map(|value| Interval {
            value,
            lower: cell.lower.flatten(),
            upper: cell.upper.flatten(),
        });
        Self {
            withheld: cell.withheld,
            number,
            nodes: cell.nodes,
            eligible: cell.eligible,
            near_earlier: cell.near_earlier,
            sites: cell.sites,
        }
    }
}

/// A node and what became of the question there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Roster name.
    pub name: String,
    /// `answered`, `refused`, `late`, `absent` or `waiting`.
    pub status: String,
    /// Refusal code.
    pub code: Option<String>,
    /// Digest of the node's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Digest of the state of its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Where the answer stands in its ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// What its ledger says of the decision; the proof is in the signed bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptInfo>,
    /// The node's own signed bytes, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
}

/// A node's ledger record of a decision, and the ledger that holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptInfo {
    /// Number of the record: the ledger had that many.
    pub seq: u64,
    /// When, by the node's clock, unix seconds.
    pub time: i64,
    /// Hash of the record.
    pub hash: String,
    /// Merkle root of the ledger that ends with it.
    pub root: String,
    /// What was decided.
    pub statement: Statement,
}

/// A place in a node's ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Sequence number.
    pub seq: u64,
    /// Hash of the chain at that entry.
    pub head: String,
}

/// The rules that were in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Protection {
    /// Least persons behind a cell: the strictest of the answering nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
    /// Counts are multiples of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_base: Option<u32>,
    /// Counts carry noise of at most this size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_bound: Option<u32>,
    /// `round`, `cell_key` or `none`.
    pub mode: String,
}

impl Protection {
    /// Whether the cells are exact values of synthetic populations.
    #[must_use]
    pub fn is_unprotected(&self) -> bool {
        self.mode == "none"
    }
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Stable code.
    pub code: String,
    /// One sentence.
    pub text: String,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
