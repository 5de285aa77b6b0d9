//! Facts about single CPUs, put together into a machine.

use std::collections::BTreeMap;

use super::{Cache, Core, CoreKind, Cpu, NumaNode, Package, Topology, TopologySource};
use crate::cpu_set::{CpuId, CpuSet};

/// What a source says, before anything is derived from it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) source: TopologySource,
    pub(super) model: Option<String>,
    /// By number.
    pub(super) cpus: Vec<CpuFacts>,
    pub(super) caches: Vec<Cache>,
    pub(super) offline: CpuSet,
    pub(super) isolated: CpuSet,
}

/// What a source says of one online CPU.
#[derive(Debug)]
pub(super) struct CpuFacts {
    pub(super) id: CpuId,
    pub(super) package: u32,
    pub(super) node: u32,
    /// The lowest online CPU of its core: the same for all siblings.
    pub(super) first_sibling: CpuId,
    pub(super) kind: Option<CoreKind>,
    pub(super) capacity: Option<u32>,
}

impl CpuFacts {
    /// A CPU that shares nothing with the others.
    pub(super) fn alone(id: CpuId) -> Self {
        Self {
            id,
            package: 0,
            node: 0,
            first_sibling: id,
            kind: None,
            capacity: None,
        }
    }
}

impl Facts {
    /// A machine of which only the CPUs' numbers are known.
    pub(super) fn unrelated(online: CpuSet, source: TopologySource) -> Self {
        Self {
            source,
            model: None,
            cpus: online.iter().map(CpuFacts::alone).collect(),
            caches: Vec::new(),
            offline: CpuSet::new(),
            isolated: CpuSet::new(),
        }
    }

    pub(super) fn assemble(self) -> Topology {
        let cores: Vec<Core> = group(&self.cpus, |cpu| cpu.first_sibling)
            .map(|(_, members)| Core {
                package: members[0].package,
                node: members[0].node,
                cpus: ids(&members),
            })
            .collect();
        // Every CPU is in the one core that its own entry was grouped into.
        let core_of: BTreeMap<CpuId, usize> = cores
            .iter()
            .enumerate()
            .flat_map(|(index, core)| core.cpus.iter().map(move |cpu| (cpu, index)))
            .collect();
        let packages = group(&self.cpus, |cpu| cpu.package)
            .map(|(id, members)| {
                let cpus = ids(&members);
                Package { id, cpus }
            })
            .collect();
        let nodes = group(&self.cpus, |cpu| cpu.node)
            .map(|(id, members)| {
                let cpus = ids(&members);
                NumaNode { id, cpus }
            })
            .collect();
        let tiers = tiers(&self.cpus);
        let cpus = self
            .cpus
            .iter()
            .zip(tiers)
            .map(|(facts, tier)| Cpu {
                id: facts.id,
                package: facts.package,
                node: facts.node,
                core: core_of[&facts.id],
                kind: facts.kind,
                capacity: facts.capacity,
                tier,
            })
            .collect();
        Topology {
            online: self.cpus.iter().map(|cpu| cpu.id).collect(),
            model: self.model,
            source: self.source,
            cpus,
            cores,
            packages,
            nodes,
            caches: self.caches,
            offline: self.offline,
            isolated: self.isolated,
        }
    }
}

/// The CPUs under each key, keys ascending.
fn group<K: Ord>(
    cpus: &[CpuFacts],
    key: impl Fn(&CpuFacts) -> K,
) -> impl Iterator<Item = (K, Vec<&CpuFacts>)> {
    let mut groups: BTreeMap<K, Vec<&CpuFacts>> = BTreeMap::new();
    for cpu in cpus {
        groups.entry(key(cpu)).or_default().push(cpu);
    }
    groups.into_iter()
}

fn ids(members: &[&CpuFacts]) -> CpuSet {
    members.iter().map(|cpu| cpu.id).collect()
}

/// Each CPU's rank by kind or, on a machine that names no kinds, by capacity.
///
/// Kinds go first because capacities also differ a little within one kind,
/// from one favoured core to the next.
fn tiers(cpus: &[CpuFacts]) -> Vec<usize> {
    let kinds = cpus.iter().any(|cpu| cpu.kind.is_some());
    let slowness = |cpu: &CpuFacts| {
        if kinds {
            cpu.kind.map_or(0, |kind| kind as u32)
        } else {
            u32::MAX - cpu.capacity.unwrap_or(u32::MAX)
        }
    };
    let mut ranks: Vec<u32> = cpus.iter().map(slowness).collect();
    ranks.sort_unstable();
    ranks.dedup();
    cpus.iter()
        .map(|cpu| ranks.partition_point(|&rank| rank < slowness(cpu)))
        .collect()
}
