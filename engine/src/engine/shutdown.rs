//! Shutdown: refuse, settle, seal, deliver until the deadline, join, and account for every event.
//!
//! 1. *Closing*: every signal's word gets its closed bit; a heavy fence; emitters that wait are
//!    woken. From here on an emission either sees the bit or shows as an open claim (S2, S3).
//! 2. *Settle*: wait until no claim is open. Then nothing more can be published.
//! 3. *Sealed*: workers drain to the end and leave.
//! 4. At the deadline, *Abandoned*: workers leave after the call in hand. Those that do not come
//!    back from a listener are reported as stuck and left behind.
//! 5. The others are joined, once everybody may have the report. What removed listeners had captured
//!    they have dropped on their way out.

use super::manual::NoTurn;
use super::reporter::Reporter;
use super::shared::{EngineShared, Phase, SignalControl};
use super::wait_graph::{ThreadMark, Waiting};
use super::worker_shared::{Status, WorkerInfo};
use crate::WorkerId;
use crate::integrations::life;
use corecast_affinity::{PinCheck, PinError, PinStatus, PinnedThread};
use corecast_ring::WaitStrategy;
use corecast_ring::sync::{Mutex, lock, thread};
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

/// What workers that are not inside a listener need to notice the end.
const GRACE: Duration = Duration::from_millis(200);

/// What became of the events that had been accepted, counted once for each worker that they went
/// to: `accepted = delivered + abandoned`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Lane-events accepted since the engine was built.
    pub accepted: u64,
    /// Lane-events that went through all their listeners.
    pub delivered: u64,
    /// Lane-events that were still waiting, or in a run that a listener was in the middle of, when
    /// the time was up.
    pub abandoned: u64,
    /// Workers that had not come back from a listener.
    pub stuck: Vec<WorkerId>,
    /// Workers that had died before.
    pub dead: Vec<WorkerId>,
}

/// An engine's threads, until they are joined.
pub(crate) struct Running {
    engine: Arc<EngineShared>,
    threads: Vec<PinnedThread<()>>,
    reporter: Option<Reporter>,
}

/// Who has shut the engine down, and with what result.
pub(crate) struct Lifecycle {
    state: Mutex<State>,
    /// The thread that is at it.
    by: Mutex<Option<ThreadMark>>,
    /// The thread on which faults are handled.
    reporter: Option<ThreadMark>,
}

enum State {
    Running(Running),
    Over(ShutdownReport),
}

impl Running {
    pub(crate) fn new(engine: Arc<EngineShared>, reporter: Option<Reporter>) -> Self {
        Self {
            engine,
            threads: Vec::new(),
            reporter,
        }
    }

    pub(crate) fn push(&mut self, thread: PinnedThread<()>) {
        self.threads.push(thread);
    }

    /// Takes down an engine that was not completed.
    pub(crate) fn abort(&mut self) {
        self.engine.transition_to(Phase::Sealed);
        self.wake_workers();
        self.threads
            .drain(..)
            .for_each(|thread| drop(thread.join()));
        if let Some(reporter) = &mut self.reporter {
            reporter.stop(GRACE);
        }
    }

    fn wake_workers(&self) {
        self.engine
            .workers
            .iter()
            .for_each(|worker| worker.parker.wake_all());
    }

    /// The report, and the threads to join.
    fn shut_down(
        &mut self,
        limit: Duration,
        ending: Ending,
    ) -> (ShutdownReport, Vec<PinnedThread<()>>) {
        let deadline = Instant::now().checked_add(limit);
        let engine = Arc::clone(&self.engine);
        engine.transition_to(Phase::Closing);
        let signals = engine.live_signals();
        signals.iter().for_each(|signal| signal.close());
        // F1 (S2, S3). Refused by a filter installed since: nothing better is left than to give
        // stores on their way the time that they need.
        if engine.fence_pair.heavy().is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        signals.iter().for_each(|signal| signal.wake_emitters());
        // Short, whatever the limit: nothing of a user's runs between a claim and its stamp.
        while !signals.iter().all(|signal| signal.is_settled()) {
            thread::yield_now();
        }
        engine.transition_to(Phase::Sealed);
        let stuck = if let Some(manual) = &engine.manual {
            let run = manual.run_until_idle(&engine, deadline);
            // A run that this thread is inside of delivers the rest, as a worker does.
            let rest = ending == Ending::Dropped && run == Err(NoTurn::Nested);
            if run.is_err() && !rest {
                engine.abandon();
            }
            engine
                .workers
                .iter()
                .map(|one| one.id)
                .filter(|_| run.is_err())
                .collect()
        } else {
            self.wait_for_workers(deadline, ending, &signals)
        };
        // An emitter that goes on trying has claims open for a moment, which it abandons.
        let events = engine.settled_events();
        let mut report = ShutdownReport {
            accepted: events.accepted,
            delivered: events.delivered,
            abandoned: events.accepted.saturating_sub(events.delivered),
            stuck,
            ..ShutdownReport::default()
        };
        let threads = self.threads_left(&mut report);
        if let Some(reporter) = &mut self.reporter {
            let left = deadline.map_or(GRACE, |at| at.saturating_duration_since(Instant::now()));
            reporter.stop(left.max(GRACE));
        }
        (report, threads)
    }

    /// Waits until the workers have delivered everything and left, or tells them to leave it; those
    /// that have not left in the end.
    fn wait_for_workers(
        &self,
        deadline: Option<Instant>,
        ending: Ending,
        signals: &[Arc<dyn SignalControl>],
    ) -> Vec<WorkerId> {
        let engine = &self.engine;
        self.wake_workers();
        // A worker that is this very thread, or waits for it, is not waited for.
        let waits: Vec<_> = engine
            .workers
            .iter()
            .map(|one| Waiting::on(one.key))
            .collect();
        let left = |index: usize| engine.workers[index].is_gone();
        let all = 0..engine.workers.len();
        let all_left = || {
            all.clone()
                .all(|index| left(index) || waits[index].is_err())
        };
        let mut idle = WaitStrategy::park().idle();
        let in_time = idle.wait_until(&engine.left, deadline, all_left);
        // A worker that this thread is inside of delivers the rest after that, unless somebody is
        // told here that it was abandoned.
        if !in_time || (ending == Ending::Reported && !all.clone().all(left)) {
            engine.abandon();
            self.wake_workers();
            signals.iter().for_each(|signal| signal.wake_emitters());
            let grace = Instant::now().checked_add(GRACE);
            idle.wait_until(&engine.left, grace, all_left);
        }
        let still_there = all.filter(|&index| !left(index));
        still_there.map(|index| engine.workers[index].id).collect()
    }

    /// The threads of the workers that are not stuck; the dead are reported.
    fn threads_left(&mut self, report: &mut ShutdownReport) -> Vec<PinnedThread<()>> {
        let threads = core::mem::take(&mut self.threads);
        let mut left = Vec::with_capacity(threads.len());
        for (worker, thread) in self.engine.workers.iter().zip(threads) {
            if worker.status() == Status::Dead {
                report.dead.push(worker.id);
            }
            if !report.stuck.contains(&worker.id) {
                left.push(thread);
            }
        }
        left
    }
}

/// Waits for the ends of threads that have nothing left to do, but for thread-locals' destructors.
/// One of these may be the caller.
fn join(threads: Vec<PinnedThread<()>>) {
    let here = std::thread::current().id();
    for thread in threads {
        if thread.thread().id() != here {
            // A panic that ended it shows in its worker's status.
            let _ = thread.join();
        }
    }
}

/// How an engine comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By a call that returns a report.
    Reported,
    /// With its last handle.
    Dropped,
}

impl Lifecycle {
    pub(crate) fn new(running: Running) -> Self {
        Self {
            reporter: running.reporter.as_ref().map(Reporter::thread),
            state: Mutex::new(State::Running(running)),
            by: Mutex::new(None),
        }
    }

    /// Corrects what is said of pins that do not hold any more. While the engine is shut down, and
    /// after, they stand as they were.
    pub(crate) fn note_lost_pins(&self, infos: &mut [WorkerInfo]) {
        let Ok(state) = self.state.try_lock() else {
            return;
        };
        if let State::Running(running) = &*state {
            infos
                .iter_mut()
                .zip(&running.threads)
                .for_each(|(info, thread)| {
                    if let (PinCheck::Changed { now: mask }, Some(cpu)) = (thread.check(), info.cpu)
                    {
                        info.pinned = false;
                        info.pin = PinStatus::Unpinned {
                            reason: PinError::Mismatch { cpu, mask },
                        };
                    }
                });
        }
    }

    /// Shuts the engine down, once; later calls return the first report.
    pub(crate) fn shut_down(
        &self,
        engine: &EngineShared,
        limit: Duration,
        ending: Ending,
    ) -> ShutdownReport {
        let here = Some(ThreadMark::here());
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody is shutting down and waits for this very thread, or is it.
            Err(TryLockError::WouldBlock) if here == *lock(&self.by) || here == self.reporter => {
                return provisional(engine);
            }
            Err(TryLockError::WouldBlock) => {
                let waits = engine.workers.iter().map(|worker| Waiting::on(worker.key));
                let Ok(_waits) = waits.collect::<Result<Vec<_>, _>>() else {
                    return provisional(engine);
                };
                lock(&self.state)
            }
        };
        match &mut *state {
            State::Over(report) => report.clone(),
            State::Running(running) => {
                *lock(&self.by) = here;
                life::shutdown_began(limit);
                let (report, threads) = running.shut_down(limit, ending);
                life::shut_down(&report);
                *lock(&self.by) = None;
                *state = State::Over(report.clone());
                // Behind the lock: a thread-local's destructor on a worker's thread may want the
                // report before that thread can end.
                drop(state);
                join(threads);
                report
            }
        }
    }
}

/// What can be said while the engine is being shut down.
fn provisional(engine: &EngineShared) -> ShutdownReport {
    let events = engine.lane_events();
    ShutdownReport {
        accepted: events.accepted,
        delivered: events.delivered,
        abandoned: events.accepted.saturating_sub(events.delivered),
        ..ShutdownReport::default()
    }
}
