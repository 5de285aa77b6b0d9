//! An engine's counters at one moment.

use super::shared::EngineShared;
use super::worker_shared::{Status, WorkerShared};
use crate::WorkerId;
use crate::metrics::{Rates, SignalMetrics};
use std::time::Instant;

/// Counters and sizes of an engine at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineMetrics {
    /// When this was taken.
    pub at: Instant,
    /// The workers.
    pub workers: Vec<WorkerMetrics>,
    /// The signals that are still there.
    pub signals: Vec<SignalMetrics>,
    /// Faults that wait to be read.
    pub faults_waiting: usize,
    /// Faults that found the queue full.
    pub faults_lost: u64,
    /// Bytes held by all signals.
    pub bytes: usize,
}

/// One worker at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Which worker.
    pub id: WorkerId,
    /// What its thread is doing.
    pub state: WorkerState,
    /// Lane-events that it has delivered.
    pub delivered: u64,
    /// How often it went to sleep.
    pub parks: u64,
    /// Listeners placed on it.
    pub listeners: usize,
}

/// What a worker's thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// Draining, or looking for something to drain.
    Active,
    /// Asleep until woken.
    Parked,
    /// Gone after a shutdown.
    Left,
    /// Ended by a panic outside of any listener.
    Dead,
}

impl WorkerMetrics {
    fn of(worker: &WorkerShared) -> Self {
        use corecast_ring::sync::Ordering;
        Self {
            id: worker.id,
            state: match worker.status() {
                Status::Running => WorkerState::Active,
                Status::Parked => WorkerState::Parked,
                Status::Left => WorkerState::Left,
                Status::Dead => WorkerState::Dead,
            },
            delivered: worker.delivered(),
            parks: worker.parks(),
            listeners: worker.listeners.load(Ordering::Relaxed),
        }
    }
}

impl EngineMetrics {
    pub(crate) fn of(engine: &EngineShared) -> Self {
        let signals: Vec<_> = engine
            .live_signals()
            .iter()
            .map(|signal| signal.metrics())
            .collect();
        Self {
            at: Instant::now(),
            workers: engine
                .workers
                .iter()
                .map(|worker| WorkerMetrics::of(worker))
                .collect(),
            faults_waiting: engine.faults.len(),
            faults_lost: engine.faults.lost(),
            bytes: signals.iter().map(|signal| signal.bytes).sum(),
            signals,
        }
    }

    /// The rates of all signals together between `earlier` and this snapshot of the same engine. A
    /// signal made in between counts from its beginning; one that is gone by now does not count.
    ///
    /// ```
    /// let engine = corecast::Engine::builder().manual().build()?;
    /// let (ticks, orders) = (engine.signal("ticks").build()?, engine.signal("orders").build()?);
    /// let earlier = engine.metrics();
    /// ticks.emit(1_u64)?;
    /// orders.emit("buy")?;
    /// let rates = engine.metrics().since(&earlier);
    /// let events = rates.events_per_second * rates.interval.as_secs_f64();
    /// assert_eq!(events.round(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Rates {
        let interval = self.at.saturating_duration_since(earlier.at);
        let calls = self.signals.iter().map(|signal| {
            let same = |one: &&SignalMetrics| one.number == signal.number;
            signal.calls_since(earlier.signals.iter().find(same))
        });
        Rates::over(interval, calls.sum())
    }

    /// Workers that are asleep.
    #[must_use]
    pub fn parked_workers(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| worker.state == WorkerState::Parked)
            .count()
    }

    /// Workers that are awake.
    #[must_use]
    pub fn active_workers(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| worker.state == WorkerState::Active)
            .count()
    }
}
