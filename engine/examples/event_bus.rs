//! An application's event bus: one synchronous signal for each type of event, made when it is first
//! asked for. Shows keys, priorities, listeners for one call, and removal while events flow.
//!
//! `cargo run --release -p corecast --example event_bus`

use corecast::{Context, EmitError, Engine, Listener, SubscribeError, SyncSignal};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Signals by the type of their events.
#[derive(Default)]
struct Bus {
    signals: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

impl Bus {
    /// The signal of `E`. Whoever emits often keeps it, or an emitter of it: the lock is only here.
    fn of<E: 'static>(&self) -> SyncSignal<E> {
        let mut signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        let signal = signals
            .entry(TypeId::of::<E>())
            .or_insert_with(|| Box::new(SyncSignal::<E>::new()));
        // What is filed under a type is of that type; a new signal is never needed.
        signal
            .downcast_ref::<SyncSignal<E>>()
            .cloned()
            .unwrap_or_default()
    }
}

struct UserRegistered {
    name: &'static str,
}

#[derive(Clone)]
struct OrderPlaced {
    number: u64,
    amount: u64,
}

struct Heartbeat;

const THREADS: u64 = 4;
const BEATS: u64 = 50_000;

fn check(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let bus = Arc::new(Bus::default());

    // Priorities: the higher is called first, whatever the order of subscription.
    let steps = Arc::new(Mutex::new(Vec::new()));
    let step = |name: &'static str| {
        let steps = Arc::clone(&steps);
        Listener::new(move |user: &UserRegistered| {
            let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
            steps.push(format!("{name} {}", user.name));
        })
        .key(name)
    };
    let users = bus.of::<UserRegistered>();
    users.add(step("mail").priority(-10))?.detach();
    users.add(step("index"))?.detach();
    users.add(step("store").priority(10))?.detach();
    // Keys are unique within a signal, so a module that is initialised twice is found out.
    let again = users.add(step("mail"));
    check(
        matches!(again, Err(SubscribeError::DuplicateKey(_))),
        "a key was taken twice",
    )?;
    bus.of().emit(&UserRegistered { name: "ada" });
    // By key, from anywhere: no need to hold the subscription.
    check(users.unsubscribe("index"), "index was there")?;
    bus.of().emit(&UserRegistered { name: "bob" });
    let steps = steps.lock().unwrap_or_else(PoisonError::into_inner).clone();
    println!("users: {steps:?}; left: {:?}", users.keys());
    check(
        steps
            == [
                "store ada",
                "index ada",
                "mail ada",
                "store bob",
                "mail bob",
            ],
        "the order of the listeners",
    )?;

    // A listener that can say no, and one that only hears of what was accepted. The second hands
    // events on to an asynchronous signal: its listener has a worker to itself and may be slow.
    let engine = Engine::builder().build()?;
    let audit = engine.signal::<OrderPlaced>("audit").build()?;
    let audited = Arc::new(AtomicU64::new(0));
    let _auditor = audit.subscribe({
        let audited = Arc::clone(&audited);
        move |order| {
            audited.fetch_add(order.amount, Ordering::Relaxed);
        }
    });
    let orders = bus.of::<OrderPlaced>();
    let limit = |order: &OrderPlaced| match order.amount {
        0 => Err(format!("order {} is empty", order.number)),
        1..=1000 => Ok(()),
        _ => Err(format!("order {} is too large", order.number)),
    };
    let _limit = orders.add(Listener::fallible(limit).name("limit").priority(1))?;
    let _hand_on = orders.subscribe_fallible({
        let audit = audit.clone();
        // `AsyncSignal::emit`: this listener may be called by any thread.
        move |order| {
            audit
                .emit(order.clone())
                .map_err(|refused| refused.to_string())
        }
    });
    let (mut placed, mut refused) = (0, 0);
    for (number, amount) in [(1, 10), (2, 0), (3, 990), (4, 5000), (5, 1000)] {
        match orders.try_emit(&OrderPlaced { number, amount }, &Context::none()) {
            Ok(_) => placed += amount,
            Err(EmitError::Listener { source, .. }) => {
                println!("refused: {source}");
                refused += 1;
            }
            Err(other) => return Err(other.into()),
        }
    }
    let ending = engine.shutdown(Duration::from_secs(60));
    let audited = audited.load(Ordering::Relaxed);
    println!("orders: {placed} placed, {refused} refused, {audited} audited");
    check(
        (placed, refused, audited) == (2000, 2, 2000),
        "orders placed and audited",
    )?;
    check(ending.abandoned == 0, "the audit missed an order")?;

    // Once: one call in all, however many threads emit at the same time. And a listener that is
    // removed while they do: afterwards no emission that starts later calls it.
    let beats = bus.of::<Heartbeat>();
    let counter = || Arc::new(AtomicU64::new(0));
    let (first, all, some) = (counter(), counter(), counter());
    let counts = |counter: &Arc<AtomicU64>| {
        let counter = Arc::clone(counter);
        Listener::new(move |_: &Heartbeat| {
            counter.fetch_add(1, Ordering::Relaxed);
        })
    };
    beats.add(counts(&first).once())?.detach();
    beats.add(counts(&all))?.detach();
    let leaves = beats.add(counts(&some))?;
    let at_removal = std::thread::scope(|scope| -> Result<u64, Box<dyn Error>> {
        for _ in 0..THREADS {
            scope.spawn(|| {
                // The fast path: an emitter of this thread's own.
                let mut out = bus.of::<Heartbeat>().emitter();
                for _ in 0..BEATS {
                    out.emit(&Heartbeat);
                }
            });
        }
        while all.load(Ordering::Relaxed) < BEATS {
            std::thread::yield_now();
        }
        // When this returns the listener is not running and never will be.
        leaves.unsubscribe_and_wait(Duration::from_secs(60))?;
        Ok(some.load(Ordering::Relaxed))
    })?;
    let counted = [&first, &all, &some].map(|counter| counter.load(Ordering::Relaxed));
    println!(
        "heartbeats: first {}, all {}, until its removal {}",
        counted[0], counted[1], counted[2]
    );
    check(counted[0] == 1, "once is once")?;
    check(counted[1] == THREADS * BEATS, "every beat arrived")?;
    check(counted[2] == at_removal, "a removed listener was called")?;
    println!("ok: order, refusals, once and removal as they should be");
    Ok(())
}
