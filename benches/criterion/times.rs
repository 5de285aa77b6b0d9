//! What operations cost, as criterion times them: groups `emit`, `try_emit`, `subscribe`, `lane`,
//! `dispatch` and `latency`, each beside the same done without corecast.
//!
//! `cargo bench -p corecast-lab --bench times -- emit/owned` runs some. A whole run takes a few
//! minutes; criterion's own options (`--measurement-time`, `--sample-size`) override what is set
//! here. For ratios on a busy machine use `corecast compare`, which takes turns.

mod changes;
mod events;
mod latency;
mod setup;
mod walks;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20)
        // Resampling and drawing would take longer than measuring.
        .nresamples(5_000)
        .without_plots()
        .configure_from_args();
    walks::emit(&mut criterion);
    walks::try_emit(&mut criterion);
    changes::subscribe(&mut criterion);
    events::lane(&mut criterion);
    events::dispatch(&mut criterion);
    latency::latency(&mut criterion);
    criterion.final_summary();
}

/// A group of benches, named `group/case/param`.
type Group<'a> = BenchmarkGroup<'a, WallTime>;
