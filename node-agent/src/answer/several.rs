//! Several tables in one question: approved, decided, signed, kept and counted together, each decided
//! beside those before it.

use quorate_query::analyses::{Analysis, Request};
use quorate_query::answer::{Cell, NodeTable};
use quorate_query::question::Params;

use crate::node::Node;
use crate::releases::Record;
use crate::testing::{BOOK, House, NOW, alice, answered, hear, people, refused, tell};
use crate::trial::{Shown, Trial, try_alone};

/// Persons, mean and levels by sex: three tables.
fn table1() -> Request {
    let arguments = [("variables", "weight, town"), ("by", "sex")];
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let analysis = Analysis::named("table1", arguments.map(pair).into());
    Request::Analysis(analysis.expect("the analysis"))
}

/// The tables as questions of their own, in their order.
fn apart(house: &House) -> Vec<String> {
    let text = table1().text(&house.codebook);
    let statements = text.lines().filter(|line| !line.starts_with("--"));
    statements.map(str::to_owned).collect()
}

fn ask(house: &House, node: &Node) -> quorate_wire::AnswerPayload {
    answered(&tell(
        node,
        house.deliver(&house.question_of(table1()), &alice()),
    ))
}

fn kept(node: &Node) -> Vec<Record> {
    let mut found = Vec::new();
    let read = |store: &mut crate::store::Store| store.past("people", |record| found.push(record));
    node.with_store(read).unwrap();
    found
}

fn entries(node: &Node) -> usize {
    node.past.blocking_lock().history().entries().len()
}

fn trial(house: &House, node: &Node) -> Shown {
    let trial = Trial {
        request: table1(),
        params: Params::new(),
        codebook: house.codebook.digest.clone(),
        project: Some("heart-1".into()),
    };
    let mut waiting = tokio::runtime::Builder::new_current_thread();
    let waiting = waiting.enable_all().build().unwrap();
    let report = waiting.block_on(try_alone(node, trial, NOW));
    report.outcome.ok().expect("an answer")
}

#[test]
fn tables_of_one_question_are_those_of_questions_one_after_the_other() {
    let (together, one_by_one) = (people(BOOK, ""), people(BOOK, ""));
    let (node, other) = (together.open(), one_by_one.open());
    let answer = ask(&together, &node);
    let alone: Vec<NodeTable> = apart(&one_by_one)
        .iter()
        .map(|sql| one_by_one.ask(&other, sql).tables.remove(0))
        .collect();
    assert_eq!(alone.len(), 3);
    assert_eq!(answer.tables, alone);
    let cells = |tables: &[NodeTable]| -> Vec<Cell> {
        let rows = tables.iter().flat_map(|table| &table.rows);
        rows.flat_map(|row| row.cells.clone()).collect()
    };
    assert!(
        cells(&answer.tables)
            .iter()
            .any(|cell| *cell != Cell::Suppressed)
    );
    assert_eq!(entries(&node), entries(&other));
}

#[test]
fn the_stored_answer_comes_back_and_nothing_is_decided_twice() {
    let house = people(BOOK, "");
    let node = house.open();
    let question = house.question_of(table1());
    let first = tell(&node, house.deliver(&question, &alice()));
    let remembered = entries(&node);
    drop(node);
    let node = house.open();
    assert_eq!(tell(&node, house.deliver(&question, &alice())), first);
    assert_eq!(ask(&house, &node).tables, answered(&first).tables);
    assert_eq!(entries(&node), remembered);
}

#[test]
fn a_trial_foretells_every_table_and_leaves_nothing() {
    let house = people(BOOK, "");
    let node = house.open();
    house.ask(&node, "SELECT count(*) FROM person");
    let (records, remembered) = (kept(&node).len(), entries(&node));
    let shown = trial(&house, &node);
    assert_eq!((kept(&node).len(), entries(&node)), (records, remembered));
    assert!(shown.canonical.starts_with("table    persons\n"));
    let answer = ask(&house, &node);
    let foretold: Vec<NodeTable> = shown
        .tables
        .iter()
        .map(|shown| shown.table.clone())
        .collect();
    assert_eq!(answer.tables, foretold);
    let names: Vec<&str> = shown
        .tables
        .iter()
        .map(|shown| shown.name.as_str())
        .collect();
    assert_eq!(names, ["persons", "mean_weight", "levels_town"]);
    // Measures are counted on from table to table: this is the third.
    let of_town = |finding: &&crate::disclose::Finding| finding.measure == 2;
    assert!(shown.findings.iter().any(|finding| of_town(&finding)));
}

#[test]
fn what_cannot_be_kept_of_one_table_is_kept_of_none() {
    let house = people(BOOK, "");
    let node = house.open();
    house.ask(&node, "SELECT count(*) FROM person");
    let (records, remembered) = (kept(&node).len(), entries(&node));
    let pragma = |text: &str| {
        node.with_store(|store| store.connection.execute_batch(text))
            .unwrap();
    };
    pragma("PRAGMA query_only = ON");
    let question = house.question_of(table1());
    assert!(hear(&node, house.deliver(&question, &alice())).is_none());
    pragma("PRAGMA query_only = OFF");
    assert_eq!((kept(&node).len(), entries(&node)), (records, remembered));
    let answer = answered(&tell(&node, house.deliver(&question, &alice())));
    assert_eq!(answer.tables.len(), 3);
}

#[test]
fn the_cells_of_all_tables_count() {
    // Two of persons, two of means, and an open table: five at least.
    for (most, code) in [(4, Some("L707")), (100, None)] {
        let house = people(BOOK, &format!("cells_per_principal = {most}"));
        let node = house.open();
        let message = tell(&node, house.deliver(&house.question_of(table1()), &alice()));
        let found = (message.kind == "refusal").then(|| refused(&message).code);
        assert_eq!(found.as_deref(), code, "{most}");
    }
}
