//! The reference: the same checks and listeners, called one after the other on one thread.

use super::desk::{Desk, LatencyRecorder, Listen};
use super::gate::{Refusal, Refusals, check_price, check_shape};
use super::run::{Delivered, Dispatch, Outcome, Path, Plan, drive};
use super::sequence::SequenceCheck;
use super::{Clock, Progress};
use crate::cli::Error;
use crate::market::{Books, MessageCounts, Tick, TickFeed, TradeStats};

/// The names of the checks, in the order in which they are made.
pub const CHECKS: [&str; 3] = ["shape check", "price check", "sequence check"];

/// Calls checks and listeners itself.
#[derive(Debug)]
struct Direct {
    sequences: SequenceCheck,
    refusals: Refusals,
    dispatched: u64,
    desk: Desk,
}

impl Direct {
    fn check(&self, tick: &Tick) -> Result<(), Refusal> {
        check_shape(tick)?;
        check_price(tick)?;
        self.sequences.check(tick)
    }
}

impl Dispatch for Direct {
    fn dispatch(&mut self, tick: Tick) -> Result<(), Error> {
        if let Err(refusal) = self.check(&tick) {
            self.refusals.count(refusal);
            return Ok(());
        }
        self.desk.books.on_tick(&tick);
        self.desk.trades.on_tick(&tick);
        self.desk.messages.on_tick(&tick);
        self.desk.latency.on_tick(&tick);
        self.dispatched += 1;
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Replays `feed` on the calling thread, without signals and without workers.
///
/// What any other way of dispatching must arrive at, and what it costs to do the work alone.
///
/// # Errors
///
/// The feed failed.
pub fn run_direct(
    feed: &mut dyn TickFeed,
    plan: &Plan,
    progress: &Progress,
) -> Result<Outcome, Error> {
    let clock = Clock::start();
    let mut direct = Direct {
        sequences: SequenceCheck::new(),
        refusals: Refusals::default(),
        dispatched: 0,
        desk: Desk::new(clock),
    };
    let totals = drive(feed, plan, clock, &mut direct, progress)?;
    let Direct {
        refusals,
        dispatched: delivered,
        desk,
        ..
    } = direct;
    let listeners = [
        Books::NAME,
        TradeStats::NAME,
        MessageCounts::NAME,
        LatencyRecorder::NAME,
    ];
    let listeners = CHECKS
        .into_iter()
        .chain(listeners)
        .map(|name| Delivered {
            name,
            path: Path::Direct,
            delivered,
        })
        .collect();
    Ok(Outcome {
        totals,
        refusals,
        dropped: 0,
        listeners,
        desk,
        workers: Vec::new(),
    })
}
