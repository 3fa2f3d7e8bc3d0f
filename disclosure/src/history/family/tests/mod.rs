//! Tests of the family audit: a small population, and questions written as SQL.

mod cases;
mod drifts;
mod events;
mod law;
mod turns;

use std::collections::BTreeMap;

use quorate_query::codebook::{Codebook, RowsPer};
use quorate_query::question::{Predicate, Set, TableQuestion};
use quorate_query::set::ordinal;
use quorate_query::value::Scalar;

use super::{Conflict, FamilyAudit, Setting};
use crate::evidence::Contributions;
use crate::history::{Facet, Footprint, Form, Shape};

const BOOK: &str = r#"
[codebook]
format = 1
name = "families"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], required = true, domain = { 0 = "f", 1 = "m" } }
town = { type = "text", role = ["filter", "group"], domain = { a = "a", b = "b", c = "c", d = "d", e = "e" } }
age = { type = "int", role = ["filter", "group"], bounds = [0, 100], bands = [1, 5, 10, 20], cuts = [18, 65] }
height = { type = "int", role = ["filter", "group", "value"], bounds = [0, 50], bands = [1, 10] }
income = { type = "int", role = ["value"], bounds = [0, 100000] }
[table.scan]
rows = "one-per-unit"
unit_key = "person_id"
[table.scan.column]
person_id = { type = "int", role = ["key"] }
dose = { type = "int", role = ["filter", "group"], bounds = [0, 30], bands = [1, 10] }
[table.visit]
rows = "many"
max_rows = 20
unit_key = "person_id"
date = "date"
[table.visit.column]
person_id = { type = "int", role = ["key"] }
date = { type = "date", role = ["date"] }
kind = { type = "int", role = ["filter", "group"], domain = { 1 = "home", 2 = "clinic", 3 = "call" }, required = true }
cost = { type = "int", role = ["value"], bounds = [0, 1000], required = true }
"#;

fn book() -> Codebook {
    quorate_query::codebook::read(BOOK, "codebook.toml").unwrap()
}

/// A row: values of columns by `table.column`.
type Row = BTreeMap<String, Scalar>;

/// One person: their rows in every table.
type Rows = BTreeMap<String, Vec<Row>>;

/// A world: who has which rows, and everything told so far.
struct World {
    book: Codebook,
    persons: Vec<Rows>,
    told: Vec<Facet>,
    audit: FamilyAudit,
    begun: usize,
    /// How far the numbers of two persons are apart.
    step: u32,
}

impl World {
    fn new(persons: Vec<Rows>) -> Self {
        Self {
            book: book(),
            persons,
            told: Vec::new(),
            audit: FamilyAudit::new(),
            begun: 0,
            step: 1,
        }
    }

    fn question(&self, sql: &str) -> TableQuestion {
        let read = quorate_query::sql::read(sql, &BTreeMap::new(), &self.book);
        read.unwrap().into_sole().unwrap()
    }

    /// The count that a question without groups asks for.
    fn count(&self, sql: &str) -> Facet {
        let question = self.question(sql);
        self.facet(
            Shape {
                rows: question.rows,
                joined: question.joined,
                predicate: question.filter,
            },
            None,
        )
    }

    fn facet(&self, shape: Shape, sum: Option<&str>) -> Facet {
        let mut pairs = Vec::new();
        for (id, rows) in (0_u32..).zip(&self.persons) {
            for row in self.rows_of(rows, &shape) {
                let value = sum.map_or(1, |column| number(&row[column]));
                pairs.push((id * self.step, value));
            }
        }
        Facet {
            vec: [u8::from(sum.is_some()); 32],
            form: match (sum, self.book.tables[&shape.rows].rows) {
                (Some(_), _) => Form::Sum([1; 32]),
                (None, RowsPer::Many { max_rows }) => Form::Rows(max_rows),
                (None, RowsPer::Unit) => Form::Persons,
            },
            shape,
            footprint: Footprint::of(&Contributions::of(pairs).unwrap()),
        }
    }

    /// Rows of one person with the joined tables' values beside theirs.
    fn rows_of(&self, person: &Rows, shape: &Shape) -> Vec<Row> {
        let mut all = Vec::new();
        for row in person.get(&shape.rows).into_iter().flatten() {
            let mut row = row.clone();
            let mut complete = true;
            for table in &shape.joined {
                match person.get(table).and_then(|rows| rows.first()) {
                    Some(joined) => row.extend(joined.clone()),
                    None => complete = false,
                }
            }
            if complete && self.holds(&shape.predicate, &row, person) {
                all.push(row);
            }
        }
        all
    }

    fn holds(&self, predicate: &Predicate, row: &Row, person: &Rows) -> bool {
        let inside = predicate.boxes.iter().all(|(column, set)| {
            let name = format!("{}.{}", column.table, column.column);
            self.contains(set, &row[&name], column)
        });
        inside
            && predicate.cohorts.iter().all(|cohort| {
                let shape = Shape {
                    rows: cohort.rows.clone(),
                    joined: cohort.joined.clone(),
                    predicate: cohort.filter.clone(),
                };
                self.rows_of(person, &shape).is_empty() == cohort.negated
            })
    }

    fn contains(
        &self,
        set: &Set,
        value: &Scalar,
        column: &quorate_query::codebook::ColumnRef,
    ) -> bool {
        set.contains(value, self.book.column(column).unwrap().ty)
    }

    fn audit(&mut self, facet: &Facet) -> Option<Conflict> {
        let setting = Setting {
            codebook: &self.book,
            params: &self.book.release,
            releases: &self.told,
        };
        self.audit.audit(facet, &setting)
    }

    /// Asks, and lets it leave if nothing stands against it.
    fn ask(&mut self, sql: &str) -> Option<Conflict> {
        let facet = self.count(sql);
        self.ask_for(facet)
    }

    fn ask_for(&mut self, facet: Facet) -> Option<Conflict> {
        let conflict = self.audit(&facet);
        if conflict.is_none() {
            self.tell(facet);
        }
        conflict
    }

    /// The sum of incomes over the same persons.
    fn incomes(&self, sql: &str) -> Facet {
        let question = self.question(sql);
        let shape = Shape {
            rows: question.rows,
            joined: question.joined,
            predicate: question.filter,
        };
        self.facet(shape, Some("person.income"))
    }

    fn begin_epoch(&mut self, changed: std::ops::Range<u32>) {
        self.begun += 1;
        self.audit.begin_epoch(&changed.collect());
    }

    fn tell(&mut self, facet: Facet) {
        self.told.push(facet);
        self.audit.add(self.told.len() - 1, self.begun);
    }
}

fn number(value: &Scalar) -> i128 {
    ordinal(value, quorate_query::value::ColumnType::Int).unwrap_or(0)
}

fn int(value: i128) -> Scalar {
    Scalar::Number(value.into())
}

/// A person with values of `person`'s columns.
fn person(sex: i128, town: &str, age: i128, height: Option<i128>) -> Rows {
    let row = [
        ("person.sex", int(sex)),
        ("person.town", Scalar::Text(town.to_owned())),
        ("person.age", int(age)),
        ("person.height", height.map_or(Scalar::Null, int)),
        ("person.income", int(1000)),
    ];
    let row = row.map(|(name, value)| (name.to_owned(), value));
    [("person".to_owned(), vec![row.into()])].into()
}

/// A person with one more row in a table.
fn with(person: &Rows, table: &str, values: &[(&str, Scalar)]) -> Rows {
    let mut person = person.clone();
    let named = |(column, value): &(&str, Scalar)| (format!("{table}.{column}"), value.clone());
    let row = values.iter().map(named).collect();
    person.entry(table.to_owned()).or_default().push(row);
    person
}

/// `n` times the same person.
fn times(n: usize, person: &Rows) -> Vec<Rows> {
    vec![person.clone(); n]
}
