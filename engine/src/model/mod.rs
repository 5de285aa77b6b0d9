//! For models alone: engines without threads of their own, whose workers a model runs on its threads;
//! and [`relay`], the way from a worker to a network.

pub mod relay;

use crate::engine::Engine;
use crate::engine::shared::EngineShared;
use crate::engine::shutdown::Running;
use crate::engine::thread::Leave;
use crate::engine::wait_graph::Acting;
use crate::engine::worker::Worker;
use crate::engine::worker_shared::WorkerShared;
use core::fmt;
use corecast_ring::WaitStrategy;
use std::sync::Arc;

/// What a worker's thread does, from when it is set up until it has left.
#[must_use = "an engine waits for its workers to leave"]
pub struct WorkerLoop {
    engine: Arc<EngineShared>,
    worker: Arc<WorkerShared>,
}

impl WorkerLoop {
    /// Drains and sleeps until the engine is shut down.
    pub fn run(self) {
        let _acting = Acting::as_worker(self.worker.key);
        let _leave = Leave {
            engine: &self.engine,
            worker: &self.worker,
        };
        Worker::new(Arc::clone(&self.worker))
            .run_and_leave(&self.engine, WaitStrategy::park().idle());
    }
}

impl fmt::Debug for WorkerLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerLoop")
            .field("worker", &self.worker.id)
            .finish_non_exhaustive()
    }
}

/// An engine, and the loops of its workers.
#[must_use]
pub fn engine(workers: usize) -> (Engine, Vec<WorkerLoop>) {
    let shared = Engine::builder().assemble(&vec![None; workers]);
    let on_loop = |worker: &Arc<_>| WorkerLoop {
        engine: Arc::clone(&shared),
        worker: Arc::clone(worker),
    };
    let loops = shared.workers.iter().map(on_loop).collect();
    let running = Running::new(Arc::clone(&shared), None);
    (Engine::new(shared, running), loops)
}

/// A manual engine.
#[must_use]
pub fn manual(workers: usize) -> Engine {
    let shared = Engine::builder().manual().assemble(&vec![None; workers]);
    let running = Running::new(Arc::clone(&shared), None);
    Engine::new(shared, running)
}
