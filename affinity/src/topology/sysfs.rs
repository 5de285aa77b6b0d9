//! `/sys/devices/system`: the kernel's own account of the machine.

use std::collections::BTreeMap;

use super::assemble::{CpuFacts, Facts};
use super::{Cache, CacheKind, CoreKind, Topology, TopologySource, cpuinfo};
use crate::cpu_set::{CpuId, CpuSet};
use crate::error::ReadError;
use crate::tree::Tree;

const CPUS: &str = "sys/devices/system/cpu";
const NODES: &str = "sys/devices/system/node";

/// Eight times what any kernel is built for; a longer list is a broken file.
const MAX_CPUS: usize = 1 << 16;

/// Each kind of core has a performance-monitoring unit of its own, which lists
/// the CPUs it covers.
const KINDS: [(&str, CoreKind); 3] = [
    ("sys/devices/cpu_core/cpus", CoreKind::Performance),
    ("sys/devices/cpu_atom/cpus", CoreKind::Efficiency),
    ("sys/devices/cpu_lowpower/cpus", CoreKind::LowPower),
];

/// The machine that `tree` describes; none if it has no account of its CPUs.
pub(super) fn read(tree: &Tree) -> Result<Option<Topology>, ReadError> {
    let path = format!("{CPUS}/online");
    let Some(online) = tree.parse::<CpuSet>(&path)? else {
        return Ok(None);
    };
    if online.is_empty() || online.len() > MAX_CPUS {
        let reason = format!("between 1 and {MAX_CPUS} CPUs expected");
        return Err(tree.malformed(&path, &online.to_string(), &reason));
    }
    // `offline` also counts CPUs that could be plugged in and are not there.
    let present = cpu_list(tree, &format!("{CPUS}/present"))?;
    let isolated = cpu_list(tree, &format!("{CPUS}/isolated"))?;
    let nodes = nodes(tree)?;
    let kinds = kinds(tree)?;

    let mut cpus = Vec::with_capacity(online.len());
    let mut caches = Caches::default();
    for id in &online {
        caches.read(tree, id, &online)?;
        cpus.push(CpuFacts {
            id,
            package: package(tree, id)?,
            node: containing(&nodes, id).unwrap_or(0),
            first_sibling: first_sibling(tree, id, &online)?,
            kind: containing(&kinds, id),
            capacity: tree.parse(&cpu_path(id, "cpu_capacity"))?,
        });
    }
    let facts = Facts {
        source: TopologySource::Sysfs,
        model: cpuinfo::model(tree),
        cpus,
        caches: caches.0.into_values().collect(),
        offline: present.difference(&online),
        isolated: isolated.intersection(&online),
    };
    Ok(Some(facts.assemble()))
}

fn cpu_path(id: CpuId, file: &str) -> String {
    format!("{CPUS}/cpu{id}/{file}")
}

/// A list of CPUs; empty if the file is not there.
fn cpu_list(tree: &Tree, path: &str) -> Result<CpuSet, ReadError> {
    Ok(tree.parse(path)?.unwrap_or_default())
}

fn nodes(tree: &Tree) -> Result<Vec<(u32, CpuSet)>, ReadError> {
    tree.numbered(NODES, "node")
        .into_iter()
        .map(|node| {
            Ok((
                node,
                cpu_list(tree, &format!("{NODES}/node{node}/cpulist"))?,
            ))
        })
        .collect()
}

fn kinds(tree: &Tree) -> Result<Vec<(CoreKind, CpuSet)>, ReadError> {
    KINDS
        .into_iter()
        .map(|(path, kind)| Ok((kind, cpu_list(tree, path)?)))
        .collect()
}

/// The label of the first set that holds `id`.
fn containing<L: Copy>(sets: &[(L, CpuSet)], id: CpuId) -> Option<L> {
    let mut holding = sets.iter().filter(|(_, cpus)| cpus.contains(id));
    holding.next().map(|&(label, _)| label)
}

/// The package of a CPU; -1, which some firmware leaves, counts as 0.
fn package(tree: &Tree, id: CpuId) -> Result<u32, ReadError> {
    let number: Option<i32> = tree.parse(&cpu_path(id, "topology/physical_package_id"))?;
    Ok(number.map_or(0, |number| number.max(0).unsigned_abs()))
}

/// The lowest online CPU of a core. `core_id` will not do: it repeats from one
/// package, and from one die, to the next.
fn first_sibling(tree: &Tree, id: CpuId, online: &CpuSet) -> Result<CpuId, ReadError> {
    let mut siblings = tree.parse::<CpuSet>(&cpu_path(id, "topology/core_cpus_list"))?;
    if siblings.is_none() {
        // The name before Linux 5.3.
        siblings = tree.parse(&cpu_path(id, "topology/thread_siblings_list"))?;
    }
    let running = siblings.unwrap_or_default().intersection(online);
    Ok(running.first().unwrap_or(id))
}

/// The caches seen so far: each is listed once by every CPU that shares it.
#[derive(Debug, Default)]
struct Caches(BTreeMap<(u32, CacheKind, CpuId), Cache>);

impl Caches {
    fn read(&mut self, tree: &Tree, id: CpuId, online: &CpuSet) -> Result<(), ReadError> {
        for index in tree.numbered(&cpu_path(id, "cache"), "index") {
            let file = |name: &str| cpu_path(id, &format!("cache/index{index}/{name}"));
            let Some(level) = tree.parse(&file("level"))? else {
                continue;
            };
            let Some(kind) = kind(tree, &file("type"))? else {
                continue;
            };
            let mut cpus = cpu_list(tree, &file("shared_cpu_list"))?.intersection(online);
            cpus.insert(id);
            let first = cpus.first().unwrap_or(id);
            let cache = Cache {
                level,
                kind,
                size_bytes: size(tree, &file("size"))?,
                line_bytes: tree.parse(&file("coherency_line_size"))?,
                cpus,
            };
            self.0.entry((level, kind, first)).or_insert(cache);
        }
        Ok(())
    }
}

fn kind(tree: &Tree, path: &str) -> Result<Option<CacheKind>, ReadError> {
    let Some(text) = tree.text(path) else {
        return Ok(None);
    };
    match text.as_str() {
        "Data" => Ok(Some(CacheKind::Data)),
        "Instruction" => Ok(Some(CacheKind::Instruction)),
        "Unified" => Ok(Some(CacheKind::Unified)),
        _ => Err(tree.malformed(path, &text, &"Data, Instruction or Unified expected")),
    }
}

/// A size such as `32768K`, in bytes.
fn size(tree: &Tree, path: &str) -> Result<Option<u64>, ReadError> {
    let Some(text) = tree.text(path) else {
        return Ok(None);
    };
    let kibibytes = text
        .strip_suffix('K')
        .and_then(|digits| digits.parse().ok());
    match kibibytes.and_then(|number: u64| number.checked_mul(1024)) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(tree.malformed(path, &text, &"a number of kibibytes such as 32K expected")),
    }
}
