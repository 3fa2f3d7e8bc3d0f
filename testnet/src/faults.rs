//! Faults on purpose: parties are killed with `kill -9` and started again while a question runs.
//!
//! That a question really runs is not left to luck: the links are slow while a scenario lasts, so
//! that every message is on its way for longer than it takes to kill somebody. Afterwards each
//! scenario is judged by three witnesses: the answer equals what the generator knows, the answer
//! fetched again is the same signed bytes, and every node's ledger is whole and holds exactly one
//! answer to the question.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, ExitCode};
use std::time::Duration;

use serde_json::Value;

use crate::clock;
use crate::demo;
use crate::evidence;
use crate::generate::{self, model::HOSPITALS};
use crate::network::{Network, NetworkError, Options};
use crate::print;
use crate::process::Done;
use crate::relay::Link;

/// One way of hurting a network while a question runs.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What happens, for the table.
    pub name: &'static str,
    /// The question counts persons born in or after this year: another one in every scenario.
    born: i64,
    after: Duration,
    hurt: fn(&mut Network, &mut Child) -> Result<(), NetworkError>,
}

/// One way over a slow link: far longer than a kill, far shorter than a deadline.
const SLOW: Link = Link {
    latency_ms: 2500,
    rate_kbps: 0,
};
/// After this time the question is recorded and on its way to the nodes.
const EARLY: Duration = Duration::from_millis(300);
/// After this time the nodes have answered, and the answers are on their way back.
const LATE: Duration = Duration::from_millis(3200);
/// The node that is hurt alone.
const VICTIM: &str = "southport";

/// Every scenario.
pub const SCENARIOS: [Scenario; 8] = [
    scenario(
        "node killed while the question is on its way",
        1950,
        EARLY,
        one_node,
    ),
    scenario(
        "node killed while its answer is on its way",
        1955,
        LATE,
        one_node,
    ),
    scenario("link cut while the answer is on its way", 1960, LATE, link),
    scenario(
        "coordinator killed before any answer",
        1965,
        EARLY,
        coordinator,
    ),
    scenario(
        "coordinator killed while answers arrive",
        1970,
        LATE,
        coordinator,
    ),
    scenario("researcher killed while waiting", 1975, EARLY, researcher),
    scenario("every node killed at once", 1980, EARLY, all_nodes),
    scenario("everybody killed at once", 1985, LATE, everybody),
];

const fn scenario(
    name: &'static str,
    born: i64,
    after: Duration,
    hurt: fn(&mut Network, &mut Child) -> Result<(), NetworkError>,
) -> Scenario {
    Scenario {
        name,
        born,
        after,
        hurt,
    }
}

/// What was on the wire to or from a node is lost with it.
fn kill(network: &mut Network, nodes: &[String]) {
    for name in nodes {
        network.cut(name);
        network.kill_node(name);
    }
}

/// Links are fast again, and whoever is down comes back.
fn recover(network: &mut Network) -> Result<(), NetworkError> {
    for name in network.node_names() {
        network.mend(&name);
        network.set_link(&name, Link::default());
    }
    network.start_all()
}

fn one_node(network: &mut Network, _: &mut Child) -> Result<(), NetworkError> {
    kill(network, &[VICTIM.to_owned()]);
    recover(network)
}

fn link(network: &mut Network, _: &mut Child) -> Result<(), NetworkError> {
    network.cut(VICTIM);
    std::thread::sleep(Duration::from_secs(1));
    recover(network)
}

fn coordinator(network: &mut Network, _: &mut Child) -> Result<(), NetworkError> {
    network.kill_coordinator();
    recover(network)
}

fn researcher(network: &mut Network, child: &mut Child) -> Result<(), NetworkError> {
    drop(child.kill());
    recover(network)
}

fn all_nodes(network: &mut Network, _: &mut Child) -> Result<(), NetworkError> {
    kill(network, &network.node_names());
    recover(network)
}

fn everybody(network: &mut Network, child: &mut Child) -> Result<(), NetworkError> {
    drop(child.kill());
    network.kill_coordinator();
    kill(network, &network.node_names());
    recover(network)
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The scenario.
    pub name: &'static str,
    /// From the question to its answer.
    pub time: Duration,
    /// What is wrong, if anything is.
    pub wrong: Option<String>,
}

/// Runs all scenarios and prints a table; the exit code is 1 if anything was lost or doubled.
///
/// # Errors
/// When the network cannot be started.
pub fn run(exe: &Path) -> anyhow::Result<ExitCode> {
    let dir = tempfile::Builder::new()
        .prefix("quorate-faults-")
        .tempdir()?;
    print::note("starting the four hospitals ...");
    let mut network = start(exe, dir.path())?;
    let mut verdicts = Vec::new();
    for scenario in SCENARIOS {
        print::note(&format!("{} ...", scenario.name));
        verdicts.push(play(&mut network, scenario));
    }
    network.stop();
    let mut table = comfy_table::Table::new();
    table.set_header(["scenario", "answered after", "verdict"]);
    for verdict in &verdicts {
        let told = verdict
            .wrong
            .clone()
            .unwrap_or_else(|| "nothing lost, nothing answered twice".into());
        table.add_row([
            verdict.name.to_owned(),
            format!("{:.1} s", verdict.time.as_secs_f64()),
            told,
        ]);
    }
    print::out(&table.to_string());
    let sound = verdicts.iter().all(|verdict| verdict.wrong.is_none());
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The demonstration network, in a folder.
///
/// # Errors
/// When it cannot be started.
pub fn start(exe: &Path, dir: &Path) -> anyhow::Result<Network> {
    demo::prepare(dir)?;
    // Without core tables every count here is news: otherwise a hospital withholds what would give
    // away its few oldest persons, and the scenarios would not see whether it answers.
    let codebook = dir.join("spec/codebook.toml");
    let text = std::fs::read_to_string(&codebook)?;
    let contract = text.split("[[core]]").next().unwrap_or_default();
    std::fs::write(&codebook, contract)?;
    let options = Options::new(exe)
        .set("DATA", &dir.join("data").display().to_string())
        .folder(&dir.join("network"));
    Ok(Network::start(&dir.join("spec/spec.toml"), &options)?)
}

/// Plays one scenario.
pub fn play(network: &mut Network, scenario: Scenario) -> Verdict {
    let start = clock::now();
    for name in network.node_names() {
        network.set_link(&name, SLOW);
    }
    let outcome = hurt_and_judge(network, scenario);
    Verdict {
        name: scenario.name,
        time: start.elapsed(),
        wrong: outcome.err().map(|e| e.to_string()),
    }
}

fn hurt_and_judge(network: &mut Network, scenario: Scenario) -> anyhow::Result<()> {
    let sql = format!(
        "SELECT count(*) AS n FROM person WHERE year_of_birth >= {}",
        scenario.born
    );
    let before = questions(network)?;
    let mut asking = network
        .quorate_line("alice", ["query", &sql, "--format", "json"])?
        .spawn()?;
    let id = clock::wait_for(Duration::from_secs(20), || {
        questions(network)
            .ok()?
            .into_keys()
            .find(|id| !before.contains_key(id))
    });
    let id = id.ok_or_else(|| anyhow::anyhow!("the question was never recorded"))?;
    std::thread::sleep(scenario.after);
    let status = questions(network)?.remove(&id).unwrap_or_default();
    anyhow::ensure!(
        status == "running",
        "too late to hurt anybody: the question is {status}"
    );
    let hurt = (scenario.hurt)(network, &mut asking);
    drop(asking.kill());
    drop(asking.wait());
    hurt?;
    let first = fetch(network, &id)?;
    judge(network, &id, &first, scenario.born)?;
    let again = fetch(network, &id)?;
    anyhow::ensure!(
        nodes(&first) == nodes(&again),
        "fetched twice, the signed answers differ"
    );
    Ok(())
}

/// Questions that the coordinator's journal holds, with their status.
fn questions(network: &Network) -> anyhow::Result<BTreeMap<String, String>> {
    let done = network.operator(["questions", "--json"])?;
    anyhow::ensure!(done.code == Some(0), "{}", done.stderr);
    let mut found = BTreeMap::new();
    for line in done.stdout.lines() {
        let row: Value = serde_json::from_str(line)?;
        found.insert(text(&row, "question"), text(&row, "status"));
    }
    Ok(found)
}

fn fetch(network: &Network, id: &str) -> anyhow::Result<Value> {
    let Done {
        code,
        stdout,
        stderr,
    } = network.quorate(
        "alice",
        ["fetch", id, "--wait", "--by-site", "--format", "json"],
    )?;
    anyhow::ensure!(
        code == Some(0),
        "fetch ended with {code:?}: {stdout}{stderr}"
    );
    Ok(serde_json::from_str(&stdout)?)
}

fn judge(network: &Network, id: &str, result: &Value, born: i64) -> anyhow::Result<()> {
    let status = text(result, "status");
    anyhow::ensure!(status == "answered", "the question ended as {status}");
    let cell = result
        .pointer("/rows/0/cells/n")
        .cloned()
        .unwrap_or_default();
    for (hospital, wanted) in truth(born) {
        let shown = cell
            .pointer(&format!("/sites/{hospital}"))
            .and_then(Value::as_str);
        anyhow::ensure!(
            shown == wanted.as_deref(),
            "{hospital} answered {shown:?}, the truth is {wanted:?}"
        );
    }
    for name in network.node_names() {
        one_answer(network, &name, id)?;
    }
    Ok(())
}

/// A node's ledger is whole and holds exactly one answer to the question.
fn one_answer(network: &Network, node: &str, id: &str) -> anyhow::Result<()> {
    let verified = network.custodian(node, ["ledger", "verify"])?;
    anyhow::ensure!(
        verified.code == Some(0),
        "{node}: {}{}",
        verified.stdout,
        verified.stderr
    );
    let answers = evidence::closed(&network.node(node)?.dir, id, &["answered", "recovered"]);
    anyhow::ensure!(
        answers == 1,
        "{node} recorded {answers} answers to the question"
    );
    Ok(())
}

/// What every hospital has to say, by the rules: below 8 nothing, else to the nearest five.
fn truth(born: i64) -> BTreeMap<&'static str, Option<String>> {
    let count = |(place, hospital): (u64, &generate::model::Hospital)| {
        let people = generate::patients(1, place, hospital, 100);
        let n = people.iter().filter(|person| person.born >= born).count();
        (
            hospital.name,
            (n >= 8).then(|| ((n + 2) / 5 * 5).to_string()),
        )
    };
    (0..).zip(&HOSPITALS).map(count).collect()
}

fn nodes(result: &Value) -> Option<&Value> {
    result.get("nodes")
}

fn text(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
