//! R7 across releases: where one release is part of another by a sensitive column alone, their
//! numbers say which share has the value. It is judged as in one table.
//!
//! Page: `docs/disclosure/R7.md`.

use quorate_query::codebook::{Codebook, Column, ColumnRef};
use quorate_query::question::{Set, Values};
use quorate_query::set::{domain_values, ordinal};
use quorate_query::value::Scalar;

use super::boxes::differing_columns;
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
        if !(facet.counts && candidate.exact && indexed.exact)
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

/// If one shape is the other narrowed in one sensitive column: whether having one of the values
/// left in is sensitive, and whether having one of those left out is.
fn told(inner: &Shape, outer: &Shape, codebook: &Codebook) -> Option<(bool, bool)> {
    let same = inner.rows == outer.rows
        && inner.joined == outer.joined
        && inner.predicate.cohorts == outer.predicate.cohorts;
    let differing = differing_columns(&inner.predicate, &outer.predicate);
    let mut columns = differing.into_iter();
    let (true, Some(reference), None) = (same, columns.next(), columns.next()) else {
        return None;
    };
    let column = codebook
        .column(reference)
        .filter(|column| column.sensitive)?;
    let set = |shape: &Shape, reference: &ColumnRef| {
        let found = shape.predicate.boxes.get(reference);
        found.cloned().unwrap_or_else(Set::anything)
    };
    let (has, all) = (set(inner, reference), set(outer, reference));
    if !has.is_subset(&all) {
        return None;
    }
    let lacks = Set {
        null: all.null && !has.null,
        values: all.values.intersect(&has.values.complement()),
    };
    Some((is_sensitive(&has, column), is_sensitive(&lacks, column)))
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
