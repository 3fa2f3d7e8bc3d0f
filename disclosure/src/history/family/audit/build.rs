//! A family as it is built from what was released: its grid, and which of its releases cover what.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::{FamilyAudit, Name};
use crate::history::family::Setting;
use crate::history::family::grid::{Cover, Covers, Dims, Grid, TooLarge};
use crate::history::family::kept::Kept;
use crate::history::family::known::{Known, States};
use crate::history::family::place::{Dim, Part, Place};
use crate::history::family::shelf::{Base, DimNo, Names, Pair};

impl FamilyAudit {
    /// A family of everything that was released in it.
    pub(super) fn build(&self, base: &Base, name: Name, setting: &Setting<'_>) -> Kept {
        let Name { pair, states, .. } = name;
        let mut oldest = self.present;
        let mut members = Vec::new();
        for number in self.members(base, pair) {
            let Some((known, facet)) = self
                .known_in(base, number)
                .zip(setting.releases.facet(number))
            else {
                continue;
            };
            if !states.has(known.epoch, self.present) {
                continue;
            }
            // However many of its persons have changed: others may take just these off again.
            oldest = oldest.min(known.epoch);
            members.push((number, known, facet));
        }
        let mut family = Kept {
            grid: self.grid(base, pair, setting).ok_or(TooLarge { atoms: 0 }),
            members: Vec::new(),
            oldest,
            changed: self.changed(states, oldest),
            of_rows: self.is_of_rows(base, pair),
            drifts: Vec::new(),
            newest: BTreeMap::new(),
            even: Vec::new(),
            asked: None,
        };
        for (number, known, facet) in members {
            family.admit(number, covers(known, base, pair, &self.names), facet);
        }
        family
    }

    /// Whose data are not the same in all states from the oldest on.
    pub(super) fn changed(&self, states: States, oldest: usize) -> RoaringBitmap {
        let since = self.changed_since.get(oldest);
        let mixed = since.filter(|_| states != States::Present);
        mixed.cloned().unwrap_or_default()
    }

    fn grid(&self, base: &Base, pair: Pair, setting: &Setting<'_>) -> Option<Grid> {
        let absent = |dim: DimNo| {
            let Some(Dim::Column(column)) = self.names.dim(dim) else {
                return false;
            };
            let given = self
                .names
                .table(dim)
                .is_some_and(|t| base.parts.contains_key(&t));
            !given && base.events.as_ref() != Some(&column.table)
        };
        let dims = Dims {
            first: self.names.dim(pair.0)?.clone(),
            second: match pair.1 {
                Some(dim) => Some(self.names.dim(dim)?.clone()),
                None => None,
            },
            may_be_absent: [absent(pair.0), pair.1.is_some_and(absent)],
            cohorts: self.cohorts(base),
        };
        Some(Grid::new(dims, setting.codebook))
    }

    fn cohorts(&self, base: &Base) -> Vec<(Dim, Part)> {
        let named = |(dim, part): (&DimNo, &u32)| {
            let dim = self.names.dim(*dim)?;
            let is_cohort = matches!(dim, Dim::Cohort(_));
            let part = self.names.part(*part).filter(|_| is_cohort)?;
            Some((dim.clone(), part.clone()))
        };
        base.parts.iter().filter_map(named).collect()
    }

    fn is_of_rows(&self, base: &Base, pair: Pair) -> bool {
        let place = Place {
            events: base.events.clone(),
            parts: BTreeMap::new(),
        };
        let dims = [Some(pair.0), pair.1].into_iter().flatten();
        dims.filter_map(|dim| self.names.dim(dim))
            .any(|dim| place.is_of_rows(dim))
    }
}

/// What a release covers in a family.
pub(super) fn covers(known: &Known, base: &Base, pair: Pair, names: &Names) -> Covers {
    let cover = |dim: Option<DimNo>| {
        let part = dim.and_then(|dim| known.parts.get(&dim));
        Cover {
            part: part.and_then(|part| names.part(*part)).cloned(),
            present: dim.is_none_or(|dim| is_present(known, base, dim, names)),
        }
    };
    [cover(Some(pair.0)), cover(pair.1)]
}

/// Whether a release is of persons only that are in the table of a column.
pub(super) fn is_present(known: &Known, base: &Base, dim: DimNo, names: &Names) -> bool {
    let Some(Dim::Column(column)) = names.dim(dim) else {
        return true;
    };
    let joined = names.table(dim);
    joined.is_some_and(|table| known.parts.contains_key(&table))
        || base.events.as_ref() == Some(&column.table)
}
