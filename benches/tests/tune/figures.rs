//! Figures of configurations that nobody measured, to decide by.

use corecast_lab::tune::lap::CpuUse;
use corecast_lab::tune::{Configuration, LatencyFigures, Measured, Paced};
use corecast_ring::WaitStrategy;

/// A configuration of these workers per core and this capacity that kept up, with these figures.
pub(crate) fn measured(
    workers_per_core: usize,
    capacity: usize,
    events_per_second: f64,
    p99: u64,
    workers_cpu: f64,
) -> Measured {
    Measured {
        configuration: Configuration {
            workers_per_core,
            wait: WaitStrategy::park(),
            capacity,
            batch: 64,
        },
        waited: "park",
        laps: 3,
        events_per_second,
        paced: Some(Paced {
            events_per_second: 1_000.0,
            sustained: true,
        }),
        latency_ns: LatencyFigures {
            count: 3_000,
            p50: p99 / 2,
            p99,
            p999: p99 * 2,
            max: p99 * 3,
            curve: vec![(50.0, p99 / 2), (99.0, p99)],
        },
        cpu: Some(CpuUse {
            process: workers_cpu + 1.0,
            workers: workers_cpu,
        }),
        delivered: 9_000,
        rejected: 0,
        abandoned: 0,
    }
}

/// The same, having fallen behind the rate.
pub(crate) fn behind(measured: Measured, events_per_second: f64) -> Measured {
    Measured {
        paced: Some(Paced {
            events_per_second,
            sustained: false,
        }),
        ..measured
    }
}
