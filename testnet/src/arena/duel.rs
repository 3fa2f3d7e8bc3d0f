//! Plays an attack against nodes whose databases differ in the victim only, and says what is wrong
//! with the attack or with the protection.
//!
//! Four nodes a duel: both databases without protection, to see that the attack works if nothing
//! stops it and to know the exact numbers, and both with it. It must not decide what may leave.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use num_rational::BigRational;
use quorate_node::trial::Shown;
use quorate_query::combine::CombinedCell;
use quorate_query::number::Number;

use super::clinic::Clinic;
use super::corpus::{Attack, Step};
use super::house::{House, Plan, Said};
use super::infer::{Infer, Seen, Term};
use super::noninterference::{Scene, first_difference};

/// Which rehearsals a bout makes: the custodian tries a question before it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    /// None.
    Never,
    /// Every question.
    Always,
    /// The question of one step.
    At(usize),
}

/// What was said to one side, step by step; steps that are no questions have no entry.
#[derive(Default)]
pub struct Bout {
    /// What the node said.
    pub said: BTreeMap<usize, Said>,
    /// What its custodian saw when trying the question first.
    pub tried: BTreeMap<usize, Result<Shown, String>>,
}

/// Plays the steps against one database.
///
/// # Errors
/// If the arena itself fails.
pub fn play(attack: &Attack, side: usize, protected: bool, tries: Tries) -> Result<Bout> {
    let late = attack.steps.contains(&Step::RefreshVictim);
    let victim = |side: usize| attack.victim.get(side).context("two sides");
    let world = Clinic::generate(attack.seed);
    let mut world = world.with(victim(if late { 0 } else { side })?);
    let plan = Plan::world(attack.exact, world.files());
    let mut house = House::open(if protected { plan } else { plan.unprotected() })?;
    let mut bout = Bout::default();
    let wanted: BTreeSet<usize> = attack
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Restore(number) => Some(*number),
            _ => None,
        })
        .collect();
    if wanted.contains(&0) {
        house.keep_copy(0)?;
    }
    for (number, step) in (1..).zip(&attack.steps) {
        match step {
            Step::Ask(ask, _) => {
                if protected && (tries == Tries::Always || tries == Tries::At(number)) {
                    bout.tried.insert(number, house.try_out(ask)?);
                }
                bout.said.insert(number, house.ask(ask)?);
            }
            Step::RefreshVictim => {
                world = world.with(victim(side)?).next();
                house.refresh(world.files())?;
            }
            Step::RefreshOthers(others) => {
                world = world.with_changes(*others, attack.seed).next();
                house.refresh(world.files())?;
            }
            Step::RefreshMoved(moves) => {
                world = world.with_moves(moves).next();
                house.refresh(world.files())?;
            }
            Step::Restart => house.restart()?,
            Step::Restore(number) => house.restore(*number)?,
            Step::Policy(release) => house.set_release(release)?,
            Step::Codebook(name) => house.use_codebook(name)?,
        }
        if wanted.contains(&number) {
            house.keep_copy(number)?;
        }
    }
    Ok(bout)
}

/// The persons of both databases when a step's question is asked.
///
/// # Errors
/// If the attack does not have two sides.
pub fn worlds_at(attack: &Attack, step: usize) -> Result<[Clinic; 2]> {
    let late = attack.steps.contains(&Step::RefreshVictim);
    let at = |side: usize| {
        let victim = |side: usize| attack.victim.get(side).context("two sides");
        let world = Clinic::generate(attack.seed);
        let mut world = world.with(victim(if late { 0 } else { side })?);
        for step in attack.steps.iter().take(step) {
            world = match step {
                Step::RefreshVictim => world.with(victim(side)?).next(),
                Step::RefreshOthers(others) => world.with_changes(*others, attack.seed).next(),
                Step::RefreshMoved(moves) => world.with_moves(moves).next(),
                _ => world,
            };
        }
        anyhow::Ok(world)
    };
    Ok([at(0)?, at(1)?])
}

/// What a duel showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What is wrong; nothing if the attack works unprotected and fails protected, as it says.
    pub wrong: Vec<String>,
    /// Rules, codes and words that stood in the attack's way.
    pub stopped_by: BTreeSet<String>,
    /// The first difference of the protected transcripts and what explains it, if there is one.
    pub explained: Option<String>,
}

/// Plays one attack on all four nodes.
///
/// # Errors
/// If the arena itself fails.
pub fn duel(attack: &Attack) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let protected = [
        play(attack, 0, true, Tries::Always)?,
        play(attack, 1, true, Tries::Never)?,
    ];
    for side in &protected {
        outcome.check_refusals(attack, side);
    }
    let exact = [
        play(attack, 0, false, Tries::Never)?,
        play(attack, 1, false, Tries::Never)?,
    ];
    match &attack.infer {
        None => outcome.check_codes(attack, &protected),
        Some(infer) => {
            outcome.check_live(infer, &exact)?;
            outcome.check_stopped(attack, infer, &protected)?;
        }
    }
    outcome.compare(attack, &protected, &exact)?;
    Ok(outcome)
}

impl Outcome {
    /// A step that must be refused is refused with that code, and no other step is by a fault.
    fn check_refusals(&mut self, attack: &Attack, side: &Bout) {
        for (number, step) in (1..).zip(&attack.steps) {
            let Step::Ask(_, expected) = step else {
                continue;
            };
            let code = side.said.get(&number).and_then(Said::code);
            if expected.is_some() && code != expected.as_deref() {
                let got = code.unwrap_or("an answer");
                self.wrong.push(format!(
                    "step {number}: {got} instead of {}",
                    expected.as_deref().unwrap_or_default()
                ));
            }
            if code.is_some_and(|code| code.starts_with('E')) {
                self.wrong.push(format!("step {number}: a fault, {code:?}"));
            }
        }
    }

    fn check_codes(&mut self, attack: &Attack, sides: &[Bout; 2]) {
        for side in sides {
            let codes = side.said.values().filter_map(Said::code);
            self.stopped_by.extend(codes.map(str::to_owned));
        }
        if self.stopped_by.is_disjoint(&attack.stops) {
            self.wrong.push(format!(
                "no refusal with {:?}, only {:?}",
                attack.stops, self.stopped_by
            ));
        }
    }

    /// Without protection the attacker's number differs.
    fn check_live(&mut self, infer: &Infer, exact: &[Bout; 2]) -> Result<()> {
        let [zero, one] = exact;
        let (zero, one) = (value(infer, zero, true)?, value(infer, one, true)?);
        if zero.is_none() || one.is_none() || zero == one {
            self.wrong.push(format!(
                "the attack learns nothing even without protection: {} and {}",
                shown(zero.as_ref()),
                shown(one.as_ref())
            ));
        }
        Ok(())
    }

    /// With protection it does not, and a rule that the attack names is the reason.
    fn check_stopped(&mut self, attack: &Attack, infer: &Infer, sides: &[Bout; 2]) -> Result<()> {
        let [zero, one] = sides;
        let values = [value(infer, zero, false)?, value(infer, one, false)?];
        let mut lost = false;
        for (bout, term) in sides
            .iter()
            .flat_map(|bout| infer.terms().into_iter().map(move |term| (bout, term)))
        {
            match see(bout, term, false)? {
                Seen::Number(_) | Seen::Nobody => continue,
                Seen::Near(_) => {
                    self.stopped_by.insert("near_earlier".to_owned());
                }
                Seen::Nothing => {}
            }
            lost = true;
            let code = bout.said.get(&term.step).and_then(Said::code);
            self.stopped_by.extend(code.map(str::to_owned));
        }
        let steps: BTreeSet<usize> = infer.terms().iter().map(|term| term.step).collect();
        for tried in steps.iter().filter_map(|step| zero.tried.get(step)) {
            let rules = tried.as_ref().map(|shown| shown.findings.as_slice());
            let rules = rules.unwrap_or_default().iter();
            self.stopped_by
                .extend(rules.map(|finding| finding.rule.to_owned()));
        }
        self.stopped_by.extend(repeats(attack, zero, &steps));
        if !lost {
            // Where nothing is rounded, what is told does not depend on the victim.
            let why = match attack.exact {
                true => "same",
                false if is_one_number(attack, infer)? => "one number",
                false => "rounding",
            };
            self.stopped_by.insert(why.to_owned());
        }
        let [zero, one] = &values;
        let unsure = lost && !matches!(infer, Infer::Shown(_));
        if zero != one && !(unsure && (zero.is_none() || one.is_none())) && !self.near() {
            self.wrong.push(format!(
                "the attack works: {} and {}",
                shown(zero.as_ref()),
                shown(one.as_ref())
            ));
        }
        if self.stopped_by.is_disjoint(&attack.stops) {
            self.wrong.push(format!(
                "stopped by {:?}, not by {:?}",
                self.stopped_by, attack.stops
            ));
        }
        Ok(())
    }

    fn near(&self) -> bool {
        self.stopped_by.contains("near_earlier")
    }

    /// The transcripts are equal up to a difference that one statistic explains.
    fn compare(&mut self, attack: &Attack, sides: &[Bout; 2], exact: &[Bout; 2]) -> Result<()> {
        let [zero, one] = sides;
        let Some(step) = first_difference(zero, one) else {
            return Ok(());
        };
        let again = play(attack, 1, true, Tries::At(step))?;
        match Scene::of(attack, step, [zero, &again], exact)?.explain() {
            Ok(why) => self.explained = Some(format!("step {step}: {why}")),
            Err(why) => self
                .wrong
                .push(format!("step {step} differs without a reason: {why}")),
        }
        Ok(())
    }
}

/// Only compares what protected nodes say to a sequence of questions.
///
/// # Errors
/// If the arena itself fails.
pub fn compare(sequence: &Attack) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let sides = [
        play(sequence, 0, true, Tries::Never)?,
        play(sequence, 1, true, Tries::Never)?,
    ];
    let [zero, one] = &sides;
    for side in &sides {
        outcome.check_refusals(sequence, side);
    }
    let Some(step) = first_difference(zero, one) else {
        return Ok(outcome);
    };
    let sides = [
        play(sequence, 0, true, Tries::At(step))?,
        play(sequence, 1, true, Tries::At(step))?,
    ];
    let exact = [
        play(sequence, 0, false, Tries::Never)?,
        play(sequence, 1, false, Tries::Never)?,
    ];
    outcome.compare(sequence, &sides, &exact)?;
    Ok(outcome)
}

/// The codebook that a step's question is read against.
#[must_use]
pub fn codebook_at(attack: &Attack, step: usize) -> &str {
    let earlier = attack.steps.iter().take(step).rev();
    let named = earlier.filter_map(|step| match step {
        Step::Codebook(name) => Some(name.as_str()),
        _ => None,
    });
    named.into_iter().next().unwrap_or("main")
}

/// The rule by which a stored answer was given again: of the same data, or of later ones.
fn repeats(attack: &Attack, bout: &Bout, steps: &BTreeSet<usize>) -> BTreeSet<String> {
    let again = |step: &&usize| {
        let tried = bout.tried.get(step).and_then(|tried| tried.as_ref().ok());
        tried.is_some_and(|shown| shown.repeated > 0)
    };
    let refreshed = |step: &usize| {
        let earlier = attack.steps.iter().take(*step);
        let mut earlier = earlier.into_iter();
        earlier.any(|step| {
            matches!(
                step,
                Step::RefreshVictim | Step::RefreshOthers(_) | Step::RefreshMoved(_)
            )
        })
    };
    let again = steps.iter().filter(again);
    let rule = again.map(|step| if refreshed(step) { "H5" } else { "H0" });
    rule.map(str::to_owned).collect()
}

/// Whether everything that the expression takes together is the same number, also where nothing is
/// rounded: then asking in other words brought nothing but what was told first.
fn is_one_number(attack: &Attack, infer: &Infer) -> Result<bool> {
    let terms: BTreeSet<&Term> = infer.terms().into_iter().collect();
    let unrounded = Attack {
        exact: true,
        ..attack.clone()
    };
    let mut is_one = terms.len() > 1;
    for side in [0, 1] {
        let bout = play(&unrounded, side, true, Tries::Never)?;
        let mut seen = Vec::new();
        for term in &terms {
            seen.push(see(&bout, term, false)?);
        }
        let first = seen.first();
        is_one &= matches!(first, Some(Seen::Number(_)));
        is_one &= seen.iter().all(|other| Some(other) == first);
    }
    Ok(is_one)
}

/// What an expression comes to for whoever heard what one side said.
fn value(infer: &Infer, bout: &Bout, exact: bool) -> Result<Option<BigRational>> {
    infer.value(&|term: &Term| see(bout, term, exact))
}

/// What a cell says. Without protection a group that is not there counts nobody.
fn see(bout: &Bout, term: &Term, exact: bool) -> Result<Seen> {
    let said = bout.said.get(&term.step);
    let said = said.with_context(|| format!("step {} asks nothing", term.step))?;
    let Some(told) = said.told() else {
        return Ok(Seen::Nothing);
    };
    let table = term.table.saturating_sub(1);
    let combined = told.combined.get(table);
    let combined = combined.with_context(|| format!("{term}: no such table"))?;
    let others = combined.columns.iter().filter(|c| c.kind.name() != "key");
    let column = others
        .into_iter()
        .position(|c| c.name == term.column)
        .with_context(|| format!("{term}: no such column"))?;
    let row = combined.rows.iter().find(|row| {
        let keys: Vec<String> = row.key.iter().map(printed).collect();
        keys == term.key
    });
    let Some(cell) = row.and_then(|row| row.cells.get(column)) else {
        return Ok(if exact { Seen::Nobody } else { Seen::Nothing });
    };
    read(cell, exact)
}

fn read(cell: &CombinedCell, exact: bool) -> Result<Seen> {
    let Some(text) = &cell.value else {
        return Ok(if exact { Seen::Nobody } else { Seen::Nothing });
    };
    let number: Number = text.parse().ok().context("a value is a number")?;
    let number = number.to_rational();
    Ok(if cell.near_earlier {
        Seen::Near(number)
    } else {
        Seen::Number(number)
    })
}

/// A key as an attack writes it.
fn printed(key: &quorate_query::value::Scalar) -> String {
    match key {
        quorate_query::value::Scalar::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

fn shown(value: Option<&BigRational>) -> String {
    value.map_or("nothing".to_owned(), ToString::to_string)
}
