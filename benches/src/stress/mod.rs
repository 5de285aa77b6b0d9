//! `corecast stress`: every configuration under random faults, and books that must balance.
//!
//! A run goes through the [`table`] of configurations, lap after lap. A [`round`] of one is a few
//! threads, an engine, and a choice of parameters that follows from the seed; while it runs its
//! [`books`] are kept, and at its end they must balance: every listener has seen its events in
//! order and once ([`order`], [`part`], [`member`]), every copy of an event has been dropped once ([`event`]),
//! every fault put in has come out ([`fault`]), and what the engine counted is what was counted
//! outside it. What makes no progress is a hang, and [`watch`] names it.
//!
//! Parameters and injected faults follow from `--seed`; how threads interleave does not. A finding
//! is reported with the seed, and it may take a few runs to meet it again.

pub mod books;
mod command;
mod cycles;
pub mod dice;
pub mod event;
pub mod fault;
mod fleeting;
mod idle;
pub mod lanes;
mod manual;
pub mod member;
pub mod order;
pub mod part;
pub mod process;
pub mod progress;
mod report;
pub mod round;
mod session;
pub mod stream;
mod sync;
pub mod table;
pub mod watch;

pub use command::{Args, StressError, run};
pub use report::{Report, Row};
