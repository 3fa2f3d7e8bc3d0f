//! The persons of the world "district": ten thousand invented ones as an ordinary register has
//! them, for ordinary questions. Ages are top-coded, a few values in a hundred are missing, and
//! nothing is planted.
//!
//! It must not know what is asked of them.

use super::clinic::{Clinic, Drug, Person, Visit, day, pick, tenths};
use crate::generate::rng::Rng;

/// The codebook of the world.
pub const CODEBOOK: &str = include_str!("../../worlds/district/codebook.toml");

const PERSONS: i64 = 10_000;
/// Decades of age with their weights of a thousand. The last ends with the top code.
const DECADES: [(i64, i64); 9] = [
    (0, 105),
    (10, 112),
    (20, 120),
    (30, 135),
    (40, 130),
    (50, 140),
    (60, 115),
    (70, 90),
    (80, 53),
];
const TOWNS: [(&str, i64); 6] = [
    ("a", 260),
    ("b", 220),
    ("c", 180),
    ("d", 140),
    ("e", 110),
    ("f", 90),
];

/// The persons of a seed.
#[must_use]
pub fn generate(seed: u64) -> Clinic {
    Clinic {
        people: (1..=PERSONS).map(|id| person(seed, id)).collect(),
        extract: 1,
    }
}

fn person(seed: u64, id: i64) -> Person {
    let mut rng = Rng::new(&[seed, 4, id.unsigned_abs()]);
    let age = pick(&mut rng, &DECADES) + rng.between(0, 9);
    let ill = rng.chance(25 + age * 4);
    let stage = (ill && rng.chance(950)).then(|| 1 + rng.between(0, 9) / 3);
    let smoker = rng.chance(970).then(|| i64::from(rng.chance(240)));
    let chol = rng
        .chance(970)
        .then(|| tenths((2050 + rng.bell(380)).clamp(500, 5000)));
    let income = match age {
        0..18 => 0,
        _ => (38_000 + rng.bell(15_000)).clamp(3_000, 120_000),
    };
    let weight = rng
        .chance(950)
        .then(|| tenths((720 + rng.bell(140)).clamp(300, 2000)));
    let text = |value: i64| Some(value.to_string());
    let columns = [
        ("sex", text(i64::from(rng.chance(490)))),
        ("age", text(age)),
        ("town", Some(pick(&mut rng, &TOWNS).to_owned())),
        ("gp", text(1001 + rng.between(0, 19))),
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
    let most = if ill { 7 } else { 3 };
    let number = rng.between(0, most);
    (0..number)
        .map(|_| Visit {
            date: day(rng),
            kind: pick(rng, &[(1, 700), (2, 240), (3, 60)]),
            cost: match rng.chance(980) {
                true => format!("{}.{:02}", rng.between(20, 900), rng.between(0, 99)),
                false => String::new(),
            },
        })
        .collect()
}

fn drugs(rng: &mut Rng, age: i64) -> Vec<Drug> {
    let mut found = Vec::new();
    if rng.chance(age * 5) {
        let code = pick(rng, &[(11, 500), (12, 300), (13, 200)]);
        for _ in 0..rng.between(1, 4) {
            found.push(Drug {
                date: day(rng),
                code,
            });
        }
    }
    for _ in 0..rng.between(0, 2) {
        found.push(Drug {
            date: day(rng),
            code: 20 + rng.between(0, 99) * rng.between(0, 99) / 700,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_persons_and_a_few_in_a_hundred_lack_a_value() {
        let world = generate(1);
        assert_eq!(world, generate(1));
        assert_ne!(world, generate(2));
        let without = |column: &str| {
            let lacks = |person: &&Person| !person.columns.contains_key(column);
            world.people.iter().filter(lacks).count()
        };
        for column in ["smoker", "chol", "weight"] {
            assert!((200..700).contains(&without(column)), "{column}");
        }
        for column in ["sex", "age", "town", "gp", "disease", "income"] {
            assert_eq!(without(column), 0, "{column}");
        }
    }

    #[test]
    fn no_band_of_age_hangs_over_the_end() {
        let world = generate(1);
        for band in 0..18 {
            let within = |person: &&Person| {
                let age: i64 = person.columns["age"].parse().unwrap();
                age / 5 == band
            };
            let persons = world.people.iter().filter(within).count();
            assert!(persons > 200, "{band}: {persons}");
        }
    }
}
