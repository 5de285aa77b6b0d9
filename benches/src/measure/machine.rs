//! What machine a figure was measured on.

use std::fmt;
use std::fs;
use std::hint;
use std::path::Path;
use std::time::{Duration, Instant};

use corecast_affinity::{Topology, allowed_cpus};
use serde::Serialize;

/// The machine, as far as it can be read; what cannot is `None`, not a guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name for itself.
    pub cpu_model: Option<String>,
    /// The CPUs that this process may use, as the kernel lists them.
    pub cpus_allowed: String,
    /// The CPUs that are online.
    pub cpus_online: String,
    /// Operating system and architecture.
    pub platform: String,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The frequency governor of the first allowed CPU.
    pub governor: Option<String>,
    /// What the kernel reads the time from.
    pub clock_source: Option<String>,
    /// Whether the processor says that it is a virtual one.
    pub virtualised: Option<bool>,
    /// What reading the clock once costs, in nanoseconds.
    pub clock_read_ns: u64,
}

impl Machine {
    /// Describes this machine.
    ///
    /// # Complexity
    ///
    /// Reads a handful of small files and takes about a millisecond.
    #[must_use]
    pub fn detect() -> Self {
        let allowed = allowed_cpus();
        let first = allowed.first().map_or(0, |cpu| cpu.get());
        let topology = Topology::detect();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok();
        Self {
            cpu_model: topology.model().map(str::to_owned),
            cpus_allowed: allowed.to_string(),
            cpus_online: topology.online().to_string(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: line_of("/proc/sys/kernel/osrelease"),
            governor: line_of(format!(
                "/sys/devices/system/cpu/cpu{first}/cpufreq/scaling_governor"
            )),
            clock_source: line_of(
                "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            ),
            virtualised: cpuinfo
                .and_then(|text| cpuinfo_field(&text, "flags"))
                .map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
            clock_read_ns: clock_read_ns(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        let virtualised = match self.virtualised {
            Some(true) => ", virtual",
            Some(false) => ", bare metal",
            None => "",
        };
        writeln!(
            f,
            "{}{virtualised}; CPUs {} allowed, {} online",
            known(&self.cpu_model),
            self.cpus_allowed,
            self.cpus_online
        )?;
        write!(
            f,
            "{}, kernel {}, governor {}, clock {} ({} ns a reading)",
            self.platform,
            known(&self.kernel),
            known(&self.governor),
            known(&self.clock_source),
            self.clock_read_ns
        )
    }
}

/// The first value of a field of `/proc/cpuinfo`.
fn cpuinfo_field(text: &str, field: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == field).then(|| value.trim().to_owned())
    })
}

/// A small file's text without surrounding white space, unless there is none.
fn line_of(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The mean cost of one clock reading, of the best of a few series.
fn clock_read_ns() -> u64 {
    const SERIES: usize = 8;
    const READINGS: u32 = 2_000;
    let series = || {
        let start = Instant::now();
        for _ in 1..READINGS {
            hint::black_box(Instant::now());
        }
        start.elapsed() / READINGS
    };
    let best = (0..SERIES)
        .map(|_| series())
        .min()
        .unwrap_or(Duration::ZERO);
    u64::try_from(best.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpuinfo_fields_are_read_by_their_whole_name() {
        let text = "processor\t: 0\nflags extra\t: no\nflags\t\t: fpu: vme\nflags\t: another\n";
        assert_eq!(cpuinfo_field(text, "flags").as_deref(), Some("fpu: vme"));
        assert_eq!(cpuinfo_field(text, "model name"), None);
    }

    #[test]
    fn unknown_facts_are_shown_as_unknown() {
        let mut machine = Machine::detect();
        machine.kernel = None;
        assert!(machine.to_string().contains("kernel unknown"), "{machine}");
    }
}
