//! Evidence on a real network: receipts believed without the network, single entries shown and
//! opened, and a ledger attacked in every way by somebody who owns the machine and has the key.

use std::fs;
use std::path::{Path, PathBuf};

use quorate_evidence::chain::Head;
use quorate_evidence::line::{self, Line};
use quorate_evidence::record::{Event, Record};
use quorate_identity::SigningKey;
use quorate_testnet::generate::model::HOSPITALS;
use quorate_testnet::generate::{self, tables, write};
use quorate_testnet::network::Network;
use serde_json::Value;

use crate::support;

const NODE: &str = "northfield";

fn network() -> Network {
    let data = support::scratch();
    for (place, hospital) in (0..).zip(&HOSPITALS) {
        let patients = generate::patients(1, place, hospital, 20);
        let folder = data.join(hospital.name);
        write::write(&tables::tables(&patients), &folder, write::Format::Csv).unwrap();
    }
    support::start("omop/spec.toml", &data)
}

/// Asks a question and saves the result.
fn save(network: &Network, folder: &Path, name: &str, sql: &str) -> (PathBuf, Value) {
    let path = folder.join(name);
    let args = ["query", sql, "--out"].map(std::ffi::OsString::from);
    let done = network.quorate("alice", args.into_iter().chain([path.clone().into()]));
    let done = done.unwrap();
    assert_eq!(done.code, Some(0), "{sql}\n{}{}", done.stdout, done.stderr);
    let value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    (path, value)
}

fn receipt(result: &Value) -> &Value {
    let nodes = result["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["name"] == NODE).unwrap();
    assert!(node["receipt"].is_object(), "{node:#}");
    &node["receipt"]
}

/// Runs a custodian's command and keeps what it prints.
fn printed(network: &Network, folder: &Path, name: &str, args: &[&str]) -> PathBuf {
    let done = network.custodian(NODE, args).unwrap();
    assert_eq!(
        done.code,
        Some(0),
        "{args:?}\n{}{}",
        done.stdout,
        done.stderr
    );
    let path = folder.join(name);
    fs::write(&path, done.stdout).unwrap();
    path
}

/// `quorate audit` of these files; exit code and what it said.
fn audit(network: &Network, files: &[&Path], ledger: Option<&Path>) -> (Option<i32>, String) {
    let mut args = vec!["audit".to_owned()];
    args.extend(files.iter().map(|file| file.display().to_string()));
    if let Some(ledger) = ledger {
        args.extend([
            "--ledger".to_owned(),
            format!("{NODE}={}", ledger.display()),
        ]);
    }
    let done = network.quorate("alice", args).unwrap();
    (done.code, done.stdout + &done.stderr)
}

/// The files of a node's ledger, to be put back.
struct State {
    log: PathBuf,
    head: PathBuf,
    whole: (Vec<u8>, Vec<u8>),
    key: SigningKey,
}

impl State {
    fn of(network: &Network) -> Self {
        let state = network.node(NODE).unwrap().dir.join("state");
        let (log, head) = (state.join("ledger.log"), state.join("ledger.head"));
        Self {
            whole: (fs::read(&log).unwrap(), fs::read(&head).unwrap()),
            key: SigningKey::load(&state.join("node.key")).unwrap(),
            log,
            head,
        }
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.whole.0.clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn put(&self, lines: &[String]) {
        fs::write(&self.log, lines.join("\n") + "\n").unwrap();
    }

    /// Puts a head file that fits the end of these lines.
    fn put_with_head(&self, lines: &[String]) {
        self.put(lines);
        let last = lines.last().unwrap();
        let Line::Whole(record, hash) = line::read(last, None).unwrap() else {
            panic!("a stub");
        };
        let head = Head {
            seq: record.seq,
            hash,
        };
        fs::write(&self.head, serde_json::to_vec(&head).unwrap()).unwrap();
    }

    fn restore(&self) {
        fs::write(&self.log, &self.whole.0).unwrap();
        fs::write(&self.head, &self.whole.1).unwrap();
    }

    /// The whole ledger written anew with one word changed: chained and signed with the node's key.
    fn rewritten(&self) -> Vec<String> {
        let mut previous = String::new();
        let mut lines = Vec::new();
        for text in self.lines() {
            let Line::Whole(mut record, _) = line::read(&text, None).unwrap() else {
                panic!("a stub");
            };
            bend(&mut record);
            record.previous = previous;
            let (text, hash) = line::write(&record, &self.key).unwrap();
            previous = hash;
            lines.push(text);
        }
        lines
    }
}

/// Who asked was somebody else.
fn bend(record: &mut Record) {
    if let Event::Open(open) = &mut record.event {
        open.actor.subject = "mallory".to_owned();
    }
}

/// Kills the node and waits until the coordinator has seen it go.
fn stop(network: &mut Network) {
    network.kill_node(NODE);
    let gone = |network: &Network| !network.connected().contains(&NODE.to_owned());
    let mut waits = 0..600;
    while !gone(network) && waits.next().is_some() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(
        gone(network),
        "the coordinator still sees a node that was killed"
    );
}

fn verifies(network: &Network) -> Option<i32> {
    network.custodian(NODE, ["ledger", "verify"]).unwrap().code
}

/// What becomes of a question at the node when its state is as it is now.
fn asked_again(network: &mut Network, folder: &Path, name: &str) -> Value {
    network.start_node(NODE).unwrap();
    // Whoever keeps its checkpoint shows it as soon as the node is there.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let (_, result) = save(
        network,
        folder,
        name,
        "SELECT count(DISTINCT person_id) AS n FROM person",
    );
    stop(network);
    let nodes = result["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["name"] == NODE).unwrap();
    node["code"].clone()
}

#[test]
fn receipts_are_believed_offline_and_a_ledger_attacked_in_every_way_is_noticed() {
    let mut network = network();
    let folder = support::scratch();
    let sql = "SELECT gender_concept_id, count(DISTINCT person_id) AS n FROM person GROUP BY gender_concept_id";
    let (first, result) = save(&network, &folder, "first.json", sql);
    let early = State::of(&network);
    let (second, _) = save(
        &network,
        &folder,
        "second.json",
        "SELECT count(DISTINCT person_id) AS n FROM person WHERE year_of_birth >= 1950",
    );
    receipts(&mut network, &folder, (&first, &result), &second);
    attacks(&mut network, &folder, &early, &[&first, &second]);
}

/// Everything about a receipt that can be checked without the network, and what is refused.
fn receipts(network: &mut Network, folder: &Path, (first, result): (&Path, &Value), second: &Path) {
    let receipt = receipt(result);
    let said = &receipt["statement"];
    assert_eq!(said["project"], "study-1");
    assert_eq!(said["hash"], result["question"]["hash"]);
    assert_eq!(said["codebook"], result["question"]["codebook"]);
    let seq = receipt["seq"].to_string();
    let verified = network
        .quorate("alice", [Path::new("verify"), first])
        .unwrap();
    assert!(
        verified.stdout.contains("receipts lead to the ledgers"),
        "{}",
        verified.stdout
    );
    let text = fs::read_to_string(first).unwrap();
    let bent = folder.join("bent.json");
    for (was, is) in [
        (said["policy"].as_str().unwrap(), "sha256:0"),
        (receipt["root"].as_str().unwrap(), "sha256:1"),
    ] {
        fs::write(&bent, text.replacen(was, is, 99)).unwrap();
        let refused = network
            .quorate("alice", [Path::new("verify"), &bent])
            .unwrap();
        assert_eq!(
            refused.code,
            Some(5),
            "{}{}",
            refused.stdout,
            refused.stderr
        );
    }
    // One entry is shown, one commitment opened.
    let proof = printed(
        network,
        folder,
        "proof.json",
        &["ledger", "prove", "--record", &seq],
    );
    let opened = said_opened(network, folder, first, &seq);
    let state = network.node(NODE).unwrap().dir.join("state");
    let (peers, log) = (state.join("peers.json"), state.join("ledger.log"));
    let other = network
        .node("eastgate")
        .unwrap()
        .dir
        .join("state/peers.json");
    let files = [first, second, &proof, &opened, &peers, &other];
    let (code, told) = audit(network, &files, Some(&log));
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains(&format!("record {seq} is in the ledger of {NODE}")),
        "{told}"
    );
    assert!(told.contains("its purpose is what the file says"), "{told}");
    let checkpoint = printed(
        network,
        folder,
        "linked.json",
        &["ledger", "prove", "--continues", &seq],
    );
    let (code, told) = audit(network, &[first, &checkpoint], None);
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("nothing links"), "{told}");
    let doctor = network.custodian(NODE, ["doctor"]).unwrap();
    assert!(
        doctor.stdout.contains("other ledgers: eastgate:"),
        "{}",
        doctor.stdout
    );
    assert!(
        doctor.stdout.contains("other ledgers: coordinator "),
        "{}",
        doctor.stdout
    );
}

/// Opens the purpose of the question whose decision is record `seq`; another value does not open it.
fn said_opened(network: &Network, folder: &Path, result: &Path, seq: &str) -> PathBuf {
    let decided: u64 = seq.parse().unwrap();
    let log = network.node(NODE).unwrap().dir.join("state/ledger.log");
    let text = fs::read_to_string(log).unwrap();
    let line = text
        .lines()
        .nth(usize::try_from(decided - 1).unwrap())
        .unwrap();
    let Line::Whole(record, _) = line::read(line, None).unwrap() else {
        panic!("a stub");
    };
    let open = quorate_evidence::chain::opened_by(&record)
        .unwrap()
        .to_string();
    let base = ["ledger", "open", "--record", &open, "--field", "purpose"];
    let lie = network.custodian(NODE, base.iter().chain(&["--value", "something else"]));
    assert_eq!(lie.unwrap().code, Some(5));
    let result = result.display().to_string();
    let args: Vec<&str> = base.into_iter().chain(["--result", &result]).collect();
    printed(network, folder, "opened.json", &args)
}

/// Edit, delete, reorder, cut off; then, with the node's own key, write anew and roll back.
fn attacks(network: &mut Network, folder: &Path, early: &State, results: &[&Path]) {
    stop(network);
    let state = State::of(network);
    let lines = state.lines();
    assert_eq!(verifies(network), Some(0));
    let mut edited = lines.clone();
    edited[1] = edited[1].replace("alice", "mallory");
    assert_ne!(edited, lines);
    let mut deleted = lines.clone();
    deleted.remove(2);
    let mut reordered = lines.clone();
    reordered.swap(1, 2);
    let cut = lines[..lines.len() - 1].to_vec();
    for (attack, lines) in [
        ("edit", edited),
        ("delete", deleted),
        ("reorder", reordered),
        ("cut off", cut),
    ] {
        state.put(&lines);
        assert_eq!(verifies(network), Some(5), "{attack}");
        let started = network.start_node(NODE);
        assert!(
            started.is_err(),
            "a node starts with a ledger after `{attack}`"
        );
        stop(network);
        state.restore();
    }
    // Somebody with the node's key makes a ledger that is whole by itself.
    let peers = network
        .node("eastgate")
        .unwrap()
        .dir
        .join("state/peers.json");
    let witnesses: Vec<&Path> = results.iter().copied().chain([peers.as_path()]).collect();
    // The older copy holds the first answer, so only the second one and the peers know better.
    let later: Vec<&Path> = witnesses.iter().copied().skip(1).collect();
    for (attack, lines, witnesses) in [
        ("write anew", state.rewritten(), &witnesses),
        ("roll back", early.lines(), &later),
    ] {
        state.put_with_head(&lines);
        assert_eq!(
            verifies(network),
            Some(0),
            "{attack}: the key owner's ledger is whole"
        );
        for witness in witnesses {
            let (code, told) = audit(network, &[witness], Some(&state.log));
            assert_eq!(code, Some(5), "{attack}, {}\n{told}", witness.display());
        }
        let code = asked_again(
            network,
            folder,
            &format!("{}.json", attack.replace(' ', "-")),
        );
        assert_eq!(code, "G507", "{attack}");
        state.restore();
        let _ = fs::remove_file(state.log.with_file_name("behind.json"));
    }
    // A second ledger that only an auditor is shown: it contradicts what researchers have.
    state.put_with_head(&state.rewritten());
    let shown = printed(network, folder, "shown.json", &["ledger", "prove"]);
    state.restore();
    let honest = printed(network, folder, "honest.json", &["ledger", "prove"]);
    let (code, told) = audit(network, &[&shown, &honest], None);
    assert_eq!(code, Some(5), "{told}");
    assert!(
        told.contains("Different parties were shown different ones"),
        "{told}"
    );
    let (code, told) = audit(network, &[results[1], &honest], Some(&state.log));
    assert_eq!(code, Some(0), "{told}");
}
