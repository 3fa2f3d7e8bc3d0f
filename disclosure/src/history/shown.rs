//! All facets ever shown, found by family, by number of persons and by shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::candidate::Statement;
use super::entry::{Entry, Facet, Form, ReleaseId, Shape, State};
use super::family::Releases;
use crate::signature::Signature;

/// A facet's place in the index.
pub(super) struct Indexed {
    /// Which entry says it.
    pub(super) entry: usize,
    /// How many persons are in it.
    pub(super) persons: u64,
    /// Which of its facets it is.
    at: usize,
    /// Who is in it, by sample.
    pub(super) signature: Arc<Signature>,
    /// Whether its shape says exactly whose rows these are.
    pub(super) exact: bool,
    /// Whether the same was said before, in this state of the data.
    repeat: bool,
}

/// A vector and the tables and boxes of those who are added up.
type Said = ([u8; 32], Shape);

/// Entries and their facets.
#[derive(Default)]
pub(super) struct Shown {
    entries: Vec<Entry>,
    facets: Vec<Indexed>,
    by_id: BTreeMap<ReleaseId, usize>,
    /// Facets of a family by number of persons.
    lanes: BTreeMap<[u8; 32], Vec<(u64, usize)>>,
    statements: BTreeMap<Said, Vec<usize>>,
    /// Entries of a cell, whatever the state of the data and the protection.
    cells: BTreeMap<([u8; 32], [u8; 32]), Vec<usize>>,
    /// The first entry of each state of the data under each protection.
    protections: BTreeMap<(String, String), usize>,
}

/// A moment of a history.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// How many entries there were.
    pub(super) entries: usize,
    facets: usize,
}

impl Mark {
    /// Numbers of the facets between two moments.
    pub(super) fn facets_until(self, later: Self) -> std::ops::Range<usize> {
        self.facets..later.facets
    }
}

impl Shown {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entry(&self, number: usize) -> Option<&Entry> {
        self.entries.get(number)
    }

    /// An entry of each state of the data under each protection.
    pub(super) fn protections(&self) -> impl Iterator<Item = &Entry> {
        let firsts = self.protections.values();
        firsts.filter_map(|number| self.entries.get(*number))
    }

    /// The entries of a cell, oldest first.
    pub(super) fn of_cell(
        &self,
        id: &ReleaseId,
    ) -> impl DoubleEndedIterator<Item = (usize, &Entry)> {
        let numbers = self.cells.get(&(id.predicate, id.vec));
        let numbers = numbers.into_iter().flatten();
        numbers.filter_map(|number| Some((*number, self.entries.get(*number)?)))
    }

    pub(super) fn find(&self, id: &ReleaseId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, number: usize) -> Option<(&Indexed, &Entry, &Facet)> {
        let indexed = self.facets.get(number)?;
        let entry = self.entries.get(indexed.entry)?;
        Some((indexed, entry, entry.facets.get(indexed.at)?))
    }

    /// Adds an entry and gives the numbers of its facets; `None` if it is there already.
    pub(super) fn add(&mut self, entry: Entry) -> Option<std::ops::Range<usize>> {
        if self.by_id.contains_key(&entry.id) {
            return None;
        }
        let first = self.facets.len();
        let whole = !matches!(entry.state, State::Union { exact: false });
        for (at, facet) in entry.facets.iter().enumerate() {
            let exact = whole && facet.form != Form::Rows(0);
            let number = self.facets.len();
            let repeat = exact && self.says(facet, &entry.id.epoch).is_some();
            let persons = facet.footprint.people.len();
            self.facets.push(Indexed {
                entry: self.entries.len(),
                persons,
                at,
                signature: Arc::clone(facet.footprint.people.signature()),
                exact,
                repeat,
            });
            if persons == 0 {
                continue;
            }
            let lane = self.lanes.entry(facet.vec).or_default();
            let place = (persons, number);
            lane.insert(lane.partition_point(|known| *known < place), place);
            if exact {
                let statement = (facet.vec, facet.shape.clone());
                self.statements.entry(statement).or_default().push(number);
            }
        }
        let number = self.entries.len();
        self.by_id.insert(entry.id.clone(), number);
        let cell = self.cells.entry((entry.id.predicate, entry.id.vec));
        cell.or_default().push(number);
        let protection = (entry.id.epoch.clone(), entry.id.protection.clone());
        self.protections.entry(protection).or_insert(number);
        self.entries.push(entry);
        Some(first..self.facets.len())
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            entries: self.entries.len(),
            facets: self.facets.len(),
        }
    }

    /// Forgets everything that came after a moment.
    pub(super) fn roll_back(&mut self, mark: Mark) {
        let gone = self.entries.get(mark.entries..).unwrap_or_default();
        for entry in gone {
            self.by_id.remove(&entry.id);
            let cell = (entry.id.predicate, entry.id.vec);
            if let Some(numbers) = self.cells.get_mut(&cell) {
                numbers.retain(|number| *number < mark.entries);
            }
            for facet in &entry.facets {
                if let Some(lane) = self.lanes.get_mut(&facet.vec) {
                    lane.retain(|(_, number)| *number < mark.facets);
                }
                let statement = (facet.vec, facet.shape.clone());
                if let Some(numbers) = self.statements.get_mut(&statement) {
                    numbers.retain(|number| *number < mark.facets);
                    if numbers.is_empty() {
                        self.statements.remove(&statement);
                    }
                }
            }
        }
        self.cells.retain(|_, numbers| !numbers.is_empty());
        self.lanes.retain(|_, lane| !lane.is_empty());
        self.protections.retain(|_, first| *first < mark.entries);
        self.entries.truncate(mark.entries);
        self.facets.truncate(mark.facets);
    }

    /// The facet that says exactly this, in this state of the data.
    pub(super) fn says(&self, facet: &Facet, epoch: &str) -> Option<usize> {
        self.found(facet.vec, facet.form, &facet.shape, epoch)
    }

    /// The facet that makes this statement, in this state of the data.
    pub(super) fn states(&self, statement: &Statement, epoch: &str) -> Option<usize> {
        self.found(statement.vec, statement.form, &statement.shape, epoch)
    }

    fn found(&self, vec: [u8; 32], form: Form, shape: &Shape, epoch: &str) -> Option<usize> {
        self.stated(vec, shape).find(|number| {
            self.get(*number)
                .is_some_and(|(_, e, other)| e.id.epoch == epoch && other.form == form)
        })
    }

    /// All facets of this vector and shape, whatever each person adds, in any state of the data.
    pub(super) fn stated(&self, vec: [u8; 32], shape: &Shape) -> impl Iterator<Item = usize> {
        let found = self.statements.get(&(vec, shape.clone()));
        found.into_iter().flatten().copied()
    }

    /// Facets of a family with `low..=high` persons, ascending by that.
    pub(super) fn lane(&self, vec: &[u8; 32], low: u64, high: u64) -> &[(u64, usize)] {
        let lane = self.lanes.get(vec).map(Vec::as_slice).unwrap_or_default();
        let from = lane.partition_point(|(persons, _)| *persons < low);
        let to = lane.partition_point(|(persons, _)| *persons <= high);
        lane.get(from..to).unwrap_or_default()
    }

    /// All facets of families whose name begins so.
    pub(super) fn marked(&self, mark: [u8; 8]) -> impl Iterator<Item = usize> {
        let mut first = [0; 32];
        first.iter_mut().zip(mark).for_each(|(to, from)| *to = from);
        let lanes = self.lanes.range(first..);
        let marked = lanes.take_while(move |(vec, _)| vec.starts_with(&mark));
        marked.flat_map(|(_, lane)| lane.iter().map(|(_, number)| *number))
    }

    /// Whether the facet says something that nothing before it says.
    pub(super) fn is_first(&self, number: usize) -> bool {
        self.facets.get(number).is_some_and(|found| !found.repeat)
    }
}

impl Releases for Shown {
    fn facet(&self, number: usize) -> Option<&Facet> {
        self.get(number).map(|(_, _, facet)| facet)
    }
}
