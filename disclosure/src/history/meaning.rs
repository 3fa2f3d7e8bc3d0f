//! What a condition on a derived column says of columns and cohorts that there are, by the definition
//! alone: a first date that is there means an event, a number of rows is never zero, a label that a
//! CASE gives stands for the values that get it, and whoever meets one of several conditions is not among
//! those who meet none.
//!
//! Everything here holds whatever the data are: a condition and its meaning are of the same persons.
//! What has no such meaning stays a condition on the derived column. It must not know persons.

use std::collections::BTreeSet;

use quorate_query::codebook::{Codebook, Column, ColumnRef, RowsPer};
use quorate_query::derived::{Aggregate, Derived, Frame};
use quorate_query::number::Number;
use quorate_query::question::{Cohort, Predicate, Set, Values};
use quorate_query::value::Scalar;

use super::boxes::opposite;
use super::entry::{Form, Shape};
use super::same::same;
use crate::facets::narrow;

/// Conditions that together are one condition on a derived column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// On columns that it is computed from.
    pub(super) boxes: Vec<(ColumnRef, Set)>,
    /// On rows that a person has, or has not.
    pub(super) cohorts: Vec<Cohort>,
    /// On the derived column itself: what the others leave open.
    pub(super) rest: Set,
}

impl Meaning {
    fn only(column: &ColumnRef, set: Set) -> Self {
        Self {
            boxes: vec![(column.clone(), set)],
            cohorts: Vec::new(),
            rest: Set::anything(),
        }
    }
}

/// What it means that a column lies in a set; `None` if that means nothing else.
pub(super) fn of(name: &ColumnRef, set: &Set, codebook: &Codebook) -> Option<Meaning> {
    let column = codebook.column(name)?;
    let derived = codebook.derived.get(name)?;
    let set = set.within(column);
    let meaning = match derived {
        Derived::Frame { frame, of } => of_frame(frame, of, &set, codebook)?,
        Derived::Coalesce { of, otherwise } => {
            let missing_too = set.contains(otherwise, column.ty);
            let values = set.values.clone();
            Meaning::only(
                of,
                Set {
                    null: missing_too,
                    values,
                },
            )
        }
        Derived::Days { from, to } if !set.null => Meaning {
            boxes: vec![
                (from.clone(), Set::not_null()),
                (to.clone(), Set::not_null()),
            ],
            cohorts: Vec::new(),
            // Days between two dates that are there are there.
            rest: match set.values {
                Values::All => Set::anything(),
                values => Set::of(values),
            },
        },
        Derived::Case { arms, otherwise } => of_case(arms, otherwise, &set, column)?,
        Derived::Any(conditions) => of_any(name, conditions, &set, codebook)?,
        _ => return None,
    };
    let told = |(column, set): &(ColumnRef, Set)| is_of_same_row(name, column, set, codebook);
    meaning.boxes.iter().all(told).then_some(meaning)
}

/// Whether a condition on an input may stand beside the row that the derived column is of: it is of that
/// row, of the person, or of a row that the person must then have.
fn is_of_same_row(name: &ColumnRef, input: &ColumnRef, set: &Set, codebook: &Codebook) -> bool {
    let table = codebook.tables.get(&input.table);
    input.table == name.table
        || input.table == codebook.unit.table
        || (!set.null && table.is_some_and(|table| table.rows == RowsPer::Unit))
}

/// What of a person's rows says that there is a value of a frame.
struct Presence {
    /// Who has a value has such a row.
    cohort: Cohort,
    /// Who has such a row has a value.
    exact: bool,
}

fn presence(frame: &Frame, of: &Aggregate, codebook: &Codebook) -> Presence {
    let (value, passes_over) = match of {
        Aggregate::Rows | Aggregate::Distinct(_) => {
            return Presence {
                cohort: frame.cohort(false),
                exact: true,
            };
        }
        Aggregate::Min(value)
        | Aggregate::Max(value)
        | Aggregate::Sum(value)
        | Aggregate::Mean(value) => (value, true),
        Aggregate::First { value, .. } | Aggregate::Last { value, .. } => (value, false),
    };
    let mut cohort = frame.cohort(false);
    narrow(&mut cohort.filter, value, &Set::not_null(), codebook);
    // A first value may be missing where later ones are there.
    let exact = passes_over || cohort.filter == frame.filter;
    Presence { cohort, exact }
}

fn of_frame(frame: &Frame, of: &Aggregate, set: &Set, codebook: &Codebook) -> Option<Meaning> {
    let Presence { cohort, exact } = presence(frame, of, codebook);
    let values = match of {
        Aggregate::Rows => set.values.intersect(&from_one()),
        _ => set.values.clone(),
    };
    let all = values == Values::All || *of == Aggregate::Rows && values == from_one();
    let meaning = |cohort: Cohort, rest: Set| Meaning {
        boxes: Vec::new(),
        cohorts: vec![cohort],
        rest,
    };
    match set.null {
        false if all && exact => Some(meaning(cohort, Set::anything())),
        false => Some(meaning(cohort, Set::of(values))),
        true if values.is_empty() && exact => {
            let without = Cohort {
                negated: true,
                ..cohort
            };
            Some(meaning(without, Set::anything()))
        }
        true => None,
    }
}

/// Nobody in a frame has no row.
fn from_one() -> Values {
    Values::from_ranges([(Some(1), None)])
}

/// The values of the one column that conditions are on.
struct One<'a> {
    column: &'a ColumnRef,
}

impl<'a> One<'a> {
    fn of(conditions: impl IntoIterator<Item = &'a Predicate>) -> Option<Self> {
        let mut columns = BTreeSet::new();
        for condition in conditions {
            if !condition.cohorts.is_empty() || condition.boxes.len() != 1 {
                return None;
            }
            columns.extend(condition.boxes.keys());
        }
        let mut columns = columns.into_iter();
        let column = columns.next().filter(|_| columns.next().is_none())?;
        Some(Self { column })
    }

    fn set(&self, condition: &Predicate) -> Set {
        let found = condition.boxes.get(self.column);
        found.cloned().unwrap_or_else(Set::anything)
    }
}

fn union(a: &Set, b: &Set) -> Set {
    Set {
        null: a.null || b.null,
        values: a.values.union(&b.values),
    }
}

fn complement(set: &Set) -> Set {
    Set {
        null: !set.null,
        values: set.values.complement(),
    }
}

fn nothing() -> Set {
    Set::of(Values::none())
}

fn of_case(
    arms: &[(Predicate, Scalar)],
    otherwise: &Scalar,
    set: &Set,
    column: &Column,
) -> Option<Meaning> {
    let chosen = |result: &Scalar| set.contains(result, column.ty);
    if let Some(one) = One::of(arms.iter().map(|(condition, _)| condition)) {
        let (mut open, mut found) = (Set::anything(), nothing());
        for (condition, result) in arms {
            let held = one.set(condition);
            if chosen(result) {
                found = union(&found, &open.intersect(&held));
            }
            open = open.intersect(&complement(&held));
        }
        if chosen(otherwise) {
            found = union(&found, &open);
        }
        return Some(Meaning::only(one.column, found));
    }
    // One condition on several columns, and it holds.
    match arms {
        [(condition, result)] if chosen(result) && !chosen(otherwise) => all_of(condition),
        _ => None,
    }
}

fn of_any(
    name: &ColumnRef,
    conditions: &BTreeSet<Predicate>,
    set: &Set,
    codebook: &Codebook,
) -> Option<Meaning> {
    let column = codebook.column(name)?;
    let at = |n: i128| {
        let value = Scalar::Number(Number::new(n, 0));
        set.contains(&value, column.ty)
    };
    let (holds, fails) = (at(1), at(0));
    if holds == fails {
        return None;
    }
    if let Some(one) = One::of(conditions) {
        let any = conditions.iter().map(|condition| one.set(condition));
        let any = any.fold(nothing(), |any, held| union(&any, &held));
        let found = if holds { any } else { complement(&any) };
        return Some(Meaning::only(one.column, found));
    }
    let mut all = conditions.iter();
    match (all.next(), all.next()) {
        (Some(only), None) if holds => all_of(only),
        _ if fails => none_of(conditions).or_else(|| by_alternatives(name, conditions, codebook)),
        _ => {
            let none = by_alternatives(name, conditions, codebook)?;
            let some = without(unmet(none, codebook), codebook);
            Some(only_cohorts([some].into()))
        }
    }
}

/// No condition holds, where they are of the persons themselves: of each, what it says that they are
/// not, or that they are not among the persons who meet it.
fn by_alternatives(
    name: &ColumnRef,
    conditions: &BTreeSet<Predicate>,
    codebook: &Codebook,
) -> Option<Meaning> {
    let unit = &codebook.unit.table;
    if name.table != *unit {
        return None;
    }
    let mut found = only_cohorts(Vec::new());
    for condition in conditions {
        let shape = Shape {
            rows: unit.clone(),
            joined: BTreeSet::new(),
            predicate: condition.clone(),
        };
        let Shape {
            joined, predicate, ..
        } = same(&shape, Form::Persons, codebook);
        let own = predicate.boxes.keys().all(|column| column.table == *unit);
        if !own || !joined.is_empty() || predicate == Predicate::default() {
            return None;
        }
        let mut boxes = predicate.boxes.iter();
        let mut cohorts = predicate.cohorts.iter();
        match (boxes.next(), boxes.next(), cohorts.next(), cohorts.next()) {
            (Some((column, set)), None, None, _) => {
                found.boxes.push((column.clone(), complement(set)));
            }
            (None, _, Some(one), None) => found.cohorts.push(opposite(one)),
            _ => found.cohorts.push(without(predicate, codebook)),
        }
    }
    Some(found)
}

/// As one condition.
fn unmet(none: Meaning, codebook: &Codebook) -> Predicate {
    let mut all = Predicate::default();
    for (column, set) in &none.boxes {
        narrow(&mut all, column, set, codebook);
    }
    all.cohorts.extend(none.cohorts);
    all
}

/// Whoever is not among the persons who meet a condition.
fn without(filter: Predicate, codebook: &Codebook) -> Cohort {
    Cohort {
        negated: true,
        rows: codebook.unit.table.clone(),
        joined: BTreeSet::new(),
        filter,
    }
}

fn only_cohorts(cohorts: Vec<Cohort>) -> Meaning {
    Meaning {
        boxes: Vec::new(),
        cohorts,
        rest: Set::anything(),
    }
}

fn all_of(condition: &Predicate) -> Option<Meaning> {
    let boxes = condition.boxes.clone().into_iter().collect();
    condition.cohorts.is_empty().then_some(Meaning {
        boxes,
        cohorts: Vec::new(),
        rest: Set::anything(),
    })
}

/// No condition holds: each of one column only says what that column is not.
fn none_of(conditions: &BTreeSet<Predicate>) -> Option<Meaning> {
    let mut boxes = Vec::new();
    for condition in conditions {
        let mut held = condition.boxes.iter();
        let (column, set) = held.next().filter(|_| held.next().is_none())?;
        condition.cohorts.is_empty().then_some(())?;
        boxes.push((column.clone(), complement(set)));
    }
    Some(Meaning {
        boxes,
        cohorts: Vec::new(),
        rest: Set::anything(),
    })
}

/// What values of a column nobody can have, by its definition, who has a row of some cohort or has none.
pub(crate) struct Bound {
    /// Who has a value has such a row.
    pub(crate) cohort: Cohort,
    /// Who has such a row has a value.
    pub(crate) exact: bool,
    /// The values that there can be.
    pub(crate) values: Values,
}

/// What binds the values of a column to a cohort; `None` if nothing does. The cohort is as the
/// definition has it, not yet in the form of a shape.
pub(crate) fn bound(name: &ColumnRef, codebook: &Codebook) -> Option<Bound> {
    let Some(Derived::Frame { frame, of }) = codebook.derived.get(name) else {
        return None;
    };
    let Presence { cohort, exact } = presence(frame, of, codebook);
    let values = match of {
        Aggregate::Rows => from_one(),
        _ => Values::All,
    };
    Some(Bound {
        cohort,
        exact,
        values,
    })
}
