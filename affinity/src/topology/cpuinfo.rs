//! `/proc/cpuinfo`: the processor's name, and a machine where `/sys` is missing.

use std::collections::BTreeMap;

use super::assemble::{CpuFacts, Facts};
use super::{Topology, TopologySource};
use crate::cpu_set::{CpuId, CpuSet};
use crate::error::ReadError;
use crate::tree::Tree;

const CPUINFO: &str = "proc/cpuinfo";

/// The processor's name or, failing that, the board's.
pub(super) fn model(tree: &Tree) -> Option<String> {
    let text = tree.text(CPUINFO).unwrap_or_default();
    let named = |key: &str| value(&text, key).filter(|name| !name.is_empty());
    ["model name", "cpu model", "Model"]
        .into_iter()
        .find_map(named)
        .map(str::to_owned)
        .or_else(|| tree.text("sys/firmware/devicetree/base/model"))
}

/// The machine that the file describes; none if it names no CPU.
pub(super) fn read(tree: &Tree) -> Result<Option<Topology>, ReadError> {
    let text = tree.text(CPUINFO).unwrap_or_default();
    let mut cpus = BTreeMap::new();
    let mut cores: BTreeMap<(u32, u32), CpuId> = BTreeMap::new();
    // One paragraph for each CPU that is online.
    for paragraph in text.split("\n\n") {
        let number = |key: &str| -> Result<Option<u32>, ReadError> {
            let Some(text) = value(paragraph, key) else {
                return Ok(None);
            };
            let parsed = text.parse().map(Some);
            parsed.map_err(|error| tree.malformed(CPUINFO, &format!("{key}: {text}"), &error))
        };
        let Some(id) = number("processor")?.map(CpuId::new) else {
            continue;
        };
        let (package, core) = (number("physical id")?, number("core id")?);
        let mut facts = CpuFacts::alone(id);
        if let (Some(package), Some(core)) = (package, core) {
            facts.package = package;
            facts.first_sibling = *cores.entry((package, core)).or_insert(id);
        }
        cpus.insert(id, facts);
    }
    if cpus.is_empty() {
        return Ok(None);
    }
    let mut facts = Facts::unrelated(CpuSet::new(), TopologySource::CpuInfo);
    facts.model = model(tree);
    facts.cpus = cpus.into_values().collect();
    Ok(Some(facts.assemble()))
}

/// The value of the first line `key : value`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}
