//! A node in a few lines: cells of whole numbers, exact or rounded, from a list of persons.

use std::collections::BTreeMap;

use quorate_query::answer::{Cell, NodeRow, NodeTable};
use quorate_query::codebook::{Codebook, ColumnRef};
use quorate_query::measure::facts::facts;
use quorate_query::measure::moments::{CellSize, ExactMoments};
use quorate_query::measure::products::{self, ExactProducts};
use quorate_query::measure::{moments, persons, value_counts};
use quorate_query::number::Number;
use quorate_query::question::{GroupKey, Measure, TableQuestion, Values};
use quorate_query::release::ReleaseParams;
use quorate_query::value::Scalar;

/// Whole numbers by column; a column that is absent is missing.
pub(crate) type Person = BTreeMap<&'static str, i64>;

fn key(key: &GroupKey, person: &Person) -> Scalar {
    match key {
        GroupKey::Column(column) => Scalar::Number(person[column.column.as_str()].into()),
        GroupKey::Band { column, width } => {
            let width = i64::try_from(width.to_integer().unwrap()).unwrap();
            Scalar::Number((person[column.column.as_str()].div_euclid(width) * width).into())
        }
        GroupKey::Period { .. } => panic!("no dates here"),
    }
}

fn values(group: &[&Person], column: &ColumnRef) -> Vec<i64> {
    group
        .iter()
        .filter_map(|person| person.get(column.column.as_str()).copied())
        .collect()
}

fn cell(
    measure: &Measure,
    group: &[&Person],
    (q, book): (&TableQuestion, &Codebook),
    round: bool,
) -> Cell {
    let facts = facts(measure, q, book).unwrap();
    let params = ReleaseParams::default();
    let parts = match measure {
        Measure::Persons { of } => {
            let n = of
                .as_ref()
                .map_or(group.len(), |of| values(group, of).len()) as u64;
            if round {
                persons::protect(n, &params)
            } else {
                Some(persons::exact(n))
            }
        }
        Measure::Moments { column } => {
            let values = values(group, column);
            let n = values.len() as u64;
            let sum = values.iter().map(|v| i128::from(*v)).sum();
            let sum_sq = values.iter().map(|v| i128::from(v * v)).sum();
            let exact = ExactMoments {
                persons: n,
                rows: n,
                sum,
                sum_sq,
                scale: 0,
            };
            let shown = if facts.complete {
                n
            } else {
                group.len() as u64
            };
            let shown = CellSize {
                persons: shown,
                rows: shown,
                complete: facts.complete,
            };
            let bounds = facts.bounds.unwrap();
            if round {
                moments::protect(&exact, bounds, shown, &params)
            } else {
                Some(moments::exact(&exact))
            }
        }
        Measure::ValueCounts { column } => {
            let values = values(group, column);
            let count =
                |d: &Number| values.iter().filter(|v| Number::from(**v) == *d).count() as u64;
            let counts: Vec<u64> = facts.domain.iter().map(count).collect();
            if round {
                value_counts::protect(&counts, &counts, &params)
            } else {
                Some(value_counts::exact(&counts))
            }
        }
        Measure::Products { left, right } => {
            let (a, b) = facts.centres.unwrap();
            let whole = |n: Number| i64::try_from(n.to_integer().unwrap()).unwrap();
            let (left, right) = (values(group, left), values(group, right));
            assert_eq!((left.len(), right.len()), (group.len(), group.len()));
            let both = left.iter().zip(&right);
            let product =
                |(x, y): (&i64, &i64)| i128::from(x - whole(a)) * i128::from(y - whole(b));
            let exact = ExactProducts {
                persons: group.len() as u64,
                sum: both.map(product).sum(),
                scale: 0,
            };
            if round {
                products::protect(&exact, facts.bounds.unwrap(), &params)
            } else {
                Some(products::exact(&exact))
            }
        }
        Measure::Events { .. } => panic!("no events here"),
    };
    parts.map_or(Cell::Suppressed, Cell::Value)
}

/// Whether a person passes the filter: values are those of whole numbers, a missing one is NULL.
fn passes(person: &Person, q: &TableQuestion) -> bool {
    q.filter.boxes.iter().all(|(column, set)| {
        let Some(value) = person.get(column.column.as_str()).copied().map(i128::from) else {
            return set.null;
        };
        match &set.values {
            Values::All => true,
            Values::Ranges(ranges) => ranges.iter().any(|(low, high)| {
                low.is_none_or(|low| low <= value) && high.is_none_or(|high| value <= high)
            }),
            Values::Texts(_) | Values::NotTexts(_) => panic!("no texts here"),
        }
    })
}

/// What a node releases for a question about its persons, by the cell rules of this crate alone.
pub(crate) fn node(
    people: &[Person],
    q: &TableQuestion,
    book: &Codebook,
    round: bool,
) -> NodeTable {
    let mut groups: BTreeMap<Vec<Scalar>, Vec<&Person>> = BTreeMap::new();
    for person in people.iter().filter(|person| passes(person, q)) {
        let key = q.keys.iter().map(|k| key(k, person)).collect();
        groups.entry(key).or_default().push(person);
    }
    let row = |(key, group): (Vec<Scalar>, Vec<&Person>)| {
        let cells = q
            .measures
            .iter()
            .map(|m| cell(m, &group, (q, book), round))
            .collect();
        NodeRow { key, cells }
    };
    NodeTable {
        rows: groups.into_iter().map(row).collect(),
    }
}
