//! Interleaved, verified rounds.
//!
//! The sides of a contest take turns (ours, peer, ours, peer, …), so that whatever the machine does
//! meanwhile it does to all of them, and a ratio is taken within a round, between neighbours in
//! time. Before that, the number of operations is found at which a lap is long enough to time, every
//! side picks its fastest code layout, and one round is run for nothing. Every lap's sum is compared
//! with one that no side computed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::latency::{Latency, Percentiles};
use super::side::{Lap, LapError, Side};

/// What of a lap is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The lap's time divided by its operations.
    PerOperation,
    /// This percentile of the durations that the side timed one by one.
    Percentile(f64),
}

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Counted rounds; the warm-up round comes on top.
    pub rounds: usize,
    /// What the fastest side's lap should last.
    pub lap: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            rounds: 11,
            lap: Duration::from_millis(8),
        }
    }
}

/// The sides of one comparison and what they must arrive at.
pub struct Contest<'a> {
    /// The contestants, in the order in which they take turns.
    pub sides: Vec<&'a mut dyn Side>,
    /// The sum that must arrive after that many operations, computed without any side.
    pub expected: &'a dyn Fn(u64) -> u64,
    /// The number of operations of a lap is a multiple of this (a batch, say).
    pub grain: u64,
    /// What of a lap is compared.
    pub figure: Figure,
}

impl fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.sides.iter().map(|side| side.name()).collect();
        f.debug_struct("Contest")
            .field("sides", &names)
            .field("grain", &self.grain)
            .field("figure", &self.figure)
            .finish_non_exhaustive()
    }
}

/// What a contest measured.
#[derive(Debug, Clone)]
pub struct Timings {
    /// Operations per lap.
    pub ops: u64,
    /// The sum that every lap of every side arrived at.
    pub checksum: u64,
    /// Per side, in the contest's order, what it measured.
    pub sides: Vec<SideTimings>,
}

/// What one side measured.
#[derive(Debug, Clone)]
pub struct SideTimings {
    /// The side's name.
    pub name: String,
    /// The compared figure of each counted round, in nanoseconds.
    pub rounds: Vec<f64>,
    /// The percentiles over all counted rounds, where the side timed single operations.
    pub latency: Option<Percentiles>,
}

/// Why a contest has no result: which side, and what went wrong with it.
#[derive(Debug)]
pub struct ContestError {
    /// The side's name.
    pub side: String,
    /// What went wrong.
    pub kind: ContestErrorKind,
}

/// What went wrong in a contest.
#[derive(Debug)]
#[non_exhaustive]
pub enum ContestErrorKind {
    /// A lap could not be run to its end.
    Lap(LapError),
    /// What arrived is not what was sent.
    Checksum {
        /// Operations in the lap.
        ops: u64,
        /// The sum that should have arrived.
        expected: u64,
        /// The sum that did.
        arrived: u64,
    },
    /// The row compares a percentile and the side timed nothing singly.
    NoLatency,
}

impl fmt::Display for ContestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.side)?;
        match &self.kind {
            ContestErrorKind::Lap(error) => write!(f, "{error}"),
            ContestErrorKind::Checksum {
                ops,
                expected,
                arrived,
            } => write!(
                f,
                "wrong sum after {ops} operations: expected {expected:#x}, arrived {arrived:#x}"
            ),
            ContestErrorKind::NoLatency => {
                write!(
                    f,
                    "a percentile is to be compared, but no single operation was timed"
                )
            }
        }
    }
}

impl Error for ContestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            ContestErrorKind::Lap(error) => Some(error),
            ContestErrorKind::Checksum { .. } | ContestErrorKind::NoLatency => None,
        }
    }
}

/// No lap gets more operations than this, however fast they are.
const MOST_OPS: u64 = 1 << 34;

impl Contest<'_> {
    /// Calibrates, warms up, and runs the rounds.
    ///
    /// # Errors
    ///
    /// The first lap that could not be run, that arrived at another sum than [`Contest::expected`],
    /// or that lacks the figure to compare; the error names its side. Calibration laps are held to
    /// the same sum as counted ones.
    pub fn run(&mut self, schedule: Schedule) -> Result<Timings, ContestError> {
        let ops = self.calibrate(schedule.lap)?;
        self.pick_layouts(ops)?;
        let checksum = (self.expected)(ops);
        let mut sides: Vec<SideTimings> = self
            .sides
            .iter()
            .map(|side| SideTimings {
                name: side.name().to_owned(),
                rounds: Vec::new(),
                latency: None,
            })
            .collect();
        let mut latencies: Vec<Option<Latency>> = self.sides.iter().map(|_| None).collect();
        for round in 0..=schedule.rounds {
            for index in 0..self.sides.len() {
                let lap = self.verified_lap(index, ops)?;
                // The first round warms caches, page tables and predictors.
                if round > 0 {
                    sides[index].rounds.push(self.figure_of(index, &lap, ops)?);
                    collect(&mut latencies[index], lap.latency);
                }
            }
        }
        for (side, latency) in sides.iter_mut().zip(latencies) {
            side.latency = latency.map(|latency| latency.percentiles());
        }
        Ok(Timings {
            ops,
            checksum,
            sides,
        })
    }

    /// The number of operations at which the fastest side's lap lasts about `lap`.
    fn calibrate(&mut self, lap: Duration) -> Result<u64, ContestError> {
        let grain = self.grain.max(1);
        let mut ops = grain;
        loop {
            let mut fastest = Duration::MAX;
            for index in 0..self.sides.len() {
                fastest = fastest.min(self.verified_lap(index, ops)?.elapsed);
            }
            // Within a fifth is near enough: a lap's length is not a result.
            if fastest >= lap * 4 / 5 || ops >= MOST_OPS {
                return Ok(ops);
            }
            let factor = lap.as_secs_f64() / fastest.as_secs_f64().max(1e-9);
            let next = (ops as f64 * factor.clamp(1.25, 16.0)) as u64;
            ops = next
                .next_multiple_of(grain)
                .min(MOST_OPS.next_multiple_of(grain));
        }
    }

    /// Lets every side keep the fastest of its code layouts: the one whose laps have the least median,
    /// so that a lap that happened to run well decides nothing.
    ///
    /// Layouts are tried as they will be counted, with the sides taking turns: what a lap costs also
    /// depends on what ran before it.
    fn pick_layouts(&mut self, ops: u64) -> Result<(), ContestError> {
        const TURNS: usize = 5;
        let most = self.sides.iter().map(|side| side.layouts()).max();
        let mut best = vec![(Duration::MAX, 0); self.sides.len()];
        for layout in 0..most.filter(|&most| most > 1).unwrap_or(0) {
            let mut laps = vec![Vec::with_capacity(TURNS); self.sides.len()];
            for _ in 0..TURNS {
                for (index, laps) in laps.iter_mut().enumerate() {
                    let side = &mut self.sides[index];
                    // One that has fewer goes on with its last.
                    side.select_layout(layout.min(side.layouts().saturating_sub(1)));
                    laps.push(self.verified_lap(index, ops)?.elapsed);
                }
            }
            for (index, (best, laps)) in best.iter_mut().zip(&mut laps).enumerate() {
                if layout < self.sides[index].layouts() {
                    laps.sort_unstable();
                    *best = (*best).min((laps[TURNS / 2], layout));
                }
            }
        }
        for (side, (_, layout)) in self.sides.iter_mut().zip(best) {
            side.select_layout(layout);
        }
        Ok(())
    }

    fn verified_lap(&mut self, index: usize, ops: u64) -> Result<Lap, ContestError> {
        let expected = (self.expected)(ops);
        let side = &mut self.sides[index];
        let fail = |side: &dyn Side, kind| ContestError {
            side: side.name().to_owned(),
            kind,
        };
        match side.lap(ops) {
            Ok(lap) if lap.checksum == expected => Ok(lap),
            Ok(Lap {
                checksum: arrived, ..
            }) => Err(fail(
                &**side,
                ContestErrorKind::Checksum {
                    ops,
                    expected,
                    arrived,
                },
            )),
            Err(error) => Err(fail(&**side, ContestErrorKind::Lap(error))),
        }
    }

    fn figure_of(&self, index: usize, lap: &Lap, ops: u64) -> Result<f64, ContestError> {
        match (self.figure, &lap.latency) {
            (Figure::PerOperation, _) => Ok(lap.elapsed.as_nanos() as f64 / ops as f64),
            (Figure::Percentile(percent), Some(latency)) => Ok(latency.percentile(percent) as f64),
            (Figure::Percentile(_), None) => Err(ContestError {
                side: self.sides[index].name().to_owned(),
                kind: ContestErrorKind::NoLatency,
            }),
        }
    }
}

fn collect(total: &mut Option<Latency>, lap: Option<Latency>) {
    match (total, lap) {
        (Some(total), Some(lap)) => total.merge(&lap),
        (total @ None, Some(lap)) => *total = Some(lap),
        (_, None) => {}
    }
}
