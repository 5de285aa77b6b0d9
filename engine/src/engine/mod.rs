//! The engine: workers on cores, and the signals that use them.

mod attention;
pub(crate) mod builder;
#[cfg(test)]
mod dead_worker;
pub(crate) mod manual;
mod metrics;
mod reporter;
pub(crate) mod shared;
pub(crate) mod shutdown;
pub(crate) mod thread;
pub(crate) mod wait_graph;
pub(crate) mod worker;
pub(crate) mod worker_shared;

pub use builder::{EngineBuilder, EngineError};
pub use manual::RunError;
pub use metrics::{EngineMetrics, WorkerMetrics, WorkerState};
pub use shutdown::ShutdownReport;
pub use worker_shared::WorkerInfo;

use crate::WorkerId;
use crate::async_signal::AsyncSignalBuilder;
use crate::fault::FaultQueue;
use core::fmt;
use corecast_ring::WaitStrategy;
use shared::EngineShared;
use shutdown::{Ending, Lifecycle, Running};
use std::sync::Arc;
use std::time::Duration;
use worker_shared::Mail;

/// How long dropping the last handle waits.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// Workers on cores, and the asynchronous signals whose listeners they call.
///
/// Cloning it makes another handle. Dropping the last one shuts the engine down and waits for a
/// second at most; signals and emitters do not keep it running.
///
/// ```
/// use corecast::Engine;
/// use std::time::Duration;
///
/// let engine = Engine::builder().build()?;
/// let ticks = engine.signal::<u64>("ticks").build()?;
/// let mut sum = 0;
/// let subscription = ticks.subscribe(move |n| sum += n); // `FnMut`: owned by one worker
/// let mut emitter = ticks.emitter()?;
/// emitter.emit(5)?;
/// emitter.flush(Duration::from_secs(10))?;
/// drop(subscription); // removes the listener
/// let report = engine.shutdown(Duration::from_secs(1));
/// assert_eq!((report.delivered, report.abandoned), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<EngineShared>,
    lifecycle: Lifecycle,
}

impl Engine {
    /// An engine with options.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }

    pub(crate) fn new(shared: Arc<EngineShared>, running: Running) -> Self {
        let lifecycle = Lifecycle::new(running);
        Self {
            handle: Arc::new(Handle { shared, lifecycle }),
        }
    }

    /// A signal on this engine's workers; broadcast unless the builder is told a route. The name is
    /// for faults and metrics and need not be unique.
    pub fn signal<T: Send + 'static>(&self, name: impl Into<Arc<str>>) -> AsyncSignalBuilder<T> {
        AsyncSignalBuilder::new(Arc::clone(&self.handle.shared), name.into())
    }

    /// The workers, as they were placed and set up. Where a pin has been lost since, because the
    /// process's cpuset shrank or somebody changed the thread's mask, it says so: `pinned` is false
    /// and `pin` has the mask of now. The worker goes on wherever the kernel lets it.
    ///
    /// # Complexity
    ///
    /// One system call for each pinned worker; allocates.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerInfo> {
        let workers = self.handle.shared.workers.iter();
        let mut infos: Vec<_> = workers.map(|worker| worker.planned()).collect();
        self.handle.lifecycle.note_lost_pins(&mut infos);
        infos
    }

    /// Counters and sizes of this moment.
    ///
    /// ```
    /// let engine = corecast::Engine::builder().manual().build()?;
    /// let _ticks = engine.signal::<u64>("ticks").build()?;
    /// let metrics = engine.metrics();
    /// assert_eq!(metrics.workers.len(), engine.workers().len());
    /// assert_eq!(metrics.signals[0].name.as_deref(), Some("ticks"));
    /// assert_eq!((metrics.faults_waiting, metrics.faults_lost), (0, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn metrics(&self) -> EngineMetrics {
        EngineMetrics::of(&self.handle.shared)
    }

    /// The faults of all asynchronous signals of this engine. With
    /// [`EngineBuilder::on_fault`] its reporter takes them.
    #[must_use]
    pub fn faults(&self) -> &FaultQueue {
        &self.handle.shared.faults
    }

    /// In a manual engine, delivers everything that is waiting, and everything that listeners emit
    /// meanwhile, on this thread; returns how many lane-events that was.
    ///
    /// # Errors
    ///
    /// [`RunError::Nested`] from within a listener, [`RunError::NotManual`] on an engine with
    /// threads.
    ///
    /// ```
    /// let engine = corecast::Engine::builder().manual().build()?;
    /// let (asked, answered) = (engine.signal("asked").build()?, engine.signal("answered").build()?);
    /// let mut answers = answered.emitter()?;
    /// let _answer = asked.subscribe_fallible(move |n: &u64| {
    ///     answers.emit(n + 1).map_err(|refused| refused.to_string())
    /// });
    /// let _listen = answered.subscribe(|n: &u64| assert_eq!(*n, 42));
    /// asked.emitter()?.emit(41)?;
    /// assert_eq!(engine.run_until_idle()?, 2); // the question, and the answer that it led to
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_until_idle(&self) -> Result<u64, RunError> {
        match &self.handle.shared.manual {
            Some(manual) => {
                let run = manual.run_until_idle(&self.handle.shared, None);
                run.map_err(|_| RunError::Nested)
            }
            None => Err(RunError::NotManual),
        }
    }

    /// Refuses new events, delivers what was accepted until `limit` has passed, wakes every waiting
    /// emitter and joins the workers. A second call returns the first report. From within a
    /// listener it returns as well; that listener's worker is reported as stuck, what waits there
    /// as abandoned, and it leaves when the listener returns.
    ///
    /// A `limit` of zero delivers what can be delivered at once; `Duration::MAX` waits for ever.
    ///
    /// ```
    /// use corecast::Engine;
    /// use std::time::Duration;
    ///
    /// let engine = Engine::builder().build()?;
    /// let ticks = engine.signal::<u64>("ticks").build()?;
    /// let _subscription = ticks.subscribe(|_| {});
    /// let mut emitter = ticks.emitter()?;
    /// emitter.emit_batch(0..100)?;
    /// let report = engine.shutdown(Duration::from_secs(60));
    /// assert_eq!((report.accepted, report.delivered, report.abandoned), (100, 100, 0));
    /// assert!(report.stuck.is_empty() && report.dead.is_empty());
    /// assert!(emitter.emit(100).is_err(), "closed");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self, limit: Duration) -> ShutdownReport {
        let lifecycle = &self.handle.lifecycle;
        lifecycle.shut_down(&self.handle.shared, limit, Ending::Reported)
    }
}

impl Engine {
    /// Ends a worker's thread by a panic outside any listener, and waits for it unless that is this
    /// thread, whose call in hand comes first. Nothing else can bring that about, so this is how tests
    /// see what everybody else learns of it. No part of the interface. Does nothing in a manual
    /// engine, which has no threads.
    #[doc(hidden)]
    pub fn kill_worker(&self, worker: WorkerId) {
        let shared = &self.handle.shared;
        let Some(worker) = shared.workers.get(worker.index()) else {
            return;
        };
        if shared.manual.is_some() || worker.send(Mail::Die).is_some() {
            return;
        }
        if wait_graph::current() != Some(worker.key) {
            let mut idle = WaitStrategy::park().idle();
            idle.wait_until(&shared.left, None, || worker.is_gone());
            // As its thread does in a moment, so that emissions after this call know.
            let signals = shared.live_signals();
            signals.iter().for_each(|signal| signal.lanes_changed());
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.lifecycle
            .shut_down(&self.shared, DROP_LIMIT, Ending::Dropped);
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}
