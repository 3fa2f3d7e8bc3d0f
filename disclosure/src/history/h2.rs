//! H2, combinations of three: no sum or difference of a release with two others rests on a few
//! persons. It stops trackers that cross families; within a family H2f sees combinations of any
//! length.
//!
//! Nobody outside `b` may be in `q + a - b` without counting, and nobody outside `q` in
//! `q - a - b`: so either side alone excludes most pairs. Page: `docs/disclosure/H2.md`.

use roaring::RoaringBitmap;

use super::boxes::partition;
use super::candidate::FacetCandidate;
use super::entry::{Entry, Facet};
use super::sample::{Signature, weight_minus, weight_plus};
use super::shown::Indexed;
use super::view::{Hit, Near, View, persons};

/// Another facet of the family.
struct Other<'a> {
    persons: u64,
    indexed: &'a Indexed,
    entry: &'a Entry,
    facet: &'a Facet,
}

impl Other<'_> {
    fn people(&self) -> &RoaringBitmap {
        &self.facet.footprint.people
    }
}

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let new = New {
        view,
        facet: &candidate.facet,
        exact: candidate.exact,
        signature: Signature::of(&candidate.facet.footprint.people),
    };
    let all = view.others(candidate, (1, u64::MAX));
    let first = all.filter(|(number, ..)| view.shown.is_first(*number));
    let others: Vec<Other<'_>> = first
        .map(|(_, indexed, entry, facet)| Other {
            persons: facet.footprint.people.len(),
            indexed,
            entry,
            facet,
        })
        .collect();
    let mut hits = new.minus(&others);
    hits.extend(new.plus(&others));
    hits
}

struct New<'a> {
    view: &'a View<'a>,
    facet: &'a Facet,
    exact: bool,
    signature: Signature,
}

impl New<'_> {
    fn people(&self) -> &RoaringBitmap {
        &self.facet.footprint.people
    }

    fn persons(&self) -> u64 {
        self.facet.footprint.people.len()
    }

    /// `q - a - b`: everybody of `a` and `b` outside `q` counts.
    fn minus(&self, others: &[Other<'_>]) -> Vec<Hit> {
        let k_diff = self.view.k_diff();
        let inside = |other: &&Other<'_>| other.indexed.signature.outside(&self.signature) < k_diff;
        let parts: Vec<&Other<'_>> = others.iter().filter(inside).collect();
        let mut hits = Vec::new();
        for (at, a) in parts.iter().enumerate() {
            let later = parts.get(at..).unwrap_or_default();
            let rest = self.persons().saturating_sub(a.persons);
            for b in window(later, rest, k_diff) {
                let (x, y) = (&a.indexed.signature, &b.indexed.signature);
                if self.signature.minus(x, y) >= k_diff || self.is_within(a, b) {
                    continue;
                }
                let weight = weight_minus(self.people(), a.people(), b.people());
                let structural = weight == 0
                    && self.all_exact_now(a, b)
                    && partition(
                        &self.facet.shape,
                        &a.facet.shape,
                        &b.facet.shape,
                        self.view.codebook,
                    );
                hits.extend(hit(weight, structural, k_diff));
            }
        }
        hits
    }

    /// `q + a - b`: everybody of `q` and `a` outside `b` counts.
    fn plus(&self, others: &[Other<'_>]) -> Vec<Hit> {
        let k_diff = self.view.k_diff();
        let all: Vec<&Other<'_>> = others.iter().collect();
        let mut hits = Vec::new();
        for b in others {
            if self.signature.outside(&b.indexed.signature) >= k_diff {
                continue;
            }
            let rest = b.persons.saturating_sub(self.persons());
            for a in window(&all, rest, k_diff) {
                let (x, y) = (&a.indexed.signature, &b.indexed.signature);
                if self.signature.plus(x, y) >= k_diff || self.is_within(a, b) {
                    continue;
                }
                let weight = weight_plus(self.people(), a.people(), b.people());
                let structural = weight == 0
                    && self.all_exact_now(a, b)
                    && partition(
                        &b.facet.shape,
                        &self.facet.shape,
                        &a.facet.shape,
                        self.view.codebook,
                    );
                hits.extend(hit(weight, structural, k_diff));
            }
        }
        hits
    }

    /// Whether both are of the table that the candidate is a sum of.
    fn is_within(&self, a: &Other<'_>, b: &Other<'_>) -> bool {
        self.view.within.is_some_and(|(first, vec)| {
            [a, b]
                .iter()
                .all(|o| o.indexed.entry >= first && o.entry.id.vec == vec)
        })
    }

    fn all_exact_now(&self, a: &Other<'_>, b: &Other<'_>) -> bool {
        self.exact
            && [a, b]
                .iter()
                .all(|o| o.indexed.exact && o.entry.id.epoch == self.view.epoch)
    }
}

/// Those whose number of persons makes a small weight possible at all: coefficients lie between
/// -2 and 2. `others` are ascending by number of persons.
fn window<'s, 'a>(others: &'s [&'a Other<'a>], persons: u64, k_diff: u64) -> &'s [&'a Other<'a>] {
    let slack = k_diff.saturating_sub(1).saturating_mul(2);
    let (low, high) = (persons.saturating_sub(slack), persons.saturating_add(slack));
    let from = others.partition_point(|other| other.persons < low);
    let to = others.partition_point(|other| other.persons <= high);
    others.get(from..to).unwrap_or_default()
}

fn hit(weight: u64, structural: bool, k_diff: u64) -> Option<Hit> {
    (weight < k_diff && !structural).then(|| Hit {
        rule: "H2",
        why: format!("{weight} persons remain of it and two earlier releases"),
        statistic: persons("weight", weight, k_diff),
        near: Near::No,
    })
}
