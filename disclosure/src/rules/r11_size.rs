//! R11, result size: a table of an open domain with more rows than `max_cells` leaves no rows at
//! all. Closed domains are refused before anything runs, because their size is public.
//!
//! Page: `docs/disclosure/R11.md`.

use quorate_query::release::ReleaseParams;

use super::case::{Statistic, Verdict};

/// Judges how many rows of an open table may leave.
pub(crate) fn judge(rows: u64, params: &ReleaseParams) -> Verdict {
    let statistic = Statistic::new("max_cells", params.max_cells, rows);
    Verdict::at_least(statistic, |s| {
        format!("more rows than {}: the whole table", s.value)
    })
}
