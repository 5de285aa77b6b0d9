//! The report as a table for a person.

use std::fmt;

use crate::measure::Quartiles;
use crate::measure::latency::Percentiles;

use super::report::{DuelReport, Measured, Report, RowReport, Verdict};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        match &self.drift {
            Some(drift) => writeln!(
                f,
                "emitting on CPU {}, working on CPU {}; {} rounds; raw round trip {} ns before, {} ns \
                 after, {} to {} ns between rows",
                self.cpus.emitter,
                self.cpus.worker,
                self.rounds,
                drift.before,
                drift.after,
                drift.fastest,
                drift.slowest
            )?,
            None => writeln!(
                f,
                "one CPU only ({}); {} rounds; rows that need two CPUs are skipped",
                self.cpus.emitter, self.rounds
            )?,
        }
        writeln!(f)?;
        let width = self
            .rows
            .iter()
            .map(|row| row.name.len())
            .max()
            .unwrap_or(0)
            .max(3);
        writeln!(
            f,
            "{:width$}  {:>9} {:>19}  {:>9} {:>19}  {:>6} {:>15}  {:>12}  verdict",
            "row",
            "ours, ns",
            "(quartiles)",
            "peer, ns",
            "(quartiles)",
            "ratio",
            "(quartiles)",
            "bar (aim)"
        )?;
        for row in &self.rows {
            row.write(f, width)?;
        }
        if self.over.is_empty() {
            write!(f, "\nno row is over its bar")?;
        } else {
            write!(f, "\nover the bar: {}", self.over.join(", "))?;
        }
        if self.failed.is_empty() {
            Ok(())
        } else {
            write!(f, "\nfailed: {}", self.failed.join(", "))
        }
    }
}

impl RowReport {
    fn write(&self, f: &mut fmt::Formatter<'_>, width: usize) -> fmt::Result {
        let bar = match (self.bar, self.aim) {
            (Some(bar), Some(aim)) if aim < bar => format!("{bar} ({aim})"),
            (Some(bar), _) => bar.to_string(),
            (None, _) => "-".to_owned(),
        };
        let verdict = match self.verdict {
            Verdict::Pass => "pass",
            Verdict::Over => "OVER",
            Verdict::Reported => "reported",
            Verdict::Skipped => "skipped: needs two CPUs",
            Verdict::Failed => "FAILED",
        };
        write!(f, "{:width$}  ", self.name)?;
        match &self.measured {
            Measured::Duel(duel) => {
                write!(f, "{}  {}", Ns(&duel.ours.ns), Ns(&duel.peer.ns))?;
                let Quartiles { q1, median, q3 } = duel.ratio;
                let spread = format!("({q1:.2} to {q3:.2})");
                writeln!(f, "  {median:6.2} {spread:>15}  {bar:>12}  {verdict}")?;
                duel.write_sides(f, width)
            }
            Measured::Gauge { value, unit } => {
                writeln!(f, "{value:9.3} {unit:<69}  {bar:>12}  {verdict}")
            }
            Measured::Skipped => writeln!(f, "{:>79}  {bar:>12}  {verdict}", ""),
            Measured::Failed { error } => {
                writeln!(f, "{:>79}  {bar:>12}  {verdict}", "")?;
                writeln!(f, "{:width$}  {error}", "")
            }
        }
    }
}

impl DuelReport {
    /// The sides by name, and what else is known of them, below the row.
    fn write_sides(&self, f: &mut fmt::Formatter<'_>, width: usize) -> fmt::Result {
        writeln!(f, "{:width$}  {} : {}", "", self.ours.name, self.peer.name)?;
        for side in &self.others {
            writeln!(f, "{:width$}  {:30} {} {}", "", "", Ns(&side.ns), side.name)?;
        }
        for side in [&self.ours, &self.peer].into_iter().chain(&self.others) {
            if let Some(Percentiles {
                count,
                p50,
                p99,
                p999,
                max,
            }) = side.latency
            {
                writeln!(
                    f,
                    "{:width$}  {}: p50 {p50}, p99 {p99}, p99.9 {p999}, max {max} ns of {count}",
                    "", side.name
                )?;
            }
        }
        Ok(())
    }
}

/// Nanoseconds in 30 columns.
struct Ns<'a>(&'a Quartiles);

impl fmt::Display for Ns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quartiles { q1, median, q3 } = self.0;
        let spread = format!("({q1:.2} to {q3:.2})");
        write!(f, "{median:9.2} {spread:>20}")
    }
}
