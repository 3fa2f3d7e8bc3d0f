//! Laws and refusals of governance: what must be there before anything runs or leaves.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod airlock;
mod approvals;
mod duties;
mod glass;
mod people;
mod projects;
mod stops;
mod support;
