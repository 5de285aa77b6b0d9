//! Engines, doors and logs that the tests share.

use corecast::{Cores, Engine, EngineBuilder, WorkerId};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a machine that does something else as well.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// A builder for `workers` workers on one CPU.
pub(crate) fn workers(workers: usize) -> EngineBuilder {
    Engine::builder()
        .cores(Cores::count(1))
        .workers_per_core(workers)
}

/// An engine with `count` workers.
pub(crate) fn engine(count: usize) -> Engine {
    workers(count).build().unwrap()
}

/// An engine with `count` workers and no threads.
pub(crate) fn manual(count: usize) -> Engine {
    workers(count).manual().build().unwrap()
}

pub(crate) const fn worker(index: u32) -> WorkerId {
    WorkerId::new(index)
}

/// Runs `body` on a thread of its own and fails when it does not return.
pub(crate) fn in_time<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        // The receiver waits, or has given up.
        let _ = done.send(body());
    });
    match result.recv_timeout(LONG) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still not done after {LONG:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => unreachable!("it sends before it ends"),
            Err(payload) => std::panic::resume_unwind(payload),
        },
    }
}

/// Waits until `holds`, for something that no call waits for.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LONG, "not within {LONG:?}: {what}");
        thread::yield_now();
    }
}

/// What listeners have seen, in order.
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    pub(crate) fn push(&self, what: T) {
        self.0.lock().unwrap().push(what);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Everything so far; the log is empty after that.
    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<T: Clone + Send + 'static> Log<T> {
    /// A listener that writes down each event.
    pub(crate) fn listener(&self) -> impl FnMut(&T) + Send + 'static {
        let log = self.clone();
        move |event| log.push(event.clone())
    }
}

/// The outside of a door that a listener stands in until it is opened.
pub(crate) struct Door {
    arrived: mpsc::Receiver<()>,
    open: mpsc::Sender<()>,
}

/// A door, and what a listener calls to stand in it: it says that it has arrived and waits until it
/// is let through. Dropping the outside opens it for good.
pub(crate) fn door() -> (Door, impl FnMut() + Send + 'static) {
    let (arrive, arrived) = mpsc::channel();
    let (open, opened) = mpsc::channel();
    let stand = move || {
        // An open door has nobody outside.
        if arrive.send(()).is_ok() {
            let _ = opened.recv();
        }
    };
    (Door { arrived, open }, stand)
}

impl Door {
    /// Waits until somebody stands in it.
    pub(crate) fn wait(&self) {
        self.arrived.recv_timeout(LONG).expect("somebody comes");
    }

    /// Lets one through.
    pub(crate) fn let_one_through(&self) {
        self.open.send(()).expect("somebody stands in it");
    }
}

/// Says where and when it is dropped.
pub(crate) struct Tomb(mpsc::Sender<String>);

impl Tomb {
    /// Has a closure hold on to it.
    pub(crate) fn lies(&self) {}
}

impl Drop for Tomb {
    fn drop(&mut self) {
        let thread = thread::current();
        // The test may have gone on.
        let _ = self.0.send(thread.name().unwrap_or("unnamed").to_owned());
    }
}

/// A token, and the receiver that learns on which thread it was dropped.
pub(crate) fn tomb() -> (Tomb, mpsc::Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    (Tomb(sender), receiver)
}
