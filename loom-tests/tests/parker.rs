//! Sleeping and waking (edges P1 and P2 of the parker), from both sides of a ring.
//!
//! A lost wake-up leaves every thread asleep, which loom reports by ending the process.

use corecast_loom_tests::{model, model_without_light_fences};
use corecast_ring::sync::{Arc, AtomicU32, Ordering, thread};
use corecast_ring::{Consumer, Fences, Parker, PopError, RingOptions, WaitStrategy};
use std::sync::Arc as StdArc;

fn parker() -> StdArc<Parker> {
    StdArc::new(Parker::new(Fences::default().resolve()))
}

/// Sleeps, without spinning first, until `ready` holds.
fn sleep_until(parker: &Parker, ready: impl Fn() -> bool) {
    let mut idle = WaitStrategy::park().idle();
    while !ready() {
        idle.park(parker, None, &ready);
    }
}

/// Takes the next event, asleep while there is none.
fn pop_asleep(consumer: &mut Consumer<u64>) -> Result<u64, PopError> {
    loop {
        match consumer.pop() {
            Err(PopError::Empty) => {
                let parker = StdArc::clone(consumer.parker());
                sleep_until(&parker, || consumer.is_ready() || consumer.is_closed());
            }
            done => return done,
        }
    }
}

#[test]
fn no_wakeup_is_lost() {
    model("parker::no_wakeup_is_lost", || {
        let place = parker();
        let done = Arc::new(AtomicU32::new(0));
        let (its_place, its_done) = (StdArc::clone(&place), Arc::clone(&done));
        let sleeper = thread::spawn(move || {
            sleep_until(&its_place, || its_done.load(Ordering::Relaxed) == 1);
        });
        done.store(1, Ordering::Relaxed);
        place.wake();
        sleeper.join().expect("sleeper");
    });
}

#[test]
fn one_wakeup_reaches_every_sleeper() {
    model("parker::one_wakeup_reaches_every_sleeper", || {
        let place = parker();
        let done = Arc::new(AtomicU32::new(0));
        let sleepers = [0, 1].map(|_| {
            let (place, done) = (StdArc::clone(&place), Arc::clone(&done));
            thread::spawn(move || sleep_until(&place, || done.load(Ordering::Relaxed) == 1))
        });
        done.store(1, Ordering::Relaxed);
        place.wake();
        for sleeper in sleepers {
            sleeper.join().expect("sleeper");
        }
    });
}

#[test]
fn a_sleeper_wakes_for_each_of_two_wakers() {
    model("parker::a_sleeper_wakes_for_each_of_two_wakers", || {
        let place = parker();
        let done = Arc::new(AtomicU32::new(0));
        let wakers = [0, 1].map(|_| {
            let (place, done) = (StdArc::clone(&place), Arc::clone(&done));
            thread::spawn(move || {
                done.fetch_add(1, Ordering::Relaxed);
                place.wake();
            })
        });
        for count in [1, 2] {
            sleep_until(&place, || done.load(Ordering::Relaxed) >= count);
        }
        for waker in wakers {
            waker.join().expect("waker");
        }
    });
}

#[test]
fn the_consumer_wakes_for_every_event() {
    model("parker::the_consumer_wakes_for_every_event", || {
        let (mut producer, mut consumer) = RingOptions::new().spsc(2).expect("two slots");
        let writer = thread::spawn(move || {
            for value in [1, 2] {
                producer.try_push(value).expect("room for two");
            }
            producer
        });
        assert_eq!(pop_asleep(&mut consumer), Ok(1));
        assert_eq!(pop_asleep(&mut consumer), Ok(2));
        drop(writer.join().expect("writer"));
    });
}

#[test]
fn a_producer_waiting_for_room_wakes_when_there_is_some() {
    model(
        "parker::a_producer_waiting_for_room_wakes_when_there_is_some",
        || {
            let (mut producer, mut consumer) = RingOptions::new().spsc(2).expect("two slots");
            let room = producer.monitor();
            let writer = thread::spawn(move || {
                for value in 1..4 {
                    while let Err(refused) = producer.try_push(value) {
                        assert_eq!(refused.into_inner(), value);
                        WaitStrategy::park()
                            .idle()
                            .park(room.room(), None, || producer.room(1) > 0);
                    }
                }
                producer
            });
            // Two events make room for the third. Whether the writer noticed, joining tells.
            for value in [1, 2] {
                while !consumer.is_ready() {
                    thread::yield_now();
                }
                assert_eq!(consumer.pop(), Ok(value));
            }
            let producer = writer.join().expect("writer");
            assert_eq!(consumer.pop(), Ok(3));
            drop(producer);
        },
    );
}

#[test]
fn one_sleeper_serves_two_rings() {
    model("parker::one_sleeper_serves_two_rings", || {
        let place = parker();
        let options = RingOptions::new().ready(StdArc::clone(&place));
        let (mut left, mut from_left) = options.spsc::<u64>(2).expect("two slots");
        let (mut right, mut from_right) = options.spsc::<u64>(2).expect("two slots");
        let writers = [
            thread::spawn(move || {
                left.try_push(1).expect("an empty ring");
                left
            }),
            thread::spawn(move || {
                right.try_push(2).expect("an empty ring");
                right
            }),
        ];
        let mut sum = 0;
        while sum < 3 {
            sleep_until(&place, || from_left.is_ready() || from_right.is_ready());
            from_left.drain(usize::MAX, |value| sum += *value);
            from_right.drain(usize::MAX, |value| sum += *value);
        }
        for writer in writers {
            drop(writer.join().expect("writer"));
        }
    });
}

#[test]
fn a_sleeping_consumer_learns_that_the_producer_is_gone() {
    model(
        "parker::a_sleeping_consumer_learns_that_the_producer_is_gone",
        || {
            let (mut producer, mut consumer) = RingOptions::new().spsc(2).expect("two slots");
            let writer = thread::spawn(move || {
                producer.try_push(1).expect("an empty ring");
            });
            assert_eq!(pop_asleep(&mut consumer), Ok(1));
            assert_eq!(pop_asleep(&mut consumer), Err(PopError::Closed));
            writer.join().expect("writer");
        },
    );
}

#[test]
fn a_sleeping_producer_learns_that_the_consumer_is_gone() {
    model(
        "parker::a_sleeping_producer_learns_that_the_consumer_is_gone",
        || {
            let (mut producer, consumer) = RingOptions::new().spsc(2).expect("two slots");
            let monitor = producer.monitor();
            for value in [1, 2] {
                producer.try_push(value).expect("room for two");
            }
            let reader = thread::spawn(move || drop(consumer));
            sleep_until(monitor.room(), || producer.is_closed());
            reader.join().expect("reader");
        },
    );
}

#[test]
fn a_place_with_full_fences_needs_no_light_ones() {
    model_without_light_fences(
        "parker::a_place_with_full_fences_needs_no_light_ones",
        || {
            // The ring's own fences are asymmetric; what counts is where its reader sleeps.
            let place = StdArc::new(Parker::new(Fences::Full.resolve()));
            let (mut producer, mut consumer) =
                RingOptions::new().ready(place).spsc(2).expect("two slots");
            let writer = thread::spawn(move || {
                producer.try_push(1).expect("an empty ring");
                producer
            });
            assert_eq!(pop_asleep(&mut consumer), Ok(1));
            drop(writer.join().expect("writer"));
        },
    );
}
