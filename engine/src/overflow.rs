//! What an emitter does when a lane is full, and how a refused event comes back.

use core::fmt;
use std::time::Duration;

/// What an emitter does when a lane is full.
///
/// It is the signal's, set by [`AsyncSignalBuilder::overflow`](crate::AsyncSignalBuilder::overflow);
/// [`Emitter::try_emit`](crate::Emitter::try_emit) and
/// [`Emitter::emit_within`](crate::Emitter::emit_within) choose for one event. A broadcast is all or
/// none: an event that one worker's lane has no room for goes to no worker.
///
/// ```
/// use corecast::{Engine, Overflow};
///
/// let engine = Engine::builder().manual().build()?; // nobody drains
/// let prices = engine
///     .signal::<u64>("prices")
///     .capacity(2)
///     .overflow(Overflow::DropNewest)
///     .build()?;
/// let _subscription = prices.subscribe(|_| {});
/// let mut emitter = prices.emitter()?;
/// for price in [101, 102, 103] {
///     emitter.emit(price)?; // `Ok`, also for the one that is dropped
/// }
/// let metrics = prices.metrics();
/// assert_eq!((metrics.accepted, metrics.dropped), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Wait for room, as the engine's wait strategy says.
    #[default]
    Wait,
    /// Wait for room, but no longer than this. Zero is as `Reject`; `Duration::MAX` as `Wait`.
    WaitFor(Duration),
    /// Hand the event back at once.
    Reject,
    /// Drop the event, count it, and carry on.
    DropNewest,
}

/// Why an event was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// A lane is full.
    Full,
    /// A lane was full until the time was up.
    Timeout,
    /// The context was cancelled while a lane was full.
    Cancelled,
    /// The engine has been shut down.
    Closed,
    /// Waiting would never end: the lane's worker is this thread, or waits for it.
    WouldDeadlock,
    /// The lane's worker is dead.
    WorkerDead,
    /// The signal was not built with recycled slots.
    NotRecycled,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "a lane is full",
            Self::Timeout => "a lane was full until the time was up",
            Self::Cancelled => "the context was cancelled while a lane was full",
            Self::Closed => "the engine has been shut down",
            Self::WouldDeadlock => "a lane is full and its worker waits for this thread",
            Self::WorkerDead => "a lane's worker is dead",
            Self::NotRecycled => "the signal was not built with recycled slots",
        })
    }
}

/// Why an event was not accepted, and the lane that stands in the way. The event stays where it was.
pub(crate) struct Refused {
    pub(crate) reason: RejectReason,
    pub(crate) lane: usize,
}

/// An event that was not accepted, with the reason: nothing is lost unless the caller drops it.
///
/// ```
/// use corecast::{Engine, RejectReason};
/// use std::time::Duration;
///
/// let engine = Engine::builder().manual().build()?;
/// let names = engine.signal::<String>("names").build()?;
/// let mut emitter = names.emitter()?;
/// engine.shutdown(Duration::ZERO);
/// let rejected = emitter.emit("ada".to_owned()).unwrap_err();
/// assert_eq!((&*rejected.event, rejected.reason), ("ada", RejectReason::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rejected<T> {
    /// The event.
    pub event: T,
    /// Why it was not accepted.
    pub reason: RejectReason,
}

impl<T> fmt::Debug for Rejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Rejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event rejected: {}", self.reason)
    }
}

impl<T> std::error::Error for Rejected<T> {}

/// A batch that was not accepted as a whole.
pub struct BatchRejected<T> {
    /// Events of the batch that were accepted (or, under `DropNewest`, dropped and counted).
    pub accepted: usize,
    /// Why the next one was not.
    pub reason: RejectReason,
    /// The event that had been taken from the iterator and was refused.
    pub event: Option<T>,
    /// Events taken from the iterator before that one and dropped with their piece, because the
    /// engine was shut down in the middle of it. They are counted as rejected.
    pub dropped: usize,
}

impl<T> fmt::Debug for BatchRejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchRejected")
            .field("accepted", &self.accepted)
            .field("reason", &self.reason)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for BatchRejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "batch rejected after {} events: {}",
            self.accepted, self.reason
        )
    }
}

impl<T> std::error::Error for BatchRejected<T> {}

/// Why a flush did not finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// The time was up.
    Timeout,
    /// A lane's worker is dead.
    WorkerDead,
    /// Called from a listener whose worker would have to finish first.
    WouldDeadlock,
    /// The engine was shut down before everything was delivered.
    Closed,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "listeners had not finished when the time was up",
            Self::WorkerDead => "a lane's worker is dead",
            Self::WouldDeadlock => "called from a listener that would have to finish first",
            Self::Closed => "the engine was shut down before everything was delivered",
        })
    }
}

impl std::error::Error for FlushError {}
