//! Attacks and laws of the rules about earlier releases, over small invented populations.

mod cases;
mod derived;
mod law;
mod meaning;
mod means;
mod products;
mod rows;
mod same;
mod several;
mod shapes;
mod soft;
mod states;
mod sums;
mod walks;

use std::collections::BTreeMap;

use quorate_query::answer::Cell;
use quorate_query::codebook::Codebook;
use quorate_query::measure::facts::facts;
use quorate_query::number::Number;
use quorate_query::question::{ColumnRef, GroupKey, Measure, TableQuestion};
use quorate_query::release::ReleaseParams;
use quorate_query::value::Scalar;
use roaring::RoaringBitmap;

use super::{Entry, Facet, History, ReleaseId, Spread, State, Traits};
use crate::decide::decide_beside;
use crate::evidence::{
    CellEvidence, Contributions, Evidence, MeasureEvidence, Moments, Products, ValueEvidence,
    Values,
};
use crate::{Outcome, Sheet, decide};

const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5
max_cells = 1000

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group", "value"], domain = { 0 = "f", 1 = "m" }, required = true }
town = { type = "int", role = ["filter", "group"], domain = { 0 = "a", 1 = "b", 2 = "c", 3 = "d" }, required = true }
age = { type = "int", role = ["filter", "group", "value"], bounds = [0, 100], bands = [5, 10], required = true }
disease = { type = "int", role = ["filter", "group", "value"], domain = { 0 = "no", 1 = "yes" }, sensitive = true, required = true }
income = { type = "int", role = ["value"], bounds = [0, 100000], required = true }
"#;

/// The columns of a person, in this order.
const COLUMNS: [&str; 5] = ["sex", "town", "age", "disease", "income"];

/// One person.
type Person = [i64; 5];

/// Persons by number: a number is the same person for ever.
type People = BTreeMap<u32, Person>;

fn book() -> Codebook {
    quorate_query::codebook::read(BOOK, "codebook.toml").unwrap()
}

fn question(sql: &str) -> TableQuestion {
    readable(sql).unwrap_or_else(|| panic!("{sql}"))
}

/// The question, unless the language refuses it.
fn readable(sql: &str) -> Option<TableQuestion> {
    let read = quorate_query::sql::read(sql, &BTreeMap::new(), &book());
    read.ok()?.into_sole()
}

fn number(n: i64) -> Scalar {
    Scalar::Number(Number::new(i128::from(n), 0))
}

/// `n` persons who are all alike, from this number on.
fn alike(first: u32, n: u32, person: Person) -> People {
    (first..first + n).map(|id| (id, person)).collect()
}

/// A node over one population, as its custodian runs it.
struct Node {
    people: People,
    epoch: String,
    project: String,
    params: ReleaseParams,
    history: History,
}

impl Node {
    fn of(people: People) -> Self {
        let mut history = History::new();
        history.begin_epoch("e0".to_owned(), RoaringBitmap::new());
        Self {
            people,
            epoch: "e0".to_owned(),
            project: "p".to_owned(),
            params: ReleaseParams::default(),
            history,
        }
    }

    /// New data: a new epoch, in which those are changed whose data differ.
    fn refresh(&mut self, epoch: &str, people: People) {
        let all = self.people.keys().chain(people.keys());
        let changed = all.filter(|id| self.people.get(id) != people.get(id));
        self.history
            .begin_epoch(epoch.to_owned(), changed.copied().collect());
        self.epoch = epoch.to_owned();
        self.people = people;
    }

    /// Decides without keeping anything.
    fn look(&mut self, sql: &str) -> Outcome {
        self.look_at(&question(sql))
    }

    fn look_at(&mut self, question: &TableQuestion) -> Outcome {
        self.look_beside(question, &[])
    }

    /// As one table of a question that has others too: they share the bit budget.
    fn look_beside(&mut self, question: &TableQuestion, beside: &[&TableQuestion]) -> Outcome {
        let evidence = evidence(question, &self.people);
        let sheet = Sheet {
            question,
            codebook: &book(),
            nobody: &cell(question, &[]),
            evidence: &evidence,
            params: &self.params,
            epoch: &self.epoch,
            project: &self.project,
            core: false,
            noise: None,
        };
        decide_beside(&sheet, beside, &mut self.history)
    }

    /// Decides and makes it durable.
    fn ask(&mut self, sql: &str) -> Outcome {
        self.ask_of(&question(sql))
    }

    fn ask_of(&mut self, question: &TableQuestion) -> Outcome {
        let mut outcome = self.look_at(question);
        for entry in std::mem::take(&mut outcome.fresh) {
            self.history.add(entry);
        }
        outcome
    }

    /// The only cell of a question.
    fn one(&mut self, sql: &str) -> Cell {
        self.ask(sql).table.rows[0].cells[0].clone()
    }

    /// What an answer shows of the first measure: a letter a cell, `v`alue, `n`ear or `-`.
    fn shows(&mut self, sql: &str) -> String {
        pattern(&self.ask(sql))
    }
}

fn pattern(outcome: &Outcome) -> String {
    for finding in &outcome.findings {
        println!("{finding}");
    }
    let letter = |cell: &Cell| match cell {
        Cell::Value(_) => 'v',
        Cell::Near(_) => 'n',
        Cell::Suppressed => '-',
    };
    let rows = outcome.table.rows.iter();
    rows.flat_map(|row| row.cells.iter().map(letter)).collect()
}

fn rules(outcome: &Outcome) -> Vec<&'static str> {
    outcome.findings.iter().map(|found| found.rule).collect()
}

fn value_of(person: &Person, column: &ColumnRef) -> i64 {
    let at = COLUMNS.iter().position(|name| *name == column.column);
    person[at.unwrap()]
}

fn key_of(person: &Person, key: &GroupKey) -> Scalar {
    match key {
        GroupKey::Column(column) => number(value_of(person, column)),
        GroupKey::Band { column, width } => {
            let width = i64::try_from(width.to_integer().unwrap()).unwrap();
            number(value_of(person, column).div_euclid(width) * width)
        }
        GroupKey::Period { .. } => panic!("there are no dates"),
    }
}

fn evidence(question: &TableQuestion, people: &People) -> Evidence {
    let book = book();
    let mut cells: BTreeMap<Vec<Scalar>, Vec<(u32, Person)>> = BTreeMap::new();
    for (id, person) in people {
        let mut boxes = question.filter.boxes.iter();
        if boxes.all(|(column, set)| {
            let ty = book.column(column).unwrap().ty;
            set.contains(&number(value_of(person, column)), ty)
        }) {
            let key = question.keys.iter().map(|key| key_of(person, key));
            cells.entry(key.collect()).or_default().push((*id, *person));
        }
    }
    let cells = cells.into_iter();
    Evidence {
        cells: cells
            .map(|(key, rows)| (key, cell(question, &rows)))
            .collect(),
    }
}

fn cell(question: &TableQuestion, rows: &[(u32, Person)]) -> CellEvidence {
    let people: RoaringBitmap = rows.iter().map(|row| row.0).collect();
    let measures = question.measures.iter().map(|measure| match measure {
        Measure::Moments { column } => {
            let value = |row: &(u32, Person)| (row.0, i128::from(value_of(&row.1, column)));
            let totals: Vec<(u32, i128)> = rows.iter().map(value).collect();
            MeasureEvidence::Moments(Moments {
                each: None,
                rows: people.len(),
                squares: totals.iter().map(|(_, value)| value * value).sum(),
                totals: Contributions::of(totals).unwrap(),
                scale: 0,
            })
        }
        Measure::ValueCounts { column } => {
            let with = |wanted: i64| -> RoaringBitmap {
                let rows = rows.iter().filter(|row| value_of(&row.1, column) == wanted);
                rows.map(|row| row.0).collect()
            };
            let domain = book().column(column).unwrap().domain.clone().unwrap();
            let values = (0..i64::try_from(domain.len()).unwrap()).map(|wanted| ValueEvidence {
                rows: with(wanted).len(),
                elsewhere: people.len() - with(wanted).len(),
                people: with(wanted).into(),
                most: Vec::new(),
            });
            MeasureEvidence::Values(Values {
                any: people.clone().into(),
                nonzero: &people - with(0),
                values: values.collect(),
            })
        }
        Measure::Products { left, right } => {
            let facts = facts(measure, question, &book()).unwrap();
            let (a, b) = facts.centres.unwrap();
            let pair = |row: &(u32, Person)| {
                let value = |column| i128::from(value_of(&row.1, column));
                (row.0, value(left), value(right))
            };
            let pairs: Vec<_> = rows.iter().map(pair).collect();
            let centres = (a.to_integer().unwrap(), b.to_integer().unwrap());
            MeasureEvidence::Products(Box::new(Products::of(&pairs, centres, 0).unwrap()))
        }
        _ => MeasureEvidence::Count(Contributions::ones(people.clone())),
    });
    CellEvidence {
        each: None,
        rows: people.len(),
        measures: measures.collect(),
        people: people.clone().into(),
    }
}

/// A history in its first state of the data.
fn history() -> History {
    let mut history = History::new();
    history.begin_epoch("e0".to_owned(), RoaringBitmap::new());
    history
}

/// Takes in a facet that left, as an entry of its own.
fn leave(history: &mut History, facet: Facet, vec: [u8; 32]) {
    let left = u64::try_from(history.entries().len()).unwrap();
    let mut predicate = [0; 32];
    predicate[..8].copy_from_slice(&left.to_be_bytes());
    history.add(Entry {
        id: ReleaseId {
            predicate,
            vec,
            epoch: "e0".to_owned(),
            protection: "p".to_owned(),
        },
        shape: facet.shape.clone(),
        state: State::Released(Vec::new()),
        project: "p".to_owned(),
        core: false,
        facets: vec![facet],
    });
}
