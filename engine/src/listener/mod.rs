//! Listeners: what they are, and the sets that hold them.

mod builder;
mod meta;
pub(crate) mod set;

pub use builder::Listener;
pub(crate) use builder::listener_options;
pub use meta::ListenerId;
pub(crate) use meta::{Meta, Options};
