//! Where nothing is rounded, only what is withheld protects: what follows about few persons within
//! the published limits. It must not know the rules themselves, only what they promise: no pair and
//! no three of released numbers rest on a few persons (H1, H2), nor do any number of them that
//! differ in two columns show a rectangle of few (H2f).

use std::collections::BTreeMap;

use super::exact::Known;
use super::learned::{Learned, Space};
use super::model::{COLUMNS, Column, Group};
use super::play::SMALL;
use super::world::World;

/// More numbers than this are not compared by threes.
const MOST: usize = 140;

/// One exact number, and what each person adds to it.
struct Line {
    space: Space,
    epoch: usize,
    sides: Vec<Group>,
    outside: bool,
    adds: Vec<i64>,
    beside: bool,
}

/// What is said of findings that need a number of rows that left beside a mean.
pub const BESIDE: &str = "beside a mean";

/// Everything that the limits exclude and that follows all the same.
#[must_use]
pub fn within(learned: &Learned, worlds: &[World]) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    let own = learned.statements.iter().filter(|s| !s.beside);
    let beside = learned.statements.iter().filter(|s| s.beside);
    for statement in own.chain(beside) {
        let Some(world) = worlds
            .get(statement.epoch)
            .filter(|_| statement.space.is_count())
        else {
            continue;
        };
        let adds = world.adds_of(statement);
        let sum = adds.iter().sum::<i64>().to_string().parse::<f64>();
        // What repeats other data, or is only nearly so, is no number of these.
        let is_exact = statement.low >= statement.high && sum == Ok(statement.shown);
        let is_new = lines.iter().all(|line| line.adds != adds);
        if is_exact && is_new {
            lines.push(Line {
                space: statement.space,
                epoch: statement.epoch,
                sides: statement.sides.clone(),
                outside: statement.outside,
                adds,
                beside: statement.beside,
            });
        }
    }
    let mut found = few(&lines);
    found.extend(families(&lines, worlds));
    found
}

/// Pairs and threes that rest on a few persons.
fn few(lines: &[Line]) -> Vec<String> {
    let lines = lines.get(..MOST.min(lines.len())).unwrap_or_default();
    let mut found = Vec::new();
    for (at, a) in lines.iter().enumerate() {
        for b in lines.iter().skip(at.saturating_add(1)) {
            if let Some(n) = rests_on(a.adds.iter().zip(&b.adds).map(|(a, b)| a - b)) {
                found.push(format!("H1: {n} persons: {} - {}", a.name(), b.name()));
            }
            for c in lines {
                let three = a.adds.iter().zip(&b.adds).zip(&c.adds);
                if let Some(n) = rests_on(three.map(|((a, b), c)| a + b - c)) {
                    let names = [a, b, c].map(Line::name);
                    found.push(format!("H2: {n} persons: {}", names.join(", ")));
                }
            }
        }
    }
    found
}

/// How many add something, if that are few but somebody.
fn rests_on(adds: impl Iterator<Item = i64>) -> Option<usize> {
    let n = adds.filter(|add| *add != 0).take(SMALL).count();
    (1..SMALL).contains(&n).then_some(n)
}

/// Space, state of the data, two columns, and the values of the others.
type Family = (Space, usize, [usize; 2], Vec<Group>);

/// Rectangles of few persons that follow from numbers that differ in two columns.
fn families(lines: &[Line], worlds: &[World]) -> Vec<String> {
    let mut found = Vec::new();
    let mut all: BTreeMap<Family, Vec<&Line>> = BTreeMap::new();
    // Families are of boxes.
    for line in lines.iter().filter(|line| !line.outside) {
        let columns = match line.space {
            Space::Rows => COLUMNS.len().saturating_add(1),
            _ => COLUMNS.len(),
        };
        for a in 0..columns {
            for b in a.saturating_add(1)..columns {
                let mut rest = line.sides.clone();
                for side in [a, b] {
                    if let Some(side) = rest.get_mut(side) {
                        side.fill(true);
                    }
                }
                let key = (line.space, line.epoch, [a, b], rest);
                all.entry(key).or_default().push(line);
            }
        }
    }
    for ((space, epoch, [a, b], rest), lines) in all.into_iter().filter(|(_, l)| l.len() > 1) {
        let mut known = Known::default();
        let beside = lines.iter().any(|line| line.beside);
        let beside = if beside { BESIDE } else { "" };
        for line in &lines {
            known.learn(&square(&line.sides, a, b));
        }
        let Some(world) = worlds.get(epoch) else {
            continue;
        };
        for first in runs(a, rest.get(a).map_or(0, Vec::len)) {
            for second in runs(b, rest.get(b).map_or(0, Vec::len)) {
                let mut sides = rest.clone();
                for (at, run) in [(a, &first), (b, &second)] {
                    if let Some(side) = sides.get_mut(at) {
                        side.clone_from(run);
                    }
                }
                // First what is quick.
                if known.has(&square(&sides, a, b)) {
                    let n = rests_on(world.adds(space, &sides).into_iter());
                    found.extend(n.map(|n| {
                        let sides = name(&sides);
                        format!("H2f: {n} persons of {space:?} {sides} in epoch {epoch} {beside}")
                    }));
                }
            }
        }
    }
    found
}

/// The places of a group in two columns.
fn square(sides: &[Group], a: usize, b: usize) -> Group {
    let side = |at: usize| sides.get(at).into_iter().flatten().copied();
    side(a)
        .flat_map(|one| side(b).map(move |other| one && other))
        .collect()
}

/// What is worth hiding of a column: neighbours, where values have an order; else one or two values,
/// and all but one or two.
fn runs(column: usize, size: usize) -> Vec<Group> {
    if let Some(Column::Ages(_)) = COLUMNS.get(column) {
        let spans = (0..size).flat_map(|from| (from..size).map(move |to| from..=to));
        return spans
            .map(|span| (0..size).map(|at| span.contains(&at)).collect())
            .collect();
    }
    let all = (1..1_u32 << size)
        .map(|bits| -> Group { (0..size).map(|at| bits & (1 << at) != 0).collect() });
    let few = |group: &Group| {
        let inside = group.iter().filter(|inside| **inside).count();
        inside <= 2 || inside.saturating_add(2) >= size
    };
    all.filter(few).collect()
}

impl Line {
    fn name(&self) -> String {
        let beside = if self.beside { BESIDE } else { "" };
        let outside = if self.outside { "outside " } else { "" };
        let (space, sides) = (self.space, format!("{outside}{}", name(&self.sides)));
        format!("{space:?} {sides} in epoch {} {beside}", self.epoch)
    }
}

/// The values of each column as digits.
fn name(sides: &[Group]) -> String {
    let digits = |side: &Group| -> String {
        side.iter()
            .map(|inside| if *inside { '1' } else { '0' })
            .collect()
    };
    sides.iter().map(digits).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::clinic::Clinic;
    use crate::attacker::learned::Statement;
    use crate::attacker::model::KINDS;

    /// What somebody knows who was told the truth about some groups.
    fn told(world: &World, asked: &[(Space, Vec<Group>)]) -> Learned {
        let mut learned = Learned::default();
        for (space, sides) in asked {
            let sum: i64 = world.adds(*space, sides).iter().sum();
            let shown: f64 = sum.to_string().parse().unwrap();
            learned.statements.push(Statement {
                space: *space,
                epoch: 0,
                sides: sides.clone(),
                outside: false,
                low: shown,
                high: shown,
                shown,
                beside: false,
            });
        }
        learned
    }

    fn sides(restricted: &[(usize, &[usize])]) -> Vec<Group> {
        let sizes = COLUMNS.iter().map(Column::len).chain([KINDS]);
        let mut sides: Vec<Group> = sizes.map(|size| vec![true; size]).collect();
        for (column, values) in restricted {
            for (at, inside) in sides[*column].iter_mut().enumerate() {
                *inside = values.contains(&at);
            }
        }
        sides
    }

    fn rules(learned: &Learned, world: &World) -> Vec<String> {
        let found = within(learned, std::slice::from_ref(world));
        let rule = |found: &String| found.split(':').next().map(str::to_owned);
        let mut rules: Vec<String> = found.iter().filter_map(rule).collect();
        rules.sort();
        rules.dedup();
        rules
    }

    /// Attacks that work where nothing is withheld are seen, and large cells are not taken for any.
    #[test]
    fn what_rests_on_a_few_is_seen() {
        let world = World::of(&Clinic::generate(1));
        let persons = |restricted: &[(usize, &[usize])]| (Space::Persons, sides(restricted));
        let old = &[(0, &[5_usize][..]), (1, &[5, 6])];
        assert!((1..8).contains(&world.persons(Space::Persons, &sides(old))));
        let town = persons(&[(0, &[5])]);
        let young = persons(&[(0, &[5]), (1, &[0, 1, 2, 3, 4])]);
        assert_eq!(
            rules(&told(&world, &[town.clone(), young]), &world),
            ["H1", "H2f"]
        );
        let all = [
            persons(&[]),
            persons(&[(0, &[0, 1, 2, 3, 4])]),
            persons(&[(0, &[5]), (1, &[0, 1, 2, 3, 4])]),
        ];
        assert_eq!(rules(&told(&world, &all), &world), ["H2", "H2f"]);
        let corners = [
            persons(&[(0, &[1, 2, 3, 4, 5])]),
            persons(&[(0, &[1, 2, 3, 4, 5]), (1, &[0, 1, 2, 3, 4])]),
            persons(&[(0, &[1, 2, 3, 4])]),
            persons(&[(0, &[1, 2, 3, 4]), (1, &[0, 1, 2, 3, 4])]),
        ];
        assert_eq!(rules(&told(&world, &corners), &world), ["H2f"]);
        let large = [persons(&[]), town, persons(&[(2, &[1])])];
        assert!(rules(&told(&world, &large), &world).is_empty());
    }
}
