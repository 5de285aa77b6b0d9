//! The owned emitter of a synchronous signal.

use crate::context::Context;
use crate::error::EmitError;
use crate::listener::set::{Array, OwnedReader};
use crate::sync_signal::{
    Core, Delivery, FEW, InTrouble, Sync, call_all, call_many, try_all, try_many,
};
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
        let Some(walk) = self.reader.open() else {
            return self.emit_anyhow(event);
        };
        if walk.array.len() > FEW {
            let (array, number) = (walk.array, walk.number);
            return emit_many(&self.core, walk.reader, array, number, event);
        }
        match call_all(walk.array, event) {
            Ok(()) => {
                let delivered = walk.array.len();
                walk.close();
                Delivery::all(delivered)
            }
            Err(trouble) => {
                let (array, number) = (walk.array, walk.number);
                emit_rest(&self.core, walk.reader, array, number, event, trouble)
            }
        }
    }

    /// As [`SyncEmitter::emit`]: first here, or on a signal that has no hot path.
    #[inline(never)]
    fn emit_anyhow(&mut self, event: &T) -> Delivery {
        self.move_in();
        let core = &self.core;
        self.reader
            .walk_counted(|array, counting| core.emit(array, counting, event))
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
        let Some(walk) = self.reader.open() else {
            return self.try_emit_anyhow(event, context);
        };
        if walk.array.len() > FEW {
            let (array, number) = (walk.array, walk.number);
            return try_emit_many(&self.core, walk.reader, array, number, event, context);
        }
        match try_all(walk.array, event, context) {
            Ok(()) => {
                let delivered = walk.array.len();
                walk.close();
                Ok(Delivery::all(delivered))
            }
            Err(trouble) => {
                let (array, number) = (walk.array, walk.number);
                try_emit_rest(
                    &self.core,
                    walk.reader,
                    array,
                    number,
                    event,
                    context,
                    trouble,
                )
            }
        }
    }

    fn move_in(&mut self) {
        if let Some(fence) = self.core.plain() {
            self.reader.move_in(fence);
        }
    }

    #[inline(never)]
    fn try_emit_anyhow(&mut self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        self.move_in();
        let core = &self.core;
        self.reader
            .walk_counted(|array, counting| core.try_emit(array, counting, event, context))
    }
}

#[inline(never)]
fn emit_many<T: ?Sized + 'static>(
    core: &Arc<Core<T>>,
    reader: &OwnedReader<Sync<T>>,
    array: &Array<Sync<T>>,
    number: u64,
    event: &T,
) -> Delivery {
    match call_many(array, event) {
        Ok(()) => {
            let delivered = array.len();
            reader.close(number);
            Delivery::all(delivered)
        }
        Err(trouble) => emit_rest(core, reader, array, number, event, trouble),
    }
}

#[cold]
#[inline(never)]
fn emit_rest<T: ?Sized + 'static>(
    core: &Arc<Core<T>>,
    reader: &OwnedReader<Sync<T>>,
    array: &Array<Sync<T>>,
    number: u64,
    event: &T,
    trouble: InTrouble<'_, T>,
) -> Delivery {
    reader.guarded(array, number, |array, counting| {
        core.emit_rest(array, counting, event, trouble)
    })
}

#[inline(never)]
fn try_emit_many<T: ?Sized + 'static>(
    core: &Arc<Core<T>>,
    reader: &OwnedReader<Sync<T>>,
    array: &Array<Sync<T>>,
    number: u64,
    event: &T,
    context: &Context,
) -> Result<Delivery, EmitError> {
    match try_many(array, event, context) {
        Ok(()) => {
            let delivered = array.len();
            reader.close(number);
            Ok(Delivery::all(delivered))
        }
        Err(trouble) => try_emit_rest(core, reader, array, number, event, context, trouble),
    }
}

#[cold]
#[inline(never)]
fn try_emit_rest<T: ?Sized + 'static>(
    core: &Arc<Core<T>>,
    reader: &OwnedReader<Sync<T>>,
    array: &Array<Sync<T>>,
    number: u64,
    event: &T,
    context: &Context,
    trouble: InTrouble<'_, T>,
) -> Result<Delivery, EmitError> {
    reader.guarded(array, number, |array, counting| {
        core.try_emit_rest(array, counting, event, context, trouble)
    })
}

impl<T: ?Sized + 'static> fmt::Debug for SyncEmitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncEmitter")
            .field("listeners", &self.core.set.len())
            .finish_non_exhaustive()
    }
}
