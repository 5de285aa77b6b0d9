//! Building a synchronous signal.

use super::SyncSignal;
use super::core::{Core, SignalFaults};
use crate::error::BuildError;
use crate::fault::{Fault, FaultKind, FaultPolicy};
use crate::listener::set::{HOT_DEPTH, ListenerSet, Reclaimer};
use core::marker::PhantomData;
use corecast_ring::Fences;
use std::sync::Arc;

/// Walks nested on one thread unless the builder says otherwise.
const REENTRANCY_LIMIT: u32 = HOT_DEPTH;

/// Options of a [`SyncSignal`].
///
/// ```
/// use corecast::{FaultPolicy, SyncSignal};
///
/// let orders = SyncSignal::<u64>::builder()
///     .name("orders") // for faults and metrics
///     .fault_policy(FaultPolicy::Quarantine { after: 10 })
///     .reentrancy_limit(8)
///     .build()?;
/// assert_eq!(orders.metrics().name.as_deref(), Some("orders"));
/// assert!(SyncSignal::<u64>::builder().reentrancy_limit(0).build().is_err());
/// # Ok::<(), corecast::BuildError>(())
/// ```
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
    pub(super) fn new() -> Self {
        Self {
            name: None,
            fault_policy: FaultPolicy::default(),
            reentrancy_limit: REENTRANCY_LIMIT,
            fences: Fences::default(),
            event: PhantomData,
        }
    }

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

    /// What happens to a listener that panics or errs; [`FaultPolicy::Isolate`] unless told.
    pub fn fault_policy(mut self, policy: FaultPolicy) -> Self {
        self.fault_policy = policy;
        self
    }

    /// How many walks may be nested on one thread; 64 unless told. With fewer the depth is looked at in
    /// each emission, which then takes some nanoseconds more.
    pub fn reentrancy_limit(mut self, limit: u32) -> Self {
        self.reentrancy_limit = limit;
        self
    }

    /// Which fences emitters and removers use; [`Fences::Asymmetric`] unless told, where a removal
    /// interrupts the process's other running threads for a moment.
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

    pub(super) fn build_defaults(self) -> SyncSignal<T> {
        let faults = Arc::new(SignalFaults::new(self.name));
        let on_drop = {
            let faults = Arc::clone(&faults);
            move |info, payload| {
                let fault = Fault::from_panic(FaultKind::ListenerDrop, payload);
                faults.push(fault.of_listener(info));
            }
        };
        let set = ListenerSet::new(self.fences.resolve(), Reclaimer::Anyone, on_drop);
        let core = Core::new(set, self.fault_policy, self.reentrancy_limit, faults);
        SyncSignal {
            core: Arc::new(core),
        }
    }
}
