//! The generated hospitals: what the network answers against what the generator knows.

use quorate_testnet::generate::model::{HOSPITALS, concept};
use quorate_testnet::generate::patient::Patient;
use quorate_testnet::generate::{self, tables, write};
use quorate_testnet::network::Network;

use crate::oracle::events::{
    Event, by_concept, release_moments, release_persons, release_records_beside_persons,
};
use crate::oracle::exact::decimal;
use crate::oracle::rules::{Combined, Released, SLACK, combine, round_count};
use crate::oracle::{ask::Stat, exact::whole};
use crate::support;

struct Hospitals {
    network: Network,
    people: Vec<Vec<Patient>>,
    _data: tempfile::TempDir,
}

/// CSV at two hospitals, Parquet at the others would need two templates; all are CSV here.
fn start() -> Hospitals {
    let data = tempfile::tempdir().unwrap();
    let mut people = Vec::new();
    for (place, hospital) in (0..).zip(&HOSPITALS) {
        let patients = generate::patients(1, place, hospital, 100);
        let folder = data.path().join(hospital.name);
        write::write(&tables::tables(&patients), &folder, write::Format::Csv).unwrap();
        people.push(patients);
    }
    let network = support::start("omop/spec.toml", data.path());
    Hospitals {
        network,
        people,
        _data: data,
    }
}

fn events(people: &[Patient], rows: impl Fn(&Patient) -> Vec<(i64, Option<i64>)>) -> Vec<Event> {
    let of = |person: &Patient| {
        let id = person.id;
        let event = move |(concept, tenths): (i64, Option<i64>)| Event {
            person: id,
            concept,
            value: tenths.map(|v| i128::from(v) * 10),
        };
        rows(person).into_iter().map(event).collect::<Vec<_>>()
    };
    people.iter().flat_map(of).collect()
}

fn conditions(people: &[Patient]) -> Vec<Event> {
    events(people, |p| {
        p.conditions.iter().map(|(c, _)| (*c, None)).collect()
    })
}

/// A mean over the rows of all hospitals lies within the printed limits, if no hospital withheld it.
fn check_mean(cell: &serde_json::Value, rows: &[Vec<Event>], place: &str) {
    let bound = |name: &str| cell[name].as_str().map(decimal);
    let shown = cell["sites"].as_object().map_or(0, serde_json::Map::len);
    // History may withhold it at a hospital; not at most of them.
    assert!(2 * shown > rows.len(), "{place}: {cell}");
    let values: Vec<i128> = rows.iter().flatten().filter_map(|row| row.value).collect();
    let number = i128::try_from(values.len()).unwrap();
    // Values come in hundredths.
    let truth = whole(values.iter().sum()) / whole(100 * number);
    match (bound("lower"), bound("upper")) {
        (Some(low), Some(high)) => {
            assert!(low <= truth && truth <= high, "{place}: {truth} {cell}");
        }
        _ => assert!(shown < rows.len(), "{place}: {cell}"),
    }
}

/// Every hospital's value and their sum; a withheld one is shown nowhere.
fn check(cell: &serde_json::Value, released: &[Released], place: &str) {
    let names: Vec<&str> = HOSPITALS.iter().map(|hospital| hospital.name).collect();
    let (left, by_history) = support::beside_others(&names, released, cell);
    // Means over events of nearly everybody stand beside the core tables: their persons are nearly
    // those of a table that is known, so history may withhold them.
    let means = released.iter().all(|r| !matches!(r, Released::Count(_)));
    assert!(by_history == 0 || means, "{place}: {cell}");
    let released = left.as_slice();
    for (hospital, released) in HOSPITALS.iter().zip(released) {
        let shown = cell["sites"]
            .get(hospital.name)
            .and_then(serde_json::Value::as_str)
            .map(decimal);
        let wanted = match released {
            Released::Count(n) => Some(whole(*n)),
            Released::Moments(m) => Some(m.mean.clone()),
            _ => None,
        };
        assert_eq!(shown, wanted, "{} {place}: {cell}", hospital.name);
    }
    match combine(Stat::Persons, released) {
        None => assert_eq!(cell["withheld"], true, "{place}"),
        Some(Combined::Value(sum)) if released.iter().any(|r| matches!(r, Released::Count(_))) => {
            assert_eq!(decimal(cell["value"].as_str().unwrap()), sum, "{place}");
        }
        Some(_) => assert!(cell["value"].is_string(), "{place}"),
    }
}

#[test]
fn answers_are_the_generators_truth() {
    let hospitals = start();
    persons_by_sex(&hospitals);
    conditions_by_concept(&hospitals);
    metformin_among_diabetics(&hospitals);
    pressure_by_sex(&hospitals);
    deaths(&hospitals);
}

fn persons_by_sex(hospitals: &Hospitals) {
    let sql = "SELECT gender_concept_id, count(*) AS n FROM person GROUP BY gender_concept_id";
    let answer = support::answer(&hospitals.network, "alice", sql);
    for gender in [concept::MALE, concept::FEMALE] {
        let released: Vec<Released> = hospitals
            .people
            .iter()
            .map(|people| people.iter().filter(|p| p.gender == gender).count())
            .map(|n| Released::Count(round_count(i128::try_from(n).unwrap())))
            .collect();
        let cell = answer.cell(
            &["gender_concept_id".to_owned()],
            &vec![Some(gender.to_string())],
            "n",
        );
        check(cell, &released, sql);
        let truth: usize = hospitals
            .people
            .iter()
            .flatten()
            .filter(|p| p.gender == gender)
            .count();
        let low = decimal(cell["lower"].as_str().unwrap());
        let high = decimal(cell["upper"].as_str().unwrap());
        let truth = whole(i128::try_from(truth).unwrap());
        assert!(low <= truth && truth <= high);
        assert_eq!(high - low, whole(2 * SLACK * 4));
    }
}

/// An open domain lists what some hospital may show, and nothing else.
fn conditions_by_concept(hospitals: &Hospitals) {
    let sql = "SELECT condition_concept_id, count(DISTINCT person_id) AS persons, count(*) AS records \
               FROM condition_occurrence GROUP BY condition_concept_id";
    let answer = support::answer(&hospitals.network, "alice", sql);
    let keys = ["condition_concept_id".to_owned()];
    let sites: Vec<_> = hospitals
        .people
        .iter()
        .map(|p| by_concept(&conditions(p)))
        .collect();
    let mut listed = 0;
    for code in [
        concept::T2DM,
        concept::HYPERTENSION,
        concept::OSTEOARTHRITIS,
        concept::GI_BLEED,
        concept::SINUSITIS,
    ] {
        let rows: Vec<Vec<Event>> = sites
            .iter()
            .map(|site| site.get(&code).cloned().unwrap_or_default())
            .collect();
        let persons: Vec<Released> = rows.iter().map(|rows| release_persons(rows)).collect();
        let records = rows
            .iter()
            .map(|rows| release_records_beside_persons(rows, 200));
        let records: Vec<Released> = records.collect();
        if persons.iter().all(|r| *r == Released::Withheld) {
            continue;
        }
        listed += 1;
        let key = vec![Some(code.to_string())];
        check(
            answer.cell(&keys, &key, "persons"),
            &persons,
            &format!("persons with {code}"),
        );
        check(
            answer.cell(&keys, &key, "records"),
            &records,
            &format!("records of {code}"),
        );
    }
    assert_eq!(answer.rows(&keys).len(), listed);
}

fn metformin_among_diabetics(hospitals: &Hospitals) {
    let sql = "SELECT count(*) AS n FROM person \
               WHERE person_id IN (SELECT person_id FROM condition_occurrence WHERE condition_concept_id IN set.t2dm) \
               AND person_id NOT IN (SELECT person_id FROM drug_exposure WHERE drug_concept_id IN set.metformin)";
    let answer = support::answer(&hospitals.network, "alice", sql);
    let untreated = |people: &Vec<Patient>| {
        let takes = |p: &Patient| p.drugs.iter().any(|(drug, ..)| *drug == concept::METFORMIN);
        let n = people
            .iter()
            .filter(|p| p.has(concept::T2DM) && !takes(p))
            .count();
        let n = i128::try_from(n).unwrap();
        if n < 8 {
            Released::Withheld
        } else {
            Released::Count(round_count(n))
        }
    };
    let released: Vec<Released> = hospitals.people.iter().map(untreated).collect();
    check(answer.cell(&[], &Vec::new(), "n"), &released, sql);
}

/// One column holds many quantities: the mean of systolic pressure, one value per visit.
fn pressure_by_sex(hospitals: &Hospitals) {
    let sql = "SELECT p.gender_concept_id, avg(m.value_as_number) AS sbp \
               FROM measurement m JOIN person p ON m.person_id = p.person_id \
               WHERE m.measurement_concept_id IN set.sbp GROUP BY p.gender_concept_id";
    let answer = support::answer(&hospitals.network, "alice", sql);
    for gender in [concept::MALE, concept::FEMALE] {
        let rows: Vec<Vec<Event>> = hospitals
            .people
            .iter()
            .map(|people| {
                let here: Vec<Patient> = people
                    .iter()
                    .filter(|p| p.gender == gender)
                    .cloned()
                    .collect();
                events(&here, |p| {
                    let systolic = p.measurements.iter().filter(|m| m.0 == concept::SBP);
                    systolic
                        .map(|(concept, _, value)| (*concept, *value))
                        .collect()
                })
            })
            .collect();
        let released = rows.iter().map(|rows| release_moments(rows, (40, 300)));
        let released: Vec<Released> = released.collect();
        let cell = answer.cell(
            &["gender_concept_id".to_owned()],
            &vec![Some(gender.to_string())],
            "sbp",
        );
        check(cell, &released, sql);
        check_mean(cell, &rows, sql);
    }
}

fn deaths(hospitals: &Hospitals) {
    let sql = "SELECT count(*) AS n FROM person WHERE person_id IN (SELECT person_id FROM death)";
    let answer = support::answer(&hospitals.network, "alice", sql);
    let dead = |people: &Vec<Patient>| {
        let n = i128::try_from(people.iter().filter(|p| p.death.is_some()).count()).unwrap();
        if n < 8 {
            Released::Withheld
        } else {
            Released::Count(round_count(n))
        }
    };
    let released: Vec<Released> = hospitals.people.iter().map(dead).collect();
    check(answer.cell(&[], &Vec::new(), "n"), &released, sql);
}
