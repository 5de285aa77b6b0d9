//! An engine and its signals from a text in TOML, so that capacities, policies, cores and wait
//! strategies can be changed without a new build.
//!
//! `cargo run --release -p corecast --features serde --example config [FILE]`

use corecast::config::Config;
use corecast::{Context, EmitError};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const TEXT: &str = r#"
[engine]
cores = "all-but-one"            # "all", "physical", "2,3,8-11", [2, 3], or how many
workers-per-core = 1
wait = "park"                    # "busy-spin", "spin-then-yield", "backoff"
pinning = "best-effort"          # "required", "off"
thread-name = "desk"

[signals.ticks]
capacity = 1024
overflow = { wait-for = "30s" }  # "wait", "reject", "drop-newest"
sample-latency = 16

[sync-signals.orders]
fault-policy = { quarantine = { after = 3 } }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args_os().nth(1) {
        Some(file) => std::fs::read_to_string(file)?,
        None => TEXT.to_owned(),
    };
    let config: Config = toml::from_str(&text)?;

    // What the text leaves out is as the builders have it; what cannot be written in a file, such
    // as a fault handler, is added to the builder here.
    let engine = config
        .engine
        .builder()
        .on_fault(|fault| println!("{fault}"))
        .build()?;
    for worker in engine.workers() {
        println!(
            "{}: {}, waits by {}",
            worker.thread, worker.pin, worker.wait
        );
    }
    let ticks = config.signal::<u64>(&engine, "ticks")?.build()?;
    let orders = config.sync_signal::<u64>("orders")?.build()?;

    let sum = Arc::new(AtomicU64::new(0));
    let _subscription = ticks.subscribe({
        let sum = Arc::clone(&sum);
        move |tick| {
            sum.fetch_add(*tick, Ordering::Relaxed);
        }
    });
    let mut out = ticks.emitter()?;
    for tick in 1..=10_000 {
        out.emit(tick)?;
    }
    out.flush(Duration::from_secs(60))?;
    let metrics = ticks.metrics();
    for lane in &metrics.lanes {
        println!(
            "lane to {}: {} slots, at most {} waited",
            lane.worker, lane.capacity, lane.high_water
        );
    }
    println!("latency: {:?}", metrics.latency);

    // A listener that always fails is removed after as many faults as configured.
    let _failing = orders.subscribe_fallible(|_| Err::<(), _>("no connection"));
    let mut refused = 0;
    while let Err(EmitError::Listener { .. }) = orders.try_emit(&1, &Context::none()) {
        refused += 1;
    }
    println!("orders: {refused} faults, then quarantined");

    let sum = sum.load(Ordering::Relaxed);
    if sum != 10_000 * 10_001 / 2 || !orders.is_empty() {
        return Err("the engine does not do what it was configured to".into());
    }
    // A mistake is an error with its line and its value.
    match toml::from_str::<Config>("[signals.ticks]\noverflow = \"explode\"\n") {
        Ok(_) => return Err("a mistake was not found".into()),
        Err(error) => println!("a mistake: {}", error.to_string().trim_end()),
    }
    match config.signal::<u64>(&engine, "tick") {
        Ok(_) => return Err("a name that is none was found".into()),
        Err(error) => println!("another: {error}"),
    }
    println!("ok: 10000 ticks, sum {sum}, as configured");
    Ok(())
}
