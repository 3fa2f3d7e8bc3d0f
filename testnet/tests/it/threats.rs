//! The threat model and the list of conformance name tests; these make sure that they exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of every Rust source of the workspace.
fn sources(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                sources(&path, text);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Names of tests in the last column of the tables of threats.
fn named(page: &str) -> Vec<String> {
    let threats = page.split("## Threats").nth(1).unwrap();
    let rows = threats
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Threat"));
    rows.flat_map(|row| {
        let column = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names = column.split('`').skip(1).step_by(2);
        let tests = names.filter(|name| name.contains('_') && *name != "compile_fail");
        tests.map(str::to_owned).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let mut text = String::new();
    sources(&root(), &mut text);
    let names = named(&page);
    assert!(
        names.len() > 30,
        "only {} names found: has the page changed shape?",
        names.len()
    );
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !text.contains(&format!("fn {name}(")))
        .collect();
    assert!(
        missing.is_empty(),
        "named in docs/threat-model.md, but no such test: {missing:?}"
    );
}

#[test]
fn every_test_that_conformance_names_exists() {
    let list = fs::read_to_string(root().join("node-agent/src/cli/conformance.json")).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let mut text = String::new();
    sources(&root(), &mut text);
    let mut ids = std::collections::BTreeSet::new();
    for row in &rows {
        assert!(ids.insert(row["id"].as_str().unwrap()), "twice: {row}");
        let (tests, verdict) = (row["tests"].as_array().unwrap(), row["verdict"].as_str());
        let shown = match verdict.unwrap() {
            "met" | "partly" => !tests.is_empty(),
            "not met" => tests.is_empty(),
            "outside" => true,
            other => panic!("{other} is no verdict"),
        };
        assert!(shown, "the verdict and the tests do not fit: {row}");
        assert!(row["evidence"].as_str().is_some_and(|why| why.len() > 10));
        for test in tests {
            let name = test.as_str().unwrap();
            assert!(
                text.contains(&format!("fn {name}(")),
                "no test {name}: {row}"
            );
        }
    }
    // Every row of the requirements for people, projects, data, settings, outputs and the EHDS.
    for (letter, last) in [
        ("P", 10),
        ("J", 6),
        ("D", 12),
        ("S", 16),
        ("O", 9),
        ("E", 7),
    ] {
        for number in 1..=last {
            let id = format!("{letter}{number}");
            assert!(ids.contains(id.as_str()), "nothing is said of {id}");
        }
    }
}
