//! What a replay has to say at its end, for a program (JSON) or a person (text).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Delivered, Desk, Outcome, Plan, WorkerReport};
use crate::market::{Level, Side};

/// The end report. As JSON it is one object, whose keys are the fields; what was not measured, or is
/// not there, is `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Where the records came from.
    pub feed: String,
    /// The records that were read.
    pub records: u64,
    /// Those that a check refused; they were not dispatched.
    pub rejected: u64,
    /// The same by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// The dispatched records by action letter; letters that did not occur are left out.
    pub actions: BTreeMap<char, u64>,
    /// The sizes of all trades, added up.
    pub traded_volume: u64,
    /// More about the trades.
    pub trades: Trades,
    /// The orders that rest on all books.
    pub open_orders: u64,
    /// How many instruments the records speak of.
    pub instruments: u64,
    /// The instrument with the most records, whose book the next four keys are about.
    pub instrument: Option<u32>,
    /// Its highest bid.
    pub best_bid: Option<Quote>,
    /// Its lowest ask.
    pub best_ask: Option<Quote>,
    /// How many prices are bid for it.
    pub bid_levels: u64,
    /// How many prices are asked for it.
    pub ask_levels: u64,
    /// The listeners' calls, added up: each listener was called with every dispatched record.
    pub delivered: u64,
    /// The same by listener.
    pub listeners: Vec<Delivered>,
    /// The records that were dispatched and lost.
    pub dropped: u64,
    /// The workers that called the asynchronous listeners.
    pub workers: Vec<WorkerReport>,
    /// The recorded time between the first record and the last, in seconds.
    pub recorded_seconds: f64,
    /// The time from dispatching the first record to the last listener's end, without reading.
    pub seconds: Option<f64>,
    /// Records per second of that time.
    pub events_per_second: Option<f64>,
    /// From when a record was due (or dispatched, at full speed) to when the order book had it, and
    /// whoever came before it on that worker.
    pub latency_ns: LatencyReport,
}

/// A price and what rests there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// The price in units of 1e-9.
    pub price: i64,
    /// The sizes of the orders at that price, added up.
    pub size: u64,
}

impl From<Level> for Quote {
    fn from(level: Level) -> Self {
        Self {
            price: level.price,
            size: level.size,
        }
    }
}

/// The trades; prices in units of 1e-9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trades {
    /// How many there were.
    pub count: u64,
    /// The average price, weighted by size.
    pub vwap: Option<i64>,
    /// The highest price.
    pub high: Option<i64>,
    /// The lowest price.
    pub low: Option<i64>,
    /// The price of the last trade.
    pub last: Option<i64>,
}

/// Percentiles in nanoseconds; `None` where nothing was timed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LatencyReport {
    /// The records that were timed.
    pub count: u64,
    /// Half were no later.
    pub p50: Option<u64>,
    /// 99 in 100 were no later.
    pub p99: Option<u64>,
    /// 999 in 1000 were no later.
    pub p999: Option<u64>,
    /// None was later.
    pub max: Option<u64>,
}

impl Report {
    /// Puts together what came of a run. Nothing in it depends on the machine's speed if the plan
    /// was not to time.
    #[must_use]
    pub fn new(feed: String, plan: &Plan, outcome: &Outcome) -> Self {
        let Outcome {
            totals,
            refusals,
            dropped,
            listeners,
            desk,
            workers,
        } = outcome;
        let busiest = desk.books.busiest();
        let book = busiest.map(|(_, book)| book);
        let seconds = plan.timed.then_some(totals.busy.as_secs_f64());
        let trades = desk.trades;
        Self {
            feed,
            records: totals.records,
            rejected: refusals.total(),
            refusals: refusals.by_reason().collect(),
            actions: desk
                .messages
                .seen()
                .map(|(action, count)| (action.letter(), count))
                .collect(),
            traded_volume: trades.volume(),
            trades: Trades {
                count: trades.count(),
                vwap: trades.vwap(),
                high: trades.high(),
                low: trades.low(),
                last: trades.last(),
            },
            open_orders: desk.books.open_orders() as u64,
            instruments: desk.books.len() as u64,
            instrument: busiest.map(|(instrument, _)| instrument.number),
            best_bid: book.and_then(|book| book.best_bid()).map(Quote::from),
            best_ask: book.and_then(|book| book.best_ask()).map(Quote::from),
            bid_levels: book.map_or(0, |book| book.depth(Side::Bid) as u64),
            ask_levels: book.map_or(0, |book| book.depth(Side::Ask) as u64),
            delivered: listeners.iter().map(|listener| listener.delivered).sum(),
            listeners: listeners.clone(),
            dropped: *dropped,
            workers: workers.clone(),
            recorded_seconds: totals.recorded_ns as f64 / 1e9,
            seconds,
            events_per_second: seconds
                .filter(|seconds| *seconds > 0.0)
                .map(|seconds| totals.records as f64 / seconds),
            latency_ns: LatencyReport::new(desk),
        }
    }
}

impl LatencyReport {
    fn new(desk: &Desk) -> Self {
        let percentiles = desk.latency.latency().percentiles();
        let measured = |value| (percentiles.count > 0).then_some(value);
        Self {
            count: percentiles.count,
            p50: measured(percentiles.p50),
            p99: measured(percentiles.p99),
            p999: measured(percentiles.p999),
            max: measured(percentiles.max),
        }
    }
}
