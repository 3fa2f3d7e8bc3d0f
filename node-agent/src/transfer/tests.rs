//! A backup is put back: the node notices, answers nothing, catches up from an export, and says
//! what it would have said without the accident.

use std::fs;
use std::path::Path;

use super::*;
use crate::ledger::{self, Event, Head, Interrupted};
use crate::node::Node;
use crate::testing::{House, alice, answered, node_key, refused, tell};

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
town = { type = "text", role = ["filter", "group"] }
"#;

const SOURCE: &str = "[source.person]\nkind = \"csv\"\npath = \"people.csv\"\n";

fn house() -> House {
    let row = |i: i32| format!("{i},{}\n", if i % 3 == 0 { "a" } else { "b" });
    let people = format!("id,town\n{}", (0..90).map(row).collect::<String>());
    House::new(BOOK, SOURCE, false, &[("people.csv", &people)])
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.path().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

fn put_back(house: &House, backup: &Path) {
    copy(backup, &house.state());
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(house.state(), fs::Permissions::from_mode(0o700)).unwrap();
}

fn code(house: &House, node: &Node) -> String {
    let question = house.question("SELECT count(*) FROM person");
    refused(&tell(node, house.deliver(&question, &alice()))).code
}

const TOWNS: &str = "SELECT town, count(*) FROM person GROUP BY town";

#[test]
fn a_restored_node_catches_up_before_it_answers() {
    let house = house();
    let backup = house.folder.path().join("backup");
    house.ask(&house.open(), "SELECT count(*) FROM person");
    copy(&house.state(), &backup);
    let node = house.open();
    let question = house.question(TOWNS);
    let said = tell(&node, house.deliver(&question, &alice()));
    let head = node.ledger_head();
    let records = node.with_store(|store| store.records()).unwrap();
    let file = export(&house.state()).unwrap();
    drop(node);

    put_back(&house, &backup);
    let node = house.open();
    assert!(node.behind().is_none(), "it cannot know yet");
    assert!(node.witnessed(&head).unwrap());
    assert_eq!(code(&house, &node), "G507");
    assert_eq!(
        ledger::verify(&house.state(), None, None).unwrap().head.seq,
        4,
        "not a word"
    );
    drop(node);
    let node = house.open();
    assert_eq!(code(&house, &node), "G507", "also after a restart");
    assert!(
        matches!(
            import(&house.state(), node_key().key_id(), &file),
            Err(TransferError::Ledger(AdoptError::Ledger(_)))
        ),
        "not while it runs"
    );
    drop(node);

    let done = import(&house.state(), node_key().key_id(), &file).unwrap();
    assert_eq!(done.ledger, Adopted::Continued(head.clone()));
    let again = import(&house.state(), node_key().key_id(), &file).unwrap();
    assert_eq!(
        again,
        Imported {
            records: 0,
            ledger: Adopted::Nothing(head.clone())
        }
    );
    let node = house.open();
    assert_eq!((node.behind(), node.ledger_head()), (None, head));
    assert_eq!(node.with_store(|store| store.records()).unwrap(), records);
    assert_eq!(
        tell(&node, house.deliver(&question, &alice())),
        said,
        "the same bytes"
    );
    let next = house.ask(&node, TOWNS);
    assert_eq!(next.tables, answered(&said).tables);
}

#[test]
fn what_was_noted_before_the_accident_was_known_is_set_aside() {
    let house = house();
    let backup = house.folder.path().join("backup");
    house.ask(&house.open(), "SELECT count(*) FROM person");
    copy(&house.state(), &backup);
    house.ask(&house.open(), TOWNS);
    let file = export(&house.state()).unwrap();
    put_back(&house, &backup);
    let node = house.open();
    let event = Event::Interrupted(Interrupted {
        opened: 2,
        question: "q".into(),
    });
    node.with_ledger(|ledger| ledger.append(event, &node.key, 1))
        .unwrap();
    drop(node);
    let done = import(&house.state(), node_key().key_id(), &file).unwrap();
    assert_eq!(
        done.ledger,
        Adopted::Continued(Head {
            seq: 7,
            ..ledger::verify(&house.state(), None, None).unwrap().head
        })
    );
    assert!(house.state().join("ledger.set-aside").exists());
}

#[test]
fn two_pasts_are_not_mixed() {
    let house = house();
    let backup = house.folder.path().join("backup");
    house.ask(&house.open(), "SELECT count(*) FROM person");
    copy(&house.state(), &backup);
    house.ask(&house.open(), TOWNS);
    let file = export(&house.state()).unwrap();
    put_back(&house, &backup);
    house.ask(
        &house.open(),
        "SELECT count(*) FROM person WHERE town = 'b'",
    );
    let before = ledger::verify(&house.state(), None, None).unwrap();
    let error = import(&house.state(), node_key().key_id(), &file)
        .err()
        .unwrap();
    assert!(matches!(error, TransferError::Fork(..)), "{error}");
    assert_eq!(ledger::verify(&house.state(), None, None).unwrap(), before);
}

#[test]
fn an_old_store_beside_a_newer_ledger_is_noticed_at_the_start() {
    let house = house();
    house.ask(&house.open(), "SELECT count(*) FROM person");
    let old = fs::read(house.state().join(crate::store::STORE_FILE)).unwrap();
    house.ask(&house.open(), TOWNS);
    let file = export(&house.state()).unwrap();
    for name in ["releases.sqlite-wal", "releases.sqlite-shm"] {
        let _ = fs::remove_file(house.state().join(name));
    }
    fs::write(house.state().join(crate::store::STORE_FILE), old).unwrap();
    let node = house.open();
    assert!(node.behind().unwrap().contains("the ledger tells of"));
    assert_eq!(code(&house, &node), "G507");
    drop(node);
    import(&house.state(), node_key().key_id(), &file).unwrap();
    assert_eq!(house.open().behind(), None);
}

#[test]
fn an_old_ledger_beside_a_newer_store_is_noticed_at_the_start() {
    let house = house();
    house.ask(&house.open(), "SELECT count(*) FROM person");
    let names = [ledger::LEDGER_FILE, ledger::HEAD_FILE];
    let old = names.map(|name| fs::read(house.state().join(name)).unwrap());
    house.ask(&house.open(), TOWNS);
    for (name, bytes) in names.iter().zip(old) {
        fs::write(house.state().join(name), bytes).unwrap();
    }
    let node = house.open();
    assert!(
        node.behind()
            .unwrap()
            .contains("a signed answer names record 5")
    );
    assert_eq!(code(&house, &node), "G507");
}

#[test]
fn only_our_own_files_are_taken() {
    let house = house();
    house.ask(&house.open(), TOWNS);
    let file = export(&house.state()).unwrap();
    assert!(!file.windows(4).any(|w| w == b"seq\""), "sealed");
    let key = node_key();
    for at in [0, MAGIC.len(), file.len() / 2, file.len() - 1] {
        let mut altered = file.clone();
        altered[at] ^= 1;
        assert!(
            import(&house.state(), key.key_id(), &altered).is_err(),
            "byte {at}"
        );
    }
    assert!(import(&house.state(), key.key_id(), &file[..file.len() / 2]).is_err());
    let stranger = crate::testing::alice();
    assert!(
        import(&house.state(), stranger.key_id(), &file).is_err(),
        "another node's"
    );
}
