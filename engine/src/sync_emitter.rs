//! The owned emitter of a synchronous signal.

use crate::context::Context;
use crate::error::EmitError;
use crate::listener::set::OwnedReader;
use crate::sync_signal::{Core, Delivery, Emit, Sync, TryEmit};
use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;

/// The fast path of a [`SyncSignal`](crate::SyncSignal): one thread at a time emits, with
/// `&mut self`, without a read-modify-write and, after its first emission, without allocating.
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
    /// Keeps the type from being `Sync`.
    single_writer: PhantomData<core::cell::Cell<()>>,
}

impl<T: ?Sized + 'static> SyncEmitter<T> {
    pub(crate) fn new(core: Arc<Core<T>>) -> Self {
        let reader = OwnedReader::new(Arc::clone(&core.set));
        Self {
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
    /// listener. Wait-free but for the listeners. Its first emission in a thread may allocate, and an
    /// emission that kept a remover waiting for long reclaims what it was in the way of; no other
    /// allocates or frees.
    #[inline(always)]
    pub fn emit(&mut self, event: &T) -> Delivery {
        self.reader.take(Emit::new(&self.core, event))
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
        self.reader.take(TryEmit::new(&self.core, event, context))
    }
}

impl<T: ?Sized + 'static> fmt::Debug for SyncEmitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncEmitter")
            .field("listeners", &self.core.set.len())
            .finish_non_exhaustive()
    }
}
