//! Waiting for a lane: for room in it, or until everything in it is delivered.

use super::core::SignalCore;
use super::lane_counters::LaneCounters;
use crate::context::{Context, Stop};
use crate::engine::manual::NoTurn;
use crate::engine::shared::Phase;
use crate::engine::wait_graph::Waiting;
use crate::engine::worker_shared::{Status, WorkerShared};
use crate::overflow::{FlushError, RejectReason};
use corecast_ring::Monitor;
use std::time::{Duration, Instant};

/// How long a cancellation may go unnoticed by an emitter that waits.
const CANCEL_POLL: Duration = Duration::from_millis(1);

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait<'a> {
    deadline: Option<Instant>,
    context: Option<&'a Context>,
}

impl<'a> Wait<'a> {
    pub(crate) fn forever() -> Self {
        Self {
            deadline: None,
            context: None,
        }
    }

    pub(crate) fn at_most(limit: Duration) -> Self {
        Self {
            deadline: Instant::now().checked_add(limit),
            context: None,
        }
    }

    pub(crate) fn within(context: &'a Context) -> Self {
        Self {
            deadline: context.deadline(),
            context: Some(context),
        }
    }

    /// Why waiting ends now, if it does.
    fn over(&self) -> Option<RejectReason> {
        if let Some(Err(Stop::Cancelled)) = self.context.map(Context::check) {
            return Some(RejectReason::Cancelled);
        }
        let passed = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        passed.then_some(RejectReason::Timeout)
    }

    /// When to look at the context again.
    fn next_look(&self) -> Option<Instant> {
        match (self.deadline, self.context) {
            (deadline, None) => deadline,
            (None, Some(_)) => Some(Instant::now() + CANCEL_POLL),
            (Some(deadline), Some(_)) => Some(deadline.min(Instant::now() + CANCEL_POLL)),
        }
    }
}

/// Waits until a lane has room.
///
/// # Errors
///
/// Why it does not.
pub(crate) fn for_room<T: Send + 'static>(
    core: &SignalCore<T>,
    worker: &WorkerShared,
    lane: &Monitor<T>,
    wait: Wait<'_>,
) -> Result<(), RejectReason> {
    if core.engine.manual.is_some() {
        // Nobody drains while this thread waits.
        return Err(RejectReason::WouldDeadlock);
    }
    let _waiting = Waiting::on(worker.key).map_err(|_| RejectReason::WouldDeadlock)?;
    let mut idle = core.engine.emitter_wait.idle();
    let ready = || lane.has_room() || core.is_closed() || worker.is_gone();
    loop {
        idle.wait_until(lane.room(), wait.next_look(), ready);
        if core.is_closed() {
            return Err(RejectReason::Closed);
        } else if worker.is_gone() {
            return Err(RejectReason::WorkerDead);
        } else if lane.has_room() {
            return Ok(());
        } else if let Some(reason) = wait.over() {
            return Err(reason);
        }
    }
}

/// Waits until a lane's worker has finished everything before `target`.
///
/// # Errors
///
/// Why it has not.
pub(crate) fn for_release<T: Send + 'static>(
    core: &SignalCore<T>,
    worker: &WorkerShared,
    (lane, counters): (&Monitor<T>, &LaneCounters),
    target: u64,
    deadline: Option<Instant>,
) -> Result<(), FlushError> {
    let released = || target.wrapping_sub(lane.released()) as i64 <= 0;
    // In this order: a worker that drops what it has not delivered says so before it releases it.
    let done = || {
        (released() && !counters.is_given_up())
            || counters.lost_nothing_before(target, lane.aborted())
    };
    if done() {
        return Ok(());
    }
    let _waiting = Waiting::on(worker.key).map_err(|_| FlushError::WouldDeadlock)?;
    let given_up = || worker.is_gone() || core.engine.phase() == Phase::Abandoned;
    let mut idle = core.engine.emitter_wait.idle();
    // A manual engine has been drained by the caller: there is nobody to wait for.
    if core.engine.manual.is_none() {
        idle.wait_until(lane.room(), deadline, || done() || given_up());
    }
    match worker.status() {
        _ if done() => Ok(()),
        Status::Dead => Err(FlushError::WorkerDead),
        _ if given_up() => Err(FlushError::Closed),
        _ => Err(FlushError::Timeout),
    }
}

/// In a manual engine, drains everything on this thread.
///
/// # Errors
///
/// [`FlushError::WouldDeadlock`] when this thread is draining already, [`FlushError::Timeout`] when
/// another one is and does not come to an end.
pub(crate) fn drain_if_manual<T: Send + 'static>(
    core: &SignalCore<T>,
    deadline: Option<Instant>,
) -> Result<(), FlushError> {
    let Some(manual) = &core.engine.manual else {
        return Ok(());
    };
    match manual.run_until_idle(&core.engine, deadline) {
        Ok(_) => Ok(()),
        Err(NoTurn::Nested) => Err(FlushError::WouldDeadlock),
        Err(NoTurn::Timeout) => Err(FlushError::Timeout),
    }
}
