//! What an attacker knows after some answers: linear statements about the table. It must not know
//! the truth.

use quorate_query::answer::{Cell, Mode};
use quorate_query::number::Number;
use quorate_query::value::Scalar;

use super::exact::Known;
use super::model::{self, COLUMNS, DISEASE, Group, Measure, Question};
use super::simplex::{Program, Stuck};
use crate::arena::house::Told;

/// A nearly equal earlier answer: fewer persons differ than the threshold.
const NEAR: f64 = 7.0;
/// How far a rounded count may be from the true one.
pub const ROUNDED: f64 = 2.0;
/// Least count that is shown.
const LEAST: f64 = 8.0;
/// How far apart the least and the greatest income that count are.
const INCOMES: f64 = 200_000.0;

/// The sum over a group lies between two numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Over which places.
    pub group: Group,
    /// At least this.
    pub low: f64,
    /// At most this.
    pub high: f64,
}

/// Everything released, as statements.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// About numbers of persons.
    pub persons: Vec<Statement>,
    /// About sums of incomes.
    pub incomes: Vec<Statement>,
    /// Cells that were withheld.
    pub withheld: Vec<Group>,
}

impl Learned {
    /// Reads an answer.
    pub fn read(&mut self, question: &Question, told: &Told) {
        let exact = told.payload.protection.mode == Mode::None;
        for row in &told.payload.table.rows {
            let key: Vec<String> = row.key.iter().map(plain).collect();
            let (Some(group), Some(cell)) = (question.group(&key), row.cells.first()) else {
                continue;
            };
            match cell {
                Cell::Suppressed => self.withheld.push(group),
                Cell::Value(parts) => self.learn(question.measure, &group, parts, exact, 0.0),
                Cell::Near(parts) => self.learn(question.measure, &group, parts, false, NEAR),
            }
        }
    }

    fn learn(&mut self, asked: Measure, group: &Group, parts: &[Number], exact: bool, near: f64) {
        let numbers: Vec<f64> = parts.iter().filter_map(number).collect();
        let apart = if exact { 0.0 } else { ROUNDED + near };
        let mut count = |group: Group, shown: f64| {
            let least = if exact || near > 0.0 { 0.0 } else { LEAST };
            self.persons.push(Statement {
                group,
                low: (shown - apart).max(least),
                high: shown + apart,
            });
        };
        match (asked, numbers.as_slice()) {
            (Measure::Count, [shown, ..]) => count(group.clone(), *shown),
            (Measure::Disease, shown) => {
                for (value, shown) in shown.iter().enumerate() {
                    count(with_disease(group, value), *shown);
                }
            }
            (Measure::Income, [persons, _, third, _]) => {
                count(group.clone(), *persons);
                if near == 0.0 {
                    self.incomes.push(income(group, *persons, *third, exact));
                }
            }
            _ => {}
        }
    }

    /// A linear program of persons, or of incomes, with a sum for each group asked about.
    ///
    /// # Errors
    /// If the statements contradict each other.
    pub fn program(statements: &[Statement], groups: &[Group]) -> Result<Ranges, Stuck> {
        let all = || statements.iter().map(|s| &s.group).chain(groups);
        // Places in the same groups are one variable.
        let mut kinds: Vec<(Vec<bool>, usize)> = Vec::new();
        for place in 0..model::places() {
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
        for statement in statements {
            program.bound(&narrow(&statement.group), statement.low, statement.high);
        }
        let sums = groups
            .iter()
            .map(|group| program.free(&narrow(group)))
            .collect();
        program.settle()?;
        Ok(Ranges { program, sums })
    }

    /// Which groups follow from the statements about persons.
    #[must_use]
    pub fn known(&self) -> Known {
        let mut known = Known::default();
        for statement in &self.persons {
            known.learn(&statement.group);
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

/// A mean within its grid times a count within its rounding; without protection, the sum itself.
fn income(group: &Group, persons: f64, third: f64, exact: bool) -> Statement {
    let half = grid(INCOMES / (10.0 * persons.max(1.0))) / 2.0;
    let (low, high) = if exact {
        (third, third)
    } else {
        let fewest = (persons - ROUNDED).max(0.0);
        (
            (third - half).max(0.0) * fewest,
            (third + half) * (persons + ROUNDED),
        )
    };
    Statement {
        group: group.clone(),
        low,
        high,
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

fn with_disease(within: &Group, value: usize) -> Group {
    let of = |(at, column): (usize, &model::Column)| -> Group {
        (0..column.len())
            .map(|other| at != DISEASE || other == value)
            .collect()
    };
    let values: Vec<Group> = COLUMNS.iter().enumerate().map(of).collect();
    let both = within.iter().zip(model::group(&values));
    both.map(|(inside, also)| *inside && also).collect()
}

fn plain(value: &Scalar) -> String {
    value.to_string()
}

fn number(number: &Number) -> Option<f64> {
    number.to_string().parse().ok()
}
