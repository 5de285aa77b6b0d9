//! What a synchronous signal promises, through its public interface and from both handles.

mod builder;
mod concurrency;
mod context;
mod deadlock;
mod emit;
mod faults;
mod home;
mod keys;
mod lifetimes;
mod metrics;
mod model;
mod once;
mod order;
mod propagate;
mod quarantine;
mod quiesce;
mod reclaim;
mod reentrancy;
mod removal;
mod sizes;
mod stopping;
mod subscription;
mod support;
mod try_emit;
mod waiting;
