//! The clock, passed in. Nothing else in this crate asks what time it is.

use std::sync::Arc;

/// Gives unix seconds.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's clock, for the edge.
pub(crate) fn system() -> Clock {
    Arc::new(|| jiff::Timestamp::now().as_second())
}
