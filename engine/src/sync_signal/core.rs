//! What the handles of a synchronous signal share.

use super::Delivery;
use crate::context::Context;
use crate::fault::{Fault, FaultKind, FaultPolicy, FaultQueue};
use crate::listener::set::{HOT_DEPTH, ListenerSet, Spec};
use crate::metrics::SignalMetrics;
use core::marker::PhantomData;
use corecast_ring::FreeFence;
use std::sync::Arc;

/// What listeners of a synchronous signal are called with.
pub(crate) struct Sync<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized + 'static> Spec for Sync<T> {
    type Arg = T;
    /// None of an `emit`, whose listeners see one that nothing can cancel: the address of that would be
    /// a load at each call.
    type Ctx<'a> = Option<&'a Context>;
    type Item = T;
    const EXCLUSIVE: bool = false;
}

pub(crate) struct Core<T: ?Sized + 'static> {
    pub(crate) set: Arc<ListenerSet<Sync<T>>>,
    pub(super) policy: FaultPolicy,
    /// Successes are of interest too: every walk is a careful one.
    pub(super) careful: bool,
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
            plain: set
                .fences()
                .free()
                .filter(|_| !careful && limit >= HOT_DEPTH),
            set: Arc::new(set),
            limit,
            faults,
        }
    }

    /// What the hot path is given, where there is one: the light fence is free, successes are of no
    /// interest, and walks may be nested as deep as that path goes.
    pub(crate) fn plain(&self) -> Option<FreeFence> {
        self.plain
    }

    #[cold]
    #[inline(never)]
    pub(super) fn refuse_emit(&self) -> Delivery {
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
