//! The end of the story: somebody is suspended while a question runs, the project ends, the register
//! is made again, and the ledger is attacked six ways.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_identity::SigningKey;
use quorate_testnet::clock;
use serde_json::Value;

use super::{MEAN, Story, approve, days_from_now, fetched};

const VISITS: &str = "SELECT kind, count(*) AS n FROM visit GROUP BY kind";

/// Visits of 300 persons: few, or so many that reading them takes far longer than a suspension.
pub(super) fn visits(rows: u32) -> String {
    let mut text = String::from("visit_id,person_id,kind\n");
    for i in 0..rows {
        let _ = writeln!(text, "{i},{},{}", i % 300, i % 2);
    }
    text
}

/// Stops Bob by one person's word: the digest of the suspension.
pub(super) fn suspend(story: &Story) -> String {
    let bob = SigningKey::load(Path::new(&story.key("bob"))).unwrap();
    let (olga, person) = (story.key("olga"), bob.key_id().as_str());
    let suspend = [
        "govern",
        "suspend",
        "--person",
        person,
        "--reason",
        "an inquiry",
        "--key",
        &olga,
    ];
    story.at("north", &suspend, 0).stdout.trim().to_owned()
}

/// Lets Bob go on: not before two have signed.
pub(super) fn lift(story: &Story, suspension: &str) {
    let name = suspension.trim_start_matches("sha256:");
    let out = story.paper(&format!("lift-{name}.json"));
    let lift = [
        "govern", "lift", suspension, "--reason", "cleared", "--out", &out,
    ];
    story.at("north", &lift, 0);
    for who in ["carla", "dana"] {
        let code = story.refusal("bob", "north", MEAN);
        assert_eq!(code, "G510", "two must sign");
        let key = story.key(who);
        story.at("north", &["govern", "sign", &out, "--key", &key], 0);
        story.at("north", &["govern", "add", &out], 0);
    }
}

fn ledger(story: &Story) -> PathBuf {
    story
        .network
        .node("north")
        .unwrap()
        .dir
        .join("state/ledger.log")
}

/// What the ledger holds of a question.
fn records(story: &Story, id: &str) -> Vec<Value> {
    let text = fs::read_to_string(ledger(story)).unwrap();
    let of_it = text.lines().filter(|line| line.contains(id));
    let record = |line: &str| serde_json::from_str(line.split('\t').next().unwrap()).unwrap();
    of_it.map(record).collect()
}

/// Bob is suspended while the engine works on his question: it stops, nothing is released, and the
/// ledger says so.
pub(super) fn suspended_midrun(story: &Story) {
    approve(story, VISITS, "approval-3.json");
    let data = story.desk.join("visits.csv");
    fs::write(&data, visits(2_000_000)).unwrap();
    let ask = ["query", VISITS, "--nodes", "north", "--no-wait"];
    let id = story.ask("bob", &ask, 4).stdout.trim().to_owned();
    let runs = || (!records(story, &id).is_empty()).then_some(());
    assert!(clock::wait_for(Duration::from_secs(60), runs).is_some());
    let suspension = suspend(story);
    let stopped = fetched(story, "bob", &id, 2);
    assert_eq!(stopped["problem"]["code"], "G510", "{stopped:#}");
    let told = records(story, &id);
    let kinds: Vec<&str> = told
        .iter()
        .map(|record| record["event"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["open", "close"], "nothing was decided: {told:#?}");
    assert_eq!(told[1]["event"]["outcome"], "refused");
    assert_eq!(told[1]["event"]["code"], "G510");
    fs::write(&data, visits(900)).unwrap();
    lift(story, &suspension);
}

/// The custodian's word had an end: after it nothing runs, whoever agreed before.
pub(super) fn expired(story: &Story) {
    let listed = story.at("north", &["govern", "list"], 0).stdout;
    let record = listed.lines().find(|line| line.starts_with("project "));
    let record = record.and_then(|line| line.split(' ').nth(1)).unwrap();
    let (carla, yesterday) = (story.key("carla"), days_from_now(-1));
    let shorter = [
        "govern",
        "accept",
        record,
        "--key",
        &carla,
        "--until",
        &yesterday,
        "--reason",
        "it is over",
    ];
    // Of two words in one second none is later.
    std::thread::sleep(Duration::from_millis(1100));
    story.at("north", &shorter, 0);
    assert_eq!(story.refusal("alice", "north", MEAN), "G501");
}

/// Everything that was decided is in the ledger, by name, and the register comes from it alone.
pub(super) fn registered(story: &Story) {
    let report = [
        "ledger", "report", "--reader", "anna", "--by", "act", "--json",
    ];
    let report = story.at("north", &report, 0).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let acts: Vec<(&str, &str)> = report["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| {
            (
                act["what"].as_str().unwrap(),
                act["person"].as_str().unwrap(),
            )
        })
        .collect();
    for act in [
        ("act.vote", "lena"),
        ("act.acceptance", "carla"),
        ("act.evidence", "school"),
        ("act.approval", "paul"),
        ("act.approval", "petra"),
        ("act.review", "cyril"),
        ("act.suspension", "olga"),
        ("act.lift", "dana"),
    ] {
        assert!(acts.contains(&act), "{act:?} is not in {acts:#?}");
    }
    assert!(!report.to_string().contains("an inquiry"), "no reasons");
    let extract = story.at("north", &["ledger", "extract"], 0).stdout;
    fs::write(story.desk.join("north.extract"), extract).unwrap();
    let (extract, out) = (story.paper("north.extract"), story.paper("register"));
    let record = story.paper("record.json");
    let make = ["register", &extract, "--project", &record, "--out", &out];
    story.ask("alice", &make, 0);
    let again: Vec<&str> = make.into_iter().chain(["--check"]).collect();
    story.ask("alice", &again, 0);
    let text = fs::read_to_string(story.desk.join("register/register.json")).unwrap();
    let register: Value = serde_json::from_str(&text).unwrap();
    let line = &register["projects"][0];
    assert_eq!(line["hdr"]["project_title"], "Age and sex");
    assert_eq!(line["hdr"]["latest_approval_date"], days_from_now(0));
    assert_eq!(line["outputs_released"], 2, "{line:#}");
    let removed = text.replacen("\"outputs_released\": 2", "\"outputs_released\": 1", 1);
    fs::write(story.desk.join("register/register.json"), removed).unwrap();
    story.ask("alice", &again, 5);
}

/// Edit, delete, insert, reorder, cut off are found by the node's own check; a whole older copy by a
/// released answer.
pub(super) fn attacked(story: &mut Story) {
    story.network.kill_node("north");
    let log = ledger(story);
    let head = log.with_file_name("ledger.head");
    let (whole, kept) = (fs::read_to_string(&log).unwrap(), fs::read(&head).unwrap());
    let lines: Vec<&str> = whole.lines().collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        change(&mut lines);
        lines.join("\n") + "\n"
    };
    let attacks: [(&str, String); 5] = [
        (
            "edit",
            with(&|lines| lines[2] = lines[2].replacen("north", "sorth", 1)),
        ),
        ("delete", with(&|lines| drop(lines.remove(3)))),
        ("insert", with(&|lines| lines.insert(3, lines[3].clone()))),
        ("reorder", with(&|lines| lines.swap(3, 4))),
        ("cut off", with(&|lines| drop(lines.pop()))),
    ];
    for (attack, text) in attacks {
        assert_ne!(text, whole, "{attack}");
        fs::write(&log, text).unwrap();
        story.at("north", &["ledger", "verify"], 5);
    }
    let (result, north) = (
        story.paper("result.json"),
        format!("north={}", log.display()),
    );
    let audit = ["audit", &result, "--ledger", &north];
    fs::write(&log, &whole).unwrap();
    story.ask("alice", &audit, 0);
    let early = 5;
    fs::write(&log, with(&|lines| lines.truncate(early))).unwrap();
    let rolled_back = story.ask("alice", &audit, 5);
    assert!(
        rolled_back.stdout.contains("ends at record 5"),
        "{}",
        rolled_back.stdout
    );
    fs::write(&log, &whole).unwrap();
    fs::write(&head, kept).unwrap();
    story.at("north", &["ledger", "verify"], 0);
}
