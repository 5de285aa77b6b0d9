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
use crate::error::EmitError;
use crate::fault::{Fault, FaultKind, FaultPolicy, FaultQueue};
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
    walk(array, each, |entry| call(entry, event))
}

/// As [`call_all`], for many listeners.
pub(crate) fn call_many<'a, T: ?Sized + 'static>(
    array: &'a Array<Sync<T>>,
    event: &T,
) -> Result<(), InTrouble<'a, T>> {
    walk(array, each_of_many, |entry| call(entry, event))
}

/// As [`call_all`], looking at `context` before each listener and after the last.
#[inline(always)]
pub(crate) fn try_all<'a, T: ?Sized + 'static>(
    array: &'a Array<Sync<T>>,
    event: &T,
    context: &Context,
) -> Result<(), InTrouble<'a, T>> {
    let timed = check_first(array, context)?;
    walk(array, each, |entry| {
        call_and_check(entry, event, context, timed)
    })
}

/// As [`try_all`], for many listeners.
pub(crate) fn try_many<'a, T: ?Sized + 'static>(
    array: &'a Array<Sync<T>>,
    event: &T,
    context: &Context,
) -> Result<(), InTrouble<'a, T>> {
    let timed = check_first(array, context)?;
    let step = |entry: &_| call_and_check(entry, event, context, timed);
    walk(array, each_of_many, step)
}

/// Calls a listener; what came up, if it did not plainly succeed.
#[inline(always)]
fn call<T: ?Sized + 'static>(entry: &Entry<Sync<T>>, event: &T) -> Option<Trouble> {
    let outcome = entry.call(event, Context::detached());
    outcome.err().map(Trouble::Error)
}

/// As [`call`], looking at `context` after that.
#[inline(always)]
fn call_and_check<T: ?Sized + 'static>(
    entry: &Entry<Sync<T>>,
    event: &T,
    context: &Context,
    timed: bool,
) -> Option<Trouble> {
    if let Err(error) = entry.call(event, context) {
        return Some(Trouble::Error(error));
    }
    context.check_timed(timed).err().map(Trouble::Stop)
}

/// Looks at `context` before the first listener, if there is one. Whether there is a deadline: it is
/// there from the start or never, where a token may come at any time.
#[inline(always)]
fn check_first<'a, T: ?Sized + 'static>(
    array: &Array<Sync<T>>,
    context: &Context,
) -> Result<bool, InTrouble<'a, T>> {
    let timed = context.deadline().is_some();
    if array.len() > 0
        && let Err(stop) = context.check_timed(timed)
    {
        return Err((None, Trouble::Stop(stop)));
    }
    Ok(timed)
}

/// Takes the entries of an array, as `each` does, through `step` under one unwind guard, up to the
/// first that gets into trouble.
#[inline(always)]
fn walk<'a, T: ?Sized + 'static, Step>(
    array: &'a Array<Sync<T>>,
    each: impl FnOnce(&'a [Entry<Sync<T>>], &mut &'a Entry<Sync<T>>, Step) -> Option<Trouble>,
    step: Step,
) -> Result<(), InTrouble<'a, T>> {
    let entries = array.entries();
    // Kept where a panic cannot take it along.
    let Some(mut in_hand) = entries.first() else {
        return Ok(());
    };
    match guarded(|| each(entries, &mut in_hand, step)) {
        Ok(None) => Ok(()),
        Ok(Some(trouble)) => Err((Some(in_hand), trouble)),
        Err(payload) => Err((Some(in_hand), Trouble::Panic(payload))),
    }
}

/// One after the other.
#[inline(always)]
fn each<'a, E>(
    entries: &'a [E],
    in_hand: &mut &'a E,
    step: impl Fn(&E) -> Option<Trouble>,
) -> Option<Trouble> {
    for entry in entries {
        *in_hand = entry;
        let trouble = step(entry);
        if trouble.is_some() {
            return trouble;
        }
    }
    None
}

/// Four at a time: fewer branches stand between the calls, and each of the four has a target
/// prediction of its own, which makes a hundred listeners twice as fast.
#[inline(always)]
fn each_of_many<'a, E>(
    entries: &'a [E],
    in_hand: &mut &'a E,
    step: impl Fn(&E) -> Option<Trouble>,
) -> Option<Trouble> {
    let (fours, rest) = entries.as_chunks::<4>();
    for four in fours {
        for entry in four {
            *in_hand = entry;
            let trouble = step(entry);
            if trouble.is_some() {
                return trouble;
            }
        }
    }
    each(rest, in_hand, step)
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
        match try_many(array, event, context) {
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
