//! R5, (n,k)-dominance: the n largest contributors have less than a given share of a sum.
//!
//! Sizes without their signs count, and rows where rows are counted. Page:
//! `docs/disclosure/R5.md`.

use super::case::{Case, Statistic, Verdict};
use super::dominance::{Top, judged};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let (n, share) = case.params.nk;
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    judged(
        case,
        n,
        |top| statistic(top, share),
        |_| "a few persons contribute nearly everything".to_owned(),
    )
}

/// `share A` against `100 (x1 + ... + xn) + 1`: exactly the share is too much.
pub(crate) fn statistic(top: &Top, share: u32) -> Option<Statistic> {
    let largest = top.sum()?.checked_mul(100)?;
    Some(Statistic::new(
        "nk_dominance",
        top.all.checked_mul(share.into())?,
        largest.checked_add(1)?,
    ))
}
