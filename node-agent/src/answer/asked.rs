//! H6 at a whole node: what was asked counts, whatever was withheld, and it counts through restarts.

use quorate_query::answer::Cell;
use quorate_query::problem::Code;

use crate::ledger::{Event, Open, Record};
use crate::node::Node;
use crate::releases;
use crate::testing::{
    BOOK, House, NOW, PEER, alice, answered, bob, hear, hear_at, people, refused, tell,
};
use crate::trial::{Trial, try_alone};

/// The code of a refusal; none of an answer.
fn code(house: &House, node: &Node, sql: &str) -> Option<String> {
    let message = tell(node, house.deliver(&house.question(sql), &alice()));
    (message.kind == "refusal").then(|| refused(&message).code)
}

fn used(node: &Node) -> (u64, u64) {
    let past = node.past.blocking_lock();
    let epochs = node.epochs();
    let epoch = epochs.last().map(|epoch| epoch.name.as_str());
    let asks = past.asks();
    (
        asks.of_epoch(epoch.unwrap_or_default()),
        asks.of_principal("alice", NOW),
    )
}

#[test]
fn the_cap_comes_with_the_last_cell_and_stays_through_restarts() {
    let house = people(BOOK, "cells_per_principal = 3");
    let node = house.open();
    let by_sex = "SELECT sex, count(*) AS n FROM person GROUP BY sex";
    assert_eq!(code(&house, &node, by_sex), None, "two cells");
    assert_eq!(used(&node), (2, 2), "the core table is nobody's question");
    drop(node);

    let node = house.open();
    assert_eq!(used(&node), (2, 2));
    let of_women =
        "SELECT town, count(*) AS n FROM person WHERE town = 'a' AND sex = 0 GROUP BY town";
    let two = "SELECT sex, count(*) AS n FROM person WHERE town = 'a' GROUP BY sex";
    assert_eq!(code(&house, &node, two), Some("L707".to_owned()));
    assert_eq!(used(&node), (2, 2), "what was refused was not told");
    assert_eq!(code(&house, &node, of_women), None, "one more is allowed");
    drop(node);

    let node = house.open();
    assert_eq!(code(&house, &node, two), Some("L707".to_owned()));
    assert_eq!(code(&house, &node, by_sex), None, "no news, no cost");
}

#[test]
fn withheld_cells_count_like_shown_ones_and_days_give_them_back() {
    let house = people(BOOK, "cells_per_principal = 2");
    let node = house.open();
    let small = "SELECT count(*) AS n FROM person WHERE town = 'c'";
    let answer = house.ask(&node, small);
    assert_eq!(answer.tables[0].rows[0].cells, [Cell::Suppressed]);
    let near = "SELECT count(*) AS n FROM person WHERE town <> 'c'";
    house.ask(&node, near);
    assert_eq!(used(&node), (2, 2));
    let next = "SELECT count(*) AS n FROM person WHERE town = 'a'";
    assert_eq!(code(&house, &node, next), Some("L707".to_owned()));

    let later = NOW + 30 * 86_400;
    let mut question = house.question(next);
    (question.not_before, question.expires) = (later - 60, later + 60);
    let said = hear_at(&node, house.deliver(&question, &alice()), later);
    answered(&said.unwrap());
}

#[test]
fn an_open_table_counts_with_what_it_lists_and_data_have_a_cap_of_their_own() {
    let house = people(BOOK, "cells_per_epoch = 2");
    let node = house.open();
    let by_town = "SELECT town, count(*) AS n FROM person GROUP BY town";
    let listed = house.ask(&node, by_town).tables[0].rows.len();
    assert!(listed >= 1);
    assert_eq!(used(&node).0, u64::try_from(listed).unwrap());
    let by_sex = "SELECT sex, count(*) AS n FROM person GROUP BY sex";
    assert_eq!(code(&house, &node, by_sex), Some("L707".to_owned()));
    // other data
    let file = house.folder.path().join("people.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(",a,", ",d,")).unwrap();
    assert_eq!(code(&house, &node, by_sex), None);
}

#[test]
fn a_question_that_a_crash_interrupts_counts_once_and_a_trial_not_at_all() {
    let house = people(BOOK, "cells_per_principal = 1");
    let node = house.open();
    let sql = "SELECT count(*) AS n FROM person WHERE town = 'a'";
    let trial = Trial {
        request: sql.into(),
        params: Default::default(),
        codebook: house.codebook.digest.clone(),
        project: Some("heart-1".into()),
    };
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let report = waiting.block_on(try_alone(&node, trial, NOW));
    assert!(report.outcome.is_ok());
    let delivery = || house.deliver(&house.question(sql), &alice());
    // the cells are decided and kept, and then the answer cannot be: as if the node had died
    let fails =
        "CREATE TEMP TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, ''); END";
    node.with_store(|store| store.connection.execute_batch(fails))
        .unwrap();
    assert!(hear(&node, delivery()).is_none());
    drop(node);
    let node = house.open();
    let asked = |record: &releases::Record| matches!(record, releases::Record::Asked(_));
    let mut kept = Vec::new();
    node.with_store(|store| store.past("people", |record| kept.push(record)))
        .unwrap();
    assert_eq!(kept.iter().filter(|record| asked(record)).count(), 1);
    answered(&tell(&node, delivery()));
    assert_eq!(used(&node), (1, 1));
}

#[test]
fn both_caps_are_one_code_outside() {
    for cap in ["cells_per_principal = 1", "cells_per_epoch = 1"] {
        let house = people(BOOK, cap);
        let node = house.open();
        let sql = "SELECT sex, count(*) AS n FROM person GROUP BY sex";
        let message = tell(&node, house.deliver(&house.question(sql), &alice()));
        let refusal = refused(&message);
        assert_eq!(
            (Code("L707").0, ""),
            (refusal.code.as_str(), refusal.ticket.as_str())
        );
        let log = std::fs::read_to_string(house.state().join(crate::node::FAULT_FILE)).unwrap();
        assert!(log.contains(cap.split(' ').next().unwrap()), "{log}");
    }
}

#[test]
fn the_ledger_says_who_delivered_who_asked_and_on_which_basis() {
    let mut house = people(BOOK, "");
    let pinned = "members = [{ name = \"alice\",";
    let told = format!(
        "legal_basis = \"GDPR 9(2)(j), approval 17\"\n{pinned} organisation = \"Northgate University\","
    );
    assert!(house.policy.contains(pinned));
    house.policy = house.policy.replace(pinned, &told);
    let node = house.open();
    let sql = "SELECT count(*) AS n FROM person WHERE town = 'a'";
    house.ask(&node, sql);
    // the name in the project, the key of somebody else
    tell(&node, house.deliver(&house.question(sql), &bob()));
    let log = std::fs::read_to_string(house.state().join(crate::ledger::LEDGER_FILE)).unwrap();
    let records = log.lines().map(|line| line.split('\t').next().unwrap());
    let opened: Vec<Open> = records
        .filter_map(
            |json| match serde_json::from_str::<Record>(json).unwrap().event {
                Event::Open(open) => Some(*open),
                _ => None,
            },
        )
        .collect();
    let mine: Vec<&Open> = opened
        .iter()
        .filter(|open| open.actor.role == "researcher")
        .collect();
    assert_eq!(mine.len(), 1, "what is not believed is not recorded");
    assert_eq!(mine[0].peer, PEER);
    assert_eq!(mine[0].legal_basis, "GDPR 9(2)(j), approval 17");
    assert_eq!(mine[0].actor.organisation, "Northgate University");
    let core = opened
        .iter()
        .find(|open| open.actor.role == "core")
        .unwrap();
    assert_eq!((core.peer.as_str(), core.legal_basis.as_str()), ("", ""));
    let project = &house.policy().projects["heart-1"];
    assert_eq!(
        project.organisation("alice", bob().key_id()),
        None,
        "another key"
    );
}

/// Runs a command in the house's folder; whether it ended well.
fn command(house: &House, words: &[&str]) -> bool {
    let folder = house.folder.path().display().to_string();
    let words = ["quorate-node"]
        .iter()
        .chain(words)
        .map(|word| (*word).to_owned());
    let done = crate::run(words.chain(["--dir".to_owned(), folder]).map(Into::into));
    format!("{done:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)
}

#[test]
fn a_state_of_the_data_answers_once_its_custodian_registered_it() {
    let mut house = people(BOOK, "");
    house.policy = house
        .policy
        .replace("synthetic = false", "synthetic = false\nregistered = true");
    let sql = "SELECT sex, count(*) AS n FROM person GROUP BY sex";
    let node = house.open();
    assert_eq!(code(&house, &node, sql), Some("C605".to_owned()));
    let in_folder = |name: &str| house.folder.path().join(name);
    std::fs::write(in_folder("policy.toml"), &house.policy).unwrap();
    std::fs::write(in_folder("book.toml"), BOOK).unwrap();
    let log = quorate_identity::roster::write_log(house.roster.log());
    std::fs::write(house.state().join("roster.log"), log).unwrap();
    crate::testing::node_key()
        .save(&house.state().join("node.key"))
        .unwrap();
    let book = in_folder("book.toml").display().to_string();
    let register = |key: u8| {
        let path = in_folder(&format!("key-{key}"));
        if !path.exists() {
            crate::testing::key(key).save(&path).unwrap();
        }
        let path = path.display().to_string();
        let words = ["data", "register", "--codebook", &book, "--key", &path];
        command(&house, &words)
    };
    assert!(!register(3), "a researcher registers nothing");
    assert!(register(1), "while the node runs");
    let answer = house.ask(&node, sql);
    let receipt = answer.receipt.unwrap().check().unwrap();
    let registered = receipt.statement.registration;
    assert_eq!(registered.len(), 71, "{registered}");
    let log = std::fs::read_to_string(house.state().join(crate::ledger::LEDGER_FILE)).unwrap();
    let noted = log.lines().find(|line| line.contains("data_registered"));
    assert!(noted.unwrap().contains(&registered), "the ledger says so");
    let people = in_folder("people.csv");
    let more = std::fs::read_to_string(&people).unwrap() + "100,1,a,70\n";
    std::fs::write(&people, more).unwrap();
    assert_eq!(
        code(&house, &node, sql),
        Some("C605".to_owned()),
        "other data"
    );
    drop(node);
    assert!(register(1), "while it does not run");
    let node = house.open();
    assert_eq!(code(&house, &node, sql), None);
    assert!(command(&house, &["ledger", "report", "--reader", "dora"]));
    drop(node);
    let node = house.open();
    let sound = crate::ledger::verify(&house.state(), None, None).unwrap();
    assert_eq!(sound.head, node.ledger_head());
    let log = std::fs::read_to_string(house.state().join(crate::ledger::LEDGER_FILE)).unwrap();
    assert!(log.contains("ledger_read") && log.contains("dora"));
}
