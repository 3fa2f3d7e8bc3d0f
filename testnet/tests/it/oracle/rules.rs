//! The rules of release, written again: thresholds, rounding, means on their grid, intervals.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::Zero;

use super::ask::{Ask, Column, Key, Person, Stat, find};
use super::exact::{nearest, nearest_root, one_two_five, printed, ratio, ten, whole};

/// Threshold that starts a rounding bin, for k = 8 and base 5.
pub(crate) const K_EFF: i128 = 8;
/// Ten degrees of freedom, and the start of a rounding bin.
pub(crate) const FOR_A_MEAN: i128 = 13;
const BASE: i128 = 5;
/// A rounded count is at most this far from the true one.
pub(crate) const SLACK: i128 = 2;

/// A count to the nearest multiple of five.
pub(crate) fn round_count(n: i128) -> i128 {
    (n + SLACK) / BASE * BASE
}

/// Mean and standard deviation as released by one hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moments {
    pub(crate) persons: i128,
    pub(crate) mean: BigRational,
    pub(crate) sd: BigRational,
    pub(crate) grid: BigRational,
}

/// What one hospital releases of one cell for one statistic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    Withheld,
    Count(i128),
    Moments(Moments),
    /// Rounded counts per value of a small domain.
    Values(Vec<(i128, i128)>),
}

/// The keys of cells that are withheld with their group, and why that is so: nine tenths of the
/// group have one sensitive value, or too few have any. An ordinary value is 0.
pub(crate) fn withheld_groups(
    ask: &Ask,
    cells: &BTreeMap<Key, Vec<&Person>>,
    sensitive: &[&str],
) -> BTreeSet<Key> {
    let mut withheld = BTreeSet::new();
    let by = ask.by.iter().enumerate();
    for (place, _) in by.filter(|(_, by)| sensitive.contains(&by.column())) {
        let others = |key: &Key| {
            let mut key = key.clone();
            key.remove(place);
            key
        };
        for key in cells.keys() {
            let group = cells.iter().filter(|(k, _)| others(k) == others(key));
            let group: Vec<(bool, i128)> = group
                .map(|(k, people)| (k[place] != Some(0), count(people)))
                .collect();
            let ill = || group.iter().filter(|(ill, _)| *ill).map(|(_, n)| *n);
            let everybody: i128 = group.iter().map(|(_, n)| n).sum();
            if ill().max().unwrap_or(0) * 10 >= everybody * 9 || ill().sum::<i128>() < K_EFF {
                withheld.insert(key.clone());
            }
        }
    }
    withheld
}

/// Whether a few values are (nearly) all of a sum, or all values are the same.
fn dominated(values: &[i128]) -> bool {
    let mut sizes: Vec<i128> = values.iter().map(|v| v.abs()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let all: i128 = sizes.iter().sum();
    let rest = all - sizes[0] - sizes[1];
    rest * 10 < sizes[0] || (all - rest) * 10 >= all * 9 || values.iter().all(|v| *v == values[0])
}

/// Applies the rules to the persons of a cell.
pub(crate) fn release(stat: Stat, people: &[&Person], columns: &[Column]) -> Released {
    let n = count(people);
    let Some(name) = stat.column() else {
        return released_count(n);
    };
    let column = find(columns, name);
    let values: Vec<i128> = people.iter().filter_map(|p| p.get(name).copied()).collect();
    if matches!(stat, Stat::Known(_)) {
        return released_count(i128::try_from(values.len()).unwrap());
    }
    if n < K_EFF {
        return Released::Withheld;
    }
    match column.bounds {
        None => value_counts(&values, &column.domain),
        Some(bounds) => moments(n, &values, column, bounds),
    }
}

fn count(people: &[&Person]) -> i128 {
    i128::try_from(people.len()).unwrap()
}

fn released_count(n: i128) -> Released {
    if n < K_EFF {
        Released::Withheld
    } else {
        Released::Count(round_count(n))
    }
}

fn value_counts(values: &[i128], domain: &[i128]) -> Released {
    let counts: Vec<(i128, i128)> = domain
        .iter()
        .map(|v| {
            (
                *v,
                i128::try_from(values.iter().filter(|x| *x == v).count()).unwrap(),
            )
        })
        .collect();
    let total: i128 = counts.iter().map(|(_, n)| n).sum();
    let non_zero: i128 = counts.iter().filter(|(v, _)| *v != 0).map(|(_, n)| n).sum();
    let commonest = counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let thin = counts.iter().any(|(_, n)| *n < K_EFF);
    if thin || non_zero < K_EFF || total - commonest < K_EFF {
        return Released::Withheld;
    }
    Released::Values(
        counts
            .into_iter()
            .map(|(v, n)| (v, round_count(n)))
            .collect(),
    )
}

fn moments(n: i128, values: &[i128], column: &Column, bounds: (i128, i128)) -> Released {
    let unit = ten(-i32::try_from(column.scale).unwrap());
    let clamped: Vec<i128> = values
        .iter()
        .map(|v| (*v).clamp(bounds.0, bounds.1))
        .collect();
    let known = i128::try_from(clamped.len()).unwrap();
    let non_zero = i128::try_from(clamped.iter().filter(|v| **v != 0).count()).unwrap();
    if known < FOR_A_MEAN || non_zero < K_EFF || dominated(&clamped) {
        return Released::Withheld;
    }
    let persons = round_count(if column.missing_public { known } else { n });
    let width = whole(bounds.1 - bounds.0) * &unit;
    let grid = one_two_five(&(width / whole(10 * persons)));
    let (mean, variance) = mean_and_variance(&clamped);
    Released::Moments(Moments {
        persons,
        mean: nearest(&(mean * &unit), &grid),
        sd: nearest_root(&(variance * &unit * &unit), &grid),
        grid,
    })
}

/// Exact mean and sample variance; the variance of a single value is 0.
pub(crate) fn mean_and_variance(values: &[i128]) -> (BigRational, BigRational) {
    let n = i128::try_from(values.len()).unwrap();
    let sum: i128 = values.iter().sum();
    let squares: i128 = values.iter().map(|v| v * v).sum();
    let variance = if n > 1 {
        ratio(n * squares - sum * sum, n * (n - 1))
    } else {
        BigRational::zero()
    };
    (ratio(sum, n), variance)
}

/// What `--by-site` shows of a hospital's cell, with the digits that its own interval supports;
/// `None` where the digits depend on how the interval of a ratio of counts is drawn.
pub(crate) fn site_value(stat: Stat, released: &Released) -> Option<BigRational> {
    match (stat, released) {
        (_, Released::Count(n)) => Some(whole(*n)),
        (Stat::Mean(_), Released::Moments(m)) => Some(m.mean.clone()),
        (Stat::Sd(_), Released::Moments(m)) => Some(m.sd.clone()),
        (Stat::Sum(_), Released::Moments(m)) => {
            let (low, high) = sum_interval(m);
            Some(printed(&(whole(m.persons) * &m.mean), &low, &high))
        }
        _ => None,
    }
}

/// The corners of n' times mean'.
fn sum_interval(m: &Moments) -> (BigRational, BigRational) {
    let half = &m.grid / whole(2);
    let corners = [-SLACK, SLACK].map(|slack| {
        let n = whole(m.persons + slack);
        [&n * (&m.mean - &half), n * (&m.mean + &half)]
    });
    let mut corners: Vec<BigRational> = corners.into_iter().flatten().collect();
    corners.sort();
    (corners[0].clone(), corners[3].clone())
}

/// The combined value, before it is printed.
pub(crate) enum Combined {
    /// A number.
    Value(BigRational),
    /// The square root of a number.
    Root(BigRational),
}

/// Combines what hospitals released; `None` if none released the cell.
pub(crate) fn combine(stat: Stat, sites: &[Released]) -> Option<Combined> {
    let counts: Vec<i128> = sites
        .iter()
        .filter_map(|s| {
            if let Released::Count(n) = s {
                Some(*n)
            } else {
                None
            }
        })
        .collect();
    if !counts.is_empty() {
        return Some(Combined::Value(whole(counts.iter().sum())));
    }
    let moments: Vec<&Moments> = sites
        .iter()
        .filter_map(|s| {
            if let Released::Moments(m) = s {
                Some(m)
            } else {
                None
            }
        })
        .collect();
    if !moments.is_empty() {
        return Some(combine_moments(stat, &moments));
    }
    let values: Vec<(i128, i128)> = sites
        .iter()
        .filter_map(|s| {
            if let Released::Values(v) = s {
                Some(v.clone())
            } else {
                None
            }
        })
        .flatten()
        .collect();
    if values.is_empty() {
        return None;
    }
    let n: i128 = values.iter().map(|(_, n)| n).sum();
    let sum: i128 = values.iter().map(|(v, n)| v * n).sum();
    let squares: i128 = values.iter().map(|(v, n)| v * v * n).sum();
    Some(match stat {
        Stat::Sum(_) => Combined::Value(whole(sum)),
        Stat::Sd(_) => Combined::Root(ratio(n * squares - sum * sum, n * (n - 1))),
        _ => Combined::Value(ratio(sum, n)),
    })
}

fn combine_moments(stat: Stat, moments: &[&Moments]) -> Combined {
    let n = whole(moments.iter().map(|m| m.persons).sum());
    let sum: BigRational = moments.iter().map(|m| whole(m.persons) * &m.mean).sum();
    let mean = &sum / &n;
    match stat {
        Stat::Sum(_) => Combined::Value(sum),
        Stat::Sd(_) => {
            let spread: BigRational = moments
                .iter()
                .map(|m| {
                    let between = &m.mean - &mean;
                    whole(m.persons - 1) * &m.sd * &m.sd + whole(m.persons) * &between * &between
                })
                .sum();
            Combined::Root(spread / (n - whole(1)))
        }
        _ => Combined::Value(mean),
    }
}
