//! Slots that keep their values from lap to lap.

use crate::support::{Event, Ledger, panic_of};
use corecast_ring::{ClaimError, PopError, RingOptions, spsc_recycled};

#[test]
fn values_stay_in_their_slots_and_keep_their_memory() {
    let (mut producer, mut consumer) =
        spsc_recycled(2, || String::with_capacity(64)).expect("two slots");
    let mut buffers = Vec::new();
    for lap in 0..6 {
        producer
            .claim()
            .expect("room")
            .publish_with(|text| {
                text.clear();
                text.push_str(&lap.to_string());
            })
            .expect("recycled");
        consumer.drain(1, |text| {
            assert_eq!(*text, lap.to_string());
            buffers.push(text.as_ptr());
        });
    }
    assert_eq!(buffers[0], buffers[2]);
    assert_eq!(buffers[1], buffers[5]);
    assert_ne!(buffers[0], buffers[1]);
}

#[test]
fn values_are_dropped_with_the_ring_and_once() {
    let ledger = Ledger::new(4);
    let mut made = 0..;
    let (producer, mut consumer) =
        spsc_recycled(4, || ledger.event(made.next().expect("endless"))).expect("four slots");
    let mut producer = producer;
    for _ in 0..6 {
        let claim = producer.claim().expect("room");
        claim.publish_with(|_| {}).expect("recycled");
        consumer.drain(usize::MAX, |_| {});
    }
    assert_eq!(ledger.drops(), [0; 4]);
    drop((producer, consumer));
    ledger.assert_each_dropped_once();
}

#[test]
fn a_panicking_factory_drops_what_it_had_made() {
    let ledger = Ledger::new(2);
    let mut made = 0..;
    let message = panic_of(|| {
        spsc_recycled(4, || {
            let id = made.next().expect("endless");
            assert!(id < 2, "nothing left");
            ledger.event(id)
        })
    });
    assert_eq!(message, "nothing left");
    ledger.assert_each_dropped_once();
}

#[test]
fn a_pushed_value_displaces_the_one_in_the_slot() {
    let ledger = Ledger::new(4);
    let mut made = 0..2;
    let (mut producer, mut consumer) =
        spsc_recycled(2, || ledger.event(made.next().expect("two slots"))).expect("two slots");
    assert!(producer.try_push(ledger.event(2)).is_ok());
    assert_eq!(ledger.drops(), [1, 0, 0, 0]);
    assert_eq!(
        producer.push_batch(&mut std::iter::once(ledger.event(3))),
        1
    );
    assert_eq!(ledger.drops(), [1, 1, 0, 0]);
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |event| seen.push(event.id));
    assert_eq!(seen, [2, 3]);
    drop((producer, consumer));
    ledger.assert_each_dropped_once();
}

#[test]
fn a_displaced_value_whose_drop_panics_does_not_hold_the_new_one_back() {
    let ledger = Ledger::new(4);
    let mut made = 0..2;
    let factory = || ledger.event_with_a_panicking_drop(made.next().expect("two slots"));
    let (mut producer, mut consumer) = spsc_recycled(2, factory).expect("two slots");
    let event = ledger.event(2);
    let message = panic_of(|| producer.try_push(event));
    assert_eq!(message, "event 0 panics when dropped");
    let event = ledger.event(3);
    let message = panic_of(|| producer.push_batch(&mut std::iter::once(event)));
    assert_eq!(message, "event 1 panics when dropped");
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |event| seen.push(event.id));
    assert_eq!(seen, [2, 3]);
    drop((producer, consumer));
    ledger.assert_each_dropped_once();
}

#[test]
fn a_panic_while_filling_claims_nothing() {
    let (mut producer, mut consumer) = spsc_recycled(2, || 0).expect("two slots");
    let claim = producer.claim().expect("room");
    let message = panic_of(|| {
        claim.publish_with(|value| {
            *value = 1;
            panic!("half way")
        })
    });
    assert_eq!(message, "half way");
    assert_eq!((producer.sequence(), consumer.is_ready()), (0, false));
    producer.claim().expect("room").publish(2);
    assert_eq!(consumer.drain(usize::MAX, |value| assert_eq!(*value, 2)), 1);
}

#[test]
fn recycled_values_cannot_be_taken_out() {
    let (mut producer, mut consumer) = spsc_recycled(2, || 0).expect("two slots");
    producer.try_push(1).expect("room");
    assert_eq!(consumer.pop(), Err(PopError::Recycled));
    assert_eq!(consumer.drain(1, |value| assert_eq!(*value, 1)), 1);
}

#[test]
fn a_full_recycled_ring_fills_nothing() {
    let (mut producer, _consumer) = spsc_recycled(2, || 0).expect("two slots");
    for _ in 0..2 {
        producer.stage_with(|_| {}).expect("room");
    }
    let never = |_: &mut i32| panic!("there is no room");
    assert_eq!(producer.stage_with(never), Err(ClaimError::Full));
}

#[test]
fn shared_claims_fill_and_write_recycled_slots() {
    let (producer, mut consumer) = RingOptions::new()
        .mpsc_recycled(2, Vec::new)
        .expect("two slots");
    let mut claim = producer.claim().expect("room");
    claim.fill(|values| values.push(1)).expect("recycled");
    assert_eq!(claim.take(), None, "the value belongs to the slot");
    claim.publish();
    let mut claim = producer.claim().expect("room");
    claim.write(vec![2]);
    claim.publish();
    let mut seen = Vec::new();
    consumer.drain(usize::MAX, |values| seen.push(values.clone()));
    assert_eq!(seen, [[1], [2]]);
}

#[test]
fn an_abandoned_shared_claim_leaves_a_value_in_its_slot() {
    let ledger = Ledger::new(4);
    let mut made = 0..2;
    let (producer, mut consumer) = RingOptions::new()
        .mpsc_recycled(2, || ledger.event(made.next().expect("two slots")))
        .expect("two slots");
    let mut claim = producer.claim().expect("room");
    claim.write(ledger.event(2));
    drop(claim);
    let mut claim = producer.claim().expect("room");
    let message = panic_of(|| claim.fill(|_: &mut Event| panic!("half way")));
    assert_eq!(message, "half way");
    drop(claim);
    assert_eq!(consumer.drain(usize::MAX, |_| {}), 0);
    assert!(producer.try_push(ledger.event(3)).is_ok());
    assert_eq!(
        consumer.drain(usize::MAX, |event| assert_eq!(event.id, 3)),
        1
    );
    drop((producer, consumer));
    ledger.assert_each_dropped_once();
}
