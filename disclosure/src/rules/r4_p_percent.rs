//! R4, the p%-rule: what remains of a sum without its two largest contributors is at least p % of
//! the largest, so that the second largest cannot work out the largest closer than that.
//!
//! Sizes without their signs count, and rows where rows are counted: a person's rows are that
//! person's contribution. Page: `docs/disclosure/R4.md`.

use super::case::{Case, Statistic, Verdict};
use super::dominance::{Top, judged};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    judged(
        case,
        2,
        |top| statistic(top, case.params.p_pct),
        |_| "the largest contribution could be worked out too closely".to_owned(),
    )
}

/// `100 (A - x1 - x2)` against `p x1`; nothing if these leave their type.
pub(crate) fn statistic(top: &Top, p_pct: u32) -> Option<Statistic> {
    let rest = top.all.checked_sub(top.sum()?)?;
    Some(Statistic::new(
        "p_percent",
        rest.checked_mul(100)?,
        top.first().checked_mul(p_pct.into())?,
    ))
}
