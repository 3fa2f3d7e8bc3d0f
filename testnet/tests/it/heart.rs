//! Four real hospitals: every released cell against the independent computation on their files,
//! once protected and once as if the patients were made up.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use quorate_testnet::network::Network;
use serde_json::Value;

use crate::oracle::ask::{Ask, By, Key, Person, Stat, Where, find};
use crate::oracle::exact::{
    decimal, fifteen, fifteen_root, magnitude, nearest, nearest_root, ten, whole,
};
use crate::oracle::heart::{HOSPITALS, columns, people};
use crate::oracle::rules::{
    Combined, K_EFF, Released, SLACK, combine, mean_and_variance, release, site_value,
    withheld_groups,
};
use crate::support::{self, Answer};

/// Columns that the codebook tags as sensitive.
const SENSITIVE: [&str; 2] = ["disease", "num"];

/// Questions that together touch every column, every kind of key and every statistic.
fn asks() -> Vec<Ask> {
    use By::{Band, Column};
    use Stat::{Known, Mean, Persons, Sd, Sum};
    use Where::{AtLeast, Below, In, Is, Known as NotNull, Missing};
    vec![
        Ask::new(&[], &[Persons, Mean("age"), Sd("age"), Sum("age")], &[]),
        Ask::new(&[Column("disease")], &[Persons, Mean("age")], &[]),
        Ask::new(
            &[Column("sex"), Column("disease")],
            &[Mean("trestbps"), Sd("trestbps"), Persons],
            &[],
        ),
        Ask::new(&[Band("age", 10)], &[Persons, Mean("thalach")], &[]),
        Ask::new(
            &[Band("age", 20), Column("sex")],
            &[Persons, Mean("chol"), Known("chol")],
            &[],
        ),
        Ask::new(&[Column("fbs")], &[Persons, Mean("chol")], &[]),
        Ask::new(
            &[Column("thal")],
            &[Persons, Mean("oldpeak"), Sd("oldpeak")],
            &[],
        ),
        Ask::new(&[Column("ca")], &[Persons], &[]),
        Ask::new(&[Column("slope")], &[Persons, Sum("oldpeak")], &[]),
        Ask::new(&[Column("restecg")], &[Persons, Mean("age")], &[]),
        Ask::new(&[Column("num")], &[Persons], &[]),
        Ask::new(
            &[Column("cp"), Column("sex")],
            &[Persons],
            &[AtLeast("age", 50)],
        ),
        Ask::new(
            &[Column("sex")],
            &[Known("chol"), Sum("chol")],
            &[Below("age", 65)],
        ),
        Ask::new(
            &[Column("exang")],
            &[Persons, Mean("thalach")],
            &[NotNull("exang")],
        ),
        Ask::new(
            &[Column("sex")],
            &[Persons],
            &[Missing("thal"), In("cp", &[3, 4])],
        ),
        Ask::new(
            &[Column("disease")],
            &[Sum("thalach"), Sd("thalach")],
            &[Is("sex", 1), AtLeast("age", 40)],
        ),
        Ask::new(
            &[],
            &[Mean("disease"), Mean("exang"), Mean("fbs"), Sum("exang")],
            &[],
        ),
        Ask::new(
            &[Column("sex")],
            &[Mean("disease"), Mean("num"), Mean("ca")],
            &[],
        ),
    ]
}

struct Heart {
    network: Mutex<Network>,
    sites: Vec<Vec<Person>>,
}

impl Heart {
    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(spec: &str) -> Option<Heart> {
    let folder = support::shared_data("heart-disease")?;
    let sites = HOSPITALS
        .iter()
        .map(|hospital| people(&folder, hospital))
        .collect();
    Some(Heart {
        network: Mutex::new(support::start(spec, &folder)),
        sites,
    })
}

fn protected() -> Option<&'static Heart> {
    static HEART: OnceLock<Option<Heart>> = OnceLock::new();
    HEART
        .get_or_init(|| start("heart-disease/spec.toml"))
        .as_ref()
}

fn names(ask: &Ask) -> Vec<String> {
    ask.by.iter().map(|by| by.name()).collect()
}

fn printed_key(key: &Key) -> support::Key {
    key.iter()
        .map(|value| value.map(|value| value.to_string()))
        .collect()
}

#[test]
fn protected_cells_are_what_the_rules_make_of_the_files() {
    let Some(heart) = protected() else { return };
    let network = heart.network();
    let (mut shown, mut withheld) = (0, 0);
    let (mut allowed, mut by_history) = (0, 0);
    for ask in asks() {
        let answer = support::answer(&network, "alice", &ask.sql());
        assert_eq!(answer.0["protection"]["mode"], "round");
        let keys = ask.closed(&columns());
        assert_eq!(answer.rows(&names(&ask)).len(), keys.len(), "{}", ask.sql());
        let cells: Vec<_> = heart.sites.iter().map(|people| ask.cells(people)).collect();
        for key in keys {
            for stat in &ask.stats {
                let found = answer.cell(&names(&ask), &printed_key(&key), &stat.name());
                let released: Vec<Released> = cells
                    .iter()
                    .map(|cells| {
                        if withheld_groups(&ask, cells, &SENSITIVE).contains(&key) {
                            return Released::Withheld;
                        }
                        release(
                            *stat,
                            cells.get(&key).map_or(&[], Vec::as_slice),
                            &columns(),
                        )
                    })
                    .collect();
                let place = format!("{} {key:?} {}: {found}", ask.sql(), stat.name());
                let (released, more) = support::beside_others(&HOSPITALS, &released, found);
                (allowed, by_history) = (allowed + HOSPITALS.len(), by_history + more);
                match check_protected(*stat, &released, found, &place) {
                    true => shown += 1,
                    false => withheld += 1,
                }
                if let Some(truth) = truth(*stat, &key, &ask, &heart.sites) {
                    check_truth_inside(&released, found, &truth, &place);
                }
            }
        }
    }
    println!(
        "cells shown {shown}, withheld {withheld}; of {allowed} of the hospitals {by_history} beside others"
    );
    assert!(shown > 60 && withheld > 50, "{shown} {withheld}");
    assert!(by_history * 4 < allowed, "{by_history} of {allowed}");
}

/// True if the cell is shown.
fn check_protected(stat: Stat, released: &[Released], found: &Value, place: &str) -> bool {
    let in_it = released
        .iter()
        .filter(|r| **r != Released::Withheld)
        .count();
    if found["near_earlier"] == true {
        check_near(released, found, place);
        return true;
    }
    for (hospital, released) in HOSPITALS.iter().zip(released) {
        let site = found["sites"].get(hospital).and_then(Value::as_str);
        match released {
            Released::Withheld => assert_eq!(site, None, "{hospital} {place}"),
            released => {
                let site = site.unwrap_or_else(|| panic!("{hospital} withheld {place}"));
                if let Some(wanted) = site_value(stat, released) {
                    assert_eq!(decimal(site), wanted, "{hospital} {place}");
                }
            }
        }
    }
    let Some(combined) = combine(stat, released) else {
        assert_eq!(found["withheld"], true, "{place}");
        assert_eq!(found.get("value"), None, "{place}");
        return false;
    };
    assert_eq!(found["nodes"], in_it, "{place}");
    assert_eq!(found["eligible"], 4, "{place}");
    assert_eq!(found["upper"].is_null(), in_it < 4, "{place}");
    let value = decimal(found["value"].as_str().unwrap_or_else(|| panic!("{place}")));
    if let Released::Count(_) = released.iter().find(|r| **r != Released::Withheld).unwrap() {
        let Combined::Value(sum) = combined else {
            panic!("{place}")
        };
        assert_eq!(value, sum, "{place}");
        let slack = whole(SLACK * i128::try_from(in_it).unwrap());
        assert_eq!(
            decimal(found["lower"].as_str().unwrap()),
            &sum - &slack,
            "{place}"
        );
        if in_it == 4 {
            assert_eq!(
                decimal(found["upper"].as_str().unwrap()),
                sum + slack,
                "{place}"
            );
        }
        return true;
    }
    let exact_to = |exponent: i32| match &combined {
        Combined::Value(exact) => nearest(exact, &ten(exponent)),
        Combined::Root(square) => nearest_root(square, &ten(exponent)),
    };
    let bound = |name: &str| found[name].as_str().map(decimal);
    let places = match (bound("lower"), bound("upper")) {
        // printed to the decimal place of half the interval; the printed limits were rounded
        // outwards by one digit more, which can lift the half over a power of ten
        (Some(low), Some(high)) => {
            let place = magnitude(&((high - low) / whole(2)));
            place - 1..=place
        }
        // without an upper limit the place is not known: any rounding of the exact combination
        // down to the last digit shown
        _ => {
            let text = found["value"].as_str().unwrap();
            let shown = text
                .split_once('.')
                .map_or(0, |(_, fraction)| fraction.len());
            -i32::try_from(shown).unwrap()..=6
        }
    };
    let fits = places.clone().any(|exponent| exact_to(exponent) == value);
    assert!(
        fits,
        "{place}: no rounding of the exact combination to a place in {places:?}"
    );
    true
}

/// How many persons an earlier answer may differ by that stands in the place of a cell.
const NEAR: i128 = K_EFF - 1;

/// An earlier answer may stand in the place of one that differs by few persons: no hospital shows more
/// than that allows, and the printed limits are wide enough for it and no wider. That the truth lies
/// inside them is checked for every cell.
fn check_near(released: &[Released], found: &Value, place: &str) {
    let in_it = i128::from(found["nodes"].as_u64().unwrap());
    assert!(in_it > 0, "{place}");
    for (hospital, released) in HOSPITALS.iter().zip(released) {
        let site = found["sites"].get(hospital).and_then(Value::as_str);
        match released {
            Released::Withheld => assert_eq!(site, None, "{hospital} {place}"),
            Released::Count(own) => {
                let shown = decimal(site.unwrap_or_else(|| panic!("{hospital} withheld {place}")));
                let apart = shown - whole(*own);
                // Both are rounded.
                let most = whole(NEAR + 2 * SLACK);
                assert!(-&most <= apart && apart <= most, "{hospital} {place}");
            }
            Released::Moments(_) | Released::Values(_) => {
                assert!(site.is_some(), "{hospital} {place}");
            }
        }
    }
    let bound = |name: &str| found[name].as_str().map(decimal);
    let value = bound("value").unwrap_or_else(|| panic!("{place}"));
    let low = bound("lower").unwrap_or_else(|| panic!("{place}"));
    assert!(low <= value, "{place}");
    let Some(high) = bound("upper") else {
        assert!(in_it < 4, "{place}");
        return;
    };
    assert!(value <= high, "{place}");
    if released.iter().any(|r| matches!(r, Released::Count(_))) {
        let width = high - low;
        assert!(width <= whole(2 * in_it * (SLACK + NEAR)), "{place}");
        assert!(width > whole(2 * in_it * SLACK), "{place}");
    }
}

/// The pooled statistic without any protection.
fn truth(stat: Stat, key: &Key, ask: &Ask, sites: &[Vec<Person>]) -> Option<Combined> {
    let people: Vec<&Person> = sites
        .iter()
        .flat_map(|site| ask.cells(site).remove(key).unwrap_or_default())
        .collect();
    let n = i128::try_from(people.len()).unwrap();
    let Some(name) = stat.column() else {
        return Some(Combined::Value(whole(n)));
    };
    let columns = columns();
    let column = find(&columns, name);
    let unit = ten(-i32::try_from(column.scale).unwrap());
    let values: Vec<i128> = people.iter().filter_map(|p| p.get(name).copied()).collect();
    let known = i128::try_from(values.len()).unwrap();
    let (mean, variance) = (known > 0).then(|| mean_and_variance(&values))?;
    match stat {
        Stat::Persons | Stat::Known(_) => Some(Combined::Value(whole(known))),
        Stat::Mean(_) => Some(Combined::Value(mean * unit)),
        Stat::Sum(_) => Some(Combined::Value(mean * unit * whole(known))),
        Stat::Sd(_) => (known > 1).then(|| Combined::Root(variance * &unit * &unit)),
    }
}

/// The interval of a complete cell contains the truth.
fn check_truth_inside(released: &[Released], found: &Value, truth: &Combined, place: &str) {
    if released.contains(&Released::Withheld) {
        return;
    }
    let bound = |name: &str| decimal(found[name].as_str().unwrap_or_else(|| panic!("{place}")));
    let (low, high) = (bound("lower"), bound("upper"));
    let inside = match truth {
        Combined::Value(exact) => low <= *exact && *exact <= high,
        Combined::Root(square) => &low * &low <= *square && *square <= &high * &high,
    };
    assert!(inside, "{place}: the truth is not in the interval");
}

#[test]
fn unprotected_cells_are_the_pooled_truth() {
    let Some(heart) = start("heart-disease/spec-synthetic.toml") else {
        return;
    };
    let network = heart.network();
    for ask in asks() {
        let answer = support::answer(&network, "alice", &ask.sql());
        assert_eq!(answer.0["protection"]["mode"], "none");
        assert!(
            answer.0["notes"].to_string().contains("UNPROTECTED"),
            "{}",
            answer.0["notes"]
        );
        let keys = listed(&ask, &heart.sites);
        assert_eq!(answer.rows(&names(&ask)).len(), keys.len(), "{}", ask.sql());
        for key in keys {
            for stat in &ask.stats {
                let found = answer.cell(&names(&ask), &printed_key(&key), &stat.name());
                let place = format!("{} {key:?} {}: {found}", ask.sql(), stat.name());
                let value = found["value"].as_str().map(decimal);
                let wanted = truth(*stat, &key, &ask, &heart.sites).map(|truth| match truth {
                    Combined::Value(exact) => fifteen(&exact),
                    Combined::Root(square) => fifteen_root(&square),
                });
                assert_eq!(value, wanted, "{place}");
            }
        }
    }
}

/// Keys of groups that exist; NULL keys only of columns whose missing values are public.
fn listed(ask: &Ask, sites: &[Vec<Person>]) -> Vec<Key> {
    let mut keys: Vec<Key> = sites
        .iter()
        .flat_map(|site| ask.cells(site).into_keys())
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

#[test]
fn a_dead_hospital_is_named_and_missing_from_every_cell() {
    let Some(heart) = protected() else { return };
    let mut network = heart.network();
    let ask = Ask::new(&[By::Column("disease")], &[Stat::Persons], &[]);
    network.kill_node("switzerland");
    let done = support::ask(&network, "alice", &ask.sql(), &[]);
    network.start_node("switzerland").unwrap();
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(done.stderr.contains("switzerland"), "{}", done.stderr);
    let answer = Answer(serde_json::from_str(&done.stdout).unwrap());
    let nodes = answer.0["nodes"].as_array().unwrap();
    let status = |name: &str| nodes.iter().find(|n| n["name"] == name).unwrap()["status"].clone();
    assert_eq!(status("switzerland"), "absent");
    assert_eq!(status("cleveland"), "answered");
    for disease in [0, 1] {
        let key: Key = vec![Some(disease)];
        let here: Vec<Released> = [0, 1, 3]
            .map(|site: usize| {
                release(
                    Stat::Persons,
                    &ask.cells(&heart.sites[site])[&key],
                    &columns(),
                )
            })
            .to_vec();
        let Some(Combined::Value(sum)) = combine(Stat::Persons, &here) else {
            panic!()
        };
        let cell = answer.cell(&names(&ask), &printed_key(&key), "n");
        assert_eq!(decimal(cell["value"].as_str().unwrap()), sum);
        assert_eq!(
            (cell["nodes"].as_u64(), cell["eligible"].as_u64()),
            (Some(3), Some(4))
        );
    }
    drop(network);
}
