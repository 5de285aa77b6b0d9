//! A clock for short times that is read in one instruction, where the CPU has one to be trusted.
//!
//! The system's clock is a call, and what stands in registers around a call has to be stored. The
//! time-stamp counter of an x86-64 CPU is read by an instruction. Whether it goes at one rate and is the
//! same on all CPUs is for the kernel to find out, which does so all the time: where it keeps its own
//! time by the counter (its clock source is `tsc`), so does [`TickClock`]. How long a tick is, is measured
//! against the system's clock, once in the life of a process.
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "the time-stamp counter is read by an intrinsic")
)]

use std::hint::spin_loop;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::tree::Tree;

/// A moment, in ticks of a [`TickClock`] from an origin of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks(u64);

/// A clock for short times: monotonic on one CPU, and alike on all of them.
///
/// Where the kernel keeps time by the CPU's time-stamp counter (Linux on x86-64, clock source `tsc`), a
/// tick is the counter's, read in one instruction ([`TickClock::counter`]) and without a fence: the CPU may
/// read it some instructions early or late. Elsewhere a tick is a nanosecond of [`Instant`].
///
/// ```
/// use corecast_affinity::TickClock;
///
/// let clock = TickClock::get();
/// let before = clock.now();
/// let sum: u64 = (0..1000).sum();
/// let nanoseconds = clock.nanoseconds(before, clock.now());
/// println!("{sum} after {nanoseconds} ns, by the CPU's counter: {}", clock.is_counter());
/// assert_eq!(clock.nanoseconds(clock.now(), before), 0, "never below zero");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TickClock {
    is_counter: bool,
    /// How long a tick is, in units of 2⁻³² ns.
    tick: u64,
    origin: Instant,
}

/// One nanosecond in the unit of a tick's length.
const NANOSECOND: u64 = 1 << 32;
/// A tick's length is known to one part in so many.
const PRECISION: u128 = 20_000;
/// No clock is trusted whose ticks are longer than so many nanoseconds.
const LONGEST_TICK: u64 = 1000;
/// What a reading of both clocks is the best of.
const TRIES: usize = 8;
/// A measurement that has not come to an end by then is none.
const PATIENCE: Duration = Duration::from_millis(50);

impl TickClock {
    /// The process's clock. The first call takes one or two milliseconds where there is a counter to
    /// measure.
    #[must_use]
    pub fn get() -> Self {
        static CLOCK: OnceLock<TickClock> = OnceLock::new();
        *CLOCK.get_or_init(Self::new)
    }

    fn new() -> Self {
        let trusted = counter().is_some() && is_kernels_own(&Tree::new(Path::new("/")));
        let tick = trusted.then(measure).flatten();
        Self {
            is_counter: tick.is_some(),
            tick: tick.unwrap_or(NANOSECOND),
            origin: Instant::now(),
        }
    }

    /// Whether ticks are those of the CPU's counter.
    #[must_use]
    pub fn is_counter(&self) -> bool {
        self.is_counter
    }

    /// The moment.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Ticks {
        match self.counter() {
            Some(ticks) => ticks,
            None => Ticks(saturated(self.origin.elapsed().as_nanos())),
        }
    }

    /// The moment, if it is to be had without a call.
    #[must_use]
    #[inline(always)]
    pub fn counter(&self) -> Option<Ticks> {
        if self.is_counter {
            counter().map(Ticks)
        } else {
            None
        }
    }

    /// Nanoseconds from one moment to another; 0 if that was not later.
    #[must_use]
    #[inline]
    pub fn nanoseconds(&self, from: Ticks, to: Ticks) -> u64 {
        let ticks = to.0.wrapping_sub(from.0);
        if ticks > i64::MAX as u64 {
            return 0;
        }
        saturated((u128::from(ticks) * u128::from(self.tick)) >> NANOSECOND.ilog2())
    }
}

fn saturated(nanoseconds: u128) -> u64 {
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}

/// The CPU's counter, where there is one.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn counter() -> Option<u64> {
    // SAFETY: reads a register that every x86-64 CPU has. Who forbids a process to (prctl's
    // PR_SET_TSC) has taken the system's clock from it as well, which reads the same register.
    Some(unsafe { core::arch::x86_64::_rdtsc() })
}

/// The CPU's counter, where there is one.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline(always)]
fn counter() -> Option<u64> {
    None
}

/// Whether the kernel keeps its own time by the counter.
fn is_kernels_own(tree: &Tree) -> bool {
    let source = tree.text("sys/devices/system/clocksource/clocksource0/current_clocksource");
    source.as_deref() == Some("tsc")
}

/// Both clocks at one moment.
#[derive(Clone, Copy)]
struct Reading {
    counter: u64,
    /// The counter may have been so much further.
    width: u64,
    instant: Instant,
}

impl Reading {
    /// The best of a few: a thread may lose its CPU between two clocks.
    fn take() -> Option<Self> {
        let once = || {
            let (before, instant, after) = (counter()?, Instant::now(), counter()?);
            let width = after.checked_sub(before)?;
            Some(Self {
                counter: before,
                width,
                instant,
            })
        };
        let all = core::iter::repeat_with(once).take(TRIES).flatten();
        all.min_by_key(|reading| reading.width)
    }
}

/// How long a tick is, in units of 2⁻³² ns.
fn measure() -> Option<u64> {
    let begin = Reading::take()?;
    while begin.instant.elapsed() < PATIENCE {
        spin_loop();
        let end = Reading::take()?;
        let ticks = u128::from(end.counter.checked_sub(begin.counter)?);
        if u128::from(begin.width + end.width) * PRECISION > ticks {
            continue;
        }
        let nanoseconds = (end.instant - begin.instant).as_nanos();
        let tick = u64::try_from(nanoseconds * u128::from(NANOSECOND) / ticks).ok()?;
        return (1..=NANOSECOND * LONGEST_TICK)
            .contains(&tick)
            .then_some(tick);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// As one that has found no counter.
    fn without_counter() -> TickClock {
        TickClock {
            is_counter: false,
            tick: NANOSECOND,
            origin: Instant::now(),
        }
    }

    #[test]
    fn both_kinds_of_clock_go_as_fast_as_the_systems() {
        for clock in [TickClock::get(), without_counter()] {
            let outer = Instant::now();
            let from = clock.now();
            let inner = Instant::now();
            while inner.elapsed() < Duration::from_millis(20) {
                spin_loop();
            }
            let inner = inner.elapsed();
            let to = clock.now();
            let outer = outer.elapsed();
            let measured = Duration::from_nanos(clock.nanoseconds(from, to));
            assert!(
                measured >= inner.mul_f64(0.999) && measured <= outer.mul_f64(1.001),
                "{clock:?}: {measured:?} is not between {inner:?} and {outer:?}"
            );
        }
    }

    #[test]
    fn a_clock_without_counter_is_read_by_a_call() {
        assert_eq!(without_counter().counter(), None);
        let clock = TickClock::get();
        assert_eq!(clock.counter().is_some(), clock.is_counter());
    }

    #[test]
    fn a_moment_that_was_not_later_is_no_time_away() {
        let clock = without_counter();
        let nanoseconds = |from, to| clock.nanoseconds(Ticks(from), Ticks(to));
        assert_eq!(nanoseconds(5, 7), 2);
        assert_eq!(nanoseconds(7, 5), 0);
        assert_eq!(nanoseconds(u64::MAX, 1), 2, "the counter begins again");
    }

    #[test]
    fn long_times_do_not_overflow() {
        let slow = TickClock {
            tick: NANOSECOND * LONGEST_TICK,
            ..without_counter()
        };
        assert_eq!(slow.nanoseconds(Ticks(0), Ticks(i64::MAX as u64)), u64::MAX);
    }

    #[test]
    fn the_counter_is_trusted_where_the_kernel_trusts_it() {
        let root = tempfile::tempdir().unwrap();
        let tree = Tree::new(root.path());
        assert!(!is_kernels_own(&tree), "the kernel says nothing");
        let directory = root
            .path()
            .join("sys/devices/system/clocksource/clocksource0");
        fs::create_dir_all(&directory).unwrap();
        for (source, trusted) in [("tsc", true), ("kvm-clock", false), ("hpet", false)] {
            fs::write(directory.join("current_clocksource"), format!("{source}\n")).unwrap();
            assert_eq!(is_kernels_own(&tree), trusted, "{source}");
        }
    }
}
