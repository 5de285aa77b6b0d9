//! Models of the concurrent protocols, run against the real crates.
//!
//! A model is a function that starts a few threads, lets them use a ring (or the engine) at its
//! smallest size, and asserts what must hold whatever the schedule. [`model`] runs it in one of two
//! ways:
//!
//! | build | threads | what runs |
//! |---|---|---|
//! | `--cfg loom` | loom's | every schedule and every weak-memory outcome, up to a bound on preemptions |
//! | plain | the system's | the same function, [`ROUNDS`] times, under a watchdog |
//!
//! The first is `ci/loom`, the second is `cargo test`. No model defines a structure of its own:
//! what runs is the code that users link, through the facade `corecast_ring::sync`. That a model
//! sees what it claims to see is shown by `ci/mutants`: each has a named weakening of the real code
//! that must turn it red.

mod captured;
mod counted;
#[cfg(feature = "engine")]
mod engine;
mod harness;

pub use captured::{Captured, Log, Watch};
pub use counted::{Counted, Ledger};
#[cfg(feature = "engine")]
pub use engine::{Threaded, manual};
pub use harness::{
    ENGINE_ROUNDS, ROUNDS, engine_model, long_model, model, model_without_light_fences,
};
