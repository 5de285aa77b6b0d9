//! An engine's options.

use super::values;
use crate::{Cores, Engine, EngineBuilder, Fences, Pinning, WaitStrategy};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Options of an [`Engine`]. What is `None` is as [`EngineBuilder`] has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct EngineConfig {
    /// `cores`: `"all-but-one"`, `"all"`, `"physical"`, a list of CPUs (`"2,3,8-11"` or
    /// `[2, 3]`) or how many CPUs to take.
    #[serde(deserialize_with = "values::cores")]
    pub cores: Option<Cores>,
    /// `workers-per-core`.
    pub workers_per_core: Option<usize>,
    /// `wait`: `"busy-spin"`, `"spin-then-yield"`, `"backoff"` or `"park"`.
    #[serde(deserialize_with = "values::wait")]
    pub wait: Option<WaitStrategy>,
    /// `wait-on`: a strategy for each of some CPUs, as in `{ 3 = "busy-spin" }`.
    #[serde(deserialize_with = "values::wait_on")]
    pub wait_on: BTreeMap<u32, WaitStrategy>,
    /// `pinning`: `"required"`, `"best-effort"` or `"off"`.
    #[serde(deserialize_with = "values::pinning")]
    pub pinning: Option<Pinning>,
    /// `fences`: `"asymmetric"` or `"full"`.
    #[serde(deserialize_with = "values::fences")]
    pub fences: Option<Fences>,
    /// `manual`: no threads.
    pub manual: bool,
    /// `thread-name`.
    pub thread_name: Option<String>,
}

impl EngineConfig {
    /// A builder with these options; what cannot be configured, such as a fault handler, is added
    /// to it.
    pub fn builder(&self) -> EngineBuilder {
        let mut builder = Engine::builder();
        if let Some(cores) = &self.cores {
            builder = builder.cores(cores.clone());
        }
        if let Some(workers) = self.workers_per_core {
            builder = builder.workers_per_core(workers);
        }
        if let Some(wait) = self.wait {
            builder = builder.wait(wait);
        }
        for (cpu, wait) in &self.wait_on {
            builder = builder.wait_on(*cpu, *wait);
        }
        if let Some(pinning) = self.pinning {
            builder = builder.pinning(pinning);
        }
        if let Some(fences) = self.fences {
            builder = builder.fences(fences);
        }
        if self.manual {
            builder = builder.manual();
        }
        if let Some(name) = &self.thread_name {
            builder = builder.thread_name(name);
        }
        builder
    }
}
