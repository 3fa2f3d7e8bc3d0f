//! Linear programming: the least and greatest value of a sum of variables, given bounds on other
//! sums of them. The bounded simplex method on a dictionary. It must not know what is counted.

/// Below this a number counts as zero.
const TINY: f64 = 1e-9;
/// A bound counts as kept within this.
const SLACK: f64 = 1e-7;
/// After so many steps the first improving variable is taken, which cannot run in circles.
const CAREFUL_AFTER: usize = 500;
/// More steps than any of these programs takes.
const MOST_STEPS: usize = 20_000;

/// A variable, and what it may be.
#[derive(Clone, Copy, Debug)]
struct Variable {
    low: f64,
    high: f64,
    now: f64,
}

/// Sums of variables that are zero or more; some sums are bounded.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// First the variables, then one for each sum.
    all: Vec<Variable>,
    /// Which of all are free to move; the others are sums of these.
    moving: Vec<usize>,
    /// The others, in the order of the rows.
    resting: Vec<usize>,
    /// What each resting variable is of the moving ones.
    rows: Vec<Vec<f64>>,
}

/// What keeps a program from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// No values keep all bounds.
    #[error("the bounds contradict each other")]
    Contradiction,
    /// It took too long.
    #[error("the linear program does not end")]
    Endless,
}

/// One change: which variable moves, whether up, how far, and which resting one it meets.
struct Step {
    moving: usize,
    by: f64,
    meets: Option<(usize, f64)>,
}

impl Program {
    /// So many variables, each zero or more.
    #[must_use]
    pub fn new(variables: usize) -> Self {
        let free = Variable {
            low: 0.0,
            high: f64::INFINITY,
            now: 0.0,
        };
        Self {
            all: vec![free; variables],
            moving: (0..variables).collect(),
            resting: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// A sum of some variables lies between two numbers; gives the number of the sum. All sums come
    /// before the first question.
    pub fn bound(&mut self, within: &[bool], low: f64, high: f64) -> usize {
        let one = |inside: &bool| if *inside { 1.0 } else { 0.0 };
        self.rows.push(within.iter().map(one).collect());
        self.resting.push(self.all.len());
        self.all.push(Variable {
            low,
            high,
            now: 0.0,
        });
        self.all.len() - 1
    }

    /// A sum that may be anything.
    pub fn free(&mut self, within: &[bool]) -> usize {
        self.bound(within, f64::NEG_INFINITY, f64::INFINITY)
    }

    /// Finds values that keep all bounds.
    ///
    /// # Errors
    /// If there are none.
    pub fn settle(&mut self) -> Result<(), Stuck> {
        for count in 0..MOST_STEPS {
            let wrong: Vec<f64> = self.resting.iter().map(|at| self.violation(*at)).collect();
            if wrong.iter().all(|sign| *sign == 0.0) {
                return Ok(());
            }
            let slopes = (0..self.moving.len()).map(|moving| {
                let terms = wrong.iter().zip(&self.rows);
                terms
                    .map(|(sign, row)| sign * row.get(moving).copied().unwrap_or(0.0))
                    .sum()
            });
            let slopes: Vec<f64> = slopes.collect();
            let Some(step) = self.step(&slopes, count) else {
                return Err(Stuck::Contradiction);
            };
            self.take(&step);
        }
        Err(Stuck::Endless)
    }

    /// The least and the greatest value of a sum. Call [`settle`](Self::settle) first.
    ///
    /// # Errors
    /// If it takes too long.
    pub fn range(&mut self, sum: usize) -> Result<(f64, f64), Stuck> {
        let low = self.extreme(sum, 1.0)?;
        let high = self.extreme(sum, -1.0)?;
        Ok((low, high))
    }

    fn extreme(&mut self, sum: usize, sign: f64) -> Result<f64, Stuck> {
        for count in 0..MOST_STEPS {
            let slopes: Vec<f64> = match self.resting.iter().position(|at| *at == sum) {
                Some(row) => self
                    .rows
                    .get(row)
                    .into_iter()
                    .flatten()
                    .map(|x| x * sign)
                    .collect(),
                None => {
                    let own = |at: &usize| if *at == sum { sign } else { 0.0 };
                    self.moving.iter().map(own).collect()
                }
            };
            let Some(step) = self.step(&slopes, count) else {
                return Ok(self.all.get(sum).map_or(0.0, |variable| variable.now));
            };
            if step.by.is_infinite() {
                return Ok(f64::NEG_INFINITY * sign);
            }
            self.take(&step);
        }
        Err(Stuck::Endless)
    }

    /// Minus one below its bounds, plus one above.
    fn violation(&self, at: usize) -> f64 {
        self.all.get(at).map_or(0.0, |variable| {
            if variable.now < variable.low - SLACK {
                -1.0
            } else if variable.now > variable.high + SLACK {
                1.0
            } else {
                0.0
            }
        })
    }

    /// The step that lowers what has these slopes; none if nothing does.
    fn step(&self, slopes: &[f64], count: usize) -> Option<Step> {
        let mut best: Option<(usize, f64)> = None;
        for (moving, slope) in slopes.iter().enumerate() {
            let variable = self.moving.get(moving).and_then(|at| self.all.get(*at))?;
            let up = *slope < -TINY && variable.now < variable.high - SLACK;
            let down = *slope > TINY && variable.now > variable.low + SLACK;
            if !(up || down) {
                continue;
            }
            if best.is_none_or(|(_, known)| known.abs() < slope.abs()) {
                best = Some((moving, *slope));
            }
            if count > CAREFUL_AFTER {
                break;
            }
        }
        let (moving, slope) = best?;
        Some(self.limited(moving, if slope < 0.0 { 1.0 } else { -1.0 }))
    }

    /// How far a variable can go in a direction before it or a resting one meets a bound.
    fn limited(&self, moving: usize, direction: f64) -> Step {
        let own = self.moving.get(moving).and_then(|at| self.all.get(*at));
        let room = own.map_or(0.0, |v| {
            if direction > 0.0 {
                v.high - v.now
            } else {
                v.now - v.low
            }
        });
        let mut step = Step {
            moving,
            by: room * direction,
            meets: None,
        };
        let mut room = room;
        for (row, (at, coefs)) in self.resting.iter().zip(&self.rows).enumerate() {
            let speed = coefs.get(moving).copied().unwrap_or(0.0) * direction;
            let Some(v) = self.all.get(*at).filter(|_| speed.abs() > TINY) else {
                continue;
            };
            let violation = self.violation(*at);
            // What is wrong stops where it becomes right, and may become worse without end.
            let target = match (speed > 0.0, violation) {
                (true, -1.0) | (false, 0.0) => v.low,
                (false, 1.0) | (true, 0.0) => v.high,
                _ => continue,
            };
            let distance = ((target - v.now) / speed).max(0.0);
            if distance < room {
                room = distance;
                step.by = distance * direction;
                step.meets = Some((row, target));
            }
        }
        step
    }

    fn take(&mut self, step: &Step) {
        for (at, coefs) in self.resting.iter().zip(&self.rows) {
            let change = coefs.get(step.moving).copied().unwrap_or(0.0) * step.by;
            if let Some(variable) = self.all.get_mut(*at) {
                variable.now += change;
            }
        }
        let moving = self.moving.get(step.moving).copied();
        if let Some(variable) = moving.and_then(|at| self.all.get_mut(at)) {
            variable.now += step.by;
        }
        if let Some((row, target)) = step.meets {
            let met = self.resting.get(row).copied();
            if let Some(variable) = met.and_then(|at| self.all.get_mut(at)) {
                variable.now = target;
            }
            self.exchange(row, step.moving);
        }
    }

    /// The resting variable of a row begins to move, a moving one rests.
    fn exchange(&mut self, row: usize, moving: usize) {
        let Some(coefs) = self.rows.get(row) else {
            return;
        };
        let pivot = coefs.get(moving).copied().unwrap_or(1.0);
        let mut solved: Vec<f64> = coefs.iter().map(|coef| -coef / pivot).collect();
        if let Some(own) = solved.get_mut(moving) {
            *own = 1.0 / pivot;
        }
        for (other, coefs) in self.rows.iter_mut().enumerate() {
            let factor = coefs.get(moving).copied().unwrap_or(0.0);
            if other == row || factor == 0.0 {
                continue;
            }
            for (at, (coef, known)) in coefs.iter_mut().zip(&solved).enumerate() {
                let old = if at == moving { 0.0 } else { *coef };
                *coef = old + factor * known;
                if coef.abs() < TINY {
                    *coef = 0.0;
                }
            }
        }
        if let Some(place) = self.rows.get_mut(row) {
            *place = solved;
        }
        if let (Some(a), Some(b)) = (self.resting.get_mut(row), self.moving.get_mut(moving)) {
            std::mem::swap(a, b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(found: (f64, f64), wanted: (f64, f64)) {
        let close = |a: f64, b: f64| a == b || (a - b).abs() < 1e-6;
        assert!(
            close(found.0, wanted.0) && close(found.1, wanted.1),
            "{found:?} is not {wanted:?}"
        );
    }

    #[test]
    fn textbook_intervals() {
        // a + b = 10, b + c between 4 and 6, a at most 7: b is 3 to 6, c is 0 to 3.
        let mut program = Program::new(3);
        program.bound(&[true, true, false], 10.0, 10.0);
        program.bound(&[false, true, true], 4.0, 6.0);
        program.bound(&[true, false, false], 0.0, 7.0);
        let b = program.free(&[false, true, false]);
        let c = program.free(&[false, false, true]);
        let all = program.free(&[true, true, true]);
        program.settle().unwrap();
        near(program.range(b).unwrap(), (3.0, 6.0));
        near(program.range(c).unwrap(), (0.0, 3.0));
        near(program.range(all).unwrap(), (10.0, 13.0));
    }

    #[test]
    fn bounds_that_contradict_each_other_and_no_bound() {
        let mut program = Program::new(2);
        program.bound(&[true, true], 5.0, 6.0);
        program.bound(&[true, false], 7.0, 8.0);
        assert_eq!(program.settle(), Err(Stuck::Contradiction));
        let mut program = Program::new(2);
        program.bound(&[true, false], 1.0, 2.0);
        let b = program.free(&[false, true]);
        program.settle().unwrap();
        near(program.range(b).unwrap(), (0.0, f64::INFINITY));
    }

    proptest! {
        /// Against trying all whole numbers: intervals contain every solution, and where every sum
        /// is of neighbours (such programs have whole corners) they are no wider.
        #[test]
        fn intervals_are_those_of_all_solutions(
            spans in prop::collection::vec((0..4_usize, 0..4_usize, 0..6_u32, 0..3_u32), 1..5),
            asked in (0..4_usize, 0..4_usize),
        ) {
            let span = |a: usize, b: usize| -> Vec<bool> {
                (0..4).map(|at| (a.min(b)..=a.max(b)).contains(&at)).collect()
            };
            let mut program = Program::new(4);
            program.bound(&[true; 4], 0.0, 8.0);
            for (a, b, low, width) in &spans {
                program.bound(&span(*a, *b), f64::from(*low), f64::from(low + width));
            }
            let sum = program.free(&span(asked.0, asked.1));
            let mut seen: Option<(u32, u32)> = None;
            for code in 0..9_u32.pow(4) {
                let values = [code % 9, code / 9 % 9, code / 81 % 9, code / 729];
                let of = |within: &[bool]| -> u32 {
                    values.iter().zip(within).filter(|(_, inside)| **inside).map(|(v, _)| v).sum()
                };
                let kept = of(&[true; 4]) <= 8 && spans.iter().all(|(a, b, low, width)| {
                    (*low..=low + width).contains(&of(&span(*a, *b)))
                });
                if kept {
                    let value = of(&span(asked.0, asked.1));
                    let (low, high) = seen.unwrap_or((value, value));
                    seen = Some((low.min(value), high.max(value)));
                }
            }
            match seen {
                None => prop_assert_eq!(program.settle(), Err(Stuck::Contradiction)),
                Some((low, high)) => {
                    program.settle().unwrap();
                    near(program.range(sum).unwrap(), (f64::from(low), f64::from(high)));
                }
            }
        }
    }
}
