//! Dispatch through lanes to workers: what the engine promises, one promise a test.

mod affinity;
mod bad_input;
mod batches;
mod churn;
mod cycles;
mod event_types;
mod faults;
mod flush;
mod late;
mod manual;
mod metrics;
mod order;
mod overflow;
mod placement;
mod recycled;
mod removal;
mod routes;
mod shared;
mod shutdown;
mod support;
mod waiting;
