//! A circuit breaker around a listener that may fail.

use super::breaker_state::{BreakerState, Machine, Permit, Refusal};
use crate::BoxError;
use cache_padded::CachePadded;
use core::fmt;
use corecast_ring::sync::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Keeps calls away from something that keeps failing, and tries again after a while.
///
/// *Closed*, it lets calls through and counts failures (errors and panics) in a row. At the
/// threshold it is *open* and refuses, without calling, until a cool-down is over. Then it is
/// *half-open*: one call at a time goes through; enough successes close it, a failure opens it for
/// another cool-down. Cloning it makes another handle, and one breaker may guard several listeners
/// that depend on the same thing.
///
/// Guard what may fail for a reason of its own, such as a gateway or a disk. A listener that
/// refuses events on purpose should not be counted: see [`CircuitBreaker::guard_counting`]. A call
/// that never returns is not a failure.
///
/// ```
/// use corecast::{BreakerState, CircuitBreaker, Context, SyncSignal};
///
/// let breaker = CircuitBreaker::builder("gateway").failures(2).build()?;
/// let orders = SyncSignal::<u64>::new();
/// let gateway = |_: &u64| Err::<(), _>("connection reset");
/// let _subscription = orders.subscribe_fallible(breaker.guard(gateway));
/// for order in 0..3 {
///     assert!(orders.try_emit(&order, &Context::none()).is_err());
/// }
/// let counted = breaker.metrics();
/// assert_eq!((counted.failed, counted.refused, counted.opened), (2, 1, 1));
/// assert_eq!(breaker.state(), BreakerState::Open);
/// # Ok::<(), corecast::BreakerBuildError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    when_open: WhenOpen,
    machine: Machine,
    /// What the breaker's times are relative to.
    origin: Instant,
    counts: CachePadded<Counts>,
}

/// Written by every caller.
#[derive(Default)]
struct Counts {
    admitted: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    opened: AtomicU64,
}

/// What a guarded listener returns for an event that an open breaker keeps from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenOpen {
    /// [`BreakerError::Open`]: the end of a `try_emit`, a fault otherwise.
    #[default]
    Refuse,
    /// `Ok(())`: the listener counts as called, and only the breaker's metrics tell.
    Skip,
}

impl CircuitBreaker {
    /// A breaker with this name, which its errors and metrics carry.
    pub fn builder(name: impl Into<Arc<str>>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder {
            name: name.into(),
            failures: 5,
            successes: 1,
            cool_down: Duration::from_secs(1),
            when_open: WhenOpen::default(),
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What it does with calls. An open breaker stays so until a call comes after the cool-down.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.inner.machine.state()
    }

    /// State and counters of this moment.
    #[must_use]
    pub fn metrics(&self) -> BreakerMetrics {
        // Relaxed: counters.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.inner.counts;
        BreakerMetrics {
            name: Arc::clone(&self.inner.name),
            state: self.state(),
            admitted: read(&counts.admitted),
            failed: read(&counts.failed),
            refused: read(&counts.refused),
            opened: read(&counts.opened),
        }
    }

    /// Calls `f` unless the breaker is open; an error or a panic is a failure.
    ///
    /// ```
    /// use corecast::{BreakerError, CircuitBreaker};
    ///
    /// let breaker = CircuitBreaker::builder("disk").failures(1).build()?;
    /// let written = breaker.call(|| Err::<(), _>("full"));
    /// assert_eq!(written, Err(BreakerError::Failed("full")));
    /// let refused = breaker.call(|| Ok::<_, &str>(())); // not called
    /// assert!(matches!(refused, Err(BreakerError::Open { .. })));
    /// # Ok::<(), corecast::BreakerBuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BreakerError::Open`] when `f` was not called, else what `f` returned.
    ///
    /// # Panics
    ///
    /// When `f` does.
    pub fn call<R, E>(&self, f: impl FnOnce() -> Result<R, E>) -> Result<R, BreakerError<E>> {
        self.call_counting(f, |_| true)
    }

    /// As [`CircuitBreaker::call`], but an error is a failure only if `counts` says so; another one
    /// is passed on and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`CircuitBreaker::call`].
    ///
    /// # Panics
    ///
    /// When `f` does.
    ///
    /// # Complexity
    ///
    /// While closed and well: one load and one read-modify-write beside `f`; lock-free. The clock
    /// is read when the breaker is open or a failure is counted.
    pub fn call_counting<R, E>(
        &self,
        f: impl FnOnce() -> Result<R, E>,
        counts: impl FnOnce(&E) -> bool,
    ) -> Result<R, BreakerError<E>> {
        let inner = &*self.inner;
        let permit = match inner.machine.admit(|| inner.now()) {
            Ok(permit) => permit,
            Err(refusal) => return Err(inner.refuse(refusal)),
        };
        count(&inner.counts.admitted);
        // Failed, unless it turns out otherwise: also when `f` or `counts` panics.
        let mut verdict = Verdict {
            inner,
            permit,
            outcome: Outcome::Failure,
        };
        let result = f();
        verdict.outcome = match &result {
            Ok(_) => Outcome::Success,
            Err(error) if counts(error) => Outcome::Failure,
            Err(_) => Outcome::NotCounted,
        };
        drop(verdict);
        result.map_err(BreakerError::Failed)
    }

    /// A listener that is called only while the breaker lets it, for
    /// [`SyncSignal`](crate::SyncSignal).
    pub fn guard<T: ?Sized, E: Into<BoxError>>(
        &self,
        f: impl Fn(&T) -> Result<(), E> + Send + Sync + 'static,
    ) -> impl Fn(&T) -> Result<(), BoxError> + Send + Sync + 'static {
        self.guard_counting(f, |_| true)
    }

    /// As [`CircuitBreaker::guard`], but an error is a failure only if `counts` says so.
    pub fn guard_counting<T: ?Sized, E: Into<BoxError>>(
        &self,
        f: impl Fn(&T) -> Result<(), E> + Send + Sync + 'static,
        counts: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> impl Fn(&T) -> Result<(), BoxError> + Send + Sync + 'static {
        let breaker = self.clone();
        move |event| breaker.answer(breaker.call_counting(|| f(event), &counts))
    }

    /// As [`CircuitBreaker::guard`], for an [`AsyncSignal`](crate::AsyncSignal), whose listeners
    /// are owned by one worker.
    pub fn guard_mut<T: ?Sized, E: Into<BoxError>>(
        &self,
        mut f: impl FnMut(&T) -> Result<(), E> + Send + 'static,
    ) -> impl FnMut(&T) -> Result<(), BoxError> + Send + 'static {
        let breaker = self.clone();
        move |event| breaker.answer(breaker.call(|| f(event)))
    }

    /// What a guarded listener returns.
    fn answer<E: Into<BoxError>>(
        &self,
        result: Result<(), BreakerError<E>>,
    ) -> Result<(), BoxError> {
        match result {
            Ok(()) => Ok(()),
            Err(BreakerError::Failed(error)) => Err(error.into()),
            Err(BreakerError::Open { .. }) if self.inner.when_open == WhenOpen::Skip => Ok(()),
            Err(BreakerError::Open { name, retry_in }) => {
                Err(BreakerError::<core::convert::Infallible>::Open { name, retry_in }.into())
            }
        }
    }
}

/// Adds to a counter that many write.
fn count(counter: &AtomicU64) {
    // Relaxed: a counter.
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Inner {
    /// Microseconds since the breaker was made.
    fn now(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64
    }

    #[cold]
    fn refuse<E>(&self, refusal: Refusal) -> BreakerError<E> {
        count(&self.counts.refused);
        BreakerError::Open {
            name: Arc::clone(&self.name),
            retry_in: refusal.retry_in.map(Duration::from_micros),
        }
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Success,
    Failure,
    NotCounted,
}

/// Tells the breaker how a call ended, however it ends.
struct Verdict<'a> {
    inner: &'a Inner,
    permit: Permit,
    outcome: Outcome,
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        let inner = self.inner;
        match self.outcome {
            Outcome::Success => inner.machine.succeed(self.permit),
            Outcome::NotCounted => inner.machine.abstain(self.permit),
            Outcome::Failure => {
                count(&inner.counts.failed);
                if inner.machine.fail(self.permit, inner.now()) {
                    count(&inner.counts.opened);
                }
            }
        }
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.inner.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Options of a [`CircuitBreaker`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until build()"]
pub struct CircuitBreakerBuilder {
    name: Arc<str>,
    failures: u32,
    successes: u32,
    cool_down: Duration,
    when_open: WhenOpen,
}

impl CircuitBreakerBuilder {
    /// Failures in a row that open it; 5 unless told.
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Successes while half-open that close it; 1 unless told.
    pub fn successes(mut self, successes: u32) -> Self {
        self.successes = successes;
        self
    }

    /// How long it stays open; a second unless told. Zero lets the next call through as a probe;
    /// `Duration::MAX` is for ever.
    pub fn cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    /// What guarded listeners return while it is open.
    pub fn when_open(mut self, when_open: WhenOpen) -> Self {
        self.when_open = when_open;
        self
    }

    /// Makes the breaker, closed.
    ///
    /// # Errors
    ///
    /// [`BreakerBuildError`] for thresholds of 0.
    pub fn build(self) -> Result<CircuitBreaker, BreakerBuildError> {
        if self.failures == 0 {
            return Err(BreakerBuildError::ZeroFailures { name: self.name });
        }
        if self.successes == 0 {
            return Err(BreakerBuildError::ZeroSuccesses { name: self.name });
        }
        let cool_down = match self.cool_down.as_nanos().div_ceil(1000) {
            0 => 0,
            // Both times are rounded down: one more, so that it is not shorter than promised.
            micros => u64::try_from(micros + 1).unwrap_or(u64::MAX),
        };
        let inner = Inner {
            name: self.name,
            when_open: self.when_open,
            machine: Machine::new(self.failures, self.successes, cool_down),
            origin: Instant::now(),
            counts: CachePadded::default(),
        };
        Ok(CircuitBreaker {
            inner: Arc::new(inner),
        })
    }
}

/// Why a circuit breaker was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerBuildError {
    /// `failures(0)`: it would be open before the first call.
    ZeroFailures {
        /// The breaker.
        name: Arc<str>,
    },
    /// `successes(0)`: nothing would have to go well.
    ZeroSuccesses {
        /// The breaker.
        name: Arc<str>,
    },
}

impl fmt::Display for BreakerBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, option) = match self {
            Self::ZeroFailures { name } => (name, "failures"),
            Self::ZeroSuccesses { name } => (name, "successes"),
        };
        write!(
            f,
            "circuit breaker {name:?}: {option} 0 is not possible: at least 1"
        )
    }
}

impl std::error::Error for BreakerBuildError {}

/// Why a call through a circuit breaker gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerError<E> {
    /// It was not made: the breaker is open, or half-open with a probe under way.
    Open {
        /// The breaker.
        name: Arc<str>,
        /// Until the cool-down is over; `None` while a probe is under way.
        retry_in: Option<Duration>,
    },
    /// It was made, and returned this.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without the time, so that a fault repeated is the same fault.
            Self::Open { name, .. } => write!(f, "circuit breaker {name:?} is open"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for BreakerError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { .. } => None,
            Self::Failed(error) => error.source(),
        }
    }
}

/// State and counters of a circuit breaker at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerMetrics {
    /// The breaker's name.
    pub name: Arc<str>,
    /// What it does with calls.
    pub state: BreakerState,
    /// Calls that were made.
    pub admitted: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were not made.
    pub refused: u64,
    /// How often it opened.
    pub opened: u64,
}
