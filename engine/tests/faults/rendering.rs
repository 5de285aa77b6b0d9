//! What renders, carries or handles a fault panics itself.

use crate::support::*;
use corecast::{Cores, Engine, FaultKind, Listener, SyncSignal, WorkerListener};
use std::fmt;
use std::sync::mpsc;

/// An error that can neither be shown nor dropped in peace.
#[derive(Debug)]
struct Nasty(Bomb);

impl fmt::Display for Nasty {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("display {}", self.0.number)
    }
}

impl std::error::Error for Nasty {}

#[test]
fn a_describe_that_panics_says_so_in_the_fault() {
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let listener = Listener::fallible(|_: &u64| Err("bad")).describe(|_| panic!("describe"));
        signal.add(listener).expect("no key").detach();
        assert_eq!(signal.emit(&7).failed, 1);
        let faults = read(signal.faults());
        assert_eq!(faults[0].message, "bad");
        assert_eq!(
            faults[0].event.as_deref(),
            Some("(rendering it panicked: describe)")
        );
        on_both(1, |engine| {
            let signal = engine.signal::<u64>("described").build().expect("possible");
            let listener = WorkerListener::new(|_: &u64| panic!("bad"));
            let listener = listener.describe(|_| panic!("describe"));
            signal.add(listener).expect("open").detach();
            let calls = Count::default();
            let count = calls.clone();
            signal.subscribe(move |_| count.up()).detach();
            emit_all(&signal, 0..3);
            assert_eq!(calls.get(), 3);
            let faults = read(engine.faults());
            assert_eq!((faults[0].message.as_str(), faults[0].count), ("bad", 3));
            assert_eq!(
                faults[0].event.as_deref(),
                Some("(rendering it panicked: describe)")
            );
        });
    });
}

#[test]
fn a_describe_that_panics_with_what_panics_when_dropped_is_survived() {
    fn describe(_: &u64) -> String {
        panic_with_a_bomb(&Count::default())
    }
    watched(|| {
        let signal = SyncSignal::<u64>::new();
        let listener = Listener::fallible(|_: &u64| Err("bad")).describe(describe);
        signal.add(listener).expect("no key").detach();
        assert_eq!(signal.emit(&7).failed, 1);
        assert!(read(signal.faults())[0].event.is_some());
    });
}

#[test]
fn an_error_whose_display_and_drop_panic_is_a_fault_like_any() {
    watched(|| {
        let ends = Count::default();
        let signal = SyncSignal::<u64>::new();
        let errors = ends.clone();
        let fails = move |n: &u64| Err(Nasty(Bomb::live(*n, &errors)));
        signal.subscribe_fallible(fails).detach();
        assert_eq!(signal.emit(&7).failed, 1);
        let mut faults = read(signal.faults());
        assert_eq!(faults[0].message, "(rendering it panicked: display 7)");
        let error = faults[0].error.take().expect("the error itself");
        assert_eq!(error.downcast_ref::<Nasty>().expect("the type").0.number, 7);
        assert_eq!(panic_text(|| drop(error)), "bomb 7 goes off");
        // Folded into one that waits, it is dropped by the walk.
        signal.emit(&8);
        signal.emit(&8);
        assert_eq!(ends.get(), 2);
        drop(read(signal.faults()));
        assert_eq!(ends.get(), 3);
        on_both(1, |engine| {
            let ends = Count::default();
            let signal = engine.signal::<u64>("nasty").build().expect("possible");
            let errors = ends.clone();
            let fails = move |n: &u64| Err(Nasty(Bomb::live(*n, &errors)));
            signal.subscribe_fallible(fails).detach();
            emit_all(&signal, [7, 7, 8]);
            let faults = read(engine.faults());
            assert_eq!(faults.len(), 2);
            drop(faults);
            assert_eq!(ends.get(), 3);
        });
    });
}

#[test]
fn payloads_that_panic_when_dropped_are_survived_wherever_they_end() {
    watched(|| {
        let ends = Count::default();
        let signal = SyncSignal::<u64>::new();
        let payloads = ends.clone();
        signal
            .subscribe(move |_| panic_with_a_bomb(&payloads))
            .detach();
        // One waits to be read, one is folded into it.
        signal.emit(&7);
        signal.emit(&7);
        assert_eq!(ends.get(), 1);
        drop(read(signal.faults()));
        assert_eq!(ends.get(), 2);
        // One is in the way of a `try_emit`.
        assert!(signal.try_emit(&7, &corecast::Context::none()).is_err());
        assert_eq!(ends.get(), 3);
        // One goes with the queue.
        signal.emit(&7);
        drop(signal);
        assert_eq!(ends.get(), 4);
    });
}

#[test]
fn payloads_that_panic_when_dropped_are_survived_on_workers_and_beyond_the_queue() {
    watched(|| {
        on_both(1, |engine| {
            let ends = Count::default();
            let signal = engine.signal::<u64>("bombs").build().expect("possible");
            // As many listeners as the queue holds and more: none of their faults is another's.
            let listeners = 300;
            for _ in 0..listeners {
                let payloads = ends.clone();
                signal
                    .subscribe(move |_| panic_with_a_bomb(&payloads))
                    .detach();
            }
            emit_all(&signal, [7]);
            let (kept, lost) = (engine.faults().len(), engine.faults().lost());
            assert_eq!(kept as u64 + lost, listeners as u64);
            assert_eq!(ends.get() as u64, lost);
            drop(read(engine.faults()));
            assert_eq!(ends.get(), listeners);
        });
    });
}

/// An engine whose fault handler sends what it sees, and then does what it is told.
fn handled(
    mut then: impl FnMut(FaultKind) + Send + 'static,
) -> (Engine, mpsc::Receiver<(FaultKind, String)>) {
    let (sender, seen) = mpsc::channel();
    let builder = Engine::builder().cores(Cores::count(1));
    let builder = builder.on_fault(move |fault| {
        sender
            .send((fault.kind, fault.message.clone()))
            .expect("the row reads");
        then(fault.kind);
    });
    (builder.build().expect("one CPU"), seen)
}

#[test]
fn a_handler_that_panics_hears_of_it_and_goes_on() {
    watched(|| {
        let (engine, seen) = handled(|kind| assert!(kind == FaultKind::Handler, "handler"));
        let signal = engine.signal::<u64>("handled").build().expect("possible");
        signal
            .subscribe_fallible(|n: &u64| Err(n.to_string()))
            .detach();
        let mut emitter = signal.emitter().expect("open");
        for n in 0..5 {
            emitter.emit(n).expect("room");
            let heard = || seen.recv_timeout(LONG).expect("the handler goes on");
            assert_eq!(heard(), (FaultKind::Error, n.to_string()));
            assert_eq!(heard(), (FaultKind::Handler, "handler".to_owned()));
        }
        let report = engine.shutdown(LONG);
        assert_eq!(report.delivered, 5);
        assert_eq!(engine.faults().lost(), 0);
    });
}

#[test]
fn a_handler_that_always_panics_is_counted_and_never_in_a_circle() {
    watched(|| {
        let (engine, seen) = handled(|_| panic!("handler"));
        let signal = engine.signal::<u64>("handled").build().expect("possible");
        signal
            .subscribe_fallible(|n: &u64| Err(n.to_string()))
            .detach();
        emit_all(&signal, 0..5);
        engine.shutdown(LONG);
        let seen: Vec<_> = seen.try_iter().map(|(kind, _)| kind).collect();
        let errors = seen
            .iter()
            .filter(|kind| **kind == FaultKind::Error)
            .count();
        let own = seen.len() - errors;
        assert_eq!(errors, 5);
        assert!((1..=5).contains(&own), "{seen:?}");
        assert_eq!(engine.faults().lost(), own as u64);
        assert!(engine.faults().is_empty());
    });
}

#[test]
fn a_handler_that_panics_with_what_panics_when_dropped_goes_on() {
    watched(|| {
        let ends = Count::default();
        let payloads = ends.clone();
        let (engine, seen) = handled(move |kind| {
            if kind == FaultKind::Error {
                panic_with_a_bomb(&payloads);
            }
        });
        let signal = engine.signal::<u64>("handled").build().expect("possible");
        signal
            .subscribe_fallible(|n: &u64| Err(n.to_string()))
            .detach();
        emit_all(&signal, 0..3);
        engine.shutdown(LONG);
        let errors = seen
            .try_iter()
            .filter(|(kind, _)| *kind == FaultKind::Error);
        assert_eq!(errors.count(), 3);
        assert_eq!(ends.get(), 3);
    });
}

#[test]
fn a_handler_that_does_not_return_holds_nobody_up() {
    watched(|| {
        let (release, held) = mpsc::channel::<()>();
        // Until the other end is gone.
        let (engine, seen) = handled(move |_| assert!(held.recv().is_err()));
        let signal = engine.signal::<u64>("handled").capacity(1024);
        let signal = signal.build().expect("possible");
        signal
            .subscribe_fallible(|n: &u64| Err(n.to_string()))
            .detach();
        // More than the queue holds, each another.
        emit_all(&signal, 0..500);
        let report = engine.shutdown(std::time::Duration::ZERO);
        assert_eq!((report.accepted, report.delivered), (500, 500));
        assert!(engine.faults().lost() > 0);
        let waiting = engine.faults().len() as u64;
        drop(release);
        drop(engine);
        let handled = seen.iter().count() as u64;
        assert!(handled >= 1 && handled <= waiting + 1, "{handled}");
    });
}

#[test]
fn a_handler_whose_own_drop_panics_ends_in_order() {
    watched(|| {
        let ends = Count::default();
        let bomb = Bomb::live(1, &ends);
        let (engine, _seen) = handled(move |_| assert!(bomb.is(1)));
        engine.shutdown(LONG);
        assert_eq!(ends.get(), 1);
    });
}
