//! R1, minimum persons: a cell rests on at least `k_eff` persons, so that no bin that is shown
//! contains a number below k.
//!
//! Page: `docs/disclosure/R1.md`.

use super::case::{Case, Statistic, Verdict};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let needed = Statistic::new("persons", case.cell.people.len(), case.threshold());
    Verdict::at_least(needed, |s| {
        format!("{} persons, the threshold is {}", s.value, s.threshold)
    })
}
