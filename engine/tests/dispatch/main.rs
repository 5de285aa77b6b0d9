//! Dispatch through lanes to workers: what the engine promises, one promise a test.

mod batches;
mod cycles;
mod flush;
mod late;
mod manual;
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
