//! What the handles of a synchronous signal share, and the walk as it goes when nothing goes wrong.
//!
//! An emission's common case is a straight loop over the array under one unwind guard: a store that
//! says which listener is being called, the call, a look at its outcome. The first outcome that is
//! not plain success (an error, a panic, a listener that was switched off) leaves that loop for the
//! careful walk in `rest.rs`, which goes on behind it; so does, from the start, a signal with a
//! quarantine, where successes count too.

use super::Delivery;
use super::rest::{Rest, Trouble};
use crate::context::Context;
use crate::error::{BoxError, EmitError};
use crate::fault::{Fault, FaultKind, FaultPolicy, FaultQueue, Payload};
use crate::listener::set::{Array, Counting, Entry, ListenerSet, Spec};
use crate::metrics::SignalMetrics;
use crate::walk::{Depth, guarded};
use core::marker::PhantomData;
use corecast_ring::FreeFence;
use std::sync::Arc;

/// What listeners of a synchronous signal are called with.
pub(crate) struct Sync<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized + 'static> Spec for Sync<T> {
    type Arg = T;
    type Ctx = Context;
    type Item = T;
    const EXCLUSIVE: bool = false;
}

pub(crate) struct Core<T: ?Sized + 'static> {
    pub(crate) set: Arc<ListenerSet<Sync<T>>>,
    pub(super) policy: FaultPolicy,
    /// Successes are of interest too: every walk is a careful one.
    careful: bool,
    /// See [`Core::plain`].
    plain: Option<FreeFence>,
    pub(super) limit: u32,
    pub(super) faults: Arc<SignalFaults>,
}

/// A signal's fault queue and the name that its faults carry.
pub(super) struct SignalFaults {
    signal: Option<Arc<str>>,
    queue: FaultQueue,
}

impl SignalFaults {
    pub(super) fn new(signal: Option<Arc<str>>) -> Self {
        Self {
            signal,
            queue: FaultQueue::new(),
        }
    }

    pub(super) fn push(&self, mut fault: Box<Fault>) {
        fault.signal.clone_from(&self.signal);
        self.queue.push(fault);
    }
}

/// Listeners up to which a walk is a plain loop in the code of whoever emits.
pub(crate) const FEW: usize = 16;

/// Where a walk got into trouble: the entry that was called last, if one was, and what came up.
pub(crate) type InTrouble<'a, T> = (Option<&'a Entry<Sync<T>>>, Trouble);

/// Calls every listener, up to the first that does not plainly succeed.
///
/// The walk keeps two pointers at hand and nothing else: whatever would have to be put away for the
/// length of a call is a store, and stores are what an emission costs.
#[inline(always)]
pub(crate) fn call_all<'a, T: ?Sized + 'static>(
    array: &'a Array<Sync<T>>,
    event: &T,
) -> Result<(), InTrouble<'a, T>> {
    let Some(mut in_hand) = array.entries().first() else {
        return Ok(());
    };
    let walked = guarded(|| {
        for entry in array.entries() {
            in_hand = entry;
            if let Err(error) = entry.call(event, Context::detached()) {
                return Some(error);
            }
        }
        None
    });
    ended(walked, in_hand)
}

/// As [`call_all`], four at a time: fewer branches stand between the calls, and each of the four has
/// a target prediction of its own.
pub(crate) fn call_many<'a, T: ?Sized + 'static>(
    array: &'a Array<Sync<T>>,
    event: &T,
) -> Result<(), InTrouble<'a, T>> {
    let Some(mut in_hand) = array.entries().first() else {
        return Ok(());
    };
    let walked = guarded(|| {
        let (fours, rest) = array.entries().as_chunks::<4>();
        for four in fours {
            for entry in four {
                in_hand = entry;
                if let Err(error) = entry.call(event, Context::detached()) {
                    return Some(error);
                }
            }
        }
        for entry in rest {
            in_hand = entry;
            if let Err(error) = entry.call(event, Context::detached()) {
                return Some(error);
            }
        }
        None
    });
    ended(walked, in_hand)
}

/// How a walk ended that nothing but trouble stops.
#[inline(always)]
fn ended<'a, T: ?Sized + 'static>(
    walked: Result<Option<BoxError>, Payload>,
    in_hand: &'a Entry<Sync<T>>,
) -> Result<(), InTrouble<'a, T>> {
    match walked {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err((Some(in_hand), Trouble::Error(error))),
        Err(payload) => Err((Some(in_hand), Trouble::Panic(payload))),
    }
}

/// As [`call_all`], looking at `context` before each listener and after the last.
#[inline(always)]
pub(crate) fn try_all<'a, T: ?Sized + 'static>(
    array: &'a Array<Sync<T>>,
    event: &T,
    context: &Context,
) -> Result<(), InTrouble<'a, T>> {
    // A deadline is there from the start or never; a token may come at any time.
    let timed = context.deadline().is_some();
    let Some(mut in_hand) = array.entries().first() else {
        return Ok(());
    };
    if let Err(stop) = context.check_timed(timed) {
        return Err((None, Trouble::Stop(stop)));
    }
    let walked = guarded(|| {
        for entry in array.entries() {
            in_hand = entry;
            if let Err(error) = entry.call(event, context) {
                return Some(Ok(error));
            }
            if let Err(stop) = context.check_timed(timed) {
                return Some(Err(stop));
            }
        }
        None
    });
    match walked {
        Ok(None) => Ok(()),
        Ok(Some(Ok(error))) => Err((Some(in_hand), Trouble::Error(error))),
        Ok(Some(Err(stop))) => Err((Some(in_hand), Trouble::Stop(stop))),
        Err(payload) => Err((Some(in_hand), Trouble::Panic(payload))),
    }
}

impl<T: ?Sized + 'static> Core<T> {
    pub(super) fn new(
        set: ListenerSet<Sync<T>>,
        policy: FaultPolicy,
        limit: u32,
        faults: Arc<SignalFaults>,
    ) -> Self {
        let careful = matches!(policy, FaultPolicy::Quarantine { .. });
        Self {
            policy,
            careful,
            plain: set.fences().free().filter(|_| !careful),
            set: Arc::new(set),
            limit,
            faults,
        }
    }

    /// What the hot path is given, where there is one: the light fence is free, and successes are of
    /// no interest.
    pub(crate) fn plain(&self) -> Option<FreeFence> {
        self.plain
    }

    /// Every listener runs.
    pub(crate) fn emit(
        &self,
        array: &Array<Sync<T>>,
        counting: &Counting<'_>,
        event: &T,
    ) -> Delivery {
        if array.len() == 0 {
            return Delivery::default();
        }
        let Some(_depth) = Depth::enter(self.limit, counting.announced()) else {
            return self.refuse_emit();
        };
        let rest = Rest::new(self, array, counting, event);
        if self.careful {
            return rest.emit(None, None);
        }
        match call_many(array, event) {
            Ok(()) => {
                counting.delivered(array.len());
                Delivery::all(array.len())
            }
            Err((last, trouble)) => rest.emit(last, Some(trouble)),
        }
    }

    /// As [`Core::emit`], for a walk of the hot path that has come this far.
    pub(crate) fn emit_rest(
        &self,
        array: &Array<Sync<T>>,
        counting: &Counting<'_>,
        event: &T,
        (last, trouble): InTrouble<'_, T>,
    ) -> Delivery {
        Rest::new(self, array, counting, event).emit(last, Some(trouble))
    }

    /// The walk stops at the first error, panic, cancellation or passed deadline.
    pub(crate) fn try_emit(
        &self,
        array: &Array<Sync<T>>,
        counting: &Counting<'_>,
        event: &T,
        context: &Context,
    ) -> Result<Delivery, EmitError> {
        if array.len() == 0 {
            return Ok(Delivery::default());
        }
        let Some(_depth) = Depth::enter(self.limit, counting.announced()) else {
            return Err(EmitError::ReentrancyLimit { delivered: 0 });
        };
        let rest = Rest::new(self, array, counting, event);
        if self.careful {
            return rest.try_emit(None, None, context);
        }
        match try_all(array, event, context) {
            Ok(()) => {
                counting.delivered(array.len());
                Ok(Delivery::all(array.len()))
            }
            Err((last, trouble)) => rest.try_emit(last, Some(trouble), context),
        }
    }

    /// As [`Core::try_emit`], for a walk of the hot path that has come this far.
    pub(crate) fn try_emit_rest(
        &self,
        array: &Array<Sync<T>>,
        counting: &Counting<'_>,
        event: &T,
        context: &Context,
        (last, trouble): InTrouble<'_, T>,
    ) -> Result<Delivery, EmitError> {
        Rest::new(self, array, counting, event).try_emit(last, Some(trouble), context)
    }

    #[cold]
    #[inline(never)]
    fn refuse_emit(&self) -> Delivery {
        let message = format!(
            "{} walks are nested on this thread: emit refused",
            self.limit
        );
        self.faults
            .push(Fault::new(FaultKind::ReentrancyLimit, message));
        Delivery::default()
    }

    pub(super) fn faults(&self) -> &FaultQueue {
        &self.faults.queue
    }

    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.faults.signal.as_ref()
    }

    pub(crate) fn metrics(&self) -> SignalMetrics {
        let totals = self.set.totals();
        let (retired_arrays, retired_bytes) = self.set.retired();
        SignalMetrics {
            name: self.name().cloned(),
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
