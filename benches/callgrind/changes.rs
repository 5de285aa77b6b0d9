//! Subscribing and unsubscribing beside listeners that stay. Each operation has a signal of its own,
//! so that all find the same number of listeners.

use std::hint::black_box;

use corecast::{Listener, Subscription, SyncSignal};
use iai_callgrind::{library_benchmark, library_benchmark_group};
use parking_lot::RwLock;

use crate::limits::{OPS, limited, unlimited};

/// A listener like any other.
fn ignore(event: &u64) {
    black_box(event);
}

/// A signal with that many listeners, whose epoch and array have been changed before.
fn signal(listeners: usize) -> SyncSignal<u64> {
    let signal = SyncSignal::new();
    let added = signal.add_many((0..listeners).map(|_| Listener::new(ignore)));
    let added = added.expect("listeners without keys");
    added.into_iter().for_each(Subscription::detach);
    signal.subscribe(ignore).unsubscribe();
    signal
}

fn signals(listeners: usize) -> Vec<SyncSignal<u64>> {
    (0..OPS).map(|_| signal(listeners)).collect()
}

/// Signals with that many listeners, and one of them each that can be unsubscribed.
fn subscribed(listeners: usize) -> Vec<(SyncSignal<u64>, Subscription)> {
    let signals = signals(listeners - 1).into_iter();
    let subscribe = |signal: SyncSignal<u64>| {
        let subscription = signal.subscribe(ignore);
        (signal, subscription)
    };
    signals.map(subscribe).collect()
}

/// A listener as the classic design has it.
type Boxed = Box<dyn Fn(&u64) + Send + Sync>;

fn locked(listeners: usize) -> Vec<RwLock<Vec<Boxed>>> {
    let list = || {
        // With room for one more: a list that grows by doubling has it nearly always.
        let mut list = Vec::with_capacity(listeners + 1);
        list.extend((0..listeners).map(|_| Box::new(ignore) as Boxed));
        RwLock::new(list)
    };
    (0..OPS).map(|_| list()).collect()
}

#[library_benchmark]
#[bench::listeners_1(args = (1), setup = locked, config = unlimited())]
#[bench::listeners_10(args = (10), setup = locked, config = unlimited())]
#[bench::listeners_1000(args = (1000), setup = locked, config = unlimited())]
fn subscribe_locked(lists: Vec<RwLock<Vec<Boxed>>>) -> impl Sized {
    for list in &lists {
        list.write().push(Box::new(black_box(ignore)));
    }
    lists
}

#[library_benchmark]
#[bench::listeners_1(args = (1), setup = signals, config = limited("subscribe/add/listeners=1"))]
#[bench::listeners_10(args = (10), setup = signals, config = limited("subscribe/add/listeners=10"))]
#[bench::listeners_1000(
    args = (1000), setup = signals, config = limited("subscribe/add/listeners=1000")
)]
fn subscribe_add(signals: Vec<SyncSignal<u64>>) -> impl Sized {
    for signal in &signals {
        signal.subscribe(ignore).detach();
    }
    signals
}

#[library_benchmark]
#[bench::listeners_1(
    args = (1), setup = subscribed, config = limited("subscribe/remove/listeners=1")
)]
#[bench::listeners_10(
    args = (10), setup = subscribed, config = limited("subscribe/remove/listeners=10")
)]
#[bench::listeners_1000(
    args = (1000), setup = subscribed, config = limited("subscribe/remove/listeners=1000")
)]
fn subscribe_remove(signals: Vec<(SyncSignal<u64>, Subscription)>) -> impl Sized {
    let mut kept = Vec::with_capacity(signals.len());
    for (signal, subscription) in signals {
        black_box(subscription.unsubscribe());
        kept.push(signal);
    }
    kept
}

library_benchmark_group!(
    name = subscribe;
    benchmarks = subscribe_locked, subscribe_add, subscribe_remove
);
