//! Which families a release belongs to. A family is what its members have in common (the base: all
//! parts but those of one or two dimensions) and which dimensions they differ in.
//!
//! Every release is listed under each base that is left of it when up to two dimensions are taken
//! away, so the members of a family are found without looking at others.
//! What it must not know: atoms, persons.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{Dim, Part, Place};
use crate::history::Form;

/// A dimension, by number.
pub(super) type DimNo = u32;
/// A dimension with a part of it, by number.
pub(super) type PartNo = u32;
/// Parts of some dimensions, ascending.
pub(super) type Parts = BTreeMap<DimNo, PartNo>;

/// Numbers for dimensions and parts, so that bases are short and quickly compared.
#[derive(Default)]
pub(super) struct Names {
    dims: Vec<Dim>,
    dim_numbers: BTreeMap<Dim, DimNo>,
    parts: Vec<Part>,
    part_numbers: BTreeMap<Part, PartNo>,
}

impl Names {
    pub(super) fn parts(&mut self, place: &Place) -> Parts {
        let mut parts = Parts::new();
        for (dim, part) in &place.parts {
            if let Some(table) = dim.table() {
                self.dim_number(&table);
            }
            parts.insert(self.dim_number(dim), self.part_number(part));
        }
        parts
    }

    pub(super) fn dim(&self, number: DimNo) -> Option<&Dim> {
        self.dims.get(usize::try_from(number).ok()?)
    }

    pub(super) fn part(&self, number: PartNo) -> Option<&Part> {
        self.parts.get(usize::try_from(number).ok()?)
    }

    /// The table of a column.
    pub(super) fn table(&self, number: DimNo) -> Option<DimNo> {
        let table = self.dim(number)?.table()?;
        self.dim_numbers.get(&table).copied()
    }

    pub(super) fn dim_number(&mut self, dim: &Dim) -> DimNo {
        if let Some(known) = self.dim_numbers.get(dim) {
            return *known;
        }
        let number = u32::try_from(self.dims.len()).unwrap_or(u32::MAX);
        self.dims.push(dim.clone());
        self.dim_numbers.insert(dim.clone(), number);
        number
    }

    fn part_number(&mut self, part: &Part) -> PartNo {
        if let Some(known) = self.part_numbers.get(part) {
            return *known;
        }
        let number = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        self.parts.push(part.clone());
        self.part_numbers.insert(part.clone(), number);
        number
    }
}

/// What the members of some families have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Base {
    /// What each person adds: persons, rows and sums are spaces of their own.
    pub(super) form: Form,
    /// The event table whose rows are meant.
    pub(super) events: Option<String>,
    /// The parts that all have.
    pub(super) parts: Parts,
}

/// The dimensions in which members of a family may differ.
pub(super) type Pair = (DimNo, Option<DimNo>);

/// A base of a release, and the dimensions taken away for it.
pub(super) struct Removal {
    pub(super) base: Base,
    pub(super) removed: BTreeSet<DimNo>,
}

/// All bases of a release: up to two dimensions taken away; with the last column of a table also
/// presence in it.
pub(super) fn removals(
    form: Form,
    events: Option<&String>,
    parts: &Parts,
    names: &Names,
) -> Vec<Removal> {
    let dims: Vec<DimNo> = parts.keys().copied().collect();
    let mut sets: BTreeSet<BTreeSet<DimNo>> = BTreeSet::new();
    sets.insert(BTreeSet::new());
    for (index, a) in dims.iter().enumerate() {
        for b in dims.iter().skip(index) {
            let taken: BTreeSet<DimNo> = [*a, *b].into();
            for also in detachable(&taken, parts, names) {
                sets.insert(&taken | &also);
            }
        }
    }
    let removal = |removed: BTreeSet<DimNo>| Removal {
        base: Base {
            form,
            events: events.cloned(),
            parts: parts
                .iter()
                .filter(|(dim, _)| !removed.contains(dim))
                .map(|(dim, part)| (*dim, *part))
                .collect(),
        },
        removed,
    };
    sets.into_iter().map(removal).collect()
}

/// Sets of tables that may be taken away with some columns: those of which no other column stays.
fn detachable(taken: &BTreeSet<DimNo>, parts: &Parts, names: &Names) -> Vec<BTreeSet<DimNo>> {
    let tables: BTreeSet<DimNo> = taken
        .iter()
        .filter_map(|dim| names.table(*dim))
        .filter(|table| parts.contains_key(table))
        .collect();
    let free = |table: &DimNo| {
        let own = |dim: &DimNo| names.table(*dim) == Some(*table);
        parts.keys().all(|dim| taken.contains(dim) || !own(dim))
    };
    let free: Vec<DimNo> = tables.into_iter().filter(free).collect();
    let mut sets = vec![BTreeSet::new()];
    for table in free {
        let with_it = |set: &BTreeSet<DimNo>| {
            let mut set = set.clone();
            set.insert(table);
            set
        };
        let more: Vec<_> = sets.iter().map(with_it).collect();
        sets.extend(more);
    }
    sets
}

/// Dimensions taken away on their own account, not as the table of a column.
pub(super) fn principal(removed: &BTreeSet<DimNo>, names: &Names) -> BTreeSet<DimNo> {
    let tables: BTreeSet<DimNo> = removed.iter().filter_map(|dim| names.table(*dim)).collect();
    removed - &tables
}

/// What may be missing from the base in a family of this pair.
pub(super) fn allowed(pair: Pair, names: &Names) -> BTreeSet<DimNo> {
    let dims = [Some(pair.0), pair.1];
    let tables = dims.map(|dim| dim.and_then(|dim| names.table(dim)));
    dims.into_iter().chain(tables).flatten().collect()
}

/// The pairs of dimensions of which a release that was `removed` to a base may be part, given the
/// dimensions that others there differ in.
pub(super) fn pairs(
    removed: &BTreeSet<DimNo>,
    others: &BTreeSet<DimNo>,
    names: &Names,
) -> Vec<Pair> {
    let own: Vec<DimNo> = principal(removed, names).into_iter().collect();
    match own.as_slice() {
        [] => {
            let all: Vec<DimNo> = others.iter().copied().collect();
            let mut pairs = Vec::new();
            for (index, a) in all.iter().enumerate() {
                let later = all.iter().skip(index + 1).filter(|b| !tied(*a, **b, names));
                pairs.extend(later.map(|b| (*a, Some(*b))));
            }
            if pairs.is_empty() {
                pairs.extend(all.iter().map(|a| (*a, None)));
            }
            pairs
        }
        [a] => {
            let second = others.iter().filter(|b| *b != a && !tied(*a, **b, names));
            let mut pairs: Vec<Pair> = second.map(|b| (*a.min(b), Some(*a.max(b)))).collect();
            if pairs.is_empty() {
                pairs.push((*a, None));
            }
            pairs
        }
        [a, b] => vec![(*a, Some(*b))],
        _ => Vec::new(),
    }
}

/// Whether one is the table of the other: then they are one dimension.
fn tied(a: DimNo, b: DimNo, names: &Names) -> bool {
    names.table(a) == Some(b) || names.table(b) == Some(a)
}
