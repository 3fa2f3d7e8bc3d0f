//! Whether a node says more than it may: what two nodes say whose databases differ in one person.
//!
//! Transcripts are compared up to their first difference: statuses, codes, rows, cells and sizes.
//! A difference is explained only if one statistic lies on both sides of its threshold by that
//! person alone, or one exact number on both sides of a rounding boundary. What the largest contributions
//! make up (R4, R5) is worked out anew for both, from the persons themselves. Digests of data and
//! places in ledgers are not compared: they differ between any two states.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use quorate_node::disclose::Finding;
use quorate_node::trial::Shown;
use quorate_query::answer::{Cell, NodeTable};
use quorate_query::codebook::Codebook;
use quorate_query::measure::facts::facts;
use quorate_query::measure::moments::{self, CellSize, ExactMoments};
use quorate_query::measure::products::{self, ExactProducts};
use quorate_query::number::Number;
use quorate_query::question::{Measure, TableQuestion};
use quorate_query::release::{ReleaseParams, round_count};
use quorate_query::value::Scalar;

use super::clinic::Clinic;
use super::corpus::{Attack, Step};
use super::duel::{Bout, codebook_at, worlds_at};
use super::house::{Plan, Said, Told};
use super::persons::Persons;

/// The first step at which two sides were told different things.
#[must_use]
pub fn first_difference(zero: &Bout, one: &Bout) -> Option<usize> {
    let steps: BTreeSet<usize> = zero.said.keys().chain(one.said.keys()).copied().collect();
    let differs = |step: &usize| match (zero.said.get(step), one.said.get(step)) {
        (Some(zero), Some(one)) => !alike(zero, one),
        _ => true,
    };
    steps.into_iter().find(differs)
}

/// Whether whoever listens cannot tell the two apart.
#[must_use]
pub fn alike(zero: &Said, one: &Said) -> bool {
    match (zero, one) {
        (Said::Silent, Said::Silent) => true,
        (
            Said::Refused { code, bytes },
            Said::Refused {
                code: other,
                bytes: length,
            },
        ) => code == other && bytes == length,
        (Said::Answered(zero), Said::Answered(one)) => {
            zero.bytes == one.bytes
                && zero.payload.tables == one.payload.tables
                && zero.payload.protection == one.payload.protection
                && zero.payload.notes == one.payload.notes
        }
        _ => false,
    }
}

/// One question at the first difference, with all that can explain it.
pub struct Scene<'a> {
    said: [&'a Said; 2],
    tried: [Option<&'a Shown>; 2],
    exact: [Option<&'a Told>; 2],
    questions: Vec<TableQuestion>,
    codebook: Codebook,
    worlds: [Clinic; 2],
}

type Key = Vec<Scalar>;

/// A cell: its table, its keys, its measure.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    table: usize,
    key: Key,
    measure: usize,
}

impl<'a> Scene<'a> {
    /// The scene of a step: both protected sides with their rehearsals, and the exact numbers.
    ///
    /// # Errors
    /// If a side is not complete.
    pub fn of(
        attack: &Attack,
        step: usize,
        sides: [&'a Bout; 2],
        exact: &'a [Bout; 2],
    ) -> Result<Self> {
        let Some(Step::Ask(ask, _)) = attack.steps.get(step.saturating_sub(1)) else {
            return Err(anyhow!("step {step} asks nothing"));
        };
        let books = Plan::world(attack.exact, BTreeMap::new()).codebooks;
        let name = codebook_at(attack, step);
        let text = books.get(name).context("no such codebook")?;
        let codebook = quorate_query::codebook::read(text, name)?;
        let read = ask
            .read(&codebook)
            .map_err(|_| anyhow!("step {step} cannot be read"))?;
        let codebook = read.book(&codebook).into_owned();
        let questions = read.tables().into_iter();
        let questions = questions.map(|(_, table)| table.clone()).collect();
        let [zero, one] = sides;
        let said = |bout: &'a Bout| bout.said.get(&step).context("nothing said");
        let tried = |bout: &'a Bout| bout.tried.get(&step).and_then(|tried| tried.as_ref().ok());
        let [exact_zero, exact_one] = exact;
        let told = |bout: &'a Bout| bout.said.get(&step).and_then(Said::told);
        Ok(Self {
            said: [said(zero)?, said(one)?],
            tried: [tried(zero), tried(one)],
            exact: [told(exact_zero), told(exact_one)],
            questions,
            codebook,
            worlds: worlds_at(attack, step)?,
        })
    }

    /// What explains the difference, or what does not.
    ///
    /// # Errors
    /// What is different and has no reason.
    pub fn explain(&self) -> Result<String, String> {
        let [Said::Answered(zero), Said::Answered(one)] = self.said else {
            return Err("one side is answered and the other is not, or codes differ".to_owned());
        };
        let differing = differing(&zero.payload.tables, &one.payload.tables);
        if differing.is_empty() {
            return Err(format!(
                "only sizes differ: {} and {}",
                zero.bytes, one.bytes
            ));
        }
        let (mut direct, mut following) = (Vec::new(), Vec::new());
        for place in differing {
            let cells = [cell(zero, &place), cell(one, &place)];
            match self.reason(&place, cells) {
                Ok(Reason::Direct(why)) => direct.push(why),
                Ok(Reason::Following(why)) => following.push(why),
                Err(why) => return Err(format!("{place:?}: {why}")),
            }
        }
        match direct.first() {
            Some(why) => Ok(why.clone()),
            None => Err(format!(
                "no statistic decides it, only what follows from one: {}",
                following.join("; ")
            )),
        }
    }

    /// Why one cell differs.
    fn reason(&self, place: &Place, cells: [&Cell; 2]) -> Result<Reason, String> {
        if let [Cell::Value(_), Cell::Value(_)] | [Cell::Near(_), Cell::Near(_)] = cells {
            return self.rounding(place, cells).map(Reason::Direct);
        }
        let of_cell = |finding: &&Finding| {
            (finding.key == place.key && finding.measure == place.measure) || finding.key.is_empty()
        };
        let tried = self.tried.iter().flatten();
        let found: Vec<&Finding> = tried
            .flat_map(|shown| &shown.findings)
            .filter(of_cell)
            .collect();
        let moved = self.moves(place);
        for finding in &found {
            if let Some(largest) = Largest::of(finding.rule)
                && let Some(sides) = self.largest(place, &largest)
            {
                return largest.explain(place, cells, sides).map(Reason::Direct);
            }
            if let Some(statistic) = &finding.statistic
                && let Some(reach) = reach(statistic.name, moved)
                && statistic.value < statistic.threshold
                && statistic.value.saturating_add(reach) >= statistic.threshold
            {
                return Ok(Reason::Direct(format!(
                    "{}: {} is {} on one side, {} needed",
                    finding.rule, statistic.name, statistic.value, statistic.threshold
                )));
            }
        }
        let history = |finding: &&&Finding| finding.rule.starts_with(['H', 'n']);
        match found.iter().find(history) {
            Some(finding) => Ok(Reason::Following(finding.to_string())),
            None => Err(format!("different on one side only: {:?}", texts(&found))),
        }
    }

    /// What the rule about the largest contributions says of either side, by the persons themselves; `None`
    /// if what they add is not known.
    fn largest(&self, place: &Place, rule: &Largest) -> Option<[bool; 2]> {
        let question = self.questions.get(place.table)?;
        let params = self.params();
        let [zero, one] = &self.worlds;
        let withheld = |world: &Clinic| {
            let persons = Persons::of(world, &self.codebook);
            let sums = persons.contributions(question, place.measure, &place.key)?;
            Some(
                sums.iter()
                    .any(|each| rule.withholds(each.values(), &params)),
            )
        };
        Some([withheld(zero)?, withheld(one)?])
    }

    /// Whether both values are the right rounding of exact numbers that differ by one person.
    fn rounding(&self, place: &Place, cells: [&Cell; 2]) -> Result<String, String> {
        let question = self.questions.get(place.table).ok_or("no such table")?;
        let spec = question.measures.get(place.measure);
        let spec = spec.ok_or("no such measure")?;
        let reach = self.rows_of_one(question);
        let mut counts = Vec::new();
        for (cell, exact) in cells.into_iter().zip(self.exact) {
            let exact = exact.ok_or("the unprotected twin was refused")?;
            let (Cell::Value(parts) | Cell::Near(parts)) = cell else {
                return Err("withheld".to_owned());
            };
            let exact = match self::cell(exact, place) {
                Cell::Value(parts) => parts.clone(),
                _ => vec![Number::from(0_u64); parts.len()],
            };
            let earlier = matches!(cell, Cell::Near(_)) || self.repeats();
            if !earlier && self.rounded((question, spec), &exact, parts).as_ref() != Some(parts) {
                return Err(format!("{parts:?} is not the rounding of {exact:?}"));
            }
            counts.push(exact);
        }
        let [zero, one] = counts.as_slice() else {
            return Err("two sides".to_owned());
        };
        // Numbers of persons and rows; of products only the first is one.
        let numbers = if matches!(spec, Measure::Products { .. }) {
            1
        } else {
            2
        };
        let far = zero.iter().zip(one).take(numbers).any(|(zero, one)| {
            let apart = (zero.to_rational() - one.to_rational()).abs();
            apart > BigRational::from_integer(BigInt::from(reach))
        });
        if far {
            return Err(format!(
                "{zero:?} and {one:?} differ by more than one person"
            ));
        }
        Ok(format!(
            "rounding: {zero:?} and {one:?} are shown differently"
        ))
    }

    /// The parts that must be shown for exact parts; sizes of means as they were shown.
    fn rounded(
        &self,
        (question, spec): (&TableQuestion, &Measure),
        exact: &[Number],
        parts: &[Number],
    ) -> Option<Vec<Number>> {
        let params = self.params();
        let whole = |number: &Number| u64::try_from(number.to_integer()?).ok();
        if let Measure::Products { left, right } = spec {
            let ([persons, sum], known) = (exact, facts(spec, question, &self.codebook)?) else {
                return None;
            };
            let scale = |of| self.codebook.column(of)?.ty.scale();
            let scale = scale(left)?.saturating_add(scale(right)?);
            let exact = ExactProducts {
                persons: whole(persons)?,
                sum: sum.at_scale(scale)?,
                scale,
            };
            return products::protect(&exact, known.bounds?, &params);
        }
        if !matches!(spec, Measure::Moments { .. }) {
            let round = |part| Some(Number::from(round_count(whole(part)?, params.round_base)));
            return exact.iter().map(round).collect();
        }
        let known = facts(spec, question, &self.codebook)?;
        let column = quorate_query::measure::facts::column_of(spec)?;
        let scale = self.codebook.column(column)?.ty.scale()?;
        let [persons, rows, sum, squares] = exact else {
            return None;
        };
        let exact = ExactMoments {
            persons: whole(persons)?,
            rows: whole(rows)?,
            sum: sum.at_scale(scale)?,
            sum_sq: squares.at_scale(scale.saturating_mul(2))?,
            scale,
        };
        let size = CellSize {
            persons: whole(parts.first()?)?,
            rows: whole(parts.get(1)?)?,
            complete: known.complete,
        };
        moments::protect(&exact, known.bounds?, size, &params)
    }

    /// Whether a side repeats an earlier answer, whose exact numbers may be those of another epoch.
    fn repeats(&self) -> bool {
        self.tried.iter().flatten().any(|shown| shown.repeated > 0)
    }

    fn params(&self) -> ReleaseParams {
        let shown = self.said.iter().find_map(|said| said.told());
        let protection = shown.map(|told| told.payload.protection);
        ReleaseParams {
            k: protection.map_or(self.codebook.release.k, |p| p.k),
            round_base: protection.map_or(self.codebook.release.round_base, |p| p.round_base),
            ..self.codebook.release.clone()
        }
    }

    /// How many rows one person can add.
    fn rows_of_one(&self, question: &TableQuestion) -> u64 {
        let table = self.codebook.tables.get(&question.rows);
        match table.map(|table| table.rows) {
            Some(quorate_query::codebook::RowsPer::Many { max_rows }) => u64::from(max_rows),
            _ => 1,
        }
    }

    /// Whether the victim changes the exact numbers of a cell at all.
    fn moves(&self, place: &Place) -> bool {
        let [zero, one] = self.exact.map(|told| told.map(|told| cell(told, place)));
        zero != one
    }
}

/// The rules about the largest contributions, as their pages have them.
#[derive(Clone, Copy)]
enum Largest {
    /// R4: what the others add is less than p % of the largest.
    PPercent,
    /// R5: the n largest are a given share of all, or more.
    Share,
}

impl Largest {
    fn of(rule: &str) -> Option<Self> {
        match rule {
            "R4" => Some(Self::PPercent),
            "R5" => Some(Self::Share),
            _ => None,
        }
    }

    fn withholds<'c>(self, each: impl Iterator<Item = &'c i128>, params: &ReleaseParams) -> bool {
        let mut sizes: Vec<BigInt> = each.map(|one| BigInt::from(one.abs())).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let all: BigInt = sizes.iter().sum();
        let largest = |n: usize| -> BigInt { sizes.iter().take(n).sum() };
        match self {
            Self::PPercent => (&all - largest(2)) * 100 < largest(1) * params.p_pct,
            Self::Share => {
                let (n, share) = params.nk;
                largest(usize::try_from(n).unwrap_or(usize::MAX)) * 100 >= all * share
            }
        }
    }

    /// The side that is withheld must be the one that the rule withholds, and no other.
    fn explain(self, place: &Place, cells: [&Cell; 2], sides: [bool; 2]) -> Result<String, String> {
        let rule = match self {
            Self::PPercent => "R4",
            Self::Share => "R5",
        };
        let hidden = cells.map(|cell| *cell == Cell::Suppressed);
        if hidden == sides && sides[0] != sides[1] {
            return Ok(format!(
                "{rule}: the largest contributions of {:?} are too large on one side, worked out anew",
                place.key
            ));
        }
        Err(format!(
            "{rule} withholds by its page {sides:?} of the two, but the node withholds {hidden:?}"
        ))
    }
}

/// Why a cell differs.
enum Reason {
    /// A statistic or a rounding boundary of the cell itself.
    Direct(String),
    /// History or secondary suppression, which follows from another cell.
    Following(String),
}

/// How far one person moves a statistic: a number of persons by one; a magnitude as far as it
/// must, but only where the person is in the cell.
fn reach(name: &str, moved: bool) -> Option<i128> {
    let magnitudes = [
        "share",
        "dominance",
        "rest",
        "remainder",
        "spread",
        "abs",
        "sum",
    ];
    if !magnitudes.iter().any(|word| name.contains(word)) {
        return Some(1);
    }
    moved.then_some(i128::MAX)
}

fn texts(findings: &[&Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Every cell that one side shows otherwise than the other.
fn differing(zero: &[NodeTable], one: &[NodeTable]) -> Vec<Place> {
    let rows = |tables: &[NodeTable]| -> BTreeMap<(usize, Key), Vec<Cell>> {
        let tables = (0..).zip(tables);
        let rows = tables.flat_map(|(number, table)| table.rows.iter().map(move |r| (number, r)));
        rows.map(|(number, row)| ((number, row.key.clone()), row.cells.clone()))
            .collect()
    };
    let (zero, one) = (rows(zero), rows(one));
    let keys: BTreeSet<&(usize, Key)> = zero.keys().chain(one.keys()).collect();
    let mut found = Vec::new();
    for at in keys {
        let [left, right] = [zero.get(at), one.get(at)].map(|row| row.map_or(&[][..], |row| row));
        let hidden = Cell::Suppressed;
        for measure in 0..left.len().max(right.len()) {
            let [left, right] = [left, right].map(|row| row.get(measure).unwrap_or(&hidden));
            if left != right {
                found.push(Place {
                    table: at.0,
                    key: at.1.clone(),
                    measure,
                });
            }
        }
    }
    found
}

/// A cell of an answer; a row that is not listed is withheld.
fn cell<'t>(told: &'t Told, place: &Place) -> &'t Cell {
    const HIDDEN: &Cell = &Cell::Suppressed;
    let rows = told.payload.tables.get(place.table);
    let mut rows = rows.into_iter().flat_map(|table| &table.rows);
    let row = rows.find(|row| row.key == place.key);
    row.and_then(|row| row.cells.get(place.measure))
        .unwrap_or(HIDDEN)
}
