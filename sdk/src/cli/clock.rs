//! The clock: read here, at the edge, and passed inwards.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "time enters at the command line and is passed in"
)]
pub(crate) fn now_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    i64::try_from(now_millis() / 1000).unwrap_or(i64::MAX)
}

/// A moment as people write it, in UTC.
pub(crate) fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| seconds.to_string(),
        |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}
