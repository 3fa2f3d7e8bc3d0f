//! What an attacker knows after some answers: linear statements about the table. It must not know
//! the truth.

use std::collections::BTreeSet;

use quorate_query::answer::{Cell, Mode};
use quorate_query::number::Number;
use quorate_query::value::Scalar;

use super::exact::Known;
use super::model::{DISEASE, Group, Measure, Question};
use super::simplex::{Program, Stuck};
use super::world::places;
use crate::arena::house::Told;

/// A nearly equal earlier answer: fewer persons differ than the threshold.
const NEAR: f64 = 7.0;
/// Least count that is shown.
const LEAST: f64 = 8.0;
/// How many further rows there may be where they are not told: of fewer than eight persons.
const FURTHER: f64 = 7.0 * 19.0;
/// How far apart the least and the greatest income that count are.
const INCOMES: f64 = 200_000.0;
/// How far apart the least and the greatest number, and total cost, of a person's visits are.
const NUMBERS: f64 = 20.0;
const TOTALS: f64 = 20.0 * 5_000.0;
/// Half the grid of mean costs: what is missing is hidden, so it is that of few persons.
const COSTS: f64 = 50.0;

/// What is added up. Sums of one space may be added and subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// Persons.
    Persons,
    /// Their incomes.
    Incomes,
    /// Persons who have a visit of one of these kinds, as bits.
    Visitors(u8),
    /// Rows of visits.
    Rows,
    /// What visits cost.
    Costs,
}

impl Space {
    /// Persons who have a visit of one of some kinds.
    #[must_use]
    pub fn visitors(kinds: &[bool]) -> Self {
        let bits = kinds.iter().rev();
        Self::Visitors(bits.fold(0, |bits, kind| bits << 1 | u8::from(*kind)))
    }

    /// Whether persons or rows are counted.
    #[must_use]
    pub fn is_count(self) -> bool {
        !matches!(self, Self::Incomes | Self::Costs)
    }
}

/// The sum over a group lies between two numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What is added up.
    pub space: Space,
    /// In which state of the data.
    pub epoch: usize,
    /// Over which values of each column; kinds of visits last.
    pub sides: Vec<Group>,
    /// Whether it is over everybody else.
    pub outside: bool,
    /// At least this.
    pub low: f64,
    /// At most this.
    pub high: f64,
    /// What was shown.
    pub shown: f64,
    /// Whether it left beside a mean, as its number of rows.
    pub beside: bool,
}

impl Statement {
    /// The places that it is over.
    #[must_use]
    pub fn places(&self) -> Group {
        let mut group = places(self.space, &self.sides);
        if self.outside {
            group.iter_mut().for_each(|inside| *inside = !*inside);
        }
        group
    }
}

/// Everything released, as statements.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// How far a rounded count may be from the true one.
    pub rounded: f64,
    /// What was shown.
    pub statements: Vec<Statement>,
    /// Cells that were withheld.
    pub withheld: Vec<(Space, Vec<Group>)>,
}

impl Learned {
    /// Reads an answer about a state of the data.
    pub fn read(&mut self, question: &Question, told: &Told, epoch: usize) {
        let exact = told.payload.protection.mode == Mode::None;
        for row in told.payload.tables.iter().flat_map(|table| &table.rows) {
            let key: Vec<String> = row.key.iter().map(plain).collect();
            let (Some(sides), Some(cell)) = (question.sides(&key), row.cells.first()) else {
                continue;
            };
            let (parts, near) = match cell {
                // Who is outside a box is no box, which the search is about.
                Cell::Suppressed if question.any => continue,
                Cell::Suppressed => {
                    self.withheld.push((space(question.measure, &sides), sides));
                    continue;
                }
                Cell::Value(parts) => (parts, 0.0),
                Cell::Near(parts) => (parts, NEAR),
            };
            let mut answer = Answer {
                learned: self,
                epoch,
                sides,
                outside: question.any,
                exact: exact && near == 0.0,
                near,
            };
            answer.learn(question.measure, parts);
        }
    }

    /// The spaces and states of the data that something is known of.
    #[must_use]
    pub fn spaces(&self) -> BTreeSet<(Space, usize)> {
        let all = self.statements.iter();
        all.map(|s| (s.space, s.epoch)).collect()
    }

    /// What is known of a space in a state of the data.
    pub fn about(&self, space: Space, epoch: usize) -> impl Iterator<Item = &Statement> {
        let all = self.statements.iter();
        all.filter(move |s| s.space == space && s.epoch == epoch)
    }

    /// A linear program of a space, with a sum for each group asked about.
    ///
    /// # Errors
    /// If the statements contradict each other.
    pub fn program(&self, space: Space, epoch: usize, asked: &[Group]) -> Result<Ranges, Stuck> {
        let statements: Vec<(&Statement, Group)> =
            self.about(space, epoch).map(|s| (s, s.places())).collect();
        let all = || statements.iter().map(|(_, group)| group).chain(asked);
        // Places in the same groups are one variable.
        let size = all().map(Vec::len).max().unwrap_or(0);
        let mut kinds: Vec<(Vec<bool>, usize)> = Vec::new();
        for place in 0..size {
            let signature = all().map(|group| group.get(place) == Some(&true)).collect();
            kinds.push((signature, place));
        }
        kinds.sort();
        kinds.dedup_by(|a, b| a.0 == b.0);
        let narrow = |group: &Group| -> Group {
            let inside = |(_, place): &(Vec<bool>, usize)| group.get(*place) == Some(&true);
            kinds.iter().map(inside).collect()
        };
        let mut program = Program::new(kinds.len());
        for (statement, group) in &statements {
            program.bound(&narrow(group), statement.low, statement.high);
        }
        let sums = asked
            .iter()
            .map(|group| program.free(&narrow(group)))
            .collect();
        program.settle()?;
        Ok(Ranges { program, sums })
    }

    /// Which groups follow from the statements about a space.
    #[must_use]
    pub fn known(&self, space: Space, epoch: usize) -> Known {
        let mut known = Known::default();
        for statement in self.about(space, epoch) {
            known.learn(&statement.places());
        }
        known
    }
}

/// The groups of a program, to be asked for one by one.
pub struct Ranges {
    program: Program,
    sums: Vec<usize>,
}

impl Ranges {
    /// The least and the greatest value of the n-th group.
    ///
    /// # Errors
    /// If there is no such group, or the program does not end.
    pub fn of(&mut self, number: usize) -> Result<(f64, f64), Stuck> {
        let sum = self.sums.get(number).ok_or(Stuck::Endless)?;
        self.program.range(*sum)
    }
}

/// One cell of an answer.
struct Answer<'a> {
    learned: &'a mut Learned,
    epoch: usize,
    sides: Vec<Group>,
    /// Whether it is about everybody else.
    outside: bool,
    /// Without protection.
    exact: bool,
    /// How many persons may differ.
    near: f64,
}

impl Answer<'_> {
    fn learn(&mut self, asked: Measure, parts: &[Number]) {
        let numbers: Vec<f64> = parts.iter().filter_map(number).collect();
        let visitors = Space::visitors(self.sides.last().map_or(&[], Vec::as_slice));
        match (asked, numbers.as_slice()) {
            (Measure::Count, [shown, ..]) => self.count(Space::Persons, *shown),
            (Measure::Visitors, [shown, ..]) => self.count(visitors, *shown),
            (Measure::Rows, [shown, ..]) if self.near == 0.0 => self.count(Space::Rows, *shown),
            (Measure::Disease, shown) => self.diseases(shown),
            (Measure::Income | Measure::Spread, [persons, _, third, _]) => {
                self.of_persons(Space::Incomes, *persons, *third, INCOMES);
            }
            (Measure::Numbers, [persons, _, third, _]) => {
                self.of_persons(Space::Rows, *persons, *third, NUMBERS);
            }
            (Measure::Totals, [persons, _, third, _]) => {
                self.of_persons(Space::Costs, *persons, *third, TOTALS);
            }
            (Measure::Costs, [persons, rows, third, _]) => {
                self.count(visitors, *persons);
                // Where few have several rows, the number of persons stands for that of rows.
                let told = self.exact || (rows - persons).abs() > 1e-9;
                let further = if told { 0.0 } else { FURTHER };
                if self.near == 0.0 && told {
                    self.count(Space::Rows, *rows);
                    if let Some(last) = self.learned.statements.last_mut() {
                        last.beside = last.space == Space::Rows;
                    }
                }
                // Without protection it is the sum.
                self.sum(Space::Costs, (*rows, further), *third, COSTS);
            }
            _ => {}
        }
    }

    /// A mean over persons, of whom none lacks a value.
    fn of_persons(&mut self, space: Space, persons: f64, third: f64, range: f64) {
        self.count(Space::Persons, persons);
        let half = grid(range / (10.0 * persons.max(1.0))) / 2.0;
        self.sum(space, (persons, 0.0), third, half);
    }

    fn diseases(&mut self, shown: &[f64]) {
        let all = self.sides.clone();
        for (value, shown) in shown.iter().enumerate() {
            if let Some(side) = self.sides.get_mut(DISEASE) {
                for (at, inside) in side.iter_mut().enumerate() {
                    *inside = *inside && at == value;
                }
            }
            self.count(Space::Persons, *shown);
            self.sides.clone_from(&all);
        }
    }

    fn count(&mut self, space: Space, shown: f64) {
        let apart = if self.exact {
            0.0
        } else {
            self.learned.rounded + self.near
        };
        let least = if self.exact || self.near > 0.0 {
            0.0
        } else {
            LEAST
        };
        self.state(space, shown, (shown - apart).max(least), shown + apart);
    }

    /// A mean within its grid times a number within its rounding, or so many more; without
    /// protection, the sum.
    fn sum(&mut self, space: Space, (number, more): (f64, f64), third: f64, half: f64) {
        let rounded = self.learned.rounded;
        if self.exact {
            self.state(space, third, third, third);
        } else if self.near == 0.0 {
            let low = (third - half).max(0.0) * (number - rounded).max(0.0);
            self.state(
                space,
                third,
                low,
                (third + half) * (number + rounded + more),
            );
        }
    }

    /// What was shown of an earlier state of the data in the same way may only be repeated.
    fn state(&mut self, space: Space, shown: f64, low: f64, high: f64) {
        let known = &self.learned.statements;
        let repeats = known.iter().any(|s| {
            let same = s.space == space && s.sides == self.sides && s.outside == self.outside;
            same && s.epoch < self.epoch && (s.shown - shown).abs() < 1e-9
        });
        if !repeats {
            self.learned.statements.push(Statement {
                space,
                epoch: self.epoch,
                sides: self.sides.clone(),
                outside: self.outside,
                low,
                high,
                shown,
                beside: false,
            });
        }
    }
}

/// The space of what a question is about.
fn space(measure: Measure, sides: &[Group]) -> Space {
    match measure {
        Measure::Count | Measure::Disease => Space::Persons,
        Measure::Income | Measure::Spread => Space::Incomes,
        Measure::Visitors => Space::visitors(sides.last().map_or(&[], Vec::as_slice)),
        Measure::Rows | Measure::Numbers => Space::Rows,
        Measure::Costs | Measure::Totals => Space::Costs,
    }
}

/// The next of 1, 2, 5, 10, 20, ...
fn grid(least: f64) -> f64 {
    let mut power = 1.0;
    loop {
        for step in [1.0, 2.0, 5.0] {
            if step * power >= least {
                return step * power;
            }
        }
        power *= 10.0;
    }
}

fn plain(value: &Scalar) -> String {
    match value {
        Scalar::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

fn number(number: &Number) -> Option<f64> {
    number.to_string().parse().ok()
}
