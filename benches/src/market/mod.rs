//! The market: records, where they come from, and what can be learnt from them.

mod book;
mod books;
mod feed;
mod record;
mod source;
mod stats;

pub use book::{Book, Level, Order};
pub use books::{Books, Instrument};
pub use feed::{MarketFeed, market_ticks};
pub use record::{Action, Side, Tick};
pub use source::{DbnSource, SourceError};
pub use stats::{MessageCounts, TradeStats};

/// A silence so long lies between two sessions: an hour, in nanoseconds.
pub const SESSION_GAP_NS: u64 = 3_600_000_000_000;

/// Where ticks come from.
pub trait TickFeed: std::fmt::Debug {
    /// Appends up to `limit` ticks to `ticks` and returns how many; 0 means that the feed is over.
    ///
    /// # Errors
    ///
    /// The feed is read from a file, and the file is at fault.
    fn fill(&mut self, ticks: &mut Vec<Tick>, limit: usize) -> Result<usize, SourceError>;
}
