//! From cells to a table: repetitions, rules of the cell, everything ever released, and what the
//! table as a whole adds up to.
//!
//! What this file must not know: how one rule works.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use quorate_query::answer::{Cell, NodeRow};
use quorate_query::codebook::ColumnRef;
use quorate_query::number::Number;
use quorate_query::question::{Measure, TableQuestion};
use quorate_query::value::Scalar;

use crate::closure;
use crate::evidence::{CellEvidence, MeasureEvidence};
use crate::facets::Subject;
use crate::history::{
    Entry, FacetCandidate, Footprint, Form, History, Hit, Recall, Standpoint, State,
};
use crate::rules::case::{Reason, Statistic};
use crate::rules::{Judge, Withheld};
use crate::table::{Finding, Outcome, Sheet};

/// Decides every cell of a sheet. The history is the same afterwards: what comes back as fresh is
/// added by the caller, once it is durable.
///
/// Closed domains list every cell, open ones only rows with something to show.
pub fn decide(sheet: &Sheet<'_>, history: &mut History) -> Outcome {
    decide_beside(sheet, &[], history)
}

/// As [`decide`]; `beside` are the other tables of the question.
pub(crate) fn decide_beside(
    sheet: &Sheet<'_>,
    beside: &[&TableQuestion],
    history: &mut History,
) -> Outcome {
    if let Some(found) = sheet.protected_otherwise(history) {
        return sheet.nothing(found);
    }
    let from = history.standpoint(sheet.codebook, sheet.params, sheet.epoch);
    let outcome = whatever_comes(|| Draft::of(sheet, beside, &from, history));
    history.roll_back(&from);
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// What a piece of work comes to, or with what it ended: what is held until then must be forgotten even
/// so, since nobody will make it durable.
fn whatever_comes<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
}

/// Decides several sheets of one question in their order, each beside those before it, as if those had
/// become durable. The history is the same afterwards.
pub fn decide_all(sheets: &[Sheet<'_>], history: &mut History) -> Vec<Outcome> {
    let from = history.begin_several();
    let each = |(place, sheet): (usize, &Sheet<'_>)| {
        let others = sheets.iter().enumerate();
        let others = others.filter(|(other, _)| *other != place);
        let beside: Vec<&TableQuestion> = others.map(|(_, other)| other.question).collect();
        let outcome = decide_beside(sheet, &beside, history);
        outcome.fresh.iter().cloned().for_each(|e| history.hold(e));
        outcome
    };
    let outcomes = whatever_comes(|| sheets.iter().enumerate().map(each).collect());
    history.end_several(from);
    outcomes.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A cell that is shown, with what it says about whom.
pub(crate) struct Listed<'a> {
    pub(crate) row: usize,
    pub(crate) measure: usize,
    pub(crate) entry: Entry,
    pub(crate) facets: Vec<FacetCandidate<'a>>,
    /// Whether it is shown for the first time.
    pub(crate) fresh: bool,
    parts: Vec<Number>,
}

impl Listed<'_> {
    /// The largest first, by what would be released; then by identity. Never by exact numbers.
    pub(crate) fn rank(&self) -> (Reverse<Option<Number>>, [u8; 32], [u8; 32]) {
        let largest = self.parts.first().copied();
        (Reverse(largest), self.entry.id.predicate, self.entry.id.vec)
    }
}

/// A table in the making.
pub(crate) struct Draft<'s, 'a> {
    pub(crate) sheet: &'s Sheet<'a>,
    pub(crate) from: &'s Standpoint<'s>,
    pub(crate) rows: Vec<NodeRow>,
    pub(crate) listed: Vec<Listed<'a>>,
    /// Cells that are given up, and what cells add up to.
    pub(crate) beside: Vec<Entry>,
    pub(crate) outcome: Outcome,
    /// The persons that were counted last: measures of one cell mostly count the same.
    counted: RefCell<Option<Footprint>>,
}

impl<'s, 'a> Draft<'s, 'a> {
    fn of(
        sheet: &'s Sheet<'a>,
        beside: &[&TableQuestion],
        from: &'s Standpoint<'s>,
        history: &mut History,
    ) -> Outcome {
        let (keys, is_closed) = sheet.keys();
        let judge = sheet.judge(beside);
        let mut draft = Self {
            sheet,
            from,
            rows: Vec::with_capacity(keys.len()),
            listed: Vec::new(),
            beside: Vec::new(),
            outcome: Outcome::default(),
            counted: RefCell::new(None),
        };
        let mut pending = Vec::new();
        for key in &keys {
            pending.extend(draft.add_row(&judge, key, history));
        }
        pending.sort_by_key(Listed::rank);
        for cell in pending {
            draft.compare(cell, history);
        }
        while closure::close(&mut draft, history) {
            draft.look_again(&judge, history);
        }
        draft.finish(&judge, is_closed)
    }

    /// The cells of a row that are still to be compared with everything released.
    fn add_row(&mut self, judge: &Judge<'a>, key: &[Scalar], history: &History) -> Vec<Listed<'a>> {
        let sheet = self.sheet;
        let cell = sheet.evidence.cells.get(key).unwrap_or(sheet.nobody);
        let measures = sheet.question.measures.iter().zip(&cell.measures);
        let row = self.rows.len();
        self.rows.push(NodeRow {
            key: key.to_vec(),
            cells: vec![Cell::Suppressed; cell.measures.len()],
        });
        let looks = measures
            .enumerate()
            .filter_map(|(index, (measure, evidence))| {
                self.first_look(judge, row, key, (cell, evidence), (index, measure), history)
            });
        looks.collect()
    }

    /// After a cell was given up: what was withheld beside it may leave, and what was shown in its
    /// image may not. So asking again tells the same.
    fn look_again(&mut self, judge: &Judge<'a>, history: &mut History) {
        history.roll_back(self.from);
        for cell in self.listed.iter().filter(|cell| cell.fresh) {
            history.hold(cell.entry.clone());
        }
        let rests = |entry: &Entry| matches!(entry.state, State::Near(_) | State::Union { .. });
        self.beside.retain(|entry| !rests(entry));
        self.outcome.near_earlier = 0;
        let findings = std::mem::take(&mut self.outcome.findings).into_iter();
        let (given_up, withheld): (Vec<_>, Vec<_>) = findings.partition(|f| f.rule == "H3");
        self.outcome.findings = given_up;
        let withheld: BTreeSet<(Vec<Scalar>, usize)> =
            withheld.into_iter().map(|f| (f.key, f.measure)).collect();
        let sheet = self.sheet;
        let mut pending = Vec::new();
        for row in 0..self.rows.len() {
            let Some(NodeRow { key, cells }) = self.rows.get(row).cloned() else {
                continue;
            };
            let cell = sheet.evidence.cells.get(&key).unwrap_or(sheet.nobody);
            let measures = sheet.question.measures.iter().zip(&cell.measures);
            for (index, (measure, evidence)) in measures.enumerate() {
                let place = (key.clone(), index);
                let is_near = cells.get(index).is_some_and(Cell::is_near);
                if is_near || withheld.contains(&place) {
                    self.show(row, index, Cell::Suppressed);
                    let at = (index, measure);
                    pending.extend(self.first_look(
                        judge,
                        row,
                        &key,
                        (cell, evidence),
                        at,
                        history,
                    ));
                }
            }
        }
        pending.sort_by_key(Listed::rank);
        for cell in pending {
            self.compare(cell, history);
        }
    }

    /// What is remembered decides first: what was shown stays shown, whatever has become of it.
    /// Then the rules of the cell.
    fn first_look(
        &mut self,
        judge: &Judge<'a>,
        row: usize,
        key: &[Scalar],
        (cell, evidence): (&'a CellEvidence, &'a MeasureEvidence),
        (index, measure): (usize, &Measure),
        history: &History,
    ) -> Option<Listed<'a>> {
        let sheet = self.sheet;
        let (shape, facts) = (sheet.shape(key), sheet.facts(measure));
        let subject = Subject {
            codebook: sheet.codebook,
            shape: &shape,
            measure,
            facts: &facts,
            cell,
            evidence,
            params: sheet.params,
            counted: &self.counted,
        };
        let facets = subject.facets();
        let id = sheet.id(&shape, measure);
        let recalled = history.recall(self.from, &id, &facets);
        let derived = matches!(measure, Measure::Moments { column } if sheet.codebook.derived.contains_key(column));
        let found = judge.cell(key, cell, evidence);
        let found = found.or_else(|| derived.then(|| judge.derived(evidence)).flatten());
        let withheld = found.map_or(Ok(()), Err);
        let parts = withheld.and_then(|()| sheet.parts(measure, &facts, cell, evidence));
        let mut found = Listed {
            row,
            measure: index,
            entry: Entry {
                id,
                shape,
                state: State::Sacrificed,
                project: sheet.project.to_owned(),
                core: sheet.core,
                facets: Vec::new(),
            },
            facets,
            fresh: true,
            parts: Vec::new(),
        };
        match settle(recalled, parts) {
            Settled::Withheld(reason) => self.withhold(index, key, reason),
            Settled::Near(parts, is_durable) => {
                self.show_near(&found, parts.clone());
                if !is_durable {
                    found.entry.state = State::Near(parts);
                    self.beside.push(found.entry);
                }
            }
            Settled::Again(parts, is_durable) => {
                found.fresh = false;
                self.show_again(found, parts, is_durable);
            }
            Settled::New(parts) => {
                found.entry.state = State::Released(parts.clone());
                // Nobody at all says nothing about somebody: the codebook makes such zeros public.
                let somebody = !evidence.people().is_empty();
                let facets = found.facets.iter().filter(|_| somebody);
                found.entry.facets = facets.map(|f| f.facet.clone()).collect();
                found.parts = parts;
                return Some(found);
            }
        }
        None
    }

    fn withhold(&mut self, measure: usize, key: &[Scalar], found: Withheld) {
        let finding = Finding::new(key.to_vec(), measure, found);
        self.outcome.findings.push(finding);
    }

    fn show(&mut self, row: usize, measure: usize, cell: Cell) {
        let row = self.rows.get_mut(row);
        if let Some(place) = row.and_then(|row| row.cells.get_mut(measure)) {
            *place = cell;
        }
    }

    fn show_near(&mut self, found: &Listed<'a>, parts: Vec<Number>) {
        self.outcome.near_earlier = self.outcome.near_earlier.saturating_add(1);
        self.show(found.row, found.measure, Cell::Near(parts));
    }

    /// A value of other data is durable for these data too: it must not be told from a later one.
    fn show_again(&mut self, mut found: Listed<'a>, parts: Vec<Number>, is_durable: bool) {
        self.outcome.repeated = self.outcome.repeated.saturating_add(1);
        if !is_durable {
            found.entry.state = State::Released(parts.clone());
            self.beside.push(found.entry.clone());
        }
        self.show(found.row, found.measure, Cell::Value(parts.clone()));
        found.parts = parts;
        self.listed.push(found);
    }

    /// Compares a cell with everything released, this table so far included.
    fn compare(&mut self, mut cell: Listed<'a>, history: &mut History) {
        let hits = match cell.entry.facets.is_empty() {
            true => Vec::new(),
            false => history.audit(self.from, &cell.facets),
        };
        if hits.is_empty() {
            history.hold(cell.entry.clone());
            self.show(cell.row, cell.measure, Cell::Value(cell.parts.clone()));
            self.listed.push(cell);
            return;
        }
        if let Some(parts) = history.near(self.from, &cell.entry, &cell.facets, &hits) {
            self.show_near(&cell, parts.clone());
            cell.entry.state = State::Near(parts);
            cell.entry.facets.clear();
            self.beside.push(cell.entry);
            return;
        }
        if let Some(parts) = self.with_near_size(&mut cell, history) {
            self.show_near(&cell, parts.clone());
            cell.entry.state = State::Near(parts);
            history.hold(cell.entry.clone());
            self.beside.push(cell.entry);
            return;
        }
        let key = self.rows.get(cell.row).map(|row| row.key.clone());
        let reason = hits.into_iter().next().map(withheld);
        if let (Some(key), Some(reason)) = (key, reason) {
            self.withhold(cell.measure, &key, reason);
        }
    }

    /// A mean, or a mean product, beside the size of an earlier release, where only the number of its persons says too
    /// much. What it says beyond that number stays in the entry; the number does not.
    fn with_near_size(&self, cell: &mut Listed<'a>, history: &mut History) -> Option<Vec<Number>> {
        let measure = self.sheet.question.measures.get(cell.measure)?;
        let key = &self.rows.get(cell.row)?.key;
        let evidence = self
            .sheet
            .evidence
            .cells
            .get(key)?
            .measures
            .get(cell.measure)?;
        // Another column derived of other words may be the same, of nearly the same persons.
        let plain = |of: &ColumnRef| !self.sheet.codebook.derived.contains_key(of);
        let may = match measure {
            Measure::Moments { column } => plain(column),
            Measure::Products { left, right } => plain(left) && plain(right),
            _ => false,
        };
        if !may || self.sheet.noise.is_some() {
            return None;
        }
        let (size, rest) = cell.facets.split_last()?;
        // Where no rows are told, the persons stand in their place too.
        let rest = match rest.split_last() {
            Some((rows, sum)) if rows.facet.form == Form::Persons => sum,
            _ => rest,
        };
        let kept = rest.len();
        let is_size = size.facet.form == Form::Persons && !rest.is_empty();
        if !is_size || !history.audit(self.from, rest).is_empty() {
            return None;
        }
        let hits = history.audit(self.from, std::slice::from_ref(size));
        let shown = history.near_size(self.from, &cell.entry, size, &hits)?;
        let parts = self.sheet.parts_beside(measure, evidence, shown)?;
        cell.entry.facets.truncate(kept);
        Some(parts)
    }

    /// The outcome. Rows without anything to show are listed in closed domains only.
    fn finish(self, judge: &Judge<'a>, is_closed: bool) -> Outcome {
        let shown = |row: &NodeRow| row.cells.iter().any(|cell| *cell != Cell::Suppressed);
        let mut outcome = self.outcome;
        let rows = self.rows.into_iter();
        outcome.table.rows = rows.filter(|row| is_closed || shown(row)).collect();
        let rows = u64::try_from(outcome.table.rows.len()).unwrap_or(u64::MAX);
        if let Some(found) = judge.rows(rows).filter(|_| !is_closed) {
            return Outcome {
                findings: vec![Finding::new(Vec::new(), 0, found)],
                ..Outcome::default()
            };
        }
        let fresh = self.listed.into_iter().filter(|cell| cell.fresh);
        outcome.fresh = fresh.map(|cell| cell.entry).chain(self.beside).collect();
        outcome
    }
}

/// What a finding says of a hit.
pub(crate) fn withheld(hit: Hit) -> Withheld {
    let reason = Reason {
        why: hit.why,
        statistic: hit.statistic,
    };
    (hit.rule, reason)
}

/// What becomes of a cell before it is compared with other releases.
enum Settled {
    Withheld(Withheld),
    /// And whether that is durable for the present data already, as below.
    Near(Vec<Number>, bool),
    /// And whether that is durable for the present data already.
    Again(Vec<Number>, bool),
    New(Vec<Number>),
}

fn settle(recalled: Option<Recall>, parts: Result<Vec<Number>, Withheld>) -> Settled {
    let parts = match recalled {
        Some(Recall::Again(earlier)) => return Settled::Again(earlier, true),
        Some(Recall::Refreshed(earlier)) => return Settled::Again(earlier, false),
        Some(Recall::NearAgain(earlier)) => return Settled::Near(earlier, true),
        Some(Recall::NearRefreshed(earlier)) => return Settled::Near(earlier, false),
        Some(Recall::GivenUp) => {
            let why = "it was given up so that others could leave";
            return Settled::Withheld(reason("H3", why, None));
        }
        Some(Recall::OtherProtection(earlier, statistic)) => parts.and_then(|parts| {
            let why = "it left before with another protection";
            let same = parts == earlier;
            let reason = || reason("H5", why, Some(statistic));
            same.then_some(parts).ok_or_else(reason)
        }),
        None => parts,
    };
    match parts {
        Ok(parts) => Settled::New(parts),
        Err(found) => Settled::Withheld(found),
    }
}

fn reason(rule: &'static str, why: &str, statistic: Option<Statistic>) -> Withheld {
    let why = why.to_owned();
    (rule, Reason { why, statistic })
}
