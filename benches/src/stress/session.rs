//! A run: configurations, lap after lap, until the time is up or the events are there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::process::resident_bytes;
use super::report::{Memory, Report, Row};
use super::round::Round;
use super::table::Configuration;
use super::watch::Watch;
use crate::cli::Error;

/// Events of a round, at most.
const ROUND_EVENTS: u64 = 2_000_000;
/// The same where a number of events is asked for.
const LONG_ROUND_EVENTS: u64 = 10_000_000;
/// A round's time, at most and at least.
const ROUND_LIMIT: Duration = Duration::from_millis(1500);
const ROUND_FLOOR: Duration = Duration::from_millis(20);
/// The same for a configuration that measures, when it is the only one.
const ALONE_LIMIT: Duration = Duration::from_secs(10);

/// How much.
#[derive(Debug, Clone, Copy)]
pub(super) enum Amount {
    /// Laps until this much time has passed, one at least.
    Time(Duration),
    /// As many events of each configuration, whatever the time.
    Events(u64),
}

/// Runs `chosen`; `begin` is told of each round and how much of the run is over, from 0 to 1.
///
/// # Errors
///
/// What could not be run; a finding is no error here.
pub(super) fn run(
    chosen: &[Configuration],
    seed: u64,
    amount: Amount,
    watch: &Arc<Watch>,
    mut begin: impl FnMut(&Configuration, f64),
) -> Result<Report, Error> {
    let start = Instant::now();
    let mut rows: Vec<Row> = chosen.iter().map(Row::new).collect();
    let alone = chosen.len() == 1;
    let mut memory = Memory::default();
    let mut laps = 0;
    'laps: loop {
        for (index, configuration) in chosen.iter().enumerate() {
            let done = rows[index].events;
            let (until, events, share) = match amount {
                Amount::Time(time) => {
                    let left = time.saturating_sub(start.elapsed());
                    if laps > 0 && left.is_zero() {
                        break 'laps;
                    }
                    let to_come = (chosen.len() - index) as u32;
                    let measures = alone && configuration.measures;
                    let limit = if measures { ALONE_LIMIT } else { ROUND_LIMIT };
                    // The first lap is whole, however short; its rounds end a little late each.
                    let share = if laps == 0 {
                        left * 9 / 10 / to_come
                    } else {
                        left
                    };
                    let round = share.min(limit).max(ROUND_FLOOR);
                    let over = start.elapsed().as_secs_f64() / time.as_secs_f64();
                    (Some(Instant::now() + round), ROUND_EVENTS, over)
                }
                Amount::Events(events) if done >= events && laps > 0 => continue,
                Amount::Events(events) => {
                    let all = events as f64 * chosen.len() as f64;
                    let came: u64 = rows.iter().map(|row| row.events.min(events)).sum();
                    (
                        None,
                        (events - done).min(LONG_ROUND_EVENTS),
                        came as f64 / all,
                    )
                }
            };
            begin(configuration, share.min(1.0));
            watch.begin(format!("{} (seed {seed}, lap {laps})", configuration.name));
            let round = Round {
                dice: Dice::for_round(seed, configuration.name, laps),
                events,
                until,
                alone,
                watch,
            };
            let began = Instant::now();
            let outcome = (configuration.play)(&round)
                .map_err(|error| format!("{}: {error}", configuration.name))?;
            rows[index].add(laps, outcome, began.elapsed());
            memory.see(resident_bytes());
        }
        laps += 1;
        memory.end_lap(resident_bytes());
        if let Amount::Events(events) = amount
            && rows
                .iter()
                .all(|row| row.events >= events || row.is_a_measure())
        {
            break;
        }
    }
    Ok(Report::new(seed, laps, start.elapsed(), memory, rows))
}
