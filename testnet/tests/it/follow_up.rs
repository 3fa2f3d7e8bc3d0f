//! Analyses of follow-up on the demonstration network: every command of their pages, what they say
//! against what the generator knows, and their pictures.

use std::path::Path;

use quorate_testnet::generate::model::HOSPITALS;
use quorate_testnet::generate::patient::FollowUp;
use quorate_testnet::generate::{self, tables, write};
use quorate_testnet::network::Network;
use serde_json::Value;

use crate::support;

/// Commands of a page: lines that begin with `quorate analyse`, as words.
fn commands(page: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/analyses")
        .join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|line| line.starts_with("quorate analyse "));
    let words = |line: &str| {
        line.split_whitespace()
            .skip(1)
            .map(|word| word.replace('"', ""))
            .collect()
    };
    lines.map(words).collect()
}

fn run(network: &Network, folder: &Path, words: &[String]) -> Value {
    let mut words = words.to_vec();
    let plot = words
        .iter()
        .position(|word| word == "--plot")
        .map(|at| at + 1);
    if let Some(at) = plot {
        words[at] = folder.join(&words[at]).display().to_string();
    }
    let out = folder.join("result.json");
    let file = out.to_str().unwrap();
    words.extend(["--out", file].map(str::to_owned));
    let done = network
        .quorate("alice", words.iter().map(String::as_str))
        .unwrap();
    assert_eq!(
        done.code,
        Some(0),
        "{words:?}\n{}{}",
        done.stdout,
        done.stderr
    );
    let verified = network.quorate("alice", ["verify", file]).unwrap();
    assert_eq!(
        verified.code,
        Some(0),
        "{words:?}\n{}{}",
        verified.stdout,
        verified.stderr
    );
    if let Some(at) = plot {
        let svg = std::fs::read_to_string(&words[at]).unwrap();
        assert!(
            svg.starts_with("<svg") && svg.ends_with("</svg>\n"),
            "{words:?}"
        );
    }
    serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap()
}

fn table<'a>(answer: &'a Value, name: &str) -> &'a Vec<Value> {
    let tables = answer["analysis"]["tables"].as_array().unwrap();
    let found = tables.iter().find(|table| table["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))["rows"]
        .as_array()
        .unwrap()
}

/// Whether a number lies within the limits of an entry.
fn holds(entry: &Value, truth: f64) -> bool {
    let number = |part: &str| {
        entry[part]
            .as_str()
            .map(|text| text.parse::<f64>().unwrap())
    };
    let slack = 1e-9 * truth.abs();
    number("lower").is_none_or(|low| low <= truth + slack)
        && number("upper").is_none_or(|high| truth - slack <= high)
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// The estimate of Kaplan and Meier at the end of each year but the last, which is open.
fn survival(people: &[FollowUp]) -> Vec<f64> {
    let mut share = 1.0;
    let year = |year: i64| {
        let at_risk = people.iter().filter(|p| p.months >= 12 * year).count();
        let died = people
            .iter()
            .filter(|p| p.died == 1 && p.months / 12 == year)
            .count();
        share *= 1.0 - real(died) / real(at_risk);
        share
    };
    (0..3).map(year).collect()
}

#[test]
fn every_command_of_the_pages_about_time_is_answered_and_true() {
    let data = tempfile::tempdir().unwrap();
    let mut people = Vec::new();
    for (place, hospital) in (0..).zip(&HOSPITALS) {
        let patients = generate::patients(1, place, hospital, 100);
        let folder = data.path().join(hospital.name);
        write::write(&tables::tables(&patients), &folder, write::Format::Csv).unwrap();
        people.push((hospital.name, patients));
    }
    let network = support::start("omop/spec.toml", data.path());
    let folder = support::scratch();
    let mut answers = Vec::new();
    for page in ["survival.md", "rate.md", "standardise.md", "meta.md"] {
        let commands = commands(page);
        assert!(!commands.is_empty(), "{page}");
        answers.extend(commands.iter().map(|words| run(&network, &folder, words)));
    }
    let curve = &answers[0];
    assert_eq!(curve["analysis"]["name"], "survival/1");
    let sites = curve["analysis"]["sites"].as_array().unwrap();
    assert!(!sites.is_empty(), "{:#}", curve["analysis"]);
    let followed = |treated: i64| -> Vec<FollowUp> {
        let inside = people
            .iter()
            .filter(|(name, _)| sites.contains(&Value::from(*name)));
        let all = inside.flat_map(|(_, patients)| patients);
        all.filter_map(|patient| patient.follow_up)
            .filter(|f| f.treated == treated)
            .collect()
    };
    let truth = [0, 1].map(|treated| survival(&followed(treated))).concat();
    let rows = table(curve, "curve");
    assert_eq!(rows.len(), truth.len(), "{rows:?}");
    for (row, truth) in rows.iter().zip(truth) {
        assert!(holds(&row["values"]["survival"], truth), "{row} {truth}");
    }
    // Treatment was drawn to help.
    let ratio = &table(curve, "hazard_ratio")[0]["values"]["estimate"];
    assert!(
        ratio["value"].as_str().unwrap().parse::<f64>().unwrap() < 0.9,
        "{ratio}"
    );
}
