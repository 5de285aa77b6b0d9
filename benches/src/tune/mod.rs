//! `corecast tune`: the engine's configuration for a stated load, found by measuring.
//!
//! Every configuration of a [`Sweep`] runs the [`Load`] in laps, in turn with the others: flat out,
//! which tells how much it could take, and at the stated rate, which tells the latency of events
//! from when they were due, and the CPU time. A lap counts only if every event arrived at every
//! listener, in number and in sum, or is accounted for. What the laps come to is [`Measured`];
//! [`recommend`] and [`Verdict`] decide by those figures alone.

mod args;
mod configuration;
mod criterion;
pub mod emitting;
mod html;
mod interrupt;
pub mod lap;
mod listener;
mod load;
mod measured;
mod page;
mod pictures;
mod reason;
mod recommend;
mod report;
mod run;
mod snippet;
mod sweep;
mod told_apart;
mod verify;
mod work;

pub use args::Args;
pub use configuration::{BatchTooLarge, Configuration, Sweep};
pub use criterion::Criterion;
pub use listener::Heard;
pub use load::{ImpossibleLoad, Load, ParseRateError, Rate};
pub use measured::{LapFigures, LatencyFigures, Measured, PERCENTILES, Paced};
pub use recommend::{NoRecommendation, Recommendation, recommend};
pub use report::Report;
pub use run::run;
pub use snippet::builder_code;
pub use sweep::{LAPS, Lap, Schedule, Setting};
pub use verify::{ROUNDS, Round, Verdict};
pub use work::Work;
