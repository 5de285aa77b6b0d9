//! An event's own drop panics, or that of what a listener had captured.

use crate::support::*;
use corecast::{
    AsyncSignal, Engine, FaultKind, Listener, Subscription, SyncSignal, WaitError, WorkerListener,
};
use std::sync::mpsc;
use std::time::Duration;

fn bombs(range: std::ops::Range<u64>, ends: &Count) -> impl Iterator<Item = Bomb> {
    range.map(|number| Bomb::live(number, ends))
}

/// How many faults of a kind were reported, repetitions included.
fn count(engine: &Engine, kind: FaultKind) -> u64 {
    let faults = read(engine.faults());
    assert_eq!(engine.faults().lost(), 0);
    let of_kind = faults.iter().filter(|fault| fault.kind == kind);
    of_kind.map(|fault| fault.count).sum()
}

fn signal(engine: &Engine, capacity: usize) -> AsyncSignal<Bomb> {
    let signal = engine.signal::<Bomb>("bombs").capacity(capacity).build();
    signal.expect("possible")
}

#[test]
fn events_whose_drop_panics_after_they_are_delivered_are_faults_and_the_ring_goes_on() {
    watched(|| {
        on_both(1, |engine| {
            let signal = signal(&engine, 8);
            let (sender, seen) = mpsc::channel();
            signal
                .subscribe(move |bomb| sender.send(bomb.number).expect("the row reads"))
                .detach();
            let mut emitter = signal.emitter().expect("open");
            let ends = Count::default();
            for start in [0, 8, 16] {
                let batch = bombs(start..start + 8, &ends);
                emitter.emit_batch(batch).expect("room");
                emitter.flush(LONG).expect("the sequence advances");
            }
            assert_eq!(
                seen.try_iter().collect::<Vec<_>>(),
                (0..24).collect::<Vec<_>>()
            );
            let report = engine.shutdown(LONG);
            assert_eq!((report.accepted, report.delivered), (24, 24));
            assert_eq!(ends.get(), 24);
            assert_eq!(count(&engine, FaultKind::EventDrop), 24);
        });
    });
}

#[test]
fn events_whose_drop_panics_reach_listeners_on_every_worker_once() {
    watched(|| {
        on_both(3, |engine| {
            let signal = signal(&engine, 32);
            let calls = Count::default();
            for _ in 0..3 {
                let count = calls.clone();
                signal.subscribe(move |_| count.up()).detach();
            }
            let ends = Count::default();
            emit_all(&signal, bombs(0..20, &ends));
            engine.shutdown(LONG);
            assert_eq!((calls.get(), ends.get()), (60, 60));
            assert_eq!(count(&engine, FaultKind::EventDrop), 60);
        });
    });
}

#[test]
fn events_that_nobody_hears_any_more_may_panic_when_they_are_dropped() {
    watched(|| {
        let engine = engine(1, true);
        let signal = signal(&engine, 8);
        signal.subscribe(|_| {}).detach();
        let mut emitter = signal.emitter().expect("open");
        let ends = Count::default();
        emitter.emit_batch(bombs(0..5, &ends)).expect("room");
        signal.clear();
        engine.run_until_idle().expect("not nested");
        assert_eq!(ends.get(), 5);
        assert_eq!(count(&engine, FaultKind::EventDrop), 5);
        // Without a listener they are not taken into a lane: their emitter drops them.
        assert_eq!(
            panic_text(|| emitter.emit(Bomb::live(7, &ends))),
            "bomb 7 goes off"
        );
        assert_eq!(ends.get(), 6);
        signal.subscribe(|_| {}).detach();
        emitter.emit_batch(bombs(8..10, &ends)).expect("room");
        emitter.flush(LONG).expect("delivered");
        assert_eq!(ends.get(), 8);
    });
}

#[test]
fn abandoned_events_may_panic_when_they_are_dropped() {
    watched(|| {
        for shared in [false, true] {
            let engine = engine(1, false);
            let signal = signal(&engine, 8);
            // The worker is held in a listener until the shutdown has given up.
            let (entered, at_work) = mpsc::channel();
            let (release, held) = mpsc::channel::<()>();
            signal
                .subscribe(move |_| {
                    entered.send(()).expect("the row waits");
                    // Until the other end is gone.
                    let _ = held.recv();
                })
                .detach();
            let ends = Count::default();
            let mut emitter = signal.emitter().expect("open");
            for bomb in bombs(0..6, &ends) {
                if shared {
                    signal.emit(bomb).expect("room");
                } else {
                    emitter.emit(bomb).expect("room");
                }
            }
            at_work.recv().expect("the first event");
            let report = engine.shutdown(Duration::ZERO);
            assert_eq!((report.accepted, report.delivered), (6, 0));
            assert_eq!((report.abandoned, report.stuck.len()), (6, 1));
            assert_eq!(ends.get(), 0);
            drop(release);
            drop((emitter, signal));
            // The worker leaves; what is in its lane goes with it.
            let gone = (0..6).all(|_| at_work.recv_timeout(LONG).is_err());
            assert!(gone, "no further call began");
            while ends.get() < 6 {
                std::thread::yield_now();
            }
            assert_eq!(ends.get(), 6);
        }
    });
}

#[test]
fn recycled_values_may_panic_when_their_ring_is_dropped() {
    watched(|| {
        // With the emitter last, and with the engine last.
        for emitter_last in [true, false] {
            on_both(2, |engine| {
                let ends = Count::default();
                let made = ends.clone();
                let signal = engine.signal::<Bomb>("recycled").capacity(4);
                let signal = signal.recycled(move || Bomb::live(0, &made)).build();
                let signal = signal.expect("possible");
                signal.subscribe(|_| {}).detach();
                let mut emitter = signal.emitter().expect("open");
                emitter.emit_with(|bomb| bomb.number = 1).expect("room");
                emitter.flush(LONG).expect("delivered");
                let queue = engine.clone();
                if emitter_last {
                    engine.shutdown(LONG);
                    drop(emitter);
                } else {
                    drop(emitter);
                    engine.shutdown(LONG);
                }
                assert_eq!(ends.get(), 8, "two lanes of four slots");
                // Each of them, though they go at once.
                assert_eq!(count(&queue, FaultKind::EventDrop), 8);
                drop(signal);
            });
        }
    });
}

#[test]
fn a_shared_ring_of_values_whose_drop_panics_is_dropped_with_the_last_handle() {
    watched(|| {
        on_both(1, |engine| {
            let signal = signal(&engine, 4);
            signal.subscribe(|_| {}).detach();
            let ends = Count::default();
            signal.emit(Bomb::live(1, &ends)).expect("room");
            let second = signal.clone();
            drop(signal);
            second.emit(Bomb::live(2, &ends)).expect("room");
            drop(second);
            drop(engine);
            assert_eq!(ends.get(), 2);
        });
    });
}

/// Ways to remove a synchronous listener.
type Removal = fn(&SyncSignal<u64>, Subscription);

const REMOVALS: [Removal; 5] = [
    |_, subscription| assert!(subscription.unsubscribe()),
    |_, subscription| drop(subscription),
    |signal, subscription| {
        assert!(signal.unsubscribe("bomb"));
        assert!(!subscription.is_active());
    },
    |signal, _kept| signal.clear(),
    |_, subscription| assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(())),
];

#[test]
fn captured_state_whose_drop_panics_is_a_fault_however_the_listener_is_removed() {
    watched(|| {
        for remove in REMOVALS {
            for owned in [false, true] {
                let signal = SyncSignal::<u64>::new();
                let (ends, calls) = (Count::default(), Count::default());
                let bomb = Bomb::live(3, &ends);
                let listener = Listener::new(move |_| assert!(bomb.is(3)));
                let subscription = signal.add(listener.key("bomb").name("armed"));
                let count = calls.clone();
                let other = signal.subscribe(move |_| count.up());
                let mut emitter = owned.then(|| signal.emitter());
                let mut emit = || match &mut emitter {
                    Some(emitter) => emitter.emit(&7),
                    None => signal.emit(&7),
                };
                assert_eq!(emit().delivered, 2);
                remove(&signal, subscription.expect("a free key"));
                assert_eq!(signal.quiesce(LONG), Ok(()));
                assert_eq!(ends.get(), 1);
                let faults = read(signal.faults());
                assert_eq!(faults.len(), 1, "{faults:?}");
                assert_eq!(faults[0].kind, FaultKind::ListenerDrop);
                assert_eq!(faults[0].listener_name.as_deref(), Some("armed"));
                assert_eq!(faults[0].message, "bomb 3 goes off");
                emit();
                assert_eq!(calls.get(), if other.is_active() { 2 } else { 1 });
            }
        }
    });
}

#[test]
fn captured_state_that_a_walk_was_using_is_dropped_by_that_walk_and_may_panic() {
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let (ends, handle) = (Count::default(), signal.clone());
        let bomb = Bomb::live(3, &ends);
        let listener = Listener::new(move |_| {
            assert!(bomb.is(3));
            assert!(handle.unsubscribe("bomb"));
        });
        signal
            .add(listener.key("bomb"))
            .expect("a free key")
            .detach();
        assert_eq!(signal.emit(&7).delivered, 1);
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!(ends.get(), 1);
        assert_eq!(read(signal.faults())[0].kind, FaultKind::ListenerDrop);
    });
}

#[test]
fn captured_state_of_a_dropped_signal_may_panic_and_the_rest_is_dropped() {
    watched(|| {
        for owned in [false, true] {
            let ends = Count::default();
            let signal = SyncSignal::<u64>::new();
            for number in 0..5 {
                let bomb = Bomb::live(number, &ends);
                signal.subscribe(move |n| assert!(!bomb.is(*n))).detach();
            }
            let emitter = owned.then(|| signal.emitter());
            signal.emit(&7);
            drop((signal, emitter));
            assert_eq!(ends.get(), 5);
        }
    });
}

#[test]
fn a_destructor_that_asks_to_wait_for_its_own_signal_is_told_that_it_would_wait_for_itself() {
    struct Waits(SyncSignal<u64>, mpsc::Sender<Result<(), WaitError>>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.1.send(self.0.quiesce(LONG)).expect("the row reads");
        }
    }
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let (sender, told) = mpsc::channel();
        let waits = Waits(signal.clone(), sender);
        let subscription = signal.subscribe(move |_| assert_eq!(waits.0.len(), 1));
        signal.emit(&7);
        assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
        assert_eq!(told.recv(), Ok(Err(WaitError::WouldDeadlock)));
    });
}

#[test]
fn captured_state_whose_drop_panics_on_a_worker_is_a_fault_there() {
    watched(|| {
        on_both(2, |engine| {
            let signal = signal(&engine, 8);
            let (ends, calls) = (Count::default(), Count::default());
            let captured = Count::default();
            let bomb = Bomb::live(3, &captured);
            let listener = WorkerListener::new(move |_: &Bomb| assert!(bomb.is(3)));
            let subscription = signal.add(listener.name("armed")).expect("open");
            let count = calls.clone();
            signal.subscribe(move |_| count.up()).detach();
            emit_all(&signal, [Bomb::dud(1, &ends)]);
            assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
            assert_eq!(captured.get(), 1);
            let faults = read(engine.faults());
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].kind, FaultKind::ListenerDrop);
            assert_eq!(faults[0].listener_name.as_deref(), Some("armed"));
            assert!(faults[0].worker.is_some());
            emit_all(&signal, [Bomb::dud(2, &ends)]);
            assert_eq!(calls.get(), 2);
        });
    });
}

#[test]
fn captured_state_that_an_engine_leaves_behind_may_panic() {
    watched(|| {
        // Removed and not waited for; left to the signal; left to a signal that goes first.
        for case in 0..3 {
            on_both(2, |engine| {
                let signal = engine.signal::<u64>("left").build().expect("possible");
                let captured = Count::default();
                for number in 0..4 {
                    let bomb = Bomb::live(number, &captured);
                    let subscription = signal.subscribe(move |n| assert!(!bomb.is(*n)));
                    if case == 0 {
                        assert!(subscription.unsubscribe());
                    } else {
                        subscription.detach();
                    }
                }
                if case == 2 {
                    drop(signal);
                    engine.shutdown(LONG);
                } else {
                    engine.shutdown(LONG);
                    drop(signal);
                }
                drop(engine);
                assert_eq!(captured.get(), 4, "case {case}");
            });
        }
    });
}
