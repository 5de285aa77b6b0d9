//! What connects an engine to the world around it. Each part is a feature of its own, off by
//! default, and none is on an event's path.
//!
//! | feature      | module         | what |
//! |--------------|----------------|------|
//! | `metrics`    | `recorder`   | snapshots recorded through the `metrics` facade |
//! | `prometheus` | `prometheus` | snapshots in Prometheus' text format, and an endpoint |
//! | `serde`      | `config`     | configurations that deserialise; snapshots serialise |
//! | `tracing`    | `trace`      | faults, life cycle and overflow as events |
//! | `zenoh`      | `zenoh`      | a signal's events on other machines |

#[cfg(feature = "serde")]
pub mod config;
pub(crate) mod life;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(feature = "metrics")]
pub mod recorder;
#[cfg(any(feature = "zenoh", feature = "models"))]
#[cfg_attr(
    not(feature = "zenoh"),
    expect(
        dead_code,
        unreachable_pub,
        reason = "without a network nobody reads what comes from it"
    )
)]
pub(crate) mod relay;
#[cfg(any(feature = "metrics", feature = "prometheus"))]
mod samples;
#[cfg(feature = "serde")]
mod snapshots;
#[cfg(feature = "tracing")]
pub mod trace;
#[cfg(feature = "zenoh")]
pub mod zenoh;
