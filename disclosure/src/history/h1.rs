//! H1, near duplicates: a release whose persons are all but those of another would show the few
//! who make the difference. No difference at all counts like a small one, so that being withheld
//! says nothing about anybody.
//!
//! Page: `docs/disclosure/H1.md`.

use super::boxes::differ_harmlessly;
use super::candidate::FacetCandidate;
use super::view::{Hit, Near, View, persons};

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let (facet, k_diff) = (&candidate.facet, view.k_diff());
    let people = &facet.footprint.people;
    let signature = people.signature();
    let less = k_diff.saturating_sub(1);
    let range = (
        people.len().saturating_sub(less),
        people.len().saturating_add(less),
    );
    let mut hits = Vec::new();
    for (_, indexed, entry, other) in view.others(candidate, range) {
        if signature.xor(&indexed.signature, k_diff) >= k_diff {
            continue;
        }
        let difference = view.difference(facet, entry, other);
        if difference >= k_diff {
            continue;
        }
        let near = match indexed.exact {
            false => Near::No,
            _ if !differ_harmlessly(&facet.shape, &other.shape, view.codebook) => Near::Never,
            _ => Near::Entry(indexed.entry),
        };
        hits.push(Hit {
            rule: "H1",
            why: format!(
                "{difference} persons differ from an earlier release, {}",
                entry.name()
            ),
            statistic: persons("xor", difference, k_diff),
            near,
        });
    }
    hits
}
