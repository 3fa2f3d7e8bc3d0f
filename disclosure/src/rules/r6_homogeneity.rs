//! R6, homogeneity: a sum or mean of equal contributions is everybody's own value.
//!
//! Counts are not judged: that everybody in a cell is counted once is what a count is, and counts
//! per value have R1b. Page: `docs/disclosure/R6.md`.

use super::case::{Case, Reason, Statistic, Verdict};
use super::dominance::every;
use crate::evidence::{Contributions, MeasureEvidence};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    match case.evidence {
        MeasureEvidence::Moments(moments) => apart(&moments.totals),
        MeasureEvidence::Products(found) => every(found.sums().map(apart)),
        MeasureEvidence::Count(_) | MeasureEvidence::Values(_) => Verdict::Pass,
    }
}

fn apart(contributions: &Contributions) -> Verdict {
    let (low, high) = contributions.extremes().unwrap_or((0, 0));
    match high.checked_sub(low) {
        Some(spread) => Verdict::at_least(Statistic::new("spread", spread, 1), |_| {
            "everybody contributes the same".to_owned()
        }),
        None => Verdict::Withhold(Reason {
            why: "the contributions are too far apart to judge".to_owned(),
            statistic: None,
        }),
    }
}
