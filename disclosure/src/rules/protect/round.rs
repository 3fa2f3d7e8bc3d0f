//! Mode round: counts to the nearest multiple of the base, means to their grid, with the arithmetic
//! that all parties share. Rounding is deterministic: asking again gives nothing new.

use quorate_query::measure::facts::Facts;
use quorate_query::measure::moments::{CellSize, ExactMoments};
use quorate_query::measure::products::{self, ExactProducts};
use quorate_query::measure::{events, moments, persons, value_counts};
use quorate_query::number::Number;
use quorate_query::question::Measure;
use quorate_query::release::{ReleaseParams, k_eff};

use crate::evidence::{CellEvidence, Contributions, MeasureEvidence, Moments, Products, Values};

/// The rounded parts of one measure; `None` if the arithmetic itself finds too few persons.
pub(super) fn parts(
    measure: &Measure,
    facts: &Facts,
    cell: &CellEvidence,
    evidence: &MeasureEvidence,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    match evidence {
        MeasureEvidence::Count(counted) => match measure {
            Measure::Events { .. } => events::protect(rows_of(counted)?, counted.persons(), params),
            _ => persons::protect(counted.persons(), params),
        },
        MeasureEvidence::Moments(found) => {
            let shown = size(facts, cell, found, params);
            moments::protect(&exact_moments(found), facts.bounds?, shown, params)
        }
        MeasureEvidence::Values(found) => {
            let persons: Vec<u64> = found
                .values
                .iter()
                .map(|value| value.people.len())
                .collect();
            value_counts::protect(&counts(found), &persons, params)
        }
        MeasureEvidence::Products(found) => {
            products::protect(&exact_products(found), facts.bounds?, params)
        }
    }
}

/// Mean and standard deviation beside a number of persons that an earlier release showed. Of rows of
/// events their own number is shown, and at least as many as persons.
pub(super) fn moments_beside(
    facts: &Facts,
    found: &Moments,
    persons: u64,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    // Where sizes count those without a value too, they are those of the cell, whatever is missing.
    if !facts.complete {
        return None;
    }
    let rows = found.each.as_ref().and_then(|each| told(each, params));
    let rows = rows
        .and_then(rows_of)
        .map_or(persons, |rows| rows.max(persons));
    let shown = CellSize {
        persons,
        rows,
        complete: facts.complete,
    };
    moments::protect(&exact_moments(found), facts.bounds?, shown, params)
}

/// The mean product beside another number of persons, as [`moments_beside`].
pub(super) fn products_beside(
    facts: &Facts,
    found: &Products,
    persons: u64,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    let shown = CellSize {
        persons,
        rows: persons,
        complete: true,
    };
    let exact = exact_products(found).as_moments();
    products::two(&moments::protect(&exact, facts.bounds?, shown, params)?)
}

/// The sizes that leave beside a mean: of those with a value only where how many have none is
/// public. The number of persons stands for that of rows where [`told_rows`] tells none.
pub(super) fn size(
    facts: &Facts,
    cell: &CellEvidence,
    found: &Moments,
    params: &ReleaseParams,
) -> CellSize {
    let persons = if facts.complete {
        found.totals.persons()
    } else {
        cell.people.len()
    };
    let rows = told_rows(facts, cell, found, params).and_then(rows_of);
    CellSize {
        persons,
        rows: rows.unwrap_or(persons),
        complete: facts.complete,
    }
}

/// The rows of each person whose number may leave beside a mean: rows less persons are the further
/// rows of those who have several, so these must be as many as behind every difference.
pub(crate) fn told_rows<'e>(
    facts: &Facts,
    cell: &'e CellEvidence,
    found: &'e Moments,
    params: &ReleaseParams,
) -> Option<&'e Contributions> {
    let each = if facts.complete {
        &found.each
    } else {
        &cell.each
    };
    told(each.as_ref()?, params)
}

fn told<'e>(each: &'e Contributions, params: &ReleaseParams) -> Option<&'e Contributions> {
    let k_diff = u64::from(k_eff(params.k, params.round_base));
    (each.above_one() >= k_diff).then_some(each)
}

pub(super) fn rows_of(counted: &Contributions) -> Option<u64> {
    u64::try_from(counted.sum()).ok()
}

pub(super) fn exact_moments(found: &Moments) -> ExactMoments {
    ExactMoments {
        persons: found.totals.persons(),
        rows: found.rows,
        sum: found.totals.sum(),
        sum_sq: found.squares,
        scale: found.scale,
    }
}

pub(super) fn exact_products(found: &Products) -> ExactProducts {
    ExactProducts {
        persons: found.centred.persons(),
        sum: found.centred.sum(),
        scale: found.scale,
    }
}

/// Rows per value; on a unit table they are the persons.
pub(super) fn counts(found: &Values) -> Vec<u64> {
    found.values.iter().map(|value| value.rows).collect()
}
