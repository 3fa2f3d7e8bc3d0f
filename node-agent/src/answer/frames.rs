//! Person frames at whole nodes: every question of `frames.json` is asked of two nodes that have half
//! of the persons each, and combined; DuckDB ran the same text over all of them. Counts and sums are
//! exact, means and deviations within 1e-9 of it. Some are questions for review, which the custodians
//! approve first. The file is made by `tools/reference/frames.py`.

use std::collections::BTreeMap;

use quorate_query::analyses::Request;
use quorate_query::canonical::show_digest;
use quorate_query::combine::{Combined, Kind, SiteAnswer, combine};
use quorate_query::question::Params;
use quorate_wire::AnswerPayload;
use serde_json::Value;

use crate::home::Home;
use crate::node::{FAULT_FILE, Node};
use crate::testing::{House, alice, answered, refused, tell};

const BOOK: &str = r#"
[codebook]
format = 1
name = "frames"
version = 1
unit = "person.person_id"

[release]
k = 8
round_base = 5
max_cells = 1000
min_nodes = 1

[table.person]
rows = "one-per-unit"
[table.person.column]
person_id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "female", 1 = "male" } }
birth_date = { type = "date", role = ["date"] }
region = { type = "text", role = ["filter", "group"], domain = { n = "n", s = "s", e = "e", w = "w" } }

[table.condition]
rows = "many"
unit_key = "person_id"
max_rows = 50
[table.condition.column]
person_id = { type = "int", role = ["key"] }
code = { type = "int", role = ["filter", "group"] }
start_date = { type = "date", role = ["date"] }

[table.drug]
rows = "many"
unit_key = "person_id"
max_rows = 12
[table.drug.column]
person_id = { type = "int", role = ["key"] }
code = { type = "int", role = ["filter", "group"] }
start_date = { type = "date", role = ["date"] }
end_date = { type = "date", role = ["date"] }

[table.measurement]
rows = "many"
unit_key = "person_id"
max_rows = 50
[table.measurement.column]
person_id = { type = "int", role = ["key"] }
code = { type = "int", role = ["filter", "group"] }
day = { type = "date", role = ["date"] }
value = { type = "decimal", scale = 1, role = ["value", "filter", "group"], bounds = [0, 500], bands = [20] }

[table.death]
rows = "one-per-unit"
unit_key = "person_id"
[table.death.column]
person_id = { type = "int", role = ["key"] }
died = { type = "date", role = ["date"] }

[table.visit]
rows = "many"
unit_key = "person_id"
max_rows = 50
[table.visit.column]
person_id = { type = "int", role = ["key"] }
start_date = { type = "date", role = ["date"] }
stay = { type = "int", role = ["value", "filter", "group"], bounds = [0, 30], bands = [5] }
readmitted = { type = "int", role = ["value", "filter", "group"], domain = { 0 = "no", 1 = "yes" } }
"#;

/// The rows of persons with an odd or an even key.
fn half(csv: &str, odd: bool) -> String {
    let mut lines = csv.lines();
    let head = lines.next().unwrap();
    let of_half = |line: &&str| {
        let key: u32 = line.split(',').next().unwrap().parse().unwrap();
        (key % 2 == 1) == odd
    };
    let rows = lines.filter(of_half);
    std::iter::once(head)
        .chain(rows)
        .map(|line| format!("{line}\n"))
        .collect()
}

fn house(tables: &serde_json::Map<String, Value>, odd: bool) -> House {
    let files: Vec<(String, String)> = tables
        .iter()
        .map(|(name, csv)| (format!("{name}.csv"), half(csv.as_str().unwrap(), odd)))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let sources: String = tables
        .keys()
        .map(|name| format!("[source.{name}]\nkind = \"csv\"\npath = \"{name}.csv\"\n"))
        .collect();
    House::new(BOOK, &sources, true, &files)
}

/// A node's answer; the custodian's own record of why, where there is none.
fn ask(house: &House, node: &Node, request: &Request) -> AnswerPayload {
    let message = tell(
        node,
        house.deliver(&house.question_of(request.clone()), &alice()),
    );
    if message.kind == "refusal" {
        let log = std::fs::read_to_string(house.state().join(FAULT_FILE)).unwrap_or_default();
        panic!("{request:?}\n{log}");
    }
    answered(&message)
}

/// What a cell shows, by key and column.
type Cells = BTreeMap<(Vec<String>, String), Option<f64>>;

fn key_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The combined table; cells of nobody are left out, as SQL has no row for them.
fn ours(combined: &Combined) -> Cells {
    let names = combined.columns.iter().filter(|c| c.kind != Kind::Key);
    let names: Vec<&String> = names.map(|column| &column.name).collect();
    let mut cells = Cells::new();
    for row in &combined.rows {
        let key: Vec<String> = row.key.iter().map(ToString::to_string).collect();
        let values = row.cells.iter().map(|cell| {
            assert!(!cell.withheld, "nothing is protected");
            cell.value.as_ref().map(|value| value.parse().unwrap())
        });
        let values: Vec<Option<f64>> = values.collect();
        let nobody = |value: &Option<f64>| value.is_none_or(|value| value == 0.0);
        if key.is_empty() || !values.iter().all(nobody) {
            let named = names.iter().zip(values);
            cells.extend(named.map(|(name, value)| ((key.clone(), (*name).clone()), value)));
        }
    }
    cells
}

/// What DuckDB found, without rows of a missing key: these are in no group here.
fn theirs(question: &Value, combined: &Combined) -> Cells {
    let is_key = |name: &str| {
        let found = combined.columns.iter().find(|column| column.name == name);
        found.unwrap_or_else(|| panic!("no column {name}")).kind == Kind::Key
    };
    let names: Vec<&str> = question["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let mut cells = Cells::new();
    for row in question["rows"].as_array().unwrap() {
        let row = || names.iter().copied().zip(row.as_array().unwrap());
        let (keys, values): (Vec<_>, Vec<_>) = row().partition(|(name, _)| is_key(name));
        if keys.iter().any(|(_, value)| value.is_null()) {
            continue;
        }
        let key: Vec<String> = keys.iter().map(|(_, value)| key_text(value)).collect();
        for (name, value) in values {
            cells.insert((key.clone(), name.to_owned()), value.as_f64());
        }
    }
    cells
}

#[test]
fn every_question_has_the_answer_of_duckdb() {
    let file: Value = serde_json::from_str(include_str!("frames.json")).unwrap();
    let tables = file["tables"].as_object().unwrap();
    let houses = [house(tables, true), house(tables, false)];
    let nodes = houses.each_ref().map(House::open);
    let questions = file["questions"].as_array().unwrap();
    assert!(questions.len() >= 35);
    let mut compared = 0;
    for question in questions {
        let (name, sql) = (&question["name"], question["sql"].as_str().unwrap());
        let plain: Request = sql.into();
        let reviewed = question["reviewed"] == true;
        let request = match reviewed {
            true => Request::Reviewed(Box::new(plain)),
            false => plain,
        };
        let meaning = request.read(&Params::new(), &houses[0].codebook);
        let meaning = meaning.unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let answers = [0, 1].map(|at| {
            let (house, node) = (&houses[at], &nodes[at]);
            if reviewed {
                let asked = house.question_of(request.clone());
                let refusal = refused(&tell(node, house.deliver(&asked, &alice())));
                assert_eq!(refusal.code, "G504", "{name}");
                let home = Home::open(&house.state()).unwrap();
                let hash = show_digest(&meaning.digest());
                home.approve("heart-1", &hash).unwrap();
            }
            ask(house, node, &request)
        });
        let sites: Vec<SiteAnswer<'_>> = ["a", "b"]
            .into_iter()
            .zip(&answers)
            .map(|(node, answer)| SiteAnswer {
                node,
                table: Some((&answer.tables[0], answer.protection)),
            })
            .collect();
        let combined = combine(&meaning, &houses[0].codebook, &sites).unwrap();
        let (ours, theirs) = (ours(&combined), theirs(question, &combined));
        let keys = |cells: &Cells| cells.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&ours), keys(&theirs), "{name}");
        // a person's mean is kept to four more decimals than the values have
        let within = if name == "mean of means by region" {
            1e-5
        } else {
            1e-9
        };
        for (key, theirs) in &theirs {
            let ours = ours[key];
            let near = match (ours, theirs) {
                (Some(ours), Some(theirs)) => {
                    (ours - theirs).abs() <= within * theirs.abs().max(1.0)
                }
                (ours, theirs) => ours.is_none() && theirs.is_none(),
            };
            assert!(near, "{name} {key:?}: {ours:?}, DuckDB {theirs:?}");
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}
