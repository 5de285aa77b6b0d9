//! Building an engine.

use super::reporter::{Handler, Reporter};
use super::shared::EngineShared;
use super::shutdown::Running;
use super::thread;
use super::wait_graph::WorkerKey;
use super::worker::Worker;
use super::worker_shared::{WorkerInfo, WorkerShared};
use super::{Engine, manual::Manual};
use crate::fault::Fault;
use crate::integrations::life;
use core::fmt;
use corecast_affinity::{Cores, CpuId, PinStatus, Pinning, Placement, PlacementError, ThreadError};
use corecast_ring::sync::Numbers;
use corecast_ring::{Fences, WaitStrategy};
use std::sync::Arc;

/// What a user wants done on each worker's thread before it drains.
pub(crate) type OnStart = Arc<dyn Fn(&WorkerInfo) + Send + Sync>;

/// Options of an [`Engine`].
///
/// ```
/// use corecast::{Cores, Engine, Pinning, WaitStrategy};
///
/// let engine = Engine::builder()
///     .cores(Cores::count(1))
///     .workers_per_core(2) // one for a listener that blocks, one for the rest
///     .wait(WaitStrategy::park())
///     .pinning(Pinning::BestEffort)
///     .thread_name("market")
///     .on_fault(|fault| eprintln!("{fault}")) // on a thread of its own
///     .build()?;
/// let names: Vec<_> = engine.workers().into_iter().map(|worker| worker.thread).collect();
/// assert_eq!(names, ["market-0", "market-1"]);
/// # Ok::<(), corecast::EngineError>(())
/// ```
#[must_use = "a builder does nothing until build()"]
pub struct EngineBuilder {
    cores: Cores,
    workers_per_core: usize,
    wait: WaitStrategy,
    wait_on: Vec<(CpuId, WaitStrategy)>,
    pinning: Pinning,
    fences: Fences,
    manual: bool,
    thread_name: String,
    on_start: Option<OnStart>,
    on_fault: Option<Handler>,
}

impl EngineBuilder {
    pub(crate) fn new() -> Self {
        Self {
            cores: Cores::default(),
            workers_per_core: 1,
            wait: WaitStrategy::park(),
            wait_on: Vec::new(),
            pinning: Pinning::BestEffort,
            fences: Fences::default(),
            manual: false,
            thread_name: "corecast".to_owned(),
            on_start: None,
            on_fault: None,
        }
    }

    /// The CPUs that get workers. By default all that the process may use but one, so that an
    /// emitter has a CPU of its own.
    pub fn cores(mut self, cores: Cores) -> Self {
        self.cores = cores;
        self
    }

    /// Workers on each of those CPUs; 1 unless told.
    pub fn workers_per_core(mut self, workers: usize) -> Self {
        self.workers_per_core = workers;
        self
    }

    /// What workers do while there is nothing to do; `park()` unless told.
    pub fn wait(mut self, wait: WaitStrategy) -> Self {
        self.wait = wait;
        self
    }

    /// What the workers of one CPU do while there is nothing to do.
    pub fn wait_on(mut self, cpu: impl Into<CpuId>, wait: WaitStrategy) -> Self {
        self.wait_on.push((cpu.into(), wait));
        self
    }

    /// How much a worker's pin matters; `BestEffort` unless told.
    pub fn pinning(mut self, pinning: Pinning) -> Self {
        self.pinning = pinning;
        self
    }

    /// Which fences the sleep and removal handshakes use; [`Fences::Asymmetric`] unless told. It
    /// interrupts the process's other running threads for a moment when a worker goes to sleep or a
    /// listener is removed; [`Fences::Full`] never does, and pays at each emission.
    pub fn fences(mut self, fences: Fences) -> Self {
        self.fences = fences;
        self
    }

    /// No threads: [`Engine::run_until_idle`] drains on the caller's thread, in the same order every
    /// time. For backtests and tests. A full lane under [`Overflow::Wait`](crate::Overflow::Wait) is
    /// [`WouldDeadlock`](crate::RejectReason::WouldDeadlock) there.
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// What the workers' threads are called: this, a dash and the worker's number.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// Runs on each worker's thread, after its pin and before it drains: the place for a scheduling
    /// class or `mlock`.
    pub fn on_worker_start(mut self, f: impl Fn(&WorkerInfo) + Send + Sync + 'static) -> Self {
        self.on_start = Some(Arc::new(f));
        self
    }

    /// Reads the engine's faults on a thread of its own, never on a worker or an emitter. A handler
    /// that panics is reported as a fault and goes on.
    pub fn on_fault(mut self, handler: impl FnMut(Fault) + Send + 'static) -> Self {
        self.on_fault = Some(Box::new(handler));
        self
    }

    /// Makes the engine. Every worker is running when this returns.
    ///
    /// # Errors
    ///
    /// [`EngineError`] names what is not possible: a CPU, a number, a thread's name.
    pub fn build(self) -> Result<Engine, EngineError> {
        if self.thread_name.contains('\0') {
            return Err(EngineError::ThreadName {
                name: self.thread_name,
            });
        }
        let cpus = self.place()?;
        let engine = self.assemble(&cpus);
        let reporter = match self.on_fault {
            None => None,
            Some(handler) => Some(
                Reporter::start(Arc::clone(&engine.faults), handler, engine.fence_pair).map_err(
                    |source| EngineError::Reporter {
                        os_error: source.raw_os_error(),
                    },
                )?,
            ),
        };
        let mut running = Running::new(Arc::clone(&engine), reporter);
        if !self.manual {
            for worker in &engine.workers {
                match thread::start(&engine, worker, self.pinning, self.on_start.clone()) {
                    Ok(thread) => running.push(thread),
                    Err(error) => {
                        running.abort();
                        return Err(error);
                    }
                }
            }
        }
        life::built(&engine);
        Ok(Engine::new(engine, running))
    }

    /// Everything but the threads, with a worker for each of `cpus`.
    pub(crate) fn assemble(&self, cpus: &[Option<CpuId>]) -> Arc<EngineShared> {
        let id = next_engine_id();
        let pair = self.fences.resolve();
        let key = |index| WorkerKey {
            engine: id,
            // One thread at a time is all the workers of a manual engine.
            index: if self.manual { 0 } else { index },
        };
        let shared: Box<[_]> = (0..cpus.len() as u32)
            .map(|index| Arc::new(WorkerShared::new(index, key(index), pair)))
            .collect();
        for (worker, info) in shared.iter().zip(self.infos(cpus)) {
            // A fresh cell.
            let _ = worker.info.set(info);
        }
        let manual = self.manual.then(|| {
            Manual::new(
                key(0),
                shared
                    .iter()
                    .map(|one| Worker::new(Arc::clone(one)))
                    .collect(),
            )
        });
        let emitter_wait = if self.wait.is_busy_spin() {
            // An emitter that waits may share its core with the worker that it waits for.
            WaitStrategy::spin_then_yield()
        } else {
            self.wait
        };
        Arc::new(EngineShared::new(shared, self.fences, emitter_wait, manual))
    }

    /// The CPU of each worker.
    fn place(&self) -> Result<Vec<Option<CpuId>>, EngineError> {
        let placement =
            Placement::here(&self.cores, self.workers_per_core).map_err(EngineError::Placement)?;
        let cpus = placement.workers();
        if self.manual {
            return Ok(vec![None; cpus.len()]);
        }
        if let Some((cpu, _)) = self.wait_on.iter().find(|(cpu, _)| !cpus.contains(cpu)) {
            return Err(EngineError::WaitOn { cpu: *cpu });
        }
        Ok(cpus.iter().copied().map(Some).collect())
    }

    fn infos(&self, cpus: &[Option<CpuId>]) -> Vec<WorkerInfo> {
        let mut infos = Vec::new();
        for (index, &cpu) in cpus.iter().enumerate() {
            let on_this = |(listed, _): &&(CpuId, WaitStrategy)| Some(*listed) == cpu;
            let wanted = self
                .wait_on
                .iter()
                .rfind(on_this)
                .map_or(self.wait, |(_, strategy)| *strategy);
            let neighbours = cpus.iter().filter(|other| **other == cpu).count();
            let has_neighbours = neighbours > 1 && !self.manual;
            let degraded = wanted.is_busy_spin() && has_neighbours;
            infos.push(WorkerInfo {
                id: crate::WorkerId::new(index as u32),
                cpu: cpu.filter(|_| self.pinning != Pinning::Off),
                pinned: false,
                pin: PinStatus::NotRequested,
                wait: if degraded {
                    WaitStrategy::spin_then_yield()
                } else {
                    wanted
                },
                degraded,
                has_neighbours,
                thread: if self.manual {
                    String::new()
                } else {
                    format!("{}-{index}", self.thread_name)
                },
            });
        }
        infos
    }
}

fn next_engine_id() -> u64 {
    static NEXT: Numbers = Numbers::from(0);
    NEXT.next()
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("cores", &self.cores)
            .field("workers_per_core", &self.workers_per_core)
            .field("wait", &self.wait)
            .field("pinning", &self.pinning)
            .field("fences", &self.fences)
            .field("manual", &self.manual)
            .finish_non_exhaustive()
    }
}

/// Why no engine was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The workers cannot be placed so.
    Placement(PlacementError),
    /// A worker's thread could not be started, or not be pinned as required.
    Thread(ThreadError),
    /// A thread's name contains a NUL.
    ThreadName {
        /// The name.
        name: String,
    },
    /// `wait_on` names a CPU that gets no worker.
    WaitOn {
        /// The CPU.
        cpu: CpuId,
    },
    /// `on_worker_start` panicked.
    WorkerStart {
        /// The worker on whose thread it did.
        worker: crate::WorkerId,
        /// What the panic said.
        message: String,
    },
    /// The reporter thread could not be started.
    Reporter {
        /// The system's error number.
        os_error: Option<i32>,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placement(error) => error.fmt(f),
            Self::Thread(error) => error.fmt(f),
            Self::ThreadName { name } => write!(f, "the thread name {name:?} contains a NUL"),
            Self::WaitOn { cpu } => write!(f, "wait_on names CPU {cpu}, which gets no worker"),
            Self::WorkerStart { worker, message } => {
                write!(f, "on_worker_start panicked on worker {worker}: {message}")
            }
            Self::Reporter {
                os_error: Some(number),
            } => {
                write!(
                    f,
                    "the fault reporter's thread could not be started (os error {number})"
                )
            }
            Self::Reporter { os_error: None } => {
                f.write_str("the fault reporter's thread could not be started")
            }
        }
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Placement(error) => error.source(),
            Self::Thread(error) => error.source(),
            _ => None,
        }
    }
}
