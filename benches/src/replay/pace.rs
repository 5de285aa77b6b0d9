//! When each record is due: the recorded pace, as fast as asked for.

use std::fmt;
use std::hint;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use super::Clock;
use crate::market::SESSION_GAP_NS;

/// How fast a feed is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as it can be dispatched (closed loop).
    Max,
    /// At a multiple of the recorded pace, whether or not anybody keeps up (open loop).
    Times(f64),
}

/// A speed that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSpeedError(String);

impl fmt::Display for ParseSpeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not max, realtime or a number from 0.001 to 1e9",
            self.0
        )
    }
}

impl std::error::Error for ParseSpeedError {}

impl FromStr for Speed {
    type Err = ParseSpeedError;

    fn from_str(speed: &str) -> Result<Self, Self::Err> {
        match speed {
            "max" => Ok(Self::Max),
            "realtime" => Ok(Self::Times(1.0)),
            number => match number.parse() {
                // Beyond this a second would last a quarter of an hour, or no time at all.
                Ok(times) if (1e-3..=1e9).contains(&times) => Ok(Self::Times(times)),
                _ => Err(ParseSpeedError(number.to_owned())),
            },
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => write!(f, "max"),
            Self::Times(times) if *times == 1.0 => write!(f, "realtime"),
            Self::Times(times) => write!(f, "{times}"),
        }
    }
}

/// Turns recorded times into due times.
///
/// The first record is due at once. A silence of an hour or more is not sat out: it lies between
/// two sessions. A record from before the last one is due together with it.
#[derive(Debug, Clone)]
pub struct Timetable {
    times: f64,
    /// Where the schedule stands; `None` before the first record.
    last: Option<Stop>,
}

#[derive(Debug, Clone, Copy)]
struct Stop {
    recorded_ns: u64,
    /// Recorded time since the first record, silences left out.
    lasted_ns: u64,
    /// When the first record was due, with every pause since added.
    began_ns: u64,
}

impl Timetable {
    /// A timetable at `times` the recorded pace.
    #[must_use]
    pub fn new(times: f64) -> Self {
        Self { times, last: None }
    }

    /// When the record is due, if it is `now_ns`; never before the record before it.
    pub fn due_ns(&mut self, recorded_ns: u64, now_ns: u64) -> u64 {
        let stop = match self.last {
            None => Stop {
                recorded_ns,
                lasted_ns: 0,
                began_ns: now_ns,
            },
            Some(Stop {
                recorded_ns: before,
                lasted_ns,
                began_ns,
            }) => {
                let gap = recorded_ns.saturating_sub(before);
                let counted = if gap < SESSION_GAP_NS { gap } else { 0 };
                Stop {
                    recorded_ns: recorded_ns.max(before),
                    lasted_ns: lasted_ns.saturating_add(counted),
                    began_ns,
                }
            }
        };
        self.last = Some(stop);
        // Converting back saturates, and so does the sum: late is never early.
        stop.began_ns
            .saturating_add((stop.lasted_ns as f64 / self.times) as u64)
    }

    /// Puts everything off by `pause_ns`, in which nothing could be sent.
    pub fn put_off(&mut self, pause_ns: u64) {
        if let Some(stop) = &mut self.last {
            stop.began_ns = stop.began_ns.saturating_add(pause_ns);
        }
    }
}

/// How long before it is due the waiting thread stops sleeping: a sleep may end this much late.
const WAKE_EARLY: Duration = Duration::from_micros(200);

/// Returns when `clock` shows `due_ns`: sleeps while that is far off, then spins.
pub fn wait_until(clock: &Clock, due_ns: u64) {
    wait_until_by(clock, due_ns, hint::spin_loop);
}

/// As [`wait_until`], but near the end calls `pause` again and again instead of spinning: for a
/// thread that shares its CPU.
pub fn wait_until_by(clock: &Clock, due_ns: u64, pause: impl Fn()) {
    loop {
        let left = Duration::from_nanos(due_ns.saturating_sub(clock.now_ns()));
        if left.is_zero() {
            return;
        }
        match left.checked_sub(WAKE_EARLY) {
            Some(sleep) if !sleep.is_zero() => thread::sleep(sleep),
            _ => pause(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = SESSION_GAP_NS;

    #[test]
    fn speeds_are_read_and_shown() {
        for (text, speed) in [
            ("max", Speed::Max),
            ("realtime", Speed::Times(1.0)),
            ("1", Speed::Times(1.0)),
            ("0.5", Speed::Times(0.5)),
            ("250", Speed::Times(250.0)),
        ] {
            assert_eq!(text.parse(), Ok(speed));
            assert_eq!(speed.to_string().parse(), Ok(speed));
        }
        for text in ["", "0", "-1", "nan", "inf", "1e300", "1e-300", "fast", "2x"] {
            let error = text.parse::<Speed>().expect_err(text);
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn gaps_shrink_by_the_speed() {
        let mut table = Timetable::new(4.0);
        let due: Vec<u64> = [5_000, 5_000, 5_400, 9_000]
            .map(|recorded| table.due_ns(recorded, 100))
            .into();
        assert_eq!(due, [100, 100, 200, 1_100]);
    }

    #[test]
    fn slower_than_recorded_is_possible() {
        let mut table = Timetable::new(0.5);
        assert_eq!(table.due_ns(1_000, 7), 7);
        assert_eq!(table.due_ns(1_100, 7), 207);
    }

    #[test]
    fn rounding_does_not_add_up() {
        let mut table = Timetable::new(3.0);
        let last = (0..=3_000_000)
            .map(|recorded| table.due_ns(recorded, 0))
            .last();
        assert_eq!(last, Some(1_000_000));
    }

    #[test]
    fn a_silence_between_sessions_is_left_out() {
        let mut table = Timetable::new(1.0);
        assert_eq!(table.due_ns(0, 10), 10);
        assert_eq!(table.due_ns(HOUR - 1, 10), HOUR + 9);
        assert_eq!(table.due_ns(2 * HOUR, 10), HOUR + 9);
        assert_eq!(table.due_ns(2 * HOUR + 5, 10), HOUR + 14);
    }

    #[test]
    fn a_record_from_the_past_does_not_turn_time_back() {
        let mut table = Timetable::new(1.0);
        assert_eq!(table.due_ns(1_000, 0), 0);
        assert_eq!(table.due_ns(1_500, 0), 500);
        assert_eq!(table.due_ns(1_200, 0), 500);
        assert_eq!(table.due_ns(1_600, 0), 600);
    }

    #[test]
    fn a_pause_puts_off_what_follows() {
        let mut table = Timetable::new(1.0);
        table.put_off(1_000_000);
        assert_eq!(table.due_ns(50, 3), 3);
        table.put_off(40);
        assert_eq!(table.due_ns(60, 99), 53);
    }

    #[test]
    fn impossible_times_saturate() {
        let mut table = Timetable::new(1e-9);
        assert_eq!(table.due_ns(0, 1), 1);
        for hour in 1..100 {
            table.due_ns(hour * (HOUR - 1), 1);
        }
        assert_eq!(table.due_ns(100 * (HOUR - 1), 1), u64::MAX);
    }

    #[test]
    fn waiting_ends_when_the_clock_shows_the_time() {
        let clock = Clock::start();
        for ahead in [0, 20_000, 2_000_000] {
            let due = clock.now_ns() + ahead;
            wait_until(&clock, due);
            assert!(clock.now_ns() >= due);
        }
    }
}
