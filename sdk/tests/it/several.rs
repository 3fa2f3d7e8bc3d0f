//! A question of several tables, from nodes' signed answers to what is shown: every table is combined
//! again, and none can be left out, added or exchanged.

use quorate_identity::Signed;
use quorate_query::analyses::{Analysis, Request};
use quorate_query::answer::{Cell, NodeRow, NodeTable};
use quorate_query::number::Number;
use quorate_sdk::ask::{Asked, Draft};
use quorate_sdk::document::Document;
use quorate_sdk::render::{self, arrow, csv, table};
use quorate_sdk::report;
use quorate_sdk::verify::{Standard, VerifiedResult, VerifyError, verify};
use quorate_wire::{NodeOutcome, NodeStatus, ResultPayload, sign};

use crate::world::{World, absent, by_sex, outcome};

fn asked(world: &World) -> Asked {
    let arguments = [("variables".to_owned(), "sex".to_owned())].into();
    let analysis = Analysis::named("table1", arguments).unwrap();
    world.sign(&Draft {
        request: Request::Analysis(analysis),
        project: "heart-1".to_owned(),
        min_nodes: 1,
        ..Draft::default()
    })
}

fn all(persons: i64) -> NodeTable {
    NodeTable {
        rows: vec![NodeRow {
            key: Vec::new(),
            cells: vec![Cell::Value(vec![Number::from(persons)])],
        }],
    }
}

fn answered(world: &World, node: &str, q: &Signed, tables: Vec<NodeTable>) -> NodeOutcome {
    let mut answer = world.answer(node, q, NodeTable::default());
    answer.tables = tables;
    let signed = sign(&answer, &world.nodes[node]);
    outcome(node, NodeStatus::Answered, None, Some(signed))
}

fn honest(world: &World, asked: &Asked) -> ResultPayload {
    let q = &asked.signed;
    let nodes = vec![
        answered(
            world,
            "bern",
            q,
            vec![all(305), by_sex(Some(100), Some(205))],
        ),
        answered(
            world,
            "cork",
            q,
            vec![all(295), by_sex(Some(50), Some(245))],
        ),
        absent("oslo"),
    ];
    world.result(q, nodes)
}

fn check(world: &World, asked: &Asked, signed: &Signed) -> Result<VerifiedResult, VerifyError> {
    let sent: Vec<String> = ["bern", "cork", "oslo"].map(str::to_owned).to_vec();
    let standard = Standard {
        roster: &world.roster,
        codebooks: std::slice::from_ref(&world.codebook),
        asked: Some((&asked.signed, sent.as_slice())),
    };
    verify(signed, standard)
}

fn document(world: &World) -> Document {
    let asked = asked(world);
    let result = world.signed(&honest(world, &asked));
    report::document(&check(world, &asked, &result).unwrap(), true)
}

#[test]
fn every_table_is_combined_named_and_shown() {
    let world = World::new();
    let shown = document(&world);
    assert!(shown.columns.is_empty() && shown.rows.is_empty());
    let names: Vec<&str> = shown
        .tables
        .iter()
        .map(|table| table.name.as_str())
        .collect();
    assert_eq!(names, ["persons", "levels_sex"]);
    let value = |table: usize, row: usize| {
        let cell = &shown.tables[table].rows[row].cells["n"];
        cell.number.as_ref().unwrap().value.clone()
    };
    assert_eq!(
        [value(0, 0), value(1, 0), value(1, 1)],
        ["600", "150", "450"]
    );
    let text = table::render(&shown, table::Look::default());
    for part in [
        "persons\n",
        "levels_sex\n",
        "table1: table1",
        "sex 1 male: share",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let back: Document = serde_json::from_str(&render::json(&shown).unwrap()).unwrap();
    assert_eq!(back, shown);
    // The cells as CSV, table by table; a file of the other formats holds one.
    let mut bare = shown.clone();
    bare.analysis = None;
    let text = String::from_utf8(csv::render(&bare).unwrap()).unwrap();
    assert!(text.starts_with("# persons\nn,"), "{text}");
    assert!(text.contains("\n\n# levels_sex\nsex,n,"), "{text}");
    let refused = arrow::batch(&bare).unwrap_err().to_string();
    assert!(refused.contains("2 tables"), "{refused}");
}

#[test]
fn what_a_node_answers_has_the_tables_of_the_question() {
    let world = World::new();
    let asked = asked(&world);
    let q = &asked.signed;
    let two = || vec![all(305), by_sex(Some(100), Some(205))];
    for tables in [
        vec![all(305)],
        [two(), vec![all(305)]].concat(),
        vec![by_sex(Some(100), Some(205)), all(305)],
    ] {
        let mut result = honest(&world, &asked);
        result.nodes[0] = answered(&world, "bern", q, tables);
        let error = check(&world, &asked, &world.signed(&result)).unwrap_err();
        assert!(matches!(error, VerifyError::Combine(_)), "{error}");
    }
}

#[test]
fn a_coordinator_cannot_change_any_of_the_tables() {
    let world = World::new();
    let asked = asked(&world);
    for (from, to) in [("600", "605"), ("450", "455"), ("levels_sex", "levels_six")] {
        let mut result = honest(&world, &asked);
        let text = String::from_utf8(result.combined.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        result.combined = text.replacen(from, to, 1).into_bytes();
        let error = check(&world, &asked, &world.signed(&result)).unwrap_err();
        assert!(matches!(error, VerifyError::OtherTable), "{error}");
    }
}
