//! Counts per value of a small closed domain of numbers: sum, mean and variance follow from them.
//!
//! Parts: one count per value, ascending (persons on a unit table, rows on an event table).

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};

use super::decimal::{Scale, ceil, floor};
use super::extreme::{Weighted, greatest, least};
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
    let scale = Scale::of(&facts.domain, EXTRA_PLACES);
    let value = |(index, value): (usize, &Number)| Value {
        value: scale.whole(value),
        rows: total(index, sites),
    };
    let values: Vec<Value> = facts.domain.iter().enumerate().map(value).collect();
    let rows: BigInt = values.iter().map(|v| &v.rows[1]).sum();
    if rows.is_zero() {
        return None;
    }
    match stat {
        Stat::Count => Some(add(&values, |v| v.rows.clone(), BigRational::from_integer)),
        Stat::Sum => Some(add(&values, Value::sum, |n| scale.fraction(n))),
        Stat::Mean => mean(&values, rows).map(|mean| mean.map(|end| scale.quotient(end))),
        Stat::VarSample => variance(&values, rows, true, scale),
        Stat::VarPop => variance(&values, rows, false, scale),
        Stat::SdSample => variance(&values, rows, true, scale).map(|variance| root(&variance)),
        Stat::SdPop => variance(&values, rows, false, scale).map(|variance| root(&variance)),
    }
}

/// Extra places for the mean, which need not have finite decimals.
const EXTRA_PLACES: u32 = 6;

/// A value of the domain in units of the scale, and how many rows have it: `[low, shown, high]`.
struct Value {
    value: BigInt,
    rows: [BigInt; 3],
}

impl Value {
    fn weighted(&self, term: BigInt) -> Weighted {
        let [low, _, high] = &self.rows;
        Weighted {
            low: low.clone(),
            high: high.clone(),
            term,
        }
    }

    fn sum(&self) -> [BigInt; 3] {
        let [low, shown, high] = &self.rows;
        let (a, b) = (low * &self.value, high * &self.value);
        [a.clone().min(b.clone()), shown * &self.value, a.max(b)]
    }
}

fn total(index: usize, sites: &[SiteParts<'_>]) -> [BigInt; 3] {
    let zero = || [BigInt::zero(), BigInt::zero(), BigInt::zero()];
    let counts = sites
        .iter()
        .map(|site| counted(site.parts.get(index).and_then(count).unwrap_or(0), *site));
    counts.fold(zero(), |[a, b, c], [low, shown, high]| {
        [a + low, b + shown, c + high]
    })
}

fn add(
    values: &[Value],
    part: impl Fn(&Value) -> [BigInt; 3],
    fraction: impl Fn(BigInt) -> BigRational,
) -> Interval {
    let zero = || [BigInt::zero(), BigInt::zero(), BigInt::zero()];
    let [low, shown, high] = values
        .iter()
        .map(part)
        .fold(zero(), |[a, b, c], [low, shown, high]| {
            [a + low, b + shown, c + high]
        });
    Interval::new(fraction(shown), fraction(low), fraction(high))
}

/// The mean in units of the scale.
fn mean(values: &[Value], rows: BigInt) -> Option<Interval> {
    let items = || {
        values
            .iter()
            .map(|v| v.weighted(v.value.clone()))
            .collect::<Vec<_>>()
    };
    let zero = BigInt::zero();
    let (low, high) = (
        least(items(), &zero, &zero)?,
        greatest(items(), &zero, &zero)?,
    );
    let sum: BigInt = values.iter().map(|v| &v.value * &v.rows[1]).sum();
    Some(Interval::new(BigRational::new(sum, rows), low, high))
}

/// As for moments: around a number near the shown mean for the upper limit, around the interval of
/// the true mean for the lower one.
fn variance(values: &[Value], rows: BigInt, sample: bool, scale: Scale) -> Estimate {
    let mean = mean(values, rows.clone())?;
    let (near_low, centre, near_high) = (floor(&mean.low), floor(&mean.value), ceil(&mean.high));
    let less = BigInt::from(if sample { -1 } else { 0 });
    let divisor = &rows * (&rows + &less);
    if !divisor.is_positive() {
        return None;
    }
    let square = |value: BigInt| &value * &value;
    let upper = values
        .iter()
        .map(|v| v.weighted(square(&v.value - &centre)))
        .collect();
    let beyond = |v: &Value| {
        (&v.value - &near_high)
            .max(&near_low - &v.value)
            .max(BigInt::zero())
    };
    let lower = values
        .iter()
        .map(|v| v.weighted(square(beyond(v))))
        .collect();
    let squares: BigInt = values
        .iter()
        .map(|v| &v.rows[1] * &v.value * &v.value)
        .sum();
    let sum: BigInt = values.iter().map(|v| &v.rows[1] * &v.value).sum();
    let value = BigRational::new(squares * rows - square(sum), divisor);
    let zero = BigInt::zero();
    let limits = (least(lower, &zero, &less)?, greatest(upper, &zero, &less)?);
    Some(Interval::new(value, limits.0, limits.1).map(|end| scale.squared(end)))
}
