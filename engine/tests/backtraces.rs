//! Faults with backtraces. A panic hook is the process's, so this is a process of its own.

use corecast::{Engine, FaultKind, SyncSignal, capture_backtraces};
use std::panic::{catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

static HOOKED: AtomicUsize = AtomicUsize::new(0);

#[inline(never)]
fn where_it_arises() {
    panic_any(7_u8);
}

#[test]
fn a_listeners_panic_comes_with_the_place_where_it_arose() {
    std::panic::set_hook(Box::new(|_| {
        HOOKED.fetch_add(1, Ordering::SeqCst);
    }));
    let signal = SyncSignal::<u64>::new();
    signal.subscribe(|_| where_it_arises()).detach();
    signal.emit(&1);
    let fault = signal.faults().pop().expect("a fault");
    assert!(fault.backtrace.is_none(), "nobody has asked yet");

    // Twice is no more than once.
    capture_backtraces();
    capture_backtraces();
    signal.emit(&1);
    let fault = signal.faults().pop().expect("a fault");
    let backtrace = fault.backtrace.as_ref().expect("a backtrace").to_string();
    assert!(backtrace.contains("where_it_arises"), "{backtrace}");
    assert_eq!(fault.kind, FaultKind::Panic);
    assert_eq!(
        HOOKED.load(Ordering::SeqCst),
        2,
        "the hook from before is called"
    );

    // Outside a walk there is nobody to take one, and none is left for the next fault.
    assert!(catch_unwind(where_it_arises).is_err());
    signal.clear();
    signal
        .subscribe_fallible(|_: &u64| Err("no panic"))
        .detach();
    signal.emit(&1);
    let fault = signal.faults().pop().expect("a fault");
    assert!(fault.backtrace.is_none());

    for manual in [true, false] {
        let builder = Engine::builder();
        let builder = if manual { builder.manual() } else { builder };
        let engine = builder.build().expect("a CPU");
        let signal = engine.signal::<u64>("numbers").build().expect("possible");
        signal.subscribe(|_| where_it_arises()).detach();
        let mut emitter = signal.emitter().expect("open");
        emitter.emit(1).expect("room");
        emitter.flush(Duration::from_secs(60)).expect("delivered");
        let fault = engine.faults().pop().expect("a fault");
        let backtrace = fault.backtrace.as_ref().expect("a backtrace").to_string();
        assert!(backtrace.contains("where_it_arises"), "{backtrace}");
    }
}
