//! The laboratory: workloads, peers and the parts of the `corecast` command.

pub mod cli;
pub mod compare;
pub mod market;
pub mod measure;
pub mod picture;
pub mod replay;
pub mod stress;
pub mod tune;
