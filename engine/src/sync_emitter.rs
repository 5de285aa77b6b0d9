//! The owned emitter of a synchronous signal.

use crate::context::Context;
use crate::error::EmitError;
use crate::listener::set::{OpenWalk, OwnedReader};
use crate::sync_signal::{Core, Delivery, Sync, Trouble, call_all, try_all};
use core::fmt;
use core::marker::PhantomData;
use corecast_ring::FreeFence;
use std::sync::Arc;

/// The fast path of a [`SyncSignal`](crate::SyncSignal): one thread at a time emits, with
/// `&mut self`, without a read-modify-write and without allocating.
///
/// `Send`, not `Sync`, not `Clone`: make one for each emitting thread. It may outlive the signal's
/// other handles. An idle emitter holds nobody up.
///
/// ```
/// let signal = corecast::SyncSignal::<u64>::new();
/// let _subscription = signal.subscribe(|_| {});
/// let mut emitter = signal.emitter();
/// assert_eq!(emitter.emit(&1).delivered, 1);
/// ```
pub struct SyncEmitter<T: ?Sized + 'static> {
    core: Arc<Core<T>>,
    reader: OwnedReader<Sync<T>>,
    /// The signal has a hot path, and its light fence is free.
    plain: Option<FreeFence>,
    /// Keeps the type from being `Sync`.
    single_writer: PhantomData<core::cell::Cell<()>>,
}

impl<T: ?Sized + 'static> SyncEmitter<T> {
    pub(crate) fn new(core: Arc<Core<T>>) -> Self {
        let reader = OwnedReader::new(Arc::clone(&core.set));
        Self {
            plain: core.plain(),
            core,
            reader,
            single_writer: PhantomData,
        }
    }

    /// As [`SyncSignal::emit`](crate::SyncSignal::emit).
    ///
    /// # Panics
    ///
    /// Under [`FaultPolicy::Propagate`](crate::FaultPolicy::Propagate) alone.
    ///
    /// # Complexity
    ///
    /// A few plain stores and loads to begin and end the walk, then one indirect call for each
    /// listener. Wait-free but for the listeners; never allocates.
    #[inline(always)]
    pub fn emit(&mut self, event: &T) -> Delivery {
        let Some(fence) = self.plain.filter(|_| self.reader.is_at_home()) else {
            return self.emit_anyhow(event);
        };
        let walk = self.reader.open(fence);
        match call_all(walk.array, event) {
            Ok(()) => {
                let delivered = walk.array.len();
                walk.close(delivered);
                Delivery::all(delivered)
            }
            Err(trouble) => emit_rest(&self.core, walk, event, trouble),
        }
    }

    /// As [`SyncEmitter::emit`]: first here, or on a signal that has no hot path.
    #[inline(never)]
    fn emit_anyhow(&mut self, event: &T) -> Delivery {
        self.reader.move_in();
        let walk = self.reader.walk();
        self.core.emit(&walk, walk.record(), event)
    }

    /// As [`SyncSignal::try_emit`](crate::SyncSignal::try_emit).
    ///
    /// # Errors
    ///
    /// [`EmitError`]: what stopped the walk, and how many listeners had run.
    ///
    /// # Panics
    ///
    /// Under [`FaultPolicy::Propagate`](crate::FaultPolicy::Propagate) alone.
    #[inline(always)]
    pub fn try_emit(&mut self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        let Some(fence) = self.plain.filter(|_| self.reader.is_at_home()) else {
            return self.try_emit_anyhow(event, context);
        };
        let walk = self.reader.open(fence);
        match try_all(walk.array, event, context) {
            Ok(()) => {
                let delivered = walk.array.len();
                walk.close(delivered);
                Ok(Delivery::all(delivered))
            }
            Err(trouble) => try_emit_rest(&self.core, walk, event, context, trouble),
        }
    }

    #[inline(never)]
    fn try_emit_anyhow(&mut self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        self.reader.move_in();
        let walk = self.reader.walk();
        self.core.try_emit(&walk, walk.record(), event, context)
    }
}

#[cold]
#[inline(never)]
fn emit_rest<T: ?Sized + 'static>(
    core: &Core<T>,
    walk: OpenWalk<'_, Sync<T>>,
    event: &T,
    trouble: (usize, Trouble),
) -> Delivery {
    let walk = walk.guarded();
    core.emit_rest(&walk, walk.record(), event, trouble)
}

#[cold]
#[inline(never)]
fn try_emit_rest<T: ?Sized + 'static>(
    core: &Core<T>,
    walk: OpenWalk<'_, Sync<T>>,
    event: &T,
    context: &Context,
    trouble: (usize, Trouble),
) -> Result<Delivery, EmitError> {
    let walk = walk.guarded();
    core.try_emit_rest(&walk, walk.record(), event, context, trouble)
}

impl<T: ?Sized + 'static> fmt::Debug for SyncEmitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncEmitter")
            .field("listeners", &self.core.set.len())
            .finish_non_exhaustive()
    }
}
