//! What a run has to say at its end, for a program (JSON) or a person (a table).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::round::Outcome;
use super::table::Configuration;
use crate::replay::Count;

/// Laps after which growing memory is a leak and not a warm-up.
const WARM: u64 = 4;
/// What it may still grow by: arenas of threads that come and go.
const ALLOWANCE: u64 = 96 << 20;
/// Findings of a row that are told.
const TOLD: usize = 8;

/// The end report. As JSON it is one object, whose keys are the fields.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What the run grew from.
    pub seed: u64,
    /// How often every configuration was run.
    pub laps: u64,
    /// How many configurations.
    pub configurations: usize,
    /// Events that somebody tried to emit.
    pub events: u64,
    /// Events by worker that they went to.
    pub lane_events: u64,
    /// Calls of listeners that went well.
    pub calls: u64,
    /// Faults put in.
    pub faults: u64,
    /// Faults that came out.
    pub faults_seen: u64,
    /// What was wrong.
    pub mismatches: u64,
    /// The time that it took, in seconds.
    pub seconds: f64,
    /// The memory in use.
    pub memory: Memory,
    /// A row for each configuration.
    pub rows: Vec<Row>,
}

/// The process's resident memory, in bytes; `null` where it cannot be read.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Memory {
    /// After the first lap.
    pub first_lap_bytes: Option<u64>,
    /// After the last one.
    pub last_lap_bytes: Option<u64>,
    /// The most after any round.
    pub peak_bytes: Option<u64>,
    #[serde(skip)]
    warm_bytes: Option<u64>,
    #[serde(skip)]
    laps: u64,
}

impl Memory {
    pub(super) fn see(&mut self, bytes: Option<u64>) {
        self.peak_bytes = self.peak_bytes.max(bytes);
    }

    pub(super) fn end_lap(&mut self, bytes: Option<u64>) {
        self.laps += 1;
        self.last_lap_bytes = bytes;
        if self.laps == 1 {
            self.first_lap_bytes = bytes;
        }
        if self.laps <= WARM {
            self.warm_bytes = self.warm_bytes.max(self.peak_bytes);
        }
    }

    /// What is wrong, if it grows.
    fn leak(&self) -> Option<String> {
        let (warm, last) = (self.warm_bytes?, self.last_lap_bytes?);
        (self.laps > WARM && last > warm + ALLOWANCE)
            .then(|| format!("memory grew from {warm} bytes in the first laps to {last} bytes"))
    }
}

/// What came of one configuration.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Rounds of it.
    pub rounds: u64,
    /// Events that somebody tried to emit, or cycles.
    pub events: u64,
    /// Events by worker that they went to.
    pub lane_events: u64,
    /// Calls of listeners that went well.
    pub calls: u64,
    /// Faults put in.
    pub faults: u64,
    /// Faults that came out, those counted as lost among them.
    pub faults_seen: u64,
    /// Faults that the queue had no room for.
    pub faults_lost: u64,
    /// What was wrong.
    pub mismatches: u64,
    /// The same in words, as far as they are kept.
    pub findings: Vec<String>,
    /// The time that it took, in seconds.
    pub seconds: f64,
    /// What else is of interest.
    pub notes: BTreeMap<&'static str, u64>,
    /// An idle engine's CPU time in percent of a core, where that was measured.
    pub idle_percent: Option<f64>,
}

impl Row {
    pub(super) fn new(configuration: &Configuration) -> Self {
        Self {
            name: configuration.name,
            rounds: 0,
            events: 0,
            lane_events: 0,
            calls: 0,
            faults: 0,
            faults_seen: 0,
            faults_lost: 0,
            mismatches: 0,
            findings: Vec::new(),
            seconds: 0.0,
            notes: BTreeMap::new(),
            idle_percent: None,
        }
    }

    /// Whether it measures and has no events to count.
    pub(super) fn is_a_measure(&self) -> bool {
        self.rounds > 0 && self.idle_percent.is_some()
    }

    pub(super) fn add(&mut self, lap: u64, outcome: Outcome, took: Duration) {
        self.rounds += 1;
        self.events += outcome.events;
        self.lane_events += outcome.lane_events;
        self.calls += outcome.calls;
        self.faults += outcome.injected;
        self.faults_seen += outcome.seen;
        self.faults_lost += outcome.lost;
        self.mismatches += outcome.mismatches;
        let findings = outcome.findings.into_iter();
        self.findings
            .extend(findings.map(|finding| format!("lap {lap}: {finding}")));
        self.findings.truncate(TOLD);
        self.seconds += took.as_secs_f64();
        for (name, value) in outcome.notes {
            *self.notes.entry(name).or_default() += value;
        }
        if let (Some(&used), Some(&span)) = (self.notes.get("cpu ns"), self.notes.get("idle ns")) {
            self.idle_percent = Some(100.0 * used as f64 / span as f64);
        }
    }
}

impl Report {
    pub(super) fn new(
        seed: u64,
        laps: u64,
        took: Duration,
        memory: Memory,
        rows: Vec<Row>,
    ) -> Self {
        let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum();
        Self {
            seed,
            laps,
            configurations: rows.len(),
            events: sum(|row| row.events),
            lane_events: sum(|row| row.lane_events),
            calls: sum(|row| row.calls),
            faults: sum(|row| row.faults),
            faults_seen: sum(|row| row.faults_seen),
            mismatches: sum(|row| row.mismatches) + u64::from(memory.leak().is_some()),
            seconds: took.as_secs_f64(),
            memory,
            rows,
        }
    }

    /// Everything that was wrong, a line each.
    pub(super) fn findings(&self) -> impl Iterator<Item = String> {
        let rows = self.rows.iter().flat_map(|row| {
            let lines = row.findings.iter();
            lines.map(|finding| format!("{} (seed {}): {finding}", row.name, self.seed))
        });
        rows.chain(self.memory.leak())
    }
}

/// The width of a name, and of a figure.
const NAME: usize = 22;
const FIGURE: usize = 15;

fn line(f: &mut fmt::Formatter<'_>, name: &str, cells: [&dyn fmt::Display; 6]) -> fmt::Result {
    write!(f, "{name:NAME$}")?;
    for cell in cells {
        write!(f, "{cell:>FIGURE$}")?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head: [&dyn fmt::Display; 6] = [
            &"events",
            &"lane-events",
            &"faults in",
            &"faults out",
            &"mismatches",
            &"seconds",
        ];
        line(f, "configuration", head)?;
        writeln!(f)?;
        for row in &self.rows {
            let seconds = format!("{:.1}", row.seconds);
            let cells: [&dyn fmt::Display; 6] = [
                &Count(row.events),
                &Count(row.lane_events),
                &Count(row.faults),
                &Count(row.faults_seen),
                &Count(row.mismatches),
                &seconds,
            ];
            line(f, row.name, cells)?;
            if let Some(percent) = row.idle_percent {
                write!(f, "  idle: {percent:.4} % of a core")?;
            }
            for (name, value) in row.notes.iter().filter(|(_, value)| **value > 0) {
                write!(f, "  {name} {}", Count(*value))?;
            }
            writeln!(f)?;
        }
        let seconds = format!("{:.1}", self.seconds);
        let cells: [&dyn fmt::Display; 6] = [
            &Count(self.events),
            &Count(self.lane_events),
            &Count(self.faults),
            &Count(self.faults_seen),
            &Count(self.mismatches),
            &seconds,
        ];
        line(f, "total", cells)?;
        writeln!(f)?;
        let memory = |bytes: Option<u64>| {
            bytes.map_or_else(
                || "unknown".to_owned(),
                |bytes| format!("{} MiB", bytes >> 20),
            )
        };
        writeln!(
            f,
            "\n{} configurations, {} laps, seed {}; memory {} after the first lap, {} after the last, {} at most",
            self.configurations,
            self.laps,
            self.seed,
            memory(self.memory.first_lap_bytes),
            memory(self.memory.last_lap_bytes),
            memory(self.memory.peak_bytes),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_grows_after_the_first_laps_is_a_leak() {
        let mut memory = Memory::default();
        for lap in 0..10 {
            memory.see(Some(1 << 20));
            memory.end_lap(Some(1 << 20));
            assert_eq!(memory.leak(), None, "lap {lap}");
        }
        memory.end_lap(Some(1 << 30));
        assert!(memory.leak().is_some());
    }
}
