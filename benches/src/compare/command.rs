//! The command: which rows, on which CPUs, and what becomes of the result.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli;
use crate::measure::machine::Machine;
use corecast_affinity::{CpuId, PinError};

use crate::measure::{CpuPair, LapError, Pinned, Schedule, drift};

use super::pattern::matches;
use super::report::{Drift, Measured, Report, RowReport, Verdict};
use super::table::{Lab, Row};
use super::{growth, ours, peers};

/// The fewest rounds whose medians `--check` trusts.
const FEWEST_CHECKED_ROUNDS: usize = 9;

/// Arguments of `corecast compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only the rows with this in their names; `*` stands for any text and makes it the whole name
    #[arg(long, value_name = "PATTERN")]
    pub rows: Option<String>,
    /// Counted rounds per row: each runs every side once
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = rounds)]
    pub rounds: usize,
    /// Print one JSON document instead of the table
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 if a row is over its bar, and name each that is
    #[arg(long)]
    pub check: bool,
    /// The CPUs to emit and to work on; otherwise two that share no core are chosen
    #[arg(long, value_name = "A,B", value_parser = cpu_pair)]
    pub cpus: Option<CpuPair>,
    /// Print the rows and their bars, and measure nothing
    #[arg(long)]
    pub list: bool,
    /// Measure no rows, but how costs grow with listeners, workers, emitters, signals, lanes and
    /// sizes; write pictures and tables into this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["rows", "rounds", "json", "check", "list"])]
    pub growth: Option<PathBuf>,
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds @ 1..=10_000) => Ok(rounds),
        _ => Err("expected a number of rounds from 1 to 10000".to_owned()),
    }
}

fn cpu_pair(text: &str) -> Result<CpuPair, String> {
    let pair = text.split_once(',').and_then(|(emitter, worker)| {
        let number = |text: &str| text.trim().parse().ok().map(CpuId::new);
        Some(CpuPair {
            emitter: number(emitter)?,
            worker: number(worker)?,
        })
    });
    pair.ok_or_else(|| "expected two CPU numbers, such as 2,3".to_owned())
}

/// Why a run has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum CompareError {
    /// No row has this pattern in its name.
    NoRow(String),
    /// Too few rounds to check bars by.
    TooFewRounds(usize),
    /// A CPU cannot be used.
    Cpu(PinError),
    /// The raw round trip could not be taken.
    Drift(LapError),
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRow(pattern) => write!(f, "no row matches {pattern:?}; --list shows them"),
            Self::TooFewRounds(rounds) => write!(
                f,
                "--check takes the medians of at least {FEWEST_CHECKED_ROUNDS} rounds, not of {rounds}"
            ),
            Self::Cpu(error) => write!(f, "{error}"),
            Self::Drift(error) => write!(f, "raw round trip: {error}"),
        }
    }
}

impl Error for CompareError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cpu(error) => Some(error),
            Self::Drift(error) => Some(error),
            Self::NoRow(_) | Self::TooFewRounds(_) => None,
        }
    }
}

/// Every row of the table.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = ours::rows();
    rows.extend(peers::rows());
    rows
}

/// Runs the command: measures, prints, and judges.
///
/// # Errors
///
/// [`CompareError`]: bad arguments, or a CPU that cannot be used; or standard output is closed. A
/// row that failed, or whose sum was wrong, is not an error but exit code 1, after the report of all
/// the others; so is, with `--check`, a row over its bar.
pub fn run(args: &Args) -> Result<ExitCode, cli::Error> {
    if let Some(folder) = &args.growth {
        let cpus = args.cpus.unwrap_or_else(CpuPair::choose);
        growth::write(folder, growth::Extent::WHOLE, cpus, |what| {
            note(format_args!("{what}"));
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = select(rows(), args.rows.as_deref())?;
    if args.list {
        cli::print(format_args!("{}", List(&rows)))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.check && args.rounds < FEWEST_CHECKED_ROUNDS {
        return Err(CompareError::TooFewRounds(args.rounds).into());
    }
    let cpus = args.cpus.unwrap_or_else(CpuPair::choose);
    let schedule = Schedule {
        rounds: args.rounds,
        ..Schedule::default()
    };
    let report = measure_all(&rows, Lab { cpus, schedule }, |position, row| {
        note(format_args!(
            "[{}/{}] {}",
            position + 1,
            rows.len(),
            row.name()
        ));
    })?;
    if args.json {
        cli::print(format_args!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        cli::print(format_args!("{report}\n"))?;
    }
    Ok(judge(&report, args.check))
}

/// Names each row that failed and, with `check`, each row over its bar; exit code 1 if there is one.
fn judge(report: &Report, check: bool) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for row in &report.rows {
        match (row.verdict, row.figure(), row.bar, &row.measured) {
            (Verdict::Over, Some(figure), Some(bar), _) if check => note(format_args!(
                "over its bar: {}: {figure:.3}, bar {bar}",
                row.name
            )),
            (_, _, _, Measured::Failed { error }) => {
                note(format_args!("corecast: row {}: {error}", row.name));
            }
            _ => continue,
        }
        code = ExitCode::FAILURE;
    }
    code
}

/// One line on standard error. A closed one does not end a run.
fn note(line: fmt::Arguments<'_>) {
    let _unseen = writeln!(io::stderr(), "{line}");
}

/// Measures `rows` one after the other, with the raw round trip before, between and after them;
/// `begin` is told of each row before it is measured.
///
/// # Errors
///
/// As [`run`]. A row that fails does not end the run: the report says so.
pub fn measure_all(
    rows: &[Row],
    lab: Lab,
    mut begin: impl FnMut(usize, &Row),
) -> Result<Report, CompareError> {
    for cpu in [lab.cpus.emitter, lab.cpus.worker] {
        drop(Pinned::to(cpu).map_err(CompareError::Cpu)?);
    }
    let gauge = || match lab.cpus.is_two() {
        true => drift::gauge(lab.cpus)
            .map(Some)
            .map_err(CompareError::Drift),
        false => Ok(None),
    };
    let mut readings: Vec<u64> = Vec::with_capacity(rows.len() + 1);
    readings.extend(gauge()?);
    let mut reports = Vec::with_capacity(rows.len());
    for (position, row) in rows.iter().enumerate() {
        begin(position, row);
        let outcome = row.measure(&lab);
        reports.push(RowReport::new(row, &outcome, readings.last().copied()));
        readings.extend(gauge()?);
    }
    let names = |verdict| {
        let rows = reports.iter().filter(|row| row.verdict == verdict);
        rows.map(|row| row.name.clone()).collect()
    };
    Ok(Report {
        machine: Machine::detect(),
        cpus: lab.cpus,
        two_cpus: lab.cpus.is_two(),
        rounds: lab.schedule.rounds,
        drift: Drift::of(&readings),
        over: names(Verdict::Over),
        failed: names(Verdict::Failed),
        rows: reports,
    })
}

fn select(mut rows: Vec<Row>, pattern: Option<&str>) -> Result<Vec<Row>, CompareError> {
    if let Some(pattern) = pattern {
        rows.retain(|row| matches(pattern, row.name()));
        if rows.is_empty() {
            return Err(CompareError::NoRow(pattern.to_owned()));
        }
    }
    Ok(rows)
}

/// The rows and their bars, a line each.
struct List<'a>(&'a [Row]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|row| row.name().len()).max().unwrap_or(0);
        for row in self.0 {
            let bar = match (row.bar().limit(), row.bar().aim()) {
                (Some(bar), Some(aim)) => format!("at most {bar}, aim {aim}"),
                _ => "reported".to_owned(),
            };
            writeln!(
                f,
                "{:width$}  {bar:24}  against {}",
                row.name(),
                row.against()
            )?;
        }
        Ok(())
    }
}
