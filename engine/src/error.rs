//! What can go wrong, each naming its input.

use crate::WorkerId;
use crate::listener::ListenerId;
use core::fmt;
use std::sync::Arc;

/// Any error a listener may return.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why `try_emit` on a synchronous signal stopped.
///
/// ```
/// use corecast::{Context, EmitError, Listener, SyncSignal};
///
/// let orders = SyncSignal::<u64>::new();
/// let _first = orders.subscribe(|_| {});
/// let _risk = orders.add(Listener::fallible(|_| Err("limit reached")).name("risk"))?;
/// let error = orders.try_emit(&1, &Context::none()).unwrap_err();
/// assert_eq!(error.delivered(), 1); // the first had run, and is not undone
/// let EmitError::Listener { name, index, source, .. } = error else {
///     panic!("a listener refused");
/// };
/// assert_eq!((name.as_deref(), index), (Some("risk"), 1));
/// assert_eq!(source.to_string(), "limit reached");
/// # Ok::<(), corecast::SubscribeError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// A listener returned an error.
    Listener {
        /// The listener.
        id: ListenerId,
        /// Its name, if it has one.
        name: Option<Arc<str>>,
        /// Its position in the snapshot, from 0.
        index: usize,
        /// Listeners that ran and succeeded before it.
        delivered: usize,
        /// Its own error.
        source: BoxError,
    },
    /// A listener panicked.
    Panicked {
        /// The listener.
        id: ListenerId,
        /// Its name, if it has one.
        name: Option<Arc<str>>,
        /// Its position in the snapshot, from 0.
        index: usize,
        /// Listeners that ran and succeeded before it.
        delivered: usize,
        /// What the panic said.
        message: String,
    },
    /// The context was cancelled.
    Cancelled {
        /// Listeners that ran and succeeded before.
        delivered: usize,
    },
    /// The context's deadline passed.
    DeadlineExceeded {
        /// Listeners that ran and succeeded before.
        delivered: usize,
    },
    /// Too many walks are nested on this thread.
    ReentrancyLimit {
        /// Always 0: the walk did not begin.
        delivered: usize,
    },
}

impl EmitError {
    /// Listeners that ran and succeeded before the walk stopped. What they did is not undone.
    #[must_use]
    pub fn delivered(&self) -> usize {
        match self {
            Self::Listener { delivered, .. }
            | Self::Panicked { delivered, .. }
            | Self::Cancelled { delivered }
            | Self::DeadlineExceeded { delivered }
            | Self::ReentrancyLimit { delivered } => *delivered,
        }
    }
}

/// A listener as messages show it.
struct Named<'a>(ListenerId, &'a Option<Arc<str>>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener {
                id,
                name,
                index,
                delivered,
                source,
            } => write!(
                f,
                "listener {} at position {index} failed after {delivered} had run: {source}",
                Named(*id, name)
            ),
            Self::Panicked {
                id,
                name,
                index,
                delivered,
                message,
            } => write!(
                f,
                "listener {} at position {index} panicked after {delivered} had run: {message}",
                Named(*id, name)
            ),
            Self::Cancelled { delivered } => write!(f, "cancelled after {delivered} had run"),
            Self::DeadlineExceeded { delivered } => {
                write!(f, "the deadline passed after {delivered} had run")
            }
            Self::ReentrancyLimit { .. } => f.write_str("too many walks are nested on this thread"),
        }
    }
}

impl std::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listener { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

/// Why a listener was not added. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// Another listener of the signal has this key.
    DuplicateKey(Arc<str>),
    /// A key has at least one character.
    EmptyKey,
    /// The engine has no such worker.
    UnknownWorker(WorkerId),
    /// The signal's engine has been shut down.
    Closed,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateKey(key) => write!(f, "the key {key:?} is taken"),
            Self::EmptyKey => f.write_str("the key \"\" is empty"),
            Self::UnknownWorker(worker) => write!(f, "the engine has no worker {worker}"),
            Self::Closed => f.write_str("the engine has been shut down"),
        }
    }
}

impl std::error::Error for SubscribeError {}

/// Why a synchronous signal was not built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// `FaultPolicy::Quarantine { after: 0 }`: a listener would be removed before its first fault.
    QuarantineAfterZero,
    /// `reentrancy_limit(0)`: no walk could begin.
    ReentrancyLimitZero,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QuarantineAfterZero => "quarantine after: 0 is not possible: at least 1",
            Self::ReentrancyLimitZero => "reentrancy limit 0 is not possible: at least 1",
        })
    }
}

impl std::error::Error for BuildError {}

/// Why waiting for a listener to be gone gave up. The listener is removed in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// Called inside a walk or drain of this thread, which might be the one to wait for.
    WouldDeadlock,
    /// The time was not enough.
    Timeout,
    /// It cannot be established on this system any more: the kernel refuses a fence that it
    /// granted before.
    Unsupported,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WouldDeadlock => {
                "called inside a walk or drain of this thread: it would wait for itself"
            }
            Self::Timeout => "a walk was still using it when the time was up",
            Self::Unsupported => "the kernel refuses membarrier after having granted it",
        })
    }
}

impl std::error::Error for WaitError {}
