//! `corecast compare`: corecast and its peers side by side, in one run.
//!
//! The table's rows are in [`table`]; what they are measured with is in [`crate::measure`]. A row
//! compares sides that do the same work on the same two CPUs in turn, and a side is one of three
//! things:
//!
//! - [`emit`]: one thread emits, its listeners ([`listeners`]) run at once;
//! - [`pipe`]: [`event`]s go from producing threads to consuming ones and add up in a [`sink`]; most
//!   peers are queues that are polled, a [`link`] each;
//! - [`trip`]: one event goes to the other CPU and its answer comes back.
//!
//! A contestant implements the trait of the module ([`emit::Emit`], [`pipe::Pipe`], [`link::Link`])
//! and is then measured by the same loop as all others. The published crates that corecast is
//! compared with are in [`peers`]; corecast's own rows, with their bars, are in `ours`. How corecast's
//! costs grow with listeners, workers, lanes and sizes is [`growth`].

mod command;
pub mod duel;
pub mod emit;
pub mod event;
pub mod growth;
pub mod link;
pub mod listeners;
mod ours;
pub mod pattern;
pub mod peers;
pub mod pipe;
pub mod report;
pub mod sink;
pub mod table;
mod text;
pub mod trip;

pub use command::{Args, CompareError, measure_all, rows, run};
