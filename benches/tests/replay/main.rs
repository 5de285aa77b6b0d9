//! The replay from outside: feeds, books, checks, reports, and the command itself.

mod book;
mod command;
mod engine;
mod feed;
mod files;
mod reference;
mod run;
mod sample;
mod source;

/// So that tests can count what the code under test allocates.
#[global_allocator]
static ALLOCATOR: corecast_lab::measure::alloc::CountingAllocator =
    corecast_lab::measure::alloc::CountingAllocator;
