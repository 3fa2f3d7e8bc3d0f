//! Analyses through a whole network: signed, expanded by every party, computed where the result is
//! believed, verified again from the file.

use quorate_testnet::network::Network;
use quorate_testnet::process::Done;
use serde_json::Value;

use crate::oracle::ask::Person;
use crate::oracle::heart::{HOSPITALS, people};
use crate::support;

pub(crate) fn start(spec: &str) -> Option<(Network, Vec<Person>)> {
    let folder = support::shared_data("heart-disease")?;
    let people = HOSPITALS
        .iter()
        .flat_map(|hospital| people(&folder, hospital));
    let people = people.collect();
    Some((support::start(spec, &folder), people))
}

fn analyse(network: &Network, args: &[&str]) -> Done {
    network
        .quorate("alice", [&["analyse"], args].concat())
        .unwrap()
}

pub(crate) fn answer(network: &Network, args: &[&str]) -> Value {
    let done = analyse(network, &[args, &["--format", "json"]].concat());
    assert_eq!(
        done.code,
        Some(0),
        "{args:?}\n{}\n{}",
        done.stdout,
        done.stderr
    );
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["status"], "answered");
    value
}

pub(crate) fn row<'a>(answer: &'a Value, table: &str, row: &str) -> &'a Value {
    let tables = answer["analysis"]["tables"].as_array().unwrap();
    let found = tables.iter().find(|found| found["name"] == table);
    let rows = found.unwrap_or_else(|| panic!("no {table}: {tables:?}"))["rows"]
        .as_array()
        .unwrap();
    let found = rows.iter().find(|found| found["row"] == row);
    &found.unwrap_or_else(|| panic!("no {row}: {rows:?}"))["values"]
}

pub(crate) fn number(value: &Value) -> f64 {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .parse()
        .unwrap()
}

pub(crate) fn real(value: i128) -> f64 {
    f64::from(i32::try_from(value).unwrap())
}

/// Number, mean and squared standard error.
fn group(people: &[Person], disease: i128) -> (f64, f64, f64) {
    let of = people
        .iter()
        .filter(|person| person.get("disease") == Some(&disease));
    let values: Vec<f64> = of
        .filter_map(|person| person.get("thalach").copied().map(real))
        .collect();
    let n = f64::from(u32::try_from(values.len()).unwrap());
    let mean = values.iter().sum::<f64>() / n;
    let spread = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    (n, mean, spread / (n - 1.0) / n)
}

fn welch(people: &[Person]) -> f64 {
    let ((_, x, u), (_, y, v)) = (group(people, 0), group(people, 1));
    (x - y) / (u + v).sqrt()
}

#[test]
fn a_t_test_over_four_hospitals_is_that_of_their_pooled_files() {
    let Some((network, people)) = start("heart-disease/spec-synthetic.toml") else {
        return;
    };
    let found = answer(
        &network,
        &["ttest", "--value", "thalach", "--by", "disease"],
    );
    assert_eq!(found["analysis"]["name"], "ttest/1");
    assert_eq!(found["analysis"]["arguments"]["value"], "thalach");
    let t = number(&row(&found, "tests", "welch")["t"]["value"]);
    assert!(
        (t - welch(&people)).abs() < 1e-10 * t.abs(),
        "{t} {}",
        welch(&people)
    );
    // The table beneath it is the one that its text asks for.
    let text = found["question"]["text"].as_str().unwrap();
    let asked = support::answer(&network, "alice", text);
    assert_eq!(asked.0["question"]["hash"], found["question"]["hash"]);

    the_file_is_verified_to_the_last_number(&network, &found);

    let table = analyse(
        &network,
        &["crosstab", "--rows", "sex", "--columns", "disease"],
    );
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    for word in [
        "crosstab/1: tests",
        "chi_squared_corrected",
        "mantel_haenszel",
        "UNPROTECTED",
    ] {
        assert!(table.stdout.contains(word), "{word}\n{}", table.stdout);
    }
    let refused = analyse(&network, &["anova", "--value", "thalach", "--by", "weight"]);
    assert_eq!(
        refused.code,
        Some(2),
        "{}{}",
        refused.stdout,
        refused.stderr
    );
    assert!(refused.stderr.contains("V400"), "{}", refused.stderr);
}

fn the_file_is_verified_to_the_last_number(network: &Network, found: &Value) {
    let folder = support::scratch();
    let verify = |name: &str, value: &Value| {
        let file = folder.join(name);
        std::fs::write(&file, value.to_string()).unwrap();
        network
            .quorate("alice", ["verify", file.to_str().unwrap()])
            .unwrap()
    };
    let good = verify("good.json", found);
    assert_eq!(good.code, Some(0), "{}{}", good.stdout, good.stderr);
    let mut altered = found.clone();
    let tables = altered["analysis"]["tables"].as_array_mut().unwrap();
    tables[1]["rows"][0]["values"]["p"]["value"] = "0.04".into();
    let bad = verify("bad.json", &altered);
    assert_eq!(bad.code, Some(5), "{}", bad.stdout);
    assert!(bad.stderr.contains("`analysis`"), "{}", bad.stderr);
}

#[test]
fn protected_numbers_hold_the_truth_of_the_hospitals_in_them() {
    let Some((network, _)) = start("heart-disease/spec.toml") else {
        return;
    };
    let folder = support::shared_data("heart-disease").unwrap();
    let found = answer(
        &network,
        &["ttest", "--value", "thalach", "--by", "disease"],
    );
    let sites = found["analysis"]["sites"].as_array().unwrap();
    assert!(!sites.is_empty(), "{found:#}");
    let here: Vec<Person> = sites
        .iter()
        .flat_map(|site| people(&folder, site.as_str().unwrap()))
        .collect();
    let t = &row(&found, "tests", "welch")["t"];
    let (low, high) = (number(&t["lower"]), number(&t["upper"]));
    let truth = welch(&here);
    assert!(low <= truth && truth <= high && low < high, "{t} {truth}");
    assert_eq!(found["protection"]["mode"], "round");
}
