//! Asynchronous events, on one thread: the emitter's side (`lane`) and the worker's (`dispatch`).
//! Whichever side is not measured is run in between.

use std::hint::black_box;
use std::time::{Duration, Instant};

use corecast_lab::compare::listeners::{Listener, Listeners};
use criterion::{Criterion, Throughput};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::Group;
use crate::setup::{CAPACITY, Desk, Taken};

/// Events between two drains: half of a lane, so that none is ever full.
const ROUND: u64 = CAPACITY as u64 / 2;

/// Events that are emitted together.
const BATCH: u64 = 64;

/// Times `timed` per event; each round of events begins or ends with `untimed`.
fn rounds<D>(
    group: &mut Group<'_>,
    case: &str,
    desk: &mut D,
    mut before: impl FnMut(&mut D),
    mut timed: impl FnMut(&mut D),
    mut after: impl FnMut(&mut D),
) {
    group.throughput(Throughput::Elements(1));
    group.bench_function(case, |bencher| {
        bencher.iter_custom(|events| {
            let whole = events.div_ceil(ROUND);
            let mut elapsed = Duration::ZERO;
            for _ in 0..whole {
                before(desk);
                let start = Instant::now();
                timed(desk);
                elapsed += start.elapsed();
                after(desk);
            }
            // Asked about fewer events than whole rounds have.
            elapsed.mul_f64(events as f64 / (whole * ROUND) as f64)
        });
    });
}

/// A ring of rtrb, and what is called with its events.
struct Polled {
    producer: Producer<u64>,
    consumer: Consumer<u64>,
    listeners: Vec<Listener>,
}

impl Polled {
    fn new(listeners: usize) -> Self {
        let (producer, consumer) = RingBuffer::new(CAPACITY);
        let listeners = Listeners::shuffled(listeners).boxes();
        Self {
            producer,
            consumer,
            listeners,
        }
    }

    fn fill(&mut self) {
        for event in 0..ROUND {
            black_box(self.producer.push(black_box(event)).is_ok());
        }
    }

    fn drain(&mut self) {
        let count = self.consumer.slots();
        let chunk = self
            .consumer
            .read_chunk(count)
            .expect("the events that were counted");
        for event in chunk {
            self.listeners.iter().for_each(|listener| listener(&event));
        }
    }
}

fn drain(desk: &mut Desk) {
    assert!(desk.drain() >= ROUND);
}

pub(crate) fn lane(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lane");
    let nothing = |_: &mut Polled| {};
    rounds(
        &mut group,
        "rtrb/workers=1",
        &mut Polled::new(1),
        nothing,
        Polled::fill,
        Polled::drain,
    );
    for workers in [1, 2, 4] {
        let desk = &mut Desk::new(workers, workers, Taken::Singly);
        let case = format!("emit/workers={workers}");
        rounds(
            &mut group,
            &case,
            desk,
            |_| {},
            |desk| desk.fill(ROUND),
            drain,
        );
        let case = format!("emit_batch/workers={workers}");
        let emit_batches = |desk: &mut Desk| {
            for first in (0..ROUND).step_by(BATCH as usize) {
                let emitted = desk.emitter.emit_batch(black_box(first..first + BATCH));
                black_box(emitted.is_ok());
            }
        };
        rounds(&mut group, &case, desk, |_| {}, emit_batches, drain);
        let case = format!("shared/workers={workers}");
        let emit_shared = |desk: &mut Desk| {
            for event in 0..ROUND {
                black_box(desk.signal.emit(black_box(event)).is_ok());
            }
        };
        rounds(&mut group, &case, desk, |_| {}, emit_shared, drain);
    }
    // The emitter does not know how many listeners a worker has.
    for listeners in [10, 1000] {
        let desk = &mut Desk::new(1, listeners, Taken::Singly);
        let case = format!("emit/listeners={listeners}");
        rounds(
            &mut group,
            &case,
            desk,
            |_| {},
            |desk| desk.fill(ROUND),
            drain,
        );
    }
    group.finish();
}

pub(crate) fn dispatch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatch");
    for listeners in [1, 10, 100] {
        let case = format!("rtrb/listeners={listeners}");
        let polled = &mut Polled::new(listeners);
        rounds(
            &mut group,
            &case,
            polled,
            Polled::fill,
            Polled::drain,
            |_| {},
        );
        for (name, taken) in [("each", Taken::Singly), ("batch", Taken::InBatches)] {
            let case = format!("{name}/listeners={listeners}");
            let desk = &mut Desk::new(1, listeners, taken);
            rounds(
                &mut group,
                &case,
                desk,
                |desk| desk.fill(ROUND),
                drain,
                |_| {},
            );
        }
    }
    group.finish();
}
