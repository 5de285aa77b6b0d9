//! The machine's CPUs, which of them a process may use, and threads pinned to
//! them.
//!
//! Three questions, in the order in which they come up:
//!
//! | question | answer |
//! |---|---|
//! | what is this machine? | [`Topology::detect`]: packages, NUMA nodes, cores, SMT siblings, caches |
//! | what may this process use? | [`allowed_cpus`]: its mask within its cgroup's cpuset, whatever the calling thread is pinned to |
//! | which thread goes where? | [`Placement`] chooses; [`PinnedThread::spawn`] and [`pin_current`] pin, and read the pin back |
//!
//! ```
//! use corecast_affinity::{
//!     Cores, PinnedThread, Pinning, Placement, ThreadConfig, pin_current,
//! };
//!
//! // Every CPU that the process may use but one, and one worker on each.
//! let placement = Placement::here(&Cores::default(), 1)?;
//! let mut workers = Vec::new();
//! for (index, &cpu) in placement.workers().iter().enumerate() {
//!     let config = ThreadConfig::new(format!("worker-{index}"))
//!         .cpu(cpu)
//!         .pinning(Pinning::BestEffort);
//!     workers.push(PinnedThread::spawn(config, move |_| index)?);
//! }
//! // The one left over is for this thread.
//! if let Some(&cpu) = placement.spare().first() {
//!     let pin = pin_current(cpu)?;
//!     println!("emitting from a thread that is {}", pin.status());
//! }
//! for worker in workers {
//!     println!("{} is {}", worker.name(), worker.pin_status());
//!     worker.join().expect("the closure does not panic");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Beside them there is a clock for short times, [`TickClock`]: the CPU's own counter, where the kernel
//! itself keeps time by it.
//!
//! # Masks change while a program runs
//!
//! An administrator may narrow a cpuset or take a CPU off line; the kernel
//! then moves even a pinned thread, and tells nobody. [`PinnedThread::check`]
//! and [`check_current`] see it, [`AllowedCpus::read`] tells what is left.
//! Neither is fatal: the thread runs on, elsewhere.
//!
//! # Platforms
//!
//! Verified on Linux, x86-64. On other systems the topology is assumed from
//! the number of CPUs, a pin is asked for and reported as
//! [`PinStatus::Unverified`], and [`Pinning::Required`] is an error.

mod allowed;
mod cgroup;
mod clock;
mod cpu_list;
mod cpu_set;
mod error;
mod pin;
mod placement;
#[cfg(target_os = "linux")]
mod sched;
#[cfg(not(target_os = "linux"))]
#[path = "sched_elsewhere.rs"]
mod sched;
mod thread;
mod topology;
mod tree;

pub use allowed::{AllowedCpus, allowed_cpus};
pub use clock::{TickClock, Ticks};
pub use cpu_set::{CpuId, CpuSet, Iter};
pub use error::{ParseCpuListError, PinError, PlacementError, ReadError, ThreadError};
pub use pin::{CurrentPin, PinCheck, PinStatus, Pinning, check_current, pin_current};
pub use placement::{Cores, MAX_WORKERS, Placement};
pub use thread::{PinnedThread, ThreadConfig};
pub use topology::{
    Cache, CacheKind, Core, CoreKind, Cpu, NumaNode, Package, Topology, TopologySource,
};

/// The README's example, run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
