//! Figures of configurations that nobody measured, to decide by.

use corecast_lab::measure::latency::Percentiles;
use corecast_lab::tune::lap::CpuUse;
use corecast_lab::tune::{Configuration, LAPS, LapFigures, LatencyFigures, Measured, Paced};
use corecast_ring::WaitStrategy;

/// A configuration of these workers per core and this capacity that kept up, with these figures in
/// every lap.
pub(crate) fn measured(
    workers_per_core: usize,
    capacity: usize,
    events_per_second: f64,
    p99: u64,
    workers_cpu: f64,
) -> Measured {
    let lap = LapFigures {
        events_per_second,
        kept_up: true,
        latency_ns: Percentiles {
            count: 1_000,
            p50: p99 / 2,
            p99,
            p999: p99 * 2,
            max: p99 * 3,
        },
        workers_cpu: Some(workers_cpu),
    };
    Measured {
        configuration: Configuration {
            workers_per_core,
            wait: WaitStrategy::park(),
            capacity,
            batch: 64,
        },
        waited: "park",
        laps: vec![lap; LAPS],
        events_per_second,
        paced: Some(Paced {
            events_per_second: 1_000.0,
            sustained: true,
        }),
        latency_ns: LatencyFigures {
            typical: lap.latency_ns,
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

/// The same, with these 99th percentiles in its laps.
pub(crate) fn with_p99(mut measured: Measured, laps: [u64; LAPS]) -> Measured {
    for (lap, p99) in measured.laps.iter_mut().zip(laps) {
        lap.latency_ns.p99 = p99;
    }
    let mut sorted = laps;
    sorted.sort_unstable();
    measured.latency_ns.typical.p99 = sorted[LAPS / 2];
    measured
}

/// The same, having fallen behind the rate in every lap.
pub(crate) fn behind(mut measured: Measured, events_per_second: f64) -> Measured {
    measured.laps.iter_mut().for_each(|lap| lap.kept_up = false);
    Measured {
        paced: Some(Paced {
            events_per_second,
            sustained: false,
        }),
        ..measured
    }
}
