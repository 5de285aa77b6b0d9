//! A signal's options.

use super::values;
use crate::async_signal::Routing;
use crate::{AsyncSignalBuilder, FaultPolicy, Fences, Overflow, SyncSignalBuilder};
use serde::Deserialize;

/// Options of an [`AsyncSignal`](crate::AsyncSignal). What is `None` is as [`AsyncSignalBuilder`]
/// has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SignalConfig {
    /// `capacity`: slots of each lane.
    pub capacity: Option<usize>,
    /// `batch`.
    pub batch: Option<usize>,
    /// `overflow`: `"wait"`, `{ wait-for = "5ms" }`, `"reject"` or `"drop-newest"`.
    #[serde(deserialize_with = "values::overflow")]
    pub overflow: Option<Overflow>,
    /// `fault-policy`: `"isolate"` or `{ quarantine = { after = 5 } }`.
    #[serde(deserialize_with = "values::fault_policy")]
    pub fault_policy: Option<FaultPolicy>,
    /// `sample-latency`: every how many events.
    pub sample_latency: Option<u32>,
}

impl SignalConfig {
    /// The builder with these options.
    pub fn apply<T: Send + 'static, R: Routing<T>>(
        &self,
        mut builder: AsyncSignalBuilder<T, R>,
    ) -> AsyncSignalBuilder<T, R> {
        if let Some(capacity) = self.capacity {
            builder = builder.capacity(capacity);
        }
        if let Some(batch) = self.batch {
            builder = builder.batch(batch);
        }
        if let Some(overflow) = self.overflow {
            builder = builder.overflow(overflow);
        }
        if let Some(policy) = self.fault_policy {
            builder = builder.fault_policy(policy);
        }
        if let Some(every) = self.sample_latency {
            builder = builder.sample_latency(every);
        }
        builder
    }
}

/// Options of a [`SyncSignal`](crate::SyncSignal). What is `None` is as [`SyncSignalBuilder`] has
/// it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SyncSignalConfig {
    /// `fault-policy`: `"isolate"`, `{ quarantine = { after = 5 } }` or `"propagate"`.
    #[serde(deserialize_with = "values::fault_policy")]
    pub fault_policy: Option<FaultPolicy>,
    /// `reentrancy-limit`.
    pub reentrancy_limit: Option<u32>,
    /// `fences`: `"asymmetric"` or `"full"`.
    #[serde(deserialize_with = "values::fences")]
    pub fences: Option<Fences>,
}

impl SyncSignalConfig {
    /// The builder with these options.
    pub fn apply<T: ?Sized + 'static>(
        &self,
        mut builder: SyncSignalBuilder<T>,
    ) -> SyncSignalBuilder<T> {
        if let Some(policy) = self.fault_policy {
            builder = builder.fault_policy(policy);
        }
        if let Some(limit) = self.reentrancy_limit {
            builder = builder.reentrancy_limit(limit);
        }
        if let Some(fences) = self.fences {
            builder = builder.fences(fences);
        }
        builder
    }
}
