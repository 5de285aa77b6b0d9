//! A lane as its worker drains it: what is ready, who gets it, what is done with it after.

use super::core::SignalCore;
use super::delivery::Delivery;
use super::lane_counters::LaneCounters;
use super::listener::Lane;
use super::post::{Join, LaneId, Post};
use super::run::{Place, Run};
use crate::engine::worker::discard;
use crate::engine::worker_shared::Drain;
use crate::fault::{Fault, FaultKind, FaultPolicy};
use crate::listener::set::OwnedReader;
use crate::walk::isolate;
use core::cell::Cell;
use core::mem::needs_drop;
use corecast_affinity::Ticks;
use corecast_ring::Consumer;
use std::sync::Arc;

/// When an event was emitted, for those whose latency is sampled.
pub(crate) type Sample = (u64, Ticks);

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
    /// No run needs more than [`Run::deliver`], but for what listeners join and whether they take
    /// batches.
    always_plain: bool,
    /// That, and nobody joins.
    is_plain: bool,
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
        // Each success would have to be told to its listener.
        let quarantines = matches!(core.options.policy, FaultPolicy::Quarantine { .. });
        let always_plain = !quarantines;
        Self {
            always_plain,
            is_plain: always_plain,
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
                .is_stamped(self.counters.high_water().max(ready))
        {
            depth = self.consumer.len();
        }
        self.counters.saw_depth(depth);
    }

    /// Hands `ready` events, or fewer, to the listeners; how many went through all of them.
    #[inline(always)]
    fn deliver(&mut self, ready: usize) -> usize {
        let walk = self.reader.walk();
        // After the array (J1).
        let version = self.post.version();
        let run = Run {
            array: &walk,
            record: walk.record(),
            lane: &self.consumer,
            post: &self.post,
            core: &self.core,
        };
        if version == self.version && self.is_plain && !walk.has_batches() {
            return match &mut self.samples {
                None => run.deliver(ready),
                Some(samples) => deliver_sampled(run, samples, ready),
            };
        }
        let head = self.consumer.sequence();
        if version != self.version || !self.joins.is_empty() {
            self.version = version;
            self.joins = self.post.joins_ahead(self.id, head);
        }
        self.is_plain = self.always_plain && self.joins.is_empty();
        deliver_specially(run, &self.joins, self.samples.as_mut(), ready)
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
        self.counters
            .give_up(self.consumer.sequence(), self.consumer.abandoned());
        self.drop_rest();
        self.post.leave_lane(self.id);
    }
}

/// Hands on a run, or as much of it as ends with a sampled event.
#[inline(never)]
fn deliver_sampled<T: Send + 'static>(
    run: Run<'_, T>,
    samples: &mut Consumer<Sample>,
    ready: usize,
) -> usize {
    let (ready, sampled) = next_sample(samples, run.lane.sequence(), ready);
    let whole = run.deliver(ready);
    if let Some(emitted) = sampled {
        note_latency(run, emitted);
    }
    whole
}

#[cold]
fn note_latency<T: Send + 'static>(run: Run<'_, T>, emitted: Ticks) {
    if let Some(latency) = &run.post.latency {
        latency.record_since(emitted);
    }
}

/// Hands on a run of which more is to be known than how long it is: late listeners join in it, batch
/// listeners take it, or successes count.
#[inline(never)]
fn deliver_specially<T: Send + 'static>(
    run: Run<'_, T>,
    joins: &[Join],
    samples: Option<&mut Consumer<Sample>>,
    mut ready: usize,
) -> usize {
    let head = run.lane.sequence();
    for join in joins {
        ready = ready.min(join.from.wrapping_sub(head) as usize);
    }
    let mut sampled = None;
    if let Some(samples) = samples {
        (ready, sampled) = next_sample(samples, head, ready);
    }
    if run.array.has_batches() {
        ready = ready.min(run.lane.until_wrap());
    }
    let whole = match run.array.len() {
        0 => ready,
        _ => Delivery::new(run, &Place::default(), joins, ready).run(),
    };
    if let Some(emitted) = sampled {
        note_latency(run, emitted);
    }
    whole
}

/// The first sampled event among those ready: the run is cut behind it, so that its latency ends
/// with its own delivery.
#[inline(always)]
fn next_sample(samples: &mut Consumer<Sample>, head: u64, ready: usize) -> (usize, Option<Ticks>) {
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
