//! Evidence against a plain computation over the same rows: who is in each cell, what each adds, the
//! two largest, the extremes. Rows come in any order, in any partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch};
use datafusion::datasource::MemTable;
use proptest::prelude::*;
use quorate_disclosure::evidence::{CellEvidence, Contributions, Evidence, MeasureEvidence};
use quorate_query::number::Number;
use quorate_query::question::{GroupKey, Measure, Set, TableQuestion};
use quorate_query::value::Scalar;

use super::Tables;
use super::tests::{book, column, number, persons, question, run_on};
use crate::persons::Registry;

/// A visit: whose, kind, cost.
type Visit = (i64, Option<i64>, Option<i64>);
/// A person: key, sex, age, cholesterol in tenths.
type One = (i64, Option<i64>, Option<i64>, Option<i128>);

const MAX_ROWS: usize = 3;
const COST: (i128, i128) = (-10, 100);
const CHOL: (i128, i128) = (800, 6000);

fn batches<R: Copy>(
    rows: &[R],
    parts: usize,
    columns: impl Fn(&[R]) -> Vec<(&'static str, ArrayRef)>,
) -> Arc<MemTable> {
    let batch = |rows: &[R]| {
        let columns = columns(rows).into_iter();
        RecordBatch::try_from_iter_with_nullable(columns.map(|(n, a)| (n, a, true))).unwrap()
    };
    let schema = batch(&[]).schema();
    let mut partitions = vec![Vec::new(); parts];
    for (at, chunk) in rows.chunks(7).enumerate() {
        partitions[at % parts].push(batch(chunk));
    }
    Arc::new(MemTable::try_new(schema, partitions).unwrap())
}

fn tables(people: &[One], visits: &[Visit], parts: usize) -> Tables {
    let person = batches(people, parts, |rows| {
        let chol = Decimal128Array::from_iter(rows.iter().map(|r| r.3));
        let chol = chol.with_precision_and_scale(38, 1).unwrap();
        let ints = |of: fn(&One) -> Option<i64>| Int64Array::from_iter(rows.iter().map(of));
        vec![
            ("age", Arc::new(ints(|r| r.2)) as ArrayRef),
            ("chol", Arc::new(chol)),
            ("id", Arc::new(ints(|r| Some(r.0)))),
            ("sex", Arc::new(ints(|r| r.1))),
        ]
    });
    let visit = batches(visits, parts, |rows| {
        let days = Date32Array::from_iter_values(rows.iter().map(|_| 19_000));
        let ints = |of: fn(&Visit) -> Option<i64>| Int64Array::from_iter(rows.iter().map(of));
        vec![
            ("cost", Arc::new(ints(|r| r.2)) as ArrayRef),
            ("day", Arc::new(days)),
            ("id", Arc::new(ints(|r| Some(r.0)))),
            ("kind", Arc::new(ints(|r| r.1))),
        ]
    });
    BTreeMap::from([
        ("person".to_owned(), person as _),
        ("visit".to_owned(), visit as _),
    ])
}

fn id(registry: &Registry, key: i64) -> u32 {
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![key]));
    registry.ids(&keys).unwrap().value(0)
}

/// Plain contributions by unit key against the evidence's, in every number that rules read.
fn same(found: &Contributions, plain: &BTreeMap<i64, i128>, registry: &Registry) {
    let plain: BTreeMap<u32, i128> = plain
        .iter()
        .map(|(key, add)| (id(registry, *key), *add))
        .collect();
    assert_eq!(found.iter().collect::<BTreeMap<_, _>>(), plain);
    assert!(found.people().iter().eq(plain.keys().copied()));
    assert_eq!(found.sum(), plain.values().sum::<i128>());
    let mut sizes: Vec<i128> = plain.values().map(|add| add.abs()).collect();
    assert_eq!(found.abs_sum(), sizes.iter().sum::<i128>());
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let largest = found.largest(2).into_iter().map(|(_, add)| add.abs());
    assert_eq!(largest.collect::<Vec<_>>(), sizes[..sizes.len().min(2)]);
    let extremes = plain.values().min().zip(plain.values().max());
    assert_eq!(found.extremes(), extremes.map(|(low, high)| (*low, *high)));
    let nonzero = plain.values().filter(|add| **add != 0).count();
    assert_eq!(found.nonzero(), u64::try_from(nonzero).unwrap());
}

fn count(evidence: &MeasureEvidence) -> &Contributions {
    match evidence {
        MeasureEvidence::Count(found) => found,
        _ => panic!("not a count"),
    }
}

/// What is left of some persons once their counted rows are known.
fn counted<'a>(rows: impl Iterator<Item = (&'a i64, usize)>) -> BTreeMap<i64, i128> {
    let counted = rows.filter(|(_, n)| *n > 0);
    counted
        .map(|(key, n)| (*key, i128::try_from(n.min(MAX_ROWS)).unwrap()))
        .collect()
}

fn visits_question() -> TableQuestion {
    let of = |name: &str| column("visit", name);
    let measures = vec![
        Measure::Persons { of: None },
        Measure::Events { of: None },
        Measure::Persons {
            of: Some(of("cost")),
        },
        Measure::Events {
            of: Some(of("cost")),
        },
        Measure::Moments { column: of("cost") },
    ];
    question("visit", vec![GroupKey::Column(of("kind"))], measures)
}

/// Somebody of every key that a visit has.
fn visitors(visits: &[Visit]) -> Vec<One> {
    let keys: BTreeSet<i64> = visits.iter().map(|visit| visit.0).collect();
    keys.into_iter()
        .map(|key| (key, None, None, None))
        .collect()
}

/// Event tables, one cell a kind.
fn check_visits(cell: &CellEvidence, visits: &[Visit], kind: i64, registry: &Registry) {
    let mut rows: BTreeMap<i64, Vec<Option<i64>>> = BTreeMap::new();
    for visit in visits.iter().filter(|visit| visit.1 == Some(kind)) {
        rows.entry(visit.0).or_default().push(visit.2);
    }
    let costs = |rows: &[Option<i64>]| -> Vec<i128> {
        let costs = rows.iter().flatten();
        costs
            .map(|c| i128::from(*c).clamp(COST.0, COST.1))
            .collect()
    };
    let all = counted(rows.iter().map(|(key, rows)| (key, rows.len())));
    let with = counted(rows.iter().map(|(key, rows)| (key, costs(rows).len())));
    let ones = |of: &BTreeMap<i64, i128>| of.keys().map(|key| (*key, 1)).collect();
    same(count(&cell.measures[0]), &ones(&all), registry);
    same(count(&cell.measures[1]), &all, registry);
    same(count(&cell.measures[2]), &ones(&with), registry);
    same(count(&cell.measures[3]), &with, registry);
    assert_eq!(i128::from(cell.rows), all.values().sum::<i128>());
    let MeasureEvidence::Moments(moments) = &cell.measures[4] else {
        panic!("not moments")
    };
    let total = |key: &i64| {
        let sum: i128 = costs(&rows[key]).iter().sum();
        sum.clamp(COST.0 * with[key], COST.1 * with[key])
    };
    same(
        &moments.totals,
        &with.keys().map(|key| (*key, total(key))).collect(),
        registry,
    );
    assert_eq!(i128::from(moments.rows), with.values().sum::<i128>());
    let squares = with.iter().map(|(key, n)| {
        let squares: i128 = costs(&rows[key]).iter().map(|c| c * c).sum();
        squares.min(COST.1 * COST.1 * n)
    });
    assert_eq!(moments.squares, squares.sum::<i128>());
}

fn people_question() -> TableQuestion {
    let of = |name: &str| column("person", name);
    let keys = vec![
        GroupKey::Column(of("sex")),
        GroupKey::Band {
            column: of("age"),
            width: Number::new(10, 0),
        },
    ];
    let measures = vec![
        Measure::Persons { of: None },
        Measure::Persons {
            of: Some(of("chol")),
        },
        Measure::Moments { column: of("chol") },
    ];
    question("person", keys, measures)
}

/// Unit tables, one cell for each sex and band of age.
fn check_people(evidence: &Evidence, people: &[One], registry: &Registry) {
    let mut cells: BTreeMap<(i64, i64), Vec<&One>> = BTreeMap::new();
    for one in people {
        if let (Some(sex), Some(age)) = (one.1, one.2) {
            let band = age.clamp(0, 120).div_euclid(10) * 10;
            cells.entry((sex, band)).or_default().push(one);
        }
    }
    let keys: BTreeSet<Vec<Scalar>> = cells
        .keys()
        .map(|(sex, band)| vec![number(*sex), number(*band)])
        .collect();
    assert!(evidence.cells.keys().eq(&keys));
    for ((sex, band), people) in &cells {
        let cell = &evidence.cells[&vec![number(*sex), number(*band)]];
        same(
            count(&cell.measures[0]),
            &people.iter().map(|one| (one.0, 1)).collect(),
            registry,
        );
        let clamped = |one: &&One| Some((one.0, one.3?.clamp(CHOL.0, CHOL.1)));
        let chol: BTreeMap<i64, i128> = people.iter().filter_map(clamped).collect();
        let ones = chol.keys().map(|key| (*key, 1)).collect();
        same(count(&cell.measures[1]), &ones, registry);
        let MeasureEvidence::Moments(moments) = &cell.measures[2] else {
            panic!("not moments")
        };
        same(&moments.totals, &chol, registry);
        assert_eq!(moments.squares, chol.values().map(|c| c * c).sum::<i128>());
        assert_eq!(usize::try_from(moments.rows).unwrap(), chol.len());
        assert_eq!(usize::try_from(cell.people.len()).unwrap(), people.len());
    }
}

/// Mean product of age and cholesterol, of persons with both.
fn products_question() -> TableQuestion {
    let (left, right) = (column("person", "age"), column("person", "chol"));
    let mut asked = question(
        "person",
        vec![GroupKey::Column(column("person", "sex"))],
        vec![Measure::Products {
            left: left.clone(),
            right: right.clone(),
        }],
    );
    for column in [left, right] {
        asked.filter.boxes.insert(column, Set::not_null());
    }
    asked
}

/// Values are clamped before they are multiplied, about the centres 60 and 340.0.
fn check_products(evidence: &Evidence, people: &[One], registry: &Registry) {
    for sex in 0..2 {
        let clamped = |one: &One| {
            let age = i128::from(one.2?).clamp(0, 120);
            let chol = one.3?.clamp(CHOL.0, CHOL.1);
            (one.1 == Some(sex)).then_some((one.0, (age, chol)))
        };
        let both: BTreeMap<i64, (i128, i128)> = people.iter().filter_map(clamped).collect();
        let cell = evidence.cells.get(&vec![number(sex)]);
        assert_eq!(cell.is_some(), !both.is_empty());
        let Some(cell) = cell else { continue };
        let MeasureEvidence::Products(found) = &cell.measures[0] else {
            panic!("no products")
        };
        let about = |(x, y): (i128, i128)| {
            let each = both.iter();
            each.map(|(key, (a, b))| (*key, (a - x) * (b - y)))
                .collect()
        };
        let middle = |of: fn(&(i128, i128)) -> i128| {
            let mut all: Vec<i128> = both.values().map(of).collect();
            all.sort_unstable();
            all[(all.len() - 1) / 2]
        };
        same(&found.centred, &about((60, 3400)), registry);
        same(&found.plain, &about((0, 0)), registry);
        let middles = (middle(|pair| pair.0), middle(|pair| pair.1));
        same(&found.middle, &about(middles), registry);
        assert_eq!(found.scale, 1);
    }
}

fn any_visits() -> impl Strategy<Value = Vec<Visit>> {
    let key = prop_oneof![0_i64..12, Just(-9_000_000_000_000)];
    let visit = (
        key,
        prop::option::of(0_i64..3),
        prop::option::of(-30_i64..130),
    );
    prop::collection::vec(visit, 0..80)
}

fn any_people() -> impl Strategy<Value = Vec<One>> {
    let values = (
        prop::option::of(0_i64..2),
        prop::option::of(-5_i64..40),
        prop::option::of(0_i128..7000),
    );
    prop::collection::btree_map(-50_i64..50, values, 0..60).prop_map(|people| {
        let one = |(key, (sex, age, chol))| (key, sex, age, chol);
        people.into_iter().map(one).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn evidence_is_what_the_rows_say(
        people in any_people().prop_shuffle(),
        visits in any_visits().prop_shuffle(),
        parts in 1_usize..4,
    ) {
        let registry = persons();
        let book = book();
        let tables = tables(&people, &visits, parts);
        check_people(&run_on(&people_question(), &book, &tables, &registry), &people, &registry);
        check_products(&run_on(&products_question(), &book, &tables, &registry), &people, &registry);
        let evidence = run_on(&visits_question(), &book, &tables, &registry);
        // visits of nobody who is in the table of persons count for nothing
        let known = |visit: &Visit| people.iter().any(|one| one.0 == visit.0);
        let visits: Vec<Visit> = visits.into_iter().filter(known).collect();
        for kind in 0..3 {
            let there = visits.iter().any(|visit| visit.1 == Some(kind));
            let cell = evidence.cells.get(&vec![number(kind)]);
            prop_assert_eq!(cell.is_some(), there);
            if let Some(cell) = cell {
                check_visits(cell, &visits, kind, &registry);
            }
        }
    }

    /// Not by a bit: neither the order of rows nor their partitions show.
    #[test]
    fn evidence_does_not_depend_on_order(
        visits in any_visits(),
        seed in any::<u64>(),
        parts in 1_usize..5,
    ) {
        let registry = persons();
        let mut question = visits_question();
        question.measures.push(Measure::ValueCounts { column: column("visit", "kind") });
        let evidence = |visits: &[Visit], parts| {
            run_on(&question, &book(), &tables(&visitors(visits), visits, parts), &registry)
        };
        let first = evidence(&visits, 1);
        let mut turned = visits.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut turned);
        prop_assert!(first.cells == evidence(&turned, parts).cells);
        // a node without the table of persons knows them by their rows
        let mut alone = tables(&[], &visits, parts);
        alone.remove("person");
        prop_assert!(first.cells == run_on(&question, &book(), &alone, &registry).cells);
    }
}

/// One visitor with nearly all rows: the rules of dominance see rows of persons, clamped.
#[test]
fn a_person_with_many_rows_counts_as_one_with_some() {
    let mut visits: Vec<Visit> = (0..9).map(|key| (key, Some(1), Some(10))).collect();
    visits.extend((0..1000).map(|_| (77, Some(1), Some(100))));
    let registry = persons();
    let evidence = run_on(
        &visits_question(),
        &book(),
        &tables(&visitors(&visits), &visits, 2),
        &registry,
    );
    let cell = &evidence.cells[&vec![number(1)]];
    let person = id(&registry, 77);
    let rows = count(&cell.measures[1]);
    assert_eq!(rows.largest(1), [(person, 3)]);
    assert_eq!((rows.abs_sum(), cell.rows, cell.people.len()), (12, 12, 10));
    assert_eq!(count(&cell.measures[0]).largest(1)[0].1, 1);
    let MeasureEvidence::Moments(cost) = &cell.measures[4] else {
        panic!("not moments")
    };
    let two = cost.totals.largest(2);
    assert_eq!((two[0], two[1].1), ((person, 300), 10));
    assert_eq!(cost.totals.abs_sum(), 390);
}
