//! Mean and standard deviation of a number, as one release.
//!
//! Parts in modes round and cell key: `[persons', rows', mean', sd']`; in mode none:
//! `[persons, rows, sum, sum of squares]`. Rows are those that count and have a value; on a unit
//! table they are persons. `sd'` is the sample standard deviation over rows.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::decimal::{Scale, ceil, floor};
use super::extreme::{Weighted, greatest, least};
use super::facts::Facts;
use super::interval::Interval;
use super::{Estimate, SiteParts, count};
use crate::answer::Mode;
use crate::number::Number;
use crate::question::Stat;
use crate::rational::{power_of_ten, round_to_multiple, sqrt_down, sqrt_to_multiple, sqrt_up};
use crate::release::{ReleaseParams, k_eff, moments_grid, round_count};

/// Digits of square roots inside a calculation: well beyond the 15 that are ever printed.
const ROOT_DIGITS: u32 = 24;

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
    /// Whether these are the sizes of those with a value.
    pub complete: bool,
}

/// The grid of mean and standard deviation beside a released number of persons.
///
/// Where that number counts persons without a value too, the grid must not follow it: among many
/// persons a few values would be shown too finely. It is then that of the fewest persons whose
/// mean may leave.
#[must_use]
pub fn grid(
    bounds: (Number, Number),
    complete: bool,
    persons: u64,
    (k, base): (u32, u32),
) -> Number {
    let fewest = round_count(k_eff(k, base).into(), base);
    moments_grid(bounds, if complete { persons } else { fewest })
}

/// The protected parts, or nothing if fewer persons than the threshold have a value.
///
/// Mean and standard deviation are computed exactly and rounded half-even once, to a grid that
/// depends on what is public or released beside it only.
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
    let rounded = CellSize {
        persons: round_count(shown.persons, params.round_base),
        rows: round_count(shown.rows, params.round_base),
        ..shown
    };
    on_grid(exact, &exact.mean(), bounds, rounded, params)
}

/// The parts in mode cell key, or nothing if fewer persons than the threshold have a value. Sizes
/// and mean are perturbed already: sizes by at most the bound of the noise, the sum behind the mean
/// by at most what one person can add.
#[must_use]
pub fn perturbed(
    exact: &ExactMoments,
    mean: &BigRational,
    bounds: (Number, Number),
    shown: CellSize,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    if exact.rows == 0 || exact.persons < u64::from(k_eff(params.k, params.round_base)) {
        return None;
    }
    on_grid(exact, mean, bounds, shown, params)
}

fn on_grid(
    exact: &ExactMoments,
    mean: &BigRational,
    bounds: (Number, Number),
    shown: CellSize,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    let public = (params.k, params.round_base);
    let grid = grid(bounds, shown.complete, shown.persons, public).to_rational();
    let mean = round_to_multiple(mean, &grid);
    let sd = sqrt_to_multiple(&exact.variance(), &grid);
    Some(vec![
        shown.persons.into(),
        shown.rows.into(),
        Number::from_rational(&mean)?,
        Number::from_rational(&sd)?,
    ])
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
    // Persons and rows are perturbed each by its own noise.
    let ordered = persons <= rows || matches!(site.protection.mode, Mode::CellKey { .. });
    let consistent = ordered && !(empty && (rows > 0 || *third != Number::ZERO));
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
    released(stat, &Released::read(facts, sites)?)
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

/// Extra places for the mean of means, which has no finite decimals.
const EXTRA_PLACES: u32 = 6;

/// Released moments of some nodes, as whole numbers at one decimal scale.
struct Released {
    scale: Scale,
    sites: Vec<Site>,
}

/// One node's moments, each as `[low, shown, high]`.
struct Site {
    rows: [BigInt; 3],
    mean: [BigInt; 3],
    sd: [BigInt; 3],
}

impl Released {
    fn read(facts: &Facts, sites: &[SiteParts<'_>]) -> Option<Self> {
        let bounds = facts.bounds?;
        let half = Number::new(5, -1).to_rational();
        let half_grid = |site: &SiteParts<'_>| {
            let public = (site.protection.k, site.protection.round_base);
            let persons = site.parts.first().and_then(count)?;
            let grid = grid(bounds, facts.complete, persons, public);
            Number::from_rational(&(grid.to_rational() * &half))
        };
        let halves: Vec<Number> = sites.iter().map(half_grid).collect::<Option<_>>()?;
        let parts = sites.iter().flat_map(|site| site.parts);
        let numbers = parts.chain(&halves).chain([&bounds.0, &bounds.1]);
        let scale = Scale::of(numbers, EXTRA_PLACES);
        let bounds = (scale.whole(&bounds.0), scale.whole(&bounds.1));
        let site = |(site, half): (&SiteParts<'_>, &Number)| {
            Site::read(*site, facts, scale, &scale.whole(half), &bounds)
        };
        let sites = sites.iter().zip(&halves).map(site).collect::<Option<_>>()?;
        Some(Self { scale, sites })
    }

    fn rows(&self) -> BigInt {
        self.sites.iter().map(|site| &site.rows[1]).sum()
    }

    fn weighted_sum(&self) -> BigInt {
        self.sites
            .iter()
            .map(|site| &site.rows[1] * &site.mean[1])
            .sum()
    }

    /// The shown mean and its limits, in units.
    fn mean(&self) -> Option<Interval> {
        let items = |end: usize| {
            let item = |site: &Site| site.mean.get(end).map(|mean| site.weighted(mean.clone()));
            self.sites.iter().filter_map(item).collect::<Vec<_>>()
        };
        let rows = self.rows();
        if !rows.is_positive() {
            return None;
        }
        let zero = BigInt::zero();
        let low = least(items(0), &zero, &zero)?;
        let high = greatest(items(2), &zero, &zero)?;
        Some(Interval::new(
            BigRational::new(self.weighted_sum(), rows),
            low,
            high,
        ))
    }
}

impl Site {
    fn read(
        site: SiteParts<'_>,
        facts: &Facts,
        scale: Scale,
        half: &BigInt,
        bounds: &(BigInt, BigInt),
    ) -> Option<Self> {
        let [persons, rows, mean, sd] = site.parts else {
            return None;
        };
        let (shown, slack) = (BigInt::from(count(rows)?), BigInt::from(site.slack()));
        let (threshold, apart) = (BigInt::from(site.threshold()), site.apart());
        let threshold = if site.near { BigInt::one() } else { threshold };
        // Where released sizes count rows without a value too, all that is known of the rows with
        // a value is that the threshold was reached.
        let low = if facts.complete {
            (&shown - &slack).max(threshold)
        } else {
            threshold
        };
        let low = low.max(BigInt::one()).min(shown.clone());
        let (mean, sd) = (scale.whole(mean), scale.whole(sd));
        let sd_low = (&sd - half).max(BigInt::zero());
        let noise = match site.protection.mode {
            // What one person can add to the sum, shared by the fewest rows there may be.
            Mode::CellKey { .. } => {
                let most = bounds.0.abs().max(bounds.1.abs());
                (most * BigInt::from(facts.max_rows.unwrap_or(1))).div_ceil(&low)
            }
            Mode::Round | Mode::None => BigInt::zero(),
        };
        let far = half + noise;
        // Where few have several rows, the number of persons stands for that of rows.
        let further = match facts.max_rows {
            Some(max) if persons == rows => site
                .threshold()
                .saturating_sub(1)
                .saturating_mul(max.saturating_sub(1)),
            _ => 0,
        };
        let site = Self {
            rows: [low, shown.clone(), shown + slack + further],
            mean: [&mean - &far, mean.clone(), &mean + far],
            sd: [sd_low, sd.clone(), sd + half],
        };
        // Of rows of events, an earlier release stands for the number of persons only.
        let apart = if facts.max_rows.is_some() { 0 } else { apart };
        Some(site.moved(apart, bounds).within(bounds))
    }

    /// What is known of nearly the same rows: `apart` of them may be others. Both the mean of all
    /// and the mean of half the squared distances of all pairs, which is the sample variance, move
    /// by no more than the share of new terms times the greatest difference of two terms.
    fn moved(self, apart: u32, bounds: &(BigInt, BigInt)) -> Self {
        if apart == 0 {
            return self;
        }
        let Self { rows, mean, sd } = self;
        let ([low, _, _], [mean_low, shown, mean_high], [sd_low, sd, sd_high]) = (&rows, mean, sd);
        // The lower limit of the rows already allows for those who are missing.
        let (apart, width) = (BigInt::from(apart), &bounds.1 - &bounds.0);
        let (mean_by, square_by) = if low > &apart {
            let share = |whole: &BigInt| (whole * &apart).div_ceil(low);
            (share(&width), share(&(&width * &width)))
        } else {
            (width.clone(), &width * &width)
        };
        let less = (&sd_low * &sd_low - &square_by).max(BigInt::zero());
        let more = &sd_high * &sd_high + square_by;
        Self {
            mean: [mean_low - &mean_by, shown, mean_high + mean_by],
            sd: [less.sqrt(), sd, more.sqrt() + BigInt::one()],
            rows,
        }
    }

    /// No mean lies outside the bounds.
    fn within(mut self, bounds: &(BigInt, BigInt)) -> Self {
        let [low, shown, high] = &mut self.mean;
        *low = (&*low).max(&bounds.0).min(&*shown).clone();
        *high = (&*high).min(&bounds.1).max(&*shown).clone();
        self
    }

    fn weighted(&self, term: BigInt) -> Weighted {
        let [low, _, high] = &self.rows;
        Weighted {
            low: low.clone(),
            high: high.clone(),
            term,
        }
    }

    /// Rows times mean: the extremes are at corners.
    fn sum(&self) -> [BigInt; 3] {
        let ([a, r, b], [c, m, d]) = (&self.rows, &self.mean);
        [(a * c).min(b * c), r * m, (a * d).max(b * d)]
    }
}

fn released(stat: Stat, all: &Released) -> Estimate {
    match stat {
        Stat::Count => Some(total(all.sites.iter().map(|site| site.rows.clone()), |n| {
            BigRational::from_integer(n)
        })),
        Stat::Sum => Some(total(all.sites.iter().map(Site::sum), |n| {
            all.scale.fraction(n)
        })),
        Stat::Mean => all
            .mean()
            .map(|mean| mean.map(|end| all.scale.quotient(end))),
        Stat::VarSample => variance(all, true),
        Stat::VarPop => variance(all, false),
        Stat::SdSample => variance(all, true).map(|variance| root(&variance)),
        Stat::SdPop => variance(all, false).map(|variance| root(&variance)),
    }
}

fn total(
    parts: impl Iterator<Item = [BigInt; 3]>,
    fraction: impl Fn(BigInt) -> BigRational,
) -> Interval {
    let zero = || [BigInt::zero(), BigInt::zero(), BigInt::zero()];
    let [low, value, high] = parts.fold(zero(), |[a, b, c], [low, value, high]| {
        [a + low, b + value, c + high]
    });
    Interval::new(fraction(value), fraction(low), fraction(high))
}

/// Within and between nodes: `sum((rows - 1) sd^2) + sum(rows (mean - m)^2)`, divided by all rows,
/// or by one less for the sample variance.
///
/// The spread around the true mean is the least spread around any number, so that replacing the
/// true mean by one near the shown one gives an upper limit; each node's distance from the interval
/// of the true mean gives a lower one. Both are then extremes of one quotient in the numbers of
/// rows.
fn variance(all: &Released, sample: bool) -> Estimate {
    let mean = all.mean()?;
    let (near_low, centre, near_high) = (floor(&mean.low), floor(&mean.value), ceil(&mean.high));
    let alone = all.sites.len() == 1;
    let less = BigInt::from(if sample { -1 } else { 0 });
    let square = |value: &BigInt| value * value;
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    let (mut top_upper, mut top_lower, mut squares) =
        (BigInt::zero(), BigInt::zero(), BigInt::zero());
    for site in &all.sites {
        let [mean_low, shown, mean_high] = &site.mean;
        let far = (mean_high - &centre).max(&centre - mean_low);
        let near = (mean_low - &near_high)
            .max(&near_low - mean_high)
            .max(BigInt::zero());
        // A single node's mean is the mean: nothing lies between nodes.
        let (far, near) = if alone {
            (BigInt::zero(), BigInt::zero())
        } else {
            (far, near)
        };
        let [sd_low, sd, sd_high] = &site.sd;
        upper.push(site.weighted(square(sd_high) + square(&far)));
        lower.push(site.weighted(square(sd_low) + square(&near)));
        top_upper -= square(sd_high);
        top_lower -= square(sd_low);
        let rows = &site.rows[1];
        squares += (rows - BigInt::one()) * square(sd) + rows * square(shown);
    }
    let rows = all.rows();
    let divisor = &rows * (&rows + &less);
    if !divisor.is_positive() {
        return None;
    }
    let spread = squares * rows - square(&all.weighted_sum());
    let low = least(lower, &top_lower, &less)?.max(BigRational::zero());
    let high = greatest(upper, &top_upper, &less)?;
    let value = BigRational::new(spread, divisor);
    Some(Interval::new(value, low, high).map(|end| all.scale.squared(end)))
}

/// Square root of a non-negative interval, limits rounded outwards.
pub(super) fn root(variance: &Interval) -> Interval {
    Interval::new(
        sqrt_down(&variance.value, ROOT_DIGITS).0,
        sqrt_down(&variance.low, ROOT_DIGITS).0,
        sqrt_up(&variance.high, ROOT_DIGITS),
    )
}
