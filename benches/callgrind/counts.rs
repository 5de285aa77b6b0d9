//! Instructions per operation, counted by callgrind and held to the limits in `COUNTS.md`.
//!
//! `cargo bench -p corecast-lab --bench counts` counts and compares, where valgrind and the runner
//! (`iai-callgrind-runner`, of the version of the `iai-callgrind` crate) are; where one of them is
//! not, it says which, and succeeds. `-- --bless` writes what it counts, and limits a little above,
//! to `COUNTS.md`.

mod bless;
mod changes;
mod emitters;
mod events;
mod limits;
#[path = "../criterion/setup.rs"]
mod setup;
mod walks;

use std::env;
use std::process::{Command, ExitCode, Stdio};

/// What starts the benches one by one under valgrind. The path is taken as the macro below takes it.
const RUNNER: &str = match option_env!("IAI_CALLGRIND_RUNNER") {
    Some(path) => path,
    None => "iai-callgrind-runner",
};

fn main() -> ExitCode {
    let has = |flag: &str| env::args().skip(1).any(|argument| argument == flag);
    if has("--iai-run") {
        return harness::run();
    }
    if let Err(missing) = [RUNNER, "valgrind"].into_iter().try_for_each(find) {
        println!("counts: nothing was counted: {missing} is not installed (see benches/COUNTS.md)");
        return ExitCode::SUCCESS;
    }
    if has("--bless") {
        return bless::run();
    }
    if !has("--bench") {
        println!("counts: nothing was counted: this is for cargo bench");
        return ExitCode::SUCCESS;
    }
    harness::run()
}

/// Whether `program` can be started; else its name.
fn find(program: &'static str) -> Result<(), &'static str> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop).map_err(|_| program)
}

mod harness {
    use super::changes::subscribe;
    use super::emitters::emitter;
    use super::events::{dispatch, lane};
    use super::walks::{emit, try_emit};

    iai_callgrind::main!(
        library_benchmark_groups = emit,
        try_emit,
        lane,
        dispatch,
        emitter,
        subscribe
    );

    pub(super) fn run() -> std::process::ExitCode {
        main();
        std::process::ExitCode::SUCCESS
    }
}
