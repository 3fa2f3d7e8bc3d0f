//! Mean and standard deviation of a number, as one release.
//!
//! Parts in mode round: `[persons', rows', mean', sd']`; in mode none:
//! `[persons, rows, sum, sum of squares]`. Rows are those that count and have a value; on a unit
//! table they are persons. `sd'` is the sample standard deviation over rows.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::extreme::{Weighted, greatest, least, mean_limits};
use super::facts::Facts;
use super::interval::Interval;
use super::{Estimate, SiteParts, count};
use crate::number::Number;
use crate::question::Stat;
use crate::rational::{power_of_ten, round_to_multiple, sqrt_down, sqrt_to_multiple, sqrt_up};
use crate::release::{ReleaseParams, k_eff, moments_grid, round_count};

/// Digits of square roots inside a calculation: twice what is ever printed.
const ROOT_DIGITS: u32 = 30;

/// What a node knows exactly about a cell: over persons with at least one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactMoments {
    /// Persons with a value.
    pub persons: u64,
    /// Counted rows with a value; equals `persons` on a unit table.
    pub rows: u64,
    /// Sum of clamped values, as a mantissa at `scale`.
    pub sum: i128,
    /// Sum of their squares, as a mantissa at twice the `scale`.
    pub sum_sq: i128,
    /// Decimal digits of the column.
    pub scale: u32,
}

/// The sizes that are released beside the mean: of persons and rows with a value where the number
/// of missing values is public, else of all persons and rows in the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellSize {
    /// Persons.
    pub persons: u64,
    /// Rows that count.
    pub rows: u64,
}

/// The protected parts, or nothing if fewer persons than the threshold have a value.
///
/// Mean and standard deviation are computed exactly and rounded half-even once, to a grid that
/// depends on bounds and the rounded number of persons only.
#[must_use]
pub fn protect(
    exact: &ExactMoments,
    bounds: (Number, Number),
    shown: CellSize,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    if exact.rows == 0 || exact.persons < u64::from(k_eff(params.k, params.round_base)) {
        return None;
    }
    let persons = round_count(shown.persons, params.round_base);
    let rows = round_count(shown.rows, params.round_base);
    let grid = moments_grid(bounds, persons).to_rational();
    let mean = round_to_multiple(&exact.mean(), &grid);
    let sd = sqrt_to_multiple(&exact.variance(), &grid);
    let parts = [Number::from_rational(&mean)?, Number::from_rational(&sd)?];
    Some(
        [persons.into(), rows.into()]
            .into_iter()
            .chain(parts)
            .collect(),
    )
}

/// The parts without protection.
#[must_use]
pub fn exact(exact: &ExactMoments) -> Vec<Number> {
    let scale = i32::try_from(exact.scale).unwrap_or(0);
    vec![
        exact.persons.into(),
        exact.rows.into(),
        Number::new(exact.sum, -scale),
        Number::new(exact.sum_sq, -2 * scale),
    ]
}

/// A person's total on an event table, limited to what `max_rows` rows within the bounds can add
/// up to. `rows` are the person's rows with a value; bounds and total are mantissas at one scale.
/// `None` if it does not fit, which checked bounds exclude.
#[must_use]
pub fn clamp_total(total: i128, rows: u64, max_rows: u32, bounds: (i128, i128)) -> Option<i128> {
    let counted = i128::from(rows.min(max_rows.into()));
    let (low, high) = (
        bounds.0.checked_mul(counted)?,
        bounds.1.checked_mul(counted)?,
    );
    (low <= high).then(|| total.clamp(low, high))
}

impl ExactMoments {
    fn mean(&self) -> BigRational {
        let scale = i32::try_from(self.scale).unwrap_or(0);
        BigRational::new(self.sum.into(), BigInt::from(self.rows.max(1))) * power_of_ten(-scale)
    }

    /// Sample variance over rows; 0 for a single row.
    fn variance(&self) -> BigRational {
        let scale = i32::try_from(self.scale).unwrap_or(0);
        let rows = BigInt::from(self.rows);
        let sum = BigInt::from(self.sum);
        let spread = BigInt::from(self.sum_sq) * &rows - &sum * &sum;
        let divisor = &rows * (&rows - BigInt::one());
        if !divisor.is_positive() || !spread.is_positive() {
            return BigRational::zero();
        }
        BigRational::new(spread, divisor) * power_of_ten(-2 * scale)
    }
}

pub(super) fn check(site: SiteParts<'_>) -> Result<(), &'static str> {
    let [persons, rows, third, fourth] = site.parts else {
        return Err("moments are not four numbers");
    };
    let (Some(persons), Some(rows)) = (count(persons), count(rows)) else {
        return Err("a count is not a whole number");
    };
    if fourth.is_negative() {
        return Err("a standard deviation is negative");
    }
    let empty = rows == 0 || persons == 0;
    let consistent = persons <= rows && !(empty && (rows > 0 || *third != Number::ZERO));
    if !consistent || (empty && !site.is_exact()) {
        return Err("the counts of moments contradict each other");
    }
    Ok(())
}

/// The statistic over all rows of the sites.
pub(super) fn estimate(facts: &Facts, stat: Stat, sites: &[SiteParts<'_>]) -> Estimate {
    if sites.iter().all(SiteParts::is_exact) {
        return pooled(stat, sites).map(Interval::exact);
    }
    let bounds = facts.bounds?;
    let moments: Option<Vec<Site>> = sites
        .iter()
        .map(|site| Site::read(*site, bounds, facts.missing_public))
        .collect();
    released(stat, &moments?)
}

/// Unprotected parts simply add up.
fn pooled(stat: Stat, sites: &[SiteParts<'_>]) -> Option<BigRational> {
    let total = |index: usize| -> BigRational {
        let part = |site: &SiteParts<'_>| site.parts.get(index).map(Number::to_rational);
        sites
            .iter()
            .filter_map(part)
            .fold(BigRational::zero(), |sum, part| sum + part)
    };
    let (rows, sum, squares) = (total(1), total(2), total(3));
    if rows.is_zero() {
        return None;
    }
    let mean = &sum / &rows;
    let spread = (squares - &sum * &mean).max(BigRational::zero());
    let less_one = &rows - BigRational::one();
    let sample = || less_one.is_positive().then(|| &spread / &less_one);
    match stat {
        Stat::Count => Some(rows),
        Stat::Sum => Some(sum),
        Stat::Mean => Some(mean),
        Stat::VarSample => sample(),
        Stat::VarPop => Some(spread / rows),
        Stat::SdSample => sample().map(|variance| sqrt_down(&variance, ROOT_DIGITS).0),
        Stat::SdPop => Some(sqrt_down(&(spread / rows), ROOT_DIGITS).0),
    }
}

/// One node's released moments with their intervals.
struct Site {
    rows: Interval,
    mean: Interval,
    sd: Interval,
}

impl Site {
    fn read(site: SiteParts<'_>, bounds: (Number, Number), missing_public: bool) -> Option<Self> {
        let [persons, rows, mean, sd] = site.parts else {
            return None;
        };
        let whole = |n: u64| BigRational::from_integer(BigInt::from(n));
        let (shown, slack) = (whole(count(rows)?), whole(site.slack().into()));
        let threshold = whole(site.threshold().into());
        // Where the number of missing values is not public, the released size counts rows without
        // a value too: all that is known is that the threshold was reached.
        let low = if missing_public {
            (&shown - &slack).max(threshold)
        } else {
            threshold
        };
        let rows = Interval::new(shown.clone(), low.max(BigRational::one()), shown + slack);
        let half = moments_grid(bounds, count(persons)?).to_rational() / BigInt::from(2);
        let (mean, sd) = (mean.to_rational(), sd.to_rational());
        let (floor, ceiling) = (bounds.0.to_rational(), bounds.1.to_rational());
        let mean_low = (&mean - &half).max(floor);
        let mean_high = (&mean + &half).min(ceiling);
        let sd_low = (&sd - &half).max(BigRational::zero());
        let sd_high = &sd + &half;
        Some(Self {
            rows,
            mean: Interval::new(mean, mean_low, mean_high),
            sd: Interval::new(sd, sd_low, sd_high),
        })
    }

    fn weighted(&self, term: BigRational) -> Weighted {
        Weighted {
            low: self.rows.low.clone(),
            high: self.rows.high.clone(),
            term,
        }
    }
}

fn released(stat: Stat, sites: &[Site]) -> Estimate {
    let zero = || Interval::exact(BigRational::zero());
    match stat {
        Stat::Count => Some(sites.iter().fold(zero(), |sum, site| sum.plus(&site.rows))),
        Stat::Sum => {
            let product = |site: &Site| site.rows.times(&site.mean);
            Some(
                sites
                    .iter()
                    .map(product)
                    .fold(zero(), |sum, one| sum.plus(&one)),
            )
        }
        Stat::Mean => mean(sites),
        Stat::VarSample => variance(sites, true),
        Stat::VarPop => variance(sites, false),
        Stat::SdSample => variance(sites, true).map(|variance| root(&variance)),
        Stat::SdPop => variance(sites, false).map(|variance| root(&variance)),
    }
}

fn mean(sites: &[Site]) -> Estimate {
    let low = sites
        .iter()
        .map(|site| site.weighted(site.mean.low.clone()))
        .collect();
    let high = sites
        .iter()
        .map(|site| site.weighted(site.mean.high.clone()))
        .collect();
    let (low, high) = mean_limits(low, high)?;
    Some(Interval::new(shown_mean(sites)?, low, high))
}

fn shown_mean(sites: &[Site]) -> Option<BigRational> {
    let zero = BigRational::zero();
    let sum = sites
        .iter()
        .fold(zero.clone(), |sum, s| sum + &s.rows.value * &s.mean.value);
    let rows = sites.iter().fold(zero, |sum, s| sum + &s.rows.value);
    rows.is_positive().then(|| sum / rows)
}

/// Within and between nodes: `sum((rows - 1) sd^2) + sum(rows (mean - m)^2)`, divided by all rows,
/// or by one less for the sample variance.
///
/// The spread around the true mean is the least spread around any number, so that replacing the
/// true mean by the shown one gives an upper limit; each node's distance from the interval of the
/// true mean gives a lower one. Both are then extremes of one quotient in the numbers of rows.
fn variance(sites: &[Site], sample: bool) -> Estimate {
    let shown = shown_mean(sites)?;
    let mean = mean(sites)?;
    let alone = sites.len() == 1;
    let square = |value: &BigRational| value * value;
    let zero = BigRational::zero;
    let less = if sample { -BigRational::one() } else { zero() };
    let (mut upper, mut lower, mut within) = (Vec::new(), Vec::new(), zero());
    let (mut top_upper, mut top_lower, mut rows) = (zero(), zero(), less.clone());
    for site in sites {
        let far = (&site.mean.high - &shown).max(&shown - &site.mean.low);
        let near = (&site.mean.low - &mean.high)
            .max(&mean.low - &site.mean.high)
            .max(zero());
        let (far, near) = if alone { (zero(), zero()) } else { (far, near) };
        upper.push(site.weighted(square(&site.sd.high) + square(&far)));
        lower.push(site.weighted(square(&site.sd.low) + square(&near)));
        top_upper -= square(&site.sd.high);
        top_lower -= square(&site.sd.low);
        let between = square(&(&site.mean.value - &shown));
        within += (&site.rows.value - BigRational::one()) * square(&site.sd.value);
        within += &site.rows.value * between;
        rows += &site.rows.value;
    }
    if !rows.is_positive() {
        return None;
    }
    let low = least(lower, &top_lower, &less)?.max(zero());
    Some(Interval::new(
        within / rows,
        low,
        greatest(upper, &top_upper, &less)?,
    ))
}

/// Square root of a non-negative interval, limits rounded outwards.
pub(super) fn root(variance: &Interval) -> Interval {
    Interval::new(
        sqrt_down(&variance.value, ROOT_DIGITS).0,
        sqrt_down(&variance.low, ROOT_DIGITS).0,
        sqrt_up(&variance.high, ROOT_DIGITS),
    )
}
