//! Sequences of questions that nobody thought of: drawn from the language by a seed, around one
//! victim, so that small and nearly equal groups come up often.
//!
//! It must not know any rule of release.

use std::collections::{BTreeMap, BTreeSet};

use super::clinic::Victim;
use super::corpus::{Attack, Step};
use super::house::Ask;
use crate::generate::rng::Rng;

/// Filters on persons that hold for the victim of [`sequence`], and such as do not.
const FILTERS: [&str; 14] = [
    "town = 'f'",
    "town <> 'f'",
    "town IN ('e', 'f')",
    "age >= 65",
    "age < 90",
    "age >= 60 AND age < 80",
    "sex = 1",
    "gp = 1018",
    "gp <> 1018",
    "disease = 1",
    "smoker = 0",
    "smoker IS NOT NULL",
    "id IN (SELECT person_id FROM drug WHERE code IN set.statins)",
    "id NOT IN (SELECT person_id FROM visit WHERE kind = 3)",
];
/// Group keys of persons.
const KEYS: [&str; 7] = [
    "sex",
    "town",
    "disease",
    "stage",
    "gp",
    "floor(age / 10) * 10",
    "floor(age / 20) * 20",
];
/// Statistics of persons.
const STATISTICS: [&str; 8] = [
    "count(*)",
    "count(*)",
    "avg(disease)",
    "avg(chol)",
    "avg(income)",
    "stddev(weight)",
    "count(chol)",
    "avg(stage)",
];
/// Questions about events, filled with a filter.
const EVENTS: [&str; 4] = [
    "SELECT kind, count(*) AS n FROM visit GROUP BY kind",
    "SELECT count(*) AS n, avg(cost) AS m FROM visit WHERE kind = 3",
    "SELECT date_trunc('quarter', date) AS q, count(DISTINCT person_id) AS n FROM visit WHERE kind = 3 GROUP BY q",
    "SELECT code, count(DISTINCT person_id) AS n FROM drug GROUP BY code",
];
const ASKERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// A sequence of so many questions, with a restart or a new extract now and then.
#[must_use]
pub fn sequence(seed: u64, questions: usize) -> Attack {
    let mut rng = Rng::new(&[seed, 4242]);
    let mut steps = Vec::new();
    for _ in 0..questions {
        match rng.between(0, 19) {
            0 => steps.push(Step::Restart),
            1 => steps.push(Step::RefreshOthers(12)),
            _ => {}
        }
        steps.push(Step::Ask(ask(&mut rng), None));
    }
    Attack {
        id: format!("seed-{seed}"),
        title: "Questions drawn by a seed".to_owned(),
        class: "generated".to_owned(),
        victim: victim(&mut rng),
        stops: BTreeSet::new(),
        steps,
        infer: None,
        seed: 1,
        exact: false,
    }
}

fn one_of<'t>(rng: &mut Rng, choices: &[&'t str]) -> &'t str {
    let last = i64::try_from(choices.len()).unwrap_or(1) - 1;
    let at = usize::try_from(rng.between(0, last)).unwrap_or(0);
    choices.get(at).copied().unwrap_or_default()
}

fn ask(rng: &mut Rng) -> Ask {
    let sql = if rng.chance(200) {
        one_of(rng, &EVENTS).to_owned()
    } else {
        about_persons(rng)
    };
    Ask {
        sql,
        who: one_of(rng, &ASKERS).to_owned(),
        ..Ask::default()
    }
}

fn about_persons(rng: &mut Rng) -> String {
    let statistic = one_of(rng, &STATISTICS);
    let mut filters = BTreeSet::new();
    for _ in 0..rng.between(0, 3) {
        filters.insert(one_of(rng, &FILTERS));
    }
    let mut keys = BTreeSet::new();
    for _ in 0..rng.between(0, 2) {
        keys.insert(one_of(rng, &KEYS));
    }
    if keys.len() == 2 && keys.iter().all(|key| key.starts_with("floor")) {
        keys.pop_last();
    }
    let named = |(number, key): (usize, &&str)| format!("{key} AS k{number}, ");
    let list: String = keys.iter().enumerate().map(named).collect();
    let mut sql = format!("SELECT {list}{statistic} AS v, count(*) AS n FROM person");
    if !filters.is_empty() {
        let filters: Vec<&str> = filters.into_iter().collect();
        sql.push_str(" WHERE ");
        sql.push_str(&filters.join(" AND "));
    }
    if !keys.is_empty() {
        let names: Vec<String> = (0..keys.len()).map(|number| format!("k{number}")).collect();
        sql.push_str(" GROUP BY ");
        sql.push_str(&names.join(", "));
    }
    sql
}

/// Somebody in the corner that the filters are about, who differs in one thing.
fn victim(rng: &mut Rng) -> [Victim; 2] {
    let fixed = [("town", "f"), ("age", "72"), ("gp", "1018"), ("sex", "1")];
    let usual: BTreeMap<String, String> = fixed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let choices = [
        ("disease", "0", "1"),
        ("stage", "", "3"),
        ("smoker", "0", ""),
        ("chol", "120.0", "480.0"),
        ("income", "700", "199000"),
        ("weight", "", "150.0"),
        ("age", "64", "91"),
        ("town", "a", "f"),
        ("visits", "0", "12"),
        ("drug_code", "11", "20"),
    ];
    let last = i64::try_from(choices.len()).unwrap_or(1);
    let at = usize::try_from(rng.between(0, last)).unwrap_or(0);
    let Some((column, zero, one)) = choices.get(at) else {
        return [None, Some(usual)];
    };
    [*zero, *one].map(|value| {
        let mut columns = usual.clone();
        columns.insert((*column).to_owned(), value.to_owned());
        Some(columns)
    })
}
