//! A limit on the rate of events, shared by any number of emitters.

use crate::Context;
use crate::context::Stop;
use cache_padded::CachePadded;
use core::fmt;
use core::num::NonZeroU32;
use corecast_ring::sync::{AtomicU64, Ordering, thread};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Waits shorter than this are not slept: a sleep takes tens of microseconds longer than asked.
const SHORTEST_SLEEP: Duration = Duration::from_micros(200);
/// Within this time a cancellation is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

/// At most so many events in a time, evenly spread but for a burst.
///
/// Tokens come back one by one at an even pace (the generic cell rate algorithm); up to a burst of
/// them is saved while nobody emits. Cloning it makes another handle: emitters that are limited by
/// clones share one limit. See [`Limited`](crate::Limited).
///
/// ```
/// use corecast::RateLimit;
/// use std::time::Duration;
///
/// // A hundred a second on average, ten at once.
/// let limit = RateLimit::with_burst(100, Duration::from_secs(1), 10)?;
/// assert!(RateLimit::new(0, Duration::from_secs(1)).is_err());
/// assert_eq!(limit.metrics().admitted, 0);
/// # Ok::<(), corecast::RateLimitError>(())
/// ```
#[derive(Clone)]
pub struct RateLimit {
    inner: Arc<Inner>,
}

struct Inner {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    counts: CachePadded<Counts>,
}

/// Written by every emitter that shares the limit.
#[derive(Default)]
struct Counts {
    admitted: AtomicU64,
    refused: AtomicU64,
}

impl RateLimit {
    /// At most `events` in every `per`, all of which may come at once.
    ///
    /// # Errors
    ///
    /// [`RateLimitError`] names the value that is not possible.
    pub fn new(events: u32, per: Duration) -> Result<Self, RateLimitError> {
        Self::with_burst(events, per, events)
    }

    /// `events` in every `per` on average, of which `burst` may come at once.
    ///
    /// # Errors
    ///
    /// [`RateLimitError`] names the value that is not possible.
    pub fn with_burst(events: u32, per: Duration, burst: u32) -> Result<Self, RateLimitError> {
        let Some(divisor) = NonZeroU32::new(events) else {
            return Err(RateLimitError::ZeroEvents);
        };
        let Some(burst) = NonZeroU32::new(burst) else {
            return Err(RateLimitError::ZeroBurst);
        };
        let interval = per / divisor.get();
        let Some(quota) = Quota::with_period(interval) else {
            return Err(RateLimitError::TooFast { events, per });
        };
        // The limiter counts in nanoseconds of 64 bits; a quarter of their range is for the bursts.
        let longest = u128::from(u64::MAX / 4);
        if interval.as_nanos() * u128::from(burst.get()) > longest {
            return Err(RateLimitError::TooSlow {
                per,
                burst: burst.get(),
            });
        }
        let clock = DefaultClock::default();
        let inner = Inner {
            limiter: RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone()),
            clock,
            counts: CachePadded::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Counters of this moment.
    #[must_use]
    pub fn metrics(&self) -> RateLimitMetrics {
        // Relaxed: counters.
        let counts = &self.inner.counts;
        RateLimitMetrics {
            admitted: counts.admitted.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn admit(&self) -> Result<(), RateRefusal> {
        match self.take() {
            Ok(()) => {
                self.inner.counts.admitted.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(retry_in) => Err(self.refuse(RateRefusal::Exceeded { retry_in })),
        }
    }

    /// Takes a token, waiting for one as long as `context` permits. A token that would come after
    /// the deadline is not waited for.
    pub(crate) fn admit_within(&self, context: &Context) -> Result<(), RateRefusal> {
        loop {
            let Err(retry_in) = self.take() else {
                self.inner.counts.admitted.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            };
            match context.check() {
                Err(Stop::Cancelled) => return Err(self.refuse(RateRefusal::Cancelled)),
                Err(Stop::DeadlineExceeded) => {
                    return Err(self.refuse(RateRefusal::Deadline { retry_in }));
                }
                Ok(()) => {}
            }
            let comes_at = Instant::now().checked_add(retry_in);
            if let Some(deadline) = context.deadline()
                && comes_at.is_none_or(|at| at > deadline)
            {
                return Err(self.refuse(RateRefusal::Deadline { retry_in }));
            }
            if retry_in < SHORTEST_SLEEP {
                thread::yield_now();
            } else {
                std::thread::sleep((retry_in - SHORTEST_SLEEP / 2).min(LONGEST_SLEEP));
            }
        }
    }

    fn take(&self) -> Result<(), Duration> {
        let refused = self.inner.limiter.check();
        refused.map_err(|not_until| not_until.wait_time_from(self.inner.clock.now()))
    }

    #[cold]
    fn refuse(&self, refusal: RateRefusal) -> RateRefusal {
        self.inner.counts.refused.fetch_add(1, Ordering::Relaxed);
        refusal
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

/// Why a rate limit was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateLimitError {
    /// 0 events: nothing would ever be emitted.
    ZeroEvents,
    /// A burst of 0: nothing would ever be emitted.
    ZeroBurst,
    /// More than one event in a nanosecond.
    TooFast {
        /// The events asked for.
        events: u32,
        /// The time in which to emit them.
        per: Duration,
    },
    /// A burst whose tokens take centuries to come back.
    TooSlow {
        /// The time asked for.
        per: Duration,
        /// The burst.
        burst: u32,
    },
}

impl fmt::Display for RateLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroEvents => f.write_str("a rate of 0 events is not possible: at least 1"),
            Self::ZeroBurst => f.write_str("a burst of 0 events is not possible: at least 1"),
            Self::TooFast { events, per } => write!(
                f,
                "a rate of {events} events in {per:?} is not possible: at most one in a nanosecond"
            ),
            Self::TooSlow { per, burst } => write!(
                f,
                "a period of {per:?} with a burst of {burst} is not possible: it takes centuries"
            ),
        }
    }
}

impl std::error::Error for RateLimitError {}

/// Why a rate limit did not admit an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateRefusal {
    /// There was no token.
    Exceeded {
        /// When the next one comes, if nobody else takes it.
        retry_in: Duration,
    },
    /// No token would have come before the context's deadline.
    Deadline {
        /// When the next one comes, if nobody else takes it.
        retry_in: Duration,
    },
    /// The context was cancelled while waiting for one.
    Cancelled,
}

impl fmt::Display for RateRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exceeded { retry_in } => {
                write!(f, "the rate limit is exceeded: free in {retry_in:?}")
            }
            Self::Deadline { retry_in } => write!(
                f,
                "the rate limit admits nothing before the deadline: free in {retry_in:?}"
            ),
            Self::Cancelled => {
                f.write_str("the context was cancelled while waiting for the rate limit")
            }
        }
    }
}

impl std::error::Error for RateRefusal {}

/// Counters of a rate limit at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitMetrics {
    /// Events admitted.
    pub admitted: u64,
    /// Events refused.
    pub refused: u64,
}
