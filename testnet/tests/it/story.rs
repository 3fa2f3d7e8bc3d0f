//! One project from application to its last question, on a real network, every role acted by its own
//! key through the commands that its guide names.

mod chain;
mod end;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_identity::SigningKey;
use quorate_testnet::clock;
use quorate_testnet::network::{Network, Options};
use quorate_testnet::process::Done;
use serde_json::Value;

use crate::support;

const COUNT: &str = "SELECT sex, count(*) AS n FROM person GROUP BY sex";
const MEAN: &str = "SELECT sex, avg(age) AS age FROM person GROUP BY sex";

const CODEBOOK: &str = r#"
[codebook]
format = 1
name = "story"
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
age = { type = "int", role = ["filter", "group", "value"], bounds = [0, 120], bands = [10], cuts = [18] }
town = { type = "text", role = ["filter", "group"] }

[table.visit]
rows = "many"
unit_key = "person_id"
max_rows = 20
[table.visit.column]
visit_id = { type = "int", role = [] }
person_id = { type = "int", role = ["key"] }
kind = { type = "int", role = ["filter", "group"], domain = { 0 = "in", 1 = "out" } }
"#;

const POLICY: &str = r#"
[node]
format = 1
name = "${node}"
coordinator = "${coordinator}"
state = "state"
genesis = ["${genesis}"]
codebooks = ["${codebook}"]
proxy = "none"

[population]
name = "${node}-people"

[source.person]
kind = "csv"
path = "${DATA}/people.csv"

[source.visit]
kind = "csv"
path = "${DATA}/visits.csv"

[governance]
custodian = [CARLA, DANA]
committee = [DORA, EMIL, LENA]
quorum = 2
lay = true
approvers = [PAUL, PETRA, PIET]
approvals = 2
checkers = [CLEO, CYRIL]
operators = [OLGA]
auditors = [ANNA]
issuers = [SCHOOL]
required = [{ kind = "training", name = "safe-use", version = "2" }]
"#;

const SPEC: &str = r#"
[network]
format = 1
name = "story"
codebook = "codebook.toml"

[[node]]
name = "north"
policy = "node.toml"
data = { DATA = "${DATA}" }

[[node]]
name = "south"
policy = "node.toml"
data = { DATA = "${DATA}" }

[[researcher]]
name = "alice"
projects = ["heart-1"]

[[researcher]]
name = "bob"
projects = ["heart-1"]
"#;

const ROLES: [&str; 12] = [
    "carla", "dana", "dora", "emil", "lena", "paul", "petra", "piet", "cleo", "cyril", "olga",
    "anna",
];

/// A running network and everybody's papers.
struct Story {
    network: Network,
    desk: PathBuf,
}

fn key_file(desk: &Path, who: &str) -> PathBuf {
    desk.join(format!("{who}.key"))
}

/// A key of their own for everybody with a duty.
fn keys(desk: &Path) -> String {
    let mut policy = POLICY.to_owned();
    for who in ROLES.into_iter().chain(["school"]) {
        let key = SigningKey::from_seed(&quorate_identity::sha256(who.as_bytes())).unwrap();
        key.save(&key_file(desk, who)).unwrap();
        let lay = if who == "lena" { ", lay = true" } else { "" };
        let entry = format!("{{ name = \"{who}\", key = \"{}\"{lay} }}", key.key_id());
        policy = policy.replace(&who.to_uppercase(), &entry);
    }
    policy
}

fn people() -> String {
    let row = |i: u32| {
        let (sex, age) = (u32::from(i % 5 < 2), 20 + i * 7 % 60);
        format!("{i},{sex},{age},t{}\n", i % 3)
    };
    format!("id,sex,age,town\n{}", (0..300).map(row).collect::<String>())
}

impl Story {
    fn begin() -> Self {
        let desk = support::scratch();
        fs::write(desk.join("people.csv"), people()).unwrap();
        fs::write(desk.join("visits.csv"), end::visits(900)).unwrap();
        fs::write(desk.join("codebook.toml"), CODEBOOK).unwrap();
        fs::write(desk.join("node.toml"), keys(&desk)).unwrap();
        fs::write(desk.join("spec.toml"), SPEC).unwrap();
        let options = Options::new(support::exe())
            .set("DATA", &desk.display().to_string())
            .folder(&support::scratch());
        let network = Network::start(&desk.join("spec.toml"), &options).unwrap();
        Self { network, desk }
    }

    fn paper(&self, name: &str) -> String {
        self.desk.join(name).display().to_string()
    }

    fn key(&self, who: &str) -> String {
        match who {
            "alice" | "bob" => {
                let home = self.network.home(who).unwrap();
                home.join("identity.key").display().to_string()
            }
            _ => key_file(&self.desk, who).display().to_string(),
        }
    }

    /// A command at a node, which must end with this code.
    fn at(&self, node: &str, args: &[&str], code: i32) -> Done {
        let done = self.network.custodian(node, args).unwrap();
        assert_eq!(
            done.code,
            Some(code),
            "{node}: {args:?}\n{}{}",
            done.stdout,
            done.stderr
        );
        done
    }

    fn ask(&self, who: &str, args: &[&str], code: i32) -> Done {
        let done = self.network.quorate(who, args).unwrap();
        assert_eq!(
            done.code,
            Some(code),
            "{who}: {args:?}\n{}{}",
            done.stdout,
            done.stderr
        );
        done
    }

    /// The code with which a node refuses a question.
    fn refusal(&self, who: &str, node: &str, sql: &str) -> String {
        let asked = ["query", sql, "--nodes", node, "--format", "json"];
        let done = self.network.quorate(who, asked).unwrap();
        let result: Value = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|_| panic!("{sql}\n{}{}", done.stdout, done.stderr));
        let code = match &result["nodes"][0]["code"] {
            Value::Null => &result["problem"]["code"],
            code => code,
        };
        code.as_str().unwrap_or("answered").to_owned()
    }

    /// Asks what will wait: its id, once the node says that it waits.
    fn waits(&self, who: &str, sql: &str) -> String {
        let done = self.ask(who, &["query", sql, "--nodes", "north", "--no-wait"], 4);
        let id = done.stdout.trim().to_owned();
        let there = || {
            let listed = self.at("north", &["airlock", "list", "--json"], 0);
            listed.stdout.contains(&id).then_some(())
        };
        let found = clock::wait_for(Duration::from_secs(60), there);
        assert!(found.is_some(), "{id} does not wait");
        id
    }

    /// Puts a signed paper where a node finds it.
    fn hand_in(&self, node: &str, papers: &[&str]) {
        for paper in papers {
            self.at(node, &["govern", "add", &self.paper(paper)], 0);
        }
    }
}

fn days_from_now(days: i64) -> String {
    let day = jiff::Timestamp::from_second(clock::unix() + days * 86_400).unwrap();
    day.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// Alice applies; the record is signed with her own key.
fn apply(story: &Story) -> String {
    let of = |who: &str| SigningKey::load(Path::new(&story.key(who))).unwrap();
    let (alice, bob) = (of("alice"), of("bob"));
    let text = format!(
        "[project]\nformat = 1\nnetwork = \"story\"\nid = \"heart-1\"\ntitle = \"Age and sex\"\n\
         lay_summary = \"We count people.\"\npurpose = \"research\"\npublic_benefit = \"Better care.\"\n\
         organisation = \"Example University\"\nethics = \"REC 1\"\ndpia = \"DPIA 1\"\n\
         nodes = [\"north\", \"south\"]\nquestions = 6\nrelease = \"review\"\nstarts = {}\nexpires = {}\n\
         [legal]\narticle6 = \"6(1)(e)\"\narticle9 = \"9(2)(j)\"\nconfidentiality = \"section 251\"\nopt_out = \"yes\"\n\
         [applicant]\nname = \"alice\"\nkey = \"{alice}\"\n\
         [[member]]\nname = \"alice\"\nkey = \"{alice}\"\npart = \"analyst\"\n\
         [[member]]\nname = \"bob\"\nkey = \"{bob}\"\npart = \"analyst\"\n\
         [data]\nperson = [\"sex\", \"age\"]\nvisit = [\"kind\"]\n",
        days_from_now(-1),
        days_from_now(30),
        alice = alice.key_id(),
        bob = bob.key_id(),
    );
    fs::write(story.desk.join("project.toml"), text).unwrap();
    let (project, record) = (story.paper("project.toml"), story.paper("record.json"));
    let stranger = [
        "govern",
        "record",
        &project,
        "--key",
        &story.key("dora"),
        "--out",
        &record,
    ];
    story.at("north", &stranger, 1);
    let own = [
        "govern",
        "record",
        &project,
        "--key",
        &story.key("alice"),
        "--out",
        &record,
    ];
    story.at("north", &own, 0).stdout.trim().to_owned()
}

fn vote(story: &Story) {
    let record = story.paper("record.json");
    for who in ["dora", "lena"] {
        let (key, out) = (story.key(who), story.paper(&format!("vote-{who}.json")));
        let vote = [
            "govern", "vote", &record, "--name", who, "--key", &key, "--reason", "sound", "--out",
            &out,
        ];
        story.at("north", &vote, 0);
    }
    let key = story.key("alice");
    let own = [
        "govern", "vote", &record, "--name", "alice", "--key", &key, "--reason", "mine", "--out",
        "own.json",
    ];
    let refused = story.at("north", &own, 1);
    assert!(refused.stderr.contains("rule 2"), "{}", refused.stderr);
}

/// Both members are trained; the school says so.
fn train(story: &Story) {
    for who in ["alice", "bob"] {
        let key = SigningKey::load(Path::new(&story.key(who))).unwrap();
        let subject = format!("{who}={}", key.key_id());
        let (school, out) = (
            story.key("school"),
            story.paper(&format!("training-{who}.json")),
        );
        let until = days_from_now(100);
        let evidence = [
            "govern",
            "evidence",
            "--network",
            "story",
            "--subject",
            &subject,
            "--kind",
            "training",
            "--name",
            "safe-use",
            "--of-version",
            "2",
            "--issuer",
            "school",
            "--key",
            &school,
            "--until",
            &until,
            "--out",
            &out,
        ];
        story.at("north", &evidence, 0);
    }
}

/// North accepts for two checkers, south refuses.
fn accept(story: &Story, record: &str) {
    for node in ["north", "south"] {
        let all = [
            "record.json",
            "vote-dora.json",
            "vote-lena.json",
            "training-alice.json",
            "training-bob.json",
        ];
        story.hand_in(node, &all);
    }
    let carla = story.key("carla");
    let by_operator = [
        "govern",
        "accept",
        record,
        "--key",
        &story.key("olga"),
        "--reason",
        "mine",
    ];
    story.at("north", &by_operator, 1);
    let accept = [
        "govern",
        "accept",
        record,
        "--key",
        &carla,
        "--release",
        "dual",
        "--reason",
        "decided",
    ];
    story.at("north", &accept, 0);
    story.at(
        "south",
        &[
            "govern", "refuse", record, "--key", &carla, "--reason", "not ours",
        ],
        0,
    );
    let shown = story.at("north", &["govern", "projects"], 0);
    assert!(shown.stdout.contains("release dual"), "{}", shown.stdout);
    let shown = story.at("south", &["govern", "projects"], 0);
    assert!(shown.stdout.contains("does not run"), "{}", shown.stdout);
}

/// Two of three approvers sign exactly this question.
fn approve(story: &Story, sql: &str, paper: &str) -> Done {
    let (out, until) = (story.paper(paper), days_from_now(20));
    let draft = [
        "govern",
        "approval",
        sql,
        "--project",
        "heart-1",
        "--runs",
        "3",
        "--until",
        &until,
        "--out",
        &out,
    ];
    let drafted = story.at("north", &draft, 0);
    story.at(
        "north",
        &["govern", "sign", &out, "--key", &story.key("paul")],
        0,
    );
    story.hand_in("north", &[paper]);
    assert_eq!(story.refusal("alice", "north", sql), "G505", "one of two");
    story.at(
        "north",
        &["govern", "sign", &out, "--key", &story.key("petra")],
        0,
    );
    story.hand_in("north", &[paper]);
    drafted
}

fn review(story: &Story, who: &str, id: &str, what: &[&str], code: i32) {
    let key = story.key(who);
    let (verb, more) = what.split_first().unwrap();
    let mut args = vec!["airlock", verb, id, "--key", &key];
    args.extend(more);
    story.at("north", &args, code);
}

/// What the node says of a question that waited.
fn fetched(story: &Story, who: &str, id: &str, code: i32) -> Value {
    let done = story.ask(who, &["fetch", id, "--wait", "--format", "json"], code);
    serde_json::from_str(&done.stdout).unwrap()
}

/// Nothing runs before everybody has spoken, and south's custodian says no.
fn admitted(story: &Story) {
    let code = |node, sql| story.refusal("alice", node, sql);
    assert_eq!(code("north", COUNT), "G501", "nobody applied");
    let record = apply(story);
    vote(story);
    train(story);
    accept(story, &record);
    assert_eq!(code("south", COUNT), "G501", "the custodian's veto");
    assert_eq!(code("north", COUNT), "G505", "nobody approved it");
    let town = "SELECT town, count(*) AS n FROM person GROUP BY town";
    assert_eq!(code("north", town), "G511", "not in the record");
    approve(story, COUNT, "approval-1.json");
}

/// Returned once, with a listed reason.
fn returned(story: &Story) {
    let id = story.waits("alice", COUNT);
    let shown = story.at("north", &["airlock", "show", &id], 0);
    assert!(shown.stdout.contains("Age and sex"), "{}", shown.stdout);
    review(story, "paul", &id, &["approve"], 1);
    let comment = [
        "return",
        "--reason",
        "too-detailed",
        "--comment",
        "age only",
    ];
    review(story, "cleo", &id, &comment, 0);
    let back = fetched(story, "alice", &id, 2);
    assert_eq!(back["problem"]["code"], "G514", "{back:#}");
    assert!(!back.to_string().contains("age only"), "comments stay");
}

/// Asked again: it survives a crash between two checkers, and leaves as they saw it.
fn released(story: &mut Story) {
    let id = story.waits("alice", COUNT);
    review(story, "cleo", &id, &["approve"], 0);
    story.network.kill_node("north");
    story.network.start_node("north").unwrap();
    let still = story.at("north", &["airlock", "list", "--json"], 0);
    assert!(still.stdout.contains(&id), "{}", still.stdout);
    let status = story.ask("alice", &["status", &id], 4);
    assert!(!status.stdout.contains("180"), "status, never content");
    review(story, "cyril", &id, &["approve"], 0);
    let answer = fetched(story, "alice", &id, 0);
    assert_eq!(answer["status"], "answered", "{answer:#}");
    let female = &answer["rows"][0]["cells"]["n"]["value"];
    assert_eq!(female, "180", "{answer:#}");
    let file = story.desk.join("result.json");
    fs::write(&file, answer.to_string()).unwrap();
    story.ask("alice", &["verify", file.to_str().unwrap()], 0);
    chain::followed(story, &id);
    chain::handed_on(story);
}

/// Another question is compared with what was approved; one cell of it is hidden.
fn hidden(story: &Story) {
    let drafted = approve(story, MEAN, "approval-2.json");
    let words = &drafted.stderr;
    assert!(words.contains("lines differ"), "{words}");
    let id = story.waits("bob", MEAN);
    review(story, "cleo", &id, &["suppress", "--cell", "0:1:0"], 0);
    let seen = || {
        let shown = story.at("north", &["airlock", "show", &id], 0);
        let there = shown.stdout.contains("suppress of an earlier outcome");
        there.then_some(())
    };
    assert!(clock::wait_for(Duration::from_secs(30), seen).is_some());
    review(story, "cleo", &id, &["approve"], 0);
    review(story, "cyril", &id, &["approve"], 0);
    let answer = fetched(story, "bob", &id, 0);
    let male = &answer["rows"][1]["cells"]["age"]["withheld"];
    assert_eq!(*male, true, "{answer:#}");
}

/// A person is suspended while a question of theirs waits: nothing leaves until two lift it.
fn suspended(story: &Story) {
    let id = story.waits("bob", MEAN);
    let suspension = end::suspend(story);
    let stopped = fetched(story, "bob", &id, 2);
    assert_eq!(stopped["problem"]["code"], "G510", "{stopped:#}");
    end::lift(story, &suspension);
}

#[test]
fn a_project_from_application_to_its_end() {
    let mut story = Story::begin();
    admitted(&story);
    returned(&story);
    released(&mut story);
    hidden(&story);
    suspended(&story);
    end::suspended_midrun(&story);
    // Six questions were granted: five ran, and this one is the last.
    let last = story.waits("bob", MEAN);
    assert_eq!(story.refusal("alice", "north", COUNT), "G517");
    review(&story, "cleo", &last, &["return", "--reason", "unclear"], 0);
    fetched(&story, "bob", &last, 2);
    story.at("north", &["ledger", "verify"], 0);
    end::expired(&story);
    end::registered(&story);
    end::attacked(&mut story);
}
