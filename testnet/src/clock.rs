//! The one place where the test network looks at a clock.

use std::time::{Duration, Instant, SystemTime};

/// Now, for measuring and for deadlines.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the test network measures and waits; nothing it decides about data depends on time"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Unix seconds, for the times that messages carry.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "adversaries date what they forge"
)]
pub fn unix() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or_default()
}

/// Asks again and again until there is an answer or `patience` is over.
pub fn wait_for<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
