//! The engine: workers on cores, and the signals that use them.

pub(crate) mod builder;
pub(crate) mod manual;
mod metrics;
mod reporter;
pub(crate) mod shared;
pub(crate) mod shutdown;
pub(crate) mod thread;
pub(crate) mod wait_graph;
pub(crate) mod worker;

pub use builder::{EngineBuilder, EngineError};
pub use manual::RunError;
pub use metrics::{EngineMetrics, WorkerMetrics, WorkerState};
pub use shared::WorkerInfo;
pub use shutdown::ShutdownReport;

use crate::async_signal::AsyncSignalBuilder;
use crate::fault::FaultQueue;
use core::fmt;
use shared::EngineShared;
use shutdown::{Ending, Lifecycle, Running};
use std::sync::Arc;
use std::time::Duration;

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

    /// The workers, as they were placed and set up.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.handle
            .shared
            .workers
            .iter()
            .map(|worker| worker.planned())
            .collect()
    }

    /// Counters and sizes of this moment.
    #[must_use]
    pub fn metrics(&self) -> EngineMetrics {
        EngineMetrics::of(&self.handle.shared)
    }

    /// The faults of all signals of this engine.
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
    pub fn shutdown(&self, limit: Duration) -> ShutdownReport {
        let lifecycle = &self.handle.lifecycle;
        lifecycle.shut_down(&self.handle.shared, limit, Ending::Reported)
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
