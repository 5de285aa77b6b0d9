//! Dispatch through lanes to workers: what the engine promises, one promise a test.

mod late;
mod order;
mod overflow;
mod placement;
mod removal;
mod routes;
mod support;
