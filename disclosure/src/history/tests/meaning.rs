//! What a condition on a derived column means is of the same persons, whatever the data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use quorate_query::codebook::{Codebook, ColumnRef};
use quorate_query::derived::{Aggregate, Columns, Derived, Frame};
use quorate_query::question::{Cohort, Predicate, Set, Values};
use quorate_query::value::Scalar;

use super::number;
use crate::facets::narrow;
use crate::history::boxes::partition;
use crate::history::{Form, Shape, same};

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
age = { type = "int", role = ["filter", "group", "value"], bounds = [0, 90], bands = [1], required = true }
smoker = { type = "int", role = ["filter", "group"], domain = { 0 = "no", 1 = "yes" } }

[table.visit]
rows = "many"
unit_key = "person_id"
max_rows = 40
date = "date"
[table.visit.column]
person_id = { type = "int", role = ["key"] }
date = { type = "date", role = ["date"], required = true }
kind = { type = "int", role = ["filter", "group"], domain = { 1 = "a", 2 = "b" }, required = true }
cost = { type = "int", role = ["filter", "value"], bounds = [0, 90] }
"#;

fn at(table: &str, column: &str) -> ColumnRef {
    ColumnRef {
        table: table.to_owned(),
        column: column.to_owned(),
    }
}

fn frame(kinds: &[i128]) -> Frame {
    let plain = quorate_query::codebook::read(BOOK, "codebook.toml").unwrap();
    let mut filter = Predicate::default();
    let set = Set::of(Values::points(kinds.iter().copied()));
    narrow(&mut filter, &at("visit", "kind"), &set, &plain);
    Frame {
        rows: "visit".to_owned(),
        joined: BTreeSet::new(),
        filter,
    }
}

/// The codebook with one derived column of each kind that has a meaning, and the columns to ask for.
static DERIVED: LazyLock<(Codebook, Vec<ColumnRef>)> = LazyLock::new(derived);

fn derived() -> (Codebook, Vec<ColumnRef>) {
    let plain = quorate_query::codebook::read(BOOK, "codebook.toml").unwrap();
    let mut columns = Columns::new();
    let mut names = Vec::new();
    let mut add = |derived: Derived| {
        let name = derived.reference(&plain.with(&columns));
        columns.insert(name.clone(), derived);
        names.push(name.clone());
        name
    };
    let of_frame = |kinds: &[i128], of: Aggregate| Derived::Frame {
        frame: frame(kinds),
        of,
    };
    let cost = || at("visit", "cost");
    let day = || at("visit", "date");
    let rows = add(of_frame(&[1, 2], Aggregate::Rows));
    let some = add(of_frame(&[2], Aggregate::Rows));
    let first = add(of_frame(&[2], Aggregate::Min(day())));
    let last = add(of_frame(&[1, 2], Aggregate::Max(day())));
    let least = add(of_frame(&[1, 2], Aggregate::Min(cost())));
    add(of_frame(&[1, 2], Aggregate::Sum(cost())));
    add(of_frame(&[1, 2], Aggregate::Distinct(cost())));
    add(of_frame(
        &[1, 2],
        Aggregate::First {
            value: cost(),
            by: day(),
        },
    ));
    add(Derived::Days {
        from: first,
        to: last,
    });
    for of in [rows.clone(), some.clone(), least] {
        add(Derived::Coalesce {
            of,
            otherwise: number(0),
        });
    }
    let one = |column: &ColumnRef, set: Set| Predicate {
        boxes: [(column.clone(), set)].into(),
        cohorts: BTreeSet::new(),
    };
    let below = |n: i128| Set::of(Values::from_ranges([(None, Some(n))]));
    let age = at("person", "age");
    add(Derived::Case {
        arms: vec![
            (one(&age, below(3)), number(1)),
            (one(&age, below(6)), number(2)),
        ],
        otherwise: number(1),
    });
    add(Derived::Case {
        arms: vec![(one(&some, Set::not_null()), number(1))],
        otherwise: number(0),
    });
    let smoker = at("person", "smoker");
    let mut both = one(&age, below(3));
    both.boxes.insert(smoker.clone(), Set::null_only());
    add(Derived::Case {
        arms: vec![(both.clone(), number(1))],
        otherwise: number(0),
    });
    let yes = one(&smoker, Set::of(Values::points([1])));
    add(Derived::Any([one(&age, below(3)), yes.clone()].into()));
    add(Derived::Any([both.clone()].into()));
    add(Derived::Any([both, yes.clone()].into()));
    add(Derived::Any([yes, one(&smoker, Set::null_only())].into()));
    names.extend([age, smoker]);
    let book = plain.with(&columns);
    assert_eq!(book.derived.len(), names.len() - 2);
    (book, names)
}

#[derive(Clone, Debug)]
struct Visit {
    day: i32,
    kind: i64,
    cost: Option<i64>,
}

#[derive(Clone, Debug)]
struct Person {
    age: i64,
    smoker: Option<i64>,
    visits: Vec<Visit>,
}

fn scalar(value: Option<i64>) -> Scalar {
    value.map_or(Scalar::Null, number)
}

impl Person {
    /// The value of a column, by its definition word by word.
    fn value(&self, name: &ColumnRef, book: &Codebook) -> Scalar {
        let Some(derived) = book.derived.get(name) else {
            return match name.column.as_str() {
                "age" => number(self.age),
                _ => scalar(self.smoker),
            };
        };
        let holds = |condition: &Predicate| self.lies(condition, book);
        match derived {
            Derived::Frame { frame, of } => self.framed(frame, of, book),
            Derived::Days { from, to } => match (self.value(from, book), self.value(to, book)) {
                (Scalar::Date(from), Scalar::Date(to)) => number(i64::from(to) - i64::from(from)),
                _ => Scalar::Null,
            },
            Derived::Coalesce { of, otherwise } => match self.value(of, book) {
                Scalar::Null => otherwise.clone(),
                value => value,
            },
            Derived::Case { arms, otherwise } => {
                let held = arms.iter().find(|(condition, _)| holds(condition));
                held.map_or(otherwise, |(_, result)| result).clone()
            }
            Derived::Any(conditions) => number(i64::from(conditions.iter().any(holds))),
            other => panic!("{other:?}"),
        }
    }

    fn lies(&self, condition: &Predicate, book: &Codebook) -> bool {
        let mut boxes = condition.boxes.iter();
        boxes.all(|(name, set)| {
            let ty = book.column(name).unwrap().ty;
            set.contains(&self.value(name, book), ty)
        }) && condition
            .cohorts
            .iter()
            .all(|cohort| self.has(cohort, book) != cohort.negated)
    }

    fn rows(&self, boxes: &BTreeMap<ColumnRef, Set>, book: &Codebook) -> Vec<&Visit> {
        let lies = |visit: &&Visit| {
            boxes.iter().all(|(name, set)| {
                let value = match name.column.as_str() {
                    "date" => Scalar::Date(visit.day),
                    "kind" => number(visit.kind),
                    "cost" => scalar(visit.cost),
                    _ => self.value(name, book),
                };
                set.contains(&value, book.column(name).unwrap().ty)
            })
        };
        self.visits.iter().filter(lies).collect()
    }

    fn has(&self, cohort: &Cohort, book: &Codebook) -> bool {
        match cohort.rows.as_str() {
            "visit" if !cohort.filter.cohorts.is_empty() => panic!("{cohort:?}"),
            "visit" => !self.rows(&cohort.filter.boxes, book).is_empty(),
            _ => self.lies(&cohort.filter, book),
        }
    }

    fn framed(&self, frame: &Frame, of: &Aggregate, book: &Codebook) -> Scalar {
        let rows = self.rows(&frame.filter.boxes, book);
        if rows.is_empty() {
            return Scalar::Null;
        }
        let many = |n: usize| number(i64::try_from(n).unwrap());
        let costs = || rows.iter().filter_map(|row| row.cost);
        let days = || rows.iter().map(|row| row.day);
        match of {
            Aggregate::Rows => many(rows.len()),
            Aggregate::Distinct(_) => many(costs().collect::<BTreeSet<_>>().len()),
            Aggregate::Min(column) if column.column == "date" => {
                Scalar::Date(days().min().unwrap())
            }
            Aggregate::Max(_) => Scalar::Date(days().max().unwrap()),
            Aggregate::Min(_) => scalar(costs().min()),
            Aggregate::Sum(_) => match costs().next() {
                Some(_) => number(costs().sum()),
                None => Scalar::Null,
            },
            _ => {
                let order = |row: &&&Visit| (row.day, row.cost.is_none(), row.cost);
                scalar(rows.iter().min_by_key(order).unwrap().cost)
            }
        }
    }
}

fn a_person() -> impl Strategy<Value = Person> {
    let visit = (0..4_i32, 1..=2_i64, prop::option::of(0..4_i64));
    let visit = visit.prop_map(|(day, kind, cost)| Visit { day, kind, cost });
    let visits = prop::collection::vec(visit, 0..4);
    (0..10_i64, prop::option::of(0..2_i64), visits).prop_map(|(age, smoker, visits)| Person {
        age,
        smoker,
        visits,
    })
}

fn a_set() -> impl Strategy<Value = Set> {
    let range = (prop::option::of(0..5_i128), prop::option::of(0..5_i128));
    let values = prop_oneof![
        Just(Values::All),
        Just(Values::none()),
        range.prop_map(|range| Values::from_ranges([range])),
    ];
    (any::<bool>(), values).prop_map(|(null, values)| Set { null, values })
}

fn persons(boxes: &[(ColumnRef, Set)], book: &Codebook) -> Shape {
    let mut predicate = Predicate::default();
    for (name, set) in boxes {
        narrow(&mut predicate, name, set, book);
    }
    Shape {
        rows: "person".to_owned(),
        joined: BTreeSet::new(),
        predicate,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_condition_and_its_meaning_are_of_the_same_persons(
        asked in prop::collection::vec((0_usize..100, a_set()), 1..4),
        people in prop::collection::vec(a_person(), 1..12),
    ) {
        let (book, names) = &*DERIVED;
        let boxes: Vec<_> = asked
            .into_iter()
            .map(|(at, set)| (names[at % names.len()].clone(), set))
            .collect();
        let asked = persons(&boxes, book);
        let found = same(&asked, Form::Persons, book);
        for person in &people {
            prop_assert_eq!(
                person.lies(&asked.predicate, book),
                person.lies(&found.predicate, book),
                "{:?} is not {:?}", asked, found
            );
        }
        prop_assert_eq!(&same(&found, Form::Persons, book), &found);
    }
}

/// The one form of what some SQL asks persons for.
fn of(sql: &str) -> Shape {
    let plain = quorate_query::codebook::read(BOOK, "codebook.toml").unwrap();
    let read = quorate_query::sql::read(sql, &BTreeMap::new(), &plain);
    let read = read.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let book = plain.with(&read.derived);
    let table = read.into_sole().unwrap();
    let asked = Shape {
        rows: table.rows,
        joined: table.joined,
        predicate: table.filter,
    };
    same(&asked, Form::Persons, &book)
}

#[test]
fn who_has_a_first_date_is_who_has_such_a_visit() {
    let visitors =
        of("SELECT count(*) FROM person WHERE id IN (SELECT person_id FROM visit WHERE kind = 2)");
    let framed = |of: &str, more: &str| {
        format!(
            "WITH v AS (SELECT person_id, {of} AS x FROM visit WHERE kind = 2 GROUP BY person_id) \
             SELECT count(*) FROM person p {more}"
        )
    };
    for (made, more) in [
        ("count(*)", "JOIN v ON p.id = v.person_id"),
        ("count(*)", "JOIN v ON p.id = v.person_id WHERE v.x >= 1"),
        (
            "min(date)",
            "JOIN v ON p.id = v.person_id WHERE v.x IS NOT NULL",
        ),
        (
            "min(date)",
            "LEFT JOIN v ON p.id = v.person_id WHERE v.x IS NOT NULL",
        ),
    ] {
        let sql = framed(made, more);
        assert_eq!(of(&sql), visitors, "{sql}");
    }
    for (made, more) in [
        ("count(*)", "JOIN v ON p.id = v.person_id WHERE v.x >= 5"),
        (
            "min(cost)",
            "JOIN v ON p.id = v.person_id WHERE v.x IS NOT NULL",
        ),
    ] {
        let sql = framed(made, more);
        assert_ne!(of(&sql), visitors, "{sql}");
    }
    let without = of(
        "SELECT count(*) FROM person WHERE id NOT IN (SELECT person_id FROM visit WHERE kind = 2)",
    );
    let sql = framed(
        "count(*)",
        "LEFT JOIN v ON p.id = v.person_id WHERE v.x IS NULL",
    );
    assert_eq!(of(&sql), without);
}

#[test]
fn numbers_of_rows_share_out_who_has_rows_and_not_everybody() {
    let (book, names) = &*DERIVED;
    let rows = &names[0];
    let of = |set: Set| same(&persons(&[(rows.clone(), set)], book), Form::Persons, book);
    let values = |from: Option<i128>, to: Option<i128>| Set::of(Values::from_ranges([(from, to)]));
    let (few, many) = (of(values(None, Some(4))), of(values(Some(5), None)));
    let visitors = of(Set::not_null());
    assert!(visitors.predicate.boxes.is_empty(), "{visitors:?}");
    assert!(partition(&visitors, &few, &many, book));
    let everybody = same(&persons(&[], book), Form::Persons, book);
    assert!(!partition(&everybody, &few, &many, book));
    assert!(!partition(
        &visitors,
        &few,
        &of(values(Some(6), None)),
        book
    ));
}
