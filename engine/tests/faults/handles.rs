//! Emitters, signals, subscriptions and engines are dropped from inside listeners, in every order.

use crate::support::*;
use corecast::{AsyncSignal, Broadcast, Emitter, Engine, Subscription, SyncSignal};
use std::sync::{Arc, Mutex, mpsc};

/// The things to drop.
struct Handles {
    engine: Option<Engine>,
    signal: Option<AsyncSignal<Bomb>>,
    emitter: Option<Emitter<Bomb, Broadcast>>,
    subscription: Option<Subscription>,
}

impl Handles {
    fn drop_one(&mut self, which: usize) {
        match which {
            0 => drop(self.engine.take()),
            1 => drop(self.signal.take()),
            2 => drop(self.emitter.take()),
            _ => drop(self.subscription.take()),
        }
    }
}

/// Every order of four things.
fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            for c in (0..4).filter(|c| ![a, b].contains(c)) {
                let d = 6 - a - b - c;
                orders.push([a, b, c, d]);
            }
        }
    }
    assert_eq!(orders.len(), 24);
    orders
}

/// Tells, when it is dropped, that nothing is left of the listener that captured it.
struct Last(mpsc::Sender<()>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.send(()).expect("the row waits");
    }
}

#[test]
fn an_engine_and_all_that_is_of_it_may_be_dropped_in_any_order() {
    watched(|| {
        for order in orders() {
            on_both(2, |engine| {
                let signal = engine.signal::<Bomb>("bombs").capacity(16).build();
                let signal = signal.expect("possible");
                let (gone, last) = mpsc::channel();
                let last_one = Last(gone);
                let subscription = signal.subscribe(move |_| assert!(size_of_val(&last_one) > 0));
                let mut emitter = signal.emitter().expect("open");
                let ends = Count::default();
                for number in 0..4 {
                    emitter.emit(Bomb::dud(number, &ends)).expect("room");
                    signal.emit(Bomb::dud(number, &ends)).expect("room");
                }
                let mut handles = Handles {
                    engine: Some(engine),
                    signal: Some(signal),
                    emitter: Some(emitter),
                    subscription: Some(subscription),
                };
                for which in order {
                    handles.drop_one(which);
                }
                assert_eq!(last.recv_timeout(LONG), Ok(()), "{order:?}");
                assert_eq!(last.recv(), Err(mpsc::RecvError), "once");
                assert_eq!(ends.get(), 8, "{order:?}");
            });
        }
    });
}

#[test]
fn a_listener_on_a_worker_may_drop_everything_in_any_order() {
    watched(|| {
        for order in orders() {
            let engine = engine(2, false);
            let signal = engine.signal::<Bomb>("bombs").capacity(16).build();
            let signal = signal.expect("possible");
            let (give, take) = mpsc::channel::<Handles>();
            let (gone, last) = mpsc::channel();
            let last_one = Last(gone);
            let subscription = signal.subscribe(move |_| {
                assert!(size_of_val(&last_one) > 0);
                // Nothing to take at the events after the first.
                if let Ok(mut handles) = take.recv() {
                    order.into_iter().for_each(|which| handles.drop_one(which));
                }
            });
            let mut emitter = signal.emitter().expect("open");
            let ends = Count::default();
            for number in 0..4 {
                emitter.emit(Bomb::dud(number, &ends)).expect("room");
            }
            let handles = Handles {
                engine: Some(engine),
                signal: Some(signal),
                emitter: Some(emitter),
                subscription: Some(subscription),
            };
            // The listener holds the other end until it is gone.
            assert!(give.send(handles).is_ok(), "{order:?}");
            drop(give);
            assert_eq!(last.recv_timeout(LONG), Ok(()), "{order:?}");
            assert_eq!(last.recv(), Err(mpsc::RecvError), "once");
            while ends.get() < 4 {
                std::thread::yield_now();
            }
            assert_eq!(ends.get(), 4, "{order:?}");
        }
    });
}

#[test]
fn a_listener_of_a_manual_engine_may_drop_everything_in_any_order() {
    watched(|| {
        for order in orders() {
            let engine = engine(2, true);
            let signal = engine.signal::<Bomb>("bombs").capacity(16).build();
            let signal = signal.expect("possible");
            let handles = Arc::new(Mutex::new(None::<Handles>));
            let given = Arc::clone(&handles);
            let (gone, last) = mpsc::channel();
            let last_one = Last(gone);
            let subscription = signal.subscribe(move |_| {
                assert!(size_of_val(&last_one) > 0);
                let handles = given.lock().expect("no panic").take();
                if let Some(mut handles) = handles {
                    order.into_iter().for_each(|which| handles.drop_one(which));
                }
            });
            let mut emitter = signal.emitter().expect("open");
            let ends = Count::default();
            for number in 0..4 {
                emitter.emit(Bomb::dud(number, &ends)).expect("room");
            }
            // A manual engine is run through a handle, so this one stays to the end.
            *handles.lock().expect("no panic") = Some(Handles {
                engine: Some(engine.clone()),
                signal: Some(signal),
                emitter: Some(emitter),
                subscription: Some(subscription),
            });
            engine.run_until_idle().expect("not nested");
            assert_eq!(ends.get(), 4, "{order:?}");
            drop(engine);
            assert_eq!(last.recv_timeout(LONG), Ok(()), "{order:?}");
            assert_eq!(last.recv(), Err(mpsc::RecvError), "once");
        }
    });
}

#[test]
fn a_listener_that_shuts_its_engine_down_gets_a_report_and_so_does_everybody_else() {
    watched(|| {
        on_both(2, |engine| {
            let signal = engine.signal::<u64>("numbers").build().expect("possible");
            let (sender, reports) = mpsc::channel();
            let handle = engine.clone();
            signal
                .subscribe(move |_| {
                    sender.send(handle.shutdown(LONG)).expect("the row reads");
                })
                .detach();
            let mut emitter = signal.emitter().expect("open");
            emitter.emit(7).expect("room");
            // Told to run if it has to be.
            let _ = engine.run_until_idle();
            let report = reports.recv_timeout(LONG).expect("a report");
            assert_eq!(report.accepted, 1);
            assert!(!report.stuck.is_empty(), "the listener's own worker");
            assert_eq!(engine.shutdown(LONG), report);
            assert!(emitter.emit(8).is_err());
        });
    });
}

#[test]
fn a_synchronous_listener_may_drop_every_other_handle_on_its_signal() {
    watched(|| {
        for owned in [false, true] {
            let signal = SyncSignal::<u64>::new();
            let (gone, last) = mpsc::channel();
            let last_one = Last(gone);
            let handles = Arc::new(Mutex::new(None));
            let given = Arc::clone(&handles);
            let own = signal.subscribe(move |_| {
                assert!(size_of_val(&last_one) > 0);
                drop(given.lock().expect("no panic").take());
            });
            let calls = Count::default();
            let count = calls.clone();
            signal.subscribe(move |_| count.up()).detach();
            let mut walking = signal.emitter();
            let others = (signal.clone(), signal.emitter(), own);
            *handles.lock().expect("no panic") = Some(others);
            if owned {
                drop(signal);
                assert_eq!(walking.emit(&7).delivered, 2);
                assert_eq!(walking.emit(&7).delivered, 1);
                drop(walking);
            } else {
                drop(walking);
                assert_eq!(signal.emit(&7).delivered, 2);
                assert_eq!(signal.emit(&7).delivered, 1);
                drop(signal);
            }
            assert_eq!(calls.get(), 2);
            assert_eq!(last.recv_timeout(LONG), Ok(()));
            assert_eq!(last.recv(), Err(mpsc::RecvError), "once");
        }
    });
}

#[test]
fn subscriptions_outlive_whatever_they_were_of() {
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let (kept, waited) = (signal.subscribe(|_| {}), signal.subscribe(|_| {}));
        drop(signal);
        assert!(!kept.is_active());
        assert!(!kept.unsubscribe());
        assert_eq!(waited.unsubscribe_and_wait(LONG), Ok(()));
        on_both(2, |engine| {
            let signal = engine.signal::<u64>("numbers").build().expect("possible");
            let subscriptions: Vec<_> = (0..3).map(|_| signal.subscribe(|_| {})).collect();
            drop((engine, signal));
            for subscription in subscriptions {
                assert!(!subscription.is_active());
                assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
            }
        });
    });
}
