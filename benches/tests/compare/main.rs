//! The comparison from outside: the rounds, the peers, how costs grow, and the command itself.

mod command;
mod contest;
mod growth;
mod peers;

/// So that the memory of things can be measured.
#[global_allocator]
static ALLOCATOR: corecast_lab::measure::alloc::CountingAllocator =
    corecast_lab::measure::alloc::CountingAllocator;
