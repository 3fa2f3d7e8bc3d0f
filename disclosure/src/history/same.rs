//! One shape for one set of persons or rows, however it was asked for: shapes that are equal here
//! hold the same whatever the data.
//!
//! It rests on three things that a node guarantees: rows of persons who are not in the unit table
//! count for nothing; a table that is not of events has at most one row of a person; persons of an
//! event table are those who have at least one of its rows. What conditions on derived columns mean
//! follows from their definitions. It must not know persons.

use std::collections::BTreeSet;

use quorate_query::codebook::{Codebook, ColumnRef, RowsPer};
use quorate_query::question::{Cohort, Predicate, Set};

use super::boxes::{implies, is_inside};
use super::entry::{Form, Shape};
use super::meaning::{self, Meaning};
use crate::facets::narrow;

/// The shape that stands for all that mean the same: the same persons, or the same rows. One of a
/// table that the codebook does not have stays as it is.
pub(crate) fn same(shape: &Shape, form: Form, codebook: &Codebook) -> Shape {
    if !codebook.tables.contains_key(&shape.rows) {
        return shape.clone();
    }
    let mut known = Same {
        codebook,
        rows: codebook.unit.table.clone(),
        joined: BTreeSet::new(),
        predicate: Predicate::default(),
    };
    let is_kept = form != Form::Persons && known.is_of_events(&shape.rows);
    if is_kept {
        known.rows.clone_from(&shape.rows);
        known.join(&codebook.unit.table);
        known.take(&shape.joined, &shape.predicate);
    } else {
        known.select(&shape.rows, &shape.joined, &shape.predicate);
    }
    known.drop_wider();
    if is_kept {
        known.drop_told();
    }
    Shape {
        rows: known.rows,
        joined: known.joined,
        predicate: known.predicate,
    }
}

/// A cohort as shapes have it; `None` if it says more of a person than that they have one such row.
pub(crate) fn in_form(cohort: &Cohort, codebook: &Codebook) -> Option<Cohort> {
    let predicate = Predicate {
        cohorts: [cohort.clone()].into(),
        ..Predicate::default()
    };
    let everybody = Shape {
        rows: codebook.unit.table.clone(),
        joined: BTreeSet::new(),
        predicate,
    };
    let found = same(&everybody, Form::Persons, codebook);
    let alone = found.joined.is_empty() && found.predicate.boxes.is_empty();
    let mut cohorts = found.predicate.cohorts.into_iter();
    cohorts
        .next()
        .filter(|one| alone && !one.negated && cohorts.next().is_none())
}

/// Persons who have some event, as events: by the one event that they must have. `None` if they must
/// have none or several.
pub(crate) fn by_event(shape: &Shape, codebook: &Codebook) -> Option<Shape> {
    let cohorts = &shape.predicate.cohorts;
    let mut had = cohorts.iter().filter(|cohort| !cohort.negated);
    let (Some(event), None) = (had.next(), had.next()) else {
        return None;
    };
    let mut predicate = shape.predicate.clone();
    predicate.cohorts.remove(event);
    predicate.boxes.extend(event.filter.boxes.clone());
    let mut joined = shape.joined.clone();
    joined.insert(codebook.unit.table.clone());
    Some(Shape {
        rows: event.rows.clone(),
        joined,
        predicate,
    })
}

/// A shape in the making.
struct Same<'a> {
    codebook: &'a Codebook,
    rows: String,
    joined: BTreeSet<String>,
    predicate: Predicate,
}

impl Same<'_> {
    fn is_of_events(&self, table: &str) -> bool {
        let found = self.codebook.tables.get(table);
        found.is_some_and(|table| matches!(table.rows, RowsPer::Many { .. }))
    }

    /// Everybody is in the unit table: beside its own rows it restricts nothing.
    fn join(&mut self, table: &str) {
        if table != self.rows {
            self.joined.insert(table.to_owned());
        }
    }

    /// Persons must satisfy this; boxes of the event table whose rows are meant come with them.
    fn take(&mut self, joined: &BTreeSet<String>, predicate: &Predicate) {
        joined.iter().for_each(|table| self.join(table));
        for (column, set) in &predicate.boxes {
            self.narrow(column, set);
        }
        for cohort in &predicate.cohorts {
            match cohort.negated {
                true => self.leave_out(cohort),
                false => self.select(&cohort.rows, &cohort.joined, &cohort.filter),
            }
        }
    }

    fn narrow(&mut self, column: &ColumnRef, set: &Set) {
        let known = self.predicate.boxes.get(column);
        let both = known.map_or_else(|| set.clone(), |known| known.intersect(set));
        let Some(meaning) = meaning::of(column, &both, self.codebook) else {
            return narrow(&mut self.predicate, column, set, self.codebook);
        };
        self.predicate.boxes.remove(column);
        self.mean(column, &meaning);
    }

    /// In the place of a condition on a derived column, what it means.
    fn mean(&mut self, column: &ColumnRef, meaning: &Meaning) {
        for (input, set) in &meaning.boxes {
            if input.table != column.table {
                self.join(&input.table);
            }
            self.narrow(input, set);
        }
        for cohort in &meaning.cohorts {
            match cohort.negated {
                true => self.leave_out(cohort),
                false => self.select(&cohort.rows, &cohort.joined, &cohort.filter),
            }
        }
        narrow(&mut self.predicate, column, &meaning.rest, self.codebook);
    }

    /// Persons must have such a row. Of an event table, what is said of the person moves out, and
    /// what is said of the row stays together.
    fn select(&mut self, rows: &str, joined: &BTreeSet<String>, filter: &Predicate) {
        if !self.is_of_events(rows) {
            self.join(rows);
            self.take(joined, filter);
            return;
        }
        let (of_row, of_person) = filter
            .boxes
            .clone()
            .into_iter()
            .partition(|(column, _)| column.table == rows);
        let cohorts = filter.cohorts.clone();
        let boxes = of_person;
        self.take(joined, &Predicate { boxes, cohorts });
        self.predicate.cohorts.insert(Cohort {
            negated: false,
            rows: rows.to_owned(),
            joined: BTreeSet::new(),
            filter: Predicate {
                boxes: of_row,
                cohorts: BTreeSet::new(),
            },
        });
    }

    /// Persons must not have such a row: that nobody is outside the unit table changes nothing.
    fn leave_out(&mut self, cohort: &Cohort) {
        let mut cohort = cohort.clone();
        if self.is_of_events(&cohort.rows) {
            cohort.joined.remove(&self.codebook.unit.table);
        }
        self.predicate.cohorts.insert(cohort);
    }

    /// Who has such a row has one of a wider kind; who has none of a wider kind has no such row.
    fn drop_wider(&mut self) {
        let all = self.predicate.cohorts.clone();
        self.predicate.cohorts.retain(|cohort| {
            // in normal form, two that imply each other are equal
            let mut others = all.iter().filter(|other| *other != cohort);
            !others.any(|other| implies(other, cohort))
        });
    }

    /// Whose row this is has a row like it.
    fn drop_told(&mut self) {
        let rows = self.rows.clone();
        let own = Predicate {
            boxes: self.predicate.boxes.clone(),
            cohorts: BTreeSet::new(),
        };
        self.predicate.cohorts.retain(|cohort| {
            let alike = cohort.rows == rows && cohort.joined.is_empty();
            cohort.negated || !alike || !is_inside(&own, &cohort.filter)
        });
    }
}
