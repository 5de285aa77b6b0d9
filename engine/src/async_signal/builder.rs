//! Building an asynchronous signal.

use super::AsyncSignal;
use super::core::SignalCore;
use super::route::{Broadcast, RoundRobin, Routing, Sharded};
use crate::engine::shared::EngineShared;
use crate::fault::FaultPolicy;
use crate::overflow::Overflow;
use core::fmt;
use core::hash::Hash;
use core::marker::PhantomData;
use corecast_ring::CapacityError;
use std::sync::Arc;

/// Slots of a lane unless the builder says otherwise.
const CAPACITY: usize = 1024;
/// Events that a worker takes from a lane before it looks at the next one, where the ring has as many
/// slots.
const BATCH: usize = 64;

/// Makes the values of recycled slots.
pub(crate) type Factory<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// What a signal was built with.
pub(crate) struct SignalOptions<T> {
    pub(crate) name: Arc<str>,
    pub(crate) capacity: usize,
    pub(crate) batch: usize,
    pub(crate) overflow: Overflow,
    pub(crate) policy: FaultPolicy,
    pub(crate) factory: Option<Factory<T>>,
    /// Every how many events the latency is sampled; 0: never.
    pub(crate) sample: u32,
}

/// Options of an [`AsyncSignal`].
///
/// ```
/// use corecast::{Engine, Overflow, SignalError};
///
/// let engine = Engine::builder().build()?;
/// let ticks = engine
///     .signal::<u64>("ticks")
///     .capacity(1 << 14)
///     .overflow(Overflow::Reject)
///     .sample_latency(1000)
///     .build()?;
/// assert_eq!(ticks.name(), "ticks");
///
/// let error = engine.signal::<u64>("odd").capacity(1000).build().unwrap_err();
/// assert!(matches!(error, SignalError::Capacity(_)));
/// assert!(error.to_string().contains("1024"), "suggests the next one");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until build()"]
pub struct AsyncSignalBuilder<T: Send + 'static, R = Broadcast> {
    engine: Arc<EngineShared>,
    options: SignalOptions<T>,
    /// What the user asked for; the default adapts to a small ring.
    batch: Option<usize>,
    route: R,
    event: PhantomData<fn(T)>,
}

impl<T: Send + 'static> AsyncSignalBuilder<T, Broadcast> {
    pub(crate) fn new(engine: Arc<EngineShared>, name: Arc<str>) -> Self {
        let options = SignalOptions {
            name,
            capacity: CAPACITY,
            batch: BATCH,
            overflow: Overflow::default(),
            policy: FaultPolicy::default(),
            factory: None,
            sample: 0,
        };
        Self {
            engine,
            options,
            batch: None,
            route: Broadcast,
            event: PhantomData,
        }
    }

    /// Sends each event to one worker, equal keys to the same one, in every run. Events are moved,
    /// not cloned; listeners are subscribed with
    /// [`subscribe_sharded`](AsyncSignal::subscribe_sharded).
    ///
    /// Keys are spread by their hash: a key that is much more frequent than others makes its worker
    /// the bottleneck.
    pub fn shard_by<K: Hash>(
        self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> AsyncSignalBuilder<T, Sharded<T>> {
        self.route(Sharded::by(key))
    }

    /// Sends each event to one worker, each in turn: for work that needs no state. As
    /// [`shard_by`](Self::shard_by) otherwise.
    pub fn round_robin(self) -> AsyncSignalBuilder<T, RoundRobin> {
        self.route(RoundRobin)
    }

    fn route<R>(self, route: R) -> AsyncSignalBuilder<T, R> {
        AsyncSignalBuilder {
            engine: self.engine,
            options: self.options,
            batch: self.batch,
            route,
            event: PhantomData,
        }
    }
}

impl<T: Send + 'static, R: Routing<T>> AsyncSignalBuilder<T, R> {
    /// Slots of each lane: a power of two, at least 2; 1024 unless told.
    ///
    /// An emitter has a lane to each worker of the engine, and the first shared emission makes
    /// another to each. A lane takes its capacity times the bytes of a slot: those of the event and
    /// an 8-byte stamp, rounded up to a power of two or to whole cache lines of 64 bytes; where the
    /// stamp alone would take another line, the stamps stand apart.
    ///
    /// | event | slot | lane of 1024 slots |
    /// |--:|--:|--:|
    /// | 0 | 8 | 8 KiB |
    /// | 8 | 16 | 16 KiB |
    /// | 24 | 32 | 32 KiB |
    /// | 56 | 64 | 64 KiB |
    /// | 64 | 72 | 72 KiB |
    /// | 120 | 128 | 128 KiB |
    /// | 256 | 264 | 264 KiB |
    ///
    /// [`LaneMetrics::bytes`](crate::LaneMetrics::bytes) reports it lane by lane, and
    /// [`SignalMetrics::bytes`](crate::SignalMetrics::bytes) contains the sum. What a lane has
    /// beside its slots, a dozen padded words of its two sides, is not counted.
    pub fn capacity(mut self, slots: usize) -> Self {
        self.options.capacity = slots;
        self
    }

    /// The most events that a worker takes from a lane before it looks at the next one: from 1 to
    /// the capacity; never more than 64 at once, nor than a quarter of the capacity. Unless told it
    /// is 64, or the capacity where that is less.
    pub fn batch(mut self, events: usize) -> Self {
        self.batch = Some(events);
        self
    }

    /// What an emitter does when a lane is full; [`Overflow::Wait`] unless told.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// What happens to a listener that panics or errs; [`FaultPolicy::Isolate`] unless told.
    /// `Propagate` is for synchronous signals.
    pub fn fault_policy(mut self, policy: FaultPolicy) -> Self {
        self.options.policy = policy;
        self
    }

    /// Makes slots once, with `factory`, and reuses them in place, so that events that own heap
    /// memory allocate nothing: see [`Emitter::emit_with`](crate::Emitter::emit_with).
    pub fn recycled(mut self, factory: impl Fn() -> T + Send + Sync + 'static) -> Self {
        self.options.factory = Some(Arc::new(factory));
        self
    }

    /// Measures the latency of every `every`-th event of each emitter, from emit to the end of its
    /// last listener on a worker; 0, the default, measures none and costs one branch. Each worker has
    /// a histogram of its own (some 270 KB), and reading the metrics merges them. Events emitted
    /// through [`AsyncSignal::emit`] are not measured.
    ///
    /// Times are by the CPU's counter where the kernel itself keeps time by it
    /// ([`TickClock`](corecast_affinity::TickClock)): the first signal of a process that samples takes one
    /// or two milliseconds to find out how long a tick is.
    pub fn sample_latency(mut self, every: u32) -> Self {
        self.options.sample = every;
        self
    }

    /// Makes the signal.
    ///
    /// # Errors
    ///
    /// [`SignalError`] names the option that is not possible.
    pub fn build(mut self) -> Result<AsyncSignal<T, R>, SignalError> {
        let options = &mut self.options;
        corecast_ring::check_capacity::<T>(options.capacity).map_err(SignalError::Capacity)?;
        options.batch = self.batch.unwrap_or(BATCH.min(options.capacity));
        if options.batch == 0 || options.batch > options.capacity {
            return Err(SignalError::Batch {
                batch: options.batch,
                capacity: options.capacity,
            });
        }
        match options.policy {
            FaultPolicy::Propagate => return Err(SignalError::Propagate),
            FaultPolicy::Quarantine { after: 0 } => return Err(SignalError::QuarantineAfterZero),
            _ => {}
        }
        Ok(AsyncSignal::new(
            SignalCore::new(self.engine, self.options),
            self.route,
        ))
    }
}

impl<T: Send + 'static, R> fmt::Debug for AsyncSignalBuilder<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSignalBuilder")
            .field("name", &self.options.name)
            .field("capacity", &self.options.capacity)
            .field("batch", &self.batch)
            .field("overflow", &self.options.overflow)
            .finish_non_exhaustive()
    }
}

/// Why an asynchronous signal was not built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalError {
    /// The capacity is none that a lane can have.
    Capacity(CapacityError),
    /// A batch of 0 events, or larger than the ring.
    Batch {
        /// The batch asked for.
        batch: usize,
        /// The capacity.
        capacity: usize,
    },
    /// `FaultPolicy::Propagate`: there is no caller to propagate to.
    Propagate,
    /// `FaultPolicy::Quarantine { after: 0 }`.
    QuarantineAfterZero,
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(error) => error.fmt(f),
            Self::Batch { batch: 0, .. } => f.write_str("batch 0 is not possible: at least 1"),
            Self::Batch { batch, capacity } => {
                write!(
                    f,
                    "batch {batch} is larger than the ring ({capacity} slots)"
                )
            }
            Self::Propagate => f.write_str(
                "fault policy Propagate is for synchronous signals: a worker has no caller",
            ),
            Self::QuarantineAfterZero => {
                f.write_str("quarantine after: 0 is not possible: at least 1")
            }
        }
    }
}

impl std::error::Error for SignalError {}

/// Why no emitter was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitterError {
    /// The engine has been shut down.
    Closed,
    /// A lane's slots were refused by the allocator.
    Capacity(CapacityError),
    /// The factory of recycled slots panicked.
    FactoryPanicked {
        /// What the panic said.
        message: String,
    },
}

impl fmt::Display for EmitterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the engine has been shut down"),
            Self::Capacity(error) => error.fmt(f),
            Self::FactoryPanicked { message } => {
                write!(f, "the factory of recycled slots panicked: {message}")
            }
        }
    }
}

impl std::error::Error for EmitterError {}
