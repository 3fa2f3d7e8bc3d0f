//! R1b, minimum contributors: a sum, mean or moment rests on at least `k_eff` persons who
//! contribute something other than zero; over a small domain, also on at least `k_eff` persons
//! outside the commonest value.
//!
//! Page: `docs/disclosure/README.md`, "Rules in force".

use super::case::{Case, Verdict};
use crate::measure::MeasureEvidence;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let threshold = case.threshold();
    let (nonzero, outside) = match case.measure {
        MeasureEvidence::Count { .. } => return Verdict::Pass,
        MeasureEvidence::Moments { nonzero, .. } => (*nonzero, u64::MAX),
        MeasureEvidence::Values {
            nonzero, values, ..
        } => {
            let commonest = values.iter().map(|value| value.persons).max().unwrap_or(0);
            let outside = values.iter().filter(|value| value.persons == commonest);
            (
                *nonzero,
                outside.map(|value| value.elsewhere).min().unwrap_or(0),
            )
        }
    };
    if nonzero < threshold {
        let why = format!("{nonzero} persons contribute, the threshold is {threshold}");
        return Verdict::Withhold(why);
    }
    if outside < threshold {
        let why =
            format!("{outside} persons outside the commonest value, the threshold is {threshold}");
        return Verdict::Withhold(why);
    }
    Verdict::Pass
}
