//! One dimension of a family, cut into atoms: the parts that no release tells apart yet.
//!
//! A run is a set of neighbouring atoms that is worth hiding: an interval where values have an order
//! (missing comes after the last), else one value or two; also all but such. What it must not know: releases, persons.

use quorate_query::codebook::Codebook;
use quorate_query::question::Values;
use quorate_query::set::{domain_values, ordinal};
use quorate_query::value::{ColumnType, Scalar};

use super::place::{Dim, Part};
use crate::history::bound;

/// A piece of a dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    /// In the cohort, present in the table.
    In,
    /// Not so.
    Out,
    /// These values.
    Values(Values),
    /// Missing.
    Null,
    /// The person has no row in the column's table.
    Absent,
}

/// A dimension and its atoms. Those of an ordered column ascend; missing and absent come last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) atoms: Vec<Atom>,
    pub(super) ordered: bool,
    /// How many are missing may be known.
    pub(super) missing_public: bool,
}

impl Axis {
    /// A dimension that nothing cuts yet. `may_be_absent`: persons without the table count too.
    pub(super) fn whole(dim: &Dim, codebook: &Codebook, may_be_absent: bool) -> Self {
        let Dim::Column(name) = dim else {
            return Self {
                atoms: vec![Atom::In, Atom::Out],
                ordered: false,
                missing_public: false,
            };
        };
        let column = codebook.column(name);
        let closed = column.and_then(domain_values);
        let text = column.is_some_and(|column| column.ty == ColumnType::Text);
        let ordered = closed.is_none() && !text;
        let values = match (closed, column) {
            (Some(domain), Some(column)) => explicit(&domain, column.ty),
            _ => Values::All,
        };
        // A number of rows is never zero.
        let values = match bound(name, codebook) {
            Some(bound) => values.intersect(&bound.values),
            None => values,
        };
        let never_missing = column.is_some_and(|column| column.required);
        let mut atoms = vec![Atom::Values(values)];
        atoms.extend((!never_missing).then_some(Atom::Null));
        atoms.extend(may_be_absent.then_some(Atom::Absent));
        Self {
            atoms,
            ordered,
            missing_public: column.is_some_and(|column| column.missing_public),
        }
    }

    /// The second dimension of a family that has only one.
    pub(super) fn single() -> Self {
        Self {
            atoms: vec![Atom::In],
            ordered: false,
            missing_public: false,
        }
    }

    /// Cuts atoms that lie in a part only partly; says for each new atom which it was cut from.
    /// `None` if there is nothing to cut.
    pub(super) fn cut(&self, part: &Part) -> Option<(Self, Vec<usize>)> {
        let Part::Among(set) = part else {
            return None;
        };
        let sides = [&set.values, &set.values.complement()];
        if !self.atoms.iter().any(|atom| parts(atom, sides).is_some()) {
            return None;
        }
        let mut atoms = Vec::with_capacity(self.atoms.len() + 2);
        let mut origin = Vec::with_capacity(self.atoms.len() + 2);
        for (index, atom) in self.atoms.iter().enumerate() {
            let pieces = match parts(atom, sides) {
                Some(parts) => self.pieces(parts),
                None => vec![atom.clone()],
            };
            origin.extend(pieces.iter().map(|_| index));
            atoms.extend(pieces);
        }
        let axis = Self {
            atoms,
            ..self.clone()
        };
        Some((axis, origin))
    }

    /// Whether there is anything to cut.
    pub(super) fn is_cut_by(&self, part: &Part) -> bool {
        let Part::Among(set) = part else {
            return false;
        };
        let sides = [&set.values, &set.values.complement()];
        self.atoms.iter().any(|atom| parts(atom, sides).is_some())
    }

    fn pieces(&self, [inside, outside]: [Values; 2]) -> Vec<Atom> {
        let (true, Values::Ranges(a), Values::Ranges(b)) = (self.ordered, &inside, &outside) else {
            return vec![Atom::Values(inside), Atom::Values(outside)];
        };
        let mut ranges: Vec<_> = a.iter().chain(b).copied().collect();
        ranges.sort_unstable_by_key(|range| (range.0.is_some(), range.0));
        let piece = |range| Atom::Values(Values::from_ranges([range]));
        ranges.into_iter().map(piece).collect()
    }

    /// Which atoms a part covers; `None` covers everything. The atoms must be cut to it.
    pub(super) fn inside(&self, part: Option<&Part>, present: bool) -> Vec<bool> {
        let within = |atom: &Atom| match (part, atom) {
            (_, Atom::Absent) => !present,
            (None, _) | (Some(Part::In), Atom::In) | (Some(Part::Out), Atom::Out) => true,
            (Some(Part::Among(set)), Atom::Values(values)) => {
                !set.values.intersect(values).is_empty()
            }
            (Some(Part::Among(set)), Atom::Null) => set.null,
            (Some(_), _) => false,
        };
        self.atoms.iter().map(within).collect()
    }

    /// The runs of an axis without order, as ascending lists of atoms: one atom, two, all but one or
    /// two, everything with a value, everything.
    pub(super) fn lists(&self) -> Vec<Vec<usize>> {
        let all = self.atoms.len();
        let few: Vec<Vec<usize>> = (0..all)
            .flat_map(|a| (a..all).map(move |b| if a == b { vec![a] } else { vec![a, b] }))
            .collect();
        let but = |few: &Vec<usize>| (0..all).filter(|atom| !few.contains(atom)).collect();
        let mut runs: Vec<Vec<usize>> = few.iter().map(but).collect();
        let has_value = |atom: &&Atom| !matches!(atom, Atom::Null | Atom::Absent);
        let valued = self.atoms.iter().filter(has_value).count();
        runs.extend([(0..valued).collect(), (0..all).collect()]);
        runs.extend(few);
        runs.retain(|run| !run.is_empty());
        runs.sort_unstable();
        runs.dedup();
        runs
    }
}

/// What of an atom is on either side, if it is on both.
fn parts(atom: &Atom, [inside, outside]: [&Values; 2]) -> Option<[Values; 2]> {
    let Atom::Values(values) = atom else {
        return None;
    };
    let inside = Some(values.intersect(inside)).filter(|some| !some.is_empty())?;
    let outside = Some(values.intersect(outside)).filter(|some| !some.is_empty())?;
    Some([inside, outside])
}

/// A closed domain as a set of its own values, not as `All`.
fn explicit(domain: &[Scalar], ty: ColumnType) -> Values {
    if ty == ColumnType::Text {
        return Values::texts(domain.iter().filter_map(|value| match value {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        }));
    }
    Values::points(domain.iter().filter_map(|value| ordinal(value, ty)))
}
