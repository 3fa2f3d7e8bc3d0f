//! What a rule about earlier releases looks at, and what it may find.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quorate_query::codebook::Codebook;
use quorate_query::release::{ReleaseParams, k_eff};
use roaring::RoaringBitmap;

use super::candidate::FacetCandidate;
use super::entry::{Entry, Facet};
use super::shown::{Indexed, Shown};
use super::spread::support;
use super::times::Changed;
use crate::Statistic;

/// Everything released, as seen from one question.
pub(super) struct View<'a> {
    /// Every facet ever shown, those of this question included.
    pub(super) shown: &'a Shown,
    /// Whose data differ between an epoch and the present one.
    pub(super) changed: &'a BTreeMap<String, Changed>,
    /// State of the data.
    pub(super) epoch: &'a str,
    /// Parameters of release.
    pub(super) params: &'a ReleaseParams,
    /// The codebook.
    pub(super) codebook: &'a Codebook,
    /// Sums of cells of this question: the entries from here on with this measure are cells and
    /// sums of the same table. What follows from these alone is in the table anyhow.
    pub(super) within: Option<(usize, [u8; 32])>,
}

/// What a rule found against a facet.
pub(crate) struct Hit {
    /// Which rule.
    pub(crate) rule: &'static str,
    /// What it found.
    pub(crate) why: String,
    /// The number that decided.
    pub(crate) statistic: Option<Statistic>,
    /// The earlier release in whose place it could be shown, if it is all but the same.
    pub(crate) near: Near,
}

/// Whether an earlier release is all but the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Near {
    /// This entry is, and what differs is not sensitive.
    Entry(usize),
    /// Nothing is said about it.
    No,
    /// It must not be shown in this place: what differs is sensitive.
    Never,
}

/// A rule about earlier releases.
pub(super) struct Rule {
    /// Its judgement of one facet.
    pub(super) find: fn(&View<'_>, &FacetCandidate<'_>) -> Vec<Hit>,
}

impl View<'_> {
    /// Differences are at least of so many persons. Never less than the threshold of a cell.
    pub(super) fn k_diff(&self) -> u64 {
        u64::from(k_eff(self.params.k, self.params.round_base))
    }

    /// Facets that add up with a candidate, with `low..=high` persons, ascending by that, but for
    /// the candidate's own statement.
    pub(super) fn others<'v>(
        &'v self,
        candidate: &'v FacetCandidate<'_>,
        (low, high): (u64, u64),
    ) -> impl Iterator<Item = (usize, &'v Indexed, &'v Entry, &'v Facet)> {
        let facet = &candidate.facet;
        let mut lane = Cow::Borrowed(self.shown.lane(&facet.vec, low, high));
        if let Some(first) = candidate.first_vec {
            let more = self.shown.lane(&first, low, high);
            if !more.is_empty() {
                lane.to_mut().extend(more);
                lane.to_mut().sort_unstable();
            }
        }
        let numbers = (0..lane.len()).filter_map(move |at| lane.get(at).map(|place| place.1));
        let found = numbers.filter_map(|number| {
            let (indexed, entry, other) = self.shown.get(number)?;
            Some((number, indexed, entry, other))
        });
        let own = self.own(candidate);
        found.filter(move |(number, ..)| !own.contains(number))
    }

    /// The facets that are a candidate's own statement: exactly this, in this state of the data.
    fn own(&self, candidate: &FacetCandidate<'_>) -> Vec<usize> {
        let facet = &candidate.facet;
        let vecs = [Some(facet.vec), candidate.first_vec];
        let vecs = vecs.into_iter().flatten().filter(|_| candidate.exact);
        let stated = vecs.flat_map(|vec| self.shown.stated(vec, &facet.shape));
        let same = |number: &usize| {
            let found = self.shown.get(*number);
            found.is_some_and(|(_, entry, other)| {
                other.form == facet.form && entry.id.epoch == self.epoch
            })
        };
        stated.filter(same).collect()
    }

    /// How many persons surely make a difference between a facet of the present and another: who is
    /// in one only, and in sums also who certainly has another value now; or, where that are more,
    /// as many as the spread of the difference proves.
    pub(super) fn difference(&self, facet: &Facet, entry: &Entry, other: &Facet) -> u64 {
        let (now, then) = (&facet.footprint.people, &other.footprint.people);
        let moved = now.symmetric_difference_len(then);
        let moved = match self.changed.get(&entry.id.epoch) {
            Some(changed) if !facet.form.is_count() && !changed.surely.is_empty() => {
                let both: RoaringBitmap = now.as_ref() & then.as_ref();
                moved.saturating_add(both.intersection_len(&changed.surely))
            }
            _ => moved,
        };
        let k_diff = self.k_diff();
        let spreads = facet.footprint.spread.as_ref();
        match spreads.zip(other.footprint.spread.as_ref()) {
            Some((now, then)) if moved < k_diff && facet.form.adds_up_with(other.form) => {
                moved.max(support(&[(1, now), (-1, then)], k_diff))
            }
            _ => moved,
        }
    }
}

/// Persons as the statistic of a finding.
pub(super) fn persons(name: &'static str, found: u64, needed: u64) -> Option<Statistic> {
    Some(Statistic::new(name, found, needed))
}
