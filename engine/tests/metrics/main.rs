//! Metrics: sums that are exact whoever emits, and gauges that show what they say.

mod exact_async;
mod exact_sync;
mod gauges;
mod latency;
mod workers;

use std::time::{Duration, Instant};

/// Long enough for any machine, and an end to a test that hangs.
const LONG: Duration = Duration::from_secs(300);

/// Looks again and again until `holds`.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::yield_now();
    }
}
