//! The equations of a linear model from released cells: means over cells, with their limits.
//!
//! Numbers are taken about the means that are shown, and each equation is divided by the number of
//! persons that it is about: what is not known of these numbers weighs little then. What this file must
//! not know: what is made of the solution.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::design::{Code, Column, Plan, Wanted};
use super::pairs::moved;
use super::range::{Range, float};
use crate::combine::{Interval, Released};
use crate::question::Stat;
use crate::value::Scalar;

/// Where the number of persons stands in every table.
const COUNT: usize = 0;

/// A mean over cells: as it is shown, and its limits.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) value: BigRational,
    pub(super) range: Range,
}

/// A cell of one node.
pub(super) struct Cell {
    /// The level of each key of the table.
    pub(super) key: BTreeMap<usize, Scalar>,
    /// Persons.
    pub(super) n: Interval,
    /// Means of numbers, less the common centre.
    pub(super) means: BTreeMap<usize, Interval>,
    /// Variances of numbers, with the number of persons as divisor.
    pub(super) spreads: BTreeMap<usize, Interval>,
    /// Means of squares and products about the common centres.
    seconds: BTreeMap<[usize; 2], Interval>,
}

/// All cells of a model.
pub(super) struct Cells {
    tables: Vec<(Wanted, Vec<Cell>)>,
    /// What is taken off each number: the mean that is shown.
    pub(super) centres: Vec<BigRational>,
    /// Whether nothing was protected.
    pub(super) exact: bool,
}

/// The nodes that released everything that a plan needs.
pub(super) fn complete_sites(plan: &Plan, tables: &[&Released<'_>]) -> Vec<usize> {
    let Some(first) = tables.first() else {
        return Vec::new();
    };
    let complete = |site: &usize| {
        let somebody = first.statistic(&[], COUNT, Stat::Count, &[*site]);
        somebody.is_some_and(|n| n.value.is_positive())
            && tables.iter().zip(&plan.tables).all(|(released, wanted)| {
                let measures = 1 + wanted.numbers.len() + wanted.pairs.len();
                let has = |row: &[Scalar]| (0..measures).all(|m| released.has(row, m, *site));
                let mut rows = released.rows().filter(|row| !row.contains(&Scalar::Null));
                rows.all(has)
            })
    };
    (0..first.sites().count()).filter(complete).collect()
}

impl Cells {
    /// Reads the cells of some nodes; `None` if one lacks something.
    pub(super) fn read(plan: &Plan, tables: &[&Released<'_>], sites: &[usize]) -> Option<Self> {
        let all = tables.first()?;
        let centre = |name: &String| {
            let mean = all.statistic(&[], all.mean_of(name)?, Stat::Mean, sites)?;
            Some(mean.value)
        };
        let centres: Vec<BigRational> = plan.numbers.iter().map(centre).collect::<Option<_>>()?;
        let mut found = Self {
            tables: Vec::new(),
            centres,
            exact: all.is_exact(),
        };
        for (released, wanted) in tables.iter().zip(&plan.tables) {
            let mut cells = Vec::new();
            let rows = released.rows().filter(|row| !row.contains(&Scalar::Null));
            for row in rows {
                for site in sites {
                    let n = released.statistic(row, COUNT, Stat::Count, &[*site])?;
                    // Where nothing is protected nobody is nobody.
                    if n.high.is_positive() {
                        cells.push(found.cell(plan, wanted, released, (row, n), *site)?);
                    }
                }
            }
            found.tables.push((wanted.clone(), cells));
        }
        Some(found)
    }

    fn cell(
        &self,
        plan: &Plan,
        wanted: &Wanted,
        released: &Released<'_>,
        (row, n): (&[Scalar], Interval),
        site: usize,
    ) -> Option<Cell> {
        let of = |measure, stat| released.statistic(row, measure, stat, &[site]);
        let (mut means, mut seconds, mut plain) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut spreads = BTreeMap::new();
        for number in &wanted.numbers {
            let measure = released.mean_of(plan.numbers.get(*number)?)?;
            let centre = Interval::exact(self.centres.get(*number)?.clone());
            let mean = of(measure, Stat::Mean)?;
            let off = mean.minus(&centre);
            let spread = of(measure, Stat::VarPop)?;
            seconds.insert([*number; 2], spread.plus(&off.squared()));
            spreads.insert(*number, spread);
            means.insert(*number, off);
            plain.insert(*number, mean);
        }
        for pair in &wanted.pairs {
            let [one, other] = pair;
            let names = [
                plan.numbers.get(*one)?.as_str(),
                plan.numbers.get(*other)?.as_str(),
            ];
            let (measure, in_order) = released.product_of(names)?;
            let (left, right) = released.facts(measure)?.centres?;
            let (c, d) = if in_order {
                (left, right)
            } else {
                (right, left)
            };
            let product = moved(
                &of(measure, Stat::Mean)?,
                [plain.get(one)?, plain.get(other)?],
                [&c.to_rational(), &d.to_rational()],
                [self.centres.get(*one)?, self.centres.get(*other)?],
            );
            seconds.insert(*pair, product);
        }
        let key = wanted.keys.iter().copied().zip(row.iter().cloned());
        Some(Cell {
            key: key.collect(),
            n,
            means,
            spreads,
            seconds,
        })
    }

    /// The cells of the table with these keys.
    pub(super) fn by(&self, keys: &BTreeSet<usize>) -> Option<&[Cell]> {
        let (_, cells) = self
            .tables
            .iter()
            .find(|(wanted, _)| wanted.keys == *keys)?;
        Some(cells)
    }

    /// The mean of the product of two columns over the persons whom the levels of `base` are true of.
    pub(super) fn mean(&self, one: &Column, other: &Column, base: &[Code]) -> Option<Entry> {
        let mut keys = &one.keys() | &other.keys();
        keys.extend(base.iter().map(|code| code.key));
        let (_, cells) = self.tables.iter().find(|(wanted, _)| wanted.keys == keys)?;
        let mut items = Vec::new();
        for cell in cells {
            if !base.iter().all(|code| code.is_true(cell)) {
                continue;
            }
            let weight = one.weight(cell) * other.weight(cell);
            let term = match (one.number, other.number) {
                _ if weight.is_zero() => Interval::exact(BigRational::zero()),
                (None, None) => Interval::exact(weight),
                (Some(number), None) | (None, Some(number)) => {
                    cell.means.get(&number)?.times(&Interval::exact(weight))
                }
                (Some(a), Some(b)) => {
                    let second = cell.seconds.get(&[a.min(b), a.max(b)])?;
                    second.times(&Interval::exact(weight))
                }
            };
            items.push((&cell.n, term));
        }
        mean_of(&items)
    }
}

impl Code {
    fn is_true(&self, cell: &Cell) -> bool {
        match &self.level {
            Some(level) => cell.key.get(&self.key) == Some(level),
            None => true,
        }
    }
}

impl Column {
    /// What the codes come to in a cell.
    pub(super) fn weight(&self, cell: &Cell) -> BigRational {
        let each = self.codes.iter().map(|code| match &code.level {
            Some(_) if code.is_true(cell) => BigRational::one(),
            Some(_) => BigRational::zero(),
            None => {
                let level = cell.key.get(&code.key).and_then(Scalar::as_number);
                level.map_or_else(BigRational::zero, |number| number.to_rational())
            }
        });
        each.fold(BigRational::one(), |product, weight| product * weight)
    }

    /// The levels that it is about: elsewhere it is zero.
    pub(super) fn base(&self) -> Vec<Code> {
        let levels = self.codes.iter().filter(|code| code.level.is_some());
        levels.cloned().collect()
    }
}

/// The mean of terms, weighted by numbers of persons, neither of which need be known exactly.
pub(super) fn mean_of(items: &[(&Interval, Interval)]) -> Option<Entry> {
    let (mut sum, mut persons) = (BigRational::zero(), BigRational::zero());
    for (n, term) in items {
        sum += &n.value * &term.value;
        persons += &n.value;
    }
    if !persons.is_positive() {
        return None;
    }
    let value = sum / persons;
    let is_exact = |interval: &Interval| interval.low == interval.high;
    if items.iter().all(|(n, term)| is_exact(n) && is_exact(term)) {
        let range = Range::point(float(&value));
        return Some(Entry { value, range });
    }
    let ranges: Vec<(Range, Range)> = items
        .iter()
        .map(|(n, term)| (Range::of(n), Range::of(term)))
        .collect();
    let low = extreme(ranges.iter().map(|(n, term)| (*n, term.low)).collect());
    let high = -extreme(ranges.iter().map(|(n, term)| (*n, -term.high)).collect());
    // Sums of as many terms as a table has cells lose the last digits.
    let largest = ranges
        .iter()
        .map(|(_, term)| term.low.abs().max(term.high.abs()));
    let slack = largest.fold(0.0, f64::max) * 1e-12;
    let shown = float(&value);
    let range = Range {
        value: shown,
        low: (low - slack).min(shown),
        high: (high + slack).max(shown),
    };
    Some(Entry { value, range })
}

/// The least mean: the smallest terms as heavy, all others as light as they can be.
fn extreme(mut items: Vec<(Range, f64)>) -> f64 {
    items.sort_by(|a, b| a.1.total_cmp(&b.1));
    let light = |of: fn(&(Range, f64)) -> f64| items.iter().map(of).sum::<f64>();
    let (mut sum, mut persons) = (light(|(n, x)| n.low * x), light(|(n, _)| n.low));
    let mut least = f64::INFINITY;
    for (n, x) in &items {
        if persons > 0.0 {
            least = least.min(sum / persons);
        }
        sum += (n.high - n.low) * x;
        persons += n.high - n.low;
    }
    if persons > 0.0 {
        least = least.min(sum / persons);
    }
    least
}
