//! Synchronous signals: an emission calls every listener in the caller's thread.

use crate::context::{Context, Stop};
use crate::error::{BoxError, BuildError, EmitError, SubscribeError, WaitError};
use crate::fault::{Fault, FaultKind, FaultPolicy, FaultQueue, Payload, panic_message};
use crate::listener::set::{
    Array, Handle, ListenerSet, OwnedListener, Reclaimer, Record, Spec, is_skipped,
};
use crate::listener::{Listener, Meta, Options};
use crate::metrics::SignalMetrics;
use crate::subscription::{Removal, Subscription};
use crate::sync_emitter::SyncEmitter;
use crate::walk::{Depth, isolate};
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use corecast_ring::Fences;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Walks nested on one thread unless the builder says otherwise.
const REENTRANCY_LIMIT: u32 = 64;

/// What listeners of a synchronous signal are called with.
pub(crate) struct Sync<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized + 'static> Spec for Sync<T> {
    type Arg = T;
    type Ctx = Context;
    type Item = T;
    const EXCLUSIVE: bool = false;
}

/// How many listeners an emission reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Listeners that ran and succeeded.
    pub delivered: usize,
    /// Listeners that returned an error or panicked.
    pub failed: usize,
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
pub struct SyncSignal<T: ?Sized + 'static> {
    core: Arc<Core<T>>,
}

pub(crate) struct Core<T: ?Sized + 'static> {
    pub(crate) set: Arc<ListenerSet<Sync<T>>>,
    policy: FaultPolicy,
    limit: u32,
    faults: Arc<SignalFaults>,
}

/// A signal's fault queue and the name that its faults carry.
struct SignalFaults {
    signal: Option<Arc<str>>,
    queue: FaultQueue,
}

impl SignalFaults {
    fn push(&self, mut fault: Box<Fault>) {
        fault.signal.clone_from(&self.signal);
        self.queue.push(fault);
    }
}

/// Why a `try_emit` walk stopped, while the walk is still held.
enum Stopped {
    Context(Stop),
    Error(usize, BoxError),
    Panic(usize, Payload),
}

impl<T: ?Sized + 'static> Core<T> {
    /// Every listener runs.
    #[inline(always)]
    pub(crate) fn emit(&self, array: &Array<Sync<T>>, record: &Record, event: &T) -> Delivery {
        let len = array.len();
        if len == 0 {
            return Delivery::default();
        }
        let Some(_depth) = Depth::enter(self.limit) else {
            return self.refuse_emit();
        };
        let next = Cell::new(0);
        let tally = Tally::default();
        let quarantine = matches!(self.policy, FaultPolicy::Quarantine { .. });
        let mut first_panic = None;
        isolate(
            || {
                while next.get() < len {
                    let index = next.get();
                    next.set(index + 1);
                    match array.call(index, event, Context::detached()) {
                        Ok(()) if quarantine => array.meta(index).forget_faults(),
                        Ok(()) => {}
                        Err(error) => self.on_error(array, record, &tally, index, event, error),
                    }
                }
            },
            |payload| {
                let index = next.get() - 1;
                self.on_panic(
                    array,
                    record,
                    &tally,
                    index,
                    event,
                    payload,
                    &mut first_panic,
                );
                true
            },
        );
        let failed = tally.failed.get();
        let delivered = len - failed - tally.skipped.get();
        record.count_delivered(delivered);
        if let Some(payload) = first_panic {
            std::panic::resume_unwind(payload);
        }
        Delivery { delivered, failed }
    }

    /// The walk stops at the first error, panic, cancellation or passed deadline.
    #[inline(always)]
    pub(crate) fn try_emit(
        &self,
        array: &Array<Sync<T>>,
        record: &Record,
        event: &T,
        context: &Context,
    ) -> Result<Delivery, EmitError> {
        let len = array.len();
        if len == 0 {
            return Ok(Delivery::default());
        }
        let Some(_depth) = Depth::enter(self.limit) else {
            return Err(EmitError::ReentrancyLimit { delivered: 0 });
        };
        let next = Cell::new(0);
        let skipped = Cell::new(0);
        let quarantine = matches!(self.policy, FaultPolicy::Quarantine { .. });
        let stopped = Cell::new(None);
        isolate(
            || {
                loop {
                    if let Err(stop) = context.check() {
                        stopped.set(Some(Stopped::Context(stop)));
                        return;
                    }
                    let index = next.get();
                    if index == len {
                        return;
                    }
                    next.set(index + 1);
                    match array.call(index, event, context) {
                        Ok(()) if quarantine => array.meta(index).forget_faults(),
                        Ok(()) => {}
                        Err(error) if is_skipped(&error) => skipped.set(skipped.get() + 1),
                        Err(error) => {
                            stopped.set(Some(Stopped::Error(index, error)));
                            return;
                        }
                    }
                }
            },
            |payload| {
                stopped.set(Some(Stopped::Panic(next.get() - 1, payload)));
                false
            },
        );
        match stopped.into_inner() {
            None => {
                let delivered = len - skipped.get();
                record.count_delivered(delivered);
                Ok(Delivery {
                    delivered,
                    failed: 0,
                })
            }
            Some(stopped) => Err(self.stop(array, record, next.get() - skipped.get(), stopped)),
        }
    }

    /// The error of a `try_emit` that stopped with `reached` listeners called.
    #[cold]
    fn stop(
        &self,
        array: &Array<Sync<T>>,
        record: &Record,
        reached: usize,
        stopped: Stopped,
    ) -> EmitError {
        let (index, failed, panicked) = match &stopped {
            Stopped::Context(_) => (None, 0, false),
            Stopped::Error(index, _) => (Some(*index), 1, false),
            Stopped::Panic(index, _) => (Some(*index), 1, true),
        };
        let delivered = reached - failed;
        record.count_delivered(delivered);
        if let Some(index) = index {
            record.count_fault(panicked);
            self.quarantine(array.meta(index), || array.handle(index));
        }
        match stopped {
            Stopped::Context(Stop::Cancelled) => EmitError::Cancelled { delivered },
            Stopped::Context(Stop::DeadlineExceeded) => EmitError::DeadlineExceeded { delivered },
            Stopped::Error(index, source) => {
                let meta = array.meta(index);
                let (id, name) = (meta.id, meta.name.clone());
                EmitError::Listener {
                    id,
                    name,
                    index,
                    delivered,
                    source,
                }
            }
            Stopped::Panic(_, payload) if self.policy == FaultPolicy::Propagate => {
                std::panic::resume_unwind(payload)
            }
            Stopped::Panic(index, payload) => {
                let meta = array.meta(index);
                let (id, name, message) = (meta.id, meta.name.clone(), panic_message(&*payload));
                crate::walk::discard(payload);
                EmitError::Panicked {
                    id,
                    name,
                    index,
                    delivered,
                    message,
                }
            }
        }
    }

    #[cold]
    fn refuse_emit(&self) -> Delivery {
        let message = format!(
            "{} walks are nested on this thread: emit refused",
            self.limit
        );
        self.faults
            .push(Fault::new(FaultKind::ReentrancyLimit, message));
        Delivery::default()
    }

    #[cold]
    fn on_error(
        &self,
        array: &Array<Sync<T>>,
        record: &Record,
        tally: &Tally,
        index: usize,
        event: &T,
        error: BoxError,
    ) {
        if is_skipped(&error) {
            tally.skipped.set(tally.skipped.get() + 1);
            return;
        }
        tally.failed.set(tally.failed.get() + 1);
        record.count_fault(false);
        let meta = array.meta(index);
        let mut fault = Fault::from_error(error).of_listener(meta.info());
        fault.event = meta.render(event);
        self.faults.push(fault);
        self.quarantine(meta, || array.handle(index));
    }

    #[cold]
    #[expect(clippy::too_many_arguments, reason = "everything a fault is made of")]
    fn on_panic(
        &self,
        array: &Array<Sync<T>>,
        record: &Record,
        tally: &Tally,
        index: usize,
        event: &T,
        payload: Payload,
        first: &mut Option<Payload>,
    ) {
        tally.failed.set(tally.failed.get() + 1);
        record.count_fault(true);
        let meta = array.meta(index);
        let propagate = self.policy == FaultPolicy::Propagate && first.is_none();
        let mut fault = if propagate {
            // The payload goes to the caller; the fault keeps its text.
            let fault = Fault::new(FaultKind::Panic, panic_message(&*payload));
            *first = Some(payload);
            fault
        } else {
            Fault::from_panic(FaultKind::Panic, payload)
        };
        fault.event = meta.render(event);
        self.faults.push(fault.of_listener(meta.info()));
        self.quarantine(meta, || array.handle(index));
    }

    /// Counts a fault under a quarantine and removes the listener when there were enough in a row.
    fn quarantine(&self, meta: &Meta<T>, handle: impl FnOnce() -> Handle) {
        let FaultPolicy::Quarantine { after } = self.policy else {
            return;
        };
        if meta.count_fault() >= after && self.set.remove(handle()) {
            let message = format!("removed after {after} faults in a row");
            let fault = Fault::new(FaultKind::Quarantined, message);
            self.faults.push(fault.of_listener(meta.info()));
        }
    }

    pub(crate) fn metrics(&self) -> SignalMetrics {
        let totals = self.set.totals();
        let (retired_arrays, retired_bytes) = self.set.retired();
        SignalMetrics {
            name: self.faults.signal.clone(),
            emitted: totals.emitted,
            accepted: totals.emitted,
            delivered: totals.delivered,
            failed: totals.failed,
            panicked: totals.panicked,
            listeners: self.set.len(),
            retired_arrays,
            bytes: size_of::<Self>() + self.set.bytes() + retired_bytes,
            ..SignalMetrics::at_this_moment()
        }
    }
}

/// What went wrong in a walk, beside the hot path.
#[derive(Default)]
struct Tally {
    failed: Cell<usize>,
    skipped: Cell<usize>,
}

impl<T: ?Sized + 'static> SyncSignal<T> {
    /// A signal without listeners, with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build_defaults()
    }

    /// A signal with options.
    pub fn builder() -> SyncSignalBuilder<T> {
        SyncSignalBuilder {
            name: None,
            fault_policy: FaultPolicy::default(),
            reentrancy_limit: REENTRANCY_LIMIT,
            fences: Fences::default(),
            event: PhantomData,
        }
    }

    /// Subscribes a listener that cannot fail. Every emission that starts after this returns calls
    /// it; a walk already under way does not.
    ///
    /// # Complexity
    ///
    /// Copies the listener array: linear, two allocations. Use [`SyncSignal::add_many`] for many.
    #[track_caller]
    pub fn subscribe(&self, f: impl Fn(&T) + Send + core::marker::Sync + 'static) -> Subscription {
        self.subscribe_call(Location::caller(), move |event, _| {
            f(event);
            Ok(())
        })
    }

    /// Subscribes a listener that may return an error: a fault to `emit`, the end of the walk to
    /// `try_emit`.
    #[track_caller]
    pub fn subscribe_fallible<E: Into<BoxError>>(
        &self,
        f: impl Fn(&T) -> Result<(), E> + Send + core::marker::Sync + 'static,
    ) -> Subscription {
        self.subscribe_call(Location::caller(), move |event, _| {
            f(event).map_err(Into::into)
        })
    }

    fn subscribe_call(
        &self,
        place: &'static Location<'static>,
        call: impl Fn(&T, &Context) -> Result<(), BoxError> + Send + core::marker::Sync + 'static,
    ) -> Subscription {
        let meta = Meta::new(Options::default(), place);
        // A listener without a key cannot be refused.
        self.add_built(vec![OwnedListener::shared(meta, call)])
            .ok()
            .and_then(|mut subscriptions| subscriptions.pop())
            .unwrap_or_else(Subscription::inactive)
    }

    /// Adds a listener with options.
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

    /// Removes the listener with this key; whether there was one.
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

    /// Removes every listener.
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
    /// Under [`FaultPolicy::Propagate`] alone: with the first listener's panic, after the walk.
    ///
    /// # Complexity
    ///
    /// One epoch pin, then one indirect call for each listener. Wait-free but for the listeners;
    /// a thread's first emission on a signal registers it and allocates.
    #[inline]
    pub fn emit(&self, event: &T) -> Delivery {
        let walk = self.core.set.walk_shared();
        self.core.emit(&walk, walk.record(), event)
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
    /// Under [`FaultPolicy::Propagate`] alone: with the listener's panic, at once.
    #[inline]
    pub fn try_emit(&self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        let walk = self.core.set.walk_shared();
        self.core.try_emit(&walk, walk.record(), event, context)
    }

    /// The fast path: a handle for one thread at a time, which emits without a read-modify-write.
    #[must_use]
    pub fn emitter(&self) -> SyncEmitter<T> {
        SyncEmitter::new(Arc::clone(&self.core))
    }

    /// Counters and sizes of this moment.
    #[must_use]
    pub fn metrics(&self) -> SignalMetrics {
        self.core.metrics()
    }

    /// The signal's faults.
    #[must_use]
    pub fn faults(&self) -> &FaultQueue {
        &self.core.faults.queue
    }

    /// Waits until every array retired and every listener removed (or spent) before the call has
    /// been dropped. A `timeout` of zero looks once; `Duration::MAX` waits for ever.
    ///
    /// # Errors
    ///
    /// As [`WaitError`] says.
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
            .field("name", &self.core.faults.signal)
            .field("listeners", &self.len())
            .finish_non_exhaustive()
    }
}

/// Options of a [`SyncSignal`].
#[derive(Debug)]
#[must_use = "a builder does nothing until build()"]
pub struct SyncSignalBuilder<T: ?Sized + 'static> {
    name: Option<Arc<str>>,
    fault_policy: FaultPolicy,
    reentrancy_limit: u32,
    fences: Fences,
    event: PhantomData<fn(&T)>,
}

impl<T: ?Sized + 'static> SyncSignalBuilder<T> {
    /// A name for faults and metrics.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A hint that is accepted and not needed: listener arrays are exact in size and replaced as a
    /// whole, so there is nothing to reserve. [`SyncSignal::add_many`] is what makes adding many
    /// cheap.
    pub fn capacity(self, _listeners: usize) -> Self {
        self
    }

    /// What happens to a listener that panics or errs.
    pub fn fault_policy(mut self, policy: FaultPolicy) -> Self {
        self.fault_policy = policy;
        self
    }

    /// How many walks may be nested on one thread; 64 unless told.
    pub fn reentrancy_limit(mut self, limit: u32) -> Self {
        self.reentrancy_limit = limit;
        self
    }

    /// Which fences emitters and removers use.
    pub fn fences(mut self, fences: Fences) -> Self {
        self.fences = fences;
        self
    }

    /// Makes the signal.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for a quarantine after 0 faults and a reentrancy limit of 0.
    pub fn build(self) -> Result<SyncSignal<T>, BuildError> {
        if self.fault_policy == (FaultPolicy::Quarantine { after: 0 }) {
            Err(BuildError::QuarantineAfterZero)
        } else if self.reentrancy_limit == 0 {
            Err(BuildError::ReentrancyLimitZero)
        } else {
            Ok(self.build_defaults())
        }
    }

    fn build_defaults(self) -> SyncSignal<T> {
        let faults = Arc::new(SignalFaults {
            signal: self.name,
            queue: FaultQueue::new(),
        });
        let on_drop = {
            let faults = Arc::clone(&faults);
            move |info, payload| {
                let fault = Fault::from_panic(FaultKind::ListenerDrop, payload);
                faults.push(fault.of_listener(info));
            }
        };
        let set = ListenerSet::new(self.fences.resolve(), Reclaimer::Anyone, on_drop);
        let core = Core {
            set: Arc::new(set),
            policy: self.fault_policy,
            limit: self.reentrancy_limit,
            faults,
        };
        SyncSignal {
            core: Arc::new(core),
        }
    }
}
