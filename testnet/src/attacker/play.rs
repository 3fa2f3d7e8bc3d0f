//! One sequence against one node, and what came of it. It must not know any rule of release but the
//! promise that is checked: how closely a small group may become known.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::learned::Learned;
use super::model::{self, Group, Question};
use crate::arena::clinic::{Clinic, VICTIM, Victim};
use crate::arena::house::{Ask, House, Plan};
use crate::generate::rng::Rng;

/// Groups of fewer persons are small.
pub const SMALL: u32 = 8;
/// A count of a small group is pinned if fewer numbers than this lie between the least and the
/// greatest that it can be: then it is better known than a large group that was released.
pub const PINNED: f64 = 4.0;
/// The sum of a small group is pinned if it is better known than to a tenth of what one person may
/// add.
pub const PINNED_INCOME: f64 = 20_000.0;
/// So many small groups are tried in a sequence.
const TRIED: usize = 40;

/// What an attacker got.
#[derive(Clone, Debug, Default)]
pub struct Loot {
    /// Small groups that were tried.
    pub tried: usize,
    /// Those that follow exactly, by elimination.
    pub follow: usize,
    /// The least distance between the bounds of any.
    pub narrowest: Option<f64>,
    /// Groups of which the count, or the sum of incomes, is pinned.
    pub pinned: Vec<String>,
    /// Cells that were answered.
    pub answered: usize,
}

/// The questions of a seed.
#[must_use]
pub fn questions(seed: u64, number: usize) -> Vec<Question> {
    let mut rng = Rng::new(&[seed, 90_210]);
    (0..number).map(|_| Question::draw(&mut rng)).collect()
}

/// Asks them all and keeps what is learned; the node restarts in the middle.
///
/// # Errors
/// If the arena itself fails.
pub fn listen(clinic: &Clinic, questions: &[Question], protected: bool) -> Result<Learned> {
    let plan = Plan::clinic(clinic.files());
    let mut house = House::open(if protected { plan } else { plan.unprotected() })?;
    let mut learned = Learned::default();
    for (at, question) in questions.iter().enumerate() {
        if at == questions.len() / 2 {
            house.restart()?;
        }
        let ask = Ask {
            sql: question.sql(),
            who: question.who.to_owned(),
            ..Ask::default()
        };
        let said = house.ask(&ask)?;
        if let Some(told) = said.told() {
            learned.read(question, told);
        }
    }
    Ok(learned)
}

/// Small groups worth trying: one value in two or three columns, withheld cells, and who is in one
/// released group and not in another.
fn targets(learned: &Learned, truth: &[u32], seed: u64) -> Vec<Group> {
    let mut groups: BTreeSet<Group> = model::corners().into_iter().collect();
    groups.extend(learned.withheld.iter().cloned());
    let released: BTreeSet<&Group> = learned.persons.iter().map(|s| &s.group).collect();
    for a in &released {
        for b in &released {
            let only = a.iter().zip(*b).map(|(a, b)| *a && !*b);
            groups.insert(only.collect());
        }
    }
    groups.retain(|group| (1..SMALL).contains(&model::count(truth, group)));
    let mut groups: Vec<Group> = groups.into_iter().collect();
    let mut rng = Rng::new(&[seed, 7]);
    while groups.len() > TRIED {
        let last = i64::try_from(groups.len()).unwrap_or(1) - 1;
        let at = usize::try_from(rng.between(0, last)).unwrap_or(0);
        groups.swap_remove(at);
    }
    groups
}

/// How closely small groups are known.
///
/// # Errors
/// If what was released contradicts itself, which the truth excludes.
pub fn loot(learned: &Learned, clinic: &Clinic, seed: u64) -> Result<Loot> {
    let truth = model::truth(clinic);
    let groups = targets(learned, &truth, seed);
    let mut loot = Loot {
        tried: groups.len(),
        answered: learned.persons.len(),
        ..Loot::default()
    };
    let known = learned.known();
    let mut persons = Learned::program(&learned.persons, &groups).context("persons")?;
    let mut incomes = Learned::program(&learned.incomes, &groups).context("incomes")?;
    for (at, group) in groups.iter().enumerate() {
        let n = model::count(&truth, group);
        let (low, high) = persons.of(at)?;
        let follows = known.has(group);
        loot.follow = loot.follow.saturating_add(usize::from(follows));
        let width = high - low;
        loot.narrowest = Some(loot.narrowest.map_or(width, |least| least.min(width)));
        let true_one = f64::from(n);
        anyhow::ensure!(
            low <= true_one + 1e-4 && true_one <= high + 1e-4,
            "{n} persons are not between {low} and {high}: the attacker knows something false"
        );
        if width < PINNED - 1e-6 {
            loot.pinned.push(format!(
                "{n} persons between {low} and {high}; follows: {follows}"
            ));
        }
        let (low, high) = incomes.of(at)?;
        if high - low < PINNED_INCOME - 1e-3 {
            loot.pinned
                .push(format!("income of {n} persons between {low} and {high}"));
        }
    }
    Ok(loot)
}

/// A world in which the victim alone is from town f and eighty or older, ill or not.
#[must_use]
pub fn with_secret(seed: u64, ill: bool) -> Clinic {
    let given = [
        ("town", "f"),
        ("age", "93"),
        ("disease", if ill { "1" } else { "0" }),
    ];
    let given: BTreeMap<String, String> = given
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let victim: Victim = Some(given);
    let mut clinic = Clinic::generate(seed).with(&victim);
    clinic
        .people
        .retain(|person| person.id == VICTIM || !is_victims_group(person));
    clinic
}

fn is_victims_group(person: &crate::arena::clinic::Person) -> bool {
    let of = |name: &str| person.columns.get(name).map(String::as_str);
    let age: i64 = of("age").and_then(|age| age.parse().ok()).unwrap_or(0);
    of("town") == Some("f") && age >= 80
}

/// The guess of an attacker who knows that the victim alone is from town f and that old: ill if the
/// middle of what the count of the ill there can be lies above that of the well; else a coin.
///
/// # Errors
/// If what was released contradicts itself.
pub fn guess(learned: &Learned, seed: u64) -> Result<bool> {
    let cell = |disease: usize| {
        let wanted: [&[usize]; 4] = [&[5], &[5, 6], &[disease], &[0, 1]];
        let of = |(column, wanted): (&model::Column, &[usize])| -> Group {
            (0..column.len())
                .map(|value| wanted.contains(&value))
                .collect()
        };
        let values: Vec<Group> = model::COLUMNS.iter().zip(wanted).map(of).collect();
        model::group(&values)
    };
    let groups = [cell(0), cell(1)];
    let mut ranges = Learned::program(&learned.persons, &groups)?;
    let mut middle = |at: usize| -> Result<f64> {
        let (low, high) = ranges.of(at)?;
        Ok(low + (high - low) / 2.0)
    };
    let (well, ill) = (middle(0)?, middle(1)?);
    let coin = Rng::new(&[seed, 3]).chance(500);
    // What cannot be bounded at all says nothing.
    let told = well.is_finite() && ill.is_finite() && (well - ill).abs() > 1e-6;
    Ok(if told { ill > well } else { coin })
}
