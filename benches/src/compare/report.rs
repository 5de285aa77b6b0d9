//! What a run of the table says: the JSON document, and what the table for a person is made of.

use serde::Serialize;

use crate::measure::latency::Percentiles;
use crate::measure::machine::Machine;
use crate::measure::rounds::SideTimings;
use crate::measure::{CpuPair, Quartiles, Timings};

use super::duel::Gauge;
use super::table::{Bar, Outcome, Row, RowError};

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Machine,
    /// Which CPUs it ran on.
    pub cpus: CpuPair,
    /// Whether those are two. If not, rows that need two were skipped.
    pub two_cpus: bool,
    /// Counted rounds per row.
    pub rounds: usize,
    /// How the machine drifted meanwhile; `None` on one CPU.
    pub drift: Option<Drift>,
    /// The rows, in the table's order.
    pub rows: Vec<RowReport>,
    /// The names of the rows over their bars.
    pub over: Vec<String>,
    /// The names of the rows that failed.
    pub failed: Vec<String>,
}

/// The raw cache-line round trip between the two CPUs, over the run, in nanoseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Drift {
    /// Before the first row.
    pub before: u64,
    /// After each row, the last one included.
    pub between: Vec<u64>,
    /// After the last row.
    pub after: u64,
    /// The fastest of them all.
    pub fastest: u64,
    /// The slowest of them all.
    pub slowest: u64,
}

impl Drift {
    /// The summary of these readings, or `None` if there are none.
    #[must_use]
    pub fn of(readings: &[u64]) -> Option<Self> {
        let (&before, between) = readings.split_first()?;
        Some(Self {
            before,
            between: between.to_vec(),
            after: *readings.last()?,
            fastest: *readings.iter().min()?,
            slowest: *readings.iter().max()?,
        })
    }
}

/// How a row stands to its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// At or under its bar.
    Pass,
    /// Over its bar.
    Over,
    /// It has none.
    Reported,
    /// Not measured: it needs two CPUs.
    Skipped,
    /// It could not be run to its end, or a sum was wrong.
    Failed,
}

/// One row of a run.
#[derive(Debug, Clone, Serialize)]
pub struct RowReport {
    /// The row's name.
    pub name: String,
    /// What it is compared with, in words.
    pub against: &'static str,
    /// What `--check` fails on.
    pub bar: Option<f64>,
    /// Where the figure is to go.
    pub aim: Option<f64>,
    /// How the row stands to its bar.
    pub verdict: Verdict,
    /// The raw round trip just before the row, in nanoseconds.
    pub raw_round_trip_ns: Option<u64>,
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
}

/// What a row measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Measured {
    /// Sides compared.
    Duel(Box<DuelReport>),
    /// One figure.
    Gauge {
        /// How much.
        value: f64,
        /// Of what.
        unit: &'static str,
    },
    /// Nothing.
    Skipped,
    /// Nothing, because of an error.
    Failed {
        /// What went wrong, and with which side.
        error: String,
    },
}

/// Sides compared.
#[derive(Debug, Clone, Serialize)]
pub struct DuelReport {
    /// Operations in each lap.
    pub ops: u64,
    /// The sum that every lap of every side arrived at, in hexadecimal: too long for a JSON number.
    pub checksum: String,
    /// The row's subject.
    pub ours: SideReport,
    /// The peer whose median is lowest.
    pub peer: SideReport,
    /// Ours divided by that peer, round by round.
    pub ratio: Quartiles,
    /// The other peers.
    pub others: Vec<SideReport>,
}

/// One side.
#[derive(Debug, Clone, Serialize)]
pub struct SideReport {
    /// What it is called.
    pub name: String,
    /// Nanoseconds per operation, or of the compared percentile.
    pub ns: Quartiles,
    /// Percentiles over all counted rounds, where the side timed them.
    pub latency: Option<Percentiles>,
}

impl RowReport {
    /// What `row` came to, with the raw round trip just before it.
    #[must_use]
    pub fn new(
        row: &Row,
        outcome: &Result<Outcome, RowError>,
        raw_round_trip_ns: Option<u64>,
    ) -> Self {
        let measured = match outcome {
            Ok(Outcome::Duel(timings)) => {
                DuelReport::new(timings).map_or(Measured::Skipped, Measured::Duel)
            }
            Ok(Outcome::Gauge(Gauge { value, unit })) => Measured::Gauge {
                value: *value,
                unit,
            },
            Ok(Outcome::Skipped) => Measured::Skipped,
            Err(error) => Measured::Failed {
                error: error.source.to_string(),
            },
        };
        Self {
            name: row.name().to_owned(),
            against: row.against(),
            bar: row.bar().limit(),
            aim: row.bar().aim(),
            verdict: verdict(row.bar(), &measured),
            raw_round_trip_ns,
            measured,
        }
    }

    /// The figure that is held against the bar.
    #[must_use]
    pub fn figure(&self) -> Option<f64> {
        self.measured.figure()
    }
}

impl Measured {
    fn figure(&self) -> Option<f64> {
        match self {
            Self::Duel(duel) => Some(duel.ratio.median),
            Self::Gauge { value, .. } => Some(*value),
            Self::Skipped | Self::Failed { .. } => None,
        }
    }
}

fn verdict(bar: Bar, measured: &Measured) -> Verdict {
    match (measured.figure(), bar.limit()) {
        (None, _) if matches!(measured, Measured::Failed { .. }) => Verdict::Failed,
        (None, _) => Verdict::Skipped,
        (Some(_), None) => Verdict::Reported,
        (Some(figure), Some(limit)) if figure <= limit => Verdict::Pass,
        // Also where the figure is not a number.
        (Some(_), Some(_)) => Verdict::Over,
    }
}

impl DuelReport {
    /// The report of these timings, ours first; `None` without a peer or a round.
    fn new(timings: &Timings) -> Option<Box<Self>> {
        let (ours, peers) = timings.sides.split_first()?;
        let mut reports: Vec<(SideReport, &SideTimings)> = peers
            .iter()
            .map(|peer| Some((SideReport::new(peer)?, peer)))
            .collect::<Option<_>>()?;
        reports.sort_by(|(one, _), (other, _)| one.ns.median.total_cmp(&other.ns.median));
        let mut reports = reports.into_iter();
        let (peer, best) = reports.next()?;
        let ratios: Vec<f64> = ours
            .rounds
            .iter()
            .zip(&best.rounds)
            .map(|(ours, peer)| ours / peer)
            .collect();
        Some(Box::new(Self {
            ops: timings.ops,
            checksum: format!("{:#018x}", timings.checksum),
            ours: SideReport::new(ours)?,
            peer,
            ratio: Quartiles::of(&ratios)?,
            others: reports.map(|(report, _)| report).collect(),
        }))
    }
}

impl SideReport {
    fn new(side: &SideTimings) -> Option<Self> {
        let ns = Quartiles::of(&side.rounds)?;
        Some(Self {
            name: side.name.clone(),
            ns,
            latency: side.latency,
        })
    }
}
