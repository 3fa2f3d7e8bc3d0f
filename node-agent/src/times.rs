//! Time per step of the story, measured around the steps and shown to the custodian only.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::node::Stopwatch;

/// Laps of one question.
pub struct StepTimes {
    stopwatch: Stopwatch,
    start: Duration,
    last: Duration,
    laps: Vec<(&'static str, Duration)>,
}

impl StepTimes {
    /// Starts now.
    #[must_use]
    pub fn start(stopwatch: &Stopwatch) -> Self {
        let start = stopwatch();
        Self {
            start,
            last: start,
            stopwatch: stopwatch.clone(),
            laps: Vec::new(),
        }
    }

    /// Ends a lap and hands on what the step returned.
    pub fn lap<T>(&mut self, step: &'static str, outcome: T) -> T {
        let now = (self.stopwatch)();
        self.laps.push((step, now.saturating_sub(self.last)));
        self.last = now;
        outcome
    }

    /// Whole seconds that have passed since the start.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        let passed = (self.stopwatch)().saturating_sub(self.start);
        i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
    }

    /// Microseconds by step.
    #[must_use]
    pub fn micros(&self) -> BTreeMap<String, u64> {
        let micros = |d: &Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        self.laps
            .iter()
            .map(|(step, d)| ((*step).to_owned(), micros(d)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_lap_is_the_time_since_the_last_one() {
        let time = Arc::new(AtomicU64::new(10));
        let shared = Arc::clone(&time);
        let stopwatch: Stopwatch =
            Arc::new(move || Duration::from_micros(shared.load(Ordering::Relaxed)));
        let mut times = StepTimes::start(&stopwatch);
        time.store(15, Ordering::Relaxed);
        assert_eq!(times.lap("verify", 'x'), 'x');
        time.store(40, Ordering::Relaxed);
        times.lap("read", ());
        let expected = BTreeMap::from([("read".to_owned(), 25), ("verify".to_owned(), 5)]);
        assert_eq!(times.micros(), expected);
    }
}
