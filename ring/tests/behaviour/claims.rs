//! Claims that are visible before their value is there, and what a reader can see ahead of itself.

use crate::support::{Event, Ledger, panic_of};
use corecast_ring::{ClaimRefused, Fences, PopError, RingOptions, mpsc, spsc, spsc_recycled};

#[test]
fn a_claimed_slot_is_visible_as_a_claim_and_then_as_an_event() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    let monitor = producer.monitor();
    let slot = producer.claim_if(|| monitor.claimed() == 1).expect("room");
    assert_eq!((slot.sequence(), consumer.is_ready()), (0, false));
    slot.publish(7);
    assert_eq!(consumer.pop(), Ok(7));
}

#[test]
fn a_claimed_slot_that_is_dropped_or_refused_is_stepped_over() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    drop(producer.claim_if(|| true).expect("room"));
    let refused = producer.claim_if(|| false).map(drop);
    assert_eq!(refused, Err(ClaimRefused::NotAdmitted));
    let message = panic_of(|| producer.claim_if(|| panic!("no idea")).map(drop));
    assert_eq!(message, "no idea");
    drop(producer.claim_short(|| true).expect("a plain ring"));
    assert_eq!(
        producer.claim_if(|| true).map(drop),
        Err(ClaimRefused::Full)
    );
    assert_eq!(consumer.pop(), Err(PopError::Empty));
    producer.try_push(7).expect("room again");
    assert_eq!(consumer.pop(), Ok(7));
    assert_eq!(producer.monitor().aborted(), 4);
}

#[test]
fn the_short_way_is_there_for_plain_rings_alone() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    producer.claim_short(|| true).expect("room").publish(1);
    assert!(producer.claim_short(|| false).is_none());
    assert!(producer.claim_short(|| true).is_none(), "the ring is full");
    assert_eq!(consumer.pop(), Ok(1));

    let (mut producer, _consumer) = spsc(2).expect("two slots");
    producer.stage(1).expect("room");
    assert!(producer.claim_short(|| true).is_none(), "a value is staged");
    producer.publish();
    assert!(producer.claim_short(|| true).is_some());

    let (mut producer, _consumer) = spsc_recycled(2, || 0).expect("two slots");
    assert!(producer.claim_short(|| true).is_none());
    let full = RingOptions::new().fences(Fences::Full);
    let (mut producer, _consumer) = full.spsc::<u8>(2).expect("two slots");
    assert!(producer.claim_short(|| true).is_none());
    assert_eq!(producer.sequence(), 0, "nothing was claimed on the way");
}

#[test]
fn a_written_slot_is_an_event_when_published_and_dropped_with_its_value_when_not() {
    let ledger = Ledger::new(2);
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    for (id, publishes) in [(0, false), (1, true)] {
        let slot = producer.claim_short(|| true).expect("a plain ring");
        let slot = slot.write(ledger.event(id as usize));
        assert_eq!((slot.sequence(), consumer.poll(1)), (id, 0));
        if publishes {
            slot.publish();
        }
    }
    assert_eq!(
        (producer.monitor().aborted(), ledger.drops()),
        (1, vec![1, 0])
    );
    assert_eq!(consumer.pop().map(|event| event.id), Ok(1));
    ledger.assert_each_dropped_once();
}

#[test]
fn a_refused_push_runs_its_condition_once_and_abandons_one_sequence() {
    for fences in [Fences::Asymmetric, Fences::Full] {
        let (mut producer, _consumer) = RingOptions::new()
            .fences(fences)
            .spsc(4)
            .expect("four slots");
        let asked = std::cell::Cell::new(0);
        let refused = producer.try_push_if(1, || {
            asked.set(asked.get() + 1);
            false
        });
        assert!(refused.is_err());
        assert_eq!((asked.get(), producer.monitor().aborted()), (1, 1));
    }
}

#[test]
fn a_leaked_slot_stalls_its_ring_and_nobody_hangs() {
    let ledger = Ledger::new(1);
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    std::mem::forget(producer.claim_if(|| true).expect("room"));
    assert!(producer.try_push(ledger.event(0)).is_ok());
    assert_eq!(
        consumer.drain(usize::MAX, |_: &mut Event| panic!("behind the leak")),
        0
    );
    assert_eq!(
        producer.claim_if(|| true).map(drop),
        Err(ClaimRefused::Full)
    );
    drop(producer);
    assert!(matches!(consumer.pop(), Err(PopError::Closed)));
    drop(consumer);
    ledger.assert_each_dropped_once();
}

#[test]
fn staging_from_an_iterator_takes_what_fits_and_what_was_asked_for() {
    let (mut producer, mut consumer) = spsc(4).expect("four slots");
    let mut values = 0..;
    assert_eq!(producer.stage_from(&mut values, 0), 0);
    assert_eq!(producer.stage_from(&mut values, 1), 1);
    assert_eq!(producer.stage_from(&mut values, u64::MAX), 3);
    assert_eq!(producer.stage_from(&mut values, u64::MAX), 0);
    assert_eq!((values.start, producer.staged()), (4, 4));
    assert!(!consumer.is_ready());
    producer.publish();
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |value| seen.push(*value));
    assert_eq!(seen, [0, 1, 2, 3]);
}

#[test]
fn an_iterator_that_panics_while_staging_leaves_what_it_had_yielded_staged() {
    let ledger = Ledger::new(3);
    let (mut producer, mut consumer) = spsc(8).expect("eight slots");
    let mut values = (0..).map(|id| {
        assert!(id < 2, "out of values");
        ledger.event(id)
    });
    assert_eq!(
        panic_of(|| producer.stage_from(&mut values, 8)),
        "out of values"
    );
    assert_eq!(producer.staged(), 2);
    assert!(producer.stage(ledger.event(2)).is_ok());
    producer.publish();
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |event| seen.push(event.id));
    assert_eq!(seen, [0, 1, 2]);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_reader_sees_how_far_the_ring_is_published_from_anywhere_in_it() {
    for first in [0, 5, u64::MAX - 2] {
        for published in 0..=8 {
            let (mut producer, mut consumer) = RingOptions::new()
                .first_sequence(first)
                .spsc(8)
                .expect("eight slots");
            assert_eq!(producer.push_batch(&mut (0..3)), 3);
            assert_eq!(consumer.drain(usize::MAX, |_| {}), 3);
            assert_eq!(producer.push_batch(&mut (0..published)), published);
            consumer.poll(1);
            assert_eq!(consumer.len(), published);
            for ahead in 0..10 {
                assert_eq!(consumer.is_published(ahead), ahead < published, "{ahead}");
                assert_eq!(consumer.is_stamped(ahead), ahead < published, "{ahead}");
            }
            let index = first.wrapping_add(3) % 8;
            assert_eq!(consumer.until_wrap() as u64, 8 - index);
        }
    }
}

#[test]
fn what_is_staged_is_neither_published_nor_counted() {
    let (mut producer, mut consumer) = spsc(8).expect("eight slots");
    producer.try_push(0).expect("room");
    assert_eq!(producer.stage_from(&mut (1..4), u64::MAX), 3);
    let published = |consumer: &corecast_ring::Consumer<u64>| {
        [0, 1, 2, 3, 4].map(|ahead| consumer.is_published(ahead))
    };
    assert_eq!(published(&consumer), [true, false, false, false, false]);
    assert_eq!((consumer.len(), consumer.poll(8)), (1, 1));
    assert!(consumer.is_stamped(0) && !consumer.is_stamped(1));
    producer.discard_to(2);
    producer.publish();
    assert_eq!(published(&consumer), [true, true, true, false, false]);
    assert_eq!(consumer.len(), 3);
    assert!(!consumer.is_stamped(3));
}

#[test]
fn an_abandoned_sequence_is_stepped_over_and_is_no_event() {
    let (mut producer, consumer) = spsc(8).expect("eight slots");
    producer.try_push(0).expect("room");
    assert!(producer.try_push_if(1, || false).is_err());
    producer.try_push(2).expect("room");
    assert_eq!(consumer.len(), 3);
    assert_eq!(
        [0, 1, 2, 3].map(|ahead| consumer.is_published(ahead)),
        [true, false, true, false]
    );
}

#[test]
fn a_run_ends_at_an_abandoned_sequence_wherever_it_lies() {
    // One abandoned sequence among eight that may be taken at a time, at each place in turn.
    for abandoned in 0..8 {
        let (mut producer, mut consumer) = spsc(32).expect("32 slots");
        assert_eq!(consumer.longest_run(), 8);
        for value in 0..8 {
            let admitted = producer.try_push_if(value, || value != abandoned).is_ok();
            assert_eq!(admitted, value != abandoned);
        }
        let before = consumer.poll(usize::MAX);
        let expected = if abandoned == 0 { 7 } else { abandoned };
        assert_eq!(before, expected, "abandoned {abandoned}");
        let mut seen = Vec::new();
        consumer.drain(usize::MAX, |value| seen.push(*value));
        let rest: Vec<_> = (0..8).filter(|value| *value != abandoned).collect();
        assert_eq!(seen, rest);
    }
}

#[test]
fn a_monitor_knows_whether_there_is_room() {
    let (mut producer, mut consumer) = spsc(2).expect("two slots");
    let monitor = producer.monitor();
    producer.try_push(1).expect("room");
    assert!(monitor.has_room());
    producer.try_push(2).expect("room");
    assert!(!monitor.has_room());
    consumer.drain(1, |_| {});
    assert!(monitor.has_room());

    let (producer, _consumer) = mpsc::<u8>(2).expect("two slots");
    let monitor = producer.monitor();
    let credits = [producer.reserve(), producer.reserve()];
    assert!(!monitor.has_room(), "credits count as taken");
    drop(credits);
    assert!(monitor.has_room());
}
