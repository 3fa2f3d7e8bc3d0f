//! R3, missing values: what is said about a column rests on at least `k_eff` persons who have a
//! value of it, however many persons the cell has.
//!
//! Page: `docs/disclosure/R3.md`.

use super::case::{Case, Statistic, Verdict};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let needed = Statistic::new("persons_with_value", case.persons(), case.threshold());
    Verdict::at_least(needed, |s| {
        format!(
            "{} persons have a value, the threshold is {}",
            s.value, s.threshold
        )
    })
}
