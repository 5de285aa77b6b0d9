//! The load that a configuration is sought for.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How many events there are in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// As many as can be delivered (closed loop).
    Max,
    /// So many, whether or not anybody keeps up (open loop).
    PerSecond(f64),
}

/// The fastest rate that a paced emitter can be asked for: a hundred nanoseconds are four readings
/// of the clock.
const FASTEST: f64 = 1e7;

/// The most that the listeners of one event may take together, so that a lap ends when it is to.
const LONGEST_EVENT_NS: u64 = 50_000_000;

/// A rate that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseRateError(String);

impl fmt::Display for ParseRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not max or a number of events per second from 1 to {FASTEST}",
            self.0
        )
    }
}

impl Error for ParseRateError {}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("max", _) => Ok(Self::Max),
            (_, Ok(rate)) if (1.0..=FASTEST).contains(&rate) => Ok(Self::PerSecond(rate)),
            _ => Err(ParseRateError(text.to_owned())),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::PerSecond(rate) => write!(f, "{rate}"),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Max => serializer.serialize_str("max"),
            Self::PerSecond(rate) => serializer.serialize_f64(*rate),
        }
    }
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Load {
    /// The size of an event.
    pub event_bytes: usize,
    /// How many listeners each event is delivered to.
    pub listeners: usize,
    /// How long each of them is busy with it.
    pub listener_ns: u64,
    /// How many emitters the events come from, in equal shares.
    pub emitters: usize,
    /// How many events there are, from all emitters together.
    pub rate: Rate,
}

/// A load that no configuration can bear.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ImpossibleLoad {
    /// The listeners of one event take too long for a measurement.
    LongEvent {
        /// How long they take together.
        event_ns: u64,
    },
    /// The listeners have more to do than the workers' CPUs can.
    Overload {
        /// The listeners of the CPU that has most of them.
        listeners: usize,
        /// How long each is busy with an event.
        listener_ns: u64,
        /// Events per second.
        rate: f64,
        /// The CPUs with workers.
        cpus: usize,
    },
}

impl fmt::Display for ImpossibleLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LongEvent { event_ns } => write!(
                f,
                "impossible load: the listeners of one event take {} ms, and more than {} ms cannot be measured",
                event_ns / 1_000_000,
                LONGEST_EVENT_NS / 1_000_000
            ),
            Self::Overload {
                listeners,
                listener_ns,
                rate,
                cpus,
            } => write!(
                f,
                "impossible load: {listeners} listeners of {listener_ns} ns on one CPU, {rate} times a \
                 second, are {:.1} s of work in every second; {cpus} CPUs have workers (--cores), or \
                 lower --rate, --listeners or --listener-ns",
                busy(listeners, listener_ns, rate)
            ),
        }
    }
}

impl Error for ImpossibleLoad {}

/// The share of a CPU that so many listeners need.
fn busy(listeners: usize, listener_ns: u64, rate: f64) -> f64 {
    listeners as f64 * listener_ns as f64 * rate / 1e9
}

impl Load {
    /// Whether workers on so many CPUs could bear it at all.
    ///
    /// A listener is at home on one worker, so what counts is the CPU with most listeners, and that
    /// has at least its share.
    ///
    /// # Errors
    ///
    /// [`ImpossibleLoad`] tells what is too much.
    pub fn check(&self, cpus: usize) -> Result<(), ImpossibleLoad> {
        let event_ns = self.listener_ns.saturating_mul(self.listeners as u64);
        if event_ns > LONGEST_EVENT_NS {
            return Err(ImpossibleLoad::LongEvent { event_ns });
        }
        let listeners = self.listeners.div_ceil(cpus.max(1));
        match self.rate {
            Rate::PerSecond(rate) if busy(listeners, self.listener_ns, rate) > 1.0 => {
                Err(ImpossibleLoad::Overload {
                    listeners,
                    listener_ns: self.listener_ns,
                    rate,
                    cpus,
                })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        match self.rate {
            Rate::Max => f.write_str("as many events as can be delivered")?,
            Rate::PerSecond(rate) => write!(f, "{rate} events per second")?,
        }
        write!(
            f,
            " of {} bytes, from {} emitter{}, to {} listener{} of {} ns each",
            self.event_bytes,
            self.emitters,
            plural(self.emitters),
            self.listeners,
            plural(self.listeners),
            self.listener_ns
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load {
        event_bytes: 56,
        listeners: 4,
        listener_ns: 500,
        emitters: 1,
        rate: Rate::PerSecond(500_000.0),
    };

    #[test]
    fn rates_are_read_and_shown() {
        for (text, rate) in [
            ("max", Rate::Max),
            ("1", Rate::PerSecond(1.0)),
            ("2.5", Rate::PerSecond(2.5)),
            ("1e6", Rate::PerSecond(1e6)),
        ] {
            assert_eq!(text.parse(), Ok(rate));
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        for text in ["", "0", "0.5", "-3", "nan", "inf", "1e8", "fast"] {
            let error = text.parse::<Rate>().expect_err(text);
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn a_load_is_possible_up_to_all_of_the_time() {
        // 4 × 500 ns × 500 kHz is one whole CPU.
        assert_eq!(LOAD.check(1), Ok(()));
        let more = Load {
            listener_ns: 501,
            ..LOAD
        };
        let error = more.check(1).expect_err("too much for one CPU");
        let line = error.to_string();
        assert!(line.contains("4 listeners of 501 ns"), "{line}");
        assert_eq!(more.check(2), Ok(()));
    }

    #[test]
    fn a_listener_cannot_be_split() {
        let one = Load {
            listeners: 1,
            listener_ns: 2_001,
            ..LOAD
        };
        assert!(one.check(64).is_err());
    }

    #[test]
    fn flat_out_nothing_is_too_much_but_an_endless_event() {
        let flat = Load {
            listener_ns: 1_000_000,
            rate: Rate::Max,
            ..LOAD
        };
        assert_eq!(flat.check(1), Ok(()));
        let endless = Load {
            listeners: 51,
            ..flat
        };
        assert!(endless.check(1).is_err());
    }
}
