//! A machine in a few lines.

use std::collections::BTreeMap;
use std::fmt;

use super::{Cache, CacheKind, CoreKind, Topology, TopologySource};
use crate::cpu_set::CpuSet;

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.model().unwrap_or("unknown processor"))?;
        write!(
            f,
            "{}, {}, {}, {} online",
            counted(self.packages.len(), "package"),
            counted(self.nodes.len(), "NUMA node"),
            counted(self.cores.len(), "core"),
            counted(self.cpus.len(), "CPU"),
        )?;
        self.fmt_places(f)?;
        self.fmt_tiers(f)?;
        self.fmt_caches(f)?;
        for (label, cpus) in [("offline", &self.offline), ("isolated", &self.isolated)] {
            if !cpus.is_empty() {
                write!(f, "\n{label}: CPUs {cpus}")?;
            }
        }
        match &self.source {
            TopologySource::Sysfs => Ok(()),
            TopologySource::CpuInfo => f.write_str("\nNUMA nodes and caches are not known"),
            TopologySource::Assumed { because } => {
                write!(f, "\nassumed from the number of CPUs: {because}")
            }
        }
    }
}

impl Topology {
    fn fmt_places(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places: BTreeMap<(u32, u32), (usize, CpuSet)> = BTreeMap::new();
        for core in &self.cores {
            let (cores, cpus) = places.entry((core.package, core.node)).or_default();
            *cores += 1;
            *cpus = cpus.union(&core.cpus);
        }
        for ((package, node), (cores, cpus)) in places {
            let cores = counted(cores, "core");
            write!(f, "\npackage {package}, node {node}: {cores}, CPUs {cpus}")?;
        }
        Ok(())
    }

    fn fmt_tiers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_heterogeneous() {
            return Ok(());
        }
        let mut tiers: BTreeMap<usize, CpuSet> = BTreeMap::new();
        for cpu in &self.cpus {
            tiers.entry(cpu.tier).or_default().insert(cpu.id);
        }
        for (tier, cpus) in tiers {
            let member = self.cpus.iter().find(|cpu| cpu.tier == tier);
            write!(f, "\ntier {tier}")?;
            if let Some(kind) = member.and_then(|cpu| cpu.kind) {
                write!(f, ", {kind}")?;
            }
            if let Some(capacity) = member.and_then(|cpu| cpu.capacity) {
                write!(f, ", capacity {capacity}")?;
            }
            write!(f, ": CPUs {cpus}")?;
        }
        Ok(())
    }

    fn fmt_caches(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More sharers than this are counted, not listed.
        const LISTED: usize = 8;
        let mut alike: BTreeMap<(u32, CacheKind, Option<u64>), Vec<&Cache>> = BTreeMap::new();
        for cache in &self.caches {
            let key = (cache.level, cache.kind, cache.size_bytes);
            alike.entry(key).or_default().push(cache);
        }
        for ((level, kind, size), caches) in alike {
            write!(f, "\nL{level}{kind}")?;
            if let Some(bytes) = size {
                write!(f, " {}", Bytes(bytes))?;
            }
            write!(f, " × {}", caches.len())?;
            if caches.len() <= LISTED {
                let sharers: Vec<String> = caches.iter().map(|c| c.cpus.to_string()).collect();
                write!(f, ": CPUs {}", sharers.join(" | "))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for CoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Performance => "performance",
            Self::Efficiency => "efficiency",
            Self::LowPower => "low power",
        })
    }
}

/// The letter after `L1`: `d`, `i`, or none.
impl fmt::Display for CacheKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "d",
            Self::Instruction => "i",
            Self::Unified => "",
        })
    }
}

/// A size in the largest unit that leaves no remainder.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: u64 = 1 << 10;
        const MIB: u64 = 1 << 20;
        if self.0.is_multiple_of(MIB) {
            write!(f, "{} MiB", self.0 / MIB)
        } else {
            write!(f, "{} KiB", self.0 / KIB)
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
