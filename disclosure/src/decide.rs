//! From cells to a table: rules of the cell, repetitions, then everything ever released.
//!
//! What this file must not know: how one rule works.

use std::cmp::Reverse;

use quorate_query::answer::{Cell, NodeRow};
use quorate_query::number::Number;
use quorate_query::value::Scalar;

use crate::evidence::CellEvidence;
use crate::facets::Subject;
use crate::history::{Entry, FacetCandidate, History, State};
use crate::rules::Judge;
use crate::table::{Finding, Outcome, Sheet};

/// Decides every cell of a sheet. The history is the same afterwards: what comes back as fresh is
/// added by the caller, once it is durable.
///
/// Closed domains list every cell, open ones only rows with something to show.
pub fn decide(sheet: &Sheet<'_>, history: &mut History) -> Outcome {
    let (keys, is_closed) = sheet.keys();
    let judge = sheet.judge();
    let mut draft = Draft::default();
    for key in &keys {
        draft.add_row(sheet, &judge, key, history);
    }
    draft.pending.sort_by_key(Pending::rank);
    for pending in std::mem::take(&mut draft.pending) {
        draft.release(pending);
    }
    let outcome = draft.finish(is_closed);
    let rows = u64::try_from(outcome.table.rows.len()).unwrap_or(u64::MAX);
    match judge.rows(rows).filter(|_| !is_closed) {
        Some(found) => Outcome {
            findings: vec![Finding::new(Vec::new(), 0, found)],
            ..Outcome::default()
        },
        None => outcome,
    }
}

/// A cell that passed its own rules and is to be compared with what was released.
struct Pending<'a> {
    row: usize,
    measure: usize,
    parts: Vec<Number>,
    entry: Entry,
    #[expect(dead_code, reason = "for the rules about earlier releases")]
    facets: Vec<FacetCandidate<'a>>,
}

impl Pending<'_> {
    /// The largest first, by what would be released; then by identity. Never by exact numbers.
    fn rank(&self) -> (Reverse<Option<Number>>, [u8; 32], [u8; 32]) {
        let largest = self.parts.first().copied();
        (Reverse(largest), self.entry.id.predicate, self.entry.id.vec)
    }
}

/// A table in the making.
#[derive(Default)]
struct Draft<'a> {
    rows: Vec<NodeRow>,
    pending: Vec<Pending<'a>>,
    outcome: Outcome,
}

impl<'a> Draft<'a> {
    fn add_row(&mut self, sheet: &Sheet<'a>, judge: &Judge<'a>, key: &[Scalar], history: &History) {
        let cell = sheet.evidence.cells.get(key).unwrap_or(sheet.nobody);
        let mut cells = Vec::with_capacity(cell.measures.len());
        for index in 0..cell.measures.len() {
            cells.push(self.first_look(sheet, judge, key, (cell, index), history));
        }
        self.rows.push(NodeRow {
            key: key.to_vec(),
            cells,
        });
    }

    /// Rules of the cell and repetitions; what passes becomes pending and is withheld until then.
    fn first_look(
        &mut self,
        sheet: &Sheet<'a>,
        judge: &Judge<'a>,
        key: &[Scalar],
        (cell, index): (&'a CellEvidence, usize),
        history: &History,
    ) -> Cell {
        let found = (sheet.question.measures.get(index), cell.measures.get(index));
        let (Some(measure), Some(evidence)) = found else {
            return Cell::Suppressed;
        };
        let (shape, facts) = (sheet.shape(key), sheet.facts(measure));
        let id = sheet.id(&shape, measure);
        let withheld = judge.cell(key, cell, evidence).map_or(Ok(()), Err);
        let parts = withheld.and_then(|()| sheet.parts(measure, &facts, cell, evidence));
        let parts = match parts {
            Ok(parts) => parts,
            Err(found) => {
                let finding = Finding::new(key.to_vec(), index, found);
                self.outcome.findings.push(finding);
                return Cell::Suppressed;
            }
        };
        if let Some(State::Released(earlier)) = history.get(&id).map(|entry| &entry.state) {
            self.outcome.repeated = self.outcome.repeated.saturating_add(1);
            return Cell::Value(earlier.clone());
        }
        let subject = Subject {
            codebook: sheet.codebook,
            shape: &shape,
            measure,
            facts: &facts,
            cell,
            evidence,
        };
        let facets = subject.facets();
        self.pending.push(Pending {
            row: self.rows.len(),
            measure: index,
            entry: Entry {
                id,
                shape,
                state: State::Released(parts.clone()),
                project: sheet.project.to_owned(),
                core: sheet.core,
                facets: facets.iter().map(|found| found.facet.clone()).collect(),
            },
            parts,
            facets,
        });
        Cell::Suppressed
    }

    fn release(&mut self, pending: Pending<'a>) {
        let row = self.rows.get_mut(pending.row);
        if let Some(cell) = row.and_then(|row| row.cells.get_mut(pending.measure)) {
            *cell = Cell::Value(pending.parts);
            self.outcome.fresh.push(pending.entry);
        }
    }

    /// The outcome. Rows without anything to show are listed in closed domains only.
    fn finish(self, is_closed: bool) -> Outcome {
        let shown = |row: &NodeRow| row.cells.iter().any(|cell| *cell != Cell::Suppressed);
        let mut outcome = self.outcome;
        let rows = self.rows.into_iter();
        outcome.table.rows = rows.filter(|row| is_closed || shown(row)).collect();
        outcome
    }
}
