//! The parker under real threads: no wake-up is lost, deadlines hold.

use corecast_ring::{Fences, Parked, Parker, RingOptions, WaitStrategy, spsc};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Ends the process, naming the test, when `body` does not come to its end: a lost wake-up leaves
/// threads asleep that nothing else could end.
fn watched(name: &'static str, body: impl FnOnce()) {
    let (finished, watch) = channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if watch.recv_timeout(Duration::from_secs(120)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name}: a thread is still asleep after two minutes");
            std::process::abort();
        }
    });
    body();
    drop(finished);
    watchdog.join().expect("watchdog");
}

/// Parks, without spinning first, until `ready` holds, and counts the parks.
fn park_until(parker: &Parker, parks: &mut u64, ready: impl Fn() -> bool) {
    while !ready() {
        let ticket = parker.announce().expect("the fence was granted");
        if !ready() {
            *parks += 1;
            assert_eq!(parker.park(ticket, None), Parked::Woken);
        }
    }
}

#[test]
fn tens_of_thousands_of_turns_asleep_lose_no_wakeup() {
    const TURNS: u64 = 20_000;
    for fences in [Fences::Asymmetric, Fences::Full] {
        watched("tens_of_thousands_of_turns_asleep_lose_no_wakeup", || {
            // Two threads take turns; each sleeps until the other has counted on.
            let place = Parker::new(fences.resolve());
            let turn = AtomicU64::new(0);
            let take_turns = |parity: u64| {
                let mut parks = 0;
                for mine in (parity..2 * TURNS).step_by(2) {
                    park_until(&place, &mut parks, || turn.load(Ordering::Relaxed) == mine);
                    turn.store(mine + 1, Ordering::Relaxed);
                    place.wake();
                }
                parks
            };
            let parks = std::thread::scope(|scope| {
                let other = scope.spawn(|| take_turns(1));
                take_turns(0) + other.join().expect("the other thread")
            });
            assert_eq!(turn.into_inner(), 2 * TURNS);
            assert!(parks > TURNS / 10, "only {parks} parks: nothing was shown");
        });
    }
}

#[test]
fn a_ring_whose_sides_both_sleep_moves_every_event() {
    const EVENTS: u64 = 20_000;
    for fences in [Fences::Asymmetric, Fences::Full] {
        watched("a_ring_whose_sides_both_sleep_moves_every_event", || {
            let (mut producer, mut consumer) = RingOptions::new()
                .fences(fences)
                .spsc(2)
                .expect("two slots");
            let room = producer.monitor();
            let writer = std::thread::spawn(move || {
                let mut idle = WaitStrategy::park().idle();
                for value in 0..EVENTS {
                    while producer.try_push(value).is_err() {
                        idle.park(room.room(), None, || producer.room(1) > 0);
                    }
                }
            });
            let parker = Arc::clone(consumer.parker());
            let mut idle = WaitStrategy::park().idle();
            let mut next = 0;
            while !consumer.is_closed() {
                idle.park(&parker, None, || {
                    consumer.is_ready() || consumer.is_closed()
                });
                consumer.drain(usize::MAX, |value| {
                    assert_eq!(*value, next);
                    next += 1;
                });
            }
            assert_eq!(next, EVENTS);
            writer.join().expect("writer");
        });
    }
}

#[test]
fn one_wakeup_reaches_every_sleeper() {
    const ROUNDS: u64 = 500;
    watched("one_wakeup_reaches_every_sleeper", || {
        let place = Parker::new(Fences::default().resolve());
        let back = Parker::new(Fences::default().resolve());
        let (round, awake) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for next in 1..=ROUNDS {
                        park_until(&place, &mut 0, || round.load(Ordering::Relaxed) >= next);
                        awake.fetch_add(1, Ordering::Relaxed);
                        back.wake();
                    }
                });
            }
            for next in 1..=ROUNDS {
                round.store(next, Ordering::Relaxed);
                place.wake();
                park_until(&back, &mut 0, || awake.load(Ordering::Relaxed) == 4 * next);
            }
        });
    });
}

#[test]
fn a_park_ends_at_its_deadline_and_not_before() {
    let place = Parker::new(Fences::default().resolve());
    let ticket = place.announce().expect("the fence was granted");
    let deadline = Instant::now() + Duration::from_millis(10);
    assert_eq!(place.park(ticket, Some(deadline)), Parked::TimedOut);
    assert!(Instant::now() >= deadline);
    let ticket = place.announce().expect("the fence was granted");
    assert_eq!(place.park(ticket, Some(deadline)), Parked::TimedOut);
}

#[test]
fn a_wakeup_between_the_announcement_and_the_park_ends_the_park() {
    let place = Parker::new(Fences::default().resolve());
    for wake in [Parker::wake, Parker::wake_announced, Parker::wake_all] {
        let ticket = place.announce().expect("the fence was granted");
        wake(&place);
        assert_eq!(place.park(ticket, None), Parked::Woken);
    }
}

#[test]
fn a_wakeup_before_the_announcement_does_not_count() {
    let place = Parker::new(Fences::default().resolve());
    place.wake_all();
    let ticket = place.announce().expect("the fence was granted");
    let now = Instant::now();
    assert_eq!(place.park(ticket, Some(now)), Parked::TimedOut);
}

#[test]
fn rings_that_share_a_place_wake_the_same_sleeper() {
    watched("rings_that_share_a_place_wake_the_same_sleeper", || {
        let place = Arc::new(Parker::new(Fences::default().resolve()));
        let options = RingOptions::new().ready(Arc::clone(&place));
        let (mut left, mut from_left) = options.spsc::<u64>(4).expect("four slots");
        let (right, mut from_right) = options.mpsc::<u64>(4).expect("four slots");
        assert!(Arc::ptr_eq(from_left.parker(), from_right.parker()));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut sum = 0;
                let mut parks = 0;
                while !stop.load(Ordering::Relaxed) {
                    park_until(&place, &mut parks, || {
                        from_left.is_ready()
                            || from_right.is_ready()
                            || stop.load(Ordering::Relaxed)
                    });
                    from_left.drain(usize::MAX, |value| sum += *value);
                    from_right.drain(usize::MAX, |value| sum += *value);
                }
                sum
            });
            for value in 1..=1000 {
                left.push(value, WaitStrategy::park(), None).expect("open");
                right.push(value, WaitStrategy::park(), None).expect("open");
            }
            let all = left.sequence();
            while left.monitor().released() != all || right.monitor().released() != all {
                std::thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
            place.wake();
            assert_eq!(reader.join().expect("reader"), 1000 * 1001);
        });
    });
}

#[test]
fn a_caller_with_a_fence_of_its_own_wakes_without_a_second_one() {
    let (mut producer, consumer) = spsc(4).expect("four slots");
    let place = Arc::clone(consumer.parker());
    let ticket = place.announce().expect("the fence was granted");
    producer.stage(1).expect("room");
    producer.publish();
    place.fences().light();
    producer.notify_fenced();
    assert_eq!(place.park(ticket, None), Parked::Woken);
}
