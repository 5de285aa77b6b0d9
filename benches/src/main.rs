//! The `corecast` command.

use std::process::ExitCode;

use corecast_lab::measure::alloc::CountingAllocator;

/// Rows that count allocations need it; while nobody counts it costs an allocation one load.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    corecast_lab::cli::main()
}
