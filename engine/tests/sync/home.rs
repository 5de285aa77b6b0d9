//! That a thread knows of its walks wherever its emitters have been, and however often they have walked.

use crate::support::{Calls, Gate, LONG, comes_back, delivery, on_each};
use corecast::{SyncSignal, WaitError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// More emitters than a thread keeps in mind.
const MANY: usize = 200;

/// A listener that asks for what would deadlock inside a walk of this thread, and nowhere else.
fn asking(signal: &SyncSignal<u64>, told: &Calls) -> impl Fn(&u64) + Send + Sync + 'static {
    let (signal, told) = (signal.clone(), told.clone());
    move |_| {
        assert_eq!(signal.quiesce(LONG), Err(WaitError::WouldDeadlock));
        told.add();
    }
}

#[test]
fn an_emitter_that_goes_from_thread_to_thread_is_at_home_in_each() {
    let (signal, other) = (SyncSignal::<u64>::new(), SyncSignal::<u64>::new());
    let told = Calls::default();
    let _subscription = signal.subscribe(asking(&other, &told));
    let mut emitter = signal.emitter();
    for round in 1..=300 {
        // In two threads at a time, which take turns.
        let emit = |mut emitter: corecast::SyncEmitter<u64>| {
            assert_eq!(emitter.emit(&1), delivery(1, 0));
            assert_eq!(emitter.emit(&2), delivery(1, 0));
            emitter
        };
        emitter = thread::spawn(move || emit(emitter)).join().unwrap();
        emitter = emit(emitter);
        assert_eq!(other.quiesce(LONG), Ok(()));
        assert_eq!(told.get(), 4 * round);
    }
    let metrics = signal.metrics();
    assert_eq!((metrics.emitted, metrics.delivered), (1200, 1200));
}

#[test]
fn a_walk_on_a_thread_with_too_many_emitters_is_not_taken_for_one_of_the_thread_before() {
    let (signal, crowd) = (SyncSignal::<u64>::new(), SyncSignal::<u64>::new());
    let gate = Gate::default();
    let held = gate.clone();
    let _subscription = signal.subscribe(move |n| {
        if *n == 0 {
            held.pass();
        }
    });
    let mut emitter = signal.emitter();
    assert_eq!(emitter.emit(&1), delivery(1, 0));
    let emitting = thread::spawn(move || {
        let mut others: Vec<_> = (0..MANY).map(|_| crowd.emitter()).collect();
        for other in &mut others {
            other.emit(&0);
        }
        emitter.emit(&0)
    });
    gate.wait_for(1);
    // This thread, where the emitter was at home, is in no walk.
    assert_eq!(SyncSignal::<u64>::new().quiesce(LONG), Ok(()));
    gate.open();
    assert_eq!(emitting.join().unwrap(), delivery(1, 0));
}

#[test]
fn of_two_hundred_emitters_on_a_thread_each_walk_is_known() {
    let (signal, other) = (SyncSignal::<u64>::new(), SyncSignal::<u64>::new());
    let told = Calls::default();
    let _subscription = signal.subscribe(asking(&other, &told));
    let mut emitters: Vec<_> = (0..MANY).map(|_| signal.emitter()).collect();
    for emitter in emitters.iter_mut().chain(&mut [signal.emitter()]) {
        assert_eq!(emitter.emit(&0), delivery(1, 0));
        assert_eq!(emitter.emit(&0), delivery(1, 0));
    }
    assert_eq!(told.get(), 2 * (MANY + 1));
}

/// As many walks as the word counts in which they show, and some more.
const OVERFLOW: u64 = 1 << 20;

#[test]
fn walks_are_counted_and_known_beyond_the_overflow_of_their_count() {
    on_each::<u64>(|signal, handle| {
        let other = SyncSignal::<u64>::new();
        let sum = Arc::new(AtomicU64::new(0));
        let (adds, asks) = (Arc::clone(&sum), other.clone());
        let _subscription = signal.subscribe_fallible(move |n| {
            adds.store(adds.load(Ordering::Relaxed) + n, Ordering::Relaxed);
            if n.abs_diff(OVERFLOW) < 4 {
                let asked = asks.quiesce(LONG);
                assert_eq!(asked, Err(WaitError::WouldDeadlock), "in walk {n}");
            }
            // Failures too are counted on either side.
            if n.abs_diff(OVERFLOW) == 2 {
                Err("no")
            } else {
                Ok(())
            }
        });
        let last = OVERFLOW + 1000;
        for n in 1..=last {
            let failed = usize::from(n.abs_diff(OVERFLOW) == 2);
            assert_eq!(handle.emit(&n), delivery(1 - failed, failed));
            if n.abs_diff(OVERFLOW) < 4 {
                assert_eq!(signal.metrics().emitted, n);
                assert_eq!(other.quiesce(LONG), Ok(()));
            }
        }
        assert_eq!(sum.load(Ordering::Relaxed), last * (last + 1) / 2);
        let metrics = signal.metrics();
        assert_eq!((metrics.emitted, metrics.delivered), (last, last - 2));
        assert_eq!((metrics.failed, metrics.panicked), (2, 0));
    });
}

#[test]
fn a_walk_that_begins_the_count_anew_is_waited_for() {
    let signal = SyncSignal::<u64>::new();
    let _subscription = signal.subscribe(|_| {});
    let mut emitter = signal.emitter();
    for n in 1..=OVERFLOW {
        emitter.emit(&n);
    }
    let gate = Gate::default();
    let victim = signal.subscribe(gate.listener());
    let walking = thread::spawn(move || emitter.emit(&0));
    gate.wait_for(1);
    let waiting = thread::spawn(move || victim.unsubscribe_and_wait(LONG));
    gate.open();
    assert_eq!(walking.join().unwrap(), delivery(2, 0));
    assert_eq!(comes_back(move || waiting.join().unwrap()), Ok(()));
    assert_eq!(signal.len(), 1);
}
