//! A manual engine: no threads; whoever asks drains, deterministically.
//!
//! | edge | whoever shuts down                        | whoever drains                          | protects | loom model |
//! | T1   | `phase`; under the lock: looks for the workers | under the lock: gives them back; `phase` | the workers leave, whoever has them last | shutdown::the_workers_of_a_manual_engine_leave_with_whoever_has_them_last |
//!
//! T1 in two cases: either the look finds the workers, or they are given back under the lock after it,
//! and the phase that was stored before that look is seen.

use super::shared::{EngineShared, Phase};
use super::wait_graph::{Waiting, WorkerKey};
use super::worker::{Worker, discard_unread};
use super::worker_shared::Status;
use core::fmt;
use corecast_ring::sync::{Condvar, Mutex, lock, wait_on};
use std::time::Instant;

/// The workers of a manual engine, run by one thread at a time.
pub(crate) struct Manual {
    /// `None` while somebody has them.
    workers: Mutex<Option<Vec<Worker>>>,
    returned: Condvar,
    /// What all the workers are to the wait graph.
    key: WorkerKey,
}

/// Why a thread did not get the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// It has them already, or whoever has them waits for it.
    Nested,
    /// Another thread had them for too long.
    Timeout,
}

/// The workers, for as long as this lives.
struct Turn<'a> {
    manual: &'a Manual,
    workers: Vec<Worker>,
    _waiting: Waiting,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.manual.workers) = Some(core::mem::take(&mut self.workers));
        self.manual.returned.notify_one();
    }
}

impl Manual {
    pub(crate) fn new(key: WorkerKey, workers: Vec<Worker>) -> Self {
        Self {
            workers: Mutex::new(Some(workers)),
            returned: Condvar::new(),
            key,
        }
    }

    fn turn(&self, deadline: Option<Instant>) -> Result<Turn<'_>, NoTurn> {
        let waiting = Waiting::on(self.key).map_err(|_| NoTurn::Nested)?;
        let mut slot = lock(&self.workers);
        loop {
            if let Some(workers) = slot.take() {
                return Ok(Turn {
                    manual: self,
                    workers,
                    _waiting: waiting,
                });
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(NoTurn::Timeout);
            }
            (slot, _) = wait_on(&self.returned, slot, left);
        }
    }

    /// Drains every lane of every worker, in the order of workers and lanes, until nothing is left;
    /// how many lane-events were delivered. Waits until `deadline` for another thread that is at it.
    pub(crate) fn run_until_idle(
        &self,
        engine: &EngineShared,
        deadline: Option<Instant>,
    ) -> Result<u64, NoTurn> {
        let mut turn = self.turn(deadline)?;
        let delivered = turn.drain(engine);
        Ok(delivered + self.end(engine, turn))
    }

    /// Gives the workers back; of an engine that has been sealed, when they have left. How many
    /// lane-events were delivered in that case.
    fn end<'a>(&'a self, engine: &EngineShared, mut turn: Turn<'a>) -> u64 {
        loop {
            // Sealed: nothing more can come. Also when a listener of this very turn shut the engine
            // down.
            if engine.phase() >= Phase::Sealed {
                let delivered = turn.drain(engine);
                turn.leave(engine);
                return delivered;
            }
            drop(turn);
            // T1: whoever has sealed it since may have met this turn, and gone on without.
            if engine.phase() < Phase::Sealed {
                return 0;
            }
            match self.turn(Some(Instant::now())) {
                Ok(again) => turn = again,
                // Whoever has them comes to the same place.
                Err(_) => return 0,
            }
        }
    }

    /// Runs `f` while nobody drains; whether it did, in time.
    pub(crate) fn while_idle(
        &self,
        engine: &EngineShared,
        deadline: Option<Instant>,
        f: impl FnOnce(),
    ) -> bool {
        let Ok(turn) = self.turn(deadline) else {
            return false;
        };
        f();
        self.end(engine, turn);
        true
    }
}

impl Turn<'_> {
    /// Drains until nothing is left; how many lane-events were delivered.
    fn drain(&mut self, engine: &EngineShared) -> u64 {
        let mut total = 0;
        loop {
            let delivered: usize = self
                .workers
                .iter_mut()
                .map(|worker| worker.run_until_idle(engine))
                .sum();
            total += delivered as u64;
            if delivered == 0 || engine.phase() == Phase::Abandoned {
                return total;
            }
        }
    }

    /// Gives up every lane, and what listeners had captured to whoever comes.
    fn leave(&mut self, engine: &EngineShared) {
        self.workers.iter_mut().for_each(Worker::drop_lanes);
        for worker in &engine.workers {
            discard_unread(worker.leave(Status::Left));
            let signals = engine.live_signals();
            signals.iter().for_each(|signal| signal.orphan(worker.id));
        }
    }
}

/// Why a manual engine did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// Called from within a listener of the same engine, or of one that this engine waits for.
    Nested,
    /// The engine has workers of its own.
    NotManual,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nested => "run_until_idle was called from within a listener of the same engine",
            Self::NotManual => "the engine was not built with manual(): its workers drain",
        })
    }
}

impl std::error::Error for RunError {}
