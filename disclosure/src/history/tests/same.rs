//! One shape for one set: whatever the data, it means what the shape it stands for means.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_query::codebook::{Codebook, ColumnRef};
use quorate_query::question::{Cohort, Predicate, Set, Values};
use quorate_query::value::Scalar;

use super::number;
use crate::facets::narrow;
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
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "f", 1 = "m" }, required = true }
smoker = { type = "int", role = ["filter", "group"], domain = { 0 = "no", 1 = "yes" } }

[table.death]
rows = "one-per-unit"
unit_key = "person_id"
[table.death.column]
person_id = { type = "int", role = ["key"] }
cause = { type = "int", role = ["filter", "group"] }

[table.visit]
rows = "many"
unit_key = "person_id"
max_rows = 9
[table.visit.column]
person_id = { type = "int", role = ["key"] }
kind = { type = "int", role = ["filter", "group"] }
ward = { type = "int", role = ["filter", "group"] }
"#;

/// Filterable columns with their table.
const COLUMNS: [(&str, &str); 5] = [
    ("person", "sex"),
    ("person", "smoker"),
    ("death", "cause"),
    ("visit", "kind"),
    ("visit", "ward"),
];

fn book() -> Codebook {
    quorate_query::codebook::read(BOOK, "codebook.toml").unwrap()
}

/// Values of some columns; a column that is not there is missing.
type Row = BTreeMap<&'static str, i64>;

/// One person: their row, their rows elsewhere.
#[derive(Clone, Debug)]
struct Person {
    person: Row,
    death: Option<Row>,
    visits: Vec<Row>,
}

impl Person {
    fn rows(&self, table: &str) -> Vec<&Row> {
        match table {
            "person" => vec![&self.person],
            "death" => self.death.iter().collect(),
            _ => self.visits.iter().collect(),
        }
    }

    /// The rows of a shape, evaluated word by word.
    fn of(
        &self,
        rows: &str,
        joined: &BTreeSet<String>,
        filter: &Predicate,
        book: &Codebook,
    ) -> usize {
        if joined.iter().any(|table| self.rows(table).is_empty()) {
            return 0;
        }
        let value = |row: &Row, column: &ColumnRef| {
            let row = match column.table == rows {
                true => row,
                false => self.rows(&column.table)[0],
            };
            row.get(column.column.as_str())
                .map_or(Scalar::Null, |value| number(*value))
        };
        let lies = |row: &Row, (column, set): (&ColumnRef, &Set)| {
            set.contains(&value(row, column), book.column(column).unwrap().ty)
        };
        let has = |c: &Cohort| self.of(&c.rows, &c.joined, &c.filter, book) > 0;
        if filter.cohorts.iter().any(|c| has(c) == c.negated) {
            return 0;
        }
        let rows = self.rows(rows).into_iter();
        rows.filter(|row| filter.boxes.iter().all(|one| lies(row, one)))
            .count()
    }
}

fn a_row(table: &'static str) -> impl Strategy<Value = Row> {
    let columns = COLUMNS
        .iter()
        .filter(|column| column.0 == table)
        .map(|column| column.1);
    let columns: Vec<&'static str> = columns.collect();
    prop::collection::vec(prop::option::of(0_i64..2), columns.len()).prop_map(move |values| {
        let pairs = columns.iter().zip(values);
        // what the codebook requires is never missing
        pairs
            .filter_map(|(name, value)| Some((*name, value.or((*name == "sex").then_some(0))?)))
            .collect()
    })
}

fn a_person() -> impl Strategy<Value = Person> {
    let death = prop::option::of(a_row("death"));
    let visits = prop::collection::vec(a_row("visit"), 0..4);
    (a_row("person"), death, visits).prop_map(|(person, death, visits)| Person {
        person,
        death,
        visits,
    })
}

fn a_table() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["person", "death", "visit"])
}

fn a_set() -> impl Strategy<Value = Set> {
    (any::<bool>(), prop::collection::btree_set(0_i128..2, 0..3)).prop_map(|(null, points)| Set {
        null,
        values: Values::points(points),
    })
}

/// A shape as the language makes them: every table that it speaks of is there.
fn a_shape() -> impl Strategy<Value = Shape> {
    let leaf = (
        a_table(),
        any::<bool>(),
        prop::collection::vec((0..COLUMNS.len(), a_set()), 0..3),
    )
        .prop_map(|(rows, more, boxes)| shape(rows, more, boxes, Vec::new()));
    leaf.prop_recursive(2, 8, 2, |inner| {
        let cohorts = prop::collection::vec((any::<bool>(), inner), 0..3);
        let boxes = prop::collection::vec((0..COLUMNS.len(), a_set()), 0..3);
        (a_table(), any::<bool>(), boxes, cohorts)
            .prop_map(|(rows, more, boxes, cohorts)| shape(rows, more, boxes, cohorts))
    })
}

fn shape(rows: &str, more: bool, boxes: Vec<(usize, Set)>, cohorts: Vec<(bool, Shape)>) -> Shape {
    let mut joined: BTreeSet<String> = more.then(|| "person".to_owned()).into_iter().collect();
    let mut predicate = Predicate::default();
    for (at, set) in boxes {
        let (table, column) = COLUMNS[at];
        if table == "visit" && rows != "visit" {
            continue;
        }
        joined.insert(table.to_owned());
        let column = ColumnRef {
            table: table.to_owned(),
            column: column.to_owned(),
        };
        narrow(&mut predicate, &column, &set, &book());
    }
    joined.remove(rows);
    predicate.cohorts = cohorts
        .into_iter()
        .map(|(negated, inner)| Cohort {
            negated,
            rows: inner.rows,
            joined: inner.joined,
            filter: inner.predicate,
        })
        .collect();
    Shape {
        rows: rows.to_owned(),
        joined,
        predicate,
    }
}

proptest! {
    #[test]
    fn a_shape_means_what_it_stands_for(
        asked in a_shape(),
        people in prop::collection::vec(a_person(), 1..12),
    ) {
        let book = book();
        let persons = same(&asked, Form::Persons, &book);
        let rows = same(&asked, Form::Rows(9), &book);
        for person in &people {
            let count = |s: &Shape| person.of(&s.rows, &s.joined, &s.predicate, &book);
            prop_assert_eq!(count(&asked) > 0, count(&persons) > 0, "{:?}", persons);
            prop_assert!(count(&persons) <= 1);
            prop_assert_eq!(count(&asked), count(&rows), "{:?}", rows);
        }
        prop_assert_eq!(&same(&persons, Form::Persons, &book), &persons);
        prop_assert_eq!(&same(&rows, Form::Rows(9), &book), &rows);
    }
}

fn of(sql: &str, form: Form) -> Shape {
    let read = quorate_query::sql::read(sql, &BTreeMap::new(), &book());
    let read = read.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let table = read.into_sole().unwrap();
    let asked = Shape {
        rows: table.rows,
        joined: table.joined,
        predicate: table.filter,
    };
    same(&asked, form, &book())
}

#[test]
fn persons_of_events_are_persons_who_have_such_an_event() {
    let of = |sql: &str| of(sql, Form::Persons);
    let cohort = of(
        "SELECT count(*) FROM person WHERE sex = 1 AND id IN (SELECT person_id FROM visit WHERE kind = 2)",
    );
    for sql in [
        "SELECT count(DISTINCT person_id) FROM visit JOIN person ON visit.person_id = person.id WHERE sex = 1 AND kind = 2",
        "SELECT count(*) FROM person WHERE id IN (SELECT person_id FROM visit JOIN person ON visit.person_id = person.id WHERE kind = 2 AND sex = 1)",
        "SELECT count(*) FROM person WHERE sex = 1 AND id IN (SELECT person_id FROM visit WHERE kind = 2) AND id IN (SELECT person_id FROM visit)",
    ] {
        assert_eq!(of(sql), cohort, "{sql}");
    }
    let other = of(
        "SELECT count(*) FROM person WHERE sex = 1 AND id IN (SELECT person_id FROM visit WHERE kind = 2) AND id IN (SELECT person_id FROM visit WHERE ward = 1)",
    );
    assert_ne!(
        other, cohort,
        "one row of both kinds and a row of each are not the same"
    );
}

#[test]
fn a_join_to_the_unit_table_restricts_nothing() {
    for (plain, joined) in [
        (
            "SELECT count(*) FROM visit WHERE kind = 2",
            "SELECT count(*) FROM visit JOIN person ON visit.person_id = person.id WHERE kind = 2",
        ),
        (
            "SELECT count(*) FROM death",
            "SELECT count(*) FROM person JOIN death ON person.id = death.person_id",
        ),
    ] {
        assert_eq!(of(plain, Form::Rows(9)), of(joined, Form::Rows(9)));
    }
    let death = "SELECT count(*) FROM visit JOIN death ON visit.person_id = death.person_id";
    let all = of("SELECT count(*) FROM visit", Form::Rows(9));
    assert_ne!(
        of(death, Form::Rows(9)),
        all,
        "a join to another table does"
    );
    assert_ne!(all, of("SELECT count(*) FROM visit", Form::Persons));
}
