//! The persons of the world "clinic": eight hundred invented ones, the same for the same seed on
//! every machine, and one planted person (the victim) in whom two databases may differ.
//!
//! It must not know what is asked of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::generate::rng::Rng;

/// The codebook of the world.
pub const CODEBOOK: &str = include_str!("../../worlds/clinic/codebook.toml");
/// A second codebook over the same persons.
pub const SECOND: &str = include_str!("../../worlds/clinic/second.toml");
/// Where each table comes from, as in a policy.
pub const SOURCES: &str = "[source.person]\nkind = \"csv\"\npath = \"person.csv\"\n\
     [source.visit]\nkind = \"csv\"\npath = \"visit.csv\"\n\
     [source.drug]\nkind = \"csv\"\npath = \"drug.csv\"\n";

/// Unit key of the victim.
pub const VICTIM: i64 = 4711;
/// Columns of `person.csv` after the id.
pub const COLUMNS: [&str; 10] = [
    "sex", "age", "town", "gp", "disease", "stage", "smoker", "chol", "income", "weight",
];
/// What may be said of the victim's events: how many rows, and what is in them.
pub const EVENT_COLUMNS: [&str; 7] = [
    "visits",
    "visit_date",
    "visit_kind",
    "visit_cost",
    "drugs",
    "drug_date",
    "drug_code",
];

const PERSONS: i64 = 800;
/// A practice of poor students: whoever is rich there is most of any sum.
const STUDENTS: i64 = 1018;
/// A practice whose patients are all ill.
const HOSPICE: i64 = 1019;
/// Rows in the middle, so that nothing rests on the victim being first or last.
const VICTIM_AT: usize = 400;

/// One visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Day as written.
    pub date: String,
    /// 1 practice, 2 hospital, 3 emergency.
    pub kind: i64,
    /// Cost as written.
    pub cost: String,
}

/// One prescription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drug {
    /// Day as written.
    pub date: String,
    /// Code.
    pub code: i64,
}

/// One person: columns as they are written, missing ones absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Unit key.
    pub id: i64,
    /// Columns of the table `person`.
    pub columns: BTreeMap<String, String>,
    /// Rows of the table `visit`.
    pub visits: Vec<Visit>,
    /// Rows of the table `drug`.
    pub drugs: Vec<Drug>,
}

/// All persons of one extract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clinic {
    /// In the order of the file.
    pub people: Vec<Person>,
    /// Number of the extract: part of the files' text, of no typed value.
    pub extract: u32,
}

/// The victim in one database: columns and event columns as they are written; an empty text is
/// missing. `None`: not there at all.
pub type Victim = Option<BTreeMap<String, String>>;

impl Clinic {
    /// The persons of a seed, without the victim.
    #[must_use]
    pub fn generate(seed: u64) -> Self {
        Self {
            people: (1..=PERSONS).map(|id| person(seed, id)).collect(),
            extract: 1,
        }
    }

    /// The same persons and the victim.
    #[must_use]
    pub fn with(mut self, victim: &Victim) -> Self {
        self.people.retain(|person| person.id != VICTIM);
        if let Some(columns) = victim {
            let at = VICTIM_AT.min(self.people.len());
            self.people.insert(at, the_victim(columns));
        }
        self
    }

    /// A later extract in which so many persons, never the victim, have other values.
    #[must_use]
    pub fn with_changes(mut self, others: usize, seed: u64) -> Self {
        let mut rng = Rng::new(&[seed, u64::from(self.extract), 77]);
        let mut free: Vec<usize> = (0..self.people.len())
            .filter(|at| self.people.get(*at).is_some_and(|p| p.id != VICTIM))
            .collect();
        for _ in 0..others.min(free.len()) {
            let pick = rng.between(0, i64::try_from(free.len()).unwrap_or(1) - 1);
            let at = free.swap_remove(usize::try_from(pick).unwrap_or(0));
            if let Some(person) = self.people.get_mut(at) {
                change(person, &mut rng);
            }
        }
        self
    }

    /// The next extract: other bytes, whatever else changes.
    #[must_use]
    pub fn next(mut self) -> Self {
        self.extract = self.extract.saturating_add(1);
        self
    }

    /// The files of the extract by name.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, String> {
        let extract = self.extract;
        let mut person = format!("id,{},extract\n", COLUMNS.join(","));
        let mut visit = "person_id,date,kind,cost\n".to_owned();
        let mut drug = "person_id,code,date\n".to_owned();
        for Person {
            id,
            columns,
            visits,
            drugs,
        } in &self.people
        {
            let fields = COLUMNS.map(|name| columns.get(name).map_or("", String::as_str));
            let _ = writeln!(person, "{id},{},{extract}", fields.join(","));
            for Visit { date, kind, cost } in visits {
                let _ = writeln!(visit, "{id},{date},{kind},{cost}");
            }
            for Drug { date, code } in drugs {
                let _ = writeln!(drug, "{id},{code},{date}");
            }
        }
        let file = |name: &str, text| (name.to_owned(), text);
        BTreeMap::from([
            file("person.csv", person),
            file("visit.csv", visit),
            file("drug.csv", drug),
        ])
    }
}

fn person(seed: u64, id: i64) -> Person {
    let mut rng = Rng::new(&[seed, id.unsigned_abs()]);
    let age = (48 + rng.bell(21)).clamp(0, 100);
    let town = pick(
        &mut rng,
        &[
            ("a", 280),
            ("b", 240),
            ("c", 200),
            ("d", 130),
            ("e", 100),
            ("f", 50),
        ],
    );
    let gp = match rng.between(0, 999) {
        0..=14 => STUDENTS,
        15..=28 => HOSPICE,
        n => 1001 + (n * n / 60_000).min(15),
    };
    let ill = gp == HOSPICE || rng.chance(60 + age * 3);
    let stage = (ill && rng.chance(900)).then(|| 1 + rng.between(0, 9) / 3);
    let smoker = rng.chance(940).then(|| i64::from(rng.chance(260)));
    let chol = rng
        .chance(920)
        .then(|| tenths((2050 + rng.bell(380)).clamp(500, 5000)));
    let income = match gp {
        STUDENTS => rng.between(500, 1500),
        _ if age < 18 => 0,
        _ => (38_000 + rng.bell(15_000)).clamp(3_000, 120_000),
    };
    let weight = rng
        .chance(850)
        .then(|| tenths((720 + rng.bell(140)).clamp(300, 2000)));
    let text = |value: i64| Some(value.to_string());
    let columns = [
        ("sex", text(i64::from(rng.chance(480)))),
        ("age", text(age)),
        ("town", Some(town.to_owned())),
        ("gp", text(gp)),
        ("disease", text(i64::from(ill))),
        ("stage", stage.and_then(text)),
        ("smoker", smoker.and_then(text)),
        ("chol", chol),
        ("income", text(income)),
        ("weight", weight),
    ];
    let columns = columns
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Person {
        id,
        columns: columns.collect(),
        visits: visits(&mut rng, ill),
        drugs: drugs(&mut rng, age),
    }
}

fn visits(rng: &mut Rng, ill: bool) -> Vec<Visit> {
    let most = if ill { 8 } else { 4 };
    let number = rng.between(0, most);
    (0..number)
        .map(|_| Visit {
            date: day(rng),
            kind: pick(rng, &[(1, 700), (2, 240), (3, 60)]),
            cost: format!("{}.{:02}", rng.between(20, 900), rng.between(0, 99)),
        })
        .collect()
}

fn drugs(rng: &mut Rng, age: i64) -> Vec<Drug> {
    let mut found = Vec::new();
    if rng.chance(age * 6) {
        let code = pick(rng, &[(11, 500), (12, 300), (13, 200)]);
        for _ in 0..rng.between(1, 4) {
            found.push(Drug {
                date: day(rng),
                code,
            });
        }
    }
    for _ in 0..rng.between(0, 3) {
        let code = 20 + rng.between(0, 99) * rng.between(0, 99) / 700;
        found.push(Drug {
            date: day(rng),
            code,
        });
    }
    found
}

/// A day of the years 2022 to 2024.
pub(super) fn day(rng: &mut Rng) -> String {
    let (year, month) = (rng.between(2022, 2024), rng.between(1, 12));
    format!("{year}-{month:02}-{:02}", rng.between(1, 28))
}

pub(super) fn tenths(value: i64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

/// One of several by weights of a thousand together.
pub(super) fn pick<T: Copy + Default>(rng: &mut Rng, choices: &[(T, i64)]) -> T {
    let mut left = rng.between(0, 999);
    let mut last = T::default();
    for (value, weight) in choices {
        last = *value;
        if left < *weight {
            return last;
        }
        left -= weight;
    }
    last
}

/// What the victim is unless an attack says otherwise: someone ordinary.
fn the_victim(given: &BTreeMap<String, String>) -> Person {
    let usual = [
        ("sex", "1"),
        ("age", "47"),
        ("town", "c"),
        ("gp", "1003"),
        ("disease", "0"),
        ("smoker", "0"),
        ("chol", "201.5"),
        ("income", "41000"),
        ("weight", "77.0"),
    ];
    let mut columns: BTreeMap<String, String> = usual
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for (name, value) in given {
        columns.insert(name.clone(), value.clone());
    }
    columns.retain(|_, value| !value.is_empty());
    let mut take =
        |name: &str, usual: &str| columns.remove(name).unwrap_or_else(|| usual.to_owned());
    let number = |text: String| text.parse::<i64>().unwrap_or(0);
    let (visit_rows, drug_rows) = (number(take("visits", "1")), number(take("drugs", "1")));
    let visit = Visit {
        date: take("visit_date", "2023-05-10"),
        kind: number(take("visit_kind", "1")),
        cost: take("visit_cost", "100.00"),
    };
    let drug = Drug {
        date: take("drug_date", "2023-05-10"),
        code: number(take("drug_code", "20")),
    };
    Person {
        id: VICTIM,
        columns,
        visits: (0..visit_rows).map(|_| visit.clone()).collect(),
        drugs: (0..drug_rows).map(|_| drug.clone()).collect(),
    }
}

/// New values in a later extract.
fn change(person: &mut Person, rng: &mut Rng) {
    let mut set = |name: &str, value: String| person.columns.insert(name.to_owned(), value);
    set("smoker", rng.between(0, 1).to_string());
    set("chol", tenths((2050 + rng.bell(380)).clamp(500, 5000)));
    set("income", rng.between(3_000, 90_000).to_string());
    set("disease", rng.between(0, 1).to_string());
    person.visits.push(Visit {
        date: day(rng),
        kind: 1,
        cost: "55.00".to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_persons_and_the_victim_is_the_only_difference() {
        let world = Clinic::generate(1);
        assert_eq!(world, Clinic::generate(1));
        assert_ne!(world, Clinic::generate(2));
        let ill = |value: &str| {
            let columns = BTreeMap::from([("disease".to_owned(), value.to_owned())]);
            world.clone().with(&Some(columns))
        };
        let (zero, one) = (ill("0").files(), ill("1").files());
        assert_eq!(zero["visit.csv"], one["visit.csv"]);
        let lines = |files: &BTreeMap<String, String>| -> Vec<String> {
            files["person.csv"].lines().map(str::to_owned).collect()
        };
        let (zero, one) = (lines(&zero), lines(&one));
        let differing = zero.iter().zip(&one).filter(|(a, b)| a != b).count();
        assert_eq!((zero.len(), differing), (802, 1));
        assert_eq!(world.clone().with(&None), world);
    }

    #[test]
    fn a_later_extract_changes_as_many_others_as_it_says() {
        let world = Clinic::generate(1).with(&Some(BTreeMap::new()));
        let later = world.clone().with_changes(20, 5).next();
        let changed: Vec<i64> = world
            .people
            .iter()
            .zip(&later.people)
            .filter(|(a, b)| a != b)
            .map(|(a, _)| a.id)
            .collect();
        assert_eq!(changed.len(), 20);
        assert!(!changed.contains(&VICTIM));
        assert_ne!(world.clone().next().files(), world.files());
    }

    #[test]
    fn the_places_that_attacks_need_are_there() {
        let world = Clinic::generate(1);
        let of = |column: &str, value: &str| {
            let at = |p: &&Person| p.columns.get(column).is_some_and(|v| v == value);
            world.people.iter().filter(at).count()
        };
        for (column, value, least) in [
            ("town", "f", 20),
            ("gp", "1018", 8),
            ("gp", "1019", 8),
            ("disease", "1", 120),
            ("stage", "4", 8),
            ("smoker", "1", 150),
        ] {
            assert!(
                of(column, value) >= least,
                "{column} {value}: {}",
                of(column, value)
            );
        }
        let visits: usize = world.people.iter().map(|p| p.visits.len()).sum();
        assert!((1000..3000).contains(&visits), "{visits}");
    }
}
