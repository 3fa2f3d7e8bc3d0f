//! `quorate-node try`: the whole story alone, on the code path of the run. It sends nothing,
//! records nothing and spends nothing; it shows what would leave, and to the custodian only why a
//! cell would be withheld.

use std::collections::BTreeMap;
use std::fmt::Write;

use quorate_query::analyses::Request;
use quorate_query::answer::{Cell, Mode, NodeTable, Protection};
use quorate_query::question::{Measure, Params};
use quorate_wire::QuestionId;

use crate::answer::tell;
use crate::disclose::{Checked, Finding};
use crate::node::Node;
use crate::record::rehearse;
use crate::refusal::Refusal;
use crate::times::StepTimes;
use crate::verify::own;

/// What the custodian wants to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// A text, or an analysis.
    pub request: Request,
    /// Typed parameters.
    pub params: Params,
    /// Digest of the codebook to read it against.
    pub codebook: String,
    /// As a question of this project; `None` for any table held.
    pub project: Option<String>,
}

/// What would have happened.
pub struct Report {
    /// What would leave.
    pub outcome: Result<Shown, Refusal>,
    /// Time of each step, in microseconds.
    pub micros: BTreeMap<String, u64>,
}

/// What would leave, with the reasons for what would not.
pub struct Shown {
    /// The question hash.
    pub hash: String,
    /// The canonical form.
    pub canonical: String,
    /// What every cell would go through.
    pub protection: Protection,
    /// Every table that it comes to, in the order in which they are decided.
    pub tables: Vec<ShownTable>,
    /// Cells that would repeat an earlier release.
    pub repeated: u64,
    /// Why cells would be withheld.
    pub findings: Vec<Finding>,
}

/// One table that would leave.
pub struct ShownTable {
    /// Its name among several; empty for a single one.
    pub name: String,
    /// What its columns are: keys, then measures.
    pub columns: Vec<String>,
    /// The table, cell by cell.
    pub table: NodeTable,
}

/// Tells the story of a question of the custodian's own, up to the point where it would be signed.
pub async fn try_alone(node: &Node, trial: Trial, now: i64) -> Report {
    let mut steps = StepTimes::start(&node.stopwatch);
    let id = QuestionId::new(0, &[0; 10]);
    let recorded = rehearse(own(node, id, trial));
    let outcome = tell(node, &recorded, &mut steps, now)
        .await
        .map(|released| show(&released));
    Report {
        outcome,
        micros: steps.micros(),
    }
}

fn show(released: &Checked<'_>) -> Shown {
    let question = released.approved().question();
    let tables = question.typed().tables().into_iter();
    let tables = tables.zip(released.tables()).map(|((name, asked), table)| {
        let keys = asked.keys.iter().map(|key| key.column().column.clone());
        let measures = asked.measures.iter();
        let columns = keys.chain(measures.map(|measure| describe(measure, released)));
        ShownTable {
            name: name.to_owned(),
            columns: columns.collect(),
            table: table.clone(),
        }
    });
    Shown {
        hash: question.hash(),
        canonical: question.typed().canonical_text(),
        protection: released.protection(),
        tables: tables.collect(),
        repeated: released.repeated(),
        findings: released.findings().to_vec(),
    }
}

/// What a measure sends, as in the documentation of `quorate_query::answer`.
fn describe(measure: &Measure, released: &Checked<'_>) -> String {
    let parts = match released.protection().mode {
        Mode::Round | Mode::CellKey { .. } => "persons, rows, mean, sd",
        Mode::None => "persons, rows, sum, sum of squares",
    };
    match measure {
        Measure::Persons { of: None } => "persons".to_owned(),
        Measure::Events { of: None } => "rows".to_owned(),
        Measure::Persons { of: Some(of) } => format!("persons with {}", of.column),
        Measure::Events { of: Some(of) } => format!("rows with {}", of.column),
        Measure::Moments { column } => format!("{} [{parts}]", column.column),
        Measure::ValueCounts { column } => format!("{} [count per value]", column.column),
        Measure::Products { left, right } => {
            let part = match released.protection().mode {
                Mode::Round | Mode::CellKey { .. } => "mean",
                Mode::None => "sum",
            };
            let (left, right) = (&left.column, &right.column);
            format!("{left} x {right} [persons, {part} about the centres]")
        }
    }
}

impl Shown {
    /// The report for the custodian's screen.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("question {}\n", self.hash);
        for table in &self.tables {
            text.push_str(&table.render());
        }
        let Protection { k, round_base, .. } = self.protection;
        let protection = match self.protection.mode {
            Mode::Round => format!("protected: k = {k}, counts rounded to {round_base}"),
            Mode::CellKey { bound } => {
                format!("protected: k = {k}, noise of at most {bound} in counts")
            }
            Mode::None => "UNPROTECTED: the population is registered as synthetic".to_owned(),
        };
        let _ = writeln!(
            text,
            "{protection}; {} cells repeat an earlier release",
            self.repeated
        );
        if self.findings.is_empty() {
            text.push_str("Nothing is withheld.\n");
            return text;
        }
        text.push_str("Withheld (\u{b7}), for your eyes only:\n");
        for finding in &self.findings {
            let _ = writeln!(text, "  {finding}");
        }
        text
    }
}

impl ShownTable {
    fn render(&self) -> String {
        let mut grid = comfy_table::Table::new();
        grid.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
            .set_header(&self.columns);
        for row in &self.table.rows {
            let keys = row.key.iter().map(ToString::to_string);
            grid.add_row(keys.chain(row.cells.iter().map(cell)));
        }
        match self.name.as_str() {
            "" => format!("{grid}\n"),
            name => format!("table {name}\n{grid}\n"),
        }
    }
}

fn cell(cell: &Cell) -> String {
    let near = if cell.is_near() { "*" } else { "" };
    match cell.parts() {
        None => "\u{b7}".to_owned(),
        Some([one]) => format!("{one}{near}"),
        Some(parts) => {
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            format!("[{}]{near}", parts.join(", "))
        }
    }
}
