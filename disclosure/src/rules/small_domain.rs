//! Small domains: sums over a column of few values are its counts, and each of them obeys R1. One
//! withheld count withholds all, because the others and the total would give it away.
//!
//! Page: `docs/disclosure/README.md`, "Rules in force".

use super::case::{Case, Verdict};
use crate::evidence::MeasureEvidence;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let MeasureEvidence::Values(found) = case.measure else {
        return Verdict::Pass;
    };
    let threshold = case.threshold();
    let public_zeros = case.params.zeros_public;
    let small = found
        .values
        .iter()
        .map(|value| value.people.len())
        .filter(|persons| *persons < threshold && !(*persons == 0 && public_zeros))
        .count();
    match small {
        0 => Verdict::Pass,
        _ => Verdict::Withhold(format!(
            "{small} values with fewer persons than {threshold}"
        )),
    }
}
