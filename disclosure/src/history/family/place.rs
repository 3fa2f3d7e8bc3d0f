//! Where a release lies: its part of every dimension. A dimension is a column, a cohort (in, out)
//! or presence in a table that has at most one row per person. What it must not know: persons.

use std::collections::{BTreeMap, BTreeSet};

use quorate_query::codebook::{Codebook, ColumnRef, RowsPer};
use quorate_query::question::{Cohort, Predicate, Set};

use crate::history::Shape;

/// Something that releases can differ in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dim {
    /// A column.
    Column(ColumnRef),
    /// A semi-join, never negated.
    Cohort(Box<Cohort>),
    /// Presence in a table.
    Table(String),
}

/// The part of a dimension that a release covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// In the cohort, present in the table.
    In,
    /// Not in the cohort.
    Out,
    /// These values of the column.
    Among(Set),
}

/// A release as a product of parts; a dimension that is not listed is not restricted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The event table whose rows are meant; `None` where one row is one person.
    pub(super) events: Option<String>,
    /// Parts of the dimensions that are restricted.
    pub(super) parts: BTreeMap<Dim, Part>,
}

impl Place {
    /// The place of a shape; `None` if nobody can be there.
    pub(super) fn of(shape: &Shape, codebook: &Codebook) -> Option<Self> {
        let many = |table: &str| {
            let table = codebook.tables.get(table);
            table.is_some_and(|table| matches!(table.rows, RowsPer::Many { .. }))
        };
        let events = many(&shape.rows).then(|| shape.rows.clone());
        let mut parts = BTreeMap::new();
        let present = shape.joined.iter().chain([&shape.rows]);
        for table in present.filter(|table| events.as_ref() != Some(table)) {
            parts.insert(Dim::Table(table.clone()), Part::In);
        }
        for (column, set) in &shape.predicate.boxes {
            parts.insert(Dim::Column(column.clone()), Part::Among(set.clone()));
        }
        for cohort in &shape.predicate.cohorts {
            let (dim, part) = of_cohort(cohort);
            let known = parts.insert(dim, part.clone());
            if known.is_some_and(|known| known != part) {
                return None;
            }
        }
        Some(Self { events, parts })
    }

    /// Whether a dimension belongs to the rows of the event table, not to the person.
    pub(super) fn is_of_rows(&self, dim: &Dim) -> bool {
        match dim {
            Dim::Column(column) => Some(&column.table) == self.events.as_ref(),
            Dim::Cohort(_) | Dim::Table(_) => false,
        }
    }
}

/// A cohort as a dimension, and which part of it is meant.
fn of_cohort(cohort: &Cohort) -> (Dim, Part) {
    let part = if cohort.negated { Part::Out } else { Part::In };
    let plain = Cohort {
        negated: false,
        ..cohort.clone()
    };
    (Dim::Cohort(Box::new(plain)), part)
}

/// The parts that a condition restricts dimensions to.
pub(super) fn parts_of(condition: &Predicate) -> impl Iterator<Item = (Dim, Part)> + '_ {
    let boxes = condition.boxes.iter();
    let boxes = boxes.map(|(column, set)| (Dim::Column(column.clone()), Part::Among(set.clone())));
    boxes.chain(condition.cohorts.iter().map(of_cohort))
}

impl Dim {
    /// Of a cohort of the unit table's own rows, the condition that these meet: alternatives are such.
    pub(super) fn condition(&self, codebook: &Codebook) -> Option<&Predicate> {
        match self {
            Self::Cohort(cohort)
                if cohort.rows == codebook.unit.table && cohort.joined.is_empty() =>
            {
                Some(&cohort.filter)
            }
            _ => None,
        }
    }

    /// The dimensions that such a condition is about.
    pub(super) fn about(&self, codebook: &Codebook) -> BTreeSet<Self> {
        let Some(condition) = self.condition(codebook) else {
            return BTreeSet::new();
        };
        let each = parts_of(condition).flat_map(|(dim, _)| match dim.condition(codebook) {
            Some(_) => dim.about(codebook),
            None => [dim].into(),
        });
        each.collect()
    }

    /// The table of a column, as a dimension of its own.
    pub(super) fn table(&self) -> Option<Self> {
        match self {
            Self::Column(column) => Some(Self::Table(column.table.clone())),
            Self::Cohort(_) | Self::Table(_) => None,
        }
    }

    /// Whether everybody in this cohort is in the other, whatever the data.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let (Self::Cohort(inner), Self::Cohort(outer)) = (self, other) else {
            return false;
        };
        let anything = Set::anything();
        inner.rows == outer.rows
            && inner.joined.is_superset(&outer.joined)
            && inner.filter.cohorts.is_superset(&outer.filter.cohorts)
            && outer.filter.boxes.iter().all(|(column, set)| {
                let own = inner.filter.boxes.get(column).unwrap_or(&anything);
                own.is_subset(set)
            })
    }
}
