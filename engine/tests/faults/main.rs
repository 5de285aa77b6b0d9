//! The fault matrix: whatever of a user's goes wrong, wherever it does, the rest goes on.

mod clones;
mod death;
mod drops;
mod fills;
mod handles;
mod listeners;
mod rendering;
mod reports;
mod support;
mod thread_ends;
