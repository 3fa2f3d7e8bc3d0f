//! Small domains: sums over a column of few values are its counts, and each of them obeys R1. One
//! withheld count withholds all, because the others and the total would give it away.
//!
//! Page: `docs/disclosure/small-domain.md`.

use super::case::{Case, Statistic, Verdict};
use crate::evidence::MeasureEvidence;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let MeasureEvidence::Values(found) = case.evidence else {
        return Verdict::Pass;
    };
    let public_zeros = case.params.zeros_public;
    let least = found
        .values
        .iter()
        .map(|value| value.people.len())
        .filter(|persons| !(*persons == 0 && public_zeros))
        .min()
        .unwrap_or(u64::MAX);
    let needed = Statistic::new("persons_of_a_value", least, case.threshold());
    Verdict::at_least(needed, |s| {
        format!(
            "a value has {} persons, the threshold is {}",
            s.value, s.threshold
        )
    })
}
