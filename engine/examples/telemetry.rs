//! A telemetry pipeline on this machine's own numbers. What `/proc` says is emitted as samples, each
//! goes to one worker by its name, and is added up there; a Prometheus endpoint shows how the
//! pipeline fares, and the example scrapes it in the end and compares.
//!
//! `cargo run --release -p corecast --features prometheus --example telemetry`

use corecast::prometheus::Endpoint;
use corecast::{Cores, Engine, Overflow};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

const ROUNDS: usize = 200;

/// One number of one name. Not `Clone`: it is moved to its worker.
struct Sample {
    name: String,
    value: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Summary {
    count: u64,
    least: u64,
    most: u64,
    sum: u128,
}

impl Summary {
    fn add(&mut self, value: u64) {
        self.count += 1;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        self.sum += u128::from(value);
    }
}

impl Default for Summary {
    fn default() -> Self {
        let (least, most) = (u64::MAX, 0);
        Self {
            count: 0,
            least,
            most,
            sum: 0,
        }
    }
}

type Summaries = BTreeMap<String, Summary>;

fn add(summaries: &mut Summaries, sample: &Sample) {
    match summaries.get_mut(&sample.name) {
        Some(summary) => summary.add(sample.value),
        None => summaries
            .entry(sample.name.clone())
            .or_default()
            .add(sample.value),
    }
}

/// A worker's summaries; handed over when its listener is dropped.
struct Shard {
    summaries: Summaries,
    hand_over: Sender<Summaries>,
}

impl Drop for Shard {
    fn drop(&mut self) {
        // Nobody may be listening any more.
        let _ = self.hand_over.send(std::mem::take(&mut self.summaries));
    }
}

/// The numbers of a file of `/proc`: the first word of a line names what follows.
fn read(file: &str, samples: &mut Vec<Sample>) {
    // Not every system has every file.
    let text = std::fs::read_to_string(format!("/proc/{file}")).unwrap_or_default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default().trim_end_matches(':');
        let values = words.filter_map(|word| word.parse().ok());
        samples.extend(values.enumerate().map(|(index, value)| Sample {
            name: format!("{file}/{name}/{index}"),
            value,
        }));
    }
}

/// The page that the endpoint serves.
fn scrape(address: SocketAddr) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, page) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(head.to_owned().into());
    }
    Ok(page.to_owned())
}

fn main() -> Result<(), Box<dyn Error>> {
    if !std::path::Path::new("/proc/stat").exists() {
        println!("ok: skipped, for this system has no /proc");
        return Ok(());
    }
    let engine = Engine::builder().cores(Cores::all()).build()?;
    // Telemetry must not hold up what it watches: what finds no room is dropped, and counted.
    let samples = engine.signal::<Sample>("samples").capacity(1 << 15);
    let samples = samples.overflow(Overflow::DropNewest).sample_latency(64);
    let samples = samples
        .shard_by(|sample: &Sample| sample.name.clone())
        .build()?;
    let (hand_over, shards) = channel();
    let subscription = samples.subscribe_sharded(move |_worker| {
        let mut shard = Shard {
            summaries: Summaries::new(),
            hand_over: hand_over.clone(),
        };
        move |sample: &Sample| add(&mut shard.summaries, sample)
    });

    // Each scrape is a snapshot of its own moment.
    let endpoint = Endpoint::serve("127.0.0.1:0", {
        let engine = engine.clone();
        move |page| page.engine("telemetry", &engine.metrics())
    })?;
    println!("serving http://{}/metrics", endpoint.local_addr());

    // What the workers must come to, if nothing is dropped.
    let mut expected = Summaries::new();
    let mut out = samples.emitter()?;
    let mut round = Vec::new();
    let before = samples.metrics();
    for _ in 0..ROUNDS {
        for file in ["stat", "meminfo", "vmstat", "net/dev", "self/io"] {
            read(file, &mut round);
        }
        round.iter().for_each(|sample| add(&mut expected, sample));
        out.emit_batch(round.drain(..))?;
        // In place of the pause that a real one would make here. Without it this loop overruns the
        // workers, and the counts say so.
        out.flush(Duration::from_secs(60))?;
    }
    let rates = samples.metrics().since(&before);
    println!(
        "{:.0} samples a second, error rate {}",
        rates.events_per_second, rates.error_rate
    );

    // All is quiet now, so that the page and the snapshot are of the same state.
    let snapshot = samples.metrics();
    let page = scrape(endpoint.local_addr())?;
    let mut shown = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').ok_or("a line without a value")?;
        shown.insert(name, value);
    }
    for (name, counted) in [
        ("emitted_total", snapshot.emitted),
        ("accepted_total", snapshot.accepted),
        ("dropped_total", snapshot.dropped),
        ("delivered_total", snapshot.delivered),
        ("failed_total", snapshot.failed),
        ("listeners", snapshot.listeners as u64),
        ("bytes", snapshot.bytes as u64),
    ] {
        let name = format!("corecast_signal_{name}{{engine=\"telemetry\",signal=\"samples\"}}");
        let scraped = shown
            .get(&*name)
            .ok_or_else(|| format!("{name} is not shown"))?;
        println!("{name} {scraped}   (snapshot: {counted})");
        if scraped.parse::<u64>()? != counted {
            return Err(format!("{name}: {scraped} scraped, {counted} counted").into());
        }
    }

    // When this returns every shard has been dropped, and has handed over what it had.
    subscription.unsubscribe_and_wait(Duration::from_secs(60))?;
    let mut summaries = Summaries::new();
    for (worker, shard) in shards.iter().enumerate() {
        println!("shard {worker}: {} names", shard.len());
        for (name, summary) in shard {
            if summaries.insert(name.clone(), summary).is_some() {
                return Err(format!("{name} was at two workers").into());
            }
        }
    }
    for name in ["stat/ctxt/0", "meminfo/MemFree/0", "self/io/rchar/0"] {
        if let Some(summary) = summaries.get(name) {
            println!("{name}: {summary:?}");
        }
    }
    let counted: u64 = summaries.values().map(|summary| summary.count).sum();
    if counted != snapshot.accepted || snapshot.accepted + snapshot.dropped != snapshot.emitted {
        return Err(format!("{counted} samples added up, {snapshot:?}").into());
    }
    if snapshot.dropped == 0 && summaries != expected {
        return Err("the summaries differ from those of a plain loop".into());
    }
    println!(
        "ok: {counted} samples of {} names added up, {} dropped; the page equals the snapshot",
        summaries.len(),
        snapshot.dropped
    );
    Ok(())
}
