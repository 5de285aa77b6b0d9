//! What the tests of synchronous signals share: the two handles as one, a log, captured state that
//! reports its end, a gate to hold a walk at, and a limit on how long anything may take.

use corecast::{Context, Delivery, EmitError, Subscription, SyncEmitter, SyncSignal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Far longer than anything here takes on a machine with other work to do.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Emits through whichever handle it is.
pub(crate) trait Handle<T: ?Sized>: Send {
    fn emit(&mut self, event: &T) -> Delivery;
    fn try_emit(&mut self, event: &T, context: &Context) -> Result<Delivery, EmitError>;
}

impl<T: ?Sized> Handle<T> for SyncSignal<T> {
    fn emit(&mut self, event: &T) -> Delivery {
        Self::emit(self, event)
    }

    fn try_emit(&mut self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        Self::try_emit(self, event, context)
    }
}

impl<T: ?Sized> Handle<T> for SyncEmitter<T> {
    fn emit(&mut self, event: &T) -> Delivery {
        Self::emit(self, event)
    }

    fn try_emit(&mut self, event: &T, context: &Context) -> Result<Delivery, EmitError> {
        Self::try_emit(self, event, context)
    }
}

/// Which handle a test uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Shared,
    Owned,
}

impl Via {
    pub(crate) fn handle<T: ?Sized + 'static>(self, signal: &SyncSignal<T>) -> Box<dyn Handle<T>> {
        match self {
            Self::Shared => Box::new(signal.clone()),
            Self::Owned => Box::new(signal.emitter()),
        }
    }
}

/// Runs `test` for each handle.
pub(crate) fn via_each(test: impl Fn(Via)) {
    for via in [Via::Shared, Via::Owned] {
        eprintln!("via {via:?}");
        test(via);
    }
}

/// Runs `test` for each handle, with a signal of its own.
pub(crate) fn on_each<T: ?Sized + 'static>(test: impl Fn(&SyncSignal<T>, &mut dyn Handle<T>)) {
    via_each(|via| {
        let signal = SyncSignal::new();
        let mut handle = via.handle(&signal);
        test(&signal, &mut *handle);
    });
}

/// Which listeners were called, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    pub(crate) fn push(&self, entry: u32) {
        self.0.lock().unwrap().push(entry);
    }

    /// A listener that leaves its number here.
    pub(crate) fn entry<T: ?Sized>(&self, entry: u32) -> impl Fn(&T) + Send + Sync + 'static {
        let log = self.clone();
        move |_| log.push(entry)
    }

    /// What was logged since the last time.
    pub(crate) fn take(&self) -> Vec<u32> {
        core::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Counts the ends of captured states, and says in which threads they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drops(Arc<Mutex<Vec<ThreadId>>>);

impl Drops {
    pub(crate) fn state(&self) -> State {
        let drops = self.clone();
        State {
            drops,
            panics: false,
        }
    }

    /// A state whose drop is counted and then panics.
    pub(crate) fn state_that_panics(&self) -> State {
        let drops = self.clone();
        State {
            drops,
            panics: true,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn threads(&self) -> Vec<ThreadId> {
        self.0.lock().unwrap().clone()
    }
}

/// What a listener captures.
#[derive(Debug)]
pub(crate) struct State {
    drops: Drops,
    panics: bool,
}

impl State {
    /// Makes a closure capture all of it.
    pub(crate) fn touch(&self) {}
}

impl Drop for State {
    fn drop(&mut self) {
        self.drops.0.lock().unwrap().push(thread::current().id());
        if self.panics {
            panic!("this state panics when dropped");
        }
    }
}

/// Calls, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A listener that counts its calls here.
    pub(crate) fn counter<T: ?Sized>(&self) -> impl Fn(&T) + Send + Sync + 'static {
        let calls = self.clone();
        move |_| calls.add()
    }
}

#[derive(Debug, Default)]
struct GateState {
    inside: usize,
    open: bool,
}

/// Holds whoever passes until it is opened, and tells how many are held.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<GateState>, Condvar)>);

impl Gate {
    /// Waits in the gate, unless it is open.
    pub(crate) fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.inside += 1;
        changed.notify_all();
        let (_state, time) = changed
            .wait_timeout_while(state, LONG, |state| !state.open)
            .unwrap();
        assert!(!time.timed_out(), "nobody opened the gate");
    }

    /// Waits until `n` have come.
    pub(crate) fn wait_for(&self, n: usize) {
        let (state, changed) = &*self.0;
        let (_state, time) = changed
            .wait_timeout_while(state.lock().unwrap(), LONG, |state| state.inside < n)
            .unwrap();
        assert!(!time.timed_out(), "not enough came to the gate");
    }

    pub(crate) fn open(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().open = true;
        changed.notify_all();
    }

    /// A listener that waits here.
    pub(crate) fn listener<T: ?Sized>(&self) -> impl Fn(&T) + Send + Sync + 'static {
        let gate = self.clone();
        move |_| gate.pass()
    }
}

/// A walk in a thread of its own that `gate`, one of its listeners, holds. Joining it gives the
/// delivery and the thread.
pub(crate) fn held_walk<T: Default + 'static>(
    signal: &SyncSignal<T>,
    via: Via,
    gate: &Gate,
    held_before: usize,
) -> thread::JoinHandle<(Delivery, ThreadId)> {
    let mut handle = via.handle(signal);
    let walk = thread::spawn(move || (handle.emit(&T::default()), thread::current().id()));
    gate.wait_for(held_before + 1);
    walk
}

/// Five listeners that log their numbers; number `n` does what `at` does as well.
pub(crate) fn five(
    signal: &SyncSignal<u64>,
    log: &Log,
    n: u32,
    at: impl Fn() + Send + Sync + Clone + 'static,
) -> Vec<Subscription> {
    (0..5)
        .map(|number| {
            let (log, at) = (log.clone(), at.clone());
            signal.subscribe(move |_| {
                log.push(number);
                if number == n {
                    at();
                }
            })
        })
        .collect()
}

/// Runs `f` in a thread of its own and fails, rather than hangs, when it does not come back.
pub(crate) fn comes_back<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = channel();
    let thread = thread::spawn(move || {
        let _ = done.send(f());
    });
    match result.recv_timeout(LONG) {
        Ok(result) => {
            thread.join().unwrap();
            result
        }
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => unreachable!("it sends before it ends"),
            Err(payload) => std::panic::resume_unwind(payload),
        },
    }
}

/// Runs `f`, which must panic, and returns the message.
#[track_caller]
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    let payload = caught.err().expect("a panic");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a message")).to_owned(),
    }
}

/// Both in one.
pub(crate) fn delivery(delivered: usize, failed: usize) -> Delivery {
    Delivery { delivered, failed }
}
