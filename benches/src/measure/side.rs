//! One contestant of a comparison.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use corecast_affinity::PinError;

use super::latency::Latency;

/// What one lap took and what arrived at its far end.
#[derive(Debug, Clone)]
pub struct Lap {
    /// From just before the first operation to just after the last one was *finished*, which is
    /// where its result arrives, not where it was sent.
    pub elapsed: Duration,
    /// The sum of what arrived, summed by whoever received it.
    pub checksum: u64,
    /// Single durations, where the side times them.
    pub latency: Option<Latency>,
}

/// One contestant: does a given number of operations and tells how long they took.
///
/// A lap sets up whatever it needs before its clock starts, pins its own threads, begins with an
/// empty sink, and leaves no thread running, so that the next contestant has the machine to itself.
pub trait Side {
    /// What the report calls it.
    fn name(&self) -> &str;

    /// How many copies of its timed loop there are, each laid out differently in memory.
    ///
    /// A loop of a few instructions can run half again as fast or slow with the address it happens
    /// to get; the calibration tries every copy and keeps the fastest, for each contestant alike.
    fn layouts(&self) -> usize {
        1
    }

    /// Selects the copy that later laps run; only asked of sides that have several.
    fn select_layout(&mut self, _layout: usize) {}

    /// Does `ops` operations.
    ///
    /// # Errors
    ///
    /// Whatever kept the lap from being run to its end: see [`LapError`]. A wrong sum is not an
    /// error here; the caller compares sums.
    fn lap(&mut self, ops: u64) -> Result<Lap, LapError>;
}

/// Why a lap has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum LapError {
    /// A measuring thread could not be pinned.
    Pin(PinError),
    /// A thread could not be started.
    Spawn(io::Error),
    /// Fewer operations arrived than were sent.
    Lost {
        /// How many arrived.
        arrived: u64,
        /// How many were sent.
        sent: u64,
    },
    /// A measuring thread panicked; the text is its message.
    Panicked(String),
    /// The contestant cannot do what the row asks of it; the text says what.
    Unsupported(String),
    /// The contestant's own error.
    Side(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for LapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(error) => write!(f, "{error}"),
            Self::Spawn(error) => write!(f, "cannot start a thread: {error}"),
            Self::Lost { arrived, sent } => write!(f, "{sent} events were sent, {arrived} arrived"),
            Self::Panicked(message) => write!(f, "a measuring thread panicked: {message}"),
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::Side(error) => write!(f, "{error}"),
        }
    }
}

impl Error for LapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Pin(error) => Some(error),
            Self::Spawn(error) => Some(error),
            Self::Side(error) => Some(error.as_ref()),
            Self::Lost { .. } | Self::Panicked(_) | Self::Unsupported(_) => None,
        }
    }
}

impl From<PinError> for LapError {
    fn from(error: PinError) -> Self {
        Self::Pin(error)
    }
}

impl LapError {
    /// The error for a joined thread that had panicked.
    #[must_use]
    pub fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "(a payload that is not text)".to_owned());
        Self::Panicked(message)
    }
}
