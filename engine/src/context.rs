//! A limit on an emission: cancellation, a deadline, or neither.

use core::fmt;
use corecast_ring::sync::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What may stop a `try_emit` between two listeners, or a wait for room in a lane.
///
/// Not `Clone`: it belongs to one call after another of one caller; its [`CancelToken`] is what
/// other threads hold.
///
/// ```
/// use corecast::{Context, EmitError, SyncSignal};
/// use std::time::Duration;
///
/// let orders = SyncSignal::<u64>::new();
/// let _subscription = orders.subscribe(|_| {});
///
/// let context = Context::with_timeout(Duration::from_secs(60));
/// assert_eq!(orders.try_emit(&1, &context)?.delivered, 1);
///
/// let token = context.cancel_token(); // for another thread, or for a listener
/// token.cancel();
/// let stopped = orders.try_emit(&2, &context);
/// assert!(matches!(stopped, Err(EmitError::Cancelled { delivered: 0 })));
///
/// let late = Context::with_timeout(Duration::ZERO);
/// let stopped = orders.try_emit(&3, &late);
/// assert!(matches!(stopped, Err(EmitError::DeadlineExceeded { delivered: 0 })));
/// # Ok::<(), EmitError>(())
/// ```
#[derive(Debug)]
pub struct Context {
    deadline: Option<Instant>,
    token: OnceLock<CancelToken>,
    /// The context of every `emit`, which nothing can cancel.
    detached: bool,
}

/// Why a context says stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    DeadlineExceeded,
}

impl Context {
    /// No deadline; may be cancelled through its token. Costs nothing to make.
    #[must_use]
    #[inline(always)]
    pub const fn none() -> Self {
        Self {
            deadline: None,
            token: OnceLock::new(),
            detached: false,
        }
    }

    /// A deadline `timeout` from now. A timeout beyond the clock's range, as `Duration::MAX`, is
    /// no deadline.
    #[must_use]
    pub fn with_timeout(timeout: Duration) -> Self {
        Self {
            deadline: Instant::now().checked_add(timeout),
            ..Self::none()
        }
    }

    /// A deadline.
    #[must_use]
    pub const fn with_deadline(deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            token: OnceLock::new(),
            detached: false,
        }
    }

    /// A token that cancels this context from any thread. The first call allocates it, and all
    /// tokens of a context are one.
    ///
    /// The context that a listener sees during a plain `emit` cannot be cancelled; a token taken
    /// from that one has no effect.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        if self.detached {
            return CancelToken::new();
        }
        self.token.get_or_init(CancelToken::new).clone()
    }

    /// Whether it has been cancelled.
    #[must_use]
    #[inline(always)]
    pub fn is_cancelled(&self) -> bool {
        self.token.get().is_some_and(CancelToken::is_cancelled)
    }

    /// The deadline, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Cancellation first, then the deadline; the clock is read only if there is one.
    #[inline(always)]
    pub(crate) fn check(&self) -> Result<(), Stop> {
        self.check_timed(self.deadline.is_some())
    }

    /// As [`Context::check`], by a caller who remembers whether there is a deadline.
    #[inline(always)]
    pub(crate) fn check_timed(&self, timed: bool) -> Result<(), Stop> {
        if self.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if timed { self.check_clock() } else { Ok(()) }
    }

    #[inline(never)]
    fn check_clock(&self) -> Result<(), Stop> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Stop::DeadlineExceeded),
            _ => Ok(()),
        }
    }

    /// The context of a plain `emit`.
    pub(crate) fn detached() -> &'static Self {
        static DETACHED: Context = Context {
            deadline: None,
            token: OnceLock::new(),
            detached: true,
        };
        &DETACHED
    }
}

/// Cancels a [`Context`] from any thread.
#[derive(Clone)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
}

impl CancelToken {
    fn new() -> Self {
        Self {
            cancelled: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Cancels the context, for good.
    ///
    /// # Memory ordering
    ///
    /// What the caller did before happens before whatever follows an observed cancellation.
    pub fn cancel(&self) {
        // Release: as documented.
        self.cancelled.store(true, Ordering::Release);
    }

    /// Whether somebody cancelled.
    #[must_use]
    #[inline(always)]
    pub fn is_cancelled(&self) -> bool {
        // Acquire: as documented at `cancel`.
        self.cancelled.load(Ordering::Acquire)
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
