//! R8, degrees of freedom: a mean leaves together with its standard deviation, and these two
//! numbers need enough persons behind them.
//!
//! The threshold starts a rounding bin, as that of R1 does, so that having a mean or not says no
//! more about the number of persons than the rounded count beside it. Page:
//! `docs/disclosure/R8.md`.

use quorate_query::release::k_eff;

use super::case::{Case, Statistic, Verdict};
use crate::evidence::MeasureEvidence;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let rests_on = match case.evidence {
        MeasureEvidence::Moments(moments) => moments.totals.persons(),
        MeasureEvidence::Products(found) => found.centred.persons(),
        MeasureEvidence::Count(_) | MeasureEvidence::Values(_) => return Verdict::Pass,
    };
    let persons = k_eff(case.params.dof.saturating_add(1), case.params.round_base);
    let free = i128::from(rests_on).saturating_sub(1);
    let needed = Statistic::new(
        "degrees_of_freedom",
        free,
        i128::from(persons).saturating_sub(1),
    );
    Verdict::at_least(needed, |s| {
        format!(
            "{} degrees of freedom, the threshold is {}",
            s.value, s.threshold
        )
    })
}
