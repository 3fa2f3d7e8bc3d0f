//! H5, changes beside changes: a statement that is told of two states of the data tells how many have
//! changed between them. Where two such statements leave only a few of these, the few are told, even
//! if each of the four numbers and each of the two changes is large.
//!
//! Page: `docs/disclosure/H5.md`.

use std::collections::BTreeMap;

use super::candidate::FacetCandidate;
use super::entry::{Entry, Facet};
use super::spread::{Spread, support};
use super::view::{Hit, Near, View, persons};

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let facet = &candidate.facet;
    let (true, Some(now)) = (candidate.exact, &facet.footprint.spread) else {
        return Vec::new();
    };
    let before = view.before(facet);
    // What cells add up to is looked at by H1 and H2.
    if before.is_empty() || view.within.is_some() {
        return Vec::new();
    }
    let k_diff = view.k_diff();
    let mut hits = Vec::new();
    for (_, indexed, entry, other) in view.others(candidate, (1, u64::MAX)) {
        let (true, Some(theirs)) = (
            indexed.exact && entry.id.epoch == view.epoch && other.form == facet.form,
            &other.footprint.spread,
        ) else {
            continue;
        };
        if entry.is_union() {
            continue;
        }
        for (epoch, (_, own_before)) in &before {
            let Some((_, theirs_before)) = view.before(other).remove(epoch) else {
                continue;
            };
            let legs = [
                (1, now),
                (-1, *own_before),
                (-1, theirs),
                (1, theirs_before),
            ];
            let left = support(&legs, k_diff);
            if left < k_diff {
                let name = entry.name();
                hits.push(Hit {
                    rule: "H5",
                    why: format!(
                        "what has changed in it differs by {left} persons from what has in {name}"
                    ),
                    statistic: persons("changed", left, k_diff),
                    near: Near::No,
                });
            }
        }
    }
    hits
}

impl View<'_> {
    /// The same statement of other states of the data, by these, the newest of each.
    fn before<'v>(&'v self, facet: &Facet) -> BTreeMap<&'v str, (&'v Entry, &'v Spread)> {
        let stated = self.shown.stated(facet.vec, &facet.shape);
        let found = stated.filter_map(|number| {
            let (_, entry, other) = self.shown.get(number)?;
            let is_other = other.form == facet.form && entry.id.epoch != self.epoch;
            let spread = other.footprint.spread.as_ref().filter(|_| is_other)?;
            Some((entry.id.epoch.as_str(), (entry, spread)))
        });
        found.collect()
    }
}
