//! What listens to the market: state machines that know nothing of who calls them.

use super::Clock;
use crate::market::{Books, MessageCounts, Tick, TradeStats};
use crate::measure::latency::Latency;

/// A listener of the replay.
///
/// One thread owns it and calls it with every dispatched tick, in order.
pub trait Listen: Send + 'static {
    /// What reports call it.
    const NAME: &'static str;

    /// Takes note of one tick.
    fn on_tick(&mut self, tick: &Tick);
}

impl Listen for Books {
    const NAME: &'static str = "order book";

    fn on_tick(&mut self, tick: &Tick) {
        self.apply(tick);
    }
}

impl Listen for TradeStats {
    const NAME: &'static str = "trade statistics";

    fn on_tick(&mut self, tick: &Tick) {
        self.observe(tick);
    }
}

impl Listen for MessageCounts {
    const NAME: &'static str = "message counts";

    fn on_tick(&mut self, tick: &Tick) {
        self.observe(tick);
    }
}

/// Records how long after it was due a timed tick gets here: it listens last.
#[derive(Debug, Clone)]
pub struct LatencyRecorder {
    clock: Clock,
    latency: Latency,
}

impl LatencyRecorder {
    /// A recorder that reads the clock by which ticks are timed.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            latency: Latency::new(),
        }
    }

    /// What has been recorded.
    #[must_use]
    pub fn latency(&self) -> &Latency {
        &self.latency
    }
}

impl Listen for LatencyRecorder {
    const NAME: &'static str = "latency";

    fn on_tick(&mut self, tick: &Tick) {
        if tick.due_ns != 0 {
            self.latency
                .record_ns(self.clock.now_ns().saturating_sub(tick.due_ns));
        }
    }
}

/// One of each listener, in the order in which they hear of a tick.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Keeps the order books.
    pub books: Books,
    /// Adds up the trades.
    pub trades: TradeStats,
    /// Counts the messages.
    pub messages: MessageCounts,
    /// Times those before it.
    pub latency: LatencyRecorder,
}

impl Desk {
    /// How many listeners there are.
    pub const LISTENERS: usize = 4;

    /// The listeners before their first tick, timed by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            books: Books::new(),
            trades: TradeStats::default(),
            messages: MessageCounts::default(),
            latency: LatencyRecorder::new(clock),
        }
    }
}
