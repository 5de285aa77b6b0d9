//! Asynchronous events, on one thread: the emitter's side (`lane`) and the worker's (`dispatch`).

use std::hint::black_box;

use corecast::{AsyncSignal, Emitter, Engine};
use corecast_lab::compare::event::Event;
use corecast_lab::compare::listeners::{Listener, Listeners};
use iai_callgrind::{library_benchmark, library_benchmark_group};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::limits::{OPS, limited, unlimited};
use crate::setup::{CAPACITY, Desk, Taken, manual_engine};

/// Events that are emitted together.
const BATCH: u64 = 64;

/// An emitter whose lanes are empty.
fn emptied(workers: usize, listeners: usize) -> Desk {
    Desk::new(workers, listeners, Taken::Singly)
}

/// A signal whose shared lanes are there, and empty.
fn shared_lanes(workers: usize) -> Desk {
    let desk = emptied(workers, workers);
    desk.signal.emit(0).expect("room for an event");
    desk.drain();
    desk
}

/// Events whose words stand in registers, as many as there are.
type Wide = Event<7>;

/// A desk for them, of which one in `every` is sampled; none if that is 0.
fn wide(every: u32) -> (Engine, AsyncSignal<Wide>, Emitter<Wide>) {
    let engine = manual_engine(1);
    let signal = engine.signal("wide").capacity(CAPACITY);
    let signal = signal.sample_latency(every).build();
    let signal: AsyncSignal<Wide> = signal.expect("a capacity that is a power of two");
    let listener = |event: &Wide| {
        black_box(event.sum());
    };
    signal.subscribe(listener).detach();
    let mut emitter = signal.emitter().expect("an emitter on an open signal");
    for seed in 0..CAPACITY as u64 {
        emitter.emit(Event::new(seed)).expect("room for the event");
    }
    let drained = engine.run_until_idle();
    drained.expect("an engine without threads, outside of its listeners");
    (engine, signal, emitter)
}

/// Workers that find events in their lanes.
fn filled(workers: usize, listeners: usize, taken: Taken) -> Desk {
    let mut desk = Desk::new(workers, listeners, taken);
    desk.fill(OPS);
    desk
}

/// A ring through which everything has passed once, and in which `events` events wait.
fn ring(events: u64) -> (Producer<u64>, Consumer<u64>) {
    let (mut producer, mut consumer) = RingBuffer::new(CAPACITY);
    for event in 0..CAPACITY as u64 {
        producer.push(event).expect("room for the event");
        consumer.pop().expect("the event");
    }
    for event in 0..events {
        producer.push(event).expect("room for the event");
    }
    (producer, consumer)
}

/// A ring in which events wait, and what is called with each.
fn polled(listeners: usize) -> (Consumer<u64>, Vec<Listener>) {
    (ring(OPS).1, Listeners::shuffled(listeners).boxes())
}

#[library_benchmark]
#[bench::bytes_8(args = (0), setup = ring, config = unlimited())]
fn lane_rtrb((mut producer, consumer): (Producer<u64>, Consumer<u64>)) -> impl Sized {
    for event in 0..OPS {
        black_box(producer.push(black_box(event)).is_ok());
    }
    (producer, consumer)
}

#[library_benchmark]
#[bench::workers_1(args = (1, 1), setup = emptied, config = limited("lane/emit/workers=1"))]
#[bench::workers_2(args = (2, 2), setup = emptied, config = limited("lane/emit/workers=2"))]
#[bench::listeners_1000(
    args = (1, 1000), setup = emptied, config = limited("lane/emit/listeners=1000")
)]
fn lane_emit(mut desk: Desk) -> Desk {
    for event in 0..OPS {
        black_box(desk.emitter.emit(black_box(event)).is_ok());
    }
    desk
}

#[library_benchmark]
#[bench::every_0(args = (0), setup = wide, config = limited("lane/emit_wide/every=0"))]
#[bench::every_64(args = (64), setup = wide, config = limited("lane/emit_wide/every=64"))]
fn lane_emit_wide(mut desk: (Engine, AsyncSignal<Wide>, Emitter<Wide>)) -> impl Sized {
    for seed in 0..OPS {
        black_box(desk.2.emit(Event::new(black_box(seed))).is_ok());
    }
    desk
}

#[library_benchmark]
#[bench::workers_1(args = (1, 1), setup = emptied, config = limited("lane/emit_batch/workers=1"))]
#[bench::workers_2(args = (2, 2), setup = emptied, config = limited("lane/emit_batch/workers=2"))]
fn lane_emit_batch(mut desk: Desk) -> Desk {
    for first in (0..OPS).step_by(BATCH as usize) {
        let events = black_box(first)..black_box(first + BATCH);
        black_box(desk.emitter.emit_batch(events).is_ok());
    }
    desk
}

#[library_benchmark]
#[bench::workers_1(args = (1), setup = shared_lanes, config = limited("lane/shared/workers=1"))]
#[bench::workers_2(args = (2), setup = shared_lanes, config = limited("lane/shared/workers=2"))]
fn lane_shared(desk: Desk) -> Desk {
    for event in 0..OPS {
        black_box(desk.signal.emit(black_box(event)).is_ok());
    }
    desk
}

library_benchmark_group!(
    name = lane;
    benchmarks = lane_rtrb, lane_emit, lane_emit_wide, lane_emit_batch, lane_shared
);

#[library_benchmark]
#[bench::listeners_1(args = (1), setup = polled, config = unlimited())]
#[bench::listeners_10(args = (10), setup = polled, config = unlimited())]
fn dispatch_rtrb((mut consumer, listeners): (Consumer<u64>, Vec<Listener>)) -> impl Sized {
    let chunk = consumer
        .read_chunk(OPS as usize)
        .expect("the events that wait");
    for event in chunk {
        listeners.iter().for_each(|listener| listener(&event));
    }
    (consumer, listeners)
}

#[library_benchmark]
#[bench::listeners_1(
    args = (1, 1, Taken::Singly), setup = filled, config = limited("dispatch/each/listeners=1")
)]
#[bench::listeners_10(
    args = (1, 10, Taken::Singly), setup = filled, config = limited("dispatch/each/listeners=10")
)]
#[bench::workers_2(
    args = (2, 2, Taken::Singly), setup = filled, config = limited("dispatch/each/workers=2")
)]
fn dispatch_each(desk: Desk) -> Desk {
    black_box(desk.drain());
    desk
}

#[library_benchmark]
#[bench::listeners_1(
    args = (1, 1, Taken::InBatches), setup = filled, config = limited("dispatch/batch/listeners=1")
)]
#[bench::listeners_10(
    args = (1, 10, Taken::InBatches), setup = filled, config = limited("dispatch/batch/listeners=10")
)]
fn dispatch_batch(desk: Desk) -> Desk {
    black_box(desk.drain());
    desk
}

library_benchmark_group!(
    name = dispatch;
    benchmarks = dispatch_rtrb, dispatch_each, dispatch_batch
);
