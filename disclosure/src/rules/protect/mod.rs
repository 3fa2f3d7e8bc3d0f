//! From exact evidence to the parts that are shown, under one of two output protections.
//!
//! Never both for one cell in one epoch: each narrows what the other leaves open. The protection is
//! part of a release's identity, and a node refuses to start an epoch under another one. Page:
//! `docs/disclosure/protection.md`.

mod cell_key;
mod ptable;
mod round;

use quorate_query::measure::facts::Facts;
use quorate_query::measure::{events, moments, persons, products, value_counts};
use quorate_query::number::Number;
use quorate_query::question::Measure;
use quorate_query::release::ReleaseParams;

pub use cell_key::NoiseKey;
pub(crate) use round::told_rows;

use crate::evidence::{CellEvidence, MeasureEvidence};
use crate::history::ReleaseId;

/// The largest size of the noise of a perturbed count. Public: intervals allow for it.
pub const NOISE_BOUND: u32 = ptable::D;

/// The noise of one measure.
#[derive(Clone, Copy)]
pub(crate) struct Noise<'a> {
    /// The population's key.
    pub(crate) key: &'a NoiseKey,
    /// The family of the summed column.
    pub(crate) sum: [u8; 32],
}

/// The protected parts of one measure: rounded, or perturbed where there is noise. `None` if the
/// arithmetic itself finds too few persons.
pub(crate) fn parts(
    measure: &Measure,
    facts: &Facts,
    cell: &CellEvidence,
    evidence: &MeasureEvidence,
    params: &ReleaseParams,
    noise: Option<Noise<'_>>,
) -> Option<Vec<Number>> {
    match noise {
        None => round::parts(measure, facts, cell, evidence, params),
        Some(noise) => cell_key::parts(measure, facts, (cell, evidence), params, noise),
    }
}

/// Rounded mean and standard deviation, or a rounded mean product, beside a number of persons that has
/// left before.
pub(crate) fn parts_beside(
    facts: &Facts,
    evidence: &MeasureEvidence,
    persons: u64,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    match evidence {
        MeasureEvidence::Moments(found) => round::moments_beside(facts, found, persons, params),
        MeasureEvidence::Products(found) => round::products_beside(facts, found, persons, params),
        MeasureEvidence::Count(_) | MeasureEvidence::Values(_) => None,
    }
}

/// The parts without protection, for synthetic populations.
pub(crate) fn exact(measure: &Measure, evidence: &MeasureEvidence) -> Option<Vec<Number>> {
    Some(match evidence {
        MeasureEvidence::Count(counted) => match measure {
            Measure::Events { .. } => events::exact(round::rows_of(counted)?),
            _ => persons::exact(counted.persons()),
        },
        MeasureEvidence::Moments(found) => moments::exact(&round::exact_moments(found)),
        MeasureEvidence::Values(found) => value_counts::exact(&round::counts(found)),
        MeasureEvidence::Products(found) => products::exact(&round::exact_products(found)),
    })
}

/// What a protection is called in the identity of a release.
#[must_use]
pub fn protection_name(params: &ReleaseParams, perturbed: bool) -> String {
    let (k, base) = (params.k, params.round_base);
    if perturbed {
        format!("cell_key k={k} d={NOISE_BOUND} v={}", ptable::VARIANCE)
    } else {
        format!("round k={k} base={base}")
    }
}

/// The protection of an earlier release of this epoch, if it is of another kind than the one named:
/// then nothing may be released under this one before the next epoch. Other thresholds of the same
/// kind are compared release by release.
pub fn other_protection<'a>(
    earlier: impl IntoIterator<Item = &'a ReleaseId>,
    epoch: &str,
    protection: &str,
) -> Option<&'a str> {
    let kind = |name: &'a str| name.split(' ').next();
    let own = protection.split(' ').next();
    let mut of_epoch = earlier.into_iter().filter(|id| id.epoch == epoch);
    of_epoch
        .find(|id| kind(&id.protection) != own)
        .map(|id| id.protection.as_str())
}

#[cfg(test)]
pub(super) mod tests;
