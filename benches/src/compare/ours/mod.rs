//! Corecast's rows: each against what it must not be slower than, with its bar.

mod emission;
mod gauges;
mod lanes;
mod rows;
mod trips;

pub(super) use rows::rows;
