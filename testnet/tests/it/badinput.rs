//! What goes wrong in a real network: each has a clear error for the right person, nothing is lost,
//! and no caller sees a value or a word of the engine.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use quorate_testnet::clock;
use quorate_testnet::generate::{self, model::HOSPITALS, tables, write};
use quorate_testnet::network::{Network, Options};
use quorate_testnet::process::Done;
use quorate_testnet::relay::Link;
use serde_json::Value;

use crate::support;

/// Two of the made-up hospitals, a tenth of their size.
pub(crate) const NODES: [(u64, &str); 2] = [(0, "northfield"), (2, "southport")];
const COUNT: &str = "SELECT count(*) AS n FROM person";

/// A network of two nodes: alice is on the project, mallory is only in the roster.
pub(crate) fn lab(dir: &Path, state: &str) -> Network {
    lab_with(dir, state, "")
}

/// The same with more words in every node's policy.
pub(crate) fn lab_with(dir: &Path, state: &str, more: &str) -> Network {
    let folder = dir.join("spec");
    std::fs::create_dir_all(&folder).unwrap();
    let template = std::fs::read_to_string(support::specs().join("omop/node.toml")).unwrap();
    let template = template.replace("state = \"state\"", &format!("state = \"{state}\""));
    std::fs::write(folder.join("node.toml"), template + more).unwrap();
    let codebook = support::specs().join("omop/codebook.toml");
    let mut spec = format!(
        "[network]\nformat = 1\nname = \"lab\"\ncodebook = \"{}\"\n",
        codebook.display()
    );
    for (place, name) in NODES {
        let hospital = HOSPITALS.iter().find(|h| h.name == name).unwrap();
        let people = generate::patients(1, place, hospital, 10);
        let data = dir.join("data").join(name);
        write::write(&tables::tables(&people), &data, write::Format::Csv).unwrap();
        spec += &format!(
            "[[node]]\nname = \"{name}\"\npolicy = \"node.toml\"\ndata = {{ DATA = \"{}\" }}\n",
            data.display()
        );
    }
    for name in ["alice", "mallory"] {
        spec += &format!("[[researcher]]\nname = \"{name}\"\nprojects = [\"study-1\"]\n");
    }
    let path = folder.join("spec.toml");
    std::fs::write(&path, spec).unwrap();
    let options = Options::new(support::exe()).folder(&dir.join("network"));
    Network::start(&path, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn shared() -> MutexGuard<'static, (Network, PathBuf)> {
    static LAB: OnceLock<Mutex<(Network, PathBuf)>> = OnceLock::new();
    let start = || {
        let dir = support::scratch();
        Mutex::new((lab(&dir, "state"), dir))
    };
    LAB.get_or_init(start)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"))
}

/// Status and code of a node in a result.
fn node(result: &Value, name: &str) -> (String, String) {
    let found = result["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["name"] == name)
        .unwrap();
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("code"))
}

/// Words that only an engine, a file system or the data would say.
fn assert_says_nothing(done: &Done, secrets: &[&str]) {
    let said = format!("{}{}", done.stdout, done.stderr).to_lowercase();
    // What is signed comes as base64, which holds any short word by chance.
    let pieces = said.split('"');
    let plain: Vec<&str> = pieces
        .filter(|piece| piece.len() < 200 || piece.contains(' '))
        .collect();
    let said = plain.join("\"");
    for word in [
        "datafusion",
        "arrow",
        "panicked",
        "sqlite",
        ".csv",
        "policy.toml",
    ]
    .iter()
    .chain(secrets)
    {
        assert!(!said.contains(&word.to_lowercase()), "{word} in\n{said}");
    }
}

#[test]
fn who_is_not_on_the_project_is_refused_by_every_node() {
    let lab = shared();
    let done = support::ask(&lab.0, "mallory", COUNT, &[]);
    assert_eq!(done.code, Some(2), "{done:?}");
    let result = json(&done);
    for (_, name) in NODES {
        let (status, code) = node(&result, name);
        assert_eq!(status, "refused");
        assert!(code.starts_with('G'), "{code}");
    }
    assert!(result["rows"].as_array().is_none_or(Vec::is_empty));
    assert_says_nothing(&done, &[]);
}

#[test]
fn a_codebook_that_no_node_pins_is_refused() {
    // a network of its own: with two codebooks every question has to name one
    let dir = tempfile::tempdir().unwrap();
    let lab = (lab(dir.path(), "state"), dir.path());
    let text = std::fs::read_to_string(support::specs().join("omop/codebook.toml")).unwrap();
    let path = lab.1.join("other.toml");
    std::fs::write(&path, text.replace("name = \"omop\"", "name = \"other\"")).unwrap();
    let published = lab
        .0
        .operator(["codebook", "publish", &path.display().to_string()])
        .unwrap();
    assert_eq!(published.code, Some(0), "{published:?}");
    let done = clock::wait_for(Duration::from_secs(20), || {
        let done = support::ask(&lab.0, "alice", COUNT, &["--codebook", "other"]);
        (done.code == Some(2)).then_some(done)
    });
    let result = json(&done.expect("the codebook was never published"));
    for (_, name) in NODES {
        let (status, code) = node(&result, name);
        assert_eq!(
            (status.as_str(), code.get(..1)),
            ("refused", Some("C")),
            "{result:#}"
        );
    }
}

#[test]
fn mistakes_in_a_question_are_told_with_code_and_place() {
    let lab = shared();
    let deep = format!(
        "SELECT count(*) FROM person WHERE {}year_of_birth > 1960{}",
        "(".repeat(500),
        ")".repeat(500)
    );
    let asked: [(&str, &str); 8] = [
        ("SELEC count(*) FROM person", "V"),
        ("SELECT count(*) FROM persons", "V200"),
        ("SELECT count(*) FROM person WHERE shoe_size = 4", "V400"),
        ("SELECT person_id FROM person", "V"),
        ("SELECT avg(visit_end_date) FROM visit_occurrence", "V"),
        (
            "SELECT count(*) FROM person WHERE gender_concept_id = 'male'",
            "V401",
        ),
        ("SELECT count(*) FROM person WHERE person_id = 100001", "V"),
        (&deep, "V800"),
    ];
    for (sql, code) in asked {
        let done = support::ask(&lab.0, "alice", sql, &[]);
        assert_eq!(done.code, Some(2), "{sql}\n{done:?}");
        let result = json(&done);
        assert_eq!(result["status"], "refused", "{sql}");
        let found = result["problem"]["code"].as_str().unwrap();
        assert!(found.starts_with(code), "{sql}: {found}");
        assert!(
            result["problem"]["message"]
                .as_str()
                .is_some_and(|text| text.len() > 10)
        );
        assert_says_nothing(&done, &[]);
    }
    let done = lab
        .0
        .quorate("alice", ["query", "--no-such-option", COUNT])
        .unwrap();
    assert_eq!(done.code, Some(64));
}

#[test]
fn a_broken_row_stops_its_table_and_is_shown_to_the_custodian_only() {
    let lab = shared();
    let path = lab.1.join("data/northfield/person.csv");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}123456,Jane Roe,1950\n")).unwrap();
    let done = support::ask(&lab.0, "alice", COUNT, &[]);
    let checked = lab.0.custodian("northfield", ["data", "check"]).unwrap();
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(
        done.code,
        Some(0),
        "the other hospital still answers: {done:?}"
    );
    let result = json(&done);
    assert_eq!(node(&result, "northfield").0, "refused");
    assert_eq!(node(&result, "southport").0, "answered");
    assert_says_nothing(&done, &["Jane", "123456", "person.csv"]);
    assert_ne!(checked.code, Some(0));
    let said = format!("{}{}", checked.stdout, checked.stderr);
    let line = whole.lines().count() + 1;
    assert!(
        said.contains("person.csv") && said.contains(&line.to_string()),
        "{said}"
    );
    assert!(!said.contains("Jane"), "{said}");
    let again = support::answer(&lab.0, "alice", COUNT);
    assert_eq!(node(&again.0, "northfield").0, "answered");
}

#[test]
fn a_missing_file_is_told_to_the_custodian() {
    let lab = shared();
    let path = lab.1.join("data/southport/death.csv");
    let aside = lab.1.join("death.aside");
    std::fs::rename(&path, &aside).unwrap();
    let sql = "SELECT count(*) AS n FROM person WHERE person_id IN (SELECT person_id FROM death)";
    let done = support::ask(&lab.0, "alice", sql, &[]);
    let checked = lab.0.custodian("southport", ["data", "check"]).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(node(&json(&done), "southport").0, "refused");
    assert_says_nothing(&done, &["death.csv"]);
    assert_ne!(checked.code, Some(0));
    assert!(format!("{}{}", checked.stdout, checked.stderr).contains("death.csv"));
}

#[test]
fn a_policy_with_three_mistakes_tells_all_three_and_does_not_start() {
    let lab = shared();
    let policy =
        std::fs::read_to_string(lab.0.node("northfield").unwrap().dir.join("policy.toml")).unwrap();
    let wrong = policy
        .replace("kind = \"csv\"\npath = \"", "knd = \"csv\"\npath = \"")
        .replace("approval = \"auto\"", "approval = \"always\"")
        .replace("concurrent = 2", "concurrent = \"two\"");
    let path = lab.1.join("wrong.toml");
    std::fs::write(&path, wrong).unwrap();
    let done = lab
        .0
        .custodian(
            "northfield",
            ["--policy", &path.display().to_string(), "run"],
        )
        .unwrap();
    assert_eq!(done.code, Some(1), "{done:?}");
    for part in ["knd", "approval", "concurrent"] {
        let line = done
            .stderr
            .lines()
            .find(|line| line.contains(part) && line.contains("wrong.toml:"));
        assert!(line.is_some(), "{part} in\n{}", done.stderr);
    }
}

#[test]
fn a_slow_node_is_waited_for_and_one_that_is_too_slow_is_late() {
    let mut lab = shared();
    let sql = "SELECT count(*) AS n FROM person WHERE year_of_birth >= 1950";
    lab.0.set_link(
        "southport",
        Link {
            latency_ms: 700,
            rate_kbps: 64,
        },
    );
    let waited = support::answer(&lab.0, "alice", sql);
    assert_eq!(node(&waited.0, "southport").0, "answered");
    deadline(
        &mut lab.0,
        ("deadline", "60 s", "8 s"),
        &["northfield", "southport"],
    );
    lab.0.set_link(
        "southport",
        Link {
            latency_ms: 10_000,
            rate_kbps: 0,
        },
    );
    let done = support::ask(
        &lab.0,
        "alice",
        "SELECT count(*) AS n FROM person WHERE year_of_birth >= 1960",
        &[],
    );
    lab.0.set_link("southport", Link::default());
    deadline(
        &mut lab.0,
        ("deadline", "8 s", "60 s"),
        &["northfield", "southport"],
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    let result = json(&done);
    assert_eq!(node(&result, "southport").0, "late");
    assert_eq!(node(&result, "northfield").0, "answered");
    assert!(done.stderr.contains("southport"), "{}", done.stderr);
}

/// Changes a time in the coordinator's configuration, and starts it and these nodes.
fn deadline(network: &mut Network, (key, from, to): (&str, &str, &str), nodes: &[&str]) {
    let path = network.dir.join("coordinator/coordinator.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (from, to) = (format!("{key} = \"{from}\""), format!("{key} = \"{to}\""));
    assert!(text.contains(&from), "{text}");
    std::fs::write(&path, text.replace(&from, &to)).unwrap();
    network.kill_coordinator();
    network.start_coordinator().unwrap();
    for node in nodes {
        network.start_node(node).unwrap();
    }
}

#[test]
fn a_dead_node_is_absent_and_a_quorum_is_a_quorum() {
    let mut lab = shared();
    lab.0.kill_node("southport");
    deadline(&mut lab.0, ("absent_after", "20 s", "2 s"), &["northfield"]);
    let one = support::ask(&lab.0, "alice", COUNT, &[]);
    let both = support::ask(&lab.0, "alice", COUNT, &["--min-nodes", "2"]);
    deadline(
        &mut lab.0,
        ("absent_after", "2 s", "20 s"),
        &["northfield", "southport"],
    );
    assert_eq!(
        (one.code, both.code),
        (Some(0), Some(3)),
        "{one:?} {both:?}"
    );
    assert_eq!(node(&json(&one), "southport").0, "absent");
    let cell = &json(&one)["rows"][0]["cells"]["n"];
    assert_eq!(
        (cell["nodes"].as_u64(), cell["eligible"].as_u64()),
        (Some(1), Some(2))
    );
    assert!(
        json(&both)["rows"].as_array().is_none_or(Vec::is_empty),
        "{both:?}"
    );
}

#[test]
fn the_same_question_gets_the_same_values_and_no_second_release() {
    let lab = shared();
    let sql = "SELECT gender_concept_id, count(*) AS n FROM person GROUP BY gender_concept_id";
    let first = support::answer(&lab.0, "alice", sql);
    let again = support::answer(&lab.0, "alice", &sql.to_lowercase());
    assert_eq!(first.0["rows"], again.0["rows"]);
    assert_eq!(first.0["question"]["hash"], again.0["question"]["hash"]);
    assert_ne!(first.0["question"]["id"], again.0["question"]["id"]);
    let dir = lab.0.node("northfield").unwrap().dir.clone();
    let id = again.0["question"]["id"].as_str().unwrap();
    let events = quorate_testnet::evidence::events(&dir);
    let close = events
        .iter()
        .find(|e| e["kind"] == "close" && e["question"] == id)
        .unwrap();
    let disclosure = &close["disclosure"];
    assert_eq!(disclosure["released"], disclosure["repeated"], "{close:#}");
}

#[test]
fn logs_and_ledgers_hold_no_question_and_no_value() {
    let lab = shared();
    let sql = "SELECT count(*) AS canary_name FROM person WHERE year_of_birth < 1961 AND gender_concept_id = 8532";
    let done = support::ask(&lab.0, "alice", sql, &["--purpose", "canary purpose"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut said = lab.0.coordinator_log();
    for (_, name) in NODES {
        said += &lab.0.node_log(name);
        let state = lab.0.node(name).unwrap().dir.join("state/ledger.log");
        said += &std::fs::read_to_string(state).unwrap();
    }
    assert!(said.len() > 1000);
    for canary in ["canary", "SELECT", "select ", "< 1961"] {
        assert!(!said.contains(canary), "{canary} was written down");
    }
    // Digests hold any few digits by chance; no word or number is the literal.
    let mut words = said.split(|c: char| !c.is_alphanumeric());
    assert!(!words.any(|word| word == "8532"), "8532 was written down");
}

#[test]
fn after_ctrl_c_the_question_goes_on() {
    let lab = shared();
    lab.0.set_link(
        "southport",
        Link {
            latency_ms: 1500,
            rate_kbps: 0,
        },
    );
    let sql = "SELECT count(*) AS n FROM person WHERE year_of_birth >= 1940";
    let line = lab
        .0
        .quorate_line("alice", ["query", sql, "--format", "json"])
        .unwrap();
    let mut child = line.spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("question ") {
        assert_ne!(told.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    told.read_to_string(&mut said).unwrap();
    let ended = child.wait_with_output().unwrap();
    said += &String::from_utf8_lossy(&ended.stdout);
    lab.0.set_link("southport", Link::default());
    assert_eq!(ended.status.code(), Some(4), "{said}");
    let id = said
        .split_whitespace()
        .find(|word| word.len() == 36 && word.contains('-'))
        .unwrap();
    let fetched = lab
        .0
        .quorate("alice", ["fetch", id, "--wait", "--format", "json"])
        .unwrap();
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert_eq!(node(&json(&fetched), "southport").0, "answered");
}

#[test]
fn with_a_certificate_of_another_network_no_door_opens() {
    let lab = shared();
    let dir = tempfile::tempdir().unwrap();
    let other = self::lab(dir.path(), "state");
    let home = lab.0.home("mallory").unwrap();
    let kept = std::fs::read(home.join("tls.pem")).unwrap();
    std::fs::copy(
        other.home("mallory").unwrap().join("tls.pem"),
        home.join("tls.pem"),
    )
    .unwrap();
    let done = support::ask(&lab.0, "mallory", COUNT, &[]);
    std::fs::write(home.join("tls.pem"), kept).unwrap();
    assert!(done.code.is_some_and(|code| code != 0), "{done:?}");
    assert!(
        done.stdout.is_empty() || json(&done)["rows"].is_null(),
        "{done:?}"
    );
    assert!(!done.stderr.is_empty());
}

#[test]
fn on_a_full_disk_a_node_answers_nothing_and_recovers() {
    let mount = tempfile::tempdir().unwrap();
    let Some(_tmpfs) = Tmpfs::mount(mount.path()) else {
        println!("skipped: a small tmpfs cannot be mounted here (needs root)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let state = format!("{}/${{node}}", mount.path().display());
    let network = lab(dir.path(), &state);
    support::answer(&network, "alice", COUNT);
    let ledger = mount.path().join("northfield/ledger.log");
    let before = std::fs::read(&ledger).unwrap();
    let filler = mount.path().join("filler");
    fill(&filler);
    let done = support::ask(
        &network,
        "alice",
        "SELECT count(*) AS n FROM person WHERE year_of_birth < 1961",
        &[],
    );
    let result = json(&done);
    for (_, name) in NODES {
        let (status, code) = node(&result, name);
        assert_ne!(status, "answered", "{result:#}");
        assert!(code.is_empty() || code.starts_with('E'), "{code}");
    }
    assert_says_nothing(&done, &["no space"]);
    assert!(std::fs::read(&ledger).unwrap().starts_with(&before));
    std::fs::remove_file(&filler).unwrap();
    let again = support::answer(
        &network,
        "alice",
        "SELECT count(*) AS n FROM person WHERE year_of_birth < 1936",
    );
    assert_eq!(node(&again.0, "northfield").0, "answered");
    let verified = network
        .custodian("northfield", ["ledger", "verify"])
        .unwrap();
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// Takes every byte there is.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0; 16]).is_ok() {}
}

/// A small file system of its own, gone with the value.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(path: &Path) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(path);
        let done = mount.output().ok()?;
        done.status.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _gone = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_to_standard_output_is_a_failure() {
    let place = support::scratch();
    let run = |role: &str, arguments: &[&str]| {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut command = std::process::Command::new(support::exe());
        command.args(["role", role]).args(arguments).stdout(full);
        command.current_dir(&place).output().unwrap()
    };
    for (role, arguments) in [
        ("node", &["init", "--dir", "node"][..]),
        (
            "coordinator",
            &[
                "init",
                "--dir",
                "hub",
                "--network",
                "net",
                "--url",
                "https://127.0.0.1:8443",
            ],
        ),
    ] {
        let done = run(role, arguments);
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("standard output cannot be written"), "{said}");
    }
}
