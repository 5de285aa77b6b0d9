//! The rest of a walk in which something other than success has come up: errors, panics, listeners
//! that were switched off or spent, and every walk of a signal with a quarantine.

use super::Delivery;
use super::core::{Core, Sync};
use crate::context::{Context, Stop};
use crate::error::{BoxError, EmitError};
use crate::fault::{Fault, FaultKind, FaultPolicy, Payload, panic_message};
use crate::listener::Meta;
use crate::listener::set::{Array, Handle, Outcome, Record, is_skipped};
use crate::walk::{discard, isolate};
use core::cell::Cell;

/// How the common walk ended: with the outcome of the last listener that it called, or its panic.
pub(super) type Walked = Result<Outcome, Payload>;

/// Why a `try_emit` walk stopped, while the walk is still held.
pub(super) enum Stopped {
    Context(Stop),
    /// The listener called last returned this.
    Error(BoxError),
    /// The listener called last panicked.
    Panic(Payload),
}

/// A walk from some listener on, with its counts.
pub(super) struct Rest<'a, T: ?Sized + 'static> {
    core: &'a Core<T>,
    array: &'a Array<Sync<T>>,
    record: &'a Record,
    event: &'a T,
    /// Listeners called so far, the one in hand included.
    called: Cell<usize>,
    failed: Cell<usize>,
    skipped: Cell<usize>,
    /// What [`FaultPolicy::Propagate`] resumes.
    first_panic: Cell<Option<Payload>>,
}

impl<'a, T: ?Sized + 'static> Rest<'a, T> {
    #[inline(always)]
    pub(super) fn new(
        core: &'a Core<T>,
        array: &'a Array<Sync<T>>,
        record: &'a Record,
        event: &'a T,
    ) -> Self {
        Self {
            core,
            array,
            record,
            event,
            called: Cell::new(0),
            failed: Cell::new(0),
            skipped: Cell::new(0),
            first_panic: Cell::new(None),
        }
    }

    /// Goes on behind listener `called - 1`, for which the walk stopped with `walked`.
    #[cold]
    #[inline(never)]
    pub(super) fn emit(self, called: usize, walked: Walked) -> Delivery {
        self.called.set(called);
        match walked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.on_error(error),
            Err(payload) => self.on_panic(payload),
        }
        isolate(
            || {
                while let Some(index) = self.next() {
                    match self.array.call(index, self.event, Context::detached()) {
                        Ok(()) => self.on_success(index),
                        Err(error) => self.on_error(error),
                    }
                }
            },
            |payload| {
                self.on_panic(payload);
                true
            },
        );
        let failed = self.failed.get();
        let delivered = self.array.len() - failed - self.skipped.get();
        self.record.count_delivered(delivered);
        if let Some(payload) = self.first_panic.take() {
            std::panic::resume_unwind(payload);
        }
        Delivery { delivered, failed }
    }

    /// As [`Rest::emit`], for a walk that stops: the listener called last may only have been skipped.
    #[cold]
    #[inline(never)]
    pub(super) fn try_emit(
        self,
        called: usize,
        stopped: Option<Stopped>,
        context: &Context,
    ) -> Result<Delivery, EmitError> {
        self.called.set(called);
        let stopped = Cell::new(self.unless_skipped(stopped));
        isolate(
            || {
                while !self.is_stopped(&stopped) {
                    if let Err(stop) = context.check() {
                        stopped.set(Some(Stopped::Context(stop)));
                        return;
                    }
                    let Some(index) = self.next() else { return };
                    match self.array.call(index, self.event, context) {
                        Ok(()) => self.on_success(index),
                        Err(error) => {
                            stopped.set(self.unless_skipped(Some(Stopped::Error(error))));
                        }
                    }
                }
            },
            |payload| {
                stopped.set(Some(Stopped::Panic(payload)));
                false
            },
        );
        match stopped.into_inner() {
            None => {
                let delivered = self.array.len() - self.skipped.get();
                self.record.count_delivered(delivered);
                Ok(Delivery {
                    delivered,
                    failed: 0,
                })
            }
            Some(stopped) => Err(self.stop(stopped)),
        }
    }

    /// The next listener's place, from now on the one in hand.
    fn next(&self) -> Option<usize> {
        let index = self.called.get();
        let more = index < self.array.len();
        self.called.set(index + usize::from(more));
        more.then_some(index)
    }

    fn is_stopped(&self, stopped: &Cell<Option<Stopped>>) -> bool {
        let now = stopped.take();
        let is_stopped = now.is_some();
        stopped.set(now);
        is_stopped
    }

    /// A listener that was not reached stops nothing.
    fn unless_skipped(&self, stopped: Option<Stopped>) -> Option<Stopped> {
        match stopped {
            Some(Stopped::Error(error)) if is_skipped(&error) => {
                self.skipped.set(self.skipped.get() + 1);
                None
            }
            stopped => stopped,
        }
    }

    fn on_success(&self, index: usize) {
        if let FaultPolicy::Quarantine { .. } = self.core.policy {
            self.array.meta(index).forget_faults();
        }
    }

    fn on_error(&self, error: BoxError) {
        if is_skipped(&error) {
            self.skipped.set(self.skipped.get() + 1);
            return;
        }
        self.record.count_fault(false);
        self.report(Fault::from_error(error));
    }

    fn on_panic(&self, payload: Payload) {
        self.record.count_fault(true);
        let first = self.first_panic.take();
        let fault = if self.core.policy == FaultPolicy::Propagate && first.is_none() {
            // The payload goes to the caller; the fault keeps its text.
            let fault = Fault::new(FaultKind::Panic, panic_message(&*payload));
            self.first_panic.set(Some(payload));
            fault
        } else {
            self.first_panic.set(first);
            Fault::from_panic(FaultKind::Panic, payload)
        };
        self.report(fault);
    }

    /// Reports a fault of the listener in hand.
    fn report(&self, mut fault: Box<Fault>) {
        self.failed.set(self.failed.get() + 1);
        let index = self.called.get() - 1;
        let meta = self.array.meta(index);
        fault.event = meta.render(self.event);
        self.core.faults.push(fault.of_listener(meta.info()));
        self.core.quarantine(meta, || self.array.handle(index));
    }

    /// The error of a `try_emit` that stopped.
    fn stop(&self, stopped: Stopped) -> EmitError {
        let reached = self.called.get() - self.skipped.get();
        let (failed, panicked) = match &stopped {
            Stopped::Context(_) => (false, false),
            Stopped::Error(_) => (true, false),
            Stopped::Panic(_) => (true, true),
        };
        let delivered = reached - usize::from(failed);
        self.record.count_delivered(delivered);
        let index = self.called.get().saturating_sub(1);
        let meta = self.array.meta(index);
        if failed {
            self.record.count_fault(panicked);
            self.core.quarantine(meta, || self.array.handle(index));
        }
        let (id, name) = (meta.id, meta.name.clone());
        match stopped {
            Stopped::Context(Stop::Cancelled) => EmitError::Cancelled { delivered },
            Stopped::Context(Stop::DeadlineExceeded) => EmitError::DeadlineExceeded { delivered },
            Stopped::Error(source) => EmitError::Listener {
                id,
                name,
                index,
                delivered,
                source,
            },
            Stopped::Panic(payload) if self.core.policy == FaultPolicy::Propagate => {
                std::panic::resume_unwind(payload)
            }
            Stopped::Panic(payload) => {
                let message = panic_message(&*payload);
                discard(payload);
                EmitError::Panicked {
                    id,
                    name,
                    index,
                    delivered,
                    message,
                }
            }
        }
    }
}

impl<T: ?Sized + 'static> Core<T> {
    /// Counts a fault under a quarantine and removes the listener when there were enough in a row.
    fn quarantine(&self, meta: &Meta<T>, handle: impl FnOnce() -> Handle) {
        let FaultPolicy::Quarantine { after } = self.policy else {
            return;
        };
        if meta.count_fault() >= after && self.set.remove(handle()) {
            let message = format!("removed after {after} faults in a row");
            let fault = Fault::new(FaultKind::Quarantined, message);
            self.faults.push(fault.of_listener(meta.info()));
        }
    }
}
