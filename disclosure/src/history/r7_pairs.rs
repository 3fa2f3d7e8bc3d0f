//! R7 across releases: where one release is part of another by a sensitive column, their
//! numbers say which share has the value. It is judged as in one table.
//!
//! Page: `docs/disclosure/R7.md`.

use quorate_query::codebook::{Codebook, Column, ColumnRef};
use quorate_query::question::{Cohort, Predicate, Set, Values};
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
        let theirs = indexed.persons;
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
    let sensitive = |set: &Set, reference: &ColumnRef| of_column(set, reference, codebook);
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
    // Among alternatives that are wider ones in the outer, what somebody has is not known.
    let mut softer = inner.predicate.cohorts.difference(&outer.predicate.cohorts);
    let narrowed = inner
        .predicate
        .cohorts
        .is_superset(&outer.predicate.cohorts);
    let has = differing.iter().any(by_column)
        || more().any(by_cohort)
        || (narrowed && softer.any(|cohort| rests_on_sensitive(cohort, codebook)));
    let lacks = inner.joined == outer.joined && lacks(&inner.predicate, &outer.predicate, codebook);
    Some((has, lacks))
}

/// Whether the one thing that the inner of two leaves out is sensitive: values of a column, of the
/// person or of a row that the person must have, or such a row at all.
fn lacks(inner: &Predicate, outer: &Predicate, codebook: &Codebook) -> bool {
    if inner.cohorts == outer.cohorts {
        return lacks_values(inner, outer, codebook);
    }
    let more: Vec<&Cohort> = inner.cohorts.difference(&outer.cohorts).collect();
    let less: Vec<&Cohort> = outer.cohorts.difference(&inner.cohorts).collect();
    match (more.as_slice(), less.as_slice()) {
        _ if inner.boxes != outer.boxes => false,
        ([own], [wider]) if !own.negated => {
            own.filter.cohorts == wider.filter.cohorts
                && lacks_values(&own.filter, &wider.filter, codebook)
        }
        ([own], []) if own.negated => {
            let mut boxes = own.filter.boxes.iter();
            boxes.any(|(reference, set)| of_column(set, reference, codebook))
        }
        _ => false,
    }
}

/// Whether a condition with alternatives is about a sensitive column: it stands among shapes as a cohort
/// of the unit table's own rows.
fn rests_on_sensitive(cohort: &Cohort, codebook: &Codebook) -> bool {
    fn any(filter: &Predicate, codebook: &Codebook) -> bool {
        let sensitive = |column: &ColumnRef| codebook.column(column).is_some_and(|c| c.sensitive);
        filter.boxes.keys().any(sensitive)
            || filter.cohorts.iter().any(|own| any(&own.filter, codebook))
    }
    cohort.rows == codebook.unit.table && any(&cohort.filter, codebook)
}

fn lacks_values(inner: &Predicate, outer: &Predicate, codebook: &Codebook) -> bool {
    let differing = differing_columns(inner, outer);
    let mut columns = differing.into_iter();
    let (Some(reference), None) = (columns.next(), columns.next()) else {
        return false;
    };
    let set = |predicate: &Predicate| {
        let found = predicate.boxes.get(reference);
        found.cloned().unwrap_or_else(Set::anything)
    };
    let (has, all) = (set(inner), set(outer));
    let lacks = Set {
        null: all.null && !has.null,
        values: all.values.intersect(&has.values.complement()),
    };
    of_column(&lacks, reference, codebook)
}

/// Whether it is a sensitive fact to have a value of a set of this column.
fn of_column(set: &Set, reference: &ColumnRef, codebook: &Codebook) -> bool {
    let column = codebook.column(reference);
    column.is_some_and(|column| column.sensitive && is_sensitive(set, column))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::history::Form;
    use crate::history::same;

    const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "f", 1 = "m" }, required = true }

[table.visit]
rows = "many"
unit_key = "person_id"
max_rows = 9
[table.visit.column]
person_id = { type = "int", role = ["key"] }
dx = { type = "int", role = ["filter", "group"], sensitive = [7] }
"#;

    fn told_by(inner: &str, outer: &str) -> Option<(bool, bool)> {
        let book = quorate_query::codebook::read(BOOK, "codebook.toml").unwrap();
        let shape = |sql: &str| {
            let read = quorate_query::sql::read(sql, &BTreeMap::new(), &book);
            let read = read.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            let table = read.into_sole().unwrap();
            let asked = Shape {
                rows: table.rows,
                joined: table.joined,
                predicate: table.filter,
            };
            same(&asked, Form::Persons, &book)
        };
        told(&shape(inner), &shape(outer), &book)
    }

    #[test]
    fn a_sensitive_row_tells_of_the_person_however_it_is_asked_for() {
        let all = "SELECT count(*) FROM person";
        let visitors = "SELECT count(DISTINCT person_id) FROM visit";
        let by_row = "SELECT count(DISTINCT person_id) FROM visit WHERE dx = 7";
        let by_cohort =
            "SELECT count(*) FROM person WHERE id IN (SELECT person_id FROM visit WHERE dx = 7)";
        let without = "SELECT count(*) FROM person WHERE id NOT IN (SELECT person_id FROM visit WHERE dx = 7)";
        for inner in [by_row, by_cohort] {
            assert_eq!(told_by(inner, all), Some((true, false)));
            assert_eq!(told_by(inner, visitors), Some((true, false)));
        }
        assert_eq!(told_by(without, all), Some((false, true)));
        let other = "SELECT count(DISTINCT person_id) FROM visit WHERE dx = 3";
        assert_eq!(
            told_by(other, all),
            Some((false, false)),
            "an ordinary diagnosis"
        );
        let others = "SELECT count(DISTINCT person_id) FROM visit WHERE dx <> 7";
        let known = "SELECT count(DISTINCT person_id) FROM visit WHERE dx IS NOT NULL";
        assert_eq!(
            told_by(others, known),
            Some((false, true)),
            "the rest have nothing else"
        );
        let women = "SELECT count(*) FROM person WHERE sex = 0 AND id IN (SELECT person_id FROM visit WHERE dx = 7)";
        assert_eq!(told_by(women, all), Some((true, false)));
    }
}
