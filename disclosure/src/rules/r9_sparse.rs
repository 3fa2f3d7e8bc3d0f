//! R9, sparse tables (an option, off unless the codebook writes `sparse`): a closed table of which
//! most cells are withheld leaves nothing, because the pattern of holes describes the data.
//!
//! Page: `docs/disclosure/R9.md`.

use quorate_query::release::ReleaseParams;

use super::case::{Statistic, Verdict};

/// Judges a closed table by how many of its cells other rules withhold.
pub(crate) fn judge(withheld: u64, cells: u64, params: &ReleaseParams) -> Verdict {
    let Some(percent) = params.sparse else {
        return Verdict::Pass;
    };
    let shown = i128::from(cells.saturating_sub(withheld)).saturating_mul(100);
    let left = i128::from(100_u32.saturating_sub(percent));
    let needed = i128::from(cells).saturating_mul(left);
    let statistic = Statistic::new("shown_cells", shown, needed);
    Verdict::at_least(statistic, |_| {
        format!("{withheld} of {cells} cells are withheld, more than {percent} %")
    })
}
