//! Counts of distinct persons. Parts: `[persons]`.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;

use super::interval::Interval;
use super::{Estimate, SiteParts, count};
use crate::number::Number;
use crate::release::{ReleaseParams, k_eff, round_count};

/// The rounded parts, or nothing below the threshold. A zero is shown only where zeros are public.
#[must_use]
pub fn protect(persons: u64, params: &ReleaseParams) -> Option<Vec<Number>> {
    let public_zero = persons == 0 && params.zeros_public;
    let enough = persons >= u64::from(k_eff(params.k, params.round_base));
    (enough || public_zero).then(|| vec![round_count(persons, params.round_base).into()])
}

/// The parts without protection.
#[must_use]
pub fn exact(persons: u64) -> Vec<Number> {
    vec![persons.into()]
}

pub(super) fn check(site: SiteParts<'_>) -> Result<(), &'static str> {
    match site.parts {
        [part] if count(part).is_some() => Ok(()),
        _ => Err("a count is not one whole number"),
    }
}

/// Counts add up, and so do their distances from the truth.
pub(super) fn estimate(sites: &[SiteParts<'_>]) -> Estimate {
    let zero = || [BigInt::zero(), BigInt::zero(), BigInt::zero()];
    let counts = sites
        .iter()
        .map(|site| counted(site.parts.first().and_then(count).unwrap_or(0), *site));
    let [low, shown, high] = counts.fold(zero(), |[a, b, c], [low, shown, high]| {
        [a + low, b + shown, c + high]
    });
    let whole = BigRational::from_integer;
    Some(Interval::new(whole(shown), whole(low), whole(high)))
}

/// A released count as `[low, shown, high]`. A released zero is a true zero: counts below the
/// threshold never leave, and the threshold is above the rounding distance.
pub(super) fn counted(count: u64, site: SiteParts<'_>) -> [BigInt; 3] {
    let slack = if count == 0 { 0 } else { site.slack() };
    let (count, slack) = (BigInt::from(count), BigInt::from(slack));
    [
        (&count - &slack).max(BigInt::zero()),
        count.clone(),
        count + slack,
    ]
}
