//! What the ring promises, through its public interface.

mod capacity;
mod claims;
mod closing;
mod event_types;
mod mpsc;
mod parker;
mod recycled;
mod recycled_machine;
mod shared_machine;
mod spsc;
mod staging;
mod state_machine;
mod support;
mod waiting;
