//! The `corecast` command: its subcommands, its errors, its output.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};

/// What a subcommand fails with. It becomes one line on standard error, and exit code 1.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Makes the subcommands of modules that each have `Args` and `run(&Args)`.
macro_rules! subcommands {
    ($($(#[doc = $doc:literal])+ $name:ident => $module:ident),+ $(,)?) => {
        #[derive(Debug, clap::Subcommand)]
        enum Subcommand {
            $($(#[doc = $doc])+ $name(crate::$module::Args),)+
        }

        impl Subcommand {
            fn run(&self) -> Result<ExitCode, Error> {
                match self {
                    $(Self::$name(args) => crate::$module::run(args),)+
                }
            }
        }
    };
}

subcommands! {
    /// Dispatch a market feed and report what the listeners made of it
    Replay => replay,
    /// Measure corecast and its peers side by side
    Compare => compare,
    /// Run every configuration under random faults and check the sums
    Stress => stress,
    /// Find the engine configuration that suits a load, by measuring
    Tune => tune,
}

/// The laboratory of the Corecast event dispatch engine.
#[derive(Debug, Parser)]
#[command(name = "corecast", version)]
struct Cli {
    #[command(subcommand)]
    subcommand: Subcommand,
}

/// Runs the command that the process was started with, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let parsed = command().try_get_matches();
    let ended = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli.subcommand.run(),
        Err(error) => explain(&error),
    };
    match ended {
        Ok(code) => code,
        // Nobody reads any more: that is how `corecast … | head` ends, and no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed too, the exit code alone must do.
            let _unread = writeln!(io::stderr(), "corecast: {}", OneLine(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// The command line. A negative number behind an option is its value, and as a rule a wrong one, but
/// not an unknown option.
fn command() -> clap::Command {
    Cli::command().mut_subcommands(|subcommand| {
        subcommand.mut_args(|argument| {
            let has_value = argument.get_action().takes_values();
            argument.allow_negative_numbers(has_value)
        })
    })
}

/// Writes to standard output, all of it.
///
/// # Errors
///
/// Standard output cannot be written to; the message says so, unless it is a closed pipe.
pub fn print(text: fmt::Arguments<'_>) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    let written = output.write_fmt(text).and_then(|()| output.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => error.into(),
        _ => format!("cannot write to standard output: {error}").into(),
    })
}

/// Answers `--help` and `--version`, which the parser reports as errors; passes on what is one.
fn explain(error: &clap::Error) -> Result<ExitCode, Error> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            error.print()?;
            Ok(ExitCode::SUCCESS)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Err("a subcommand is needed; see corecast --help".into())
        }
        _ => {
            // The paragraphs after the first tell the usage and where to find help.
            let message = error.to_string();
            let first = message.split("\n\n").next().unwrap_or_default();
            Err(first.strip_prefix("error: ").unwrap_or(first).into())
        }
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A message on one line: a file name may hold anything.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self
            .0
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        for (index, line) in lines.by_ref().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{}", line.replace(char::is_control, "?"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn a_message_stays_on_one_line() {
        for (message, line) in [
            ("plain", "plain"),
            ("no such file: a\u{7}b", "no such file: a?b"),
            ("needed:\n  --one\n\n  --two\n", "needed: --one --two"),
            ("a\rb", "a?b"),
        ] {
            assert_eq!(OneLine(message).to_string(), line);
        }
    }
}
