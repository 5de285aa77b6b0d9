//! The report as a page for a person.

use std::fmt::{self, Formatter};

use super::report::{Quote, Report};
use super::run::Delivered;
use super::text::{Count, Nanoseconds, Price};
use crate::market::Action;

/// The width of what a line is about, and of the figure after it.
const LABEL: usize = 24;
const FIGURE: usize = 16;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Replayed {}\n", self.feed)?;
        self.write_totals(f)?;
        self.write_listeners(f)?;
        self.write_workers(f)?;
        self.write_actions(f)?;
        self.write_market(f)?;
        self.write_speed(f)
    }
}

/// A line with a figure that lines up with those above and below.
fn figure(f: &mut Formatter<'_>, label: &str, figure: impl fmt::Display) -> fmt::Result {
    write!(f, "{label:LABEL$}{figure:>FIGURE$}")
}

impl Report {
    fn write_totals(&self, f: &mut Formatter<'_>) -> fmt::Result {
        figure(f, "records", Count(self.records))?;
        let recorded = Nanoseconds((self.recorded_seconds * 1e9) as u64);
        writeln!(f, "  over {recorded} of recorded time")?;
        figure(f, "rejected", Count(self.rejected))?;
        for (reason, count) in &self.refusals {
            write!(f, "  {reason} {}", Count(*count))?;
        }
        writeln!(f)?;
        figure(f, "dropped", Count(self.dropped))?;
        writeln!(f)?;
        figure(f, "delivered", Count(self.delivered))?;
        writeln!(f, "\n")
    }

    fn write_listeners(&self, f: &mut Formatter<'_>) -> fmt::Result {
        figure(f, "listener", "delivered")?;
        writeln!(f, "  path")?;
        for Delivered {
            name,
            path,
            delivered,
        } in &self.listeners
        {
            figure(f, &format!("  {name}"), Count(*delivered))?;
            writeln!(f, "  {path}")?;
        }
        writeln!(f)
    }

    fn write_workers(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for worker in &self.workers {
            figure(f, "worker", worker.worker)?;
            writeln!(f, "  {worker}")?;
        }
        if self.workers.is_empty() {
            Ok(())
        } else {
            writeln!(f)
        }
    }

    fn write_actions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        figure(f, "action", "records")?;
        writeln!(f, "{:>10}", "share")?;
        let total: u64 = self.actions.values().sum();
        for (&letter, &count) in &self.actions {
            let action = u8::try_from(letter).map_or(Action::Unknown, Action::from_letter);
            figure(f, &format!("  {letter} {action}"), Count(count))?;
            writeln!(f, "{:>8.2} %", 100.0 * count as f64 / total as f64)?;
        }
        writeln!(f)
    }

    fn write_market(&self, f: &mut Formatter<'_>) -> fmt::Result {
        figure(f, "open orders", Count(self.open_orders))?;
        match self.instruments {
            0 => writeln!(f)?,
            1 => writeln!(f, "  of one instrument")?,
            several => writeln!(f, "  of {} instruments", Count(several))?,
        }
        if let Some(instrument) = self.instrument {
            writeln!(f, "instrument {instrument}")?;
            write_quote(f, "  best bid", self.best_bid, self.bid_levels)?;
            write_quote(f, "  best ask", self.best_ask, self.ask_levels)?;
        }
        figure(f, "traded", Count(self.traded_volume))?;
        write!(f, "  in {} trades", Count(self.trades.count))?;
        for (name, price) in [
            ("average", self.trades.vwap),
            ("high", self.trades.high),
            ("low", self.trades.low),
            ("last", self.trades.last),
        ] {
            if let Some(price) = price {
                write!(f, ", {name} {}", Price(price))?;
            }
        }
        writeln!(f, "\n")
    }

    fn write_speed(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (Some(seconds), Some(rate)) = (self.seconds, self.events_per_second) else {
            return writeln!(f, "{:LABEL$}{:>FIGURE$}", "throughput", "not measured");
        };
        figure(f, "throughput", Count(rate as u64))?;
        let busy = Nanoseconds((seconds * 1e9) as u64);
        writeln!(f, "  records per second, for {busy}")?;
        let latency = self.latency_ns;
        for (name, value) in [
            ("latency p50", latency.p50),
            ("        p99", latency.p99),
            ("        p99.9", latency.p999),
            ("        max", latency.max),
        ] {
            if let Some(value) = value {
                figure(f, name, Nanoseconds(value))?;
                writeln!(f)?;
            }
        }
        writeln!(
            f,
            "{:LABEL$}{:>FIGURE$}  records timed",
            "",
            Count(latency.count)
        )
    }
}

/// A line for the best price of a side.
fn write_quote(
    f: &mut Formatter<'_>,
    label: &str,
    quote: Option<Quote>,
    levels: u64,
) -> fmt::Result {
    match quote {
        Some(Quote { price, size }) => {
            figure(f, label, Price(price))?;
            writeln!(
                f,
                "  × {}, the best of {} prices",
                Count(size),
                Count(levels)
            )
        }
        None => {
            figure(f, label, "none")?;
            writeln!(f)
        }
    }
}
