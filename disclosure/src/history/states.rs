//! H5, releases of several states of the data: what follows by any multiples of them rests on enough persons.
//!
//! Of a group that nobody asked for how many have changed is what its parts and their whole say now less
//! what they said before; and a group follows by the older of two releases of some boxes and the newer of
//! others. Neither needs boxes here: any number of releases, each any number of times, must not come to
//! something that a few persons make up. What follows within one state of the data is judged by H2f.
//!
//! Page: `docs/disclosure/H5.md`.

use quorate_query::codebook::Codebook;
use quorate_query::question::Predicate;

use super::boxes;
use super::candidate::FacetCandidate;
use super::entry::{Entry, Facet};
use super::family::field::Fp;
use super::few::{Found, few};
use super::spread::Spread;
use super::view::{Hit, Near, View, persons};

/// Releases that are put together with a new one: those that are the most like it.
const MOST_OTHERS: usize = 31;

/// An earlier release.
struct Other<'v> {
    number: usize,
    entry: &'v Entry,
    spread: &'v Spread,
    differing: usize,
}

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let facet = &candidate.facet;
    let Some(now) = facet.footprint.spread.as_ref() else {
        return Vec::new();
    };
    // What cells add up to is looked at by H1 and H2.
    if !candidate.exact || view.within.is_some() {
        return Vec::new();
    }
    let is_older = |entry: &Entry| entry.id.epoch != view.epoch;
    let mut all = view.others(candidate, (1, u64::MAX));
    if !all.any(|(_, _, entry, _)| is_older(entry)) {
        return Vec::new();
    }
    let others = most_like(view, candidate);
    if !others.iter().any(|other| is_older(other.entry)) {
        return Vec::new();
    }
    let k_diff = view.k_diff();
    let enough = usize::try_from(k_diff).unwrap_or(usize::MAX);
    let rows = others.iter().map(|other| sums(other.spread)).collect();
    let statistic = match few(sums(now), rows, enough) {
        None => return Vec::new(),
        Some(Found::Few(some)) => persons("states", some, k_diff),
        Some(Found::Unknown) => None,
    };
    let why = match statistic {
        Some(_) => {
            "with answers of earlier states of the data it would show what a few persons make up"
        }
        None => {
            "too many answers of several states of the data rest on too few persons to be told apart"
        }
    };
    vec![Hit {
        rule: "H5",
        why: why.to_owned(),
        statistic,
        near: Near::No,
    }]
}

fn sums(spread: &Spread) -> Vec<Fp> {
    let sums = spread.sums().iter();
    sums.map(|sum| Fp::of(i128::from(*sum))).collect()
}

/// Those that differ in the fewest columns, of these the newest.
fn most_like<'v>(view: &'v View<'_>, candidate: &'v FacetCandidate<'_>) -> Vec<Other<'v>> {
    let facet = &candidate.facet;
    let others = view.others(candidate, (1, u64::MAX));
    let mut others: Vec<Other<'v>> = others
        .filter(|(_, indexed, entry, other)| {
            indexed.exact && other.form == facet.form && !entry.is_union()
        })
        .filter_map(|(number, _, entry, other)| {
            let differing = differing(facet, other, view.codebook)?;
            let spread = other.footprint.spread.as_ref()?;
            Some(Other {
                number,
                entry,
                spread,
                differing,
            })
        })
        .collect();
    let like = |other: &Other<'_>| (other.differing, std::cmp::Reverse(other.number));
    if others.len() > MOST_OTHERS {
        others.select_nth_unstable_by_key(MOST_OTHERS, like);
        others.truncate(MOST_OTHERS);
    }
    others.sort_unstable_by_key(like);
    others
}

/// In how many columns two boxes differ; `None` if everybody knows how many have no value in one of them, so
/// that a difference may be of few.
fn differing(facet: &Facet, other: &Facet, codebook: &Codebook) -> Option<usize> {
    let (a, b): (&Predicate, &Predicate) = (&facet.shape.predicate, &other.shape.predicate);
    let mut columns = 0_usize;
    for column in boxes::differing(a, b) {
        if codebook.column(column).is_some_and(|c| c.missing_public) {
            return None;
        }
        columns = columns.saturating_add(1);
    }
    let cohorts = a
        .cohorts
        .iter()
        .filter(|own| !b.cohorts.contains(own))
        .count();
    let more = b
        .cohorts
        .iter()
        .filter(|own| !a.cohorts.contains(own))
        .count();
    Some(columns.saturating_add(cohorts).saturating_add(more))
}
