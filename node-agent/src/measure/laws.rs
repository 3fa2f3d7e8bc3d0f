//! Laws: however rows are cut into batches and folds, the evidence is that of the plain definition, which
//! looks at one person after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use proptest::prelude::*;
use quorate_disclosure::evidence::{
    CellEvidence, Contributions, Evidence, MeasureEvidence, Moments, Persons, Products,
    ValueEvidence, Values,
};
use quorate_query::number::Number;
use quorate_query::value::Scalar;
use roaring::RoaringBitmap;

use super::block::RUN;
use super::{Counted, Fold, FoldError, Layout, Merged, Part};

/// Bounds of the summed column.
const BOUNDS: (i64, i64) = (-40, 90);
/// Centres of the products.
const CENTRES: [i128; 2] = [25, 3];
/// The small domain.
const DOMAIN: [i128; 3] = [-1, 0, 4];

/// One row as the engine hands it over: a number and a word to group by, and what measures need.
#[derive(Clone, Debug)]
struct Row {
    keys: (Option<i64>, Option<&'static str>),
    person: u32,
    present: Option<bool>,
    value: Option<i64>,
    small: Option<i64>,
}

fn layout(max_rows: Option<u64>) -> Layout {
    let mut parts = vec![
        Part::All {
            of: Counted::Persons,
        },
        Part::All { of: Counted::Rows },
        Part::Present {
            at: 3,
            of: Counted::Rows,
        },
        Part::Moments {
            at: 4,
            scale: 1,
            low: BOUNDS.0.into(),
            high: BOUNDS.1.into(),
        },
        Part::Values {
            at: 5,
            scale: 0,
            domain: DOMAIN.to_vec(),
        },
    ];
    if max_rows.is_none() {
        parts.push(Part::Products {
            at: [4, 5],
            centres: CENTRES,
            most: [1 << 40, 1 << 40],
            scale: 1,
        });
    }
    Layout {
        keys: 2,
        max_rows,
        parts,
    }
}

fn batch(rows: &[Row]) -> RecordBatch {
    let ints = |of: fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Int64Array>())
    };
    let words: StringArray = rows.iter().map(|row| row.keys.1).collect();
    let persons: UInt32Array = rows.iter().map(|row| Some(row.person)).collect();
    let present: BooleanArray = rows.iter().map(|row| row.present).collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("number", ints(|row| row.keys.0)),
        ("word", Arc::new(words)),
        ("person", Arc::new(persons)),
        ("present", Arc::new(present)),
        ("value", ints(|row| row.value)),
        ("small", ints(|row| row.small)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// What the node makes of rows, dealt out to so many folds in batches of so many.
fn folded(
    rows: &[Row],
    max_rows: Option<u64>,
    folds: usize,
    size: usize,
) -> Result<Evidence, FoldError> {
    let mut all: Vec<Fold> = (0..folds).map(|_| Fold::new(layout(max_rows))).collect();
    for (at, rows) in rows.chunks(size).enumerate() {
        all[at % folds].push(&batch(rows))?;
    }
    let (mut shares, sorted) = Merged::of(all)?.unwrap().shares(folds + 1);
    for share in &mut shares {
        while share.order_next()? {}
    }
    shares.reverse();
    let sorted = sorted.with(shares);
    let cells = (0..sorted.cells()).map(|cell| Ok::<_, FoldError>(sorted.cell(cell)?.unwrap()));
    Ok(Evidence {
        cells: cells.collect::<Result<_, _>>()?,
    })
}

type OfPersons<'r> = BTreeMap<u32, Vec<&'r Row>>;

fn some(pairs: Vec<(u32, i128)>) -> Contributions {
    Contributions::of(pairs).unwrap()
}

/// The plain definition.
fn plain(rows: &[Row], max_rows: Option<u64>) -> Evidence {
    let mut cells: BTreeMap<Vec<Scalar>, OfPersons<'_>> = BTreeMap::new();
    for row in rows {
        let number = |n| Scalar::Number(Number::new(i128::from(n), 0));
        let number = row.keys.0.map_or(Scalar::Null, number);
        let word = row
            .keys
            .1
            .map_or(Scalar::Null, |w| Scalar::Text(w.to_owned()));
        let cell = cells.entry(vec![number, word]).or_default();
        cell.entry(row.person).or_default().push(row);
    }
    let cell = |(key, persons)| (key, plain_cell(&persons, max_rows));
    Evidence {
        cells: cells.into_iter().map(cell).collect(),
    }
}

/// Persons and their rows as far as they count, of rows that are looked at.
fn counted(
    persons: &OfPersons<'_>,
    max_rows: Option<u64>,
    looked: fn(&Row) -> bool,
) -> (Contributions, bool) {
    let most = max_rows.unwrap_or(u64::MAX);
    let (mut pairs, mut limited) = (Vec::new(), false);
    for (person, rows) in persons {
        let n = rows.iter().filter(|row| looked(row)).count() as u64;
        limited |= n > most;
        if n > 0 {
            pairs.push((*person, i128::from(n.min(most))));
        }
    }
    (some(pairs).limited(limited), limited)
}

fn plain_cell(persons: &OfPersons<'_>, max_rows: Option<u64>) -> CellEvidence {
    let people: Persons = persons.keys().copied().collect();
    let (each, _) = counted(persons, max_rows, |_| true);
    let (present, _) = counted(persons, max_rows, |row| row.present == Some(true));
    let mut measures = vec![
        MeasureEvidence::Count(Contributions::ones(people.clone())),
        MeasureEvidence::Count(each.clone()),
        MeasureEvidence::Count(present),
        MeasureEvidence::Moments(plain_moments(persons, max_rows)),
        MeasureEvidence::Values(plain_values(persons, max_rows.unwrap_or(1))),
    ];
    if max_rows.is_none() {
        let pair = |(person, rows): (&u32, &Vec<&Row>)| {
            Some((*person, rows[0].value?.into(), rows[0].small?.into()))
        };
        let pairs: Vec<_> = persons.iter().filter_map(pair).collect();
        let found = Products::of(&pairs, (CENTRES[0], CENTRES[1]), 1).unwrap();
        measures.push(MeasureEvidence::Products(Box::new(found)));
    }
    CellEvidence {
        people,
        rows: each.sum().try_into().unwrap(),
        each: max_rows.map(|_| each),
        measures,
    }
}

fn plain_moments(persons: &OfPersons<'_>, max_rows: Option<u64>) -> Moments {
    let (each, fewer) = counted(persons, max_rows, |row| row.value.is_some());
    let (mut totals, mut squares, mut limited) = (Vec::new(), 0_i128, fewer);
    let (low, high) = (i128::from(BOUNDS.0), i128::from(BOUNDS.1));
    for (person, rows) in persons {
        let values: Vec<i128> = rows
            .iter()
            .filter_map(|row| Some(row.value?.into()))
            .collect();
        if values.is_empty() {
            continue;
        }
        let (sum, squared): (i128, i128) =
            (values.iter().sum(), values.iter().map(|v| v * v).sum());
        let Some(most) = max_rows else {
            totals.push((*person, sum));
            squares += squared;
            continue;
        };
        limited |= values.iter().any(|value| !(low..=high).contains(value));
        let n = i128::from(most).min(values.len() as i128);
        totals.push((*person, sum.clamp(low * n, high * n)));
        squares += squared.min(n * (low * low).max(high * high));
    }
    Moments {
        totals: some(totals).limited(limited),
        rows: each.sum().try_into().unwrap(),
        each: max_rows.map(|_| each),
        squares,
        scale: 1,
    }
}

fn plain_values(persons: &OfPersons<'_>, max_rows: u64) -> Values {
    let mut found = Values {
        any: Persons::default(),
        nonzero: RoaringBitmap::new(),
        values: vec![ValueEvidence::default(); DOMAIN.len()],
    };
    let mut any = RoaringBitmap::new();
    let mut with = vec![RoaringBitmap::new(); DOMAIN.len()];
    for (person, rows) in persons {
        let mut values: Vec<i128> = rows
            .iter()
            .filter_map(|row| Some(row.small?.into()))
            .collect();
        values.retain(|value| DOMAIN.contains(value));
        values.sort_unstable();
        values.truncate(usize::try_from(max_rows).unwrap());
        for ((value, of), with) in DOMAIN.iter().zip(&mut found.values).zip(&mut with) {
            let n = values.iter().filter(|other| *other == value).count();
            if n > 0 {
                with.insert(*person);
                of.rows += n as u64;
                of.note(n as u64);
            }
            of.elsewhere += u64::from(n < values.len());
        }
        if !values.is_empty() {
            any.insert(*person);
        }
        if values.iter().any(|value| *value != 0) {
            found.nonzero.insert(*person);
        }
    }
    for (value, with) in found.values.iter_mut().zip(with) {
        value.people = with.into();
        value.settle();
    }
    found.any = any.into();
    found
}

fn row() -> impl Strategy<Value = Row> {
    let number = prop_oneof![6 => 0..3_i64, 1 => -9000..90_000_i64, 1 => any::<i64>()];
    let word = prop_oneof![Just("a"), Just("b"), Just("")];
    let near = 0..40_u32;
    let person = prop_oneof![
        4 => near.clone(),
        2 => near.clone().prop_map(|near| near + RUN - 20),
        1 => near.prop_map(|near| 7 * RUN + 3 * near),
        1 => 0..3_000_000_u32,
    ];
    // within bounds, beyond them, and so large that squares need more than 64 bits
    let value = prop_oneof![
        8 => BOUNDS.0..=BOUNDS.1, 2 => -200..200_i64, 1 => any::<i32>().prop_map(|v| i64::from(v) << 12)
    ];
    let small = prop_oneof![-1..1_i64, Just(4), Just(7)];
    let keys = (
        prop::option::weighted(0.9, number),
        prop::option::weighted(0.9, word),
    );
    let present = prop::option::of(any::<bool>());
    let (value, small) = (
        prop::option::weighted(0.8, value),
        prop::option::weighted(0.8, small),
    );
    (keys, person, present, value, small).prop_map(|(keys, person, present, value, small)| Row {
        keys,
        person,
        present,
        value,
        small,
    })
}

/// Rows of which nothing is missing in `whole` of the columns, so that the short way is taken too.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    (prop::collection::vec(row(), 1..160), any::<bool>()).prop_map(|(mut rows, whole)| {
        for row in rows.iter_mut().filter(|_| whole) {
            row.keys = (
                Some(row.keys.0.unwrap_or(2)),
                Some(row.keys.1.unwrap_or("b")),
            );
            row.value = Some(row.value.unwrap_or(1));
            row.small = Some(row.small.unwrap_or(0));
            row.present = Some(true);
        }
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn events_of_a_person_add_up(rows in rows(), most in 1..4_u64, folds in 1..4_usize, size in 1..60_usize) {
        let found = folded(&rows, Some(most), folds, size).unwrap();
        prop_assert!(found.cells == plain(&rows, Some(most)).cells);
    }

    #[test]
    fn a_row_of_a_unit_table_is_a_person(rows in rows(), folds in 1..4_usize, size in 1..60_usize) {
        let rows: BTreeMap<u32, Row> = rows.into_iter().map(|row| (row.person, row)).collect();
        for rows in [rows.values().cloned().collect::<Vec<_>>(), rows.into_values().rev().collect()] {
            let found = folded(&rows, None, folds, size).unwrap();
            prop_assert!(found.cells == plain(&rows, None).cells);
        }
    }
}

#[test]
fn nearly_as_many_cells_as_rows_are_told_apart() {
    let row = |at: u32| Row {
        keys: (Some(i64::from(at * 7 % 6001)), Some("a")),
        person: at % 3000 * 1000,
        present: Some(true),
        value: Some(i64::from(at % 50)),
        small: None,
    };
    let rows: Vec<Row> = (0..6000).map(row).collect();
    let found = folded(&rows, Some(3), 2, 700).unwrap();
    assert_eq!(found.cells.len(), 6000);
    assert!(found.cells == plain(&rows, Some(3)).cells);
}

#[test]
fn a_person_with_two_rows_on_a_unit_table_is_a_fault() {
    let row = |person| Row {
        keys: (Some(1), None),
        person,
        present: None,
        value: Some(5),
        small: Some(0),
    };
    for persons in [
        [3, 3, 4],
        [4, 3, 4],
        [RUN + 2, 1, RUN + 2],
        [u32::MAX, u32::MAX, 0],
    ] {
        let rows: Vec<Row> = persons.into_iter().map(row).collect();
        for folds in 1..3 {
            let found = folded(&rows, None, folds, 1);
            assert!(matches!(found, Err(FoldError::Shape)));
            let events = folded(&rows, Some(1), folds, 3).unwrap();
            assert!(events.cells == plain(&rows, Some(1)).cells);
        }
    }
}
