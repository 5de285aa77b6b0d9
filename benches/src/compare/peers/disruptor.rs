//! disruptor, the Rust port of the LMAX ring.
//!
//! Managed consumer threads and `BusySpin`, the lowest latency that the crate offers, wherever a
//! thread has a CPU of its own; where it has not, a wait strategy that yields, through the crate's
//! own trait. The closure handed to `publish` writes the event in place, the crate's zero-copy path.
//! Consumers see every available event and publish their progress once per run, which is how the
//! crate batches on that side; `batch_publish` is how it batches on the other.

use std::ops::Range;

use corecast_affinity::CpuId;
use disruptor::wait_strategies::WaitStrategy;
use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, MultiProducer, Polling as Polled, Producer,
    Sequence, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier, build_multi_producer,
    build_single_producer,
};

use crate::compare::event::Event;
use crate::compare::link::{Drain, Link, one_producer, only};
use crate::compare::pipe::{Feed, Opened, Pipe, Plan, Waiting};
use crate::compare::sink::Sink;
use crate::measure::LapError;
use crate::measure::start::{Awaited, arrival};

/// How many spin hints a lazily polling consumer best waits on the machines seen so far: fewer leave
/// the producer's line contended, more let the ring run full.
pub const IDLE: u32 = 32;

/// One producer, one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    /// The consumer polls without pause: the crate's `BusySpin`.
    Busy,
    /// The consumer lets a few dozen spin hints pass before it polls an empty ring again. That
    /// leaves the cursor's line to the producer for a while and several times the throughput, for
    /// more latency. Not one of the crate's own strategies.
    Lazy,
}

/// One producer, two consumers that each see every event.
#[derive(Debug)]
pub struct Multicast;

/// Several producers, one consumer.
#[derive(Debug)]
pub struct Multi;

/// One producer, one consumer that polls: for threads that must do something else in between.
#[derive(Debug)]
pub struct Polling;

/// The wait strategy for more threads than CPUs.
#[derive(Debug, Clone, Copy)]
struct Yielding;

impl WaitStrategy for Yielding {
    fn wait_for(&self, _sequence: Sequence) {
        Waiting::Yield.pause();
    }
}

/// The wait strategy of a consumer that polls lazily.
#[derive(Debug, Clone, Copy)]
struct Lazily;

impl WaitStrategy for Lazily {
    fn wait_for(&self, _sequence: Sequence) {
        (0..IDLE).for_each(|_| Waiting::Spin.pause());
    }
}

/// A producer's end, and how it waits for room.
pub struct Publisher<P> {
    producer: P,
    waiting: Waiting,
}

impl<P> std::fmt::Debug for Publisher<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl<P: Producer<Event<WORDS>>, const WORDS: usize> Feed<WORDS> for Publisher<P> {
    #[inline]
    fn send(&mut self, seed: u64) {
        match self.waiting {
            // The crate's own wait: an empty loop.
            Waiting::Spin => self.producer.publish(|event| event.fill(seed)),
            Waiting::Yield => {
                while self.producer.try_publish(|event| event.fill(seed)).is_err() {
                    Waiting::Yield.pause();
                }
            }
        }
    }

    #[inline]
    fn send_batch(&mut self, seeds: Range<u64>) {
        let count = seeds.clone().count();
        match self.waiting {
            Waiting::Spin => self
                .producer
                .batch_publish(count, |slots| fill(slots, seeds)),
            Waiting::Yield => {
                while self
                    .producer
                    .try_batch_publish(count, |slots| fill(slots, seeds.clone()))
                    .is_err()
                {
                    Waiting::Yield.pause();
                }
            }
        }
    }
}

/// Makes each slot the event of its seed.
#[inline]
fn fill<'a, const WORDS: usize>(
    slots: impl Iterator<Item = &'a mut Event<WORDS>>,
    seeds: Range<u64>,
) {
    for (slot, seed) in slots.zip(seeds) {
        slot.fill(seed);
    }
}

/// The initial state of a managed consumer: pins its thread and hands it the sink.
fn on(worker: CpuId, sink: Sink) -> (impl FnOnce() -> Sink + Send + 'static, Awaited) {
    let (arrival, awaited) = arrival(worker);
    let start = move || {
        // `Awaited` carries the refusal to whoever opens the pipe.
        let _pinned = arrival.pin();
        sink
    };
    (start, awaited)
}

/// What a managed consumer does with an event.
fn take<const WORDS: usize>(sink: &mut Sink, event: &Event<WORDS>, _: Sequence, _end: bool) {
    sink.take(event);
}

/// The pipe of these producers, once its consumers are pinned. Dropping the last producer lets the
/// consumers finish and joins them, so there is nothing left to stop.
fn opened<P>(
    producers: Vec<P>,
    waiting: Waiting,
    consumers: impl IntoIterator<Item = Awaited>,
) -> Result<Opened<Publisher<P>>, LapError> {
    consumers.into_iter().try_for_each(Awaited::wait)?;
    let feeds = producers
        .into_iter()
        .map(|producer| Publisher { producer, waiting })
        .collect();
    Ok(Opened {
        feeds,
        stop: Box::new(|| Ok(())),
    })
}

/// The sizes that the crate accepts; it panics at others.
fn check(capacity: usize) -> Result<(), LapError> {
    if !capacity.is_power_of_two() || capacity < 64 {
        let what = format!("{capacity} slots, which are not a power of two of at least 64");
        return Err(LapError::Unsupported(what));
    }
    Ok(())
}

impl<const WORDS: usize> Pipe<WORDS> for Single {
    type Feed = Publisher<SingleProducer<Event<WORDS>, SingleConsumerBarrier>>;

    fn name(&self) -> &str {
        match self {
            Self::Busy => "disruptor",
            Self::Lazy => "disruptor, lazy polls",
        }
    }

    fn open(&self, plan: Plan) -> Result<Opened<Self::Feed>, LapError> {
        fn open<const WORDS: usize>(
            plan: Plan,
            strategy: impl WaitStrategy + 'static,
        ) -> Result<Opened<<Single as Pipe<WORDS>>::Feed>, LapError> {
            one_producer(plan.producers)?;
            check(plan.capacity)?;
            let (start, pinned) = on(plan.worker, only(plan.sinks)?);
            let producer = build_single_producer(plan.capacity, || Event::new(0), strategy)
                .handle_events_and_state_with(take, start)
                .build();
            opened(vec![producer], plan.waiting, [pinned])
        }
        match (plan.waiting, self) {
            (Waiting::Spin, Self::Busy) => open(plan, BusySpin),
            (Waiting::Spin, Self::Lazy) => open(plan, Lazily),
            (Waiting::Yield, _) => open(plan, Yielding),
        }
    }
}

impl<const WORDS: usize> Pipe<WORDS> for Multicast {
    type Feed = Publisher<SingleProducer<Event<WORDS>, MultiConsumerBarrier>>;

    fn name(&self) -> &str {
        "disruptor"
    }

    fn open(&self, plan: Plan) -> Result<Opened<Self::Feed>, LapError> {
        fn open<const WORDS: usize>(
            plan: Plan,
            strategy: impl WaitStrategy + 'static,
        ) -> Result<Opened<<Multicast as Pipe<WORDS>>::Feed>, LapError> {
            one_producer(plan.producers)?;
            check(plan.capacity)?;
            let [first, second] = <[Sink; 2]>::try_from(plan.sinks).map_err(|sinks| {
                LapError::Unsupported(format!("{} consumers, where two are built", sinks.len()))
            })?;
            let (first, first_pinned) = on(plan.worker, first);
            let (second, second_pinned) = on(plan.worker, second);
            let producer = build_single_producer(plan.capacity, || Event::new(0), strategy)
                .handle_events_and_state_with(take, first)
                .handle_events_and_state_with(take, second)
                .build();
            opened(vec![producer], plan.waiting, [first_pinned, second_pinned])
        }
        match plan.waiting {
            Waiting::Spin => open(plan, BusySpin),
            Waiting::Yield => open(plan, Yielding),
        }
    }
}

impl<const WORDS: usize> Pipe<WORDS> for Multi {
    type Feed = Publisher<MultiProducer<Event<WORDS>, SingleConsumerBarrier>>;

    fn name(&self) -> &str {
        "disruptor multi-producer"
    }

    fn open(&self, plan: Plan) -> Result<Opened<Self::Feed>, LapError> {
        fn open<const WORDS: usize>(
            plan: Plan,
            strategy: impl WaitStrategy + 'static,
        ) -> Result<Opened<<Multi as Pipe<WORDS>>::Feed>, LapError> {
            check(plan.capacity)?;
            let (start, pinned) = on(plan.worker, only(plan.sinks)?);
            let producer = build_multi_producer(plan.capacity, || Event::new(0), strategy)
                .handle_events_and_state_with(take, start)
                .build();
            let mut producers = vec![producer];
            while producers.len() < plan.producers {
                producers.push(producers[0].clone());
            }
            opened(producers, plan.waiting, [pinned])
        }
        match plan.waiting {
            Waiting::Spin => open(plan, BusySpin),
            Waiting::Yield => open(plan, Yielding),
        }
    }
}

impl<const WORDS: usize> Link<WORDS> for Polling {
    type Sender = Publisher<SingleProducer<Event<WORDS>, SingleConsumerBarrier>>;
    type Receiver = EventPoller<Event<WORDS>, SingleProducerBarrier>;

    fn name(&self) -> &str {
        "disruptor"
    }

    fn connect(
        &self,
        capacity: usize,
        producers: usize,
        waiting: Waiting,
    ) -> Result<(Vec<Self::Sender>, Self::Receiver), LapError> {
        one_producer(producers)?;
        check(capacity)?;
        let (poller, builder) =
            build_single_producer(capacity, || Event::new(0), BusySpin).new_event_poller();
        Ok((
            vec![Publisher {
                producer: builder.build(),
                waiting,
            }],
            poller,
        ))
    }
}

impl<const WORDS: usize> Drain<WORDS> for EventPoller<Event<WORDS>, SingleProducerBarrier> {
    #[inline]
    fn drain(&mut self, mut take: impl FnMut(&Event<WORDS>)) -> usize {
        match self.poll() {
            Ok(mut events) => {
                let mut count = 0;
                for event in &mut events {
                    take(event);
                    count += 1;
                }
                count
            }
            Err(Polled::NoEvents | Polled::Shutdown) => 0,
        }
    }
}
