//! The `corecast` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    corecast_lab::cli::main()
}
