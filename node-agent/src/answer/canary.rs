//! Nothing that a node writes down or says beside its answers holds a word of the data or of a
//! question: every word that may not is a canary here.
//!
//! A child process lives through everything with all logs on; its parent looks through what it
//! left. Only `faults.log` is left out, which is for the custodian and says so.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use quorate_query::question::ParamValue;
use quorate_query::value::Scalar;
use quorate_wire::QuestionPayload;
use tracing_subscriber::EnvFilter;

use crate::node::{FAULT_FILE, Node, Opening};
use crate::testing::{House, NOW, alice, hear};
use crate::trial::{Trial, try_alone};

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
id = { type = "text", role = ["unit"] }
town = { type = "text", role = ["filter", "group"] }
age = { type = "int", role = ["filter", "group", "value"], bounds = [0, 120], bands = [10] }
[[core]]
sql = "SELECT count(*) FROM person"
"#;

const SOURCE: &str = "[source.person]\nkind = \"csv\"\npath = \"people.csv\"\n";

fn people(age: &str) -> String {
    let row = |i: i32| format!("canary-id-{i},canary-town-{},{age}\n", i % 3 + i / 60 * i);
    format!("id,town,age\n{}", (0..66).map(row).collect::<String>())
}

/// The questions: answered, withheld, refused, failing, with canaries wherever a text may stand.
fn questions(house: &House) -> Vec<QuestionPayload> {
    let texts = [
        "SELECT town, count(*), avg(age) FROM person GROUP BY town",
        "SELECT count(*) FROM person WHERE town = 'canary-town-1'",
        "SELECT count(*) AS canary_alias FROM person WHERE town IN ('canary-a', 'canary-town-2')",
        "SELECT count(*) FROM person WHERE town = $canary_param",
        "SELECT canary_column FROM canary_table",
        "SELECT count(*) FROM person WHERE age = 'canary-literal'",
        "canary text that is no question 'canary",
        "SELECT count(*) FROM person WHERE id = 'canary-id-1'",
    ];
    let of = |sql: &&str| {
        let mut question = house.question(sql);
        question.purpose = "canary purpose".into();
        if sql.contains('$') {
            let text = ParamValue::One(Scalar::Text("canary-value".into()));
            question.params.insert("canary_param".into(), text);
        }
        let read = quorate_query::sql::read(sql, &question.params, &house.codebook);
        question.canonical_digest = read.map_or([0; 32], |read| read.digest());
        question
    };
    texts.iter().map(of).collect()
}

fn opening(house: &House) -> Opening {
    let timings = fs::File::options()
        .create(true)
        .append(true)
        .open(house.folder.path().join("timings"));
    Opening {
        timings: Some(timings.unwrap()),
        stopwatch: Arc::new(|| Duration::from_millis(7)),
        ..house.opening()
    }
}

/// Asks everything; refusals must not hold a canary. Returns how many answers there were.
fn ask_all(house: &House, node: &Node) -> usize {
    let mut answers = 0;
    for question in questions(house) {
        let Some(said) = hear(node, house.deliver(&question, &alice())) else {
            continue;
        };
        match said.kind.as_str() {
            "answer" => answers += 1,
            _ => assert!(!holds(&said.payload), "{:?}", question.request),
        }
    }
    answers
}

/// Set for the child.
const CHILD: &str = "QUORATE_CANARY_CHILD";

/// Everything that a node can live through, in a process of its own: all its logs are on.
fn a_life_full_of_canaries() {
    crate::cli::logs::start(EnvFilter::new("trace"));
    tracing::trace!("all logs are on");
    let mut house = House::new(BOOK, SOURCE, false, &[("people.csv", &people("33"))]);
    println!("folder {}", house.folder.path().display());
    let node = Node::open(opening(&house)).unwrap();
    assert!(ask_all(&house, &node) >= 3, "some are answered");
    let trial = Trial {
        request: "SELECT town, count(*) FROM person GROUP BY town".into(),
        params: Default::default(),
        codebook: house.codebook.digest.clone(),
        project: None,
    };
    let mut waiting = tokio::runtime::Builder::new_current_thread();
    let waiting = waiting.enable_all().build().unwrap();
    assert!(
        waiting
            .block_on(try_alone(&node, trial, NOW))
            .outcome
            .is_ok()
    );
    drop(node);
    let source = house.folder.path().join("people.csv");
    fs::write(&source, people("canary-age")).unwrap();
    assert_eq!(
        ask_all(&house, &Node::open(opening(&house)).unwrap()),
        0,
        "unreadable"
    );
    fs::write(&source, people("34")).unwrap();
    let usual = house.policy.clone();
    house.policy = usual.replace("\"256 MiB\"", "\"16 MiB\"");
    ask_all(&house, &Node::open(opening(&house)).unwrap());
    house.policy = usual.replace("\"30 s\"", "\"1 ms\"");
    ask_all(&house, &Node::open(opening(&house)).unwrap());
    house.policy = usual;
    let node = Node::open(opening(&house)).unwrap();
    let full = "PRAGMA query_only = ON";
    node.with_store(|store| store.connection.execute_batch(full))
        .unwrap();
    assert_eq!(ask_all(&house, &node), 0, "nothing can be kept");
    // its parent looks at the folder and takes it away
    std::mem::forget(house);
}

#[test]
fn no_word_of_data_or_questions_is_written_down() {
    if std::env::var_os(CHILD).is_some() {
        a_life_full_of_canaries();
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("answer::canary::no_word_of_data_or_questions_is_written_down")
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8(child.stdout).unwrap();
    let logs = String::from_utf8_lossy(&child.stderr).into_owned();
    assert!(child.status.success(), "{said}{logs}");
    assert!(logs.contains("all logs are on"), "{logs}");
    assert!(
        !holds(said.as_bytes()) && !holds(logs.as_bytes()),
        "{said}{logs}"
    );
    let folder = said.lines().find_map(|line| line.split_once("folder "));
    let folder = Path::new(folder.unwrap().1);
    let timings = fs::read(folder.join("timings")).unwrap();
    assert!(timings.len() > 100 && !holds(&timings));
    let mut seen = 0;
    look_through(&folder.join("state"), &mut seen);
    assert!(seen >= 6, "keys, ledger, store and more: {seen}");
    let faults = fs::read(folder.join("state").join(FAULT_FILE)).unwrap();
    assert!(faults.len() > 100, "the custodian reads what went wrong");
    fs::remove_dir_all(folder).unwrap();
}

fn look_through(folder: &Path, seen: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look_through(&path, seen);
        } else if !path.ends_with(FAULT_FILE) {
            *seen += 1;
            assert!(!holds(&fs::read(&path).unwrap()), "{}", path.display());
        }
    }
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|word| word == b"canary-")
        || bytes.windows(7).any(|word| word == b"canary_")
}
