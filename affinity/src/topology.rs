//! The machine: packages, NUMA nodes, cores, SMT siblings and caches.

mod assemble;
mod cpuinfo;
mod summary;
mod sysfs;

use std::path::Path;
use std::thread;

use crate::cpu_set::{CpuId, CpuSet};
use crate::error::ReadError;
use crate::sched::ThreadId;
use crate::tree::Tree;

/// A machine's online CPUs and what they share.
///
/// A snapshot: CPUs that go on or off line afterwards do not change it.
/// Printing it gives a few lines for a person to read.
///
/// ```
/// use corecast_affinity::Topology;
///
/// let machine = Topology::detect();
/// for core in machine.cores() {
///     println!("node {}, package {}: CPUs {}", core.node, core.package, core.cpus);
/// }
/// assert!(machine.cores().len() <= machine.cpus().len());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    model: Option<String>,
    source: TopologySource,
    cpus: Vec<Cpu>,
    cores: Vec<Core>,
    packages: Vec<Package>,
    nodes: Vec<NumaNode>,
    caches: Vec<Cache>,
    online: CpuSet,
    offline: CpuSet,
    isolated: CpuSet,
}

/// Where a [`Topology`] was learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopologySource {
    /// `/sys/devices/system`: all of it.
    Sysfs,
    /// `/proc/cpuinfo`: packages, cores and siblings; one NUMA node, no caches.
    CpuInfo,
    /// Nothing said: as many separate cores as the process may use.
    Assumed {
        /// Why the machine's own account was not used.
        because: ReadError,
    },
}

/// One online logical CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cpu {
    /// Its number.
    pub id: CpuId,
    /// The package (socket) it is in; 0 where the kernel does not know.
    pub package: u32,
    /// The NUMA node it belongs to.
    pub node: u32,
    /// Its core, as an index into [`Topology::cores`].
    pub core: usize,
    /// What its core was built for, where the machine mixes kinds.
    pub kind: Option<CoreKind>,
    /// The kernel's estimate of its speed; 1024 is the machine's fastest.
    pub capacity: Option<u32>,
    /// Its place among the machine's speeds; 0 is the fastest. All 0 on a
    /// machine whose CPUs are alike.
    pub tier: usize,
}

/// What a core of a mixed machine was built for; the fastest kind sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CoreKind {
    /// Speed.
    Performance,
    /// Work per watt.
    Efficiency,
    /// The least power of all.
    LowPower,
}

/// One physical core.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Core {
    /// Its online CPUs: one, or several SMT siblings.
    pub cpus: CpuSet,
    /// The package it is in.
    pub package: u32,
    /// The NUMA node it belongs to.
    pub node: u32,
}

/// One package (socket).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Package {
    /// The kernel's number for it.
    pub id: u32,
    /// Its online CPUs.
    pub cpus: CpuSet,
}

/// One NUMA node that has CPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumaNode {
    /// The kernel's number for it.
    pub id: u32,
    /// Its online CPUs.
    pub cpus: CpuSet,
}

/// One cache.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cache {
    /// 1 is next to the core.
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// Its size, where known.
    pub size_bytes: Option<u64>,
    /// The length of a line, where known.
    pub line_bytes: Option<u32>,
    /// The online CPUs that share it.
    pub cpus: CpuSet,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheKind {
    /// Data alone.
    Data,
    /// Instructions alone.
    Instruction,
    /// Both.
    Unified,
}

impl Topology {
    /// Describes this machine.
    ///
    /// Where it gives no account of itself (no `/sys` or `/proc`, another
    /// system than Linux, or files that contradict themselves) every CPU the
    /// process may use counts as a core of its own; [`source`](Self::source)
    /// tells which it was.
    ///
    /// # Complexity
    ///
    /// Blocking: reads some thirty small files per CPU. Read once and keep.
    #[must_use]
    pub fn detect() -> Self {
        Self::from_root(Path::new("/")).unwrap_or_else(Self::assumed)
    }

    /// Describes the machine whose `proc` and `sys` directories lie in `root`.
    ///
    /// For recordings, and containers that mount the host's files elsewhere.
    ///
    /// # Errors
    ///
    /// [`ReadError::Malformed`] names a file that says something impossible,
    /// [`ReadError::Missing`] a root that describes no CPU.
    pub fn from_root(root: &Path) -> Result<Self, ReadError> {
        let tree = Tree::new(root);
        if let Some(topology) = sysfs::read(&tree)? {
            return Ok(topology);
        }
        if let Some(topology) = cpuinfo::read(&tree)? {
            return Ok(topology);
        }
        Err(ReadError::Missing {
            root: root.to_owned(),
            what: "description of the CPUs",
        })
    }

    /// The CPUs of the process's mask, or their mere number, each on its own.
    fn assumed(because: ReadError) -> Self {
        let mask = ThreadId::main().and_then(ThreadId::mask);
        let online = mask.unwrap_or_else(|_| assumed_cpus());
        assemble::Facts::unrelated(online, TopologySource::Assumed { because }).assemble()
    }

    /// The processor's name, where known.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Where this was learnt.
    #[must_use]
    pub fn source(&self) -> &TopologySource {
        &self.source
    }

    /// Every online CPU, by number.
    #[must_use]
    pub fn cpus(&self) -> &[Cpu] {
        &self.cpus
    }

    /// One online CPU.
    #[must_use]
    pub fn cpu(&self, id: CpuId) -> Option<&Cpu> {
        let found = self.cpus.binary_search_by_key(&id, |cpu| cpu.id);
        found.ok().map(|index| &self.cpus[index])
    }

    /// Every core with an online CPU, by its lowest CPU.
    #[must_use]
    pub fn cores(&self) -> &[Core] {
        &self.cores
    }

    /// The core that an online CPU is on.
    #[must_use]
    pub fn core_of(&self, id: CpuId) -> Option<&Core> {
        self.cpu(id).map(|cpu| &self.cores[cpu.core])
    }

    /// Every package with an online CPU, by number.
    #[must_use]
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Every NUMA node with an online CPU, by number.
    #[must_use]
    pub fn nodes(&self) -> &[NumaNode] {
        &self.nodes
    }

    /// Every cache, by level, kind and lowest CPU; empty where not known.
    #[must_use]
    pub fn caches(&self) -> &[Cache] {
        &self.caches
    }

    /// The data or unified cache of a level that serves a CPU.
    #[must_use]
    pub fn data_cache(&self, id: CpuId, level: u32) -> Option<&Cache> {
        self.caches.iter().find(|cache| {
            cache.level == level && cache.kind != CacheKind::Instruction && cache.cpus.contains(id)
        })
    }

    /// The CPUs that run.
    #[must_use]
    pub fn online(&self) -> &CpuSet {
        &self.online
    }

    /// The CPUs that are there and switched off.
    #[must_use]
    pub fn offline(&self) -> &CpuSet {
        &self.offline
    }

    /// The online CPUs that the kernel's scheduler leaves alone (`isolcpus`).
    #[must_use]
    pub fn isolated(&self) -> &CpuSet {
        &self.isolated
    }

    /// Whether some CPUs are faster than others.
    #[must_use]
    pub fn is_heterogeneous(&self) -> bool {
        self.cpus.iter().any(|cpu| cpu.tier > 0)
    }

    /// Whether a CPU that is not listed can be said not to exist.
    pub(crate) fn is_complete(&self) -> bool {
        !matches!(self.source, TopologySource::Assumed { .. })
    }
}

/// CPUs 0 to n-1, where all that is known is that n threads run at once.
pub(crate) fn assumed_cpus() -> CpuSet {
    let count = thread::available_parallelism().map_or(1, |count| count.get());
    (0..).take(count).map(CpuId::new).collect()
}
