//! One writer, one reader: slots, staged batches, abandoned claims (edges R1 and R2 of the ring).

use corecast_loom_tests::{Ledger, model_without_light_fences};
use corecast_ring::sync::{Arc, AtomicU64, Ordering, thread};
use corecast_ring::{Consumer, Producer, PushError, RingOptions};

/// Two slots, so that the third event meets the wrap, and a start at the very end of the numbers.
fn smallest<T>() -> (Producer<T>, Consumer<T>) {
    RingOptions::new()
        .first_sequence(u64::MAX)
        .spsc(2)
        .expect("two slots")
}

fn push_when_there_is_room<T>(producer: &mut Producer<T>, mut value: T) {
    while let Err(refused) = producer.try_push(value) {
        assert!(matches!(refused, PushError::Full(_)), "{refused}");
        value = refused.into_inner();
        thread::yield_now();
    }
}

/// Drains until `count` events have come.
fn collect(consumer: &mut Consumer<u64>, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        if consumer.drain(usize::MAX, |value| seen.push(*value)) == 0 {
            thread::yield_now();
        }
    }
    seen
}

#[test]
fn events_cross_the_wrap() {
    model_without_light_fences("spsc::events_cross_the_wrap", || {
        let (mut producer, mut consumer) = smallest();
        let writer = thread::spawn(move || {
            for value in 10..13 {
                push_when_there_is_room(&mut producer, value);
            }
        });
        assert_eq!(collect(&mut consumer, 3), [10, 11, 12]);
        writer.join().expect("writer");
    });
}

#[test]
fn a_staged_batch_arrives_complete_and_in_order() {
    model_without_light_fences("spsc::a_staged_batch_arrives_complete_and_in_order", || {
        let (mut producer, mut consumer) = smallest();
        let writer = thread::spawn(move || {
            let mut values = 10..13;
            while values.start < values.end {
                if producer.push_batch(&mut values) == 0 {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(collect(&mut consumer, 3), [10, 11, 12]);
        writer.join().expect("writer");
    });
}

/// Sixteen slots, so that the reader takes four at a time.
fn with_runs_of_four<T>() -> (Producer<T>, Consumer<T>) {
    RingOptions::new()
        .first_sequence(u64::MAX)
        .spsc(16)
        .expect("sixteen slots")
}

#[test]
fn a_batch_is_all_there_when_its_leader_is() {
    model_without_light_fences("spsc::a_batch_is_all_there_when_its_leader_is", || {
        let (mut producer, mut consumer) = with_runs_of_four();
        let writer = thread::spawn(move || {
            assert_eq!(producer.push_batch(&mut (10..14)), 4);
            assert_eq!(producer.try_push(14), Ok(()));
        });
        assert_eq!(collect(&mut consumer, 5), [10, 11, 12, 13, 14]);
        writer.join().expect("writer");
    });
}

#[test]
fn what_was_taken_back_is_not_delivered() {
    model_without_light_fences("spsc::what_was_taken_back_is_not_delivered", || {
        let ledger = Ledger::new(6);
        let events = ledger.clone();
        let (mut producer, mut consumer) = with_runs_of_four();
        let writer = thread::spawn(move || {
            for id in 0..3 {
                assert!(matches!(producer.stage(events.event(id)), Ok(None)));
            }
            drop(producer.unstage(None));
            producer.discard();
            push_when_there_is_room(&mut producer, events.event(3));
            for id in 4..6 {
                assert!(matches!(producer.stage(events.event(id)), Ok(None)));
            }
            drop(producer.unstage(None));
            producer.publish();
        });
        let mut seen = Vec::new();
        while seen.len() < 2 {
            consumer.drain(usize::MAX, |event| seen.push(event.id()));
            thread::yield_now();
        }
        writer.join().expect("writer");
        consumer.drain(usize::MAX, |event| seen.push(event.id()));
        assert_eq!(seen, [3, 4]);
        drop(consumer);
        ledger.assert_each_dropped_once();
    });
}

#[test]
fn an_abandoned_claim_inside_a_run_is_not_delivered() {
    model_without_light_fences(
        "spsc::an_abandoned_claim_inside_a_run_is_not_delivered",
        || {
            let (mut producer, mut consumer) = with_runs_of_four();
            let writer = thread::spawn(move || {
                assert_eq!(producer.try_push(10), Ok(()));
                let refused = producer.try_push_if(11, || false);
                assert_eq!(refused, Err(PushError::NotAdmitted(11)));
                assert_eq!(producer.push_batch(&mut (12..14)), 2);
            });
            assert_eq!(collect(&mut consumer, 3), [10, 12, 13]);
            writer.join().expect("writer");
        },
    );
}

#[test]
fn a_refused_push_is_stepped_over() {
    model_without_light_fences("spsc::a_refused_push_is_stepped_over", || {
        let (mut producer, mut consumer) = smallest();
        let monitor = producer.monitor();
        let writer = thread::spawn(move || {
            let refused = producer.try_push_if(10, || false);
            assert_eq!(refused, Err(PushError::NotAdmitted(10)));
            push_when_there_is_room(&mut producer, 11);
            push_when_there_is_room(&mut producer, 12);
        });
        assert_eq!(collect(&mut consumer, 2), [11, 12]);
        writer.join().expect("writer");
        assert_eq!(monitor.aborted(), 1);
        assert!(consumer.is_empty());
    });
}

#[test]
fn a_withdrawn_batch_is_dropped_once_and_stepped_over() {
    model_without_light_fences(
        "spsc::a_withdrawn_batch_is_dropped_once_and_stepped_over",
        || {
            let ledger = Ledger::new(3);
            let events = ledger.clone();
            let (mut producer, mut consumer) = smallest();
            let writer = thread::spawn(move || {
                for id in [0, 1] {
                    assert!(matches!(producer.stage(events.event(id)), Ok(None)));
                }
                producer.announce();
                producer.withdraw();
                push_when_there_is_room(&mut producer, events.event(2));
            });
            let mut seen = Vec::new();
            while seen.is_empty() {
                consumer.drain(usize::MAX, |event| seen.push(event.id()));
                thread::yield_now();
            }
            writer.join().expect("writer");
            assert_eq!(seen, [2]);
            drop(consumer);
            ledger.assert_each_dropped_once();
        },
    );
}

#[test]
fn whoever_finds_a_claim_settled_finds_it_counted() {
    model_without_light_fences(
        "spsc::whoever_finds_a_claim_settled_finds_it_counted",
        || {
            let (mut producer, consumer) = smallest();
            let monitor = consumer.monitor();
            let watcher = thread::spawn(move || {
                let claimed = monitor.claimed();
                while !monitor.settled_until(claimed) {
                    thread::yield_now();
                }
                let before = claimed.wrapping_sub(monitor.first_sequence());
                assert!(monitor.aborted() >= before, "{before} claimed");
            });
            let refused = producer.try_push_if(10, || false);
            assert_eq!(refused, Err(PushError::NotAdmitted(10)));
            watcher.join().expect("watcher");
        },
    );
}

#[test]
fn recycled_values_are_handed_back_and_forth() {
    model_without_light_fences("spsc::recycled_values_are_handed_back_and_forth", || {
        let (mut producer, mut consumer) = RingOptions::new()
            .spsc_recycled(2, || (0, 0))
            .expect("two slots");
        let writer = thread::spawn(move || {
            for value in 1..4 {
                loop {
                    if let Ok(claim) = producer.claim() {
                        claim
                            .publish_with(|slot: &mut (u64, u64)| slot.0 = value)
                            .expect("recycled");
                        break;
                    }
                    thread::yield_now();
                }
            }
        });
        let mut seen = Vec::new();
        while seen.len() < 3 {
            consumer.drain(usize::MAX, |slot| {
                // The reader writes as well: the next lap must see it.
                slot.1 += slot.0;
                seen.push(*slot);
            });
            thread::yield_now();
        }
        writer.join().expect("writer");
        assert_eq!(seen, [(1, 1), (2, 2), (3, 4)]);
    });
}

#[test]
fn whoever_sees_progress_sees_what_the_reader_did() {
    model_without_light_fences(
        "spsc::whoever_sees_progress_sees_what_the_reader_did",
        || {
            let (mut producer, mut consumer) = smallest();
            let monitor = producer.monitor();
            // Relaxed throughout: only the ring orders these two threads.
            let total = Arc::new(AtomicU64::new(0));
            let sum = Arc::clone(&total);
            producer.try_push(7).expect("an empty ring");
            let reader = thread::spawn(move || {
                consumer.drain(1, |value| sum.store(*value, Ordering::Relaxed));
            });
            while monitor.released() != producer.sequence() {
                thread::yield_now();
            }
            assert_eq!(total.load(Ordering::Relaxed), 7);
            reader.join().expect("reader");
        },
    );
}
