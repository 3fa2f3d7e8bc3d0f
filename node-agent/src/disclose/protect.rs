//! From exact evidence to the parts that are shown: the arithmetic that all parties share.

use quorate_query::measure::facts::Facts;
use quorate_query::measure::moments::{CellSize, ExactMoments};
use quorate_query::measure::{events, moments, persons, value_counts};
use quorate_query::number::Number;
use quorate_query::question::Measure;
use quorate_query::release::ReleaseParams;

use crate::measure::{CellEvidence, MeasureEvidence, ValueEvidence};

/// The rounded parts of one measure; `None` if the arithmetic itself finds too few persons.
pub(super) fn rounded(
    measure: &Measure,
    facts: &Facts,
    cell: &CellEvidence,
    evidence: &MeasureEvidence,
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    match evidence {
        MeasureEvidence::Count { persons, rows } => match measure {
            Measure::Events { .. } => events::protect(*rows, *persons, params),
            _ => persons::protect(*persons, params),
        },
        MeasureEvidence::Moments { persons, rows, .. } => {
            let shown = if facts.complete {
                CellSize {
                    persons: *persons,
                    rows: *rows,
                }
            } else {
                CellSize {
                    persons: cell.persons,
                    rows: cell.rows,
                }
            };
            moments::protect(&exact_moments(evidence)?, facts.bounds?, shown, params)
        }
        MeasureEvidence::Values { values, .. } => {
            let persons: Vec<u64> = values.iter().map(|value| value.persons).collect();
            value_counts::protect(&counts(values), &persons, params)
        }
    }
}

/// The parts without protection, for synthetic populations.
pub(super) fn exact(measure: &Measure, evidence: &MeasureEvidence) -> Option<Vec<Number>> {
    Some(match evidence {
        MeasureEvidence::Count { persons, rows } => match measure {
            Measure::Events { .. } => events::exact(*rows),
            _ => persons::exact(*persons),
        },
        MeasureEvidence::Moments { .. } => moments::exact(&exact_moments(evidence)?),
        MeasureEvidence::Values { values, .. } => value_counts::exact(&counts(values)),
    })
}

fn exact_moments(evidence: &MeasureEvidence) -> Option<ExactMoments> {
    match evidence {
        MeasureEvidence::Moments {
            persons,
            rows,
            sum,
            squares,
            scale,
            ..
        } => Some(ExactMoments {
            persons: *persons,
            rows: *rows,
            sum: *sum,
            sum_sq: *squares,
            scale: *scale,
        }),
        MeasureEvidence::Count { .. } | MeasureEvidence::Values { .. } => None,
    }
}

/// Rows per value; on a unit table they are the persons.
fn counts(values: &[ValueEvidence]) -> Vec<u64> {
    values.iter().map(|value| value.rows).collect()
}
