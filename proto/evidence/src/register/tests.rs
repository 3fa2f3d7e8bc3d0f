//! The register is what the ledgers say, to the byte, and notices what was taken out.

use quorate_identity::SigningKey;

use super::*;
use crate::line as lines;
use crate::record::{Approval, Cells, Close, Decided, Event, Interrupted, Open, Record, Statement};

/// A ledger of one node: each event one second after the one before.
fn ledger(events: Vec<Event>) -> Vec<String> {
    let key = SigningKey::from_seed(&[4; 32]).unwrap();
    let (mut written, mut previous) = (Vec::new(), String::new());
    for (seq, event) in (1..).zip(events) {
        let record = Record {
            seq,
            previous,
            time: 1_763_000_000 + i64::try_from(seq).unwrap(),
            event,
            ..Record::default()
        };
        let (text, hash) = lines::write(&record, &key).unwrap();
        previous = hash;
        written.push(text);
    }
    written
}

fn open(project: &str) -> Event {
    Event::Open(Box::new(Open {
        project: project.to_owned(),
        legal_basis: "6(1)(e)".to_owned(),
        ..Open::default()
    }))
}

fn decided(opened: u64, tables: &str, record: &str) -> Event {
    Event::Decided(Box::new(Decided {
        opened,
        statement: Statement {
            tables: tables.to_owned(),
            project_record: record.to_owned(),
            columns: ["person.sex".to_owned()].into(),
            approval: Approval {
                release: "auto".to_owned(),
                ..Approval::default()
            },
            cells: Some(Cells {
                released: 2,
                withheld: 11,
            }),
            ..Statement::default()
        },
    }))
}

fn close(opened: u64, outcome: &str) -> Event {
    Event::Close(Box::new(Close {
        opened,
        outcome: outcome.to_owned(),
        ..Close::default()
    }))
}

fn extract(node: &str, lines: &[String]) -> Extract {
    Extract::of("heart", node, lines.iter().map(String::as_str))
}

fn north() -> Vec<String> {
    ledger(vec![
        open("one"),
        decided(1, "first", "sha256:rec"),
        close(1, "answered"),
        open("one"),
        close(4, "refused"),
        open("two"),
        decided(6, "lost", ""),
        Event::Interrupted(Interrupted {
            opened: 6,
            ..Interrupted::default()
        }),
        open(""),
        close(9, "core"),
    ])
}

fn records() -> BTreeMap<String, Value> {
    let record = serde_json::json!({
        "version": 1, "title": "Hearts & <minds>", "lay_summary": "=1+1, \"quoted\"",
        "starts": 1_763_000_000, "expires": 1_794_536_000, "legal": { "article9": "9(2)(j)" },
    });
    [("sha256:rec".to_owned(), record)].into()
}

#[test]
fn an_extract_counts_what_ran_what_was_refused_and_what_left() {
    let lines = north();
    let extract = extract("north", &lines);
    assert_eq!((extract.size, extract.stubs), (10, 0));
    let one = &extract.projects["one"];
    assert_eq!((one.questions_run, one.questions_refused), (1, 1));
    assert_eq!(
        (one.outputs.len(), one.outputs[0].tables.as_str()),
        (1, "first")
    );
    let two = &extract.projects["two"];
    assert_eq!(
        (two.questions_run, two.outputs.len()),
        (0, 0),
        "it never left"
    );
    assert_eq!(extract.projects.len(), 2, "core tables are of no project");
    let mut stubbed = lines.clone();
    stubbed[0] = lines::stub(&lines[0]).unwrap();
    let stubbed = Extract::of("heart", "north", stubbed.iter().map(String::as_str));
    assert_eq!(
        (stubbed.root, stubbed.stubs),
        (extract.root, 1),
        "the tree stays"
    );
}

#[test]
fn the_same_ledgers_give_the_same_register_and_a_removed_output_is_noticed() {
    let south = ledger(vec![
        open("one"),
        decided(1, "second", "sha256:rec"),
        close(1, "answered"),
    ]);
    let both = || [extract("north", &north()), extract("south", &south)];
    let register = build(&both(), &records()).unwrap();
    let again = build(&both(), &records()).unwrap();
    assert_eq!(
        (register.json(), register.csv(), register.html()),
        (again.json(), again.csv(), again.html())
    );
    let one = &register.projects[0];
    assert_eq!(
        (one.outputs_released, one.questions_run.as_str()),
        (2, "<10")
    );
    assert_eq!(
        (one.cells_withheld.as_str(), one.questions_refused.as_str()),
        ("22", "<10")
    );
    let mut turned = both();
    turned.reverse();
    assert_eq!(build(&turned, &records()).unwrap().json(), register.json());
    let mut removed = both();
    removed[1].projects.get_mut("one").unwrap().outputs.clear();
    assert_ne!(build(&removed, &records()).unwrap().json(), register.json());
    let parsed: Register = serde_json::from_str(&register.json()).unwrap();
    assert_eq!(parsed, register);
}

#[test]
fn words_of_applicants_are_no_markup_and_no_formula() {
    let register = build(&[extract("north", &north())], &records()).unwrap();
    let (page, table) = (register.html(), register.csv());
    assert!(page.contains("Hearts &amp; &lt;minds&gt;") && !page.contains("<minds>"));
    assert!(table.contains("\"'=1+1, \"\"quoted\"\"\""), "{table}");
    assert_eq!(table.lines().next().unwrap().split(',').count(), 40);
    let hdr = &register.projects[0].hdr;
    assert_eq!(hdr["project_start_date"], "2025-11-13");
    assert_eq!(hdr["project_end_date"], "2026-11-13");
    assert_eq!(hdr["legal_basis_for_data_article6"], "6(1)(e)");
    assert_eq!(hdr["legal_basis_for_data_article9"], "9(2)(j)");
    assert_eq!(hdr["non_gateway_datasets"], "person");
}

#[test]
fn what_does_not_fit_together_makes_no_register() {
    let north = extract("north", &north());
    let twice = build(&[north.clone(), north.clone()], &records());
    assert_eq!(twice, Err(RegisterError::Twice("north".to_owned())));
    let missing = build(std::slice::from_ref(&north), &BTreeMap::new());
    assert!(matches!(missing, Err(RegisterError::NoRecord { .. })));
    let mut other = north.clone();
    other.network = "liver".to_owned();
    assert!(matches!(
        build(&[north, other], &records()),
        Err(RegisterError::Networks(..))
    ));
}

#[test]
fn days_are_civil_days() {
    for (time, expected) in [
        (1, "1970-01-01"),
        (951_782_400, "2000-02-29"),
        (951_868_800, "2000-03-01"),
        (4_107_542_399, "2100-02-28"),
        (0, ""),
    ] {
        assert_eq!(day(time), expected);
    }
}
