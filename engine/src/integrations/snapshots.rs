//! Snapshots as serialisable values: the fields as they are named, times in nanoseconds.
//!
//! Moments (`at`) mean nothing outside the process and are left out.

use crate::{
    BreakerMetrics, BreakerState, Delivery, EngineMetrics, FaultKind, LaneMetrics, Latency, Rates,
    ShutdownReport, SignalMetrics, WorkerId, WorkerMetrics, WorkerState,
};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::time::Duration;

/// Serialises a struct field by field; `"name" = value` gives a value of another form.
macro_rules! fields {
    ($type:ident |$one:ident| $($name:literal = $value:expr),+ $(,)?) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $one = self;
                let len = [$($name),+].len();
                let mut out = serializer.serialize_struct(stringify!($type), len)?;
                $(out.serialize_field($name, &$value)?;)+
                out.end()
            }
        }
    };
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let len = [$(stringify!($field)),+].len();
                let mut out = serializer.serialize_struct(stringify!($type), len)?;
                $(out.serialize_field(stringify!($field), &self.$field)?;)+
                out.end()
            }
        }
    };
}

/// Serialises an enum as a name.
macro_rules! name {
    ($type:ident |$one:ident| $name:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $one = self;
                serializer.collect_str(&$name)
            }
        }
    };
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

name!(BreakerState | state | state.name());
name!(FaultKind | kind | kind);
name!(
    WorkerState
        | state
        | match state {
            Self::Active => "active",
            Self::Parked => "parked",
            Self::Left => "left",
            Self::Dead => "dead",
        }
);

impl Serialize for WorkerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.index() as u64)
    }
}

fields!(EngineMetrics {
    workers,
    signals,
    faults_waiting,
    faults_lost,
    bytes,
});
fields!(WorkerMetrics {
    id,
    state,
    delivered,
    parks,
    listeners,
});
fields!(
    SignalMetrics | one | "name" = one.name.as_deref(),
    "emitted" = one.emitted,
    "accepted" = one.accepted,
    "rejected" = one.rejected,
    "dropped" = one.dropped,
    "delivered" = one.delivered,
    "failed" = one.failed,
    "panicked" = one.panicked,
    "listeners" = one.listeners,
    "retired_arrays" = one.retired_arrays,
    "bytes" = one.bytes,
    "lanes" = one.lanes,
    "latency" = one.latency,
);
fields!(LaneMetrics {
    worker,
    capacity,
    depth,
    high_water,
    bytes,
    shared,
});
fields!(
    Latency | one | "p50_ns" = nanoseconds(one.p50),
    "p90_ns" = nanoseconds(one.p90),
    "p99_ns" = nanoseconds(one.p99),
    "p999_ns" = nanoseconds(one.p999),
    "max_ns" = nanoseconds(one.max),
    "count" = one.count,
);
fields!(
    Rates | one | "interval_ns" = nanoseconds(one.interval),
    "events_per_second" = one.events_per_second,
    "deliveries_per_second" = one.deliveries_per_second,
    "error_rate" = one.error_rate,
);
fields!(Delivery { delivered, failed });
fields!(ShutdownReport {
    accepted,
    delivered,
    abandoned,
    stuck,
    dead,
});
fields!(
    BreakerMetrics | one | "name" = &*one.name,
    "state" = one.state,
    "admitted" = one.admitted,
    "failed" = one.failed,
    "refused" = one.refused,
    "opened" = one.opened,
);

#[cfg(feature = "limits")]
use crate::RateLimitMetrics;
#[cfg(feature = "limits")]
fields!(RateLimitMetrics { admitted, refused });

#[cfg(feature = "zenoh")]
use crate::zenoh::{PublisherMetrics, ReceiverMetrics};
#[cfg(feature = "zenoh")]
fields!(PublisherMetrics {
    events,
    published,
    dropped,
    failed,
    queued,
    frames,
    bytes,
});
#[cfg(feature = "zenoh")]
fields!(ReceiverMetrics {
    frames,
    malformed,
    received,
    rejected,
    undecoded,
    gaps,
    missing,
    repeated,
    restarts,
    publishers,
    inbox_bytes,
    inbox_high_water,
});
