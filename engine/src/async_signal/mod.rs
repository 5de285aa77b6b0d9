//! Asynchronous signals: an emission writes into lanes, and pinned workers call the listeners.
//!
//! ```text
//!   Emitter ── one lane to each worker ──▶ LaneDrain ──▶ listeners of that worker
//!   (one writer)      claim, write, stamp       poll, walk, finish, release
//!   AsyncSignal::emit ── shared lanes ───▶ LaneDrain ──▶ the same listeners
//! ```

pub(crate) mod batch;
pub(crate) mod builder;
mod bulk;
mod core;
mod delivery;
mod emitter;
mod in_place;
mod lane;
mod lane_counters;
mod latency;
pub(crate) mod listener;
mod post;
mod push;
mod record;
pub(crate) mod route;
mod run;
mod sampling;
mod shared;
mod staging;
mod waiting;

pub use self::batch::{Batch, BatchIter};
pub use self::builder::{AsyncSignalBuilder, EmitterError, SignalError};
pub use self::emitter::Emitter;
pub use self::listener::WorkerListener;
pub use self::route::{Broadcast, OneWorker, RoundRobin, Route, Routing, Sharded};

use self::core::SignalCore;
use self::shared::SharedLanes;
use crate::WorkerId;
use crate::engine::shared::SignalControl;
use crate::error::{BoxError, SubscribeError};
use crate::metrics::SignalMetrics;
use crate::overflow::{Overflow, Rejected};
use crate::subscription::Subscription;
use ::core::fmt;
use ::core::panic::Location;
use std::sync::Arc;

/// A signal whose listeners run on an engine's workers.
///
/// `R` is the route: [`Broadcast`] gives every listener every event; [`Sharded`] and
/// [`RoundRobin`] send each event to one worker. Cloning it makes another handle on the same
/// signal.
///
/// Events are emitted through an [`Emitter`], the single writer of its own lanes, or, slower and
/// from any thread, through [`AsyncSignal::emit`]. There is no order between two emitters.
///
/// Signals do not keep their engine running. When the last handle and the last emitter are gone, what
/// was accepted is still delivered, and then the listeners are dropped on their workers.
///
/// ```
/// use corecast::Engine;
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
///
/// let engine = Engine::builder().build()?;
/// let words = engine.signal::<&str>("words").build()?;
/// let (lengths, received) = channel();
/// let subscription = words.subscribe(move |word| drop(lengths.send(word.len())));
///
/// let mut emitter = words.emitter()?;
/// emitter.emit("signal")?;
/// emitter.emit("lane")?;
/// emitter.flush(Duration::from_secs(60))?; // the listener has finished both
/// assert_eq!(received.try_iter().collect::<Vec<_>>(), [6, 4]);
///
/// // Removed, and its sender dropped on its worker.
/// subscription.unsubscribe_and_wait(Duration::from_secs(60))?;
/// assert!(received.recv().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A listener of one kind on a signal of the other does not compile:
///
/// ```compile_fail
/// # let engine = corecast::Engine::builder().build().unwrap();
/// let sharded = engine.signal::<u64>("s").round_robin().build().unwrap();
/// let _ = sharded.subscribe(|_| {}); // subscribe_sharded
/// ```
pub struct AsyncSignal<T: Send + 'static, R = Broadcast> {
    core: Arc<SignalCore<T>>,
    route: R,
    shared: Arc<SharedLanes<T>>,
}

impl<T: Send + 'static, R: Routing<T>> AsyncSignal<T, R> {
    pub(crate) fn new(core: Arc<SignalCore<T>>, route: R) -> Self {
        Self {
            core,
            route,
            shared: Arc::new(SharedLanes::new()),
        }
    }

    /// An emitter of its own, with one lane to each worker. All slots are allocated and touched
    /// before this returns.
    ///
    /// # Errors
    ///
    /// [`EmitterError`].
    ///
    /// # Complexity
    ///
    /// Allocates `workers × capacity` slots, and wakes every worker to take its lane: once for each
    /// emitting thread, not for each event. A dropped emitter's lanes live until their workers have let go
    /// of them: where one is more than a thousand lanes behind with that, this gives it time first, a
    /// millisecond at most, unless it is called in a listener.
    pub fn emitter(&self) -> Result<Emitter<T, R>, EmitterError> {
        Emitter::new(Arc::clone(&self.core), self.route.clone())
    }

    /// Removes the listener with this key; whether there was one. Events that still wait are not
    /// delivered to it.
    pub fn unsubscribe(&self, key: &str) -> bool {
        self.core.remove_key(key)
    }

    /// Whether a listener has this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.core.contains_key(key)
    }

    /// The keys of the listeners that have one, in call order.
    #[must_use]
    pub fn keys(&self) -> Vec<Arc<str>> {
        self.core.keys()
    }

    /// Removes every listener.
    pub fn clear(&self) {
        self.core.clear();
    }

    /// Listeners, without those that are spent. A sharded listener counts once for each worker.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether there is no listener.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counters and sizes of this moment; they stay when the engine has been shut down.
    ///
    /// # Complexity
    ///
    /// Sums up the counters of every emitter and lane, under locks that no emission takes; allocates.
    ///
    /// ```
    /// let engine = corecast::Engine::builder().manual().build()?;
    /// let ticks = engine.signal::<u64>("ticks").capacity(64).build()?;
    /// let _subscription = ticks.subscribe(|_| {});
    /// let mut emitter = ticks.emitter()?;
    /// let before = ticks.metrics();
    /// (0..10).try_for_each(|tick| emitter.emit(tick))?;
    /// assert_eq!(ticks.metrics().lanes[0].depth, 10);
    /// engine.run_until_idle()?;
    /// let after = ticks.metrics();
    /// assert_eq!((after.emitted, after.delivered), (10, 10));
    /// assert_eq!((after.lanes[0].depth, after.lanes[0].high_water), (0, 10));
    /// assert_eq!(after.since(&before).error_rate, 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn metrics(&self) -> SignalMetrics {
        self.core.metrics()
    }

    #[cfg(feature = "zenoh")]
    pub(crate) fn core(&self) -> &SignalCore<T> {
        &self.core
    }

    /// The signal's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.options.name
    }
}

impl<T: Send + 'static, R: Routing<T>> AsyncSignal<T, R> {
    /// Emits an event from any thread, through the signal's shared lanes. Slower than an
    /// [`Emitter`]: several read-modify-writes on shared lines. The first call makes the lanes and
    /// allocates.
    ///
    /// For threads that emit now and then, and for listeners of other signals, which have no emitter
    /// of their own. One thread's events stay in order; there is no order between two threads, nor
    /// between this and an emitter.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands the event back with the reason.
    ///
    /// # Complexity
    ///
    /// Lock-free while lanes have room. After the first call it allocates nothing.
    ///
    /// # Memory ordering
    ///
    /// What the caller did before happens before the listeners' calls.
    pub fn emit(&self, event: T) -> Result<(), Rejected<T>>
    where
        R: Route<T>,
    {
        self.shared
            .emit(&self.core, &self.route, event, self.core.options.overflow)
    }

    /// As [`AsyncSignal::emit`], but never waits, whatever the signal's [`Overflow`].
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands the event back with the reason.
    pub fn try_emit(&self, event: T) -> Result<(), Rejected<T>>
    where
        R: Route<T>,
    {
        self.shared
            .emit(&self.core, &self.route, event, Overflow::Reject)
    }
}

impl<T: Send + 'static> AsyncSignal<T, Broadcast> {
    /// Subscribes a listener, on the worker with the fewest listeners in the engine. It is owned by
    /// that worker: no lock, no atomics. It receives every event whose emission began after this
    /// returned, and none whose emission had returned before this was called.
    ///
    /// On a signal whose engine has been shut down the subscription is inactive.
    #[track_caller]
    pub fn subscribe(&self, f: impl FnMut(&T) + Send + 'static) -> Subscription {
        self.subscribe_listener(WorkerListener::new(f), Location::caller())
    }

    /// As [`AsyncSignal::subscribe`], for a listener whose errors are faults.
    #[track_caller]
    pub fn subscribe_fallible<E: Into<BoxError>>(
        &self,
        f: impl FnMut(&T) -> Result<(), E> + Send + 'static,
    ) -> Subscription {
        self.subscribe_listener(WorkerListener::fallible(f), Location::caller())
    }

    /// As [`AsyncSignal::subscribe`], for a listener that takes whole runs of events.
    #[track_caller]
    pub fn subscribe_batch(&self, f: impl FnMut(Batch<'_, T>) + Send + 'static) -> Subscription {
        self.subscribe_listener(WorkerListener::batch(f), Location::caller())
    }

    fn subscribe_listener(
        &self,
        listener: WorkerListener<T>,
        place: &'static Location<'static>,
    ) -> Subscription {
        self.core
            .add(listener, place)
            .unwrap_or_else(|_| Subscription::inactive())
    }

    /// Adds a listener with options; see [`WorkerListener`].
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]: its key is taken or empty, the engine has no such worker or has been shut
    /// down. Nothing has changed then.
    #[track_caller]
    pub fn add(&self, listener: WorkerListener<T>) -> Result<Subscription, SubscribeError> {
        self.core.add(listener, Location::caller())
    }
}

impl<T: Send + 'static, R: Routing<T>> AsyncSignal<T, R> {
    /// Subscribes a listener on every worker, each made by `make` for its worker: an event reaches
    /// the one of the worker that it is sent to. The subscription is of all of them.
    ///
    /// ```
    /// use corecast::Engine;
    /// use std::collections::HashMap;
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    ///
    /// let engine = Engine::builder().build()?;
    /// let words = engine.signal::<String>("words").shard_by(|word: &String| word.len()).build()?;
    /// let (counts, received) = channel();
    /// let _subscription = words.subscribe_sharded(|_worker| {
    ///     let (counts, mut seen) = (counts.clone(), HashMap::new()); // of this worker alone
    ///     move |word: &String| {
    ///         let count = seen.entry(word.len()).or_insert(0);
    ///         *count += 1;
    ///         let _ = counts.send((word.len(), *count));
    ///     }
    /// });
    /// let mut emitter = words.emitter()?;
    /// emitter.emit_batch(["one", "two", "six"].map(String::from))?;
    /// emitter.flush(Duration::from_secs(60))?;
    /// assert_eq!(received.try_iter().collect::<Vec<_>>(), [(3, 1), (3, 2), (3, 3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn subscribe_sharded<F: FnMut(&T) + Send + 'static>(
        &self,
        mut make: impl FnMut(WorkerId) -> F,
    ) -> Subscription
    where
        R: OneWorker,
    {
        let make = |worker| WorkerListener::new(make(worker));
        self.core.add_everywhere(make, Location::caller())
    }

    /// As [`AsyncSignal::subscribe_sharded`], for listeners that take whole runs of events.
    #[track_caller]
    pub fn subscribe_sharded_batch<F: FnMut(Batch<'_, T>) + Send + 'static>(
        &self,
        mut make: impl FnMut(WorkerId) -> F,
    ) -> Subscription
    where
        R: OneWorker,
    {
        let make = |worker| WorkerListener::batch(make(worker));
        self.core.add_everywhere(make, Location::caller())
    }
}

impl<T: Send + 'static, R: Clone> Clone for AsyncSignal<T, R> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            route: self.route.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T: Send + 'static, R> fmt::Debug for AsyncSignal<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSignal")
            .field("name", &self.core.options.name)
            .field("listeners", &self.core.len())
            .finish_non_exhaustive()
    }
}
