//! Ordinary epidemiological questions, asked in many orders in one history each: how much of what
//! the rules of a cell alone would allow does history deny?
//!
//! It must not know why something is denied, only that it is; the reasons are the custodian's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use quorate_query::answer::Cell;
use quorate_query::toml_reader::{File, Section};
use quorate_query::value::Scalar;

use super::clinic::Clinic;
use super::district;
use super::house::{Ask, House, Plan, Told};
use crate::generate::rng::Rng;

/// A question that must be answered.
#[derive(Clone, Debug)]
pub struct Ordinary {
    /// Name.
    pub id: String,
    /// The question.
    pub ask: Ask,
}

/// One cell of an answer.
pub type CellAt = (Vec<Scalar>, usize);

/// What history did to all questions in one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cells that the rules of a cell allow.
    pub allowed: usize,
    /// Of these, withheld or refused.
    pub denied: usize,
    /// Of these, answered with an earlier, nearly equal release.
    pub near: usize,
    /// The denied cells by question, with the custodian's reason.
    pub reasons: Vec<String>,
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.allowed = self.allowed.saturating_add(other.allowed);
        self.denied = self.denied.saturating_add(other.denied);
        self.near = self.near.saturating_add(other.near);
        self.reasons.extend(other.reasons);
    }

    /// Denied cells in a thousand allowed ones, rounded up.
    #[must_use]
    pub fn per_mille(&self) -> usize {
        self.denied
            .saturating_mul(1000)
            .div_ceil(self.allowed.max(1))
    }
}

/// Every question of a folder.
///
/// # Errors
/// Every mistake of the first file that has one.
pub fn read_folder(folder: &Path) -> Result<Vec<Ordinary>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    let mut found = Vec::new();
    let mut ids = BTreeSet::new();
    for path in files {
        let text = std::fs::read_to_string(&path)?;
        let file = File::parse(&text, &path.display().to_string())?;
        let sections = file.root().sections("question");
        let questions: Option<Vec<Ordinary>> = sections.iter().map(question).collect();
        for question in file.finish(questions)? {
            if !ids.insert(question.id.clone()) {
                bail!("{}: `{}` is there already", path.display(), question.id);
            }
            found.push(question);
        }
    }
    Ok(found)
}

fn question(section: &Section<'_>) -> Option<Ordinary> {
    let ask = Ask {
        sql: section.need("ask")?,
        who: section.or("as", String::new()),
        project: section.or("project", String::new()),
        ..Ask::default()
    };
    Some(Ordinary {
        id: section.need("id")?,
        ask,
    })
}

/// Of whom the questions are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Ten thousand persons of a register.
    District,
    /// The eight hundred persons that attacks are played in.
    Clinic,
}

/// The seed of the persons.
const PERSONS: u64 = 1;

/// A house with one of the worlds.
///
/// # Errors
/// If it does not open.
pub fn house(world: World) -> Result<House> {
    House::open(match world {
        World::District => Plan::district(district::generate(PERSONS).files()),
        World::Clinic => {
            let world = Clinic::generate(PERSONS).with(&Some(BTreeMap::new()));
            Plan::clinic(world.files())
        }
    })
}

/// The cells of each question that the rules of a cell allow: those that a custodian's trial on a
/// node without history shows, or withholds for a reason of history.
///
/// # Errors
/// If a question is refused, or nothing of it may be shown.
pub fn allowed(questions: &[Ordinary], world: World) -> Result<Vec<BTreeSet<CellAt>>> {
    let house = house(world)?;
    let node = house.for_trials()?;
    let mut all = Vec::new();
    for Ordinary { id, ask } in questions {
        let tried = house.try_on(&node, ask)?;
        let shown = match tried {
            Ok(shown) => shown,
            Err(code) => bail!("{id}: refused with {code}"),
        };
        let mut cells = BTreeSet::new();
        for row in shown.tables.iter().flat_map(|shown| &shown.table.rows) {
            let seen = (0..).zip(&row.cells);
            let seen = seen.filter(|(_, cell)| **cell != Cell::Suppressed);
            cells.extend(seen.map(|(measure, _)| (row.key.clone(), measure)));
        }
        let history = shown.findings.iter().filter(|f| is_history(f.rule));
        cells.extend(history.map(|finding| (finding.key.clone(), finding.measure)));
        if cells.is_empty() {
            bail!("{id}: nothing of it may be shown");
        }
        all.push(cells);
    }
    Ok(all)
}

/// Rules that compare a cell with others; the rest look at the cell alone.
fn is_history(rule: &str) -> bool {
    rule.starts_with('H')
}

/// The order that a seed gives.
#[must_use]
pub fn order(length: usize, seed: u64) -> Vec<usize> {
    let mut rng = Rng::new(&[seed, 31]);
    let mut order: Vec<usize> = (0..length).collect();
    for at in (1..length).rev() {
        let other = rng.between(0, i64::try_from(at).unwrap_or(0));
        order.swap(at, usize::try_from(other).unwrap_or(0));
    }
    order
}

/// Asks every question in one order in one history.
///
/// # Errors
/// If the arena itself fails.
pub fn play(
    questions: &[Ordinary],
    allowed: &[BTreeSet<CellAt>],
    order: &[usize],
    world: World,
) -> Result<Tally> {
    let mut house = house(world)?;
    let mut tally = Tally::default();
    for at in order {
        let (Some(question), Some(allowed)) = (questions.get(*at), allowed.get(*at)) else {
            continue;
        };
        tally.allowed = tally.allowed.saturating_add(allowed.len());
        let said = house.ask(&question.ask)?;
        let Some(told) = said.told() else {
            tally.denied = tally.denied.saturating_add(allowed.len());
            let code = said.code().unwrap_or("silence");
            tally.reasons.push(format!("{}: {code}", question.id));
            continue;
        };
        let (denied, near) = compare(told, allowed);
        tally.near = tally.near.saturating_add(near);
        tally.denied = tally.denied.saturating_add(denied.len());
        if !denied.is_empty() {
            tally.reasons.extend(reasons(&house, question, &denied)?);
        }
    }
    Ok(tally)
}

/// Allowed cells that are not shown, and how many show an earlier answer.
fn compare(told: &Told, allowed: &BTreeSet<CellAt>) -> (BTreeSet<CellAt>, usize) {
    let (mut denied, mut near) = (allowed.clone(), 0_usize);
    for row in told.payload.tables.iter().flat_map(|table| &table.rows) {
        for (measure, cell) in (0..).zip(&row.cells) {
            match cell {
                Cell::Suppressed => continue,
                Cell::Near(_) => near = near.saturating_add(1),
                Cell::Value(_) => {}
            }
            denied.remove(&(row.key.clone(), measure));
        }
    }
    (denied, near)
}

/// What the custodian sees when trying the question again: the denied cells are denied still.
fn reasons(house: &House, question: &Ordinary, denied: &BTreeSet<CellAt>) -> Result<Vec<String>> {
    let Ok(shown) = house.try_out(&question.ask)? else {
        return Ok(vec![format!("{}: refused when tried again", question.id)]);
    };
    let of = |(key, measure): &CellAt| {
        let finding = shown
            .findings
            .iter()
            .find(|f| (f.key == *key && f.measure == *measure) || f.key.is_empty());
        let why = finding.map_or("no finding".to_owned(), ToString::to_string);
        format!("{}: {why}", question.id)
    };
    Ok(denied.iter().map(of).collect())
}
