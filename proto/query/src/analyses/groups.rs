//! Numbers of persons, means and variances by group: the expansion, and what was released for it.
//!
//! What it must not know: what is tested with them.

use num_rational::BigRational;
use num_traits::{One, Zero};

use super::Expansion;
use super::arguments::Arguments;
use super::range::Range;
use super::strata::{level_name, whole};
use crate::codebook::{Codebook, ColumnRef};
use crate::combine::{Interval, Released};
use crate::problem::Problem;
use crate::question::Stat;
use crate::value::Scalar;

/// Number, mean and standard deviation, by group if one is named. Rows without a value are left out
/// where that makes their number exact.
pub(super) fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    let by = arguments
        .get("by")
        .map(|_| arguments.key("by"))
        .transpose()?;
    expand_by(arguments, codebook, by.as_slice())
}

/// As [`expand`], by the keys given.
pub(super) fn expand_by(
    arguments: &Arguments,
    codebook: &Codebook,
    keys: &[String],
) -> Result<Expansion, Problem> {
    let value = arguments.column("value")?;
    let table = arguments.table(codebook)?;
    let reference = ColumnRef {
        table: table.to_owned(),
        column: value.to_owned(),
    };
    let condition = arguments.condition([&reference], codebook);
    let measured = format!("avg({value}) AS mean, stddev({value}) AS sd FROM {table}{condition}");
    let list = keys.join(", ");
    Ok(Expansion {
        sql: if keys.is_empty() {
            format!("SELECT {measured}")
        } else {
            format!("SELECT {list}, {measured} GROUP BY {list}")
        },
        keys: keys.len(),
    })
}

/// One group.
pub(super) struct Group {
    /// What it is called.
    pub(super) name: String,
    /// Persons with a value.
    pub(super) n: Interval,
    /// Their mean.
    pub(super) mean: Interval,
    /// Their sample variance.
    pub(super) variance: Interval,
}

/// Groups of which every node of `sites` released everything.
pub(super) struct Groups {
    /// In order of their keys.
    pub(super) all: Vec<Group>,
    /// Their keys.
    pub(super) rows: Vec<Vec<Scalar>>,
    /// Groups that no node released.
    pub(super) unseen: Vec<String>,
    /// Groups without a spread, where that is known: of one person with a value, or of nobody.
    pub(super) alone: Vec<String>,
    /// The nodes, by their place among those that answered.
    pub(super) sites: Vec<usize>,
    /// Numbers of persons count those without a value too, within limits.
    pub(super) vague: bool,
}

/// Where the moments stand in the expansion.
const MOMENTS: usize = 0;

impl Groups {
    /// Reads the groups of [`expand`].
    pub(super) fn read(released: &Released<'_>) -> Self {
        let all: Vec<usize> = (0..released.sites().count()).collect();
        let rows: Vec<&[Scalar]> = released
            .rows()
            .filter(|row| !row.contains(&Scalar::Null))
            .collect();
        let name = |row: &[Scalar]| group_name(released, row);
        let some = |row: &&&[Scalar]| all.iter().any(|site| has_values(released, row, *site));
        let seen: Vec<&[Scalar]> = rows.iter().filter(some).copied().collect();
        let unseen = rows.iter().filter(|row| !seen.contains(row));
        let complete = |site: &usize| seen.iter().all(|row| has_values(released, row, *site));
        let sites: Vec<usize> = all.iter().copied().filter(complete).collect();
        let group = |row: &&[Scalar]| Some((row.to_vec(), Group::read(released, row, &sites)?));
        let (keys, all) = seen.iter().filter_map(group).unzip();
        let known = released.is_exact() && !sites.is_empty();
        let alone = |row: &&&[Scalar]| known && group(row).is_none();
        Self {
            all,
            rows: keys,
            unseen: unseen.map(|row| name(row)).collect(),
            alone: seen.iter().filter(alone).map(|row| name(row)).collect(),
            vague: released.facts(MOMENTS).is_some_and(|facts| !facts.complete),
            sites,
        }
    }
}

impl Group {
    /// What some nodes released of a group.
    pub(super) fn read(released: &Released<'_>, row: &[Scalar], sites: &[usize]) -> Option<Self> {
        let of = |stat: Stat| released.statistic(row, MOMENTS, stat, sites);
        Some(Self {
            name: group_name(released, row),
            n: of(Stat::Count)?,
            mean: of(Stat::Mean)?,
            variance: of(Stat::VarSample)?,
        })
    }
}

fn group_name(released: &Released<'_>, row: &[Scalar]) -> String {
    if row.is_empty() {
        return "all".to_owned();
    }
    let levels = row.iter().enumerate();
    let names: Vec<String> = levels
        .map(|(key, level)| level_name(released, key, level))
        .collect();
    names.join(", ")
}

/// Whether a node released a group. Where nothing is protected, a node without such persons has
/// released that it has none.
fn has_values(released: &Released<'_>, row: &[Scalar], site: usize) -> bool {
    let counted = || {
        released
            .statistic(row, MOMENTS, Stat::Count, &[site])
            .is_some()
    };
    released.has(row, MOMENTS, site) && (released.is_exact() || counted())
}

/// The weighted mean of values whose weights are not negative, with its limits: at either end the
/// weights of values on one side of it are as small and all others as large as they can be.
pub(super) fn weighted_mean(items: &[(Interval, Interval)]) -> Option<Interval> {
    let mean = |parts: &[(&BigRational, &BigRational)]| {
        let total = parts
            .iter()
            .fold(BigRational::zero(), |sum, (w, _)| sum + *w);
        let product = parts
            .iter()
            .fold(BigRational::zero(), |sum, (w, x)| sum + *w * *x);
        (!total.is_zero()).then(|| product / total)
    };
    let shown: Vec<_> = items.iter().map(|(w, x)| (&w.value, &x.value)).collect();
    let value = mean(&shown)?;
    let mut least = value.clone();
    let mut sorted: Vec<_> = items.iter().collect();
    sorted.sort_by(|a, b| a.1.low.cmp(&b.1.low));
    let mut most = value.clone();
    for cut in 0..=sorted.len() {
        let heavy = |at: usize, w: &'_ Interval, first: bool| {
            if (at < cut) == first {
                w.high.clone()
            } else {
                w.low.clone()
            }
        };
        let low: Vec<_> = sorted
            .iter()
            .enumerate()
            .map(|(at, (w, x))| (heavy(at, w, true), x.low.clone()))
            .collect();
        let pairs: Vec<_> = low.iter().map(|(w, x)| (w, x)).collect();
        least = mean(&pairs).map_or(least.clone(), |mean| mean.min(least));
    }
    sorted.sort_by(|a, b| a.1.high.cmp(&b.1.high));
    for cut in 0..=sorted.len() {
        let heavy = |at: usize, w: &Interval| {
            if at < cut {
                w.low.clone()
            } else {
                w.high.clone()
            }
        };
        let high: Vec<_> = sorted
            .iter()
            .enumerate()
            .map(|(at, (w, x))| (heavy(at, w), x.high.clone()))
            .collect();
        let pairs: Vec<_> = high.iter().map(|(w, x)| (w, x)).collect();
        most = mean(&pairs).map_or(most.clone(), |mean| mean.max(most));
    }
    Some(Interval::new(value, least, most))
}

/// One less, and never below zero.
pub(super) fn less_one(n: &Interval) -> Interval {
    let one = BigRational::one();
    n.map(|end| (end - &one).max(BigRational::zero()))
}

/// The squared standard error of a mean.
pub(super) fn squared_error(group: &Group) -> Range {
    Range::maybe(group.variance.over(&group.n).as_ref())
}

/// The sum of all persons.
pub(super) fn persons(groups: &[Group]) -> Interval {
    groups
        .iter()
        .fold(whole(0), |sum, group| sum.plus(&group.n))
}
