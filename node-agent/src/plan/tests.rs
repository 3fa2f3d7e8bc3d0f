//! Plans against plain loops over the same rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch};
use datafusion::datasource::MemTable;
use proptest::prelude::*;
use quorate_query::codebook::{Codebook, ColumnRef};
use quorate_query::derived::{Aggregate, Derived, Frame};
use quorate_query::number::Number;
use quorate_query::question::{
    Cohort, GroupKey, Measure, Output, Predicate, Set, TableQuestion, Values,
};
use quorate_query::value::Scalar;

use super::{Tables, lower};
use crate::engine::{Engine, Task};
use crate::persons::Registry;
use crate::policy::Limits;
use crate::store::Store;
use quorate_disclosure::evidence::{CellEvidence, Evidence, MeasureEvidence};

const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group", "value"], domain = { 0 = "f", 1 = "m" } }
age = { type = "int", role = ["filter", "group", "value"], bounds = [0, 120], bands = [10] }
chol = { type = "decimal", scale = 1, role = ["value", "filter"], bounds = [80, 600], missing_public = true }

[table.visit]
rows = "many"
unit_key = "id"
max_rows = 3
date = "day"
[table.visit.column]
id = { type = "int", role = ["key"] }
day = { type = "date", role = ["date"] }
kind = { type = "int", role = ["filter", "group", "value"], domain = { 0 = "in", 1 = "out", 2 = "er" } }
cost = { type = "int", role = ["value"], bounds = [-10, 100] }
"#;

#[derive(Clone, Debug)]
struct Person {
    sex: Option<i64>,
    age: Option<i64>,
    chol: Option<i128>,
    visits: Vec<(Option<i64>, Option<i64>)>,
}

pub(super) fn book() -> Codebook {
    quorate_query::codebook::read(BOOK, "test.toml").expect("the test's codebook")
}

pub(super) fn column(table: &str, column: &str) -> ColumnRef {
    ColumnRef {
        table: table.into(),
        column: column.into(),
    }
}

pub(super) fn question(rows: &str, keys: Vec<GroupKey>, measures: Vec<Measure>) -> TableQuestion {
    TableQuestion {
        rows: rows.into(),
        joined: BTreeSet::new(),
        filter: Predicate::default(),
        keys,
        measures,
        output: Output::default(),
    }
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Arc<MemTable> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
}

fn tables(people: &[Person]) -> Tables {
    let ids = || 0..i64::try_from(people.len()).unwrap();
    let chol = Decimal128Array::from_iter(people.iter().map(|p| p.chol));
    let person = table(vec![
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        (
            "sex",
            Arc::new(Int64Array::from_iter(people.iter().map(|p| p.sex))),
        ),
        (
            "age",
            Arc::new(Int64Array::from_iter(people.iter().map(|p| p.age))),
        ),
        (
            "chol",
            Arc::new(chol.with_precision_and_scale(38, 1).unwrap()),
        ),
    ]);
    let visits: Vec<_> = ids()
        .zip(people)
        .flat_map(|(id, p)| p.visits.iter().map(move |v| (id, v.0, v.1)))
        .collect();
    let visit = table(vec![
        (
            "id",
            Arc::new(Int64Array::from_iter_values(visits.iter().map(|v| v.0))),
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter_values(visits.iter().map(|_| 19_000))),
        ),
        (
            "kind",
            Arc::new(Int64Array::from_iter(visits.iter().map(|v| v.1))),
        ),
        (
            "cost",
            Arc::new(Int64Array::from_iter(visits.iter().map(|v| v.2))),
        ),
    ]);
    BTreeMap::from([
        ("person".to_owned(), person as _),
        ("visit".to_owned(), visit as _),
    ])
}

fn run(question: &TableQuestion, people: &[Person]) -> Evidence {
    run_on(question, &book(), &tables(people), &persons())
}

/// Numbers of a population that nobody has been met of.
pub(super) fn persons() -> Arc<Registry> {
    Arc::new(Registry::open(&Store::empty().unwrap(), &[7; 32], true).unwrap())
}

pub(super) fn run_on(
    question: &TableQuestion,
    book: &Codebook,
    tables: &Tables,
    persons: &Arc<Registry>,
) -> Evidence {
    let (plan, layout) = lower(question, book, tables, persons).unwrap();
    let engine = Engine::start(&Limits::default()).unwrap();
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    waiting.block_on(engine.run(Task { plan, layout })).unwrap()
}

pub(super) fn number(n: i64) -> Scalar {
    Scalar::Number(Number::new(i128::from(n), 0))
}

fn cell<'a>(evidence: &'a Evidence, key: &[i64]) -> &'a CellEvidence {
    let key: Vec<_> = key.iter().map(|k| number(*k)).collect();
    evidence.cells.get(&key).expect("a cell of that key")
}

/// Persons, rows, persons that add something, sum and sum of squares.
type Sums = (u64, u64, u64, i128, i128);

fn sums(evidence: &MeasureEvidence) -> Sums {
    match evidence {
        MeasureEvidence::Count(counted) => {
            let rows = u64::try_from(counted.sum()).unwrap();
            (counted.persons(), rows, counted.nonzero(), counted.sum(), 0)
        }
        MeasureEvidence::Moments(found) => {
            let totals = &found.totals;
            let (persons, nonzero) = (totals.persons(), totals.nonzero());
            (persons, found.rows, nonzero, totals.sum(), found.squares)
        }
        MeasureEvidence::Values(_) | MeasureEvidence::Products(_) => panic!("no plain sum"),
    }
}

fn counted(persons: u64, rows: u64) -> Sums {
    (persons, rows, persons, rows.into(), 0)
}

fn people() -> Vec<Person> {
    (0_i64..40)
        .map(|i| Person {
            sex: (i % 7 != 0).then_some(i % 2),
            age: (i % 5 != 0).then_some(i * 4),
            chol: (i % 3 != 0).then_some(i128::from(i) * 200),
            visits: (0..i % 6)
                .map(|v| ((v != 4).then_some(v % 3), Some(v * 60 - 20)))
                .collect(),
        })
        .collect()
}

#[test]
fn unit_table_counts_persons_and_clamps_values() {
    let q = question(
        "person",
        vec![GroupKey::Column(column("person", "sex"))],
        vec![
            Measure::Persons { of: None },
            Measure::Persons {
                of: Some(column("person", "chol")),
            },
            Measure::Moments {
                column: column("person", "chol"),
            },
            Measure::ValueCounts {
                column: column("person", "sex"),
            },
        ],
    );
    let people = people();
    let evidence = run(&q, &people);
    assert_eq!(
        evidence.cells.len(),
        2,
        "persons without a sex are in no cell"
    );
    for sex in [0, 1] {
        let of: Vec<_> = people.iter().filter(|p| p.sex == Some(sex)).collect();
        let n = u64::try_from(of.len()).unwrap();
        let chol: Vec<i128> = of
            .iter()
            .filter_map(|p| p.chol)
            .map(|c| c.clamp(800, 6000))
            .collect();
        let m = u64::try_from(chol.len()).unwrap();
        let found = cell(&evidence, &[sex]);
        assert!(found.people.len() == n && found.rows == n);
        let squares = chol.iter().map(|c| c * c).sum();
        let expected = [
            counted(n, n),
            counted(m, m),
            (m, m, m, chol.iter().sum(), squares),
        ];
        assert_eq!(
            found.measures[..3].iter().map(sums).collect::<Vec<_>>(),
            expected
        );
        let MeasureEvidence::Values(found) = &found.measures[3] else {
            panic!("value counts")
        };
        let nonzero = if sex == 1 { n } else { 0 };
        assert_eq!((found.any.len(), found.nonzero.len()), (n, nonzero));
        let values = &found.values;
        assert_eq!(values[usize::try_from(sex).unwrap()].people.len(), n);
        assert_eq!(values[usize::try_from(1 - sex).unwrap()].elsewhere, n);
    }
}

#[test]
fn event_table_counts_at_most_max_rows_of_a_person() {
    let q = question(
        "visit",
        vec![],
        vec![
            Measure::Persons { of: None },
            Measure::Events { of: None },
            Measure::Events {
                of: Some(column("visit", "kind")),
            },
            Measure::Moments {
                column: column("visit", "cost"),
            },
            Measure::ValueCounts {
                column: column("visit", "kind"),
            },
        ],
    );
    let people = people();
    let evidence = run(&q, &people);
    let visitors: Vec<_> = people.iter().filter(|p| !p.visits.is_empty()).collect();
    let persons = u64::try_from(visitors.len()).unwrap();
    let rows = visitors
        .iter()
        .map(|p| u64::try_from(p.visits.len()).unwrap().min(3))
        .sum();
    let found = cell(&evidence, &[]);
    assert!(found.people.len() == persons && found.rows == rows);
    assert_eq!(
        sums(&found.measures[0]),
        super::tests::counted(persons, persons)
    );
    assert_eq!(
        sums(&found.measures[1]),
        super::tests::counted(persons, rows)
    );
    let clamped = |v: &(Option<i64>, Option<i64>)| i128::from(v.1.unwrap().clamp(-10, 100));
    let counted = |p: &Person| i128::try_from(p.visits.len().min(3)).unwrap();
    let total = |p: &&Person| p.visits.iter().map(clamped).sum::<i128>();
    let totals: Vec<i128> = visitors
        .iter()
        .map(|p| total(p).clamp(-10 * counted(p), 100 * counted(p)))
        .collect();
    let squares = visitors.iter().map(|p| {
        let squares: i128 = p.visits.iter().map(|v| clamped(v) * clamped(v)).sum();
        squares.min(10_000 * counted(p))
    });
    let nonzero = totals.iter().filter(|t| **t != 0).count();
    let expected = (
        persons,
        rows,
        u64::try_from(nonzero).unwrap(),
        totals.iter().sum(),
        squares.sum(),
    );
    assert_eq!(sums(&found.measures[3]), expected);
    let MeasureEvidence::Values(found) = &found.measures[4] else {
        panic!("value counts")
    };
    assert!(found.values.iter().map(|v| v.rows).sum::<u64>() <= rows);
    assert_eq!(found.values[0].people.len(), persons);
}

#[test]
fn cohorts_joins_bands_and_empty_answers() {
    let people = people();
    let mut q = question(
        "visit",
        vec![GroupKey::Band {
            column: column("person", "age"),
            width: Number::new(10, 0),
        }],
        vec![Measure::Persons { of: None }],
    );
    q.joined.insert("person".into());
    let evidence = run(&q, &people);
    let expected = people
        .iter()
        .filter(|p| !p.visits.is_empty())
        .filter(|p| p.age.is_some_and(|a| (120..).contains(&a)))
        .count();
    assert_eq!(
        cell(&evidence, &[120]).people.len(),
        u64::try_from(expected).unwrap()
    );

    let kind = |low: i128, high: i128| Predicate {
        boxes: BTreeMap::from([(
            column("visit", "kind"),
            Set {
                null: false,
                values: Values::Ranges(vec![(Some(low), Some(high))]),
            },
        )]),
        cohorts: BTreeSet::new(),
    };
    let cohort = |negated, filter| Cohort {
        negated,
        rows: "visit".into(),
        joined: BTreeSet::new(),
        filter,
    };
    let mut q = question("person", vec![], vec![Measure::Persons { of: None }]);
    q.filter.cohorts = BTreeSet::from([cohort(false, kind(1, 1)), cohort(true, kind(2, 2))]);
    let evidence = run(&q, &people);
    let has = |p: &&Person, k| p.visits.iter().any(|v| v.0 == Some(k));
    let expected = people.iter().filter(|p| has(p, 1) && !has(p, 2)).count();
    assert!(expected > 0);
    assert_eq!(
        cell(&evidence, &[]).people.len(),
        u64::try_from(expected).unwrap()
    );

    q.filter.cohorts = BTreeSet::from([cohort(false, kind(7, 9))]);
    assert!(run(&q, &people).cells.is_empty());
}

#[test]
fn missing_is_in_a_set_only_when_it_says_so() {
    let people = people();
    let count = |set: Set| {
        let mut q = question("person", vec![], vec![Measure::Persons { of: None }]);
        q.filter.boxes.insert(column("person", "chol"), set);
        run(&q, &people)
            .cells
            .values()
            .map(|c| c.people.len())
            .sum::<u64>()
    };
    let range = || Values::Ranges(vec![(None, Some(1000)), (Some(3000), Some(3000))]);
    let inside = |c: i128| c <= 1000 || c == 3000;
    let expected = people.iter().filter(|p| p.chol.is_some_and(inside)).count();
    let missing = people.iter().filter(|p| p.chol.is_none()).count();
    let sizes = [
        expected,
        expected + missing,
        people.len() - missing,
        missing,
    ]
    .map(|n| u64::try_from(n).unwrap());
    assert_eq!(
        count(Set {
            null: false,
            values: range()
        }),
        sizes[0]
    );
    assert_eq!(
        count(Set {
            null: true,
            values: range()
        }),
        sizes[1]
    );
    assert_eq!(
        count(Set {
            null: false,
            values: Values::All
        }),
        sizes[2]
    );
    assert_eq!(
        count(Set {
            null: true,
            values: Values::Ranges(vec![])
        }),
        sizes[3]
    );
    assert_eq!(
        count(Set {
            null: false,
            values: Values::Ranges(vec![])
        }),
        0
    );
}

/// What each person adds to the only measure.
fn added(evidence: &Evidence) -> BTreeMap<u32, i128> {
    match &cell(evidence, &[]).measures[0] {
        MeasureEvidence::Count(counted) => counted.iter().collect(),
        MeasureEvidence::Moments(found) => found.totals.iter().collect(),
        _ => panic!("no plain sum"),
    }
}

/// `disclosure` takes both for one number: whoever knows one knows the other, at all limits.
#[test]
fn sums_over_a_frame_are_sums_over_its_rows() {
    let (people, numbers) = (people(), persons());
    let cost = column("visit", "cost");
    let plain = book();
    let frame = || Frame {
        rows: "visit".to_owned(),
        joined: BTreeSet::new(),
        filter: Predicate::default(),
    };
    let twins = [
        (Aggregate::Rows, Measure::Events { of: None }),
        (
            Aggregate::Sum(cost.clone()),
            Measure::Moments { column: cost },
        ),
    ];
    for (of, over_rows) in twins {
        let derived = Derived::Frame { frame: frame(), of };
        let name = derived.reference(&plain);
        let missing = Derived::Coalesce {
            of: name.clone(),
            otherwise: number(0),
        };
        let without = missing.reference(&plain.with(&[(name.clone(), derived.clone())].into()));
        let book = plain.with(&[(name.clone(), derived), (without.clone(), missing)].into());
        assert_eq!(book.derived.len(), 2);
        let run = |rows: &str, measure: Measure| {
            let question = question(rows, vec![], vec![measure]);
            added(&run_on(&question, &book, &tables(&people), &numbers))
        };
        let rows = run("visit", over_rows);
        let most = rows.values().max();
        assert!(
            rows.len() > 20 && (most == Some(&3) || most == Some(&300)),
            "{most:?}"
        );
        assert_eq!(run("person", Measure::Moments { column: name }), rows);
        let mut all = run("person", Measure::Moments { column: without });
        assert_eq!(all.len(), people.len());
        all.retain(|person, adds| rows.contains_key(person) || *adds != 0);
        assert_eq!(all, rows);
    }
}

fn any_people() -> impl Strategy<Value = Vec<Person>> {
    let person = (
        prop::option::of(0_i64..2),
        prop::option::of(-5_i64..130),
        prop::option::of(0_i128..7000),
    )
        .prop_map(|(sex, age, chol)| Person {
            sex,
            age,
            chol,
            visits: Vec::new(),
        });
    prop::collection::vec(person, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The fast path of one row per person and the slow path of events yield the same evidence.
    #[test]
    fn fast_path_equals_slow_path(people in any_people()) {
        let measures = vec![
            Measure::Persons { of: None },
            Measure::Persons { of: Some(column("person", "age")) },
            Measure::Moments { column: column("person", "age") },
            Measure::Moments { column: column("person", "chol") },
            Measure::ValueCounts { column: column("person", "sex") },
        ];
        let keys = vec![GroupKey::Band { column: column("person", "age"), width: Number::new(10, 0) }];
        let q = question("person", keys, measures);
        let persons = persons();
        let fast = run_on(&q, &book(), &tables(&people), &persons);
        let mut many = book();
        many.tables.get_mut("person").unwrap().rows =
            quorate_query::codebook::RowsPer::Many { max_rows: 1 };
        let mut slow = run_on(&q, &many, &tables(&people), &persons);
        // only events know how many rows each has: here one
        for cell in slow.cells.values_mut() {
            prop_assert!(cell.each.take().is_some_and(|each| each.is_one_each()));
            for measure in &mut cell.measures {
                if let MeasureEvidence::Moments(found) = measure {
                    prop_assert!(found.each.take().is_some_and(|each| each.is_one_each()));
                }
            }
        }
        prop_assert!(fast.cells == slow.cells);
    }
}
