//! An order and the claims it may meet (edge R3 of the ring): whoever gives an order, issues the
//! heavy fence and then reads `claimed`, has been seen by every claimant or sees its claim.
//!
//! The order here is a closed flag. Closing a signal and placing a late subscriber rest on it.

use corecast_loom_tests::{model, model_without_light_fences};
use corecast_ring::sync::{Arc, AtomicBool, AtomicU64, Ordering, thread};
use corecast_ring::{Consumer, FencePair, Fences, Monitor, RingOptions, mpsc, spsc};

/// The order, and how many events were accepted in spite of it. Relaxed throughout: fences and the
/// ring are all that orders these threads.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    accepted: AtomicU64,
}

impl Gate {
    fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes, and returns the first sequence that no accepted event can have.
    fn close(&self, fences: FencePair, monitor: &Monitor<u64>) -> u64 {
        self.closed.store(true, Ordering::Relaxed);
        fences
            .heavy()
            .expect("the fence was granted when the ring was made");
        monitor.claimed()
    }
}

/// Closes the gate, waits until the claims it met are decided, and returns how many events came.
fn close_and_drain(gate: &Gate, consumer: &mut Consumer<u64>) -> u64 {
    let monitor = consumer.monitor();
    let end = gate.close(consumer.parker().fences(), &monitor);
    while !monitor.settled_until(end) {
        thread::yield_now();
    }
    let mut drained = 0;
    consumer.drain(usize::MAX, |_| drained += 1);
    assert!(
        consumer.sequence() >= end,
        "a decided claim was left behind"
    );
    drained
}

fn accepted_events_are_known_to_whoever_closes(fences: Fences) {
    let (mut producer, mut consumer) = RingOptions::new()
        .fences(fences)
        .spsc(2)
        .expect("two slots");
    let gate = Arc::new(Gate::default());
    let its_gate = Arc::clone(&gate);
    let writer = thread::spawn(move || {
        for value in 0..2 {
            if producer.try_push_if(value, || its_gate.is_open()).is_ok() {
                its_gate.accept();
            }
        }
        producer
    });
    let drained = close_and_drain(&gate, &mut consumer);
    let producer = writer.join().expect("writer");
    assert_eq!(drained, gate.accepted.load(Ordering::Relaxed));
    consumer.drain(usize::MAX, |_| panic!("accepted after the gate was closed"));
    drop(producer);
}

#[test]
fn no_event_is_accepted_behind_the_back_of_whoever_closes() {
    model(
        "claims::no_event_is_accepted_behind_the_back_of_whoever_closes",
        || {
            accepted_events_are_known_to_whoever_closes(Fences::Asymmetric);
        },
    );
}

#[test]
fn full_fences_hide_no_event_from_whoever_closes() {
    model_without_light_fences(
        "claims::full_fences_hide_no_event_from_whoever_closes",
        || {
            accepted_events_are_known_to_whoever_closes(Fences::Full);
        },
    );
}

#[test]
fn an_announced_batch_is_published_or_withdrawn_as_one() {
    model(
        "claims::an_announced_batch_is_published_or_withdrawn_as_one",
        || {
            let (mut producer, mut consumer) = spsc(2).expect("two slots");
            let gate = Arc::new(Gate::default());
            let its_gate = Arc::clone(&gate);
            let fences = consumer.parker().fences();
            let writer = thread::spawn(move || {
                for value in 0..2 {
                    assert_eq!(producer.stage(value), Ok(None));
                }
                producer.announce();
                fences.light();
                if its_gate.is_open() {
                    producer.publish();
                    producer.notify();
                    its_gate.accept();
                    its_gate.accept();
                } else {
                    producer.withdraw();
                }
                producer
            });
            let drained = close_and_drain(&gate, &mut consumer);
            let producer = writer.join().expect("writer");
            assert_eq!(drained, gate.accepted.load(Ordering::Relaxed));
            assert!(consumer.is_empty() || drained == 0);
            drop(producer);
        },
    );
}

#[test]
fn no_shared_claim_is_accepted_behind_the_back_of_whoever_closes() {
    model(
        "claims::no_shared_claim_is_accepted_behind_the_back_of_whoever_closes",
        || {
            let (producer, mut consumer) = mpsc(2).expect("two slots");
            let gate = Arc::new(Gate::default());
            let fences = consumer.parker().fences();
            let writers = [1, 2].map(|value| {
                let (producer, gate) = (producer.clone(), Arc::clone(&gate));
                thread::spawn(move || {
                    let mut claim = producer.claim().expect("room for two");
                    fences.light();
                    if gate.is_open() {
                        claim.write(value);
                        claim.publish();
                        gate.accept();
                    }
                })
            });
            let drained = close_and_drain(&gate, &mut consumer);
            for writer in writers {
                writer.join().expect("writer");
            }
            assert_eq!(drained, gate.accepted.load(Ordering::Relaxed));
            drop(producer);
        },
    );
}

#[test]
fn a_watcher_sees_claims_decided_while_the_reader_laps_them() {
    model(
        "claims::a_watcher_sees_claims_decided_while_the_reader_laps_them",
        || {
            let (mut producer, mut consumer) = spsc(2).expect("two slots");
            let monitor = producer.monitor();
            let gate = Arc::new(Gate::default());
            let (its_gate, fences) = (Arc::clone(&gate), consumer.parker().fences());
            let writer = thread::spawn(move || {
                let mut accepted = 0;
                for value in 0..3 {
                    if producer.try_push_if(value, || its_gate.is_open()).is_ok() {
                        accepted += 1;
                    }
                }
                (producer, accepted)
            });
            let reader = thread::spawn(move || {
                let drained = consumer.drain(2, |_| {});
                (consumer, drained)
            });
            let end = gate.close(fences, &monitor);
            while !monitor.settled_until(end) {
                thread::yield_now();
            }
            // Before the writer is joined: what was decided must be there to be drained.
            let (mut consumer, drained) = reader.join().expect("reader");
            let delivered = drained + consumer.drain(usize::MAX, |_| {});
            let (producer, accepted) = writer.join().expect("writer");
            assert_eq!(delivered, accepted);
            drop(producer);
        },
    );
}
