//! Metrics: sums that are exact whoever emits, and gauges that show what they say.

mod gauges;

use std::time::Duration;

/// Long enough for any machine, and an end to a test that hangs.
const LONG: Duration = Duration::from_secs(120);
