//! The command: which configurations, for how long, and what becomes of the result.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::session::{self, Amount};
use super::table::{self, Configuration};
use super::watch::{Watch, Watchdog, bite};
use crate::cli;

/// Minutes, unless told.
const MINUTES: f64 = 1.0;
/// A week.
const MOST_MINUTES: f64 = 7.0 * 24.0 * 60.0;

/// Arguments of `corecast stress`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How long, in minutes; every configuration is run once at least [default: 1]
    #[arg(long, value_name = "N", value_parser = minutes)]
    pub minutes: Option<f64>,
    /// So many events of each configuration instead, however long that takes
    #[arg(long, value_name = "N", conflicts_with = "minutes", value_parser = events)]
    pub events: Option<u64>,
    /// What parameters and faults grow from
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Only the configuration of this name
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Seconds without progress that are a hang
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience: u64,
    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
    /// Print the configurations, and run nothing
    #[arg(long)]
    pub list: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if minutes > 0.0 && minutes <= MOST_MINUTES => Ok(minutes),
        _ => Err(format!(
            "expected minutes, more than 0 and at most {MOST_MINUTES}"
        )),
    }
}

fn events(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(events @ 1..=1_000_000_000_000) => Ok(events),
        _ => Err("expected a number of events from 1 to 1000000000000".to_owned()),
    }
}

/// Why nothing was run.
#[derive(Debug)]
#[non_exhaustive]
pub enum StressError {
    /// No configuration has this name.
    NoConfiguration(String),
}

impl fmt::Display for StressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConfiguration(name) => {
                write!(f, "no configuration is called {name:?}; --list shows them")
            }
        }
    }
}

impl Error for StressError {}

/// Runs the configurations and prints the report.
///
/// # Errors
///
/// Bad arguments, an engine that could not be built, or standard output is closed. A mismatch is
/// exit code 1; so is a hang, which ends the process.
pub fn run(args: &Args) -> Result<ExitCode, cli::Error> {
    let chosen = select(args.only.as_deref())?;
    if args.list {
        cli::print(format_args!("{}", List(&chosen)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let amount = match args.events {
        Some(events) => Amount::Events(events),
        None => {
            let minutes = args.minutes.unwrap_or(MINUTES);
            Amount::Time(Duration::from_secs_f64(60.0 * minutes))
        }
    };
    let watch = Arc::new(Watch::default());
    let _watchdog = Watchdog::start(&watch, Duration::from_secs(args.patience), bite)?;
    let bar = progress(args.json);
    let report = session::run(
        &chosen,
        args.seed,
        amount,
        &watch,
        |configuration, share| {
            bar.set_position((share * 1000.0) as u64);
            bar.set_message(configuration.name);
        },
    );
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        cli::print(format_args!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        cli::print(format_args!("{report}"))?;
    }
    for finding in report.findings() {
        let _unseen = writeln!(io::stderr(), "mismatch: {finding}");
    }
    Ok(if report.mismatches == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A bar on standard error, if that is a terminal.
fn progress(json: bool) -> ProgressBar {
    if json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:32} {elapsed} {msg}");
    ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn select(only: Option<&str>) -> Result<Vec<Configuration>, StressError> {
    let mut chosen = table::ALL.to_vec();
    if let Some(name) = only {
        chosen.retain(|configuration| configuration.name == name);
        if chosen.is_empty() {
            return Err(StressError::NoConfiguration(name.to_owned()));
        }
    }
    Ok(chosen)
}

/// The configurations, a line each.
struct List<'a>(&'a [Configuration]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Configuration { name, about, .. } in self.0 {
            writeln!(f, "{name:22} {about}")?;
        }
        Ok(())
    }
}
