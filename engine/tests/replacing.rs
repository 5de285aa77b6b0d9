//! Replacing a listener by its next version: what is seen by which, and what it takes to lose nothing.

use corecast::{Cores, Engine, Listener, SyncSignal, WaitError};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(300);

fn counting<T: 'static>(count: &Arc<AtomicU64>) -> Listener<T> {
    let count = Arc::clone(count);
    Listener::new(move |_: &T| {
        count.fetch_add(1, Ordering::Relaxed);
    })
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// A signal whose first listener holds every walk up until it is told to go on.
struct Held {
    signal: SyncSignal<u64>,
    is_inside: Receiver<()>,
    go_on: Sender<()>,
}

fn held() -> Held {
    let signal = SyncSignal::new();
    let (entered, is_inside) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let holds = Listener::new(move |_: &u64| {
        entered.send(()).unwrap();
        may_go_on.lock().unwrap().recv().unwrap();
    });
    signal.add(holds.priority(1)).unwrap().detach();
    Held {
        signal,
        is_inside,
        go_on,
    }
}

#[test]
fn a_walk_under_way_sees_neither_version_when_the_old_one_goes_without_a_quiesce() {
    let held = held();
    let (old, new) = (Arc::default(), Arc::default());
    let serving = held.signal.add(counting(&old)).unwrap();
    std::thread::scope(|scope| {
        let walk = scope.spawn(|| held.signal.emit(&1));
        held.is_inside.recv().unwrap();
        held.signal.add(counting(&new)).unwrap().detach();
        drop(serving);
        held.go_on.send(()).unwrap();
        assert_eq!(walk.join().unwrap().delivered, 1, "the one that holds");
    });
    assert_eq!(
        (read(&old), read(&new)),
        (0, 0),
        "the event is lost to both"
    );
}

#[test]
fn quiesce_waits_for_the_walk_that_does_not_know_the_new_version() {
    let held = held();
    let (old, new) = (Arc::default(), Arc::default());
    let serving = held.signal.add(counting(&old)).unwrap();
    std::thread::scope(|scope| {
        let walk = scope.spawn(|| held.signal.emit(&1));
        held.is_inside.recv().unwrap();
        held.signal.add(counting(&new)).unwrap().detach();
        let at_once = held.signal.quiesce(Duration::ZERO);
        held.go_on.send(()).unwrap();
        assert_eq!(at_once, Err(WaitError::Timeout));
        held.signal.quiesce(LONG).unwrap();
        assert_eq!(
            read(&old),
            1,
            "the old version was there for all of that walk"
        );
        drop(serving);
        walk.join().unwrap();
    });
    assert_eq!(read(&new), 0);
    held.go_on.send(()).unwrap();
    held.signal.emit(&2);
    assert_eq!((read(&old), read(&new)), (1, 1));
}

/// An event that is handled by whichever version comes to it first.
struct Marked(Cell<bool>);

#[test]
fn each_event_is_handled_once_through_many_replacements_while_others_emit() {
    const EVENTS: u64 = 20_000;
    let signal = SyncSignal::<Marked>::new();
    let handled = Arc::new(AtomicU64::new(0));
    let version = || {
        let handled = Arc::clone(&handled);
        Listener::new(move |event: &Marked| {
            if !event.0.replace(true) {
                handled.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let mut serving = signal.add(version()).unwrap();
    std::thread::scope(|scope| {
        let emitters = [
            scope.spawn(|| {
                let mut out = signal.emitter();
                for _ in 0..EVENTS {
                    assert!(out.emit(&Marked(Cell::new(false))).delivered > 0);
                }
            }),
            scope.spawn(|| {
                for _ in 0..EVENTS {
                    assert!(signal.emit(&Marked(Cell::new(false))).delivered > 0);
                }
            }),
        ];
        let mut replaced = 0;
        while replaced < 10 || emitters.iter().any(|one| !one.is_finished()) {
            let next = signal.add(version()).unwrap();
            signal.quiesce(LONG).unwrap();
            serving = next;
            replaced += 1;
        }
    });
    drop(serving);
    assert_eq!(read(&handled), 2 * EVENTS);
}

/// The events that the old and the new version got, with or without a flush of the emitter
/// before the change.
fn replace_on_a_worker(flush: bool) -> (u64, u64) {
    let engine = Engine::builder()
        .cores(Cores::count(1))
        .manual()
        .build()
        .unwrap();
    let signal = engine.signal::<u64>("s").build().unwrap();
    let subscribe = |count: &Arc<AtomicU64>| {
        let count = Arc::clone(count);
        signal.subscribe(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
    };
    let (old, new) = (Arc::default(), Arc::default());
    let serving = subscribe(&old);
    let mut out = signal.emitter().unwrap();
    (0..5).for_each(|event| out.emit(event).unwrap());
    if flush {
        out.flush(LONG).unwrap();
    }
    let next = subscribe(&new);
    drop(serving);
    (5..8).for_each(|event| out.emit(event).unwrap());
    out.flush(LONG).unwrap();
    drop(next);
    (read(&old), read(&new))
}

#[test]
fn on_a_worker_flush_subscribe_unsubscribe_hands_each_event_to_one_version() {
    assert_eq!(replace_on_a_worker(true), (5, 3));
}

#[test]
fn on_a_worker_events_that_wait_at_the_change_are_lost_without_a_flush() {
    assert_eq!(replace_on_a_worker(false), (0, 3));
}
