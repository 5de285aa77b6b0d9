//! The published crates that corecast is measured against, each used as its own documentation and
//! source suggest for the row at hand; the comment on each says why that is its best.
//!
//! | module | what | rows |
//! |---|---|---|
//! | [`loops`] | a bare loop over boxed closures; the same behind an epoch pin, an arc-swap, a lock | synchronous emits |
//! | [`registry`] | adding and removing a listener under a lock, or by copying | subscribe and unsubscribe |
//! | [`disruptor`] | disruptor: one producer, several, several consumers | one-way, batches, multicast, round trip |
//! | [`rtrb`] | rtrb, event by event and in chunks | one-way, batches, round trip |
//! | [`channels`] | crossbeam-channel and crossfire, bounded | one-way, several producers |
//! | [`atomics`] | atomics and nothing else | round trip |
//!
//! [`sides`] has them as sides, ready for a row.

pub mod atomics;
pub mod channels;
pub mod disruptor;
pub mod loops;
pub mod registry;

mod rows;
pub mod rtrb;
pub mod sides;

pub use rows::rows;
