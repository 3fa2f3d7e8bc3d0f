//! Tables with many rows per person, evaluated by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use num_rational::BigRational;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::exact::{nearest, nearest_root, one_two_five, ratio, ten, whole};
use super::rules::{FOR_A_MEAN, K_EFF, Moments, Released, round_count};

/// One row of an event table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) person: i64,
    pub(crate) concept: i64,
    /// In hundredths.
    pub(crate) value: Option<i128>,
}

/// Number of distinct persons.
pub(crate) fn persons(events: &[Event]) -> i128 {
    let distinct: BTreeSet<i64> = events.iter().map(|event| event.person).collect();
    i128::try_from(distinct.len()).unwrap()
}

/// Number of rows, of which at most `max_rows` of one person count.
pub(crate) fn records(events: &[Event], max_rows: i128) -> i128 {
    by_person(events)
        .values()
        .map(|rows| i128::try_from(rows.len()).unwrap().min(max_rows))
        .sum()
}

fn by_person(events: &[Event]) -> BTreeMap<i64, Vec<&Event>> {
    let mut people: BTreeMap<i64, Vec<&Event>> = BTreeMap::new();
    for event in events {
        people.entry(event.person).or_default().push(event);
    }
    people
}

/// Events by concept.
pub(crate) fn by_concept(events: &[Event]) -> BTreeMap<i64, Vec<Event>> {
    let mut concepts: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
    for event in events {
        concepts
            .entry(event.concept)
            .or_default()
            .push(event.clone());
    }
    concepts
}

/// A protected count of rows: the threshold is on persons, the rounding on rows.
pub(crate) fn release_records(events: &[Event], max_rows: i128) -> Released {
    if persons(events) < K_EFF {
        return Released::Withheld;
    }
    Released::Count(round_count(records(events, max_rows)))
}

/// The same beside the number of persons: their difference is the number of further rows, so enough
/// persons must have more than one.
pub(crate) fn release_records_beside_persons(events: &[Event], max_rows: i128) -> Released {
    let several = by_person(events).values().filter(|r| r.len() > 1).count();
    if i128::try_from(several).unwrap() < K_EFF {
        return Released::Withheld;
    }
    release_records(events, max_rows)
}

/// A protected count of persons.
pub(crate) fn release_persons(events: &[Event]) -> Released {
    let n = persons(events);
    if n < K_EFF {
        Released::Withheld
    } else {
        Released::Count(round_count(n))
    }
}

/// Mean and standard deviation of values in hundredths, as released; bounds in whole units, the
/// number of missing values public. No person has more rows than count.
pub(crate) fn release_moments(events: &[Event], bounds: (i128, i128)) -> Released {
    let known: Vec<Event> = events
        .iter()
        .filter(|e| e.value.is_some())
        .cloned()
        .collect();
    let n = persons(&known);
    if persons(events) < K_EFF || n < FOR_A_MEAN {
        return Released::Withheld;
    }
    let (mean, variance) = exact_moments(&known, bounds);
    let persons = round_count(n);
    let grid = one_two_five(&ratio(bounds.1 - bounds.0, 10 * persons));
    Released::Moments(Moments {
        persons: round_count(i128::try_from(known.len()).unwrap()),
        mean: nearest(&mean, &grid),
        sd: nearest_root(&variance, &grid),
        grid,
    })
}

/// Exact mean and sample variance over rows, every value clamped to the bounds.
pub(crate) fn exact_moments(known: &[Event], bounds: (i128, i128)) -> (BigRational, BigRational) {
    let values: Vec<i128> = known
        .iter()
        .filter_map(|e| e.value)
        .map(|v| v.clamp(bounds.0 * 100, bounds.1 * 100))
        .collect();
    let (mean, variance) = super::rules::mean_and_variance(&values);
    let unit = ten(-2);
    (mean * &unit, variance * &unit * unit)
}

/// Sum of clamped values.
pub(crate) fn exact_sum(events: &[Event], bounds: (i128, i128)) -> BigRational {
    let clamped = events
        .iter()
        .filter_map(|e| e.value)
        .map(|v| v.clamp(bounds.0 * 100, bounds.1 * 100));
    whole(clamped.sum()) * ten(-2)
}

/// Rows of a Parquet file: person, concept and, where the table has one, value.
pub(crate) fn read(path: &Path, concept: &str, value: Option<&str>) -> Vec<Event> {
    let file =
        std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut events = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap()
    {
        let batch = batch.unwrap();
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .unwrap_or_else(|| panic!("no {name}"))
        };
        let persons = column("person_id").as_primitive::<Int64Type>();
        let concepts = column(concept).as_primitive::<Int64Type>();
        let values = value.map(|name| column(name).as_primitive::<Float64Type>());
        for row in 0..batch.num_rows() {
            let value = values
                .filter(|v| v.is_valid(row))
                .map(|v| hundredths(v.value(row)));
            events.push(Event {
                person: persons.value(row),
                concept: concepts.value(row),
                value,
            });
        }
    }
    events
}

/// A float that stands for a decimal, as whole hundredths: through its shortest text, half to even.
fn hundredths(value: f64) -> i128 {
    let exact = super::exact::decimal(&value.to_string());
    let rounded = nearest(&(exact * whole(100)), &whole(1)).to_integer();
    i128::try_from(rounded).unwrap()
}

/// The part of a site.
pub(crate) fn site(events: &[Event], site: i64) -> Vec<Event> {
    events
        .iter()
        .filter(|event| event.person % 3 == site)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_person_count_up_to_a_limit() {
        let event = |person, value| Event {
            person,
            concept: 1,
            value: Some(value),
        };
        let events = [event(1, 100), event(1, 200), event(1, 300), event(2, 50)];
        assert_eq!((persons(&events), records(&events, 2)), (2, 3));
        assert_eq!(exact_sum(&events, (1, 2)), whole(6));
        assert_eq!(release_records(&events, 2), Released::Withheld);
        assert_eq!(hundredths(10.1), 1010);
    }
}
