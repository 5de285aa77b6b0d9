//! The command: measures, recommends, verifies, writes.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use corecast_affinity::{Cores, Placement};

use crate::cli::{self, Error};
use crate::measure::machine::Machine;
use crate::replay::Progress;

use super::args::Args;
use super::configuration::Configuration;
use super::load::{Load, Rate};
use super::measured::Measured;
use super::recommend::{NoRecommendation, Recommendation, recommend};
use super::report::Report;
use super::snippet::builder_code;
use super::sweep::{Lap, Schedule, Setting};
use super::verify::{ROUNDS, Round, Verdict};
use super::work::Work;
use super::{html, interrupt};

/// The most memory that the lanes of one configuration may take.
const MOST_LANE_BYTES: usize = 2 << 30;

/// Runs the command.
///
/// # Errors
///
/// An argument is at fault, the load is impossible or was sustained by no configuration, a lap
/// failed, or the report cannot be written. A recommendation that does not hold is not an error but,
/// with `--verify`, exit code 1; an interruption is exit code 130.
pub fn run(args: &Args) -> Result<ExitCode, Error> {
    let load = args.load();
    let configurations = args.sweep().configurations()?;
    let cores = args.cores().cloned().unwrap_or_default();
    let cpus = check(&load, &cores, &configurations)?;
    if args.verify && configurations.len() < 2 {
        return Err("--verify compares two configurations, and there is one to try".into());
    }
    check_writable(&args.report)?;
    interrupt::heed()?;
    let work = Work::calibrated(load.listener_ns);
    let setting = Setting {
        load: &load,
        work,
        cores: &cores,
        schedule: Schedule::of(args.seconds(), load.rate),
    };
    let laps = measure(&setting, &configurations, args.verify)?;
    let measured = configurations.iter().zip(&laps);
    let measured: Vec<Measured> = measured
        .filter_map(|(configuration, laps)| Measured::of(*configuration, laps))
        .collect();
    let rate = match load.rate {
        Rate::Max => None,
        Rate::PerSecond(rate) => Some(rate),
    };
    let advice = recommend(&measured, rate, args.criterion());
    if let Err(nothing @ NoRecommendation::Nothing) = advice {
        return Err(nothing.into());
    }
    let verdict = match &advice {
        Ok(advice) if args.verify => verify(&setting, &measured, advice)?,
        _ => None,
    };
    let interrupted = interrupt::is_raised();
    let code = advice.as_ref().ok().map(|advice| {
        let best = measured[advice.index].configuration;
        builder_code(&best, args.cores())
    });
    let report = Report {
        machine: Machine::detect(),
        load,
        cores: cores.to_string(),
        worker_cpus: cpus,
        seconds: args.seconds().as_secs_f64(),
        laps: setting.schedule.laps,
        work_step_ns: work.step_ns(),
        criterion: args.criterion(),
        planned: configurations.len(),
        interrupted,
        configurations: measured,
        recommendation: advice.as_ref().ok().cloned(),
        refused: advice.as_ref().err().map(NoRecommendation::to_string),
        builder_code: code,
        verdict,
        report: args.report.display().to_string(),
    };
    fs::write(&args.report, html::page(&report)?)
        .map_err(|error| format!("{}: cannot be written: {error}", args.report.display()))?;
    if args.json {
        cli::print(format_args!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        cli::print(format_args!("{report}"))?;
    }
    if interrupted {
        note(format_args!("interrupted: the report has what was done"));
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    match (advice, &report.verdict) {
        (Err(refused), _) => Err(refused.into()),
        (Ok(_), Some(verdict)) if !verdict.holds => {
            note(format_args!("{verdict}"));
            Ok(ExitCode::FAILURE)
        }
        (Ok(_), _) => Ok(ExitCode::SUCCESS),
    }
}

/// Finds what is impossible before anything is measured; the number of CPUs with workers.
fn check(load: &Load, cores: &Cores, configurations: &[Configuration]) -> Result<usize, Error> {
    let mut cpus = 0;
    for configuration in configurations {
        let per_core = configuration.workers_per_core;
        let workers = Placement::here(cores, per_core)?.workers().len();
        cpus = workers / per_core;
        // A slot is an event and its stamp, in whole cache lines.
        let slot = (load.event_bytes + size_of::<u64>()).next_multiple_of(64);
        let lanes = workers.saturating_mul(load.emitters);
        let bytes = slot
            .saturating_mul(lanes)
            .saturating_mul(configuration.capacity);
        if bytes > MOST_LANE_BYTES {
            return Err(format!(
                "impossible load: {lanes} lanes of {} events of {} bytes are {} MiB; {} MiB is the most",
                configuration.capacity,
                load.event_bytes,
                bytes >> 20,
                MOST_LANE_BYTES >> 20
            )
            .into());
        }
    }
    load.check(cpus)?;
    Ok(cpus)
}

/// Before minutes of measuring: whether the page can be written at their end.
fn check_writable(path: &Path) -> Result<(), Error> {
    let existed = path.exists();
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|error| format!("{}: cannot be written: {error}", path.display()))?;
    if !existed {
        // Should it stay, it is overwritten.
        let _stays = fs::remove_file(path);
    }
    Ok(())
}

/// Runs the sweep, and says how it goes.
fn measure(
    setting: &Setting<'_>,
    configurations: &[Configuration],
    verify: bool,
) -> Result<Vec<Vec<Lap>>, Error> {
    let lap = setting.schedule.lap();
    let laps = setting.schedule.laps * configurations.len();
    let again = if verify { 2 * ROUNDS } else { 0 };
    note(format_args!(
        "{} configurations, {} laps each{}: about {}; Ctrl-C ends it early and writes the report",
        configurations.len(),
        setting.schedule.laps,
        if verify { ", and a verification" } else { "" },
        minutes(lap * (laps + again) as u32)
    ));
    let whole = u64::try_from((lap * laps as u32).as_millis()).unwrap_or(u64::MAX);
    let progress = Progress::of_sweep(whole);
    setting.sweep(
        configurations,
        &interrupt::is_raised,
        |number, total, configuration| {
            progress.show(whole * number as u64 / total.max(1) as u64);
            progress.say(configuration.to_string());
            if progress.is_hidden() {
                note(format_args!("[{}/{total}] {configuration}", number + 1));
            }
        },
    )
}

/// Runs the recommended and the worst configuration in turn; no verdict where it is interrupted, or
/// there is no worst one.
fn verify(
    setting: &Setting<'_>,
    measured: &[Measured],
    advice: &Recommendation,
) -> Result<Option<Verdict>, Error> {
    let Some(worst) = advice.worst else {
        return Ok(None);
    };
    let (best, worst) = (&measured[advice.index], &measured[worst]);
    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        note(format_args!(
            "[verify {}/{ROUNDS}] {} against {}",
            round + 1,
            best.configuration,
            worst.configuration
        ));
        let cost = |configuration: Configuration| -> Result<Option<Option<f64>>, Error> {
            let lap = setting.lap(configuration, &interrupt::is_raised)?;
            let measured = lap.and_then(|lap| Measured::of(configuration, &[lap]));
            Ok(measured.map(|one| {
                let cost = advice.criterion.cost(&one.typical());
                (one.keeps_up() && cost.is_finite()).then_some(cost)
            }))
        };
        // Each goes first in every other round.
        let (recommended, other) = if round % 2 == 0 {
            let recommended = cost(best.configuration)?;
            (recommended, cost(worst.configuration)?)
        } else {
            let other = cost(worst.configuration)?;
            (cost(best.configuration)?, other)
        };
        let (Some(recommended), Some(worst)) = (recommended, other) else {
            return Ok(None);
        };
        rounds.push(Round { recommended, worst });
    }
    Ok(Some(Verdict::of(advice.criterion, rounds)))
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().ceil() as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// One line on standard error. A closed one does not end a run.
fn note(line: fmt::Arguments<'_>) {
    let _unseen = writeln!(io::stderr(), "{line}");
}
