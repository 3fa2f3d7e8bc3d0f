//! R7 across releases: where one release is part of another by a sensitive column, their
//! numbers say which share has the value. It is judged as in one table.
//!
//! Page: `docs/disclosure/R7.md`.

use quorate_query::codebook::{Codebook, Column, ColumnRef};
use quorate_query::question::{Cohort, Set, Values};
use quorate_query::set::{domain_values, ordinal};
use quorate_query::value::Scalar;

use super::boxes::{differing_columns, is_inside};
use super::candidate::FacetCandidate;
use super::entry::Shape;
use super::view::{Hit, Near, View};
use crate::Statistic;
use crate::rules::r7_group::share;

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let facet = &candidate.facet;
    let own = facet.footprint.people.len();
    let mut hits = Vec::new();
    for (_, indexed, _, other) in view.others(candidate, (0, u64::MAX)) {
        let theirs = other.footprint.people.len();
        let (part, whole) = (own.min(theirs), own.max(theirs));
        let limit = view.params.group_share;
        let inside = share(part, whole, limit);
        let outside = share(whole.saturating_sub(part), whole, limit);
        // By far the most pairs are neither nearly all nor nearly none.
        if !(facet.form.is_count() && candidate.exact && indexed.exact)
            || !(inside.misses() || outside.misses())
        {
            continue;
        }
        let (inner, outer) = if own <= theirs {
            (&facet.shape, &other.shape)
        } else {
            (&other.shape, &facet.shape)
        };
        let Some((has, lacks)) = told(inner, outer, view.codebook) else {
            continue;
        };
        let missed = [(has, inside), (lacks, outside)].into_iter();
        let missed = missed.filter(|(told, share)| *told && share.misses());
        hits.extend(missed.map(|(_, statistic)| hit(statistic)));
    }
    hits
}

fn hit(statistic: Statistic) -> Hit {
    Hit {
        rule: "R7",
        why: "beside an earlier release, nearly everybody of a group has a sensitive value"
            .to_owned(),
        statistic: Some(statistic),
        near: Near::Never,
    }
}

/// If one shape is the other narrowed in sensitive columns or cohorts, perhaps in others too: whether
/// having what is left in is sensitive, and whether having what is left out is.
///
/// Whoever is in the inner one has the value. Of the group that the other conditions leave, these are
/// at least as large a share as of the outer one: conditions that exclude nobody hide nothing. Who is
/// left out may be so for any of the conditions, so only one column alone says what they have.
fn told(inner: &Shape, outer: &Shape, codebook: &Codebook) -> Option<(bool, bool)> {
    let same = inner.rows == outer.rows && inner.joined.is_superset(&outer.joined);
    if !same || !is_inside(&inner.predicate, &outer.predicate) {
        return None;
    }
    let set = |shape: &Shape, reference: &ColumnRef| {
        let found = shape.predicate.boxes.get(reference);
        found.cloned().unwrap_or_else(Set::anything)
    };
    let sensitive = |set: &Set, reference: &ColumnRef| {
        let column = codebook.column(reference);
        column.is_some_and(|column| column.sensitive && is_sensitive(set, column))
    };
    let differing = differing_columns(&inner.predicate, &outer.predicate);
    let more = || {
        let more = inner.predicate.cohorts.difference(&outer.predicate.cohorts);
        more.filter(|cohort| !cohort.negated)
    };
    let by_column = |reference: &&ColumnRef| sensitive(&set(inner, reference), reference);
    let by_cohort = |cohort: &Cohort| {
        let mut boxes = cohort.filter.boxes.iter();
        boxes.any(|(reference, set)| sensitive(set, reference))
    };
    let has = differing.iter().any(by_column) || more().any(by_cohort);
    let alone = inner.joined == outer.joined
        && inner.predicate.cohorts == outer.predicate.cohorts
        && differing.len() == 1;
    let lacks = alone
        && differing.iter().any(|reference| {
            let (has, all) = (set(inner, reference), set(outer, reference));
            let lacks = Set {
                null: all.null && !has.null,
                values: all.values.intersect(&has.values.complement()),
            };
            sensitive(&lacks, reference)
        });
    Some((has, lacks))
}

/// Whether it is a sensitive fact to have a value of a set: all of its values are sensitive.
fn is_sensitive(set: &Set, column: &Column) -> bool {
    if set.null || set.values.is_empty() {
        return false;
    }
    if column.sensitive_values.is_empty() {
        return true;
    }
    match domain_values(column) {
        Some(domain) => {
            let mut has = domain.iter().filter(|value| set.contains(value, column.ty));
            has.all(|value| column.is_sensitive(value))
        }
        None => outside_list(set, column).is_empty(),
    }
}

/// The values of a set that are not listed as sensitive.
fn outside_list(set: &Set, column: &Column) -> Values {
    let texts = column
        .sensitive_values
        .iter()
        .filter_map(|value| match value {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        });
    let ordinals = column
        .sensitive_values
        .iter()
        .filter_map(|v| ordinal(v, column.ty));
    let listed = match &set.values {
        Values::Texts(_) | Values::NotTexts(_) => Values::texts(texts),
        Values::All | Values::Ranges(_) => Values::points(ordinals),
    };
    set.values.intersect(&listed.complement())
}
