//! `corecast replay`: a market feed through the engine.

mod clock;
mod desk;
mod direct;
mod engine;
mod gate;
mod pace;
mod page;
mod progress;
mod report;
mod run;
mod sequence;
pub(crate) mod text;
mod workers;

use std::path::PathBuf;
use std::process::ExitCode;

pub use clock::Clock;
pub use desk::{Desk, LatencyRecorder, Listen};
pub use direct::{CHECKS, run_direct};
pub use engine::run_engine;
pub use gate::{Refusal, Refusals, check_price, check_shape};
pub use pace::{ParseSpeedError, Speed, Timetable, wait_until, wait_until_by};
pub use progress::Progress;
pub use report::{LatencyReport, Quote, Report, Trades};
pub use run::{Delivered, Dispatch, Outcome, Path, Plan, Totals, drive};
pub use sequence::SequenceCheck;
pub(crate) use text::Count;
pub use workers::{WorkerArgs, WorkerReport};

use crate::cli::{self, Error};
use crate::market::{DbnSource, MarketFeed, TickFeed};

/// The ticks of the built-in market, unless asked for more or fewer: under a second's work.
const BUILT_IN_EVENTS: u64 = 2_000_000;

/// What the command line says.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A DBN file of market-by-order records (.dbn or .dbn.zst) [default: the built-in market]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// How many records to replay [default: all of the file, 2000000 of the built-in market]
    #[arg(long, value_name = "N")]
    events: Option<u64>,

    /// The number that the built-in market grows from
    #[arg(long, value_name = "N", default_value_t = 42, conflicts_with = "input")]
    seed: u64,

    /// max, realtime, or how many times the recorded pace; then latency counts from when a record
    /// was due
    #[arg(long, value_name = "SPEED", default_value_t = Speed::Max)]
    speed: Speed,

    #[command(flatten)]
    workers: WorkerArgs,

    /// No threads and no clocks: two runs print the same
    #[arg(long, conflicts_with = "speed")]
    manual: bool,

    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

/// Replays, and prints the report.
///
/// # Errors
///
/// The input or an option is at fault, or the report cannot be written.
pub fn run(args: &Args) -> Result<ExitCode, Error> {
    let plan = Plan {
        events: args.events,
        speed: args.speed,
        timed: !args.manual,
    };
    let (mut feed, name): (Box<dyn TickFeed>, String) = match &args.input {
        Some(path) => (Box::new(DbnSource::open(path)?), path.display().to_string()),
        None => {
            let events = args.events.unwrap_or(BUILT_IN_EVENTS);
            let name = format!("the built-in market, seed {}", args.seed);
            (Box::new(MarketFeed::new(args.seed, events)), name)
        }
    };
    let total = args
        .input
        .is_none()
        .then(|| args.events.unwrap_or(BUILT_IN_EVENTS));
    let progress = if args.json {
        Progress::hidden()
    } else {
        Progress::on_terminal(total)
    };
    let outcome = run_engine(feed.as_mut(), &plan, &args.workers, args.manual, &progress)?;
    drop(progress);
    let report = Report::new(name, &plan, &outcome);
    if args.json {
        cli::print(format_args!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        cli::print(format_args!("{report}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
