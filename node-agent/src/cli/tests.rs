//! The commands, as a custodian types them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use quorate_identity::roster::{Founder, genesis, parse_log, unsigned, write_log};
use quorate_identity::{Name, SigningKey};

use super::*;

fn node(dir: &Path, line: &str) -> u8 {
    let words = line
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(OsString::from);
    let place = ["--dir".into(), dir.as_os_str().to_owned()];
    let args = std::iter::once("quorate-node".into())
        .chain(words)
        .chain(place);
    let code = format!("{:?}", run(args));
    // An exit code can only be looked at through its Debug text.
    code.chars()
        .filter(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap()
}

fn custodian(dir: &Path) -> SigningKey {
    SigningKey::load(&dir.join("state/custodian.key")).unwrap()
}

fn write_policy(dir: &Path, rest: &str) {
    let text = format!(
        "[node]\nformat = 1\nname = 'alpha'\ncoordinator = 'https://127.0.0.1:9'\ngenesis = ['{}']\ncodebooks = []\n[population]\nname = 'p'\n{rest}",
        custodian(dir).key_id()
    );
    fs::write(dir.join("policy.toml"), text).unwrap();
}

#[test]
fn keys_are_made_once_and_are_private() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(node(dir.path(), "init --name alpha --json"), 0);
    let first = custodian(dir.path()).key_id().clone();
    assert_eq!(node(dir.path(), "init"), 0);
    assert_eq!(*custodian(dir.path()).key_id(), first);
    for file in ["custodian.key", "node.key", "domain.key", "store.key"] {
        let mode = fs::metadata(dir.path().join("state").join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mode = fs::metadata(dir.path().join("state"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let other = tempfile::tempdir().unwrap();
    assert_eq!(node(other.path(), "init --no-custodian-key"), 0);
    assert!(!other.path().join("state/custodian.key").exists());
}

#[test]
fn a_custodian_signs_what_it_has_seen_and_accepts_what_verifies() {
    let dir = tempfile::tempdir().unwrap();
    node(dir.path(), "init");
    let key = custodian(dir.path());
    let founder = Founder {
        name: Name::parse("carol").unwrap(),
        key: key.key_id().clone(),
        until: 4_000_000_000,
    };
    let proposal = dir.path().join("genesis.jsonl");
    let network = Name::parse("test").unwrap();
    let entry = unsigned(genesis(&network, vec![founder], 1_700_000_000));
    fs::write(&proposal, write_log(&[entry])).unwrap();
    let file = proposal.display();
    write_policy(dir.path(), "");
    assert_eq!(
        node(dir.path(), &format!("roster accept {file}")),
        1,
        "nobody signed"
    );
    assert_eq!(node(dir.path(), &format!("roster show {file}")), 0);
    assert_eq!(node(dir.path(), &format!("roster sign {file}")), 0);
    assert_eq!(node(dir.path(), &format!("roster sign {file}")), 0);
    let signed = parse_log(&fs::read_to_string(&proposal).unwrap()).unwrap();
    assert_eq!(signed[0].signatures.len(), 1, "signed once");
    assert_eq!(node(dir.path(), &format!("roster accept {file}")), 0);
    assert_eq!(node(dir.path(), "roster show"), 0);

    let future = unsigned(genesis(&network, Vec::new(), 4_000_000_000));
    fs::write(&proposal, write_log(&[future])).unwrap();
    assert_eq!(
        node(dir.path(), &format!("roster sign {file}")),
        1,
        "dated in the future"
    );
}

#[test]
fn pausing_and_approving_survive_in_the_state_folder() {
    let dir = tempfile::tempdir().unwrap();
    node(dir.path(), "init");
    write_policy(
        dir.path(),
        "[[project]]\nid = 'heart-1'\nuntil = 2030-01-01\ntables = []\nmembers = []\napproval = 'listed'",
    );
    let home = Home::open(&dir.path().join("state")).unwrap();
    assert_eq!(node(dir.path(), "pause --reason moving"), 0);
    assert_eq!(home.paused().as_deref(), Some("moving"));
    assert_eq!(node(dir.path(), "resume"), 0);
    assert_eq!(home.paused(), None);

    let hash = format!("sha256:{}", "0a".repeat(32));
    assert_eq!(
        node(dir.path(), &format!("approve {hash} --project heart-1")),
        0
    );
    assert!(home.approved().unwrap()["heart-1"].contains(&hash));
    assert_eq!(
        node(dir.path(), &format!("approve {hash} --project other")),
        1
    );
    assert_eq!(node(dir.path(), "approve nonsense --project heart-1"), 1);

    let cohort = format!("approve --cohort {hash} --project heart-1");
    assert_eq!(node(dir.path(), &cohort), 64, "which kinds?");
    assert_eq!(node(dir.path(), &format!("{cohort} --kinds poetry")), 1);
    assert_eq!(node(dir.path(), &format!("{cohort} --kinds query,lm")), 0);
    let kinds = &home.approved_cohorts().unwrap()["heart-1"][&hash];
    assert!(kinds.contains("query") && kinds.contains("lm") && kinds.len() == 2);
}

#[test]
fn what_is_not_understood_is_64_and_mistakes_are_1() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(node(dir.path(), "dance"), 64);
    assert_eq!(node(dir.path(), "run --fast"), 64);
    assert_eq!(node(dir.path(), "--help"), 0);
    assert_eq!(node(dir.path(), "run"), 1, "no policy");
    node(dir.path(), "init");
    write_policy(
        dir.path(),
        "[limits]\ntime = 'long'\nmemory = 3\n[surprise]\n",
    );
    assert_eq!(node(dir.path(), "run"), 1);
    assert_eq!(node(dir.path(), "doctor"), 1);
    write_policy(dir.path(), "");
    assert_eq!(node(dir.path(), "run"), 1, "never enrolled");
    assert_eq!(node(dir.path(), "enrol qt1.nonsense"), 1);
    assert_eq!(node(dir.path(), "doctor --json"), 1);
    assert_eq!(
        node(dir.path(), "ledger verify"),
        0,
        "an empty ledger is sound"
    );
}

#[test]
fn data_check_reads_against_a_codebook_file() {
    let dir = tempfile::tempdir().unwrap();
    node(dir.path(), "init");
    fs::write(dir.path().join("p.csv"), "person_id,sex\n1,0\n2,1\n").unwrap();
    write_policy(dir.path(), "[source.person]\nkind = 'csv'\npath = 'p.csv'");
    let codebook = dir.path().join("codebook.toml");
    let text = "[codebook]\nformat = 1\nname = 'c'\nversion = 1\nunit = 'person.person_id'\n[table.person]\nrows = 'one-per-unit'\n[table.person.column]\nperson_id = { type = 'int', role = ['unit'] }\nsex = { type = 'int', role = ['group'], domain = { 0 = 'f', 1 = 'm' } }\n";
    fs::write(&codebook, text).unwrap();
    let line = format!("data check --codebook {}", codebook.display());
    assert_eq!(node(dir.path(), &line), 0);
    assert_eq!(node(dir.path(), &format!("{line} --json")), 0);
    fs::write(dir.path().join("p.csv"), "person_id,sex\n1,0\n1,1\n").unwrap();
    assert_eq!(node(dir.path(), &line), 1, "a person with two rows");
    assert_eq!(node(dir.path(), "data check"), 1, "no codebook yet");
    assert_eq!(node(dir.path(), "data accept"), 0);
}

#[test]
fn where_two_speak_for_the_custodian_two_resume() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(node(dir.path(), "init --name alpha"), 0);
    let mut entries = Vec::new();
    for (name, seed) in [("carla", 41), ("dana", 42), ("zoe", 43)] {
        let key = SigningKey::from_seed(&[seed; 32]).unwrap();
        key.save(&dir.path().join(format!("{name}.key"))).unwrap();
        entries.push(format!("{{ name = '{name}', key = '{}' }}", key.key_id()));
    }
    let speakers = format!(
        "[governance]\ncustodian = [{}, {}]\n",
        entries[0], entries[1]
    );
    write_policy(dir.path(), &speakers);
    let key = |name: &str| format!("--key {}", dir.path().join(format!("{name}.key")).display());
    let (carla, dana, zoe) = (key("carla"), key("dana"), key("zoe"));
    assert_eq!(node(dir.path(), "pause --reason fire"), 0, "one may always");
    assert_eq!(node(dir.path(), "resume"), 1);
    assert_eq!(node(dir.path(), &format!("resume {carla}")), 1);
    assert_eq!(node(dir.path(), &format!("resume {carla} {carla}")), 1);
    assert_eq!(node(dir.path(), &format!("resume {carla} {zoe}")), 1);
    assert!(dir.path().join("state/paused").exists());
    assert_eq!(node(dir.path(), &format!("resume {carla} {dana}")), 0);
    assert!(!dir.path().join("state/paused").exists());
}

#[test]
fn a_cause_that_was_told_is_not_told_again() {
    use anyhow::Context;
    let missing = SigningKey::load(Path::new("/nowhere/custodian.key"));
    let error = missing.context("the custodian's key").unwrap_err();
    let text = super::told(&error);
    assert!(
        text.starts_with("the custodian's key: /nowhere/custodian.key: "),
        "{text}"
    );
    assert_eq!(text.matches("No such file").count(), 1, "{text}");
    let two = anyhow::anyhow!("inner").context("outer");
    assert_eq!(super::told(&two), "outer: inner");
}
