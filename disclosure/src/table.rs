//! From cells to a table: which rows are listed, and what each cell says.

use std::fmt;

use quorate_query::answer::{Cell, NodeRow, NodeTable};
use quorate_query::canonical::{cell_predicate, predicate_id, vec_id};
use quorate_query::codebook::Codebook;
use quorate_query::domain;
use quorate_query::measure::facts::{Facts, facts};
use quorate_query::number::Number;
use quorate_query::question::{Measure, TableQuestion};
use quorate_query::release::ReleaseParams;
use quorate_query::value::Scalar;

use crate::evidence::{CellEvidence, Evidence, MeasureEvidence};
use crate::history::{Entry, ReleaseId, Shape, State};
use crate::rules::case::{Case, Reason, Statistic};
use crate::rules::{self, protect, r11_size};

/// Evidence of a question with all that judging it needs.
pub struct Sheet<'a> {
    /// The question.
    pub question: &'a TableQuestion,
    /// The codebook it was read against.
    pub codebook: &'a Codebook,
    /// What a cell looks like that nobody is in.
    pub nobody: &'a CellEvidence,
    /// What the node knows.
    pub evidence: &'a Evidence,
    /// Parameters of release.
    pub params: &'a ReleaseParams,
    /// State of the data.
    pub epoch: &'a str,
    /// Under which project it is asked.
    pub project: &'a str,
    /// Whether it is a core table of the epoch.
    pub core: bool,
}

/// What came of a sheet.
#[derive(Default)]
pub struct Outcome {
    /// What may leave.
    pub table: NodeTable,
    /// What leaves for the first time, or is given up: durable before anything is sent.
    pub fresh: Vec<Entry>,
    /// Cells that repeat an earlier release.
    pub repeated: u64,
    /// Why cells are withheld, for the custodian.
    pub findings: Vec<Finding>,
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
    /// The number that decided, if one did.
    pub statistic: Option<Statistic>,
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
pub fn exact(sheet: &Sheet<'_>) -> Outcome {
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
///
/// # Errors
/// If `stored` fails.
pub fn protected<E>(
    sheet: &Sheet<'_>,
    stored: impl Fn(&ReleaseId) -> Result<Option<Vec<Number>>, E>,
) -> Result<Outcome, E> {
    let mut outcome = Outcome::default();
    let closed = domain::cells(sheet.question, sheet.codebook);
    let is_closed = closed.is_some();
    let keys = closed.unwrap_or_else(|| sheet.evidence.cells.keys().cloned().collect());
    for key in keys {
        let cell = sheet.evidence.cells.get(&key).unwrap_or(sheet.nobody);
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
    let finding = Finding {
        key: Vec::new(),
        measure: 0,
        rule: "R11",
        why: format!("more rows than {}: the whole table", params.max_cells),
        statistic: None,
    };
    Outcome {
        findings: vec![finding],
        ..Outcome::default()
    }
}

impl Sheet<'_> {
    fn row<E>(
        &self,
        key: Vec<Scalar>,
        cell: &CellEvidence,
        stored: &impl Fn(&ReleaseId) -> Result<Option<Vec<Number>>, E>,
        outcome: &mut Outcome,
    ) -> Result<NodeRow, E> {
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
                Err((rule, reason)) => {
                    outcome.findings.push(Finding {
                        key: key.clone(),
                        measure: index,
                        rule,
                        why: reason.why,
                        statistic: reason.statistic,
                    });
                    cells.push(Cell::Suppressed);
                    continue;
                }
            };
            let id = self.id(&key, measure);
            cells.push(Cell::Value(match stored(&id)? {
                Some(earlier) => {
                    outcome.repeated = outcome.repeated.saturating_add(1);
                    earlier
                }
                None => {
                    outcome.fresh.push(self.entry(&key, id, parts.clone()));
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
    ) -> Result<Vec<Number>, (&'static str, Reason)> {
        let facts = self.facts(measure);
        let case = Case {
            cell,
            evidence,
            facts: &facts,
            params: self.params,
        };
        if let Some(found) = rules::judge(&case) {
            return Err(found);
        }
        protect::rounded(measure, &facts, cell, evidence, self.params).ok_or_else(|| {
            let reason = Reason {
                why: "the value cannot be rounded safely".to_owned(),
                statistic: None,
            };
            ("arithmetic", reason)
        })
    }

    fn facts(&self, measure: &Measure) -> Facts {
        facts(measure, self.question, self.codebook).unwrap_or_default()
    }

    fn id(&self, key: &[Scalar], measure: &Measure) -> ReleaseId {
        let (question, params) = (self.question, self.params);
        let predicate = cell_predicate(question, key, self.codebook);
        ReleaseId {
            predicate: predicate_id(&question.rows, &question.joined, &predicate),
            vec: vec_id(measure, question, self.codebook),
            epoch: self.epoch.to_owned(),
            protection: format!("round k={} base={}", params.k, params.round_base),
        }
    }

    fn entry(&self, key: &[Scalar], id: ReleaseId, parts: Vec<Number>) -> Entry {
        Entry {
            id,
            shape: Shape {
                rows: self.question.rows.clone(),
                joined: self.question.joined.clone(),
                predicate: cell_predicate(self.question, key, self.codebook),
            },
            state: State::Released(parts),
            project: self.project.to_owned(),
            core: self.core,
            facets: Vec::new(),
        }
    }
}
