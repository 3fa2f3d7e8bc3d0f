//! One sequence against one node, and what came of it. It must not know any rule of release but the
//! promise that is checked: how closely a small group may become known.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::learned::{Learned, Space};
use super::limits::within;
use super::model::{self, Group, Question};
use super::world::{World, places};
use crate::arena::clinic::{Clinic, VICTIM, Victim};
use crate::arena::house::{Ask, House, Plan};
use crate::generate::rng::Rng;

/// Groups of fewer persons are small.
pub const SMALL: usize = 8;
/// A count of a small group is pinned if fewer numbers than this lie between the least and the
/// greatest that it can be: then it is better known than a large group that was released.
pub const PINNED: f64 = 4.0;
/// The sum of a small group is pinned if it is better known than to a tenth of what one person may
/// add.
pub const PINNED_INCOME: f64 = 20_000.0;
/// As that of incomes, of twenty visits.
pub const PINNED_COSTS: f64 = 10_000.0;
/// How far a rounded count may be from the true one.
const ROUNDED: f64 = 2.0;
/// So many small groups of a space are tried in a sequence.
const TRIED: usize = 30;
/// So many have changed in a second extract.
const CHANGED: usize = 60;

/// What an attacker got.
#[derive(Clone, Debug, Default)]
pub struct Loot {
    /// Small groups that were tried.
    pub tried: usize,
    /// Those that follow exactly, by elimination.
    pub follow: usize,
    /// The least distance between the bounds of any.
    pub narrowest: Option<f64>,
    /// Groups of which a count or a sum is pinned.
    pub pinned: Vec<String>,
    /// Where nothing is rounded: what follows about few persons within the published limits.
    pub within: Vec<String>,
    /// Cells that were answered.
    pub answered: usize,
}

/// The questions of a seed.
#[must_use]
pub fn questions(seed: u64, number: usize) -> Vec<Question> {
    let mut rng = Rng::new(&[seed, 90_210]);
    (0..number).map(|_| Question::draw(&mut rng)).collect()
}

/// The questions of a seed, every second of which is for review.
#[must_use]
pub fn questions_for_review(seed: u64, number: usize) -> Vec<Question> {
    let mut rng = Rng::new(&[seed, 90_211]);
    let draw = |at: usize| match at % 2 {
        0 => Question::draw_for_review(&mut rng),
        _ => Question::draw(&mut rng),
    };
    (0..number).map(draw).collect()
}

/// How a sequence is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Nothing is protected.
    None,
    /// Everything is.
    All,
    /// Nothing is rounded: only what is withheld protects.
    Unrounded,
}

/// Asks them all and keeps what is learned; the node restarts in the middle, and where there are two
/// extracts the second comes then.
///
/// # Errors
/// If the arena itself fails.
pub fn listen(extracts: &[Clinic], questions: &[Question], rules: Rules) -> Result<Learned> {
    let first = extracts.first().context("no extract")?;
    let plan = match rules {
        Rules::None => Plan::clinic(first.files()).unprotected(),
        Rules::All => Plan::clinic(first.files()),
        Rules::Unrounded => Plan::clinic(first.files()).exact(),
    };
    let mut house = House::open(plan)?;
    let mut learned = Learned {
        rounded: if rules == Rules::All { ROUNDED } else { 0.0 },
        ..Learned::default()
    };
    let mut epoch = 0;
    for (at, question) in questions.iter().enumerate() {
        if at == questions.len() / 2 {
            house.restart()?;
            if let Some(second) = extracts.get(1) {
                house.refresh(second.files())?;
                epoch = 1;
            }
        }
        let ask = Ask {
            sql: question.sql(),
            who: question.who.to_owned(),
            reviewed: question.any,
            ..Ask::default()
        };
        let said = house.ask(&ask)?;
        match said.told() {
            Some(told) => learned.read(question, told, epoch),
            None => anyhow::bail!("{} is refused: {:?}", ask.sql, said.code()),
        }
    }
    Ok(learned)
}

/// The extracts of a seed: every second one is followed by another, in which some have changed.
#[must_use]
pub fn extracts(seed: u64) -> Vec<Clinic> {
    let first = Clinic::generate(seed);
    let second = first.clone().with_changes(CHANGED, seed).next();
    match seed % 2 {
        0 => vec![first, second],
        _ => vec![first],
    }
}

/// Small groups worth trying: one value in two or three columns, withheld cells, and who is in one
/// released group and not in another that differs in one column.
fn targets(
    learned: &Learned,
    world: &World,
    (space, epoch): (Space, usize),
    seed: u64,
) -> Vec<Vec<Group>> {
    let kinds = matches!(space, Space::Rows | Space::Costs);
    let corners = model::corners(kinds).into_iter();
    let mut groups: BTreeSet<Vec<Group>> = corners.map(|sides| of_kinds(space, sides)).collect();
    let withheld = learned.withheld.iter().filter(|(of, _)| *of == space);
    groups.extend(withheld.map(|(_, sides)| sides.clone()));
    let released: BTreeSet<&Vec<Group>> = learned.about(space, epoch).map(|s| &s.sides).collect();
    for a in &released {
        for b in &released {
            groups.extend(only(a, b));
        }
    }
    let small = |sides: &Vec<Group>| (1..SMALL).contains(&world.persons(space, sides));
    let mut groups: Vec<Vec<Group>> = groups.into_iter().filter(small).collect();
    let mut rng = Rng::new(&[seed, 7]);
    while groups.len() > TRIED {
        let last = i64::try_from(groups.len()).unwrap_or(1) - 1;
        let at = usize::try_from(rng.between(0, last)).unwrap_or(0);
        groups.swap_remove(at);
    }
    groups
}

/// A group among those who have a visit of the kinds that a space is about.
fn of_kinds(space: Space, mut sides: Vec<Group>) -> Vec<Group> {
    if let (Space::Visitors(bits), Some(kinds)) = (space, sides.last_mut()) {
        for (at, inside) in kinds.iter_mut().enumerate() {
            *inside = bits & (1 << at) != 0;
        }
    }
    sides
}

/// Who is in one group and not in another, if they differ in one column only.
fn only(a: &[Group], b: &[Group]) -> Option<Vec<Group>> {
    let mut rest = a.to_vec();
    let mut differing = rest.iter_mut().zip(b).filter(|(a, b)| a != b);
    let (own, other) = differing.next()?;
    if differing.next().is_some() {
        return None;
    }
    for (inside, also) in own.iter_mut().zip(other) {
        *inside = *inside && !also;
    }
    Some(rest)
}

/// How closely small groups are known.
///
/// # Errors
/// If what was released contradicts itself, which the truth excludes.
pub fn loot(learned: &Learned, extracts: &[Clinic], seed: u64) -> Result<Loot> {
    let worlds: Vec<World> = extracts.iter().map(World::of).collect();
    let mut loot = Loot {
        answered: learned.statements.len(),
        ..Loot::default()
    };
    for (space, epoch) in learned.spaces() {
        let world = worlds.get(epoch).context("no such extract")?;
        loot.search(learned, world, (space, epoch), seed)
            .with_context(|| format!("{space:?} in epoch {epoch}"))?;
    }
    if learned.rounded == 0.0 {
        loot.within = within(learned, &worlds);
    }
    Ok(loot)
}

impl Loot {
    fn search(
        &mut self,
        learned: &Learned,
        world: &World,
        (space, epoch): (Space, usize),
        seed: u64,
    ) -> Result<()> {
        for s in learned.about(space, epoch) {
            let sum = told(space, &world.adds_of(s))?;
            anyhow::ensure!(
                s.low <= sum + 1e-3 && sum <= s.high + 1e-3,
                "{sum} is not between {} and {}: what is known of {:?} is false",
                s.low,
                s.high,
                s.sides
            );
        }
        let groups = targets(learned, world, (space, epoch), seed);
        let asked: Vec<Group> = groups.iter().map(|sides| places(space, sides)).collect();
        let known = learned.known(space, epoch);
        let mut ranges = learned.program(space, epoch, &asked)?;
        for (at, (sides, group)) in groups.iter().zip(&asked).enumerate() {
            let n = world.persons(space, sides);
            let sum = total(world, space, sides)?;
            let (low, high) = ranges.of(at)?;
            let follows = known.has(group);
            self.tried = self.tried.saturating_add(1);
            self.follow = self.follow.saturating_add(usize::from(follows));
            anyhow::ensure!(
                low <= sum + 1e-3 && sum <= high + 1e-3,
                "{sum} of {n} persons is not between {low} and {high}: the solver is wrong"
            );
            let (width, pinned) = (high - low, pinned(space));
            if space.is_count() {
                let least = self.narrowest.map_or(width, |least| least.min(width));
                self.narrowest = Some(least);
            }
            if width < pinned - 1e-3 {
                self.pinned.push(format!(
                    "{space:?} of {n} persons between {low} and {high}; follows: {follows}"
                ));
            }
        }
        Ok(())
    }
}

/// What all persons add to a sum.
fn total(world: &World, space: Space, sides: &[Group]) -> Result<f64> {
    told(space, &world.adds(space, sides))
}

/// The sum of what persons add, in the units in which it is told.
fn told(space: Space, adds: &[i64]) -> Result<f64> {
    let sum: i64 = adds.iter().sum();
    let sum: f64 = sum.to_string().parse()?;
    // Costs are told in whole units.
    Ok(if space == Space::Costs {
        sum / 100.0
    } else {
        sum
    })
}

/// How closely a sum over a small group must not be known.
fn pinned(space: Space) -> f64 {
    match space {
        Space::Incomes => PINNED_INCOME,
        Space::Costs => PINNED_COSTS,
        Space::Persons | Space::Visitors(_) | Space::Rows => PINNED,
    }
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
        let wanted: [&[usize]; 6] = [&[5], &[5, 6], &[disease], &[0, 1], &[0, 1, 2], &[0, 1]];
        let of = |(column, wanted): (&model::Column, &[usize])| -> Group {
            (0..column.len())
                .map(|value| wanted.contains(&value))
                .collect()
        };
        let values: Vec<Group> = model::COLUMNS.iter().zip(wanted).map(of).collect();
        model::group(&values)
    };
    let groups = [cell(0), cell(1)];
    let mut ranges = learned.program(Space::Persons, 0, &groups)?;
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
