//! Sequences of questions that nobody thought of: drawn from the language by a seed, now and then an
//! analysis, in some sequences many for review, around one victim, so that small and nearly equal
//! groups come up often.
//!
//! It must not know any rule of release.

use std::collections::{BTreeMap, BTreeSet};

use quorate_query::analyses::Analysis;

use super::clinic::Victim;
use super::corpus::{Attack, Step};
use super::house::Ask;
use crate::generate::rng::Rng;

/// Filters on persons that hold for the victim of [`sequence`], and such as do not.
const FILTERS: [&str; 16] = [
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
    "id IN (SELECT person_id FROM (SELECT person_id, count(*) AS n FROM visit GROUP BY person_id) AS f WHERE n >= 3)",
    "id IN (SELECT person_id FROM (SELECT person_id, max(date) AS d FROM visit GROUP BY person_id) AS f WHERE d >= DATE '2024-01-01')",
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
/// Statistics of persons that only questions for review have.
const ARITHMETIC: [&str; 5] = [
    "avg(2 * income - 1000)",
    "sum(income / -8)",
    "avg((age - 50) * (income - 40000))",
    "sum(age * income + 3 * age)",
    "avg(income * income)",
];
/// Questions about events, filled with a filter.
const EVENTS: [&str; 10] = [
    "SELECT kind, count(*) AS n FROM visit GROUP BY kind",
    "SELECT count(*) AS n, avg(cost) AS m FROM visit WHERE kind = 3",
    "SELECT date_trunc('quarter', date) AS q, count(DISTINCT person_id) AS n FROM visit WHERE kind = 3 GROUP BY q",
    "SELECT code, count(DISTINCT person_id) AS n FROM drug GROUP BY code",
    "WITH f AS (SELECT person_id, count(*) AS k FROM visit GROUP BY person_id), s AS (SELECT p.id, p.sex, coalesce(f.k, 0) AS k FROM person p LEFT JOIN f ON p.id = f.person_id) SELECT sex, avg(k) AS m FROM s GROUP BY sex",
    "WITH f AS (SELECT person_id, sum(cost) AS t FROM visit GROUP BY person_id) SELECT p.town, avg(f.t) AS m, count(*) AS n FROM person p JOIN f ON p.id = f.person_id GROUP BY p.town",
    "WITH f AS (SELECT person_id, count(*) AS k FROM visit GROUP BY person_id) SELECT floor(k/5)*5 AS band, count(*) AS n FROM f GROUP BY band",
    "WITH f AS (SELECT person_id, min(date) AS d FROM visit GROUP BY person_id) SELECT date_trunc('year', d) AS y, count(*) AS n FROM f GROUP BY y",
    "WITH f AS (SELECT person_id, min(date) AS d FROM drug WHERE code IN set.statins GROUP BY person_id) SELECT count(*) AS n FROM visit v JOIN f ON v.person_id = f.person_id WHERE v.date >= f.d AND v.date < f.d + 365",
    "WITH s AS (SELECT id, disease, CASE WHEN age < 40 THEN 'young' WHEN age < 80 THEN 'middle' ELSE 'old' END AS ages FROM person) SELECT ages, avg(disease) AS m FROM s GROUP BY ages",
];
const ASKERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// A sequence of so many questions, with a restart or a new extract now and then.
#[must_use]
pub fn sequence(seed: u64, questions: usize) -> Attack {
    drawn(seed, questions, Rng::new(&[seed, 4242]), false)
}

/// A sequence of which many questions are for review: conditions with OR and NOT, and arithmetic
/// inside aggregates.
#[must_use]
pub fn sequence_for_review(seed: u64, questions: usize) -> Attack {
    drawn(seed, questions, Rng::new(&[seed, 4343]), true)
}

fn drawn(seed: u64, questions: usize, mut rng: Rng, review: bool) -> Attack {
    let mut steps = Vec::new();
    for _ in 0..questions {
        match rng.between(0, 19) {
            0 => steps.push(Step::Restart),
            1 => steps.push(Step::RefreshOthers(12)),
            _ => {}
        }
        let asked = match review && rng.chance(600) {
            true => ask_for_review(&mut rng),
            false => ask(&mut rng),
        };
        steps.push(Step::Ask(asked, None));
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
    let sql = if rng.chance(350) {
        one_of(rng, &EVENTS).to_owned()
    } else {
        about_persons(rng, false)
    };
    let analysis = rng.chance(120).then(|| analysis(rng)).flatten();
    Ask {
        sql: if analysis.is_some() {
            String::new()
        } else {
            sql
        },
        analysis,
        who: one_of(rng, &ASKERS).to_owned(),
        ..Ask::default()
    }
}

fn ask_for_review(rng: &mut Rng) -> Ask {
    Ask {
        sql: about_persons(rng, true),
        who: one_of(rng, &ASKERS).to_owned(),
        reviewed: true,
        ..Ask::default()
    }
}

/// Two conditions or three, put together by AND, OR and NOT.
fn soft(rng: &mut Rng, filters: &BTreeSet<&str>) -> String {
    let mut all = String::new();
    for filter in filters {
        if !all.is_empty() {
            all.push_str(one_of(rng, &[" OR ", " OR ", " AND "]));
        }
        let not = if rng.chance(200) { "NOT " } else { "" };
        all.push_str(&format!("{not}({filter})"));
    }
    all
}

/// An analysis of persons, of some of them or all.
fn analysis(rng: &mut Rng) -> Option<Analysis> {
    let (name, argument, value) = match rng.between(0, 2) {
        0 => ("correlation", "columns", "age,income"),
        1 => ("table1", "variables", "income,disease"),
        _ => ("lm", "formula", "income ~ age + C(sex)"),
    };
    let mut arguments = BTreeMap::from([(argument.to_owned(), value.to_owned())]);
    if rng.chance(500) {
        arguments.insert("where".to_owned(), one_of(rng, &FILTERS).to_owned());
    }
    Analysis::named(name, arguments)
}

fn about_persons(rng: &mut Rng, review: bool) -> String {
    let statistic = match review && rng.chance(400) {
        true => one_of(rng, &ARITHMETIC),
        false => one_of(rng, &STATISTICS),
    };
    let mut filters = BTreeSet::new();
    let fewest = if review { 2 } else { 0 };
    for _ in 0..rng.between(fewest, 3) {
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
        sql.push_str(" WHERE ");
        if review {
            sql.push_str(&soft(rng, &filters));
        } else {
            let filters: Vec<&str> = filters.into_iter().collect();
            sql.push_str(&filters.join(" AND "));
        }
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
