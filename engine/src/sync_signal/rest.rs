//! The rest of a walk in which something other than success has come up: errors, panics, listeners
//! that were switched off or spent, and every walk of a signal with a quarantine.

use super::Delivery;
use super::core::{Core, Sync};
use crate::context::{Context, Stop};
use crate::error::{BoxError, EmitError};
use crate::fault::{Fault, FaultKind, FaultPolicy, Payload, panic_message};
use crate::listener::Meta;
use crate::listener::set::{Array, Counting, Entry, Handle, is_skipped};
use crate::walk::{discard, isolate};
use core::cell::Cell;
use std::panic::resume_unwind;

/// What a listener did other than plainly succeed, or why the walk was to stop before the next.
///
/// With a tag of a whole word, which leaves no bytes to fill from a register of the hot path.
#[repr(usize)]
pub(crate) enum Trouble {
    /// It returned this; it may only have been skipped.
    Error(BoxError),
    /// It panicked.
    Panic(Payload),
    /// The context says stop.
    Stop(Stop),
}

/// A walk from some listener on, with its counts.
pub(super) struct Rest<'a, T: ?Sized + 'static> {
    core: &'a Core<T>,
    array: &'a Array<Sync<T>>,
    counting: &'a Counting<'a>,
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
        counting: &'a Counting<'a>,
        event: &'a T,
    ) -> Self {
        Self {
            core,
            array,
            counting,
            event,
            called: Cell::new(0),
            failed: Cell::new(0),
            skipped: Cell::new(0),
            first_panic: Cell::new(None),
        }
    }

    /// Goes on behind the listener called last, which got the walk into `trouble`.
    #[cold]
    #[inline(never)]
    pub(super) fn emit(self, last: Option<&Entry<Sync<T>>>, trouble: Option<Trouble>) -> Delivery {
        self.go_on_behind(last);
        match trouble {
            // Nothing stops this walk.
            None | Some(Trouble::Stop(_)) => {}
            Some(Trouble::Error(error)) => self.on_error(error),
            Some(Trouble::Panic(payload)) => self.on_panic(payload),
        }
        isolate(
            || {
                while let Some(index) = self.next() {
                    match self.array.call(index, self.event, None) {
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
        self.counting.delivered(delivered);
        if let Some(payload) = self.first_panic.take() {
            resume_unwind(payload);
        }
        Delivery { delivered, failed }
    }

    /// As [`Rest::emit`], for a walk that stops: the listener called last may only have been skipped.
    #[cold]
    #[inline(never)]
    pub(super) fn try_emit(
        self,
        last: Option<&Entry<Sync<T>>>,
        trouble: Option<Trouble>,
        context: &Context,
    ) -> Result<Delivery, EmitError> {
        self.go_on_behind(last);
        let stopped = Cell::new(self.unless_skipped(trouble));
        isolate(
            || {
                while !self.is_stopped(&stopped) {
                    if let Err(stop) = context.check() {
                        stopped.set(Some(Trouble::Stop(stop)));
                        return;
                    }
                    let Some(index) = self.next() else { return };
                    match self.array.call(index, self.event, Some(context)) {
                        Ok(()) => self.on_success(index),
                        Err(error) => {
                            stopped.set(self.unless_skipped(Some(Trouble::Error(error))));
                        }
                    }
                }
            },
            |payload| {
                stopped.set(Some(Trouble::Panic(payload)));
                false
            },
        );
        match stopped.into_inner() {
            None => {
                let delivered = self.array.len() - self.skipped.get();
                self.counting.delivered(delivered);
                Ok(Delivery::all(delivered))
            }
            // Whoever is in the array was spent before this walk: there is no listener.
            Some(Trouble::Stop(_)) if self.called == self.skipped && self.array.live_len() == 0 => {
                Ok(Delivery::default())
            }
            Some(trouble) => Err(self.stop(trouble)),
        }
    }

    fn go_on_behind(&self, last: Option<&Entry<Sync<T>>>) {
        let called = last.map_or(0, |entry| self.array.place_of(entry) + 1);
        self.called.set(called);
    }

    /// The next listener's place, from now on the one in hand.
    fn next(&self) -> Option<usize> {
        let index = self.called.get();
        let more = index < self.array.len();
        self.called.set(index + usize::from(more));
        more.then_some(index)
    }

    fn is_stopped(&self, stopped: &Cell<Option<Trouble>>) -> bool {
        let now = stopped.take();
        let is_stopped = now.is_some();
        stopped.set(now);
        is_stopped
    }

    /// A listener that was not reached stops nothing.
    fn unless_skipped(&self, stopped: Option<Trouble>) -> Option<Trouble> {
        match stopped {
            Some(Trouble::Error(error)) if is_skipped(&error) => {
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
        self.counting.count_fault(false);
        self.report(Fault::from_error(error));
    }

    fn on_panic(&self, payload: Payload) {
        self.counting.count_fault(true);
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
    fn stop(&self, trouble: Trouble) -> EmitError {
        let reached = self.called.get() - self.skipped.get();
        let (failed, panicked) = match &trouble {
            Trouble::Stop(_) => (false, false),
            Trouble::Error(_) => (true, false),
            Trouble::Panic(_) => (true, true),
        };
        let delivered = reached - usize::from(failed);
        self.counting.delivered(delivered);
        let index = self.called.get().saturating_sub(1);
        let meta = self.array.meta(index);
        if failed {
            self.counting.count_fault(panicked);
            self.core.quarantine(meta, || self.array.handle(index));
        }
        let (id, name) = (meta.id, meta.name.clone());
        match trouble {
            Trouble::Stop(Stop::Cancelled) => EmitError::Cancelled { delivered },
            Trouble::Stop(Stop::DeadlineExceeded) => EmitError::DeadlineExceeded { delivered },
            Trouble::Error(source) => EmitError::Listener {
                id,
                name,
                index,
                delivered,
                source,
            },
            Trouble::Panic(payload) if self.core.policy == FaultPolicy::Propagate => {
                resume_unwind(payload)
            }
            Trouble::Panic(payload) => {
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
