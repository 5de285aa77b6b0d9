//! Many writers: credits, claims, and what becomes of those that are dropped or leaked.

use crate::support::{Ledger, panic_of};
use corecast_ring::{ClaimError, PopError, PushError, RingOptions, WaitStrategy, mpsc};

#[test]
fn events_arrive_in_order_over_many_laps_of_the_smallest_ring() {
    for first in [0, u64::MAX - 3] {
        let (producer, mut consumer) = RingOptions::new()
            .first_sequence(first)
            .mpsc(2)
            .expect("two slots");
        for value in 0..1000 {
            producer.try_push(value).expect("an empty ring");
            assert_eq!(consumer.pop(), Ok(value));
        }
        assert_eq!(consumer.pop(), Err(PopError::Empty));
    }
}

#[test]
fn a_full_ring_hands_the_value_back() {
    let (producer, mut consumer) = mpsc(2).expect("two slots");
    assert_eq!(producer.push_batch(&mut (0..3)), 2);
    assert!(!producer.has_room());
    assert_eq!(producer.try_push(9), Err(PushError::Full(9)));
    assert_eq!(producer.claim().err(), Some(ClaimError::Full));
    assert_eq!((producer.len(), consumer.len()), (2, 2));
    assert_eq!(consumer.pop(), Ok(0));
    assert!(producer.has_room());
    assert_eq!(producer.try_push(9), Ok(()));
    assert_eq!((consumer.pop(), consumer.pop()), (Ok(1), Ok(9)));
    assert!(producer.is_empty());
}

#[test]
fn a_batch_takes_from_the_iterator_only_what_fits() {
    let (producer, _consumer) = mpsc(4).expect("four slots");
    let mut values = 0..6;
    assert_eq!(producer.push_batch(&mut values), 4);
    assert_eq!(values, 4..6);
}

#[test]
fn a_panicking_iterator_leaves_the_values_it_had_yielded_published() {
    let (producer, mut consumer) = mpsc(4).expect("four slots");
    let mut values = (0..).inspect(|value| assert!(*value < 2, "out of values"));
    let message = panic_of(|| producer.push_batch(&mut values));
    assert_eq!(message, "out of values");
    assert_eq!(producer.push_batch(&mut (2..9)), 2, "no credit is lost");
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |value| seen.push(*value));
    assert_eq!(seen, [0, 1, 2, 3]);
}

#[test]
fn claims_published_out_of_order_arrive_in_the_order_claimed() {
    let (producer, mut consumer) = mpsc(4).expect("four slots");
    let mut first = producer.claim().expect("room");
    let mut second = producer.claim().expect("room");
    assert_eq!((first.sequence(), second.sequence()), (0, 1));
    second.write("second");
    second.publish();
    assert_eq!(consumer.pop(), Err(PopError::Empty));
    first.write("first");
    first.publish();
    assert_eq!(consumer.pop(), Ok("first"));
    assert_eq!(consumer.pop(), Ok("second"));
}

#[test]
fn a_claim_may_be_written_again_and_taken_back() {
    let ledger = Ledger::new(3);
    let (producer, mut consumer) = mpsc(2).expect("two slots");
    let mut claim = producer.claim().expect("room");
    assert!(claim.take().is_none());
    claim.write(ledger.event(0));
    claim.write(ledger.event(1));
    assert_eq!(ledger.drops(), [1, 0, 0]);
    assert_eq!(claim.take().expect("written").id, 1);
    claim.write(ledger.event(2));
    claim.publish();
    assert_eq!(consumer.pop().expect("an event").id, 2);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_claim_dropped_or_published_unwritten_is_stepped_over() {
    let ledger = Ledger::new(2);
    let (producer, mut consumer) = mpsc(4).expect("four slots");
    let mut claim = producer.claim().expect("room");
    claim.write(ledger.event(0));
    drop(claim);
    producer.claim().expect("room").publish();
    assert!(producer.try_push(ledger.event(1)).is_ok());
    assert_eq!(producer.monitor().aborted(), 2);
    assert_eq!(consumer.pop().expect("an event").id, 1);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_claim_whose_value_panics_when_dropped_is_abandoned_first() {
    let ledger = Ledger::new(2);
    let (producer, mut consumer) = mpsc(2).expect("two slots");
    let mut claim = producer.claim().expect("room");
    claim.write(ledger.event_with_a_panicking_drop(0));
    assert_eq!(panic_of(|| drop(claim)), "event 0 panics when dropped");
    assert!(producer.try_push(ledger.event(1)).is_ok());
    assert_eq!(consumer.pop().expect("an event").id, 1);
    ledger.assert_each_dropped_once();
}

#[test]
fn only_recycled_slots_are_filled_in_place() {
    let (producer, _consumer) = mpsc::<u8>(2).expect("two slots");
    let mut claim = producer.claim().expect("room");
    assert_eq!(claim.fill(|_| {}), Err(ClaimError::NotRecycled));
}

#[test]
fn a_credit_handed_back_is_there_for_others_and_leaves_no_sequence() {
    let (producer, mut consumer) = mpsc(2).expect("two slots");
    let credits = [producer.reserve(), producer.reserve()];
    assert!(credits.iter().all(Result::is_ok));
    assert_eq!(producer.try_push(1), Err(PushError::Full(1)));
    assert_eq!(producer.monitor().claimed(), 0);
    drop(credits);
    assert_eq!(producer.push_batch(&mut (1..)), 2);
    assert_eq!((consumer.pop(), consumer.pop()), (Ok(1), Ok(2)));
    assert_eq!(producer.monitor().aborted(), 0);
}

#[test]
fn a_leaked_claim_stalls_its_ring_and_nobody_hangs() {
    let ledger = Ledger::new(4);
    let (producer, mut consumer) = mpsc(4).expect("four slots");
    assert!(producer.try_push(ledger.event(0)).is_ok());
    std::mem::forget(producer.claim().expect("room"));
    for id in [1, 2] {
        assert!(producer.try_push(ledger.event(id)).is_ok());
    }
    assert_eq!(consumer.pop().expect("what came before").id, 0);
    for _ in 0..3 {
        assert_eq!(consumer.drain(usize::MAX, |_| panic!("behind the leak")), 0);
    }
    assert!(producer.try_push(ledger.event(3)).is_ok());
    let refused = producer.try_push(ledger.event(3)).map_err(|refused| {
        assert!(matches!(refused, PushError::Full(_)));
        std::mem::forget(refused);
    });
    assert_eq!(refused, Err(()));
    assert!(!producer.monitor().settled_until(4));
    drop(producer);
    assert!(!consumer.wait(WaitStrategy::park(), None));
    assert!(matches!(consumer.pop(), Err(PopError::Closed)));
    drop(consumer);
    ledger.assert_each_dropped_once();
}

#[test]
fn eight_producers_keep_their_own_order_and_lose_nothing() {
    const PRODUCERS: usize = 8;
    const EVENTS: u64 = 10_000;
    for first in [0, u64::MAX - EVENTS] {
        let (producer, mut consumer) = RingOptions::new()
            .first_sequence(first)
            .mpsc(64)
            .expect("64 slots");
        let writers: Vec<_> = (0..PRODUCERS)
            .map(|id| {
                let producer = producer.clone();
                std::thread::spawn(move || {
                    for value in 0..EVENTS {
                        if value % 5 == 0 {
                            // Abandoned claims and credits among the events change nothing.
                            drop(producer.claim());
                            drop(producer.reserve());
                        }
                        producer
                            .push((id, value), WaitStrategy::spin_then_yield(), None)
                            .expect("the reader is there");
                    }
                })
            })
            .collect();
        drop(producer);
        let mut next = [0; PRODUCERS];
        while consumer.wait(WaitStrategy::spin_then_yield(), None) {
            consumer.drain(usize::MAX, |(id, value)| {
                assert_eq!(*value, next[*id], "producer {id}");
                next[*id] += 1;
            });
        }
        assert_eq!(next, [EVENTS; PRODUCERS]);
        for writer in writers {
            writer.join().expect("writer");
        }
    }
}
