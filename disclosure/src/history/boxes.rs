//! Set algebra of shapes: which boxes lie in which, and which make up another exactly.
//!
//! What holds here holds whatever the data are. It must not know persons.

use std::collections::BTreeSet;

use quorate_query::codebook::{Codebook, ColumnRef};
use quorate_query::question::{Cohort, Predicate, Set};

use super::entry::Shape;
use super::meaning;
use super::same::in_form;

/// The set of a column; without a restriction it is everything.
fn set_of(predicate: &Predicate, column: &ColumnRef) -> Set {
    let found = predicate.boxes.get(column);
    found.cloned().unwrap_or_else(Set::anything)
}

/// The columns whose sets differ.
#[must_use]
pub fn differing_columns<'a>(a: &'a Predicate, b: &'a Predicate) -> BTreeSet<&'a ColumnRef> {
    differing(a, b).collect()
}

/// The same, one after the other.
pub(super) fn differing<'a>(
    a: &'a Predicate,
    b: &'a Predicate,
) -> impl Iterator<Item = &'a ColumnRef> {
    let of_a = a.boxes.iter();
    let of_a = of_a.filter(|(column, set)| b.boxes.get(column) != Some(*set));
    let only_b = b.boxes.keys();
    let only_b = only_b.filter(|column| !a.boxes.contains_key(column));
    of_a.map(|(column, _)| column).chain(only_b)
}

/// Whether every row of one is a row of the other, by boxes and cohorts alone.
#[must_use]
pub fn is_inside(inner: &Predicate, outer: &Predicate) -> bool {
    let anything = Set::anything();
    let mut boxes = outer.boxes.iter();
    boxes.all(|(column, set)| {
        let own = inner.boxes.get(column).unwrap_or(&anything);
        own.is_subset(set)
    }) && outer
        .cohorts
        .iter()
        .all(|wide| inner.cohorts.iter().any(|own| implies(own, wide)))
}

/// Whether whoever is in one cohort is in the other: who has such a row has one of a wider kind, and
/// who has none of a wider kind has no such row.
#[must_use]
pub fn implies(own: &Cohort, other: &Cohort) -> bool {
    let (inner, outer) = match own.negated {
        true => (other, own),
        false => (own, other),
    };
    own.negated == other.negated
        && inner.rows == outer.rows
        && inner.joined.is_superset(&outer.joined)
        && is_inside(&inner.filter, &outer.filter)
}

/// The rows of both, by boxes and cohorts alone.
#[must_use]
pub fn intersection(a: &Predicate, b: &Predicate) -> Predicate {
    let mut both = a.clone();
    for (column, set) in &b.boxes {
        let narrower = set_of(a, column).intersect(set);
        both.boxes.insert(column.clone(), narrower);
    }
    both.cohorts.extend(b.cohorts.iter().cloned());
    both
}

/// Whether no row can be in both.
#[must_use]
pub fn are_disjoint(a: &Predicate, b: &Predicate) -> bool {
    let both = intersection(a, b);
    let against = |cohort: &Cohort| both.cohorts.contains(&opposite(cohort));
    both.boxes.values().any(Set::is_empty) || both.cohorts.iter().any(against)
}

/// Whether two boxes make up a third exactly: they agree with it but in one column, whose values
/// they share out, or in one cohort that one is in and the other is not.
#[must_use]
pub fn partition(whole: &Shape, a: &Shape, b: &Shape, codebook: &Codebook) -> bool {
    let tables = |s: &Shape| (s.rows.clone(), s.joined.clone());
    if tables(whole) != tables(a) || tables(whole) != tables(b) {
        return false;
    }
    let (whole, a, b) = (&whole.predicate, &a.predicate, &b.predicate);
    if whole.cohorts == a.cohorts && whole.cohorts == b.cohorts {
        return by_column(whole, a, b, codebook);
    }
    whole.boxes == a.boxes && whole.boxes == b.boxes && by_cohort(whole, a, b)
}

fn by_column(whole: &Predicate, a: &Predicate, b: &Predicate, codebook: &Codebook) -> bool {
    let mut columns = differing_columns(whole, a);
    columns.extend(differing_columns(whole, b));
    let mut columns = columns.into_iter();
    let (Some(column), None) = (columns.next(), columns.next()) else {
        return false;
    };
    let (of_a, of_b) = (set_of(a, column), set_of(b, column));
    let union = Set {
        null: of_a.null || of_b.null,
        values: of_a.values.union(&of_b.values),
    };
    let Some(known) = codebook.column(column) else {
        return false;
    };
    let all = set_of(whole, column).intersect(&possible(whole, column, codebook));
    of_a.intersect(&of_b).is_empty() && union.within(known) == all.within(known)
}

/// The values that a derived column can have of those who are in these cohorts.
fn possible(predicate: &Predicate, column: &ColumnRef, codebook: &Codebook) -> Set {
    let Some(bound) = meaning::bound(column, codebook) else {
        return Set::anything();
    };
    let has_row = in_form(&bound.cohort, codebook).is_some_and(|cohort| {
        let mut own = predicate.cohorts.iter();
        own.any(|own| implies(own, &cohort))
    });
    Set {
        null: !(bound.exact && has_row),
        values: bound.values,
    }
}

fn by_cohort(whole: &Predicate, a: &Predicate, b: &Predicate) -> bool {
    let more = |part: &Predicate| {
        let mut more = part.cohorts.difference(&whole.cohorts).cloned();
        let one = more.next().filter(|_| more.next().is_none());
        one.filter(|_| whole.cohorts.is_subset(&part.cohorts))
    };
    match (more(a), more(b)) {
        (Some(of_a), Some(of_b)) => of_a == opposite(&of_b),
        _ => false,
    }
}

/// Whoever is not in a cohort.
#[must_use]
pub fn opposite(cohort: &Cohort) -> Cohort {
    Cohort {
        negated: !cohort.negated,
        ..cohort.clone()
    }
}

/// Whether two shapes of the same tables differ in columns only that are not tagged sensitive.
#[must_use]
pub fn differ_harmlessly(a: &Shape, b: &Shape, codebook: &Codebook) -> bool {
    let harmless = |column: &&ColumnRef| {
        let found = codebook.column(column);
        found.is_some_and(|column| !column.sensitive)
    };
    let mut cohorts = a
        .predicate
        .cohorts
        .symmetric_difference(&b.predicate.cohorts);
    a.rows == b.rows
        && a.joined == b.joined
        && differing_columns(&a.predicate, &b.predicate)
            .iter()
            .all(harmless)
        && cohorts.all(|cohort| is_harmless(&cohort.filter, &harmless))
}

fn is_harmless(filter: &Predicate, harmless: &impl Fn(&&ColumnRef) -> bool) -> bool {
    let within = |cohort: &Cohort| is_harmless(&cohort.filter, harmless);
    filter.boxes.keys().all(|column| harmless(&column)) && filter.cohorts.iter().all(within)
}
