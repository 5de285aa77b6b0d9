//! Configurations that deserialise, from TOML or whatever else serde reads.
//!
//! What a file leaves out is as the builders have it. What it gets wrong is an error of the format
//! (with its line, where the format has lines) that names the value; what is impossible on the
//! machine at hand, such as a CPU that it lacks, is the builder's own error.
//!
//! ```
//! use corecast::config::Config;
//!
//! let config: Config = toml::from_str(r#"
//!     [engine]
//!     cores = "all-but-one"        # or "all", "physical", "2,3,8-11", [2, 3], a number of CPUs
//!     workers-per-core = 1
//!     wait = "park"                # or "busy-spin", "spin-then-yield", "backoff"
//!     pinning = "best-effort"      # or "required", "off"
//!     fences = "asymmetric"        # or "full"
//!
//!     [signals.ticks]
//!     capacity = 16384
//!     batch = 64
//!     overflow = { wait-for = "5ms" }             # or "wait", "reject", "drop-newest"
//!     fault-policy = { quarantine = { after = 5 } }   # or "isolate"
//!     sample-latency = 1000
//!
//!     [sync-signals.orders]
//!     fault-policy = "isolate"     # or "propagate"
//!     reentrancy-limit = 8
//! "#)?;
//! let engine = config.engine.builder().build()?;
//! let ticks = config.signal::<u64>(&engine, "ticks")?.build()?;
//! let orders = config.sync_signal::<u64>("orders")?.build()?;
//! # assert_eq!((ticks.len(), orders.len()), (0, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod engine;
mod signal;
mod values;

pub use engine::EngineConfig;
pub use signal::{SignalConfig, SyncSignalConfig};

use crate::{AsyncSignalBuilder, Engine, SyncSignalBuilder};
use core::fmt;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An engine and its signals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// The engine.
    pub engine: EngineConfig,
    /// The asynchronous signals, by name.
    pub signals: BTreeMap<String, SignalConfig>,
    /// The synchronous signals, by name.
    pub sync_signals: BTreeMap<String, SyncSignalConfig>,
}

impl Config {
    /// The builder of the asynchronous signal `name`, set up as configured.
    ///
    /// # Errors
    ///
    /// [`UnknownSignal`], when the configuration has none of that name.
    pub fn signal<T: Send + 'static>(
        &self,
        engine: &Engine,
        name: &str,
    ) -> Result<AsyncSignalBuilder<T>, UnknownSignal> {
        let config = find(&self.signals, name)?;
        Ok(config.apply(engine.signal(name)))
    }

    /// The builder of the synchronous signal `name`, set up as configured.
    ///
    /// # Errors
    ///
    /// [`UnknownSignal`], when the configuration has none of that name.
    pub fn sync_signal<T: ?Sized + 'static>(
        &self,
        name: &str,
    ) -> Result<SyncSignalBuilder<T>, UnknownSignal> {
        let config = find(&self.sync_signals, name)?;
        Ok(config.apply(crate::SyncSignal::builder().name(name)))
    }
}

fn find<'a, C>(signals: &'a BTreeMap<String, C>, name: &str) -> Result<&'a C, UnknownSignal> {
    signals.get(name).ok_or_else(|| UnknownSignal {
        name: name.to_owned(),
        known: signals.keys().cloned().collect(),
    })
}

/// A configuration has no signal of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownSignal {
    /// The name asked for.
    pub name: String,
    /// The names that there are.
    pub known: Vec<String>,
}

impl fmt::Display for UnknownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no signal {:?} is configured", self.name)?;
        match &self.known[..] {
            [] => f.write_str(": none is"),
            known => write!(f, ": one of {}", known.join(", ")),
        }
    }
}

impl std::error::Error for UnknownSignal {}
