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
    the_first_table_is_that_of_the_pooled_files(&network, &people);
    commands_of_the_pages_come_to_tables(&network);

    let table = analyse(
        &network,
        &["crosstab", "--rows", "sex", "--columns", "disease"],
    );
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    for word in [
        "crosstab: tests",
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

/// Values of a column of the persons of one sex, in ascending order.
fn sorted(people: &[Person], column: &str, sex: i128) -> Vec<f64> {
    let of = people.iter().filter(|p| p.get("sex") == Some(&sex));
    let mut values: Vec<f64> = of
        .filter_map(|p| p.get(column).copied().map(real))
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

fn the_first_table_is_that_of_the_pooled_files(network: &Network, people: &[Person]) {
    let args = ["table1", "--variables", "age,chol,disease", "--by", "sex"];
    let found = answer(network, &args);
    let tables = found["tables"].as_array().unwrap();
    let names: Vec<&str> = tables.iter().map(|t| t["name"].as_str().unwrap()).collect();
    let expected = [
        "persons",
        "mean_age",
        "bands_age",
        "mean_chol",
        "bands_chol",
        "levels_disease",
    ];
    assert_eq!(names, expected);
    for (sex, group) in [(0, "sex 0 female"), (1, "sex 1 male")] {
        for column in ["age", "chol"] {
            let values = sorted(people, column, sex);
            let n = f64::from(u32::try_from(values.len()).unwrap());
            let entry = |name: &str| &row(&found, "table1", &format!("{column}: {name}"))[group];
            assert_eq!(number(&entry("n")["value"]), n);
            let mean = number(&entry("mean")["value"]);
            let truth = values.iter().sum::<f64>() / n;
            assert!((mean - truth).abs() < 1e-12 * truth, "{mean} {truth}");
            let median = entry("median");
            let (low, high) = (number(&median["lower"]), number(&median["upper"]));
            let middle = values[values.len() / 2];
            assert!(
                low <= middle && middle <= high && high - low <= 100.0,
                "{median} {middle}"
            );
        }
    }
    let folder = support::scratch();
    let file = folder.join("first.json");
    std::fs::write(&file, found.to_string()).unwrap();
    let verify = |file: &std::path::Path| {
        let file = file.to_str().unwrap();
        network.quorate("alice", ["verify", file]).unwrap()
    };
    let good = verify(&file);
    assert_eq!(good.code, Some(0), "{}{}", good.stdout, good.stderr);
    assert!(
        good.stdout.contains("6 tables recombined"),
        "{}",
        good.stdout
    );
    let mut altered = found.clone();
    altered["tables"][2]["rows"][3]["cells"]["n"]["value"] = "7".into();
    std::fs::write(&file, altered.to_string()).unwrap();
    let bad = verify(&file);
    assert_eq!(bad.code, Some(5), "{}", bad.stdout);
    assert!(bad.stderr.contains("`tables`"), "{}", bad.stderr);
}

/// Every command of the pages about several tables, without asking anybody.
fn commands_of_the_pages_come_to_tables(network: &Network) {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/analyses");
    let mut tried = 0;
    for page in ["table1.md", "quantile.md", "histogram.md"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        for line in text
            .lines()
            .filter_map(|line| line.strip_prefix("quorate analyse "))
        {
            let args = line.split_whitespace().filter(|word| *word != "--check");
            let args: Vec<&str> = args.chain(["--disclosure"]).collect();
            let done = analyse(network, &args);
            assert_eq!(done.code, Some(0), "{line}: {}{}", done.stdout, done.stderr);
            for part in ["TABLE", "Each node sends", "A node shows a cell only with"] {
                assert!(
                    done.stdout.contains(part),
                    "{line}: {part}: {}",
                    done.stdout
                );
            }
            tried += 1;
        }
    }
    assert_eq!(tried, 8);
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
    medians_lie_in_their_bands(&network, &folder);
    assert_eq!(found["protection"]["mode"], "round");
}

/// With protection on, the median of the nodes that are in it lies within its limits.
fn medians_lie_in_their_bands(network: &Network, folder: &std::path::Path) {
    let found = answer(network, &["quantile", "--value", "age", "--at", "0.5"]);
    let sites = found["analysis"]["sites"].as_array().unwrap();
    assert!(!sites.is_empty(), "{found:#}");
    let here = sites
        .iter()
        .flat_map(|site| people(folder, site.as_str().unwrap()));
    let here: Vec<Person> = here.collect();
    let mut ages: Vec<f64> = here.iter().map(|person| real(person["age"])).collect();
    ages.sort_by(f64::total_cmp);
    let median = &row(&found, "quantiles", "all, 0.5")["quantile"];
    let (low, high) = (number(&median["lower"]), number(&median["upper"]));
    let truth = ages[ages.len() / 2];
    assert!(
        low <= truth && truth <= high && high - low <= 20.0,
        "{median} {truth}"
    );
}
