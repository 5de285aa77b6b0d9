//! The emitting threads of a lap: flat out, or each event when it is due.
//!
//! An emitter is the single writer of its own lanes, whichever thread it is on. There are as many
//! emitting threads as CPUs without workers (or emitters, if those are fewer), and the emitters of
//! one thread take turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use corecast::{Emitter, RejectReason};

use crate::compare::event::Event;
use crate::replay::{Clock, wait_until_by};

use super::listener::{timed, untimed};
use super::load::Rate;

/// Of fast events one in so many is timed, because reading the clock costs as much as a listener.
/// A prime, so that it is not always the same place in a batch.
pub const TIME_ONE_IN: u64 = 13;

/// At up to this many events per second and emitting thread each one is timed.
const ALL_TIMED: f64 = 100_000.0;

/// Events that an emitter emits, flat out, before the next one of its thread has its turn.
const TURN: u64 = 64;

/// The longest wait before a thread looks whether it is to stop.
const LONGEST_WAIT_NS: u64 = 20_000_000;

/// When what happens in a lap.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The first event is due.
    pub start_ns: u64,
    /// The warm-up is over: from here on events are timed.
    pub counted_ns: u64,
}

/// One thread's share of the emitters, and of the schedule.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// The number of this thread.
    pub thread: usize,
    /// The emitting threads.
    pub threads: usize,
    /// The emitters of all threads.
    pub emitters: usize,
    /// Whether the thread has a CPU of its own, and may spin.
    pub alone: bool,
}

/// What one emitting thread has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Events that were accepted.
    pub accepted: u64,
    /// The sum of their seeds.
    pub seeds: u64,
    /// Events that were handed back, because the engine was being shut down.
    pub rejected: u64,
}

impl Sent {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            seeds: self.seeds.wrapping_add(other.seeds),
            rejected: self.rejected + other.rejected,
        }
    }
}

/// When the `number`-th event of a schedule of `rate` events per second is due, after its start.
#[must_use]
pub fn due_after_ns(number: u64, rate: f64) -> u64 {
    (number as f64 * 1e9 / rate) as u64
}

/// How many events of such a schedule are due when `passed_ns` have passed since its start.
#[must_use]
pub fn due_within(passed_ns: u64, rate: f64) -> u64 {
    // The first is due at once.
    (passed_ns as f64 * rate / 1e9) as u64 + 1
}

/// Emits until `stop` is set or the engine shuts down.
///
/// # Errors
///
/// Any other reason for which an event was handed back.
pub fn emit_all<const WORDS: usize>(
    mut emitters: Vec<Emitter<Event<WORDS>>>,
    rate: Rate,
    share: Share,
    times: Times,
    clock: Clock,
    stop: &AtomicBool,
) -> Result<Sent, RejectReason> {
    let mut sent = Sent::default();
    wait_until_by(&clock, times.start_ns, thread::yield_now);
    match rate {
        Rate::Max => flat_out(&mut emitters, times, clock, stop, &mut sent)?,
        Rate::PerSecond(rate) => paced(&mut emitters, rate, share, times, clock, stop, &mut sent)?,
    }
    Ok(sent)
}

/// Emits one event; `false` when the engine takes no more.
#[inline]
fn send<const WORDS: usize>(
    emitter: &mut Emitter<Event<WORDS>>,
    seed: u64,
    sent: &mut Sent,
) -> Result<bool, RejectReason> {
    match emitter.emit(Event::new(seed)) {
        Ok(()) => {
            sent.accepted += 1;
            sent.seeds = sent.seeds.wrapping_add(seed);
            Ok(true)
        }
        Err(rejected) if rejected.reason == RejectReason::Closed => {
            sent.rejected += 1;
            Ok(false)
        }
        Err(rejected) => Err(rejected.reason),
    }
}

fn flat_out<const WORDS: usize>(
    emitters: &mut [Emitter<Event<WORDS>>],
    times: Times,
    clock: Clock,
    stop: &AtomicBool,
    sent: &mut Sent,
) -> Result<(), RejectReason> {
    let mut until_timed = 0;
    let mut number = 0;
    loop {
        for emitter in &mut *emitters {
            // Relaxed, here and below: nothing but the flag itself is communicated.
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            for _ in 0..TURN {
                let mut seed = untimed(number);
                if until_timed == 0 {
                    until_timed = TIME_ONE_IN;
                    let now_ns = clock.now_ns();
                    if now_ns >= times.counted_ns {
                        seed = timed(now_ns);
                    }
                }
                until_timed -= 1;
                number += 1;
                if !send(emitter, seed, sent)? {
                    return Ok(());
                }
            }
        }
    }
}

fn paced<const WORDS: usize>(
    emitters: &mut [Emitter<Event<WORDS>>],
    rate: f64,
    share: Share,
    times: Times,
    clock: Clock,
    stop: &AtomicBool,
    sent: &mut Sent,
) -> Result<(), RejectReason> {
    let all_timed = rate / share.threads as f64 <= ALL_TIMED;
    let stride = if all_timed { 1 } else { TIME_ONE_IN };
    let mut until_timed = 0;
    // Every emitter has one event in each round of the schedule.
    for round in 0.. {
        for (index, emitter) in emitters.iter_mut().enumerate() {
            let place = share.thread + index * share.threads;
            let number = round * share.emitters as u64 + place as u64;
            let due_ns = times.start_ns + due_after_ns(number, rate);
            loop {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let now_ns = clock.now_ns();
                if now_ns >= due_ns {
                    break;
                }
                let next_ns = due_ns.min(now_ns + LONGEST_WAIT_NS);
                wait_until_by(&clock, next_ns, share.pause());
            }
            let mut seed = untimed(number);
            if until_timed == 0 {
                until_timed = stride;
                if due_ns >= times.counted_ns {
                    seed = timed(due_ns);
                }
            }
            until_timed -= 1;
            if !send(emitter, seed, sent)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Share {
    /// What the thread does while the next event is almost due.
    fn pause(self) -> fn() {
        if self.alone {
            std::hint::spin_loop
        } else {
            thread::yield_now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_even_and_does_not_drift() {
        assert_eq!(due_after_ns(0, 3.0), 0);
        assert_eq!(due_after_ns(1, 3.0), 333_333_333);
        assert_eq!(due_after_ns(3_000_000, 3.0), 1_000_000_000_000_000);
    }

    #[test]
    fn as_many_are_due_as_have_a_due_time_by_then() {
        for rate in [1.0, 1e3, 1e6] {
            for passed in [0, 1, 999_999_999, 1_000_000_000, 2_500_000_000_u64] {
                let due = due_within(passed, rate);
                assert!(due_after_ns(due - 1, rate) <= passed, "{rate} {passed}");
                assert!(due_after_ns(due, rate) >= passed, "{rate} {passed}");
            }
        }
    }
}
