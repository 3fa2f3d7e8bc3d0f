//! Made-up OMOP sets, split into three sites by person: exact counts of persons and records by
//! concept, and sums and means, against the independent computation on the whole files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use num_rational::BigRational;
use quorate_testnet::network::Network;

use crate::oracle::events::{
    Event, by_concept, exact_moments, exact_sum, persons, read, records, site,
};
use crate::oracle::exact::{decimal, fifteen, fifteen_root, whole};
use crate::support;

/// Tables, their concept columns and how many rows of a person count.
const TABLES: [(&str, &str, i128); 4] = [
    ("condition_occurrence", "condition_concept_id", 200),
    ("drug_exposure", "drug_concept_id", 200),
    ("measurement", "measurement_concept_id", 500),
    ("visit_occurrence", "visit_concept_id", 200),
];

fn events(folder: &Path, table: &str, concept: &str) -> Vec<Event> {
    read(&folder.join(format!("{table}.parquet")), concept, None)
}

/// Counts by concept of every table of a set.
fn counts_by_concept(network: &Network, folder: &Path) {
    for (table, concept, max_rows) in TABLES {
        let sql = format!(
            "SELECT {concept}, count(DISTINCT person_id) AS persons, count(*) AS records \
             FROM {table} GROUP BY {concept}"
        );
        let answer = support::answer(network, "alice", &sql);
        let keys = [concept.to_owned()];
        let wanted = by_concept(&events(folder, table, concept));
        assert_eq!(answer.rows(&keys).len(), wanted.len(), "{sql}");
        for (code, rows) in wanted {
            let key = vec![Some(code.to_string())];
            let cell = |name: &str| answer.cell(&keys, &key, name).clone();
            let place = format!("{table} {code}");
            let number = |name: &str| decimal(cell(name)["value"].as_str().unwrap());
            assert_eq!(number("persons"), whole(persons(&rows)), "{place}");
            assert_eq!(
                number("records"),
                whole(records(&rows, max_rows)),
                "{place}"
            );
            for index in 0..3 {
                let here = whole(persons(&site(&rows, index)));
                let shown = cell("persons")["sites"][format!("site-{index}")]
                    .as_str()
                    .map(decimal);
                assert_eq!(shown, Some(here), "{place} site {index}");
            }
        }
    }
}

fn set(name: &str) -> Option<(PathBuf, Network)> {
    let data = support::shared_data("omop-synthetic")?;
    let network = support::start(&format!("omop-synthetic/{name}.toml"), &data);
    Some((data.join(name), network))
}

#[test]
fn gibleed_counts_are_those_of_the_files() {
    let Some((folder, network)) = set("gibleed") else {
        return;
    };
    counts_by_concept(&network, &folder);
    let ask = |sql: &str| {
        let answer = support::answer(&network, "alice", sql);
        answer.cell(&[], &Vec::new(), "n")["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(ask("SELECT count(*) AS n FROM person"), "2694");
    // as the readme of the set says
    let having = |set: &str| {
        format!("SELECT count(*) AS n FROM person WHERE person_id IN (SELECT person_id FROM {set})")
    };
    assert_eq!(
        ask(&having(
            "condition_occurrence WHERE condition_concept_id IN set.gi_bleed"
        )),
        "479"
    );
    assert_eq!(
        ask(&having("drug_exposure WHERE drug_concept_id = 1118084")),
        "1844"
    );
    assert_eq!(
        ask(&having("drug_exposure WHERE drug_concept_id = 1124300")),
        "850"
    );
}

#[test]
fn synthea_counts_and_means_are_those_of_the_files() {
    let Some((folder, network)) = set("synthea-1k") else {
        return;
    };
    counts_by_concept(&network, &folder);
    values(&network, &folder, &[("pain", 43_055_141, (0, 10))]);
}

#[test]
fn the_small_set_with_plausible_values_agrees_too() {
    let Some((folder, network)) = set("synthea27nj") else {
        return;
    };
    counts_by_concept(&network, &folder);
    let asked = [
        ("sbp", 3_004_249, (40, 300)),
        ("dbp", 3_012_888, (20, 200)),
        ("bmi", 3_038_553, (10, 80)),
    ];
    values(&network, &folder, &asked);
}

/// Sum, mean and standard deviation of one quantity, by the sex of the person.
fn values(network: &Network, folder: &Path, asked: &[(&str, i64, (i128, i128))]) {
    let all = read(
        &folder.join("measurement.parquet"),
        "measurement_concept_id",
        Some("value_as_number"),
    );
    let people = read(&folder.join("person.parquet"), "gender_concept_id", None);
    let sex: BTreeMap<i64, i64> = people.iter().map(|p| (p.person, p.concept)).collect();
    for (name, concept, bounds) in asked {
        let sql = format!(
            "SELECT p.gender_concept_id, sum(m.value_as_number) AS total, avg(m.value_as_number) AS mean, \
             stddev(m.value_as_number) AS sd, count(m.value_as_number) AS known \
             FROM measurement m JOIN person p ON m.person_id = p.person_id \
             WHERE m.measurement_concept_id IN set.{name} GROUP BY p.gender_concept_id"
        );
        let answer = support::answer(network, "alice", &sql);
        let keys = ["gender_concept_id".to_owned()];
        for gender in [8507, 8532] {
            let known: Vec<Event> = all
                .iter()
                .filter(|e| e.concept == *concept && e.value.is_some() && sex[&e.person] == gender)
                .cloned()
                .collect();
            let most = by_person_most(&known);
            assert!(
                most <= 500,
                "a person has {most} rows: clamp in the oracle first"
            );
            let key = vec![Some(gender.to_string())];
            let number = |name: &str| {
                let cell = answer.cell(&keys, &key, name);
                decimal(
                    cell["value"]
                        .as_str()
                        .unwrap_or_else(|| panic!("{sql}: {cell}")),
                )
            };
            let (mean, variance) = exact_moments(&known, *bounds);
            let rows: BigRational = whole(i128::try_from(known.len()).unwrap());
            assert_eq!(number("known"), rows, "{name}");
            assert_eq!(
                number("total"),
                fifteen(&exact_sum(&known, *bounds)),
                "{name}"
            );
            assert_eq!(number("mean"), fifteen(&mean), "{name}");
            assert_eq!(number("sd"), fifteen_root(&variance), "{name}");
        }
    }
}

fn by_person_most(events: &[Event]) -> usize {
    let mut rows: BTreeMap<i64, usize> = BTreeMap::new();
    for event in events {
        *rows.entry(event.person).or_default() += 1;
    }
    rows.into_values().max().unwrap_or(0)
}
