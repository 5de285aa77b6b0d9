//! The long way of a run through the listeners: whatever [`Run::deliver`] does not do, or has stopped at.

use super::post::Join;
use super::run::{Place, Run, Stopped};
use crate::engine::worker_shared::ABANDONED;
use crate::error::BoxError;
use crate::fault::{Fault, FaultKind, FaultPolicy, Payload};
use crate::listener::set::is_skipped;
use crate::walk::isolate;
use core::cell::Cell;

/// A run that may be anything. Everything that a panic must not take along is in cells, so that
/// [`Delivery::go`] carries on where it stopped.
pub(super) struct Delivery<'a, T: Send + 'static> {
    run: Run<'a, T>,
    place: &'a Place,
    ready: usize,
    joins: &'a [Join],
    quarantine: bool,
    /// The engine has been abandoned: no further call begins.
    cut: Cell<bool>,
    /// `step` is being worked on.
    in_call: Cell<bool>,
    /// Where the call in progress began.
    from: Cell<usize>,
    /// Listeners `begin..end` that take events in turn: one alone takes the whole run at once, as
    /// does a batch listener.
    segment: Cell<(usize, usize)>,
    delivered: Cell<usize>,
}

impl<'a, T: Send + 'static> Delivery<'a, T> {
    pub(super) fn new(run: Run<'a, T>, place: &'a Place, joins: &'a [Join], ready: usize) -> Self {
        Self {
            run,
            place,
            ready,
            joins,
            quarantine: matches!(run.core.options.policy, FaultPolicy::Quarantine { .. }),
            cut: Cell::new(false),
            in_call: Cell::new(false),
            from: Cell::new(place.event.get()),
            segment: Cell::new((0, run.array.len())),
            delivered: Cell::new(0),
        }
    }

    /// Goes on with a run of `ready` events that has stopped at `place`; how many went through all
    /// listeners.
    #[cold]
    #[inline(never)]
    pub(super) fn resume(
        run: Run<'a, T>,
        place: &'a Place,
        ready: usize,
        stopped: Stopped,
    ) -> usize {
        let delivery = Self::new(run, place, &[], ready);
        let before = place.event.get() * run.array.len() + place.listener.get();
        delivery.count(before - place.skipped.get());
        match stopped {
            Stopped::Interrupted => {
                delivery.look_up();
            }
            Stopped::Returned(returned) => {
                delivery.in_call.set(true);
                delivery.settle(place.listener.get(), returned);
            }
            Stopped::Panicked(payload) => {
                delivery.in_call.set(true);
                delivery.on_panic(payload);
            }
        }
        delivery.finish()
    }

    /// How many events went through all listeners: all, unless the run was cut.
    pub(super) fn run(&self) -> usize {
        // Without the abandoned bit: set already, it is a difference like any other.
        let seen = self.run.post.worker.interrupts() & !ABANDONED;
        self.place.step.seen.set(seen);
        self.enter_segment(0);
        self.finish()
    }

    /// As [`Delivery::run`], from where the run is.
    fn finish(&self) -> usize {
        isolate(|| self.go(), |payload| self.on_panic(payload));
        self.run.record.count_delivered(self.delivered.get());
        if self.cut.get() {
            self.whole_events()
        } else {
            self.ready
        }
    }

    fn go(&self) {
        while !self.cut.get() {
            let (begin, end) = self.segment.get();
            if end - begin == 1 {
                self.call(begin, 0, self.ready);
            } else {
                self.in_turn(begin, end);
            }
            if self.cut.get() || end == self.run.array.len() {
                return;
            }
            self.enter_segment(end);
        }
    }

    /// How far a run that was cut had come: events that the last listeners had taken.
    fn whole_events(&self) -> usize {
        let (begin, end) = self.segment.get();
        if end < self.run.array.len() {
            0
        } else if end - begin == 1 {
            self.place.step.next.get()
        } else {
            self.place.event.get()
        }
    }

    /// Whether the engine has been abandoned; asked before each call of a listener (I1).
    fn is_cut(&self) -> bool {
        self.run.post.worker.interrupts() != self.place.step.seen.get() && self.look_up()
    }

    fn look_up(&self) -> bool {
        let now = self.run.post.worker.interrupts();
        self.place.step.seen.set(now);
        self.cut.set(self.cut.get() || now & ABANDONED != 0);
        self.cut.get()
    }

    /// Each event goes to listeners `begin..end` before the next one does.
    fn in_turn(&self, begin: usize, end: usize) {
        while self.place.event.get() < self.ready {
            while self.place.listener.get() < end {
                let event = self.place.event.get();
                self.call(self.place.listener.get(), event, event + 1);
                if self.cut.get() {
                    return;
                }
                self.place.listener.set(self.place.listener.get() + 1);
            }
            self.place.event.set(self.place.event.get() + 1);
            self.place.listener.set(begin);
        }
    }

    /// Calls a listener with events `from..to`, or goes on with the call that a panic broke off.
    fn call(&self, listener: usize, from: usize, to: usize) {
        if !self.in_call.replace(true) {
            self.place.step.next.set(from);
            self.place.step.end.set(to);
        }
        if self.joins.is_empty() || !self.is_early(listener) {
            self.call_step(listener);
        }
        self.in_call.set(false);
    }

    fn call_step(&self, listener: usize) {
        while self.place.step.next.get() < self.place.step.end.get() && !self.is_cut() {
            self.from.set(self.place.step.next.get());
            let returned = self
                .run
                .array
                .call(listener, self.run.lane, &self.place.step);
            if !self.settle(listener, returned) {
                return;
            }
        }
    }

    /// Counts what a call came to; whether it reached its listener.
    fn settle(&self, listener: usize, returned: Result<(), BoxError>) -> bool {
        match returned {
            // All of them, or as many as came before an interrupt.
            Ok(()) => {
                self.count(self.place.step.next.get() - self.from.get());
                if self.quarantine {
                    self.run.array.meta(listener).forget_faults();
                }
            }
            Err(error) if is_skipped(&error) => return false,
            Err(error) => {
                self.count_before_fault(listener);
                self.run.record.count_fault(false);
                self.report(listener, Fault::from_error(error));
            }
        }
        true
    }

    /// Counts the events of the call in hand that went well before the one that did not.
    fn count_before_fault(&self, listener: usize) {
        let events = self
            .place
            .step
            .next
            .get()
            .saturating_sub(self.from.get() + 1);
        if events > 0 {
            self.count(events);
            self.run.array.meta(listener).forget_faults();
        }
    }

    fn count(&self, events: usize) {
        self.delivered.set(self.delivered.get() + events);
    }

    /// Whether a late listener has to wait for its first event.
    fn is_early(&self, listener: usize) -> bool {
        let id = self.run.array.meta(listener).id;
        self.joins.iter().any(|join| join.listener == id)
    }

    /// The segment that begins at listener `begin`.
    fn enter_segment(&self, begin: usize) {
        let len = self.run.array.len();
        let end = if self.run.array.has_batches() {
            self.segment_end(begin)
        } else {
            len
        };
        self.segment.set((begin, end));
        self.place.listener.set(begin);
        self.place.event.set(0);
    }

    fn segment_end(&self, begin: usize) -> usize {
        if self.run.array.meta(begin).batch {
            return begin + 1;
        }
        (begin..self.run.array.len())
            .find(|&index| self.run.array.meta(index).batch)
            .unwrap_or(self.run.array.len())
    }

    #[cold]
    fn on_panic(&self, payload: Payload) -> bool {
        let (begin, end) = self.segment.get();
        let listener = if end - begin == 1 {
            begin
        } else {
            self.place.listener.get()
        };
        self.run.record.count_fault(true);
        // The events of this call before the one that panicked; a batch counts as a whole or not
        // at all.
        if !self.run.array.meta(listener).batch {
            self.count_before_fault(listener);
        }
        self.report(listener, Fault::from_panic(FaultKind::Panic, payload));
        true
    }

    /// Reports a fault of `listener` with the event that it was looking at.
    #[cold]
    fn report(&self, listener: usize, fault: Box<Fault>) {
        let meta = self.run.array.meta(listener);
        let event = self.place.step.next.get().saturating_sub(1);
        let mut fault = fault.of_listener(meta.info());
        fault.sequence = Some(self.run.lane.sequence().wrapping_add(event as u64));
        fault.event = self
            .run
            .lane
            .get(event)
            .and_then(|event| meta.render(event));
        let worker = self.run.post.worker.id;
        self.run.core.report(fault, worker);
        let FaultPolicy::Quarantine { after } = self.run.core.options.policy else {
            return;
        };
        if meta.count_fault() >= after
            && self
                .run
                .core
                .remove(self.run.post, self.run.array.handle(listener))
        {
            let message = format!("removed after {after} faults in a row");
            let fault = Fault::new(FaultKind::Quarantined, message);
            self.run.core.report(fault.of_listener(meta.info()), worker);
        }
    }
}
