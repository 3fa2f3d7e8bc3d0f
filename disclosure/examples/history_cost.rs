//! Prints what a decision costs beside a long history.
//!
//! `cargo run --release -p quorate-disclosure --example history_cost -- 1000000 2000 200 10000`: persons,
//! releases, timed cells, and persons whose data change when half of the releases are out (none if left out).

use std::time::{Duration, Instant};

use quorate_disclosure::cost::{Size, history_cost};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|n| n.parse::<u32>());
    let mut next = |otherwise: u32| numbers.next().and_then(Result::ok).unwrap_or(otherwise);
    let size = Size {
        persons: next(100_000),
        releases: usize::try_from(next(200)).unwrap_or(200),
        cells: usize::try_from(next(50)).unwrap_or(50),
        changed: next(0),
        seed: 1,
    };
    let mut times: Vec<Duration> = Vec::new();
    let tried = history_cost(size, |work| times.push(time(work)));
    times.sort_unstable();
    let at = |hundredths: usize| {
        let place = times.len().saturating_mul(hundredths) / 100;
        let last = times.len().saturating_sub(1);
        times.get(place.min(last)).copied().unwrap_or_default()
    };
    report(&format!(
        "{size:?}\n{tried:?}\nper cell: median {:?}, p95 {:?}, most {:?}",
        at(50),
        at(95),
        at(100)
    ));
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench is an edge: it has a clock"
)]
fn time(work: &mut dyn FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

#[expect(clippy::print_stdout, reason = "what the example is for")]
fn report(text: &str) {
    println!("{text}");
}
