//! What the criterion and callgrind benches set up before they measure.

use std::hint::black_box;

use corecast::{AsyncSignal, Cores, Emitter, Engine, Overflow, SyncSignal};
use corecast_lab::compare::listeners::{Listeners, Refused, Subscribe, SubscribeFallible};

/// A synchronous signal that takes the listeners which the bare loops have as boxes.
struct Taking<'a>(&'a SyncSignal<u64>);

impl Subscribe for Taking<'_> {
    fn subscribe<F: Fn(&u64) + Send + Sync + 'static>(&mut self, listener: F) {
        self.0.subscribe(listener).detach();
    }
}

impl SubscribeFallible for Taking<'_> {
    fn subscribe_fallible<F>(&mut self, listener: F)
    where
        F: Fn(&u64) -> Result<(), Refused> + Send + Sync + 'static,
    {
        self.0.subscribe_fallible(listener).detach();
    }
}

/// A signal with that many listeners of five closure types.
pub(crate) fn signal(listeners: usize) -> SyncSignal<u64> {
    let signal = SyncSignal::new();
    Listeners::shuffled(listeners).subscribe_to(&mut Taking(&signal));
    signal
}

/// The same, with listeners that can refuse.
pub(crate) fn fallible_signal(listeners: usize) -> SyncSignal<u64> {
    let signal = SyncSignal::new();
    Listeners::shuffled(listeners).subscribe_fallible_to(&mut Taking(&signal));
    signal
}

/// Slots of each lane: all that is emitted between two drains fits.
pub(crate) const CAPACITY: usize = 1024;

/// How asynchronous listeners take their events.
#[derive(Clone, Copy)]
pub(crate) enum Taken {
    /// One call for each event.
    Singly,
    /// One call for each run of events.
    InBatches,
}

/// An engine without threads.
pub(crate) fn manual_engine(workers: usize) -> Engine {
    let engine = Engine::builder().manual().cores(Cores::count(1));
    let engine = engine.workers_per_core(workers).build();
    engine.expect("an engine without threads")
}

/// An engine without threads, and an emitter on a signal of it: whoever measures drains.
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) signal: AsyncSignal<u64>,
    pub(crate) emitter: Emitter<u64>,
}

impl Desk {
    /// With `listeners` listeners, in turn on each of `workers` workers. Events have been emitted
    /// and drained, so that nothing is done for the first time.
    pub(crate) fn new(workers: usize, listeners: usize, taken: Taken) -> Self {
        let engine = manual_engine(workers);
        let signal = engine.signal("ticks").capacity(CAPACITY);
        let signal = signal.overflow(Overflow::Reject).build();
        let signal: AsyncSignal<u64> = signal.expect("a capacity that is a power of two");
        for _ in 0..listeners {
            let mut sum = 0_u64;
            let mut add = move |x: &u64| sum = black_box(sum.wrapping_add(*x));
            let subscription = match taken {
                Taken::Singly => signal.subscribe(add),
                Taken::InBatches => signal.subscribe_batch(move |batch| {
                    batch.iter().for_each(&mut add);
                }),
            };
            subscription.detach();
        }
        let emitter = signal.emitter().expect("an emitter on an open signal");
        let mut desk = Self {
            engine,
            signal,
            emitter,
        };
        desk.fill(CAPACITY as u64);
        desk.drain();
        desk
    }

    /// Emits `events` events, for which there is room.
    pub(crate) fn fill(&mut self, events: u64) {
        for event in 0..events {
            let emitted = self.emitter.emit(black_box(event));
            emitted.expect("room for the event");
        }
    }

    /// Delivers whatever waits; how many lane-events that was.
    pub(crate) fn drain(&self) -> u64 {
        let delivered = self.engine.run_until_idle();
        delivered.expect("an engine without threads, outside of its listeners")
    }
}
