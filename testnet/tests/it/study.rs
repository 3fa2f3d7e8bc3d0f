//! The twenty questions of a study, each as a researcher asks it: SQL, or an analysis of a cohort. DuckDB
//! answered them over the same made-up persons, for every choice of nodes
//! (`tools/reference/questions.py`). Without protection the network says the same; with protection
//! whatever it shows has limits that hold DuckDB's answer for the nodes that are in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quorate_testnet::network::{Network, Options};
use serde_json::Value;

use crate::support;

fn reference() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/study/questions.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn nodes(reference: &Value) -> Vec<String> {
    let names = reference["nodes"].as_array().unwrap().iter();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// Every node's share of the persons: those whose key leaves its place when divided by three. Each is there
/// so many times, under further keys.
fn write_files(reference: &Value, folder: &Path, times: u64) {
    let persons = reference["tables"]["person"].as_str().unwrap();
    let persons = u64::try_from(persons.lines().count()).unwrap() - 1;
    for (place, node) in (0..).zip(nodes(reference)) {
        let own = folder.join(node);
        std::fs::create_dir(&own).unwrap();
        for (table, text) in reference["tables"].as_object().unwrap() {
            let mut lines = text.as_str().unwrap().lines();
            let head = lines.next().unwrap();
            let mut rows = vec![head.to_owned()];
            for line in lines.by_ref() {
                let (key, rest) = line.split_once(',').unwrap();
                let key: u64 = key.parse().unwrap();
                if key % 3 == place {
                    let again = (0..times).map(|time| format!("{},{rest}", key + time * persons));
                    rows.extend(again);
                }
            }
            std::fs::write(own.join(format!("{table}.csv")), rows.join("\n") + "\n").unwrap();
        }
    }
}

struct Study {
    network: Network,
    folder: PathBuf,
    reference: Value,
    /// Which of DuckDB's answers are about the persons of this network.
    answers: &'static str,
}

/// Without protection; or with it, and then every person is there several times, so that there is
/// enough to show.
fn start(synthetic: bool) -> Study {
    let (folder, reference) = (support::scratch(), reference());
    let times = if synthetic {
        Some(1)
    } else {
        reference["times"].as_u64()
    };
    write_files(&reference, &folder, times.unwrap());
    let options = Options::new(support::exe())
        .set("DATA", &folder.display().to_string())
        .set("SYNTHETIC", if synthetic { "true" } else { "false" })
        .folder(&support::scratch());
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/study/spec.toml");
    let network = Network::start(&spec, &options).unwrap();
    Study {
        network,
        folder,
        reference,
        answers: if synthetic {
            "answers"
        } else {
            "answers_of_many"
        },
    }
}

impl Study {
    /// A question's result.
    fn ask(&self, question: &Value) -> Value {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut words = match question.get("sql") {
            Some(sql) => vec!["query".to_owned(), text(sql)],
            None => {
                let asked = question["analyse"].as_array().unwrap();
                let words = asked.iter().map(text);
                std::iter::once("analyse".to_owned()).chain(words).collect()
            }
        };
        if let Some(cohort) = question.get("cohort") {
            let file = self.folder.join("cohort.sql");
            std::fs::write(&file, text(cohort)).unwrap();
            words.extend(["--cohort".to_owned(), file.display().to_string()]);
        }
        words.extend(["--format", "json", "--by-site"].map(str::to_owned));
        let done = self
            .network
            .quorate("alice", words.iter().map(String::as_str));
        let done = done.unwrap();
        let place = &question["name"];
        assert_eq!(
            done.code,
            Some(0),
            "{place}\n{}{}",
            done.stdout,
            done.stderr
        );
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// The answers of DuckDB over the persons of some nodes.
    fn truth<'a>(&self, question: &'a Value, inside: impl Fn(&str) -> bool) -> &'a Vec<Value> {
        let names = nodes(&self.reference);
        let inside: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|n| inside(n))
            .collect();
        question[self.answers][inside.join(",")].as_array().unwrap()
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_str().map(|text| text.parse().unwrap())
}

fn key_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number with its limits, and whether it is one of those that the question asks for exactly.
struct Found<'a> {
    place: String,
    entry: &'a Value,
    truth: f64,
    in_a_band: bool,
}

/// Without protection: the same number, or the band that it lies in.
fn is_equal(found: &Found<'_>) -> bool {
    if found.in_a_band {
        return is_inside(found);
    }
    let value = number(&found.entry["value"]);
    value.is_some_and(|value| (value - found.truth).abs() <= 1e-9 * found.truth.abs())
}

/// With protection: the limits that there are hold the truth.
fn is_inside(found: &Found<'_>) -> bool {
    let slack = 1e-9 * found.truth.abs();
    let low = number(&found.entry["lower"]).is_none_or(|low| low <= found.truth + slack);
    low && number(&found.entry["upper"]).is_none_or(|high| found.truth - slack <= high)
}

/// The numbers of a table by what DuckDB has in the place of each. Cells that are withheld have none, and
/// rows that DuckDB does not have are of nobody.
fn cells<'a>(study: &Study, question: &Value, answer: &'a Value) -> Vec<Found<'a>> {
    let columns = question["columns"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|name| name.as_str().unwrap()).collect();
    let is_key = |name: &str| answer["rows"][0]["key"].get(name).is_some();
    let key_of = |row: &Value| -> Vec<String> {
        let keys = names.iter().filter(|name| is_key(name));
        keys.map(|name| key_text(&row["key"][*name])).collect()
    };
    let mut found = Vec::new();
    for row in answer["rows"].as_array().into_iter().flatten() {
        for (at, name) in names.iter().enumerate().filter(|(_, name)| !is_key(name)) {
            let cell = &row["cells"][*name];
            if cell["withheld"] == true {
                continue;
            }
            let sites = cell["sites"].as_object();
            let inside = |node: &str| sites.is_none_or(|sites| sites.contains_key(node));
            let rows = study.truth(question, inside).iter();
            let same = |line: &&Value| {
                let keys = names.iter().zip(line.as_array().unwrap());
                let keys = keys.filter(|(name, _)| is_key(name));
                keys.map(|(_, value)| key_text(value)).collect::<Vec<_>>() == key_of(row)
            };
            let truth = rows
                .filter(same)
                .map(|line| line[at].as_f64().unwrap())
                .next();
            // Nobody's mean does not exist, and nobody's count is zero.
            if truth.is_some() || number(&cell["value"]).is_some() {
                let place = format!("{} {:?} {name}: {cell}", question["name"], key_of(row));
                let truth = truth.unwrap_or(0.0);
                found.push(Found {
                    place,
                    entry: cell,
                    truth,
                    in_a_band: false,
                });
            }
        }
    }
    found
}

/// Whether an answer says that it is about other persons or intervals than were asked for: what DuckDB says
/// is about all.
fn is_about_others(answer: &Value) -> bool {
    let remarks = answer["analysis"]["remarks"]
        .as_array()
        .into_iter()
        .flatten();
    let begins = ["Left out", "Not in `"];
    // Where nobody is followed for so long, nobody is left out; if somebody was, those at risk show it.
    let nobody = "Left out, because no node released anything of it: 3650 or longer.";
    let texts = remarks.filter_map(Value::as_str);
    let mut texts = texts.filter(|remark| !remark.starts_with(nobody));
    texts.any(|remark| begins.iter().any(|begin| remark.starts_with(begin)))
}

/// Intervals of a curve that stand in the place of finer ones.
fn merged(answer: &Value) -> Vec<(u64, u64)> {
    let remarks = answer["analysis"]["remarks"].as_array().unwrap().iter();
    let begin = "Merged, because part of the grid within was withheld: ";
    let mut lists = remarks.filter_map(|remark| remark.as_str().unwrap().strip_prefix(begin));
    let list = lists.next().unwrap_or_default().trim_end_matches('.');
    let ends = list.split(", ").filter_map(|pair| pair.split_once(" to "));
    ends.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()))
        .collect()
}

/// DuckDB's curve on the grid that the answer has: of an interval that stands for several, those at risk
/// when the first of them began, and the events of all.
fn on_the_grid(truth: &[Value], merged: &[(u64, u64)]) -> Vec<Value> {
    let mut fine: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for line in truth {
        let end = line[1].as_str().unwrap().trim_start_matches(", before ");
        let of = fine.entry(end.parse().unwrap()).or_default();
        match line[2].as_str().unwrap() {
            "at_risk" => of.0 = line[3].as_f64().unwrap(),
            "events" => of.1 = line[3].as_f64().unwrap(),
            _ => {}
        }
    }
    let mut grid: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (end, (at_risk, events)) in fine {
        let wide = merged.iter().find(|(from, to)| *from < end && end <= *to);
        let of = grid.entry(wide.map_or(end, |(_, to)| *to));
        let of = of.or_insert((at_risk, 0.0));
        of.1 += events;
    }
    let mut share = 1.0;
    let mut lines = Vec::new();
    for (end, (at_risk, events)) in grid {
        share *= 1.0 - events / at_risk;
        let values = [
            ("at_risk", at_risk),
            ("events", events),
            ("survival", share),
        ];
        let line = |(column, value)| {
            serde_json::json!(["curve", format!(", before {end}"), column, value])
        };
        lines.extend(values.map(line));
    }
    lines
}

/// The numbers of an analysis that DuckDB has too.
fn statistics<'a>(study: &Study, question: &Value, answer: &'a Value) -> Vec<Found<'a>> {
    let sites = answer["analysis"]["sites"].as_array().unwrap();
    if sites.is_empty() || is_about_others(answer) {
        return Vec::new();
    }
    let truth = study.truth(question, |node| sites.contains(&Value::from(node)));
    let truth = match merged(answer).as_slice() {
        [] => truth.clone(),
        merged => on_the_grid(truth, merged),
    };
    let tables = answer["analysis"]["tables"].as_array().unwrap();
    let mut found = Vec::new();
    for line in &truth {
        let (Some(table), column) = (
            tables.iter().find(|table| table["name"] == line[0]),
            line[2].as_str().unwrap(),
        ) else {
            continue;
        };
        let rows = table["rows"].as_array().unwrap();
        let row = match line[1].as_str() {
            Some(end) => rows
                .iter()
                .find(|row| row["row"].as_str().unwrap().ends_with(end)),
            None => rows.get(usize::try_from(line[1].as_u64().unwrap()).unwrap()),
        };
        if let Some(row) = row {
            found.push(Found {
                place: format!("{} {line}: {row}", question["name"]),
                entry: &row["values"][column],
                truth: line[3].as_f64().unwrap(),
                in_a_band: column == "quantile",
            });
        }
    }
    found
}

fn compare<'a>(study: &Study, question: &Value, answer: &'a Value) -> Vec<Found<'a>> {
    match question.get("sql") {
        Some(_) => cells(study, question, answer),
        None => statistics(study, question, answer),
    }
}

/// All questions; how many numbers were compared by question.
fn ask_all(study: &Study, holds: fn(&Found<'_>) -> bool) -> BTreeMap<String, usize> {
    let (mut compared, mut wrong) = (BTreeMap::new(), Vec::new());
    for question in study.reference["questions"].as_array().unwrap() {
        let answer = study.ask(question);
        let found = compare(study, question, &answer);
        compared.insert(question["name"].as_str().unwrap().to_owned(), found.len());
        let not = found.into_iter().filter(|found| !holds(found));
        wrong.extend(not.map(|found| format!("{} {}", found.truth, found.place)));
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    compared
}

/// The page shows every question as it is asked here.
#[test]
fn the_page_of_the_twenty_questions_is_what_is_asked() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/questions.md");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(&std::fs::read_to_string(path).unwrap());
    for question in reference()["questions"].as_array().unwrap() {
        for part in ["sql", "cohort"] {
            if let Some(text) = question.get(part) {
                let text = words(text.as_str().unwrap());
                assert!(page.contains(&text), "{}: {text}", question["name"]);
            }
        }
        if let Some(asked) = question.get("analyse") {
            let asked = asked.as_array().unwrap().iter();
            let asked: Vec<&str> = asked.map(|word| word.as_str().unwrap()).collect();
            let plain = page.replace('"', "");
            let command = format!("quorate analyse {}", asked.join(" "));
            assert!(plain.contains(&command), "{command}");
        }
    }
}

#[test]
fn the_twenty_questions_have_the_answers_of_duckdb() {
    let study = start(true);
    let compared = ask_all(&study, is_equal);
    println!("{compared:#?}");
    let questions: std::collections::BTreeSet<&str> = compared
        .keys()
        .map(|name| name.split('.').next().unwrap())
        .collect();
    assert_eq!(questions.len(), 20);
    assert!(compared.values().all(|count| *count > 0), "{compared:#?}");
    assert!(compared.values().sum::<usize>() > 250, "{compared:#?}");
}

#[test]
fn what_protection_leaves_of_the_twenty_questions_holds_the_answers_of_duckdb() {
    let study = start(false);
    let compared = ask_all(&study, is_inside);
    println!("{compared:#?}");
    let shown = compared.values().filter(|count| **count > 0).count();
    assert!(shown >= 10, "{compared:#?}");
    assert!(compared.values().sum::<usize>() > 40, "{compared:#?}");
    // Models, correlations, and a curve whose thin years are merged. The other curve shows nothing after all
    // that was asked before it in the same history.
    for (begin, least) in [("19.", 2), ("15.", 1)] {
        let of = |(name, count): (&String, &usize)| name.starts_with(begin) && *count > 0;
        let shown = compared.iter().filter(|one| of(*one)).count();
        assert!(shown >= least, "{begin}: {compared:#?}");
    }
}
