//! The report as a table for a person.

use std::fmt::{self, Formatter};

use crate::replay::text::Count;

use super::measured::Measured;
use super::report::Report;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        writeln!(f, "Load: {}", self.load)?;
        writeln!(
            f,
            "Workers on {} ({}); latency counts {}\n",
            cpus(self.worker_cpus),
            self.cores,
            self.latency_counts_from()
        )?;
        writeln!(
            f,
            "  {:15} {:>8} {:>8} {:>6}  {:>12} {:>10} {:>10} {:>10} {:>10} {:>7} {:>8}",
            "wait",
            "per core",
            "capacity",
            "batch",
            "events/s",
            "p50",
            "p99",
            "p99.9",
            "max",
            "CPU",
            "workers"
        )?;
        let best = self.recommendation.as_ref().map(|advice| advice.index);
        for index in self.order() {
            let mark = if Some(index) == best { "*" } else { " " };
            write!(f, "{mark} ")?;
            write_line(f, &self.configurations[index])?;
        }
        writeln!(
            f,
            "\nevents/s: flat out. CPU: CPUs kept busy by the process, and by its workers alone."
        )?;
        if self.configurations.len() < self.planned {
            writeln!(
                f,
                "{} of {} configurations were measured.",
                self.configurations.len(),
                self.planned
            )?;
        }
        writeln!(f)?;
        self.write_advice(f)?;
        if let Some(verdict) = &self.verdict {
            writeln!(f, "Measured again, {verdict}.\n")?;
        }
        writeln!(f, "The pictures are in {}.", self.report)
    }
}

/// So many CPUs, in words.
pub(super) fn cpus(count: usize) -> String {
    match count {
        1 => "1 CPU".to_owned(),
        count => format!("{count} CPUs"),
    }
}

fn write_line(f: &mut Formatter<'_>, measured: &Measured) -> fmt::Result {
    let configuration = measured.configuration;
    let [p50, p99, p999, max] = measured.latency_ns.cells();
    write!(
        f,
        "{:15} {:>8} {:>8} {:>6}  {:>12} {:>10} {:>10} {:>10} {:>10}",
        configuration.wait.name(),
        configuration.workers_per_core,
        configuration.capacity,
        configuration.batch,
        Count(measured.events_per_second as u64),
        p50,
        p99,
        p999,
        max
    )?;
    match measured.cpu {
        Some(cpu) => write!(f, " {:>7.2} {:>8.2}", cpu.process, cpu.workers)?,
        None => write!(f, " {:>7} {:>8}", "-", "-")?,
    }
    if let Some(paced) = measured.paced.filter(|paced| !paced.sustained) {
        write!(
            f,
            "  did not keep up: {} events/s",
            Count(paced.events_per_second as u64)
        )?;
    }
    if measured.waited != configuration.wait.name() {
        write!(f, "  (waits by {})", measured.waited)?;
    }
    if measured.abandoned > 0 {
        write!(f, "  ({} left undelivered)", Count(measured.abandoned))?;
    }
    writeln!(f)
}

impl Report {
    fn write_advice(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let (Some(best), Some(advice)) = (self.best(), &self.recommendation) {
            writeln!(f, "Recommended: {}", best.configuration)?;
            writeln!(f, "{}\n", advice.reason)?;
        }
        if let Some(code) = &self.builder_code {
            for line in code.lines() {
                let indent = if line.is_empty() { "" } else { "    " };
                writeln!(f, "{indent}{line}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
