//! Engines at their smallest. With real threads they are what users build; under loom the worker's
//! loop runs on a thread of the model.

use corecast::{Engine, ShutdownReport};
use std::time::Duration;

/// A manual engine with `workers` workers.
///
/// # Panics
///
/// When it cannot be built.
#[must_use]
pub fn manual(workers: usize) -> Engine {
    #[cfg(loom)]
    let engine = corecast::model::manual(workers);
    #[cfg(not(loom))]
    let engine = Engine::builder()
        .cores(corecast::Cores::count(1))
        .workers_per_core(workers)
        .manual()
        .build()
        .expect("one CPU");
    engine
}

/// An engine with one worker, which sleeps when there is nothing to do.
#[derive(Debug)]
pub struct Threaded {
    engine: Engine,
    #[cfg(loom)]
    worker: Option<corecast::model::WorkerLoop>,
    #[cfg(loom)]
    thread: Option<corecast_ring::sync::thread::JoinHandle<()>>,
}

impl Threaded {
    /// The engine. Under loom its worker waits for [`Threaded::start`], so that what is set up
    /// before does not multiply the schedules.
    ///
    /// # Panics
    ///
    /// When it cannot be built.
    #[must_use]
    pub fn new() -> Self {
        #[cfg(loom)]
        {
            let (engine, mut loops) = corecast::model::engine(1);
            Self {
                engine,
                worker: loops.pop(),
                thread: None,
            }
        }
        #[cfg(not(loom))]
        Self {
            engine: Engine::builder()
                .cores(corecast::Cores::count(1))
                .pinning(corecast::Pinning::Off)
                .build()
                .expect("one CPU and one thread"),
        }
    }

    /// From here on the worker runs.
    pub fn start(&mut self) {
        #[cfg(loom)]
        if let Some(worker) = self.worker.take() {
            self.thread = Some(corecast_ring::sync::thread::spawn(|| worker.run()));
        }
    }

    /// The engine's handle.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Shuts the engine down without a time limit, and sees its worker leave.
    ///
    /// # Panics
    ///
    /// When a worker is stuck or dead, or a fault was reported.
    pub fn shut_down(self) -> ShutdownReport {
        let report = self.engine.shutdown(Duration::MAX);
        #[cfg(loom)]
        if let Some(thread) = self.thread {
            thread.join().expect("the worker's thread");
        }
        assert!(report.stuck.is_empty() && report.dead.is_empty());
        assert_eq!(
            self.engine.faults().pop().map(|fault| fault.to_string()),
            None
        );
        report
    }
}

impl Default for Threaded {
    fn default() -> Self {
        Self::new()
    }
}
