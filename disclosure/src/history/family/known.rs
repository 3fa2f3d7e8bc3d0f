//! A release that is in: where it lies, of which state of the data, and what alternatives it has. What it
//! must not know: persons.

use std::collections::BTreeSet;

use quorate_query::codebook::Codebook;

use super::place::Place;
use super::shelf::{DimNo, Names, Parts};
use crate::history::Form;

/// A facet that is in.
pub(super) struct Known {
    pub(super) parts: Parts,
    pub(super) epoch: usize,
    pub(super) form: Form,
    pub(super) events: Option<String>,
    /// Dimensions that stand for alternatives.
    conditions: BTreeSet<DimNo>,
    /// Dimensions that these are about.
    pub(super) about: BTreeSet<DimNo>,
}

impl Known {
    pub(super) fn of(
        place: Place,
        form: Form,
        epoch: usize,
        names: &mut Names,
        codebook: &Codebook,
    ) -> Self {
        let (mut conditions, mut about) = (BTreeSet::new(), BTreeSet::new());
        for dim in place.parts.keys() {
            if dim.condition(codebook).is_some() {
                conditions.insert(names.dim_number(dim));
                let all = dim.about(codebook).into_iter();
                about.extend(all.map(|dim| names.dim_number(&dim)));
            }
        }
        Self {
            parts: names.parts(&place),
            epoch,
            form,
            events: place.events,
            conditions,
            about,
        }
    }

    pub(super) fn has_alternatives(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// What all have in common who differ in these dimensions only, and what it is in these; `None` if its
    /// alternatives are about others too.
    pub(super) fn apart(&self, dims: &BTreeSet<DimNo>) -> Option<(Parts, Parts)> {
        let within = |dim: &DimNo| dims.contains(dim) || self.conditions.contains(dim);
        let parts = self.parts.iter().map(|(dim, part)| (*dim, *part));
        let (inside, outside) = parts.partition(|(dim, _)| within(dim));
        let own = self.about.is_subset(dims);
        own.then_some((outside, inside))
    }
}

/// The states of the data whose releases are in a family. What was told of an earlier state says of a
/// group who was in it then, and a sum that follows from releases of one state shows who is in it now: so
/// there are families with earlier releases and without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum States {
    /// The one that is asked about.
    Present,
    /// All from this one on.
    Since(usize),
    /// All there ever were.
    All,
}

impl States {
    pub(super) fn has(self, epoch: usize, present: usize) -> bool {
        match self {
            Self::Present => epoch == present,
            Self::Since(first) => epoch >= first,
            Self::All => true,
        }
    }
}
