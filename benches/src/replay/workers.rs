//! Which workers there are: the options that say so, and what became of them.

use std::fmt;

use corecast::{Engine, EngineBuilder, WorkerInfo};
use corecast_affinity::{Cores, Placement};
use corecast_ring::WaitStrategy;
use serde::Serialize;

use crate::cli::Error;
use crate::measure::Pinned;

/// The options that a command with workers takes.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// The CPUs of the workers: all, physical, or a list such as 2,4-7 [default: all but one]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,

    /// How many workers share a CPU
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub workers_per_core: usize,

    /// What idle workers do: busy-spin, spin-then-yield, backoff or park
    #[arg(long, value_name = "STRATEGY", default_value_t = WaitStrategy::park())]
    pub wait: WaitStrategy,
}

impl WorkerArgs {
    /// An engine with these workers.
    pub fn engine(&self) -> EngineBuilder {
        Engine::builder()
            .cores(self.cores())
            .workers_per_core(self.workers_per_core)
            .wait(self.wait)
    }

    /// Pins the calling thread, which is about to emit, to the best CPU that no worker is on.
    /// Where there is none, or the kernel refuses, the thread stays as it is.
    ///
    /// # Errors
    ///
    /// The workers themselves cannot be placed so.
    pub fn pin_emitter(&self) -> Result<Option<Pinned>, Error> {
        let placement = Placement::here(&self.cores(), self.workers_per_core)?;
        let spare = placement.spare().first();
        Ok(spare.and_then(|&cpu| Pinned::to(cpu).ok()))
    }

    fn cores(&self) -> Cores {
        self.cores.clone().unwrap_or_default()
    }
}

impl Default for WorkerArgs {
    /// As an empty command line.
    fn default() -> Self {
        Self {
            cores: None,
            workers_per_core: 1,
            wait: WaitStrategy::park(),
        }
    }
}

/// A worker as a report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorkerReport {
    /// Its number.
    pub worker: usize,
    /// The CPU that was chosen for it; `None` without threads.
    pub cpu: Option<u32>,
    /// Whether it was pinned there, and that was verified.
    pub pinned: bool,
    /// What it does while there is nothing to do; `None` without threads.
    pub wait: Option<&'static str>,
}

impl From<&WorkerInfo> for WorkerReport {
    fn from(info: &WorkerInfo) -> Self {
        let has_thread = !info.thread.is_empty();
        Self {
            worker: info.id.index(),
            cpu: info.cpu.map(|cpu| cpu.get()),
            pinned: info.pinned,
            wait: has_thread.then(|| info.wait.name()),
        }
    }
}

impl fmt::Display for WorkerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cpu {
            Some(cpu) if self.pinned => write!(f, "pinned to CPU {cpu}")?,
            Some(cpu) => write!(f, "meant for CPU {cpu}, not pinned")?,
            None => f.write_str("run by the emitting thread")?,
        }
        self.wait
            .map_or(Ok(()), |wait| write!(f, ", waits by {wait}"))
    }
}
