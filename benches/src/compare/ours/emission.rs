//! Corecast's synchronous signals as contestants.

use std::rc::Rc;

use corecast::{Context, SyncEmitter, SyncSignal};
use corecast_affinity::CpuId;

use crate::compare::emit::{Emit, EmitSide};
use crate::compare::listeners::{Listeners, Refused, Subscribe, SubscribeFallible};
use crate::measure::{LapError, Side};

/// A signal being filled with a row's listeners, each as its own type.
struct Filling(SyncSignal<u64>);

impl Subscribe for Filling {
    fn subscribe<F: Fn(&u64) + Send + Sync + 'static>(&mut self, listener: F) {
        self.0.subscribe(listener).detach();
    }
}

impl SubscribeFallible for Filling {
    fn subscribe_fallible<F>(&mut self, listener: F)
    where
        F: Fn(&u64) -> Result<(), Refused> + Send + Sync + 'static,
    {
        self.0.subscribe_fallible(listener).detach();
    }
}

pub(super) fn signal(listeners: &Listeners) -> SyncSignal<u64> {
    let mut filling = Filling(SyncSignal::new());
    listeners.subscribe_to(&mut filling);
    filling.0
}

fn fallible_signal(listeners: &Listeners) -> SyncSignal<u64> {
    let mut filling = Filling(SyncSignal::new());
    listeners.subscribe_fallible_to(&mut filling);
    filling.0
}

/// `SyncEmitter::emit`.
struct Owned(SyncEmitter<u64>);

/// `SyncSignal::emit`.
struct Shared(SyncSignal<u64>);

/// `SyncEmitter::try_emit`, without a deadline.
struct Trying(SyncEmitter<u64>, Context);

impl Emit for Owned {
    fn name(&self) -> &str {
        "corecast, owned emitter"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        self.0.emit(event);
        Ok(())
    }
}

impl Emit for Shared {
    fn name(&self) -> &str {
        "corecast, shared handle"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        self.0.emit(event);
        Ok(())
    }
}

impl Emit for Trying {
    fn name(&self) -> &str {
        "corecast, try_emit"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        match self.0.try_emit(event, &self.1) {
            Ok(_) => Ok(()),
            Err(error) => Err(LapError::Side(Box::new(error))),
        }
    }
}

fn side<E: Emit + 'static>(emit: E, listeners: &Rc<Listeners>, cpu: CpuId) -> Box<dyn Side> {
    Box::new(EmitSide::new(emit, Rc::clone(listeners), cpu))
}

/// The owned emitter's `emit`.
pub(in crate::compare) fn owned(listeners: &Rc<Listeners>, cpu: CpuId) -> Box<dyn Side> {
    side(Owned(signal(listeners).emitter()), listeners, cpu)
}

/// The shared handle's `emit`.
pub(in crate::compare) fn shared(listeners: &Rc<Listeners>, cpu: CpuId) -> Box<dyn Side> {
    side(Shared(signal(listeners)), listeners, cpu)
}

/// The owned emitter's `try_emit`.
pub(super) fn trying(listeners: &Rc<Listeners>, cpu: CpuId) -> Box<dyn Side> {
    let emitter = fallible_signal(listeners).emitter();
    side(Trying(emitter, Context::none()), listeners, cpu)
}
