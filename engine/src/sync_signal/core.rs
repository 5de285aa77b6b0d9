//! What the handles of a synchronous signal share, and the walk as it goes when nothing goes wrong.
//!
//! An emission's common case is a straight loop over the array under one unwind guard: a store that
//! says which listener is being called, the call, a look at its outcome. The first outcome that is
//! not plain success (an error, a panic, a listener that was switched off) leaves that loop for the
//! careful walk in `rest.rs`, which goes on behind it; so does, from the start, a signal with a
//! quarantine, where successes count too.

use super::Delivery;
use super::rest::{Rest, Stopped, Walked};
use crate::context::Context;
use crate::error::EmitError;
use crate::fault::{Fault, FaultKind, FaultPolicy, FaultQueue};
use crate::listener::set::{Array, ListenerSet, Record, Spec};
use crate::metrics::SignalMetrics;
use crate::walk::{Depth, guarded};
use core::cell::Cell;
use core::marker::PhantomData;
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

impl<T: ?Sized + 'static> Core<T> {
    pub(super) fn new(
        set: ListenerSet<Sync<T>>,
        policy: FaultPolicy,
        limit: u32,
        faults: Arc<SignalFaults>,
    ) -> Self {
        Self {
            set: Arc::new(set),
            policy,
            careful: matches!(policy, FaultPolicy::Quarantine { .. }),
            limit,
            faults,
        }
    }

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
        // Listeners called so far, the one in hand included: kept where a panic cannot take it.
        let called = Cell::new(0);
        let walked: Walked = if self.careful {
            Ok(Ok(()))
        } else {
            guarded(|| {
                for (before, entry) in array.entries().iter().enumerate() {
                    called.set(before + 1);
                    entry.call(event, Context::detached())?;
                }
                Ok(())
            })
        };
        if called.get() == len && matches!(walked, Ok(Ok(()))) {
            record.count_delivered(len);
            return Delivery {
                delivered: len,
                failed: 0,
            };
        }
        Rest::new(self, array, record, event).emit(called.get(), walked)
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
        let called = Cell::new(0);
        let stopped: Option<Stopped> = if self.careful {
            None
        } else {
            // A deadline is there from the start or never; a token may come at any time.
            let timed = context.deadline().is_some();
            let walk = || {
                for (before, entry) in array.entries().iter().enumerate() {
                    context.check_timed(timed).map_err(Stopped::Context)?;
                    called.set(before + 1);
                    entry.call(event, context).map_err(Stopped::Error)?;
                }
                context.check_timed(timed).map_err(Stopped::Context)
            };
            match guarded(walk) {
                Ok(Ok(())) => {
                    record.count_delivered(len);
                    return Ok(Delivery {
                        delivered: len,
                        failed: 0,
                    });
                }
                Ok(Err(stopped)) => Some(stopped),
                Err(payload) => Some(Stopped::Panic(payload)),
            }
        };
        Rest::new(self, array, record, event).try_emit(called.get(), stopped, context)
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
