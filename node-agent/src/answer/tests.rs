//! The story with a whole node: what is answered, what is refused, and that nothing is lost,
//! answered twice, or kept that must not be kept.

use std::fs;

use quorate_identity::roster::{Change, STAMP_LIFE, cosign, unsigned};
use quorate_identity::{Name, Role};
use quorate_query::answer::{Cell, Mode};
use quorate_query::number::Number;
use quorate_query::value::Scalar;
use quorate_wire::QuestionPayload;

use super::note;
use crate::engine::Fault;
use crate::ledger;
use crate::record;
use crate::refusal::{Coded, Refusal};
use crate::sign::sign;
use crate::testing::{House, NOW, alice, answered, bob, hear, key, node_key, refused, tell};
use crate::trial::{Trial, try_alone};
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
age = { type = "int", role = ["filter", "group", "value"], bounds = [0, 120], bands = [10], cuts = [41] }
"#;

const SOURCE: &str = "[source.person]\nkind = \"csv\"\npath = \"people.csv\"\n";

/// 100 persons: sex 0 for the first 95, town "a" for 60, "b" for 36, "c" for 4.
fn people() -> String {
    let row = |i: i32| {
        let town = if i < 60 {
            "a"
        } else if i < 96 {
            "b"
        } else {
            "c"
        };
        format!("{i},{},{town},{}\n", i32::from(i >= 95), 20 + i % 50)
    };
    format!("id,sex,town,age\n{}", (0..100).map(row).collect::<String>())
}

fn house() -> House {
    House::new(BOOK, SOURCE, false, &[("people.csv", &people())])
}

fn value(cell: &Cell) -> Option<Vec<i128>> {
    let parts = cell.parts()?;
    Some(parts.iter().map(Number::mantissa).collect())
}

fn whole(n: i128) -> Number {
    Number::new(n, 0)
}

#[test]
fn a_question_is_answered_protected_signed_and_recorded() {
    let house = house();
    let node = house.open();
    let answer = house.ask(&node, "SELECT sex, count(*) FROM person GROUP BY sex");
    assert_eq!(answer.node, "cleveland");
    assert_eq!(answer.protection.mode, Mode::Round);
    let rows: Vec<_> = answer.tables[0]
        .rows
        .iter()
        .map(|r| (&r.key[0], r.cells[0].clone()))
        .collect();
    let (female, male) = (Scalar::Number(whole(0)), Scalar::Number(whole(1)));
    assert_eq!(
        rows,
        vec![
            (&female, Cell::Value(vec![whole(95)])),
            (&male, Cell::Suppressed)
        ],
        "a closed domain lists every cell; five persons are withheld"
    );
    let sound = ledger::verify(&house.state(), Some(node_key().key_id()), None).unwrap();
    assert_eq!(sound.head.seq, 4, "begin, open, decided, close");
    assert!(sound.open.is_empty());
    assert_eq!(answer.ledger.seq, 2);
    assert_eq!(node.unacknowledged().unwrap().len(), 1);
}

#[test]
fn open_domains_list_only_what_is_shown() {
    let house = house();
    let answer = house.ask(
        &house.open(),
        "SELECT town, count(*) FROM person GROUP BY town",
    );
    let towns: Vec<_> = answer.tables[0]
        .rows
        .iter()
        .map(|r| r.key[0].to_string())
        .collect();
    assert_eq!(towns, vec!["a", "b"]);
    assert_eq!(
        value(&answer.tables[0].rows[1].cells[0]),
        Some(vec![35_i128])
    );
}

#[test]
fn a_known_id_gets_its_stored_bytes_also_after_a_restart() {
    let house = house();
    let question = house.question("SELECT count(*) FROM person");
    let node = house.open();
    let first = tell(&node, house.deliver(&question, &alice()));
    assert_eq!(tell(&node, house.deliver(&question, &alice())), first);
    drop(node);
    let node = house.open();
    assert_eq!(tell(&node, house.deliver(&question, &alice())), first);
    let other = QuestionPayload {
        purpose: "another".into(),
        ..question
    };
    let replay = tell(&node, house.deliver(&other, &alice()));
    assert_eq!(refused(&replay).code, "A403");
    assert_eq!(
        ledger::verify(&house.state(), None, None).unwrap().head.seq,
        4
    );
    assert_eq!(node.turned_away(), 1);
}

#[test]
fn a_repeated_cell_gets_its_stored_value() {
    let house = house();
    let node = house.open();
    let by_sex = house.ask(&node, "SELECT sex, count(*) FROM person GROUP BY sex");
    let history = node.with_store(|store| store.history("people", 9)).unwrap();
    assert_eq!(history.iter().map(|line| line.cells).sum::<u64>(), 1);
    let females = house.ask(&node, "SELECT count(*) FROM person WHERE sex = 0");
    assert_eq!(
        females.tables[0].rows[0].cells,
        by_sex.tables[0].rows[0].cells
    );
    let after = node.with_store(|store| store.history("people", 9)).unwrap();
    assert_eq!(after, history, "the same cell is the same release");
}

fn code(house: &House, change: impl FnOnce(&mut QuestionPayload)) -> String {
    let mut question = house.question("SELECT count(*) FROM person");
    change(&mut question);
    refused(&tell(&house.open(), house.deliver(&question, &alice()))).code
}

#[test]
fn what_is_not_believed_is_refused_and_not_recorded() {
    let house = house();
    assert_eq!(code(&house, |q| q.network = "other".into()), "A405");
    assert_eq!(code(&house, |q| q.researcher = "bob".into()), "A401");
    assert_eq!(
        code(&house, |q| q.nodes = ["hungary".into()].into()),
        "A405"
    );
    assert_eq!(code(&house, |q| q.expires = NOW - 1), "A402");
    assert_eq!(code(&house, |q| q.not_before = NOW + 60), "A407");
    assert_eq!(
        code(&house, |q| q.must_understand = ["magic".into()].into()),
        "A409"
    );
    let unknown = format!("sha256:{}", "0".repeat(64));
    assert_eq!(code(&house, |q| q.roster_head = unknown.clone()), "A404");
    let mut altered = house.deliver(&house.question("SELECT count(*) FROM person"), &alice());
    let bytes = &mut altered.question.payload;
    let at = bytes.windows(5).position(|w| w == b"count").unwrap();
    bytes[at] = b'C';
    assert_eq!(refused(&tell(&house.open(), altered)).code, "A406");
    assert_eq!(
        ledger::verify(&house.state(), None, None).unwrap().head.seq,
        1
    );
}

#[test]
fn a_roster_that_nobody_confirms_answers_nothing() {
    let mut house = house();
    let (custodian, other) = (key(1), key(5));
    let change = Change::Add {
        role: Role::Node,
        name: Name::parse("hungary").unwrap(),
        key: other.key_id().clone(),
        until: NOW + 90 * 86_400,
    };
    let mut entry = unsigned(house.roster.propose(change, NOW - 800));
    cosign(&custodian, &mut entry);
    house.roster.append(&entry).unwrap();

    let node = house.open();
    let late = house.roster.last_at() + STAMP_LIFE + 1;
    let mut question = house.question("SELECT count(*) FROM person");
    (question.not_before, question.expires) = (late - 60, late + 60);
    let delivery = house.deliver(&question, &alice());
    let refused = verify(&node, &delivery, late).err().unwrap();
    assert_eq!(refused.code().0, "A412");
    node.note_stamp(late);
    assert!(matches!(verify(&node, &delivery, late), Ok(Heard::New(_))));
}

#[test]
fn what_the_policy_does_not_allow_is_refused_and_recorded() {
    let mut house = house();
    let stranger = QuestionPayload {
        researcher: "bob".into(),
        ..house.question("SELECT count(*) FROM person")
    };
    let refusal = refused(&tell(&house.open(), house.deliver(&stranger, &bob())));
    assert_eq!(refusal.code, "G502");
    assert!(refusal.ledger.is_some() && refusal.ticket.is_empty());
    assert_eq!(code(&house, |q| q.project = "other".into()), "G501");
    assert_eq!(
        code(&house, |q| q.codebook =
            format!("sha256:{}", "0".repeat(64))),
        "C601"
    );
    assert_eq!(code(&house, |q| q.canonical_digest = [1; 32]), "A408");
    assert_eq!(
        code(&house, |q| q.request = "SELECT town FROM person".into()).get(..1),
        Some("V")
    );
    fs::write(house.state().join("paused"), "").unwrap();
    assert_eq!(code(&house, |_| ()), "G506");
    fs::remove_file(house.state().join("paused")).unwrap();
    fs::write(
        house.folder.path().join("people.csv"),
        "id,sex,town,age\n1,0,a,old\n",
    )
    .unwrap();
    assert_eq!(code(&house, |_| ()), "C604");
    house.policy = house
        .policy
        .replace("\"auto\"", "\"listed\"\napproved = []");
    assert_eq!(code(&house, |_| ()), "G505");
    let ledger = fs::read_to_string(house.state().join(ledger::LEDGER_FILE)).unwrap();
    let hash = quorate_identity::digest_text(
        &house
            .question("SELECT count(*) FROM person")
            .canonical_digest,
    );
    let last = ledger.lines().last().unwrap();
    assert!(
        last.contains("G505") && last.contains(&hash),
        "the custodian can look it up"
    );
    let reasons = fs::read_to_string(house.state().join(crate::node::FAULT_FILE)).unwrap();
    assert!(reasons.contains("G505") && reasons.contains("C604: source.person"));
    let home = crate::home::Home::open(&house.state()).unwrap();
    let digest = house
        .question("SELECT count(*) FROM person")
        .canonical_digest;
    home.approve("heart-1", &quorate_identity::digest_text(&digest))
        .unwrap();
    assert_eq!(
        code(&house, |_| ()),
        "C604",
        "approved by the custodian; the source is still bad"
    );
    home.approve("other", &quorate_identity::digest_text(&[7; 32]))
        .unwrap();
    house.policy = house.policy.replace("2030-12-31", "2020-12-31");
    assert_eq!(code(&house, |_| ()), "G501");
    let sound = ledger::verify(&house.state(), None, None).unwrap();
    let (questions, changes_of_policy) = (10, 2);
    let records = 1 + 2 * questions + changes_of_policy;
    assert_eq!((sound.head.seq, sound.open.len()), (records, 0));
}

#[test]
fn a_crash_between_store_and_ledger_is_closed_at_the_next_start() {
    let house = house();
    let node = house.open();
    let question = house.question("SELECT count(*) FROM person");
    let message = tell(&node, house.deliver(&question, &alice()));
    // as if the process had died after the store's transaction, before the ledger's record
    node.with_store(|store| store.connection.execute("UPDATE message SET state = 0", []))
        .unwrap();
    drop(node);
    cut_last_record(&house);
    let node = house.open();
    let sound = ledger::verify(&house.state(), None, None).unwrap();
    assert_eq!((sound.head.seq, sound.open.len()), (4, 0));
    assert_eq!(node.unacknowledged().unwrap(), vec![message.clone()]);
    assert_eq!(tell(&node, house.deliver(&question, &alice())), message);
}

#[test]
fn a_crash_in_the_middle_is_recorded_and_the_question_starts_anew() {
    let house = house();
    let node = house.open();
    let question = house.question("SELECT count(*) FROM person");
    let first = answered(&tell(&node, house.deliver(&question, &alice())));
    node.with_store(|store| store.connection.execute("DELETE FROM message", []))
        .unwrap();
    drop(node);
    cut_last_record(&house);
    let node = house.open();
    assert_eq!(
        node.ledger_head().seq,
        4,
        "begin, open, decided, interrupted"
    );
    let again = answered(&tell(&node, house.deliver(&question, &alice())));
    assert_eq!(again.tables[0], first.tables[0]);
    assert_eq!(again.ledger.seq, 5);
}

/// Takes the last record off the ledger, together with its head.
fn cut_last_record(house: &House) {
    let path = house.state().join(ledger::LEDGER_FILE);
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&path, kept[..kept.len() - 1].concat()).unwrap();
    let hash = kept[kept.len() - 2].split('\t').nth(1).unwrap();
    let head = format!("{{\"seq\":{},\"hash\":\"{hash}\"}}", kept.len() - 1);
    fs::write(house.state().join(ledger::HEAD_FILE), head).unwrap();
}

#[test]
fn without_a_ledger_nothing_is_answered() {
    let house = house();
    let node = crate::node::Node::open_for_trial(house.opening()).unwrap();
    let question = house.question("SELECT count(*) FROM person");
    let refusal = refused(&tell(&node, house.deliver(&question, &alice())));
    assert_eq!(refusal.code, "E901");
    assert!(refusal.ledger.is_none());
    assert!(node.unacknowledged().unwrap().is_empty());
    let answer = tell(&house.open(), house.deliver(&question, &alice()));
    assert_eq!(answer.kind, "answer", "the id was not used up");
}

#[test]
fn a_full_ledger_lets_nothing_leave_and_loses_nothing() {
    let house = house();
    let node = house.open();
    let question = house.question("SELECT count(*) FROM person");
    let deliver = || tell(&node, house.deliver(&question, &alice()));
    let fill = |left| {
        node.with_ledger(|ledger| {
            ledger.fill_disk(left);
            Ok(())
        })
        .unwrap();
    };
    fill(100);
    assert_eq!(refused(&deliver()).code, "E901", "no entry, no run");
    assert!(
        node.with_store(|store| store.prepared())
            .unwrap()
            .is_empty()
    );
    fill(1800);
    let unsaid = || hear(&node, house.deliver(&question, &alice()));
    assert!(unsaid().is_none(), "opened, but not closed");
    assert!(unsaid().is_none(), "not another word before it is recorded");
    let prepared = node.with_store(|store| store.prepared()).unwrap();
    assert_eq!(prepared.len(), 1, "the release counts");
    assert!(
        node.unacknowledged().unwrap().is_empty(),
        "and has not left"
    );
    fill(1_000_000);
    assert_eq!(deliver(), prepared[0].signed);
    assert_eq!(node.unacknowledged().unwrap().len(), 1);
}

#[test]
fn a_full_store_lets_nothing_leave_and_loses_nothing() {
    let house = house();
    let node = house.open();
    let pages = |most: i64| {
        let set = |store: &mut crate::store::Store| {
            store.connection.pragma_update(None, "max_page_count", most)
        };
        node.with_store(set).unwrap();
    };
    let sql = "SELECT town, count(*) FROM person GROUP BY town";
    let ask = || hear(&node, house.deliver(&house.question(sql), &alice()));
    pages(1);
    let mut said = 0;
    while ask().is_some() {
        said += 1;
        assert!(said < 200, "the store is full at last");
    }
    assert!(
        ask().is_none(),
        "what was opened and cannot be kept is not spoken of"
    );
    assert_eq!(node.unacknowledged().unwrap().len(), said);
    pages(1_000_000);
    assert_eq!(ask().unwrap().kind, "answer");
}

#[test]
fn a_fault_of_ours_is_a_ticket_outside_and_a_reason_inside() {
    let house = house();
    let node = house.open();
    let delivery = house.deliver(&house.question("SELECT count(*) FROM person"), &alice());
    let Ok(Heard::New(verified)) = verify(&node, &delivery, NOW) else {
        panic!("not new")
    };
    let recorded = record::open(&node, *verified, NOW).unwrap();
    let refusal = Refusal::from(Fault::Internal(
        "cannot cast 'Jane Roe' to Int64".to_owned(),
    ));
    note(&node, &recorded, &refusal, NOW);
    let signed = sign(&node, &recorded, Err(refusal), Default::default(), NOW).unwrap();
    let message = record::close(&node, &recorded, signed, NOW).unwrap();
    let refusal = refused(&message);
    assert_eq!(
        (refusal.code.as_str(), refusal.ticket.as_str()),
        ("E900", "cleveland-2")
    );
    let kept = fs::read_to_string(house.state().join(crate::node::FAULT_FILE)).unwrap();
    assert!(kept.contains("cleveland-2") && kept.contains("Jane Roe"));
    let ledger = fs::read_to_string(house.state().join(ledger::LEDGER_FILE)).unwrap();
    assert!(
        !ledger.contains("Jane") && !String::from_utf8_lossy(&message.payload).contains("Jane")
    );
}

#[test]
fn no_literal_text_or_value_is_kept_in_the_state_folder() {
    let house = house();
    let node = house.open();
    house.ask(
        &node,
        "SELECT count(*) FROM person WHERE town <> 'canarytown' AND age < 41",
    );
    let sql = "SELECT count(*) FROM person WHERE canarycolumn = 471147114711";
    let refusal = refused(&tell(&node, house.deliver(&house.question(sql), &alice())));
    assert!(refusal.code.starts_with('V'));
    drop(node);
    for entry in fs::read_dir(house.state()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with(crate::store::STORE_FILE) {
            let bytes = fs::read(&path).unwrap();
            let found = |what: &[u8]| bytes.windows(what.len()).any(|w| w == what);
            assert!(
                !found(b"canary") && !found(b"SELECT") && !found(b"471147114711"),
                "{path:?}"
            );
        }
    }
}

#[test]
fn a_trial_shows_what_would_leave_and_changes_nothing() {
    let house = house();
    drop(house.open());
    let before = fs::read(house.state().join(ledger::LEDGER_FILE)).unwrap();
    let node = crate::node::Node::open_for_trial(house.opening()).unwrap();
    let trial = |sql: &str| Trial {
        request: sql.into(),
        params: Default::default(),
        codebook: house.codebook.digest.clone(),
        project: None,
    };
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sql = "SELECT sex, count(*) FROM person GROUP BY sex";
    let report = waiting.block_on(try_alone(&node, trial(sql), NOW));
    let Ok(shown) = report.outcome else {
        panic!("refused")
    };
    let text = shown.render();
    assert!(
        text.contains("95") && text.contains("R1: 5 persons, the threshold is 8"),
        "{text}"
    );
    assert_eq!(
        fs::read(house.state().join(ledger::LEDGER_FILE)).unwrap(),
        before
    );
    let answer = house.ask(&house.open(), sql);
    assert_eq!(answer.tables[0], shown.tables[0].table);
    let refused = waiting.block_on(try_alone(&node, trial("SELECT id FROM person"), NOW));
    assert!(
        refused
            .outcome
            .is_err_and(|refusal| refusal.code().0.starts_with('V'))
    );
}

#[test]
fn changed_data_are_a_new_epoch() {
    let house = house();
    let node = house.open();
    let sql = "SELECT count(*) FROM person WHERE town = 'a'";
    let first = house.ask(&node, sql);
    let more = people()
        + &(100..120)
            .map(|i| format!("{i},0,a,33\n"))
            .collect::<String>();
    fs::write(house.folder.path().join("people.csv"), more).unwrap();
    let second = house.ask(&node, sql);
    assert_ne!(first.epoch, second.epoch);
    assert_eq!(value(&first.tables[0].rows[0].cells[0]), Some(vec![6]));
    assert_eq!(
        second.tables[0].rows[0].cells[0],
        Cell::Value(vec![whole(80)])
    );
}

#[test]
fn synthetic_populations_answer_exactly() {
    let house = House::new(BOOK, SOURCE, true, &[("people.csv", &people())]);
    let answer = house.ask(
        &house.open(),
        "SELECT sex, count(*), avg(age) FROM person GROUP BY sex",
    );
    assert_eq!(answer.protection.mode, Mode::None);
    assert_eq!(answer.notes[0].code, "UNPROTECTED");
    let cells: Vec<_> = answer.tables[0]
        .rows
        .iter()
        .map(|r| r.cells.clone())
        .collect();
    let (mut sum, mut squares) = ([0, 0], [0, 0]);
    for i in 0_i128..100 {
        let (sex, age) = (usize::from(i >= 95), 20 + i % 50);
        sum[sex] += age;
        squares[sex] += age * age;
    }
    for (sex, n) in [95, 5].into_iter().enumerate() {
        let moments = [n, n, sum[sex], squares[sex]].map(whole).to_vec();
        assert_eq!(
            cells[sex],
            vec![Cell::Value(vec![whole(n)]), Cell::Value(moments)]
        );
    }
}
