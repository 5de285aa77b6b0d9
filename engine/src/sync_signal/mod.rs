//! Synchronous signals: an emission calls every listener in the caller's thread.

mod builder;
mod core;
mod rest;
mod walks;

pub use self::builder::SyncSignalBuilder;
pub(crate) use self::core::{Core, Sync};
pub(crate) use self::walks::{Emit, TryEmit};

use crate::context::Context;
use crate::error::{BoxError, EmitError, SubscribeError, WaitError};
use crate::fault::FaultQueue;
use crate::listener::set::{ListenerSet, OwnedListener};
use crate::listener::{Listener, Meta, Options};
use crate::metrics::SignalMetrics;
use crate::subscription::{Removal, Subscription};
use crate::sync_emitter::SyncEmitter;
use ::core::fmt;
use ::core::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How many listeners an emission reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Listeners that ran and succeeded.
    pub delivered: usize,
    /// Listeners that returned an error or panicked.
    pub failed: usize,
}

impl Delivery {
    /// Every listener ran and succeeded.
    #[inline(always)]
    pub(crate) fn all(delivered: usize) -> Self {
        Self {
            delivered,
            failed: 0,
        }
    }
}

/// A signal whose listeners run in the thread that emits.
///
/// Cloning it makes another handle on the same signal. Handles are `Send` and `Sync` for every
/// `T`: an event never leaves its thread.
///
/// ```
/// use corecast::SyncSignal;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let total = Arc::new(AtomicU64::new(0));
/// let signal = SyncSignal::<u64>::new();
/// let subscription = signal.subscribe({
///     let total = total.clone();
///     move |n| { total.fetch_add(*n, Ordering::Relaxed); }
/// });
/// assert_eq!(signal.emit(&5).delivered, 1);
/// drop(subscription); // removes the listener
/// assert_eq!(signal.emit(&5).delivered, 0);
/// assert_eq!(total.load(Ordering::Relaxed), 5);
/// ```
///
/// For one thread that emits often, [`SyncSignal::emitter`] gives a faster handle.
///
/// # Memory
///
/// On targets with 64-bit pointers a listener holds 16 bytes in the listener array, which has 24 of its
/// own and is exact in size, and a block of 128 bytes and what its closure captures; where it is alone
/// there is no other array than the one in that block. A key and a name have their text in blocks of
/// their own. An empty signal holds less than 5 KiB, most of it its epoch
/// collector's; an emitter less than 512 bytes; each thread that has emitted through a shared handle, or
/// removed a listener, less than 3 KiB until it ends, or meets another signal after this one is gone.
/// (Asserted in `tests/sync_allocations.rs`.)
///
/// A change copies the array. The former one, and listeners removed with it, are kept until the walks
/// that may be following it have ended: [`SignalMetrics::retired_arrays`] of them.
pub struct SyncSignal<T: ?Sized + 'static> {
    core: Arc<Core<T>>,
}

impl<T: ?Sized + 'static> SyncSignal<T> {
    /// A signal without listeners, with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build_defaults()
    }

    /// A signal with options.
    pub fn builder() -> SyncSignalBuilder<T> {
        SyncSignalBuilder::new()
    }

    /// Subscribes a listener that cannot fail. Every emission that starts after this returns calls
    /// it; a walk already under way does not.
    ///
    /// # Complexity
    ///
    /// Copies the listener array: linear, two allocations. Use [`SyncSignal::add_many`] for many.
    ///
    /// # Memory ordering
    ///
    /// What the caller did before happens before the listener's calls.
    #[track_caller]
    pub fn subscribe(
        &self,
        f: impl Fn(&T) + Send + ::core::marker::Sync + 'static,
    ) -> Subscription {
        self.subscribe_call(Location::caller(), move |event, _| {
            f(event);
            Ok(())
        })
    }

    /// Subscribes a listener that may return an error: a fault to `emit`, the end of the walk to
    /// `try_emit`.
    ///
    /// ```
    /// use corecast::{Context, SyncSignal};
    ///
    /// let signal = SyncSignal::<u64>::new();
    /// let even = |n: &u64| if n % 2 == 0 { Ok(()) } else { Err(format!("{n} is odd")) };
    /// let _subscription = signal.subscribe_fallible(even);
    /// assert_eq!(signal.emit(&3).failed, 1);
    /// assert!(signal.try_emit(&3, &Context::none()).is_err());
    /// assert!(signal.try_emit(&4, &Context::none()).is_ok());
    /// ```
    #[track_caller]
    pub fn subscribe_fallible<E: Into<BoxError>>(
        &self,
        f: impl Fn(&T) -> Result<(), E> + Send + ::core::marker::Sync + 'static,
    ) -> Subscription {
        self.subscribe_call(Location::caller(), move |event, _| {
            f(event).map_err(Into::into)
        })
    }

    fn subscribe_call(
        &self,
        place: &'static Location<'static>,
        call: impl Fn(&T, Option<&Context>) -> Result<(), BoxError>
        + Send
        + ::core::marker::Sync
        + 'static,
    ) -> Subscription {
        let meta = Meta::new(Options::default(), place);
        // A listener without a key cannot be refused.
        self.add_built(vec![OwnedListener::<Sync<T>>::shared(meta, call)])
            .ok()
            .and_then(|mut subscriptions| subscriptions.pop())
            .unwrap_or_else(Subscription::inactive)
    }

    /// Adds a listener with options; see [`Listener`].
    ///
    /// # Errors
    ///
    /// [`SubscribeError::DuplicateKey`] when any listener of this signal has its key,
    /// [`SubscribeError::EmptyKey`]; nothing has changed then.
    #[track_caller]
    pub fn add(&self, listener: Listener<T>) -> Result<Subscription, SubscribeError> {
        let mut added = self.add_built(vec![listener.build(Location::caller())])?;
        Ok(added.pop().unwrap_or_else(Subscription::inactive))
    }

    /// Adds listeners with one array swap: all or, on an error, none.
    ///
    /// # Errors
    ///
    /// As [`SyncSignal::add`].
    ///
    /// # Complexity
    ///
    /// Linear in the listeners there are and those added (plus sorting by priority).
    ///
    /// ```
    /// use corecast::{Listener, SyncSignal};
    ///
    /// let signal = SyncSignal::<u64>::new();
    /// let keyed = |key: &str| Listener::new(|_| {}).key(key);
    /// let added = signal.add_many(["a", "b", "c"].map(keyed))?;
    /// assert_eq!((added.len(), signal.len()), (3, 3));
    /// // "b" is taken, so "d" is not added either.
    /// assert!(signal.add_many(["d", "b"].map(keyed)).is_err());
    /// assert!(!signal.contains_key("d"));
    /// # Ok::<(), corecast::SubscribeError>(())
    /// ```
    #[track_caller]
    pub fn add_many(
        &self,
        listeners: impl IntoIterator<Item = Listener<T>>,
    ) -> Result<Vec<Subscription>, SubscribeError> {
        let place = Location::caller();
        self.add_built(
            listeners
                .into_iter()
                .map(|listener| listener.build(place))
                .collect(),
        )
    }

    fn add_built(
        &self,
        listeners: Vec<OwnedListener<Sync<T>>>,
    ) -> Result<Vec<Subscription>, SubscribeError> {
        let handles = self.core.set.add(listeners)?;
        let set: Weak<ListenerSet<Sync<T>>> = Arc::downgrade(&self.core.set);
        let subscribe = |handle| {
            let set: Weak<dyn Removal> = set.clone();
            Subscription::new(set, handle, self.core.set.readers())
        };
        Ok(handles.into_iter().map(subscribe).collect())
    }

    /// Removes the listener with this key; whether there was one. As
    /// [`Subscription::unsubscribe`] otherwise.
    ///
    /// ```
    /// use corecast::{Listener, SyncSignal};
    ///
    /// let signal = SyncSignal::<u64>::new();
    /// signal.add(Listener::new(|_| {}).key("audit"))?.detach();
    /// signal.add(Listener::new(|_| {}).key("risk").priority(1))?.detach();
    /// assert_eq!(signal.keys().iter().map(|key| &**key).collect::<Vec<_>>(), ["risk", "audit"]);
    /// assert!(signal.unsubscribe("audit"));
    /// assert!(!signal.unsubscribe("audit"));
    /// # Ok::<(), corecast::SubscribeError>(())
    /// ```
    pub fn unsubscribe(&self, key: &str) -> bool {
        self.core.set.remove_key(key)
    }

    /// Whether a listener has this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.core.set.contains_key(key)
    }

    /// The keys of the listeners that have one, in call order.
    #[must_use]
    pub fn keys(&self) -> Vec<Arc<str>> {
        let mut keys = Vec::new();
        self.core.set.for_each(|meta| keys.extend(meta.key.clone()));
        keys
    }

    /// Removes every listener, with one array swap. Counters go on counting.
    pub fn clear(&self) {
        self.core.set.clear();
    }

    /// Listeners, without those that are spent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.set.len()
    }

    /// Whether there is no listener.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls every listener with `event`, in order, in this thread. An error or a panic is counted
    /// and reported as a fault, and the walk goes on.
    ///
    /// # Panics
    ///
    /// Under [`FaultPolicy::Propagate`](crate::FaultPolicy::Propagate) alone: with the first
    /// listener's panic, after the walk.
    ///
    /// # Complexity
    ///
    /// A word of the thread's own and an epoch pin, then one indirect call for each listener.
    /// Wait-free but for the listeners, and for an emission that kept a remover waiting for long,
    /// which reclaims what it was in the way of. A thread's first emission on a signal registers it
    /// and allocates.
    ///
    /// # Memory ordering
    ///
    /// Listeners run in this thread, between the call and its return.
    ///
    /// ```
    /// let signal = corecast::SyncSignal::<u64>::new();
    /// let _one = signal.subscribe_fallible(|_| Err::<(), _>("no"));
    /// let _two = signal.subscribe(|_| {});
    /// let delivery = signal.emit(&1);
    /// assert_eq!((delivery.delivered, delivery.failed), (1, 1));
    /// ```
    #[inline(always)]
    pub fn emit(&self, event: &T) -> Delivery {
        let (core, set) = (&self.core, &self.core.set);
        match core.plain().and_then(|fence| set.known_here(fence)) {
            Some(known) => set.walk_shared_hot(known, Emit::new(core, event)),
            None => self.emit_anyhow(event),
        }
    }

    /// As [`SyncSignal::emit`]: the first time on a thread, within another walk, or on a signal that
    /// has no hot path.
    #[inline(never)]
    fn emit_anyhow(&self, event: &T) -> Delivery {
        self.core.set.walk_shared(Emit::new(&self.core, event))
    }

    /// As [`SyncSignal::emit`], but stops at the first error or panic, and when `context` is
    /// cancelled or its deadline passes, which is checked before each listener and after the last.
    /// What listeners did before is not undone.
    ///
    /// # Errors
    ///
    /// [`EmitError`]: what stopped the walk, and how many listeners had run.
    ///
    /// # Panics
    ///
    /// Under [`FaultPolicy::Propagate`](crate::FaultPolicy::Propagate) alone: with the listener's
    /// panic, at once.
    ///
    /// # Complexity
    ///
    /// As [`SyncSignal::emit`], and before each listener a look at the cancellation and, only if
    /// there is a deadline, at the clock.
    ///
    /// ```
    /// use corecast::{Context, EmitError, Listener, SyncSignal};
    /// use std::time::Duration;
    ///
    /// let orders = SyncSignal::<u64>::new();
    /// let limit = |size: &u64| if *size > 100 { Err("too large") } else { Ok(()) };
    /// let _risk = orders.add(Listener::fallible(limit).priority(1))?;
    /// let _book = orders.subscribe(|_| {}); // sees only what the first has let through
    ///
    /// let within = || Context::with_timeout(Duration::from_secs(60));
    /// assert_eq!(orders.try_emit(&50, &within()).map(|done| done.delivered).ok(), Some(2));
    /// let refused = orders.try_emit(&500, &within());
    /// assert!(matches!(refused, Err(EmitError::Listener { index: 0, delivered: 0, .. })));
    /// # Ok::<(), corecast::SubscribeError>(())
    /// ```
    #[inline(always)]
    pub fn try_emit(&self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        let (core, set) = (&self.core, &self.core.set);
        match core.plain().and_then(|fence| set.known_here(fence)) {
            Some(known) => set.walk_shared_hot(known, TryEmit::new(core, event, context)),
            None => self.try_emit_anyhow(event, context),
        }
    }

    #[inline(never)]
    fn try_emit_anyhow(&self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        let walk = TryEmit::new(&self.core, event, context);
        self.core.set.walk_shared(walk)
    }

    /// The fast path: a handle for one thread at a time, which emits without a read-modify-write.
    /// Making one allocates; keep it for as long as its thread emits.
    #[must_use]
    pub fn emitter(&self) -> SyncEmitter<T> {
        SyncEmitter::new(Arc::clone(&self.core))
    }

    /// Counters and sizes of this moment.
    ///
    /// # Complexity
    ///
    /// Sums up the counters of every emitter and emitting thread, under locks that no emission
    /// takes; allocates.
    #[must_use]
    pub fn metrics(&self) -> SignalMetrics {
        self.core.metrics()
    }

    /// The signal's faults.
    #[must_use]
    pub fn faults(&self) -> &FaultQueue {
        self.core.faults()
    }

    /// Waits until every array retired and every listener removed (or spent) before the call has
    /// been dropped. A `timeout` of zero looks once; `Duration::MAX` waits for ever.
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldDeadlock`] inside any walk or drain of this thread,
    /// [`WaitError::Timeout`], [`WaitError::Unsupported`].
    ///
    /// # Complexity
    ///
    /// Blocks until every walk that began before is over.
    ///
    /// ```
    /// use corecast::SyncSignal;
    /// use std::time::Duration;
    ///
    /// let signal = SyncSignal::<u64>::new();
    /// drop(signal.subscribe(|_| {}));
    /// signal.quiesce(Duration::from_secs(60))?;
    /// assert_eq!(signal.metrics().retired_arrays, 0);
    /// # Ok::<(), corecast::WaitError>(())
    /// ```
    pub fn quiesce(&self, timeout: Duration) -> Result<(), WaitError> {
        self.core.set.quiesce(timeout)
    }
}

impl<T: ?Sized + 'static> Clone for SyncSignal<T> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
        }
    }
}

impl<T: ?Sized + 'static> Default for SyncSignal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized + 'static> fmt::Debug for SyncSignal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSignal")
            .field("name", &self.core.name())
            .field("listeners", &self.len())
            .finish_non_exhaustive()
    }
}
