//! R11, result size: a table of an open domain with more rows than `max_cells` leaves no rows at
//! all. Closed domains are refused before anything runs, because their size is public.
//!
//! Page: `docs/disclosure/README.md`, "Rules in force".

use quorate_query::answer::NodeRow;
use quorate_query::release::ReleaseParams;

/// Whether the listed rows are few enough.
pub(crate) fn fits(rows: &[NodeRow], params: &ReleaseParams) -> bool {
    u64::try_from(rows.len()).is_ok_and(|rows| rows <= u64::from(params.max_cells))
}
