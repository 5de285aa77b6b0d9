//! The engine's snapshots and options as the world outside sees them: a real recorder of the
//! `metrics` facade, a scrape over HTTP, JSON and TOML.

#[cfg(feature = "serde")]
mod config;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(any(feature = "metrics", feature = "prometheus", feature = "serde"))]
mod scene;
#[cfg(feature = "serde")]
mod snapshots;
