//! R12, bit budget: what the released numbers about a column can tell apart is at most a quarter of
//! what the values of so many persons can be.
//!
//! Only tables with products have a budget: nothing else joins one column with many others. It comes
//! to a number of persons, known from the question alone. Page: `docs/disclosure/R12.md`.

use super::case::{Case, Statistic, Verdict};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let Some(least) = case.budget else {
        return Verdict::Pass;
    };
    Verdict::at_least(
        Statistic::new("budget_persons", case.persons(), least),
        |s| {
            format!(
                "{} persons, the numbers asked about one column need {}",
                s.value, s.threshold
            )
        },
    )
}
