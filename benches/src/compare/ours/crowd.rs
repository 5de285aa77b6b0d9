//! A thousand threads that emit, each by its own schedule, to a thousand listeners.
//!
//! The load is open: an event's latency counts from when it was due, not from when its thread came to
//! emit it, so that a thread that is late does not hide it.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use corecast::{Cores, Engine, SyncSignal, WaitStrategy, WorkerListener};

use crate::compare::duel::Gauge;
use crate::measure::latency::Latency;
use crate::measure::{CpuPair, LapError};
use crate::replay::{Clock, wait_until_by};

use super::lanes::failed;

/// Emitting threads, and listeners.
const CROWD: u64 = 1000;
/// Events of each thread.
const EVENTS: u64 = 20;
/// From one event of a thread to its next one: 10,000 events per second in all.
const PERIOD_NS: u64 = 100_000_000;
/// Until all threads are there.
const RUN_UP_NS: u64 = 500_000_000;
/// For what waits in lanes at the end.
const LIMIT: Duration = Duration::from_secs(60);
/// Threads that do little need little.
const STACK: usize = 256 * 1024;

/// Starts a thread for each of the crowd, that calls `emit` with when each event was due; `make` makes
/// its `emit`. What all of them returned.
fn crowd<E, R>(
    clock: Clock,
    mut make: impl FnMut() -> Result<E, LapError>,
    emit: impl Fn(&mut E, u64) -> R + Copy + Send,
) -> Result<Vec<R>, LapError>
where
    E: Send,
    R: Send,
{
    let start_ns = clock.now_ns() + RUN_UP_NS;
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..CROWD {
            let mut own = make()?;
            let schedule = move || {
                // Each thread's share of the period begins a little after that of the one before.
                let first_ns = start_ns + number * PERIOD_NS / CROWD;
                let due = |event| first_ns + event * PERIOD_NS;
                let one = |due_ns| {
                    wait_until_by(&clock, due_ns, thread::yield_now);
                    emit(&mut own, due_ns)
                };
                (0..EVENTS).map(due).map(one).collect::<Vec<R>>()
            };
            let builder = thread::Builder::new().stack_size(STACK);
            threads.push(
                builder
                    .spawn_scoped(scope, schedule)
                    .map_err(LapError::Spawn)?,
            );
        }
        let mut all = Vec::new();
        for thread in threads {
            let own = thread.join();
            all.extend(own.map_err(|payload| LapError::from_panic(&*payload))?);
        }
        Ok(all)
    })
}

fn gauge(latency: &Latency, calls: u64) -> Result<Gauge, LapError> {
    let (arrived, sent) = (calls, CROWD * CROWD * EVENTS);
    if arrived != sent || latency.percentiles().count != CROWD * EVENTS {
        return Err(LapError::Lost { arrived, sent });
    }
    Ok(Gauge {
        value: latency.percentile(99.9) as f64 / 1000.0,
        unit: "µs, p99.9",
    })
}

/// The 99.9th percentile of a synchronous emission, from when it was due to when it returned.
pub(super) fn synchronous() -> Result<Gauge, LapError> {
    let signal = SyncSignal::<u64>::new();
    let calls = Arc::new(AtomicU64::new(0));
    for _ in 0..CROWD {
        let calls = Arc::clone(&calls);
        // Relaxed: a count, read when every thread has been joined.
        let listener = move |_: &u64| _ = calls.fetch_add(1, Ordering::Relaxed);
        signal.subscribe(listener).detach();
    }
    let clock = Clock::start();
    let times = crowd(
        clock,
        || Ok(signal.emitter()),
        |emitter, due_ns| {
            emitter.emit(hint::black_box(&due_ns));
            clock.now_ns() - due_ns
        },
    )?;
    let mut latency = Latency::new();
    times.into_iter().for_each(|ns| latency.record_ns(ns));
    gauge(&latency, calls.load(Ordering::Relaxed))
}

/// The same of an asynchronous one, to when the last listener was done with it.
pub(super) fn asynchronous(cpus: CpuPair) -> Result<Gauge, LapError> {
    let engine = Engine::builder()
        .cores(Cores::list([cpus.worker]))
        .wait(WaitStrategy::park())
        .build()
        .map_err(failed)?;
    let signal = engine.signal::<u64>("crowd").capacity(64).build();
    let signal = signal.map_err(failed)?;
    let calls = Arc::new(AtomicU64::new(0));
    let mut subscriptions = Vec::new();
    for _ in 1..CROWD {
        let calls = Arc::clone(&calls);
        let listener =
            WorkerListener::new(move |_: &u64| _ = calls.fetch_add(1, Ordering::Relaxed));
        subscriptions.push(signal.add(listener).map_err(failed)?);
    }
    let clock = Clock::start();
    let (home, homecoming) = mpsc::channel();
    let mut ear = Ear {
        latency: Latency::new(),
        home,
    };
    let count = Arc::clone(&calls);
    let last = WorkerListener::new(move |due_ns: &u64| {
        count.fetch_add(1, Ordering::Relaxed);
        ear.latency.record_ns(clock.now_ns() - due_ns);
    });
    subscriptions.push(signal.add(last.priority(-1)).map_err(failed)?);
    let sent = crowd(
        clock,
        || signal.emitter().map_err(failed),
        |emitter, due_ns| emitter.emit(due_ns).map_err(failed),
    )?;
    sent.into_iter().collect::<Result<(), _>>()?;
    engine.shutdown(LIMIT);
    for subscription in subscriptions {
        subscription.unsubscribe_and_wait(LIMIT).map_err(failed)?;
    }
    let latency = homecoming.recv().map_err(failed)?;
    gauge(&latency, calls.load(Ordering::Relaxed))
}

/// Sends home what it has heard when its listener is dropped.
struct Ear {
    latency: Latency,
    home: mpsc::Sender<Latency>,
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Whoever measures is gone only if it has failed already.
        let _unread = self.home.send(std::mem::take(&mut self.latency));
    }
}
