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
use crate::history::{Entry, History, ReleaseId, Shape};
use crate::rules::case::{Reason, Statistic};
use crate::rules::protect::{Noise, NoiseKey, other_protection, parts, protection_name};
use crate::rules::{Judge, Withheld, protect};

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
    /// The key of the noise where counts are perturbed; they are rounded without one.
    pub noise: Option<&'a NoiseKey>,
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
    /// Cells that show a nearly equal earlier release in their place.
    pub near_earlier: u64,
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

impl Finding {
    /// What a rule found about one measure of a cell.
    pub(crate) fn new(key: Vec<Scalar>, measure: usize, (rule, reason): Withheld) -> Self {
        Self {
            key,
            measure,
            rule,
            why: reason.why,
            statistic: reason.statistic,
        }
    }
}

impl<'a> Sheet<'a> {
    /// The rules of this table, which is asked for beside others.
    pub(crate) fn judge(&self, beside: &[&TableQuestion]) -> Judge<'a> {
        Judge::of(
            self.question,
            beside,
            self.codebook,
            self.evidence,
            self.nobody,
            self.params,
        )
    }

    /// The parts of a cell that passes every rule of its table.
    pub(crate) fn parts(
        &self,
        measure: &Measure,
        facts: &Facts,
        cell: &CellEvidence,
        evidence: &MeasureEvidence,
    ) -> Result<Vec<Number>, Withheld> {
        let noise = self.noise.map(|key| Noise {
            key,
            sum: vec_id(measure, self.question, self.codebook),
        });
        parts(measure, facts, cell, evidence, self.params, noise).ok_or_else(|| {
            let reason = Reason {
                why: "the value cannot be rounded safely".to_owned(),
                statistic: None,
            };
            ("arithmetic", reason)
        })
    }

    /// Mean and standard deviation, or a mean product, beside a number of persons that an earlier
    /// release showed.
    pub(crate) fn parts_beside(
        &self,
        measure: &Measure,
        evidence: &MeasureEvidence,
        shown: Number,
    ) -> Option<Vec<Number>> {
        let persons = u64::try_from(shown.to_integer()?).ok()?;
        protect::parts_beside(&self.facts(measure), evidence, persons, self.params)
    }

    /// The rows of the table, and whether that they are there says nothing about the data.
    pub(crate) fn keys(&self) -> (Vec<Vec<Scalar>>, bool) {
        match domain::cells(self.question, self.codebook) {
            Some(keys) => (keys, true),
            None => (self.evidence.cells.keys().cloned().collect(), false),
        }
    }

    /// What the cells of this sheet would be known by if released.
    #[must_use]
    pub fn ids(&self) -> Vec<ReleaseId> {
        let (keys, _) = self.keys();
        let of_row = |key: &Vec<Scalar>| {
            let shape = self.shape(key);
            let measures = self.question.measures.iter();
            measures.map(move |measure| self.id(&shape, measure))
        };
        keys.iter().flat_map(of_row).collect()
    }

    /// What the codebook says about a measure.
    pub(crate) fn facts(&self, measure: &Measure) -> Facts {
        facts(measure, self.question, self.codebook).unwrap_or_default()
    }

    /// Why nothing may leave: this state of the data was released under the other protection.
    pub(crate) fn protected_otherwise(&self, history: &History) -> Option<Withheld> {
        let own = protection_name(self.params, self.noise.is_some());
        let other = other_protection(history.protections(), self.epoch, &own)?;
        let reason = Reason {
            why: format!("these data have left under `{other}`: never both; wait for new data"),
            statistic: None,
        };
        Some(("protection", reason))
    }

    /// The table with nothing in it.
    pub(crate) fn nothing(&self, found: Withheld) -> Outcome {
        let (keys, is_closed) = self.keys();
        let withheld = || vec![Cell::Suppressed; self.question.measures.len()];
        let rows = keys.into_iter().filter(|_| is_closed).map(|key| NodeRow {
            key,
            cells: withheld(),
        });
        Outcome {
            table: NodeTable {
                rows: rows.collect(),
            },
            findings: vec![Finding::new(Vec::new(), 0, found)],
            ..Outcome::default()
        }
    }

    /// Tables and boxes of a cell.
    pub(crate) fn shape(&self, key: &[Scalar]) -> Shape {
        Shape {
            rows: self.question.rows.clone(),
            joined: self.question.joined.clone(),
            predicate: cell_predicate(self.question, key, self.codebook),
        }
    }

    /// What a release of this measure of this shape is known by.
    pub(crate) fn id(&self, shape: &Shape, measure: &Measure) -> ReleaseId {
        ReleaseId {
            predicate: predicate_id(&shape.rows, &shape.joined, &shape.predicate),
            vec: vec_id(measure, self.question, self.codebook),
            epoch: self.epoch.to_owned(),
            protection: protection_name(self.params, self.noise.is_some()),
        }
    }
}
