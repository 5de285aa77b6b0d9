//! Corecast's rows: each against what it must not be slower than, with its bar.

mod churn;
mod crowd;
pub(super) mod emission;
pub(super) mod gauges;
pub(super) mod lanes;
mod rows;
pub(super) mod trips;

pub(super) use rows::rows;
