//! The built-in market: a stream of records that needs no file.

mod dice;
mod flow;
mod resting;

use super::{SourceError, Tick, TickFeed};
use flow::Flow;

/// A market-by-order feed of one instrument, made up as it goes.
///
/// Orders come and go around a drifting price, trades fill the oldest orders at the best prices,
/// quiet moments alternate with rushes, and now and then the venue clears its book. Every cancel,
/// modify and fill is of an order that rests, and every bid is below every ask. The same seed gives
/// the same ticks on every platform, whatever the number asked for.
///
/// # Examples
///
/// ```
/// use corecast_lab::market::{Action, MarketFeed};
///
/// let mut feed = MarketFeed::new(7, 1000);
/// assert_eq!(feed.next().unwrap().action, Action::Clear);
/// assert_eq!(feed.count(), 999);
/// ```
#[derive(Debug, Clone)]
pub struct MarketFeed {
    flow: Flow,
    /// How much of what the flow has told is passed on.
    passed_on: usize,
    left: u64,
}

impl MarketFeed {
    /// The feed of `events` ticks that grows from `seed`.
    #[must_use]
    pub fn new(seed: u64, events: u64) -> Self {
        Self {
            flow: Flow::new(seed),
            passed_on: 0,
            left: events,
        }
    }

    /// How many ticks are still to come.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl Iterator for MarketFeed {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        self.left = self.left.checked_sub(1)?;
        if self.passed_on == self.flow.told().len() {
            self.flow.advance();
            self.passed_on = 0;
        }
        let tick = self.flow.told()[self.passed_on];
        self.passed_on += 1;
        Some(tick)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left);
        (left.unwrap_or(usize::MAX), left.ok())
    }
}

impl TickFeed for MarketFeed {
    fn fill(&mut self, ticks: &mut Vec<Tick>, limit: usize) -> Result<usize, SourceError> {
        let before = ticks.len();
        ticks.extend(self.take(limit));
        Ok(ticks.len() - before)
    }
}

/// The first `events` ticks of the built-in market that grows from `seed`, 56 bytes each.
#[must_use]
pub fn market_ticks(events: usize, seed: u64) -> Vec<Tick> {
    MarketFeed::new(seed, events as u64).collect()
}
