//! R1, minimum persons: a cell rests on at least `k_eff` persons, so that no bin that is shown
//! contains a number below k.
//!
//! Page: `docs/disclosure/README.md`, "Rules in force".

use super::case::{Case, Verdict};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let (persons, threshold) = (case.persons(), case.threshold());
    if persons >= threshold && case.cell.people.len() >= threshold {
        Verdict::Pass
    } else {
        Verdict::Withhold(format!("{persons} persons, the threshold is {threshold}"))
    }
}
