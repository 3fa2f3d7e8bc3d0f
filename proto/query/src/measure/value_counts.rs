//! Counts per value of a small closed domain of numbers: sum, mean and variance follow from them.
//!
//! Parts: one count per value, ascending (persons on a unit table, rows on an event table).

use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::extreme::{Weighted, greatest, least, mean_limits};
use super::facts::Facts;
use super::interval::Interval;
use super::moments::root;
use super::persons::counted;
use super::{Estimate, SiteParts, count};
use crate::number::Number;
use crate::question::Stat;
use crate::release::{ReleaseParams, k_eff, round_count};

/// The rounded counts, or nothing if any value has fewer persons than the threshold: one withheld
/// count withholds the cell, because the others and the total would give it away. `counts` and
/// `persons` have one entry per value of the domain; on a unit table they are the same.
#[must_use]
pub fn protect(counts: &[u64], persons: &[u64], params: &ReleaseParams) -> Option<Vec<Number>> {
    let threshold = u64::from(k_eff(params.k, params.round_base));
    let enough = |persons: &u64| *persons >= threshold || (*persons == 0 && params.zeros_public);
    if counts.len() != persons.len() || !persons.iter().all(enough) {
        return None;
    }
    Some(
        counts
            .iter()
            .map(|count| round_count(*count, params.round_base).into())
            .collect(),
    )
}

/// The parts without protection.
#[must_use]
pub fn exact(counts: &[u64]) -> Vec<Number> {
    counts.iter().map(|count| Number::from(*count)).collect()
}

pub(super) fn check(facts: &Facts, site: SiteParts<'_>) -> Result<(), &'static str> {
    if site.parts.len() != facts.domain.len() {
        return Err("there is not one count per value of the domain");
    }
    if site.parts.iter().any(|part| count(part).is_none()) {
        return Err("a count is not a whole number");
    }
    Ok(())
}

/// The statistic over all rows of the sites.
pub(super) fn estimate(facts: &Facts, stat: Stat, sites: &[SiteParts<'_>]) -> Estimate {
    let values: Vec<Value> = facts
        .domain
        .iter()
        .enumerate()
        .map(|(index, value)| Value {
            value: value.to_rational(),
            rows: total(index, sites),
        })
        .collect();
    let rows = values
        .iter()
        .fold(BigRational::zero(), |sum, v| sum + &v.rows.value);
    if rows.is_zero() {
        return None;
    }
    let zero = || Interval::exact(BigRational::zero());
    match stat {
        Stat::Count => Some(values.iter().fold(zero(), |sum, v| sum.plus(&v.rows))),
        Stat::Sum => {
            let product = |v: &Value| v.rows.times(&Interval::exact(v.value.clone()));
            Some(
                values
                    .iter()
                    .map(product)
                    .fold(zero(), |sum, one| sum.plus(&one)),
            )
        }
        Stat::Mean => mean(&values, &rows),
        Stat::VarSample => variance(&values, &rows, true),
        Stat::VarPop => variance(&values, &rows, false),
        Stat::SdSample => variance(&values, &rows, true).map(|variance| root(&variance)),
        Stat::SdPop => variance(&values, &rows, false).map(|variance| root(&variance)),
    }
}

/// A value of the domain and how many rows have it.
struct Value {
    value: BigRational,
    rows: Interval,
}

impl Value {
    fn weighted(&self, term: BigRational) -> Weighted {
        Weighted {
            low: self.rows.low.clone(),
            high: self.rows.high.clone(),
            term,
        }
    }
}

fn total(index: usize, sites: &[SiteParts<'_>]) -> Interval {
    let one = |site: &SiteParts<'_>| {
        let rows = site.parts.get(index).and_then(count).unwrap_or(0);
        counted(rows, *site)
    };
    let zero = Interval::exact(BigRational::zero());
    sites.iter().map(one).fold(zero, |sum, one| sum.plus(&one))
}

fn mean(values: &[Value], rows: &BigRational) -> Estimate {
    let items = || values.iter().map(|v| v.weighted(v.value.clone())).collect();
    let (low, high) = mean_limits(items(), items())?;
    Some(Interval::new(shown_mean(values, rows), low, high))
}

fn shown_mean(values: &[Value], rows: &BigRational) -> BigRational {
    values
        .iter()
        .fold(BigRational::zero(), |sum, v| sum + &v.value * &v.rows.value)
        / rows
}

/// As for moments: around the shown mean for the upper limit, around the interval of the true mean
/// for the lower one.
fn variance(values: &[Value], rows: &BigRational, sample: bool) -> Estimate {
    let zero = BigRational::zero;
    let shown = shown_mean(values, rows);
    let mean = mean(values, rows)?;
    let less = if sample { -BigRational::one() } else { zero() };
    let divisor = rows + &less;
    if !divisor.is_positive() {
        return None;
    }
    let around = |value: &BigRational| {
        let distance = value - &shown;
        &distance * &distance
    };
    let beyond = |value: &BigRational| {
        let distance = (value - &mean.high).max(&mean.low - value).max(zero());
        &distance * &distance
    };
    let spread = values
        .iter()
        .fold(zero(), |sum, v| sum + &v.rows.value * around(&v.value));
    let upper = values
        .iter()
        .map(|v| v.weighted(around(&v.value)))
        .collect();
    let lower = values
        .iter()
        .map(|v| v.weighted(beyond(&v.value)))
        .collect();
    let low = least(lower, &zero(), &less)?;
    Some(Interval::new(
        spread / divisor,
        low,
        greatest(upper, &zero(), &less)?,
    ))
}
