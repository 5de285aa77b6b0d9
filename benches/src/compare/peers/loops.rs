//! What people write instead of a signal: a loop over boxed closures, bare or behind whatever lets
//! other threads change the list meanwhile.

#![expect(
    unsafe_code,
    reason = "crossbeam-epoch hands out pointers, not references"
)]

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use crossbeam_epoch::{Atomic, Owned, pin};
use parking_lot::RwLock;

use crate::compare::emit::Emit;
use crate::compare::listeners::{FallibleListener, Listener, Refused};
use crate::measure::LapError;

use std::sync::atomic::Ordering;

/// A loop over boxed closures and nothing else. Nobody can change the list while it is emitted to.
pub struct Bare(pub Vec<Listener>);

/// A loop over fallible boxed closures that stops at the first error.
pub struct BareFallible(pub Vec<FallibleListener>);

/// A bare loop over a list that is loaded under an epoch pin: what any emission from a shared handle
/// must do at least. The default collector and its thread-local handle, as `pin()` has them.
pub struct UnderEpoch(Atomic<Vec<Listener>>);

/// A bare loop over a list in an `ArcSwap`, borrowed with `load`, which shares no reference count.
pub struct UnderArcSwap(ArcSwap<Vec<Listener>>);

/// The same through an arc-swap `Cache`, which keeps the list and only checks that it is current.
/// Needs a handle per emitter, as an owned emitter does.
pub struct UnderArcSwapCache(Cache<Arc<ArcSwap<Vec<Listener>>>, Arc<Vec<Listener>>>);

/// The classic design: a `parking_lot` lock around the list, held for reading while it is walked.
/// Faster than cloning the list's `Arc` under the lock, at the price that a listener cannot
/// subscribe.
pub struct UnderRwLock(RwLock<Vec<Listener>>);

/// Calls each listener in turn.
#[inline(always)]
fn call_all(listeners: &[Listener], event: &u64) {
    for listener in listeners {
        listener(event);
    }
}

impl Emit for Bare {
    fn name(&self) -> &str {
        "bare loop"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        call_all(&self.0, event);
        Ok(())
    }
}

impl Emit for BareFallible {
    fn name(&self) -> &str {
        "bare loop"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        for listener in &self.0 {
            listener(event).map_err(refused)?;
        }
        Ok(())
    }
}

#[cold]
fn refused(error: Refused) -> LapError {
    LapError::Side(error.into())
}

impl UnderEpoch {
    /// These listeners, in an epoch-managed list.
    #[must_use]
    pub fn new(listeners: Vec<Listener>) -> Self {
        Self(Atomic::new(listeners))
    }
}

impl Emit for UnderEpoch {
    fn name(&self) -> &str {
        "epoch pin, load, bare loop"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        let guard = pin();
        let list = self.0.load(Ordering::Acquire, &guard);
        // SAFETY: the pointer was made by `Atomic::new` and is never null; the list is dropped by
        // `Drop` alone, which has the only reference to this value.
        let listeners = unsafe { list.deref() };
        call_all(listeners, event);
        Ok(())
    }
}

impl Drop for UnderEpoch {
    fn drop(&mut self) {
        let list = std::mem::replace(&mut self.0, Atomic::null());
        // SAFETY: no reference to the list outlives an `emit`, and none runs while it is dropped.
        let list: Owned<Vec<Listener>> = unsafe { list.into_owned() };
        drop(list);
    }
}

impl UnderArcSwap {
    /// These listeners, in a list that can be swapped.
    #[must_use]
    pub fn new(listeners: Vec<Listener>) -> Self {
        Self(ArcSwap::from_pointee(listeners))
    }
}

impl Emit for UnderArcSwap {
    fn name(&self) -> &str {
        "arc-swap load"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        call_all(&self.0.load(), event);
        Ok(())
    }
}

impl UnderArcSwapCache {
    /// These listeners, in a list that can be swapped, and this emitter's cache of it.
    #[must_use]
    pub fn new(listeners: Vec<Listener>) -> Self {
        Self(Cache::new(Arc::new(ArcSwap::from_pointee(listeners))))
    }
}

impl Emit for UnderArcSwapCache {
    fn name(&self) -> &str {
        "arc-swap cache"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        call_all(self.0.load(), event);
        Ok(())
    }
}

impl UnderRwLock {
    /// These listeners, in a locked list.
    #[must_use]
    pub fn new(listeners: Vec<Listener>) -> Self {
        Self(RwLock::new(listeners))
    }
}

impl Emit for UnderRwLock {
    fn name(&self) -> &str {
        "rwlock held"
    }

    #[inline(always)]
    fn emit(&mut self, event: &u64) -> Result<(), LapError> {
        call_all(&self.0.read(), event);
        Ok(())
    }
}

/// Shows how many listeners there are: closures show nothing themselves.
macro_rules! debug_by_name {
    ($($emit:ty),*) => {$(
        impl std::fmt::Debug for $emit {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(self.name()).finish_non_exhaustive()
            }
        }
    )*};
}

debug_by_name!(
    Bare,
    BareFallible,
    UnderEpoch,
    UnderArcSwap,
    UnderArcSwapCache,
    UnderRwLock
);
