//! Milestones of an engine's life, as `tracing` events where that feature is on; else nothing.
//! None of these is on an event's path.

#![cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "without the feature nobody is told")
)]

use crate::engine::shared::EngineShared;
use crate::engine::worker_shared::WorkerInfo;
use crate::{ShutdownReport, WorkerId};
use std::time::Duration;

/// Every worker runs.
pub(crate) fn built(engine: &EngineShared) {
    #[cfg(feature = "tracing")]
    ::tracing::info!(
        target: "corecast::engine",
        workers = engine.workers.len(),
        manual = engine.manual.is_some(),
        fences = if engine.fence_pair.is_asymmetric() { "asymmetric" } else { "full" },
        "engine built"
    );
}

/// A worker's thread runs, pinned or not; told on that thread.
pub(crate) fn worker_started(info: &WorkerInfo) {
    #[cfg(feature = "tracing")]
    {
        use corecast_affinity::PinStatus;
        let cpu = info.cpu.map(|cpu| cpu.get());
        if let PinStatus::Unpinned { reason } = &info.pin {
            ::tracing::warn!(
                target: "corecast::engine",
                worker = info.id.index(),
                cpu,
                wait = info.wait.name(),
                %reason,
                "worker runs unpinned"
            );
        } else {
            ::tracing::info!(
                target: "corecast::engine",
                worker = info.id.index(),
                cpu,
                pinned = info.pinned,
                wait = info.wait.name(),
                degraded = info.degraded,
                "worker started"
            );
        }
    }
}

/// A worker's thread ends by a panic outside of any listener; told on that thread.
pub(crate) fn worker_died(worker: WorkerId) {
    #[cfg(feature = "tracing")]
    ::tracing::error!(target: "corecast::engine", worker = worker.index(), "worker died");
}

/// New events are refused from now on.
pub(crate) fn shutdown_began(limit: Duration) {
    #[cfg(feature = "tracing")]
    ::tracing::info!(target: "corecast::engine", ?limit, "shutdown began");
}

/// The workers are gone, but for stuck ones.
pub(crate) fn shut_down(report: &ShutdownReport) {
    #[cfg(feature = "tracing")]
    {
        let workers = |ids: &[WorkerId]| {
            let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
            names.join(",")
        };
        let (stuck, dead) = (workers(&report.stuck), workers(&report.dead));
        if report.abandoned > 0 || !report.stuck.is_empty() || !report.dead.is_empty() {
            ::tracing::warn!(
                target: "corecast::engine",
                accepted = report.accepted,
                delivered = report.delivered,
                abandoned = report.abandoned,
                stuck,
                dead,
                "engine shut down and left something undone"
            );
        } else {
            ::tracing::info!(
                target: "corecast::engine",
                accepted = report.accepted,
                delivered = report.delivered,
                "engine shut down"
            );
        }
    }
}
