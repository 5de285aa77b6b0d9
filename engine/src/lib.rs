//! Lock-free, single-writer event dispatch: signals, listeners, and workers pinned to cores.
//!
//! | signal | listeners run | an event is | emitted through |
//! |---|---|---|---|
//! | [`SyncSignal`] | in the thread that emits, `Fn` | borrowed | [`SyncSignal::emit`] from any thread, or a faster [`SyncEmitter`] |
//! | [`AsyncSignal`], [`Broadcast`] | on workers, `FnMut`; each gets every event | moved, and cloned for further workers | an [`Emitter`], or, slower, [`AsyncSignal::emit`] from any thread |
//! | [`AsyncSignal`], [`Sharded`] or [`RoundRobin`] | on workers, `FnMut`; each event goes to one worker | moved | the same |
//!
//! An [`Engine`] owns the workers. A [`Subscription`] keeps its listener subscribed until it is
//! dropped or detached. What all signals share is the trait [`Signal`].
//!
//! ```text
//!   synchronous                              asynchronous
//!   emit(&event)                             emit(event)
//!     │ a word of its own; shared: a pin too   │ claim, write, stamp a slot in each lane
//!     ▼                                        ▼
//!   snapshot of the listeners                lane ──▶ worker: a run of events
//!     │                                                 │ snapshot of its listeners
//!     ▼                                                 ▼
//!   walk, here                               walk, there; release the slots
//! ```
//!
//! ```
//! use corecast::{Engine, SyncSignal};
//! use std::time::Duration;
//!
//! let alarms = SyncSignal::<str>::new();
//! let subscription = alarms.subscribe(|text| println!("{text}"));
//! assert_eq!(alarms.emit("too hot").delivered, 1);
//! drop(subscription); // removes the listener
//! assert_eq!(alarms.emit("too cold").delivered, 0);
//!
//! let engine = Engine::builder().build()?;
//! let ticks = engine.signal::<u64>("ticks").build()?;
//! let mut sum = 0;
//! ticks.subscribe(move |tick| sum += tick).detach(); // stays for the signal's life
//! let mut emitter = ticks.emitter()?;
//! emitter.emit(1)?;
//! let report = engine.shutdown(Duration::from_secs(10));
//! assert_eq!((report.accepted, report.delivered), (1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A panic in a listener is a [`Fault`] and the other listeners run on; with `panic = "abort"` it
//! ends the process, and nothing here can help that.
//!
//! There is no order between the events of two emitters.
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | emitting | [`SyncEmitter`], [`Emitter`], [`Overflow`], [`Context`] |
//! | listeners and their options | [`Listener`], [`WorkerListener`], [`Batch`], [`Subscription`] |
//! | workers, cores and waiting | [`EngineBuilder`], [`Cores`], [`WaitStrategy`] |
//! | what went wrong | [`FaultQueue`], [`FaultPolicy`], [`EmitError`], [`Rejected`] |
//! | what is going on | [`SignalMetrics`], [`EngineMetrics`] |
//! | limits | [`CircuitBreaker`], and `RateLimit` with the feature `limits` |
//! | the end | [`Engine::shutdown`], [`ShutdownReport`] |
//!
//! Features, all off by default: `limits` (rate-limited emitters), `metrics` (snapshots recorded
//! through the facade of that name), `prometheus` (a page and an endpoint), `serde` (configurations,
//! snapshots), `tracing` (faults, life cycle, overflow), `zenoh` (a signal's events on other machines).
//! The guide (`docs/GUIDE.md`) helps to choose and to size; whole programs are in `engine/examples`.

mod async_signal;
mod backtrace;
mod context;
mod engine;
mod error;
mod fault;
mod integrations;
mod limits;
mod listener;
mod metrics;
#[cfg(feature = "models")]
#[doc(hidden)]
pub mod model;
mod overflow;
mod registry;
mod signal;
mod subscription;
mod sync_emitter;
mod sync_signal;
mod walk;
mod worker_id;

pub use async_signal::{
    AsyncSignal, AsyncSignalBuilder, Batch, BatchIter, Broadcast, Emitter, EmitterError, OneWorker,
    RoundRobin, Route, Routing, Sharded, SignalError, WorkerListener,
};
pub use backtrace::capture_backtraces;
pub use context::{CancelToken, Context};
pub use corecast_affinity::{
    Cores, CpuId, CpuSet, PinError, PinStatus, Pinning, PlacementError, ThreadError,
};
pub use corecast_ring::{CapacityError, Fences, WaitStrategy};
pub use engine::{
    Engine, EngineBuilder, EngineError, EngineMetrics, RunError, ShutdownReport, WorkerInfo,
    WorkerMetrics, WorkerState,
};
pub use error::{BoxError, BuildError, EmitError, SubscribeError, WaitError};
pub use fault::{Fault, FaultKind, FaultPolicy, FaultQueue};
#[cfg(feature = "serde")]
pub use integrations::config;
#[cfg(feature = "prometheus")]
pub use integrations::prometheus;
#[cfg(feature = "metrics")]
pub use integrations::recorder;
#[cfg(feature = "tracing")]
pub use integrations::trace;
#[cfg(feature = "zenoh")]
pub use integrations::zenoh;
pub use limits::{
    BreakerBuildError, BreakerError, BreakerMetrics, BreakerState, CircuitBreaker,
    CircuitBreakerBuilder, WhenOpen,
};
#[cfg(feature = "limits")]
pub use limits::{
    LimitReason, LimitRejected, Limited, LimitedEmitError, RateLimit, RateLimitError,
    RateLimitMetrics, RateRefusal,
};
pub use listener::{Listener, ListenerId};
pub use metrics::{LaneMetrics, Latency, Rates, SignalMetrics};
pub use overflow::{BatchRejected, FlushError, Overflow, RejectReason, Rejected};
pub use signal::Signal;
pub use subscription::Subscription;
pub use sync_emitter::SyncEmitter;
pub use sync_signal::{Delivery, SyncSignal, SyncSignalBuilder};
pub use worker_id::WorkerId;

/// The README's examples, run with the others.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The guide's examples, run with the others.
#[cfg(doctest)]
#[doc = include_str!("../../docs/GUIDE.md")]
struct Guide;

/// The example of the page for those who come from Go.
#[cfg(doctest)]
#[doc = include_str!("../../docs/MIGRATION.md")]
struct Migration;
