//! A listener is replaced by its next version again and again, in a running system, while others
//! emit: no event is lost, and none is handled twice.
//!
//! `cargo run --release -p corecast --example hot_swap`
//!
//! What holds, and why:
//!
//! **Synchronous.** Subscribing the new version and then removing the old one is not enough: a walk
//! that began before the new one was there may come to the old one after it has gone, and such an
//! event is seen by neither. So: `subscribe`, `quiesce`, `unsubscribe`. After `quiesce` every walk
//! that does not know the new version is over, and the old one was there for all of it. From there
//! on every walk knows both, until the old one is gone: each event is seen *by at least one*, by
//! both in between. Which of the two handles it is settled by a mark in the event itself: a walk
//! is of one thread, so a `Cell` will do.
//!
//! **Asynchronous.** An event that waits in a lane when the new version is subscribed is the old
//! one's, and is lost with it if that is removed before it has come to it. So the emitter's owner
//! swaps, between two events: `flush`, `subscribe`, `unsubscribe`. What was emitted before has been
//! handled by the old version, what is emitted after goes to the new one: *each event exactly once*,
//! without a mark. With several emitters all of them would have to pause, or to mark their events.

use corecast::{Delivery, Engine, Listener, Subscription, SyncSignal};
use std::cell::Cell;
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const VERSIONS: u64 = 25;
const LONG: Duration = Duration::from_secs(60);

/// An event that is handled once, whoever comes first.
struct Request {
    size: u64,
    is_handled: Cell<bool>,
}

/// What all versions together have handled.
#[derive(Default)]
struct Handled {
    events: AtomicU64,
    sum: AtomicU64,
    /// Events that a second version saw and left alone.
    seen_by_both: AtomicU64,
    /// The versions that had something to do.
    versions: Mutex<Vec<u64>>,
}

impl Handled {
    fn add(&self, size: u64) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(size, Ordering::Relaxed);
    }

    fn note(&self, version: u64) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.last() != Some(&version) {
            versions.push(version);
        }
    }
}

fn version(number: u64, handled: &Arc<Handled>) -> Listener<Request> {
    let handled = Arc::clone(handled);
    let is_new = AtomicBool::new(true);
    Listener::new(move |request: &Request| {
        if request.is_handled.replace(true) {
            handled.seen_by_both.fetch_add(1, Ordering::Relaxed);
            return;
        }
        handled.add(request.size);
        if is_new.swap(false, Ordering::Relaxed) {
            handled.note(number);
        }
    })
    .name(format!("version {number}"))
}

/// Emits through `emit` until told to stop; how many events, and the sum of their sizes.
fn emit_until(stop: &AtomicBool, mut emit: impl FnMut(&Request) -> Delivery) -> (u64, u64) {
    let (mut events, mut sum) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let size = events % 100;
        emit(&Request {
            size,
            is_handled: Cell::new(false),
        });
        events += 1;
        sum += size;
    }
    (events, sum)
}

fn synchronous() -> Result<(), Box<dyn Error>> {
    let requests = SyncSignal::<Request>::new();
    let handled = Arc::new(Handled::default());
    let stop = AtomicBool::new(false);
    let mut serving = requests.add(version(0, &handled))?;
    let (events, sum) = std::thread::scope(|scope| -> Result<_, Box<dyn Error>> {
        // One through an emitter of its own, one through the shared handle: the rules are the same.
        let emitters = [
            scope.spawn(|| {
                let mut out = requests.emitter();
                emit_until(&stop, |request| out.emit(request))
            }),
            scope.spawn(|| emit_until(&stop, |request| requests.emit(request))),
        ];
        let mut swap = |number| -> Result<(), Box<dyn Error>> {
            let next = requests.add(version(number, &handled))?;
            requests.quiesce(LONG)?;
            // Assigning drops, and so removes, the old version.
            serving = next;
            // Until the new one has had something to do.
            let before = handled.events.load(Ordering::Relaxed);
            while handled.events.load(Ordering::Relaxed) < before + 20 {
                std::thread::yield_now();
            }
            Ok(())
        };
        let swapped = (1..=VERSIONS).try_for_each(&mut swap);
        stop.store(true, Ordering::Relaxed);
        let mut total = (0, 0);
        for emitter in emitters {
            let (events, sum) = emitter.join().map_err(|_| "an emitter panicked")?;
            total = (total.0 + events, total.1 + sum);
        }
        swapped.map(|()| total)
    })?;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let versions = handled
        .versions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .len();
    println!(
        "synchronous: {events} events, {} handled by {versions} versions in {VERSIONS} swaps, {} \
         seen by two and handled by one",
        read(&handled.events),
        read(&handled.seen_by_both)
    );
    if (read(&handled.events), read(&handled.sum)) != (events, sum) {
        return Err("synchronous: an event was lost or handled twice".into());
    }
    Ok(())
}

fn asynchronous() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().build()?;
    let requests = engine.signal::<u64>("requests").capacity(256).build()?;
    let handled = Arc::new(Handled::default());
    let subscribe = |number: u64| -> Subscription {
        let handled = Arc::clone(&handled);
        let mut is_new = true;
        requests.subscribe(move |size| {
            handled.add(*size);
            if std::mem::take(&mut is_new) {
                handled.note(number);
            }
        })
    };
    let mut out = requests.emitter()?;
    let mut serving = subscribe(0);
    let (mut events, mut sum) = (0, 0);
    for number in 1..=VERSIONS {
        for size in 0..1000 {
            out.emit(size)?;
            events += 1;
            sum += size;
        }
        out.flush(LONG)?;
        let next = subscribe(number);
        serving.unsubscribe();
        serving = next;
    }
    out.emit(1)?;
    (events, sum) = (events + 1, sum + 1);
    out.flush(LONG)?;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let versions = handled
        .versions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .len() as u64;
    println!(
        "asynchronous: {events} events, {} handled by {versions} versions in {VERSIONS} swaps",
        read(&handled.events)
    );
    drop(serving);
    if (read(&handled.events), read(&handled.sum), versions) != (events, sum, VERSIONS + 1) {
        return Err("asynchronous: an event was lost or handled twice".into());
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    synchronous()?;
    asynchronous()?;
    println!("ok: nothing lost, nothing twice");
    Ok(())
}
