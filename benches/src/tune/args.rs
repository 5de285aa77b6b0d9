//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use corecast_affinity::Cores;
use corecast_ring::{WaitStrategy, check_capacity};

use super::configuration::Sweep;
use super::criterion::Criterion;
use super::lap::EVENT_BYTES;
use super::load::{Load, Rate};

/// Arguments of `corecast tune`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The size of an event in bytes
    #[arg(long, value_name = "BYTES", default_value = "56", value_parser = event_bytes)]
    event_bytes: usize,

    /// How many listeners each event is delivered to
    #[arg(long, value_name = "N", default_value = "4", value_parser = |text: &str| number(text, 1, 10_000))]
    listeners: usize,

    /// How long a listener is busy with an event, in nanoseconds
    #[arg(long, value_name = "NS", default_value = "100", value_parser = |text: &str| number(text, 0, 50_000_000))]
    listener_ns: usize,

    /// How many emitters the events come from
    #[arg(long, value_name = "N", default_value = "1", value_parser = |text: &str| number(text, 1, 1_024))]
    emitters: usize,

    /// Events per second from all emitters together, or max: as many as can be delivered
    #[arg(long, value_name = "RATE", default_value_t = Rate::PerSecond(100_000.0))]
    rate: Rate,

    /// How long each configuration is measured, in seconds
    #[arg(long, value_name = "S", default_value = "1.5", value_parser = seconds)]
    seconds: Duration,

    /// The CPUs of the workers: all, physical, or a list such as 2,4-7 [default: all but one]
    #[arg(long, value_name = "LIST")]
    cores: Option<Cores>,

    /// How many workers share a CPU: the values to try
    #[arg(long, value_name = "LIST", default_value = "1,2", value_delimiter = ',', value_parser = |text: &str| number(text, 1, 256))]
    workers_per_core: Vec<usize>,

    /// What idle workers do: the strategies to try, of busy-spin, spin-then-yield, backoff and park
    #[arg(
        long,
        value_name = "LIST",
        default_value = "busy-spin,spin-then-yield,backoff,park",
        value_delimiter = ','
    )]
    wait: Vec<WaitStrategy>,

    /// Slots of each lane: the values to try, powers of two
    #[arg(long, value_name = "LIST", default_value = "256,4096", value_delimiter = ',', value_parser = capacity)]
    capacity: Vec<usize>,

    /// The most events that a worker takes from a lane in one go: the values to try
    #[arg(long, value_name = "LIST", default_value = "8,64", value_delimiter = ',', value_parser = |text: &str| number(text, 1, 1 << 20))]
    batch: Vec<usize>,

    /// What is to be best [default: p99 at a rate, throughput at max]
    #[arg(long, value_name = "CRITERION", value_enum)]
    by: Option<Criterion>,

    /// Run the recommended and the worst configuration again, in turn, and exit with 1 unless the
    /// recommended one wins
    #[arg(long)]
    pub(super) verify: bool,

    /// The page to write, with pictures
    #[arg(long, value_name = "FILE", default_value = "tune-report.html")]
    pub(super) report: PathBuf,

    /// Print one JSON object instead of the table
    #[arg(long)]
    pub(super) json: bool,
}

impl Args {
    /// The stated load.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            event_bytes: self.event_bytes,
            listeners: self.listeners,
            listener_ns: self.listener_ns as u64,
            emitters: self.emitters,
            rate: self.rate,
        }
    }

    /// What is to be tried.
    #[must_use]
    pub fn sweep(&self) -> Sweep {
        Sweep {
            workers_per_core: self.workers_per_core.clone(),
            wait: self.wait.clone(),
            capacity: self.capacity.clone(),
            batch: self.batch.clone(),
        }
    }

    /// How long each configuration is measured.
    #[must_use]
    pub fn seconds(&self) -> Duration {
        self.seconds
    }

    /// The CPUs of the workers, if they were named.
    #[must_use]
    pub fn cores(&self) -> Option<&Cores> {
        self.cores.as_ref()
    }

    /// What is to be best.
    #[must_use]
    pub fn criterion(&self) -> Criterion {
        self.by.unwrap_or(match self.rate {
            Rate::Max => Criterion::Throughput,
            Rate::PerSecond(_) => Criterion::P99,
        })
    }
}

fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("expected a number from {least} to {most}")),
    }
}

fn event_bytes(text: &str) -> Result<usize, String> {
    let known = text
        .parse()
        .ok()
        .filter(|bytes| EVENT_BYTES.contains(bytes));
    known.ok_or_else(|| {
        let sizes: Vec<String> = EVENT_BYTES.iter().map(usize::to_string).collect();
        format!("expected one of {}", sizes.join(", "))
    })
}

fn capacity(text: &str) -> Result<usize, String> {
    let slots = number(text, 0, usize::MAX)?;
    match check_capacity::<u64>(slots) {
        Ok(_) => Ok(slots),
        Err(error) => Err(error.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number of seconds from 0.01 to 3600".to_owned()),
    }
}
