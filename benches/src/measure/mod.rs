//! How the laboratory measures.
//!
//! A figure is a ratio of two [`Side`]s that do the same work in turn, on the same two CPUs, in the
//! same process, and whose results are compared with a sum computed without either of them
//! ([`rounds`]). Everything else here is what that takes: CPUs to pin to ([`cpus`]), order
//! statistics ([`stats`]), latency percentiles ([`latency`]), the raw cache-line round trip that
//! tells how far the machine drifted meanwhile ([`drift`]), what the machine is ([`machine`]), the
//! CPU time that threads have used ([`cpu_time`]), and a count of allocations ([`alloc`]).
//!
//! Time is [`std::time::Instant`]: monotonic, and the same clock on every CPU, so that one thread
//! may start a lap and another end it.

pub mod alloc;
pub mod cpu_time;
pub mod cpus;
pub mod drift;
pub mod latency;
pub mod machine;
pub mod rounds;
pub mod side;
pub mod start;
pub mod stats;

pub use cpus::{CpuPair, Pinned};
pub use rounds::{Contest, ContestError, Figure, Schedule, Timings};
pub use side::{Lap, LapError, Side};
pub use stats::Quartiles;
