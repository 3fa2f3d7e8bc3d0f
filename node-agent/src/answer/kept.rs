//! What a node keeps of what it has shown: through crashes, restarts, trials, changed thresholds
//! and new data.

use std::fs;

use quorate_disclosure::history::{Entry, State};
use quorate_query::analyses::Request;
use quorate_query::cohort::Cohort;
use quorate_query::problem::Code;

use crate::answer::tell as middle;
use crate::home::Home;
use crate::node::Node;
use crate::past::Past;
use crate::record;
use crate::releases::Record;
use crate::testing::{House, NOW, alice, answered, hear, refused, tell};
use crate::times::StepTimes;
use crate::trial::{Report, Trial, try_alone};
use crate::verify::{Heard, verify};

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
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "f", 1 = "m" } }
town = { type = "text", role = ["filter", "group"] }

[table.visit]
rows = "many"
max_rows = 5
unit_key = "person_id"
[table.visit.column]
person_id = { type = "int", role = ["key"] }
kind = { type = "int", role = ["filter", "group"], domain = { 1 = "a", 2 = "b" } }

[[core]]
sql = "SELECT count(*) FROM person"

[[core]]
sql = "SELECT kind, count(*) FROM visit GROUP BY kind"

[[core]]
sql = "SELECT sex, count(*) FROM person GROUP BY sex"
"#;

const SOURCE: &str = "[source.person]\nkind = \"csv\"\npath = \"people.csv\"\n";

/// 100 persons: sex 1 for 40 of them, town "a" for 60.
fn house() -> House {
    let row = |i: i32| {
        let town = if i < 60 { "a" } else { "b" };
        format!("{i},{},{town}\n", i32::from(i % 5 < 2))
    };
    let people = format!("id,sex,town\n{}", (0..100).map(row).collect::<String>());
    House::new(BOOK, SOURCE, false, &[("people.csv", &people)])
}

fn waiting() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn entries(node: &Node) -> Vec<Entry> {
    let mut past = node.past.blocking_lock();
    past.history().entries().cloned().collect()
}

fn kept(node: &Node) -> Vec<Record> {
    let mut found = Vec::new();
    let read = |store: &mut crate::store::Store| store.past("people", |record| found.push(record));
    node.with_store(read).unwrap();
    found
}

fn trial(house: &House, node: &Node, sql: &str) -> Report {
    let trial = Trial {
        request: sql.into(),
        params: Default::default(),
        codebook: house.codebook.digest.clone(),
        project: Some("heart-1".into()),
    };
    waiting().block_on(try_alone(node, trial, NOW))
}

const SQL: &str = "SELECT town, count(*) FROM person GROUP BY town";

#[test]
fn what_was_decided_counts_even_if_the_node_dies_before_it_speaks() {
    let house = house();
    let node = house.open();
    let question = house.question(SQL);
    let delivery = house.deliver(&question, &alice());
    let Ok(Heard::New(verified)) = verify(&node, &delivery, NOW) else {
        panic!("not new")
    };
    let recorded = record::open(&node, *verified, NOW).unwrap();
    let mut steps = StepTimes::start(&node.stopwatch);
    let decided = waiting().block_on(middle(&node, &recorded, &mut steps, NOW));
    let decided = decided.ok().unwrap();
    let table = decided.tables().to_vec();
    assert!(decided.fresh() >= 1 && decided.repeated() == 0);
    let before = entries(&node);
    drop(decided);
    drop(recorded);
    drop(node);

    let node = house.open();
    assert!(entries(&node) == before, "the reservation counts");
    let first = tell(&node, house.deliver(&question, &alice()));
    assert_eq!(
        answered(&first).tables,
        table,
        "the same question, the same cells"
    );
    assert!(entries(&node) == before, "and nothing new");
    drop(node);
    let node = house.open();
    let again = tell(&node, house.deliver(&question, &alice()));
    assert_eq!(again, first, "the same bytes, also after a restart");
}

#[test]
fn what_could_not_be_kept_is_not_remembered_either() {
    let house = house();
    let node = house.open();
    house.ask(&node, "SELECT count(*) FROM person");
    let before = entries(&node);
    let lock = "PRAGMA query_only = ON";
    node.with_store(|store| store.connection.execute_batch(lock))
        .unwrap();
    let question = house.question(SQL);
    assert!(hear(&node, house.deliver(&question, &alice())).is_none());
    assert!(entries(&node) == before);
    let unlock = "PRAGMA query_only = OFF";
    node.with_store(|store| store.connection.execute_batch(unlock))
        .unwrap();
    let answer = answered(&tell(&node, house.deliver(&question, &alice())));
    assert!(!answer.tables[0].rows.is_empty());
    assert!(entries(&node).len() > before.len());
}

#[test]
fn history_rebuilt_is_history_kept_and_decides_alike() {
    let house = house();
    let node = house.open();
    for sql in [
        SQL,
        "SELECT count(*) FROM person WHERE town = 'a'",
        "SELECT sex, town, count(*) FROM person GROUP BY sex, town",
    ] {
        house.ask(&node, sql);
    }
    let (kept, next) = (
        entries(&node),
        "SELECT count(*) FROM person WHERE sex = 0 AND town <> 'a'",
    );
    let before = trial(&house, &node, next).outcome.ok().unwrap();
    drop(node);
    let node = house.open();
    assert!(entries(&node) == kept);
    let after = trial(&house, &node, next).outcome.ok().unwrap();
    assert!(before.tables[0].table == after.tables[0].table && before.findings == after.findings);
    assert_eq!(
        house.ask(&node, next).tables[0],
        before.tables[0].table,
        "a trial foretells"
    );
}

#[test]
fn a_trial_spends_nothing_not_in_memory_either() {
    let house = house();
    let node = house.open();
    house.ask(&node, "SELECT count(*) FROM person");
    let (records, memory) = (kept(&node).len(), entries(&node));
    assert!(trial(&house, &node, SQL).outcome.is_ok());
    assert_eq!(kept(&node).len(), records);
    assert!(entries(&node) == memory);
    drop(node);
    let alone = Node::open_for_trial(house.opening()).unwrap();
    let shown = trial(&house, &alone, SQL).outcome.ok().unwrap();
    assert_eq!(shown.repeated, 0);
    drop(alone);
    let node = house.open();
    assert_eq!(kept(&node).len(), records);
    let answer = house.ask(&node, SQL);
    assert_eq!(answer.tables[0], shown.tables[0].table);
}

#[test]
fn core_tables_come_before_the_first_question_and_once() {
    let house = house();
    let node = house.open();
    house.ask(&node, SQL);
    let core = |node: &Node| {
        let cell = |entry: &Entry| matches!(entry.state, State::Released(_));
        let core = entries(node)
            .into_iter()
            .filter(|entry| entry.core && cell(entry));
        core.map(|entry| entry.id).collect::<Vec<_>>()
    };
    // the total and at least one sex (the rules decide); nobody holds visits here
    let first = core(&node);
    assert!(first.len() >= 2);
    let all = entries(&node);
    assert!(
        all.iter().take_while(|entry| entry.core).count() >= 2,
        "before anybody's"
    );
    let records = kept(&node).len();
    let total = house.ask(&node, "SELECT count(*) FROM person");
    assert_eq!(
        kept(&node).len(),
        records + 2,
        "a repetition: only that it was asked, and what was told"
    );
    assert_eq!(total.tables[0].rows.len(), 1);
    drop(node);
    let node = house.open();
    house.ask(&node, "SELECT count(*) FROM person WHERE town = 'b'");
    assert_eq!(core(&node), first);
    let ledger = fs::read_to_string(house.state().join(crate::ledger::LEDGER_FILE)).unwrap();
    assert_eq!(
        ledger.matches("\"outcome\":\"core\"").count(),
        3,
        "each has its record"
    );
    assert_eq!(ledger.matches("\"subject\":\"core\"").count(), 3);
    assert!(ledger.contains("C602"), "also the one that is not held");
}

#[test]
fn a_state_of_the_data_has_one_protection() {
    let mut house = house();
    house.ask(&house.open(), SQL);
    let loose = house.policy.clone();
    house.policy = format!("{loose}\n[release]\nk = 12\n");
    let node = house.open();
    let refusal = refused(&tell(&node, house.deliver(&house.question(SQL), &alice())));
    assert_eq!(Code("G508").0, refusal.code);
    drop(node);
    let path = house.folder.path().join("people.csv");
    let more = fs::read_to_string(&path).unwrap()
        + &(200..230).map(|i| format!("{i},0,a\n")).collect::<String>();
    fs::write(&path, more).unwrap();
    let node = house.open();
    let answer = house.ask(&node, SQL);
    assert_eq!(answer.protection.k, 12, "new data, new thresholds");
    drop(node);
    house.policy = loose;
    let refusal = refused(&tell(
        &house.open(),
        house.deliver(&house.question(SQL), &alice()),
    ));
    assert_eq!(refusal.code, "G508");
}

#[test]
fn a_node_without_the_keys_of_its_releases_does_not_start() {
    let house = house();
    house.ask(&house.open(), SQL);
    for name in [
        crate::secrets::DOMAIN_KEY_FILE,
        crate::secrets::STORE_KEY_FILE,
    ] {
        let (path, aside) = (house.state().join(name), house.folder.path().join(name));
        fs::rename(&path, &aside).unwrap();
        let error = Node::open(house.opening()).err().unwrap().to_string();
        assert!(
            error.contains(name) && error.contains("restore it from the backup"),
            "{error}"
        );
        fs::rename(&aside, &path).unwrap();
    }
    let past = Past::rebuild(
        &crate::store::Store::look(&house.state()).unwrap(),
        "people",
        Default::default(),
    );
    assert!(past.is_ok());
}

/// Whether a command of the custodian goes well.
fn command(house: &House, line: &str) -> bool {
    let words = line.split('|').map(std::ffi::OsString::from);
    let place = ["--dir".into(), house.folder.path().as_os_str().to_owned()];
    let all = std::iter::once("quorate-node".into())
        .chain(words)
        .chain(place);
    let done = crate::run(all);
    format!("{done:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)
}

#[test]
fn the_custodian_looks_back_and_forgets_a_person() {
    let house = house();
    let question = house.question(SQL);
    let node = house.open();
    answered(&tell(&node, house.deliver(&question, &alice())));
    let before = entries(&node);
    drop(node);
    let in_folder = |name: &str| house.folder.path().join(name);
    fs::write(in_folder("policy.toml"), &house.policy).unwrap();
    fs::write(in_folder("book.toml"), BOOK).unwrap();
    crate::testing::node_key()
        .save(&house.state().join("node.key"))
        .unwrap();
    assert!(command(&house, "history"));
    assert!(command(
        &house,
        &format!("history|why|{}", question.question_id)
    ));
    assert!(!command(
        &house,
        "history|why|00000000-0000-7000-8000-000000000000"
    ));
    let file = in_folder("past").display().to_string();
    assert!(command(&house, &format!("history|export|{file}")));
    assert!(command(&house, &format!("history|import|{file}")));

    let book = in_folder("book.toml").display().to_string();
    let erase = |key: &str| command(&house, &format!("erase|{key}|--codebook|{book}"));
    assert!(!erase("not a number"));
    assert!(erase("17"));
    assert!(erase("4711"), "nobody is as good as forgotten");
    let ledger = fs::read_to_string(house.state().join(crate::ledger::LEDGER_FILE)).unwrap();
    let erased: Vec<_> = ledger
        .lines()
        .filter(|line| line.contains("\"erased\""))
        .collect();
    assert_eq!(erased.len(), 2);
    assert!(erased[0].contains("\"known\":true") && erased[1].contains("\"known\":false"));
    // Digests may hold the digits of a key by chance; no word or number is one.
    let is_key = |word: &str| word == "4711";
    let mut words = erased
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()));
    assert!(!words.any(is_key));
    let node = house.open();
    assert!(entries(&node) == before, "the bit stays");
    let persons = "SELECT count(*) FROM person";
    let left = |store: &mut crate::store::Store| {
        store
            .connection
            .query_row(persons, [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(node.with_store(left).unwrap(), 99);
}

#[test]
fn public_zeros_do_not_list_the_groups_of_open_domains() {
    let book = BOOK.replace("round_base = 5\n", "round_base = 5\nzeros_public = true\n");
    let people: String = (0..100)
        .map(|i| {
            format!(
                "{i},{},{}\n",
                i32::from(i >= 60),
                ["a", "b"][usize::from(i >= 97)]
            )
        })
        .collect();
    let files = [("people.csv", &*format!("id,sex,town\n{people}"))];
    let house = House::new(&book, SOURCE, false, &files);
    let node = house.open();
    let rows = |sql: &str| house.ask(&node, sql).tables.remove(0).rows;
    let towns = rows("SELECT town, count(*) FROM person GROUP BY town");
    assert_eq!(towns.len(), 1, "three persons in town b stay unknown");
    let none = rows("SELECT town, count(*) FROM person WHERE sex = 0 AND town = 'b' GROUP BY town");
    assert!(none.is_empty(), "nor is it said that nobody is there");
    let zero = rows("SELECT count(*) FROM person WHERE town = 'nowhere'");
    let parts = zero[0].cells[0].parts().unwrap();
    assert_eq!(
        parts[0].mantissa(),
        0,
        "a zero that was asked for is public"
    );
}

/// A column that was derived for something that left is known after a restart, to every question.
#[test]
fn derived_columns_are_kept_with_what_left() {
    let house = house();
    let node = house.open();
    let known = |node: &Node| {
        let plain = quorate_query::sql::read(SQL, &Default::default(), &house.codebook).unwrap();
        node.books.with(&house.codebook, &plain).derived.len()
    };
    let of = |town: &str| {
        format!(
            "WITH s AS (SELECT id, CASE WHEN town = '{town}' THEN 1 ELSE 0 END AS x FROM person) SELECT x, count(*) FROM s GROUP BY x"
        )
    };
    assert_eq!(known(&node), 0);
    // A trial and a refusal leave nothing.
    let _ = trial(&house, &node, &of("a"));
    assert_eq!(known(&node), 0);
    house.ask(&node, &of("a"));
    assert_eq!(known(&node), 1);
    drop(node);
    let node = house.open();
    assert_eq!(known(&node), 1);
    house.ask(&node, &of("b"));
    house.ask(&node, &of("b"));
    assert_eq!(known(&node), 2);
    let derived = |record: &Record| matches!(record, Record::Derived(..));
    assert_eq!(
        kept(&node).into_iter().filter(derived).count(),
        2,
        "each once"
    );
}

/// A cohort that was approved once lets questions of the named kinds run, of its persons and of what it
/// says of them; anything else is refused as ever.
#[test]
fn an_approved_cohort_lets_its_kinds_of_question_run() {
    let mut house = house();
    house.policy = house
        .policy
        .replace("approval = \"auto\"", "approval = \"listed\"");
    let node = house.open();
    let cohort = |town: &str| Cohort {
        sql: format!("SELECT id, sex, town FROM person WHERE town = '{town}'"),
        complete: Vec::new(),
    };
    let of = |cohort: Cohort, request: Request| {
        let asked = house.question_of(Request::Of(cohort, Box::new(request)));
        tell(&node, house.deliver(&asked, &alice()))
    };
    let code = |message: &quorate_identity::Signed| match message.kind == "refusal" {
        true => refused(message).code,
        false => String::new(),
    };
    let by_sex = || Request::from("SELECT sex, count(*) FROM cohort GROUP BY sex");
    assert_eq!(code(&of(cohort("a"), by_sex())), "G505");
    let home = Home::open(&house.state()).unwrap();
    let digest = cohort("a").digest();
    let kinds = |all: &[&str]| all.iter().map(|&kind| kind.to_owned()).collect();
    home.approve_cohort("heart-1", &digest, kinds(&["crosstab"]))
        .unwrap();
    assert_eq!(code(&of(cohort("a"), by_sex())), "G505", "another kind");
    home.approve_cohort("heart-1", &digest, kinds(&["query"]))
        .unwrap();
    assert_eq!(code(&of(cohort("a"), by_sex())), "");
    assert_eq!(code(&of(cohort("b"), by_sex())), "G505", "other persons");
    let wider = "SELECT count(*) FROM person WHERE id NOT IN (SELECT id FROM cohort)";
    assert_eq!(code(&of(cohort("a"), wider.into())), "G505", "not of it");
    let plain = house.question("SELECT count(*) FROM person WHERE town = 'a'");
    let plain = tell(&node, house.deliver(&plain, &alice()));
    assert_eq!(code(&plain), "G505", "without the cohort");
    // A question for review is approved exactly, whatever it is asked of.
    let review = Request::Reviewed(Box::new(Request::Of(cohort("a"), Box::new(by_sex()))));
    let review = house.question_of(review);
    assert_eq!(code(&tell(&node, house.deliver(&review, &alice()))), "G504");
}
