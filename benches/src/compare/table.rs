//! The table of rows: what is compared with what, and how much worse it may be.

use std::error::Error;
use std::fmt;

use crate::measure::{CpuPair, LapError, Schedule, Timings};

use super::duel::{Duel, Gauge};

/// What a row must not exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// The ratio of ours to the best peer.
    Ratio {
        /// What `--check` fails on.
        bar: f64,
        /// Where it is to go.
        aim: f64,
    },
    /// A single figure, in the unit of the row's gauge.
    AtMost {
        /// What `--check` fails on.
        bar: f64,
    },
    /// Nothing: the row is for information.
    Reported,
}

impl Bar {
    /// A ratio that is its own aim.
    #[must_use]
    pub const fn ratio(bar: f64) -> Self {
        Self::Ratio { bar, aim: bar }
    }

    /// What `--check` fails on, if anything.
    #[must_use]
    pub fn limit(self) -> Option<f64> {
        match self {
            Self::Ratio { bar, .. } | Self::AtMost { bar } => Some(bar),
            Self::Reported => None,
        }
    }

    /// Where the figure is to go, if that was said.
    #[must_use]
    pub fn aim(self) -> Option<f64> {
        match self {
            Self::Ratio { aim, .. } => Some(aim),
            Self::AtMost { bar } => Some(bar),
            Self::Reported => None,
        }
    }
}

/// What a row is measured with.
#[derive(Debug, Clone, Copy)]
pub struct Lab {
    /// Where it runs.
    pub cpus: CpuPair,
    /// How long it runs.
    pub schedule: Schedule,
}

/// What a row measures.
enum Measure {
    Duel(Make<Duel>),
    Gauge(Make<Gauge>),
}

/// What sets a row up, each time it is measured.
type Make<T> = Box<dyn Fn(&Lab) -> Result<T, LapError>>;

/// One row of the table.
pub struct Row {
    name: String,
    against: &'static str,
    bar: Bar,
    two_cpus: bool,
    measure: Measure,
}

/// What a row measured.
#[derive(Debug)]
pub enum Outcome {
    /// The timings of a duel; ours is the first side.
    Duel(Timings),
    /// A figure.
    Gauge(Gauge),
    /// The row needs two CPUs and has one.
    Skipped,
}

/// Why a row has no figure, and which row it is.
#[derive(Debug)]
pub struct RowError {
    /// The row's name.
    pub row: String,
    /// What went wrong.
    pub source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: {}", self.row, self.source)
    }
}

impl Error for RowError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

impl Row {
    /// A row that compares sides, named like `emit/owned/listeners=10`.
    #[must_use]
    pub fn duel(
        name: impl Into<String>,
        against: &'static str,
        bar: Bar,
        duel: impl Fn(&Lab) -> Result<Duel, LapError> + 'static,
    ) -> Self {
        Self::new(name.into(), against, bar, Measure::Duel(Box::new(duel)))
    }

    /// A row of one figure, named like `allocations/emit/owned`.
    #[must_use]
    pub fn gauge(
        name: impl Into<String>,
        against: &'static str,
        bar: Bar,
        gauge: impl Fn(&Lab) -> Result<Gauge, LapError> + 'static,
    ) -> Self {
        Self::new(name.into(), against, bar, Measure::Gauge(Box::new(gauge)))
    }

    fn new(name: String, against: &'static str, bar: Bar, measure: Measure) -> Self {
        Self {
            name,
            against,
            bar,
            two_cpus: false,
            measure,
        }
    }

    /// The same row, skipped where emitter and worker would have to share a CPU.
    #[must_use]
    pub fn on_two_cpus(self) -> Self {
        Self {
            two_cpus: true,
            ..self
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is compared with, in words.
    #[must_use]
    pub fn against(&self) -> &'static str {
        self.against
    }

    /// What it must not exceed.
    #[must_use]
    pub fn bar(&self) -> Bar {
        self.bar
    }

    /// Measures it.
    ///
    /// # Errors
    ///
    /// [`RowError`] with the row's name, around whatever kept a side from running or its sum from
    /// being right.
    pub fn measure(&self, lab: &Lab) -> Result<Outcome, RowError> {
        if self.two_cpus && !lab.cpus.is_two() {
            return Ok(Outcome::Skipped);
        }
        match &self.measure {
            Measure::Duel(duel) => {
                let mut duel = duel(lab).map_err(|error| self.error(error))?;
                let timings = duel.run(lab.schedule).map_err(|error| self.error(error))?;
                Ok(Outcome::Duel(timings))
            }
            Measure::Gauge(gauge) => gauge(lab)
                .map(Outcome::Gauge)
                .map_err(|error| self.error(error)),
        }
    }

    fn error(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> RowError {
        RowError {
            row: self.name.clone(),
            source: source.into(),
        }
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("name", &self.name)
            .field("against", &self.against)
            .field("bar", &self.bar)
            .finish_non_exhaustive()
    }
}
