//! Which CPU each worker gets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::allowed::allowed_cpus;
use crate::cpu_list;
use crate::cpu_set::{CpuId, CpuSet};
use crate::error::{ParseCpuListError, PlacementError};
use crate::topology::Topology;

/// The most workers that a placement has.
pub const MAX_WORKERS: usize = 256;

/// Which CPUs workers run on.
///
/// The default is every CPU that the process may use but one, left for
/// the thread that emits; a process with a single CPU uses that one.
///
/// It reads and prints `all`, `physical`, or a list such as `2,3,8-11`, whose
/// order is kept.
///
/// ```
/// use corecast_affinity::{Cores, CpuId};
///
/// assert_eq!("2,8-9".parse(), Ok(Cores::list([2, 8, 9])));
/// assert_eq!(Cores::list([CpuId::new(3), CpuId::new(2)]).to_string(), "3,2");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cores(Choice);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Choice {
    #[default]
    AllButOne,
    All,
    Physical,
    Count(usize),
    List(Vec<CpuId>),
}

impl Cores {
    /// Every CPU that the process may use.
    #[must_use]
    pub const fn all() -> Self {
        Self(Choice::All)
    }

    /// One CPU of every physical core that the process may use.
    #[must_use]
    pub const fn physical() -> Self {
        Self(Choice::Physical)
    }

    /// The first `n` CPUs that the process may use, in the order of
    /// [`Placement`].
    #[must_use]
    pub const fn count(n: usize) -> Self {
        Self(Choice::Count(n))
    }

    /// These CPUs in this order: any that are online, isolated ones and ones
    /// outside the process's mask too. Whether the kernel lets a thread run
    /// there shows when it is pinned.
    #[must_use]
    pub fn list<C: Into<CpuId>>(cpus: impl IntoIterator<Item = C>) -> Self {
        Self::listed(cpus.into_iter().map(Into::into))
    }

    /// One more than there may be is enough to refuse a list, however long.
    fn listed(cpus: impl Iterator<Item = CpuId>) -> Self {
        Self(Choice::List(cpus.take(MAX_WORKERS + 1).collect()))
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Choice::AllButOne => f.write_str("all but one"),
            Choice::All => f.write_str("all"),
            Choice::Physical => f.write_str("physical"),
            Choice::Count(count) => write!(f, "any {count}"),
            Choice::List(cpus) => {
                let numbers: Vec<String> = cpus.iter().map(CpuId::to_string).collect();
                f.write_str(&numbers.join(","))
            }
        }
    }
}

impl FromStr for Cores {
    type Err = ParseCpuListError;

    fn from_str(text: &str) -> Result<Self, ParseCpuListError> {
        match text.trim() {
            "all" => Ok(Self::all()),
            "physical" => Ok(Self::physical()),
            list => {
                let ranges = cpu_list::parse(list)?;
                Ok(Self::listed(ranges.into_iter().flatten().map(CpuId::new)))
            }
        }
    }
}

/// A CPU for every worker.
///
/// CPUs that nobody chose by number come in this order: one of every physical
/// core, then the SMT siblings; faster cores before slower ones; then by
/// package, NUMA node and number. Workers that share a CPU are neighbours.
///
/// ```
/// use corecast_affinity::{Cores, Placement, Topology, allowed_cpus};
///
/// let placement = Placement::plan(&Topology::detect(), allowed_cpus(), &Cores::count(1), 2)?;
/// assert_eq!(placement.workers().len(), 2);
/// assert_eq!(placement.workers()[0], placement.workers()[1]);
/// # Ok::<(), corecast_affinity::PlacementError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    workers: Vec<CpuId>,
    spare: Vec<CpuId>,
}

impl Placement {
    /// Places `workers_per_core` workers on each of `cores`, given a machine
    /// and the CPUs that the process may use.
    ///
    /// # Errors
    ///
    /// [`PlacementError`] names the number or the CPU that is wrong.
    pub fn plan(
        machine: &Topology,
        allowed: &CpuSet,
        cores: &Cores,
        workers_per_core: usize,
    ) -> Result<Self, PlacementError> {
        if workers_per_core == 0 {
            return Err(PlacementError::ZeroWorkersPerCore);
        }
        let ranked = rank(machine, allowed);
        let chosen = choose(machine, allowed, &ranked, &cores.0, workers_per_core)?;
        let total = chosen.len().checked_mul(workers_per_core);
        if total.is_none_or(|total| total > MAX_WORKERS) {
            return Err(PlacementError::TooManyWorkers {
                cores: chosen.len(),
                workers_per_core,
            });
        }
        let taken: CpuSet = chosen.iter().copied().collect();
        Ok(Self {
            workers: chosen
                .iter()
                .flat_map(|&cpu| std::iter::repeat_n(cpu, workers_per_core))
                .collect(),
            spare: ranked
                .iter()
                .map(|place| place.cpu)
                .filter(|&cpu| !taken.contains(cpu))
                .collect(),
        })
    }

    /// Places workers on this machine, for this process.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan).
    ///
    /// # Complexity
    ///
    /// Blocking: reads the machine's [`Topology`].
    pub fn here(cores: &Cores, workers_per_core: usize) -> Result<Self, PlacementError> {
        Self::plan(&Topology::detect(), allowed_cpus(), cores, workers_per_core)
    }

    /// The CPU of each worker.
    #[must_use]
    pub fn workers(&self) -> &[CpuId] {
        &self.workers
    }

    /// The CPUs that the process may use and no worker is on, the best first:
    /// places for threads that emit.
    #[must_use]
    pub fn spare(&self) -> &[CpuId] {
        &self.spare
    }
}

/// An allowed CPU and its place in the order of preference, which is the order
/// of the fields.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// How many allowed CPUs of the same core come before it.
    sibling: usize,
    tier: usize,
    package: u32,
    node: u32,
    cpu: CpuId,
}

/// The allowed CPUs, the best first.
fn rank(machine: &Topology, allowed: &CpuSet) -> Vec<Place> {
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    let mut places: Vec<Place> = allowed
        .iter()
        .map(|cpu| match machine.cpu(cpu) {
            Some(known) => {
                let count = seen.entry(known.core).or_default();
                let sibling = *count;
                *count += 1;
                Place {
                    sibling,
                    tier: known.tier,
                    package: known.package,
                    node: known.node,
                    cpu,
                }
            }
            // Came on line after the machine was read.
            None => Place {
                sibling: 0,
                tier: 0,
                package: 0,
                node: 0,
                cpu,
            },
        })
        .collect();
    places.sort_unstable();
    places
}

fn choose(
    machine: &Topology,
    allowed: &CpuSet,
    ranked: &[Place],
    choice: &Choice,
    workers_per_core: usize,
) -> Result<Vec<CpuId>, PlacementError> {
    let all = ranked.iter().map(|place| place.cpu);
    Ok(match *choice {
        Choice::List(ref cpus) => {
            check_list(machine, cpus)?;
            cpus.clone()
        }
        Choice::Count(0) => return Err(PlacementError::ZeroCores),
        _ if ranked.is_empty() => return Err(PlacementError::NothingAllowed),
        Choice::Count(asked) if asked > ranked.len() => {
            let allowed = allowed.clone();
            return Err(PlacementError::TooFewCpus { asked, allowed });
        }
        Choice::Count(asked) => all.take(asked).collect(),
        Choice::Physical => {
            let first = ranked.iter().filter(|place| place.sibling == 0);
            first.map(|place| place.cpu).collect()
        }
        Choice::All => all.collect(),
        // Nobody asked for so many, so a very large machine is no error: it
        // gets as many as there may be.
        Choice::AllButOne => {
            let emitter = usize::from(ranked.len() > 1);
            let most = (MAX_WORKERS / workers_per_core).max(1);
            all.skip(emitter).take(most).collect()
        }
    })
}

fn check_list(machine: &Topology, cpus: &[CpuId]) -> Result<(), PlacementError> {
    if cpus.is_empty() {
        return Err(PlacementError::EmptyList);
    }
    let mut named = BTreeSet::new();
    for &cpu in cpus {
        if machine.offline().contains(cpu) {
            return Err(PlacementError::Offline { cpu });
        }
        if machine.is_complete() && !machine.online().contains(cpu) {
            let online = machine.online().clone();
            return Err(PlacementError::NoSuchCpu { cpu, online });
        }
        if !named.insert(cpu) {
            return Err(PlacementError::NamedTwice { cpu });
        }
    }
    Ok(())
}
