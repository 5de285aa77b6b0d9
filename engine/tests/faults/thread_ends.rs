//! What runs when a thread has ended already: destructors of thread-locals emit, subscribe, drop
//! and shut down.

use crate::support::*;
use corecast::{Context, Engine, SyncSignal};
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

type Work = Box<dyn FnOnce()>;

/// Does its work when it is dropped.
struct AtTheEnd(Option<Work>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static EARLY: RefCell<AtTheEnd> = const { RefCell::new(AtTheEnd(None)) };
    static LATE: RefCell<AtTheEnd> = const { RefCell::new(AtTheEnd(None)) };
}

/// Leaves work for the end of this thread: once before what the library keeps with the thread is
/// destroyed, once after. Which of the two comes first is the system's choice, so both do the same.
fn at_the_end(between: impl FnOnce(), work: impl FnOnce() + Clone + 'static) {
    let leave = |slot: &RefCell<AtTheEnd>| {
        slot.borrow_mut().0 = Some(Box::new(work.clone()));
    };
    EARLY.with(leave);
    between();
    LATE.with(leave);
}

/// Runs `body` on a thread and waits until that thread has ended, destructors and all.
fn on_a_thread(body: impl FnOnce() + Send + 'static) {
    thread::spawn(body).join().expect("no panic");
}

#[test]
fn a_destructor_of_a_thread_local_emits_on_a_synchronous_signal() {
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let calls = Count::default();
        let (count, nested) = (calls.clone(), signal.clone());
        signal
            .subscribe(move |n| {
                count.up();
                // A walk within a walk, while the thread is ending.
                if *n > 0 {
                    nested.emit(&(n - 1));
                }
            })
            .detach();
        let handle = signal.clone();
        on_a_thread(move || {
            let first = handle.clone();
            at_the_end(
                move || assert_eq!(first.emit(&0).delivered, 1),
                move || {
                    assert_eq!(handle.emit(&2).delivered, 1);
                    let tried = handle.try_emit(&0, &Context::none());
                    assert_eq!(tried.expect("no error").delivered, 1);
                    assert_eq!(handle.emitter().emit(&0).delivered, 1);
                },
            );
        });
        assert_eq!(calls.get(), 1 + 2 * (3 + 1 + 1));
        assert_eq!(signal.metrics().delivered, calls.get() as u64);
        signal.clear();
        assert_eq!(signal.quiesce(LONG), Ok(()));
        assert_eq!(signal.metrics().retired_arrays, 0);
    });
}

#[test]
fn a_destructor_of_a_thread_local_subscribes_and_removes() {
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let handle = signal.clone();
        let ends = Count::default();
        let captured = ends.clone();
        on_a_thread(move || {
            let first = handle.clone();
            at_the_end(
                move || assert_eq!(first.emit(&0).failed, 0),
                move || {
                    for _ in 0..3 {
                        let dud = Bomb::dud(1, &captured);
                        let subscription = handle.subscribe(move |n| assert!(!dud.is(*n)));
                        assert_eq!(handle.emit(&0).delivered, 1);
                        assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
                        assert_eq!(handle.emit(&0).delivered, 0);
                    }
                },
            );
        });
        assert_eq!(ends.get(), 6);
        assert!(signal.is_empty());
    });
}

#[test]
fn the_last_handles_may_go_with_a_thread() {
    watched(|| {
        let ends = Count::default();
        let captured = ends.clone();
        on_a_thread(move || {
            let signal = SyncSignal::<u64>::new();
            let dud = Bomb::dud(1, &captured);
            let subscription = signal.subscribe(move |n| assert!(!dud.is(*n)));
            signal.emit(&0);
            let emitter = signal.emitter();
            EARLY.with(|slot| {
                slot.borrow_mut().0 = Some(Box::new(move || drop((emitter, subscription, signal))));
            });
        });
        assert_eq!(ends.get(), 1);
    });
}

#[test]
fn a_destructor_of_a_thread_local_emits_and_subscribes_on_an_asynchronous_signal() {
    watched(|| {
        on_both(2, |engine| {
            let signal = engine.signal::<u64>("numbers").build().expect("possible");
            let (sender, seen) = mpsc::channel();
            signal
                .subscribe(move |n| sender.send(*n).expect("the row reads"))
                .detach();
            let handle = signal.clone();
            on_a_thread(move || {
                let first = handle.clone();
                at_the_end(
                    move || first.emit(1).expect("room"),
                    move || {
                        handle.emit(2).expect("room");
                        let mut emitter = handle.emitter().expect("open");
                        emitter.emit(3).expect("room");
                        emitter.flush(LONG).expect("delivered");
                        let subscription = handle.subscribe(|_| {});
                        assert_eq!(subscription.unsubscribe_and_wait(LONG), Ok(()));
                    },
                );
            });
            let report = engine.shutdown(LONG);
            assert_eq!((report.accepted, report.delivered), (5, 5));
            let mut numbers: Vec<_> = seen.try_iter().collect();
            numbers.sort_unstable();
            assert_eq!(numbers, [1, 2, 2, 3, 3]);
        });
    });
}

#[test]
fn a_destructor_of_a_thread_local_shuts_an_engine_down() {
    watched(|| {
        on_both(2, |engine| {
            let signal = engine.signal::<u64>("numbers").build().expect("possible");
            signal.subscribe(|_| {}).detach();
            signal.emit(7).expect("room");
            let (handle, sums) = (engine.clone(), mpsc::channel());
            on_a_thread(move || {
                EARLY.with(|slot| {
                    let work = move || {
                        let report = handle.shutdown(LONG);
                        let sent = sums.0.send((report.accepted, report.delivered));
                        sent.expect("the row reads");
                    };
                    slot.borrow_mut().0 = Some(Box::new(work));
                });
            });
            assert_eq!(sums.1.recv(), Ok((1, 1)));
            let report = engine.shutdown(LONG);
            assert_eq!((report.accepted, report.delivered), (1, 1));
        });
    });
}

/// Has a worker of `engine` leave work for its thread's end.
fn leave_with_a_worker(engine: &Engine, work: impl FnOnce() + Send + 'static) {
    let signal = engine.signal::<u64>("leaves").build().expect("possible");
    let mut work = Some(work);
    signal
        .subscribe(move |_| {
            let work = work.take();
            EARLY.with(|slot| {
                slot.borrow_mut().0 = work.map(|work| Box::new(work) as Work);
            });
        })
        .detach();
    let mut emitter = signal.emitter().expect("open");
    emitter.emit(7).expect("room");
    emitter.flush(LONG).expect("delivered");
}

#[test]
fn a_destructor_of_a_workers_thread_local_asks_for_the_report_and_gets_it() {
    watched(|| {
        let engine = engine(2, false);
        let (sender, reports) = mpsc::channel();
        let handle = engine.clone();
        leave_with_a_worker(&engine, move || {
            sender.send(handle.shutdown(LONG)).expect("the row reads");
        });
        let report = engine.shutdown(LONG);
        assert_eq!(reports.recv_timeout(LONG), Ok(report));
    });
}

#[test]
fn a_destructor_of_a_dead_workers_thread_local_drops_the_last_handle() {
    watched(|| {
        let engine = engine(2, false);
        let (sender, dropped) = mpsc::channel();
        let (give, take) = mpsc::channel::<Engine>();
        leave_with_a_worker(&engine, move || {
            // Waits until this is the last one.
            drop(take.recv());
            sender.send(()).expect("the row waits");
        });
        engine.kill_worker(corecast::WorkerId::new(0));
        give.send(engine).expect("the destructor waits");
        assert_eq!(dropped.recv_timeout(LONG), Ok(()));
    });
}

#[test]
fn a_destructor_of_a_workers_thread_local_emits_and_is_refused() {
    watched(|| {
        let engine = engine(1, false);
        let signal = engine.signal::<u64>("numbers").build().expect("possible");
        signal.subscribe(|_| {}).detach();
        let mut emitter = signal.emitter().expect("open");
        let (sender, told) = mpsc::channel();
        leave_with_a_worker(&engine, move || {
            let reason = |rejected: corecast::Rejected<u64>| rejected.reason;
            let owned = emitter.emit(7).map_err(reason);
            let shared = signal.emit(7).map_err(reason);
            let subscribed = signal.subscribe(|_| {}).is_active();
            sender
                .send((owned, shared, subscribed))
                .expect("the row reads");
        });
        engine.shutdown(LONG);
        let closed = Err(corecast::RejectReason::Closed);
        assert_eq!(told.recv_timeout(LONG), Ok((closed, closed, false)));
    });
}
