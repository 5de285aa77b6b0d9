//! A watchdog around each row, engines to try it on, and values whose end is counted.

use corecast::{AsyncSignal, Cores, Engine, Fault, FaultQueue};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// A row that has not ended by now never will.
const WATCHDOG: Duration = Duration::from_secs(120);

/// What nothing here waits for in vain.
pub(crate) const LONG: Duration = Duration::from_secs(60);

thread_local! {
    /// This is a row's own thread: when it fails, no bomb is to drown what it says.
    static IS_ROW: Cell<bool> = const { Cell::new(false) };
}

/// Runs a row on a thread of its own; a row that hangs ends the process and says which.
pub(crate) fn watched(row: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a row").to_owned();
    let (done, ended) = mpsc::sync_channel(1);
    let body = move || {
        IS_ROW.set(true);
        let outcome = catch_unwind(AssertUnwindSafe(row));
        // The watchdog waits for this.
        let _ = done.send(outcome);
    };
    let row = thread::Builder::new().name(name.clone()).spawn(body);
    match ended.recv_timeout(WATCHDOG) {
        Ok(Ok(())) => {}
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    }
    row.expect("a thread").join().expect("caught inside");
}

/// An engine with as many workers on one CPU, with threads or without.
pub(crate) fn engine(workers: usize, manual: bool) -> Engine {
    let builder = Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(workers);
    let builder = if manual { builder.manual() } else { builder };
    builder.build().expect("one CPU")
}

/// Both kinds of engine in turn.
pub(crate) fn on_both(workers: usize, row: impl Fn(Engine)) {
    for manual in [true, false] {
        row(engine(workers, manual));
    }
}

/// Emits on a broadcast signal and waits until every listener has finished with it.
pub(crate) fn emit_all<T: Clone + Send>(
    signal: &AsyncSignal<T>,
    events: impl IntoIterator<Item = T>,
) {
    let mut emitter = signal.emitter().expect("an open engine");
    for event in events {
        emitter.emit(event).expect("room");
    }
    emitter.flush(LONG).expect("the listeners finish");
}

/// Everything that waits in a queue.
pub(crate) fn read(faults: &FaultQueue) -> Vec<Fault> {
    std::iter::from_fn(|| faults.pop()).collect()
}

/// How often something happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn up(&self) {
        self.next();
    }

    /// Counts, and says how often by now.
    pub(crate) fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Counts its end, and then panics with it if it is to.
#[derive(Debug)]
pub(crate) struct Bomb {
    pub(crate) number: u64,
    live: bool,
    ends: Count,
}

impl Bomb {
    pub(crate) fn live(number: u64, ends: &Count) -> Self {
        let ends = ends.clone();
        Self {
            number,
            live: true,
            ends,
        }
    }

    pub(crate) fn dud(number: u64, ends: &Count) -> Self {
        let mut bomb = Self::live(number, ends);
        bomb.live = false;
        bomb
    }

    /// For closures: they capture all of what they call a method of.
    pub(crate) fn is(&self, number: u64) -> bool {
        self.number == number
    }
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        let (number, live, ends) = (self.number, self.live, self.ends.clone());
        Self { number, live, ends }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.ends.up();
        if self.live && !(IS_ROW.get() && thread::panicking()) {
            panic!("bomb {} goes off", self.number);
        }
    }
}

/// Panics with something that panics when it is dropped.
pub(crate) fn panic_with_a_bomb(ends: &Count) -> ! {
    panic_any(Bomb::live(0, ends))
}

/// What `f` panics with.
#[track_caller]
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("no panic"),
        Err(payload) => payload,
    }
}

/// The text that `f` panics with.
#[track_caller]
pub(crate) fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let payload = panic_of(f);
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .expect("a text")
}
