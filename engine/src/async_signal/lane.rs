//! A lane as its worker drains it: what is ready, who gets it, what is done with it after.

use super::core::SignalCore;
use super::listener::{Lane, Step};
use super::post::{Join, LaneCounters, LaneId, Post};
use crate::engine::shared::{ABANDONED, Drain};
use crate::engine::worker::discard;
use crate::fault::{Fault, FaultKind, FaultPolicy, Payload};
use crate::listener::set::{Array, OwnedReader, Record, is_skipped};
use crate::walk::{Depth, isolate};
use core::cell::Cell;
use core::mem::needs_drop;
use corecast_ring::Consumer;
use std::sync::Arc;
use std::time::Instant;

/// When an event was emitted, for those whose latency is sampled.
pub(crate) type Sample = (u64, Instant);

pub(crate) struct LaneDrain<T: Send + 'static> {
    consumer: Consumer<T>,
    reader: OwnedReader<Lane<T>>,
    core: Arc<SignalCore<T>>,
    post: Arc<Post<T>>,
    id: LaneId,
    counters: Arc<LaneCounters>,
    /// The longest run.
    batch: usize,
    /// The post's version that `joins` is of (J1).
    version: u64,
    /// Late listeners whose first event has not come yet.
    joins: Vec<Join>,
    samples: Option<Consumer<Sample>>,
}

impl<T: Send + 'static> LaneDrain<T> {
    pub(crate) fn new(
        consumer: Consumer<T>,
        core: Arc<SignalCore<T>>,
        post: Arc<Post<T>>,
        id: LaneId,
        counters: Arc<LaneCounters>,
        samples: Option<Consumer<Sample>>,
    ) -> Self {
        Self {
            reader: OwnedReader::new(Arc::clone(&post.set)),
            // What a run is in this ring, so that a full one is known when it is seen.
            batch: core.options.batch.min(consumer.longest_run()),
            // Listeners that were there before the lane take all of it.
            version: post.version(),
            consumer,
            core,
            post,
            id,
            counters,
            joins: Vec::new(),
            samples,
        }
    }

    /// Keeps the high-water mark. A full run may have more behind it: one look at the slot that the
    /// mark is at says whether this is a new one. That slot was read here a lap ago and, unless the
    /// mark is passed, not written since, so the look takes no cache line from the emitter.
    #[inline(always)]
    fn note_depth(&mut self, ready: usize) {
        let mut depth = ready;
        if ready == self.longest_run()
            && self
                .consumer
                .is_published(self.counters.high_water().max(ready))
        {
            depth = self.consumer.published();
        }
        self.counters.saw_depth(depth);
    }

    /// Hands `ready` events, or fewer, to the listeners; how many went through all of them.
    #[inline(always)]
    fn deliver(&mut self, mut ready: usize) -> usize {
        let head = self.consumer.sequence();
        let walk = self.reader.walk();
        // After the array (J1).
        let version = self.post.version();
        if version != self.version || !self.joins.is_empty() {
            self.version = version;
            self.joins = self.post.joins_ahead(self.id, head);
            for join in &self.joins {
                ready = ready.min(join.from.wrapping_sub(head) as usize);
            }
        }
        let mut sampled = None;
        if let Some(samples) = &mut self.samples {
            (ready, sampled) = next_sample(samples, head, ready);
        }
        if walk.has_batches() {
            ready = ready.min(self.consumer.until_wrap());
        }
        let delivery = Delivery {
            core: &self.core,
            array: &walk,
            record: walk.record(),
            lane: &self.consumer,
            post: &self.post,
            ready,
            joins: &self.joins,
            quarantine: matches!(self.core.options.policy, FaultPolicy::Quarantine { .. }),
            step: Step::default(),
            cut: Cell::new(false),
            in_call: Cell::new(false),
            from: Cell::new(0),
            segment: Cell::new((0, 0)),
            listener: Cell::new(0),
            event: Cell::new(0),
            delivered: Cell::new(0),
        };
        let whole = if walk.len() > 0 {
            delivery.run()
        } else {
            ready
        };
        if let (Some(emitted), Some(latency)) = (sampled, &self.post.latency) {
            latency.record(emitted.elapsed());
        }
        whole
    }

    /// Ends the life of `count` delivered events.
    #[inline(always)]
    fn finish(&mut self, count: usize) {
        if !needs_drop::<T>() {
            self.consumer.finish(count);
            return;
        }
        let left = Cell::new(count);
        let (consumer, core, post) = (&mut self.consumer, &self.core, &self.post);
        isolate(
            || {
                while left.get() > 0 {
                    left.set(left.get() - 1);
                    consumer.finish_one();
                }
            },
            |payload| {
                let fault = Fault::from_panic(FaultKind::EventDrop, payload);
                core.report(fault, post.worker.id);
                true
            },
        );
    }

    /// Drops what is left in the lane, undelivered. What a live emitter adds meanwhile, because this
    /// worker died, is left to the ring.
    fn drop_rest(&mut self) {
        let mut left = self.consumer.capacity();
        while left > 0 {
            let ready = self.consumer.poll(left);
            if ready == 0 {
                return;
            }
            self.finish(ready);
            left -= ready;
        }
    }
}

impl<T: Send + 'static> Drain for LaneDrain<T> {
    fn drain(&mut self) -> usize {
        let ready = self.consumer.poll(self.batch);
        if ready == 0 {
            self.consumer.release();
            return 0;
        }
        let _depth = Depth::enter_unlimited();
        self.note_depth(ready);
        // A run that is cut behind a sampled event goes on at once: it would otherwise look like a lane
        // with nothing more in it, and its worker would take a pause.
        let mut delivered = 0;
        loop {
            let run = self.deliver(ready - delivered);
            self.finish(run);
            self.counters.count_delivered(run);
            delivered += run;
            if run == 0 || delivered == ready || self.samples.is_none() {
                return delivered;
            }
        }
    }

    fn longest_run(&self) -> usize {
        self.batch
    }

    fn capacity(&self) -> usize {
        self.consumer.capacity()
    }

    fn is_ready(&self) -> bool {
        self.consumer.is_ready()
    }

    fn is_finished(&self) -> bool {
        self.consumer.is_closed()
    }

    fn give_up(self: Box<Self>) {
        // Held apart from the signal, which may go with its last lane.
        let (faults, signal) = (
            Arc::clone(&self.core.engine.faults),
            Arc::clone(&self.core.options.name),
        );
        let worker = self.post.worker.id;
        // What is left in the lane reports its own panics; this is for recycled values, which go
        // with the ring.
        discard(self, |payload| {
            let mut fault = Fault::from_panic(FaultKind::EventDrop, payload);
            (fault.signal, fault.worker) = (Some(signal), Some(worker));
            faults.push(fault);
        });
    }
}

impl<T: Send + 'static> Drop for LaneDrain<T> {
    fn drop(&mut self) {
        self.counters.give_up(self.consumer.sequence());
        self.drop_rest();
        self.post.leave_lane(self.id);
    }
}

/// The first sampled event among those ready: the run is cut behind it, so that its latency ends
/// with its own delivery.
#[cold]
fn next_sample(
    samples: &mut Consumer<Sample>,
    head: u64,
    ready: usize,
) -> (usize, Option<Instant>) {
    while samples.poll(1) > 0 {
        let Some(&(sequence, emitted)) = samples.get(0) else {
            break;
        };
        let ahead = sequence.wrapping_sub(head);
        if (ahead as i64) >= ready as i64 {
            break;
        }
        samples.finish_one();
        samples.release();
        // One whose event was refused in the end is behind the head, or overtaken by its successor.
        if (ahead as i64) >= 0 {
            return (ahead as usize + 1, Some(emitted));
        }
    }
    (ready, None)
}

/// One run of events on its way through the listeners. Everything that a panic must not take along
/// is in cells, so that [`Delivery::go`] carries on where it stopped.
struct Delivery<'a, T: Send + 'static> {
    core: &'a SignalCore<T>,
    array: &'a Array<Lane<T>>,
    record: &'a Record,
    lane: &'a Consumer<T>,
    post: &'a Post<T>,
    ready: usize,
    joins: &'a [Join],
    quarantine: bool,
    step: Step,
    /// The engine has been abandoned: no further call begins.
    cut: Cell<bool>,
    /// `step` is being worked on.
    in_call: Cell<bool>,
    /// Where the call in progress began.
    from: Cell<usize>,
    /// Listeners `begin..end` that take events in turn: one alone takes the whole run at once, as
    /// does a batch listener.
    segment: Cell<(usize, usize)>,
    listener: Cell<usize>,
    event: Cell<usize>,
    delivered: Cell<usize>,
}

impl<T: Send + 'static> Delivery<'_, T> {
    /// How many events went through all listeners: all, unless the run was cut.
    #[inline(always)]
    fn run(&self) -> usize {
        // Without the abandoned bit: set already, it is a difference like any other.
        let seen = self.post.worker.interrupts() & !ABANDONED;
        self.step.seen.set(seen);
        self.enter_segment(0);
        isolate(|| self.go(), |payload| self.on_panic(payload));
        self.record.count_delivered(self.delivered.get());
        if self.cut.get() {
            self.whole_events()
        } else {
            self.ready
        }
    }

    #[inline(always)]
    fn go(&self) {
        while !self.cut.get() {
            let (begin, end) = self.segment.get();
            if end - begin == 1 {
                self.call(begin, 0, self.ready);
            } else {
                self.in_turn(begin, end);
            }
            if self.cut.get() || end == self.array.len() {
                return;
            }
            self.enter_segment(end);
        }
    }

    /// How far a run that was cut had come: events that the last listeners had taken.
    #[cold]
    fn whole_events(&self) -> usize {
        let (begin, end) = self.segment.get();
        if end < self.array.len() {
            0
        } else if end - begin == 1 {
            self.step.next.get()
        } else {
            self.event.get()
        }
    }

    /// Whether the engine has been abandoned; asked before each call of a listener (I1).
    #[inline(always)]
    fn is_cut(&self) -> bool {
        self.post.worker.interrupts() != self.step.seen.get() && self.look_up()
    }

    #[cold]
    fn look_up(&self) -> bool {
        let now = self.post.worker.interrupts();
        self.step.seen.set(now);
        self.cut.set(self.cut.get() || now & ABANDONED != 0);
        self.cut.get()
    }

    /// Each event goes to listeners `begin..end` before the next one does.
    #[inline(always)]
    fn in_turn(&self, begin: usize, end: usize) {
        while self.event.get() < self.ready {
            while self.listener.get() < end {
                let event = self.event.get();
                self.call(self.listener.get(), event, event + 1);
                if self.cut.get() {
                    return;
                }
                self.listener.set(self.listener.get() + 1);
            }
            self.event.set(self.event.get() + 1);
            self.listener.set(begin);
        }
    }

    /// Calls a listener with events `from..to`, or goes on with the call that a panic broke off.
    #[inline(always)]
    fn call(&self, listener: usize, from: usize, to: usize) {
        if !self.in_call.replace(true) {
            self.step.next.set(from);
            self.step.end.set(to);
        }
        if self.joins.is_empty() || !self.is_early(listener) {
            self.call_step(listener);
        }
        self.in_call.set(false);
    }

    #[inline(always)]
    fn call_step(&self, listener: usize) {
        while self.step.next.get() < self.step.end.get() && !self.is_cut() {
            let from = self.step.next.get();
            self.from.set(from);
            match self.array.call(listener, self.lane, &self.step) {
                // All of them, or as many as came before an interrupt.
                Ok(()) => {
                    self.count(self.step.next.get() - from);
                    if self.quarantine {
                        self.array.meta(listener).forget_faults();
                    }
                }
                Err(error) if is_skipped(&error) => return,
                Err(error) => {
                    self.count_before_fault(listener);
                    self.record.count_fault(false);
                    self.report(listener, Fault::from_error(error));
                }
            }
        }
    }

    /// Counts the events of the call in hand that went well before the one that did not.
    #[cold]
    fn count_before_fault(&self, listener: usize) {
        let events = self.step.next.get().saturating_sub(self.from.get() + 1);
        if events > 0 {
            self.count(events);
            self.array.meta(listener).forget_faults();
        }
    }

    #[inline(always)]
    fn count(&self, events: usize) {
        self.delivered.set(self.delivered.get() + events);
    }

    /// Whether a late listener has to wait for its first event.
    #[cold]
    fn is_early(&self, listener: usize) -> bool {
        let id = self.array.meta(listener).id;
        self.joins.iter().any(|join| join.listener == id)
    }

    /// The segment that begins at listener `begin`.
    #[inline(always)]
    fn enter_segment(&self, begin: usize) {
        let len = self.array.len();
        let end = if self.array.has_batches() {
            self.segment_end(begin)
        } else {
            len
        };
        self.segment.set((begin, end));
        self.listener.set(begin);
        self.event.set(0);
    }

    #[cold]
    fn segment_end(&self, begin: usize) -> usize {
        if self.array.meta(begin).batch {
            return begin + 1;
        }
        (begin..self.array.len())
            .find(|&index| self.array.meta(index).batch)
            .unwrap_or(self.array.len())
    }

    #[cold]
    fn on_panic(&self, payload: Payload) -> bool {
        let (begin, end) = self.segment.get();
        let listener = if end - begin == 1 {
            begin
        } else {
            self.listener.get()
        };
        self.record.count_fault(true);
        // The events of this call before the one that panicked; a batch counts as a whole or not
        // at all.
        if !self.array.meta(listener).batch {
            self.count_before_fault(listener);
        }
        self.report(listener, Fault::from_panic(FaultKind::Panic, payload));
        true
    }

    /// Reports a fault of `listener` with the event that it was looking at.
    #[cold]
    fn report(&self, listener: usize, fault: Box<Fault>) {
        let meta = self.array.meta(listener);
        let event = self.step.next.get().saturating_sub(1);
        let mut fault = fault.of_listener(meta.info());
        fault.sequence = Some(self.lane.sequence().wrapping_add(event as u64));
        fault.event = self.lane.get(event).and_then(|event| meta.render(event));
        let worker = self.post.worker.id;
        self.core.report(fault, worker);
        let FaultPolicy::Quarantine { after } = self.core.options.policy else {
            return;
        };
        if meta.count_fault() >= after && self.core.remove(self.post, self.array.handle(listener)) {
            let message = format!("removed after {after} faults in a row");
            let fault = Fault::new(FaultKind::Quarantined, message);
            self.core.report(fault.of_listener(meta.info()), worker);
        }
    }
}
