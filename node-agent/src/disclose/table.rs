//! From cells to a table: which rows are listed, and what each cell says.

use std::fmt;

use quorate_query::answer::{Cell, NodeRow, NodeTable};
use quorate_query::canonical::{cell_predicate, predicate_bytes, predicate_id, vec_id};
use quorate_query::codebook::Codebook;
use quorate_query::domain;
use quorate_query::measure::facts::{Facts, facts};
use quorate_query::number::Number;
use quorate_query::question::{Measure, TableQuestion};
use quorate_query::release::ReleaseParams;
use quorate_query::value::Scalar;

use super::case::{Case, Verdict};
use super::{RULES, protect, r11_size};
use crate::measure::{CellEvidence, Evidence, Layout, MeasureEvidence};
use crate::releases::{Release, ReleaseId};
use crate::store::StoreError;

/// Evidence of a question with all that judging it needs.
pub(super) struct Sheet<'a> {
    pub(super) question: &'a TableQuestion,
    pub(super) codebook: &'a Codebook,
    pub(super) layout: &'a Layout,
    pub(super) evidence: &'a Evidence,
    pub(super) params: &'a ReleaseParams,
    pub(super) population: &'a str,
    pub(super) epoch: &'a str,
}

/// What came of a sheet.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) table: NodeTable,
    pub(super) fresh: Vec<Release>,
    pub(super) repeated: u64,
    pub(super) findings: Vec<Finding>,
}

/// Why one cell is withheld. Printed for the custodian only.
#[derive(Clone, PartialEq, Eq)]
pub struct Finding {
    /// Key of the row; empty for the whole table.
    pub key: Vec<Scalar>,
    /// Index of the measure.
    pub measure: usize,
    /// Which rule.
    pub rule: &'static str,
    /// What the rule found.
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<String> = self.key.iter().map(ToString::to_string).collect();
        let measure = self.measure.saturating_add(1);
        write!(
            f,
            "({}) measure {measure}: {}: {}",
            key.join(", "),
            self.rule,
            self.why
        )
    }
}

/// Unprotected: the groups that exist, exactly.
pub(super) fn exact(sheet: &Sheet<'_>) -> Outcome {
    let measures = &sheet.question.measures;
    let row = |(key, cell): (&Vec<Scalar>, &CellEvidence)| {
        let cells = measures
            .iter()
            .zip(&cell.measures)
            .map(|(measure, evidence)| {
                protect::exact(measure, evidence).map_or(Cell::Suppressed, Cell::Value)
            });
        NodeRow {
            key: key.clone(),
            cells: cells.collect(),
        }
    };
    let rows = sheet.evidence.cells.iter().map(row).collect();
    Outcome {
        table: NodeTable { rows },
        ..Outcome::default()
    }
}

/// Protected: closed domains list every cell, open ones only rows with something to show. `stored`
/// gives the value of a cell that has left before.
pub(super) fn protected(
    sheet: &Sheet<'_>,
    stored: impl Fn(&ReleaseId) -> Result<Option<Vec<Number>>, StoreError>,
) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    let nobody = CellEvidence::empty(&sheet.layout.parts);
    let closed = domain::cells(sheet.question, sheet.codebook);
    let is_closed = closed.is_some();
    let keys = closed.unwrap_or_else(|| sheet.evidence.cells.keys().cloned().collect());
    for key in keys {
        let cell = sheet.evidence.cells.get(&key).unwrap_or(&nobody);
        let row = sheet.row(key, cell, &stored, &mut outcome)?;
        if is_closed || row.cells.iter().any(|cell| *cell != Cell::Suppressed) {
            outcome.table.rows.push(row);
        }
    }
    if !is_closed && !r11_size::fits(&outcome.table.rows, sheet.params) {
        return Ok(withheld_whole(sheet.params));
    }
    Ok(outcome)
}

fn withheld_whole(params: &ReleaseParams) -> Outcome {
    let why = format!("more rows than {}: the whole table", params.max_cells);
    let finding = Finding {
        key: Vec::new(),
        measure: 0,
        rule: "R11",
        why,
    };
    Outcome {
        findings: vec![finding],
        ..Outcome::default()
    }
}

impl Sheet<'_> {
    fn row(
        &self,
        key: Vec<Scalar>,
        cell: &CellEvidence,
        stored: &impl Fn(&ReleaseId) -> Result<Option<Vec<Number>>, StoreError>,
        outcome: &mut Outcome,
    ) -> Result<NodeRow, StoreError> {
        let mut cells = Vec::with_capacity(cell.measures.len());
        for (index, (measure, evidence)) in self
            .question
            .measures
            .iter()
            .zip(&cell.measures)
            .enumerate()
        {
            let parts = match self.judge(measure, cell, evidence) {
                Ok(parts) => parts,
                Err((rule, why)) => {
                    outcome.findings.push(Finding {
                        key: key.clone(),
                        measure: index,
                        rule,
                        why,
                    });
                    cells.push(Cell::Suppressed);
                    continue;
                }
            };
            let release = self.release(&key, measure, parts);
            cells.push(Cell::Value(match stored(&release.id)? {
                Some(earlier) => {
                    outcome.repeated = outcome.repeated.saturating_add(1);
                    earlier
                }
                None => {
                    let parts = release.parts.clone();
                    outcome.fresh.push(release);
                    parts
                }
            }));
        }
        Ok(NodeRow { key, cells })
    }

    /// The parts of a cell that passes every rule, or the rule that it does not pass.
    fn judge(
        &self,
        measure: &Measure,
        cell: &CellEvidence,
        evidence: &MeasureEvidence,
    ) -> Result<Vec<Number>, (&'static str, String)> {
        let case = Case {
            cell,
            measure: evidence,
            params: self.params,
        };
        for rule in &RULES {
            match (rule.judge)(&case) {
                Verdict::Pass => {}
                Verdict::Public => break,
                Verdict::Withhold(why) => return Err((rule.name, why)),
            }
        }
        let facts = self.facts(measure);
        protect::rounded(measure, &facts, cell, evidence, self.params).ok_or_else(|| {
            (
                "arithmetic",
                "the value cannot be rounded safely".to_owned(),
            )
        })
    }

    fn facts(&self, measure: &Measure) -> Facts {
        facts(measure, self.question, self.codebook).unwrap_or_default()
    }

    fn release(&self, key: &[Scalar], measure: &Measure, parts: Vec<Number>) -> Release {
        let (question, params) = (self.question, self.params);
        let predicate = cell_predicate(question, key, self.codebook);
        let id = ReleaseId {
            population: self.population.to_owned(),
            predicate: predicate_id(&question.rows, &question.joined, &predicate),
            vec: vec_id(measure, question, self.codebook),
            epoch: self.epoch.to_owned(),
            protection: format!("round k={} base={}", params.k, params.round_base),
        };
        let boxes = predicate_bytes(&question.rows, &question.joined, &predicate);
        Release { id, boxes, parts }
    }
}
