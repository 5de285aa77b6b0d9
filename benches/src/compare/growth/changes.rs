//! Subscribing and unsubscribing beside many.

use std::time::{Duration, Instant};

use corecast::{Listener, SyncSignal};
use corecast_affinity::CpuId;

use crate::compare::ours::gauges::subscribe_times;
use crate::compare::ours::lanes::failed;
use crate::measure::{LapError, Pinned};

/// About how many listener entries are copied for one point and round.
const ENTRIES: usize = 2_000_000;

/// How long it took to subscribe and unsubscribe beside `listeners` others: fewer times where there
/// are very many.
pub(super) fn one_by_one(listeners: usize, cpu: CpuId) -> Result<Vec<Duration>, LapError> {
    let times = (ENTRIES / listeners.max(1)).clamp(5, 101);
    subscribe_times(listeners, times, cpu)
}

/// How long it took to add so many listeners together.
pub(super) fn together(listeners: usize, cpu: CpuId) -> Result<Vec<Duration>, LapError> {
    let _pinned = Pinned::to(cpu)?;
    let times = (ENTRIES / 10 / listeners.max(1)).clamp(1, 21);
    let once = || {
        let signal = SyncSignal::<u64>::new();
        let all: Vec<_> = (0..listeners)
            .map(|_| Listener::new(|_: &u64| {}))
            .collect();
        let start = Instant::now();
        let subscriptions = signal.add_many(all).map_err(failed)?;
        let took = start.elapsed();
        // Dropped one by one they would be removed one by one.
        subscriptions.into_iter().for_each(|one| one.detach());
        Ok(took)
    };
    (0..times).map(|_| once()).collect()
}
