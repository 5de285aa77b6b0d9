//! Faults, life cycle and overflow as [`tracing`](https://docs.rs/tracing) events.
//!
//! | target               | told by                                  | what |
//! |----------------------|------------------------------------------|------|
//! | `corecast::engine`   | the engine, with this feature on         | built, worker started, unpinned or died, shutdown |
//! | `corecast::fault`    | [`faults`] or [`fault`], given the fault | one event for each fault |
//! | `corecast::overflow` | [`Watch::observe`], given snapshots      | what was dropped, rejected or lost since the last one |
//!
//! Nothing here is on an event's path: overflow is told from the counters, at the pace of whoever
//! observes.
//!
//! ```
//! use corecast::{Cores, Engine, trace};
//!
//! let engine = Engine::builder()
//!     .cores(Cores::count(1))
//!     .on_fault(trace::faults())
//!     .build()?;
//! let mut watch = trace::Watch::new();
//! // Every second or so:
//! watch.observe(&engine.metrics());
//! # Ok::<(), corecast::EngineError>(())
//! ```

use crate::{EngineMetrics, Fault, FaultKind, SignalMetrics};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A handler for [`EngineBuilder::on_fault`](crate::EngineBuilder::on_fault) that tells each fault
/// as an event.
pub fn faults() -> impl FnMut(Fault) + Send + 'static {
    |told| fault(&told)
}

/// Tells a fault as an event: an error for what ended badly for good (a panic, a listener in
/// quarantine), a warning for the rest.
pub fn fault(fault: &Fault) {
    /// The level is part of a call site, so there are two of them.
    macro_rules! tell {
        ($level:ident) => {
            ::tracing::$level!(
                target: "corecast::fault",
                kind = %fault.kind,
                signal = fault.signal.as_deref(),
                listener = fault.listener.map(|listener| listener.get()),
                listener_name = fault.listener_name.as_deref(),
                place = fault.place.map(::tracing::field::display),
                worker = fault.worker.map(|worker| worker.index()),
                thread = fault.thread,
                sequence = fault.sequence,
                event = fault.event.as_deref(),
                count = fault.count,
                "{}",
                fault.message
            )
        };
    }
    match fault.kind {
        FaultKind::Error | FaultKind::ReentrancyLimit | FaultKind::Gap => tell!(warn),
        _ => tell!(error),
    }
}

/// Tells overflow by comparing an engine's snapshots with those seen before.
#[derive(Debug, Default)]
pub struct Watch {
    signals: BTreeMap<Option<Arc<str>>, Refused>,
    faults_lost: u64,
}

/// What emitters could not get rid of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Refused {
    rejected: u64,
    dropped: u64,
}

impl Watch {
    /// Takes everything counted so far as new.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            signals: BTreeMap::new(),
            faults_lost: 0,
        }
    }

    /// Tells, one warning for each signal, how many events were rejected and dropped since the
    /// last snapshot, and how many faults found their queue full. Signals of the same name are
    /// summed up.
    pub fn observe(&mut self, metrics: &EngineMetrics) {
        let mut now: BTreeMap<Option<Arc<str>>, Refused> = BTreeMap::new();
        for SignalMetrics {
            name,
            rejected,
            dropped,
            ..
        } in &metrics.signals
        {
            let refused = now.entry(name.clone()).or_default();
            refused.rejected += rejected;
            refused.dropped += dropped;
        }
        for (name, total) in &now {
            let before = self.signals.get(name).copied().unwrap_or_default();
            let rejected = total.rejected.saturating_sub(before.rejected);
            let dropped = total.dropped.saturating_sub(before.dropped);
            if rejected > 0 || dropped > 0 {
                ::tracing::warn!(
                    target: "corecast::overflow",
                    signal = name.as_deref(),
                    rejected,
                    dropped,
                    "events were refused"
                );
            }
        }
        let lost = metrics.faults_lost.saturating_sub(self.faults_lost);
        if lost > 0 {
            ::tracing::warn!(target: "corecast::overflow", lost, "faults found their queue full");
        }
        self.signals = now;
        self.faults_lost = metrics.faults_lost;
    }
}
