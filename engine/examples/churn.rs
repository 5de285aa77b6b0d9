//! Subscribes and removes without pause against two emitters, and shows that nothing piles up.
//!
//! ```text
//! cargo run --release -p corecast --example churn -- 10000000
//! ```
//!
//! The argument is the number of operations, subscribing and removing counted one by one; 200,000
//! unless told. Ends with exit code 1 if anything is left over.

use corecast::{Listener, Subscription, SyncSignal};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Listeners subscribed at a time.
const KEPT: usize = 16;
/// Operations between two looks at the metrics.
const LOOK: u64 = 64;

/// Counts the listeners whose captured state is alive.
struct Alive(Arc<AtomicU64>);

impl Alive {
    fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The process's resident memory in KiB, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The most that the churning thread saw.
#[derive(Default)]
struct Most {
    retired_arrays: usize,
    bytes: usize,
    alive: u64,
}

impl Most {
    fn look(&mut self, signal: &SyncSignal<u64>, alive: &AtomicU64) {
        let metrics = signal.metrics();
        self.retired_arrays = self.retired_arrays.max(metrics.retired_arrays);
        self.bytes = self.bytes.max(metrics.bytes);
        self.alive = self.alive.max(alive.load(Ordering::Relaxed));
    }
}

/// One operation: the oldest listener leaves, or another comes.
fn operate(
    n: u64,
    signal: &SyncSignal<u64>,
    alive: &Arc<AtomicU64>,
    kept: &mut VecDeque<Subscription>,
) {
    if kept.len() >= KEPT {
        drop(kept.pop_front());
        return;
    }
    let state = Alive::new(alive);
    let listener = Listener::new(move |_: &u64| {
        std::hint::black_box(&state.0);
    });
    kept.extend(signal.add(listener.priority((n % 5) as i32)));
}

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    let Ok(operations) = argument.map_or(Ok(200_000), |n| n.parse::<u64>()) else {
        eprintln!("churn: the argument is a number of operations");
        return ExitCode::FAILURE;
    };
    let signal = SyncSignal::<u64>::new();
    let bytes_at_first = signal.metrics().bytes;
    let alive = Arc::new(AtomicU64::new(0));
    let churning = AtomicBool::new(true);
    let (mut most, mut kept) = (Most::default(), VecDeque::new());
    let mut resident = None;
    let started = Instant::now();
    let events: u64 = thread::scope(|scope| {
        let emitters: Vec<_> = (0..2)
            .map(|_| {
                let (mut emitter, churning) = (signal.emitter(), &churning);
                scope.spawn(move || {
                    let mut events = 0_u64;
                    while churning.load(Ordering::Relaxed) {
                        emitter.emit(&events);
                        events += 1;
                    }
                    events
                })
            })
            .collect();
        for n in 0..operations {
            operate(n, &signal, &alive, &mut kept);
            if n % LOOK == 0 {
                most.look(&signal, &alive);
            }
            // What is needed once is not growth.
            if n == operations / 100 {
                resident = resident_kib();
            }
        }
        churning.store(false, Ordering::Relaxed);
        let events = emitters.into_iter().map(|emitter| emitter.join());
        events.map(Result::unwrap_or_default).sum()
    });
    let (took, resident_after) = (started.elapsed(), resident_kib());
    drop(kept);
    let quiet = signal.quiesce(Duration::from_secs(60));
    let metrics = signal.metrics();
    let left = alive.load(Ordering::Relaxed);

    println!("operations             {operations} in {took:.1?}");
    println!("events emitted         {events} by 2 emitters");
    println!("retired arrays, most   {}", most.retired_arrays);
    println!("bytes, most            {}", most.bytes);
    println!("captured states, most  {}", most.alive);
    if let (Some(before), Some(after)) = (resident, resident_after) {
        println!("resident memory        {before} KiB after 1 %, {after} KiB at the end");
    }
    println!(
        "once all have left     {} retired arrays, {} bytes, {left} captured states",
        metrics.retired_arrays, metrics.bytes
    );
    let is_clean = quiet.is_ok()
        && metrics.retired_arrays == 0
        && metrics.bytes == bytes_at_first
        && left == 0
        && signal.is_empty();
    if is_clean {
        ExitCode::SUCCESS
    } else {
        eprintln!("churn: something is left over ({quiet:?})");
        ExitCode::FAILURE
    }
}
