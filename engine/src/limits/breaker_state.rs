//! A circuit breaker's state, in one word.
//!
//! | state     | value                                | next                                          |
//! | CLOSED    | failures in a row                    | OPEN, at the threshold                        |
//! | OPEN      | when it opened (µs, modulo 2⁴⁸)      | HALF_OPEN, when a call comes after the cool-down |
//! | HALF_OPEN | successful probes; one probe at a time | CLOSED, after enough of them; OPEN, at the first failure |
//!
//! An epoch in the word counts the times it opened or closed, so that a call that began under an
//! earlier CLOSED says nothing about this one. Times are handed in: nothing here reads a clock.

use core::fmt;
use corecast_ring::sync::{AtomicU64, Ordering};

/// What a circuit breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused until the cool-down is over.
    Open,
    /// One call at a time goes through, to see whether all is well again.
    HalfOpen,
}

impl BreakerState {
    /// The name, as metrics spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const STATE_BITS: u32 = 2;
const VALUE_BITS: u32 = 48;
const EPOCH_BITS: u32 = u64::BITS - VALUE_BITS - STATE_BITS;
const VALUE_MASK: u64 = (1 << VALUE_BITS) - 1;
/// Of a HALF_OPEN value: a probe is under way.
const PROBING: u64 = 1 << (VALUE_BITS - 1);

/// `epoch | value | state`, from the highest bit to the lowest.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word {
    state: BreakerState,
    value: u64,
    epoch: u64,
}

impl Word {
    fn unpack(bits: u64) -> Self {
        Self {
            state: match bits & ((1 << STATE_BITS) - 1) {
                0 => BreakerState::Closed,
                1 => BreakerState::Open,
                _ => BreakerState::HalfOpen,
            },
            value: (bits >> STATE_BITS) & VALUE_MASK,
            epoch: bits >> (STATE_BITS + VALUE_BITS),
        }
    }

    fn pack(self) -> u64 {
        let state = match self.state {
            BreakerState::Closed => 0,
            BreakerState::Open => 1,
            BreakerState::HalfOpen => 2,
        };
        state | (self.value & VALUE_MASK) << STATE_BITS | self.epoch << (STATE_BITS + VALUE_BITS)
    }

    fn with_value(self, value: u64) -> Self {
        Self { value, ..self }
    }

    fn transition_to(self, state: BreakerState, value: u64) -> Self {
        let epoch = (self.epoch + 1) % (1 << EPOCH_BITS);
        Self {
            state,
            value,
            epoch,
        }
    }
}

/// From `start` to `end`, modulo 2⁴⁸. More than half of that is an end before the start: another
/// thread's clock was read a little earlier.
fn time_between(start: u64, end: u64) -> u64 {
    match end.wrapping_sub(start) & VALUE_MASK {
        passed if passed > VALUE_MASK / 2 => 0,
        passed => passed,
    }
}

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Under a CLOSED of this epoch.
    Ordinary { epoch: u64 },
    /// The one call that a HALF_OPEN lets through.
    Probe,
}

/// A call that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Microseconds until the cool-down is over; `None` while a probe is under way.
    pub(crate) retry_in: Option<u64>,
}

/// The state and its thresholds.
pub(crate) struct Machine {
    /// Written by whoever calls. Every access is Relaxed: the word says all there is to know, and
    /// nothing else is published through it.
    word: AtomicU64,
    failures: u64,
    successes: u64,
    cool_down: u64,
}

impl Machine {
    /// Opens after `failures` in a row for `cool_down` microseconds, closes after `successes`.
    pub(crate) fn new(failures: u32, successes: u32, cool_down: u64) -> Self {
        let closed = Word {
            state: BreakerState::Closed,
            value: 0,
            epoch: 0,
        };
        Self {
            word: AtomicU64::new(closed.pack()),
            failures: failures.into(),
            successes: successes.into(),
            cool_down,
        }
    }

    fn word(&self) -> Word {
        Word::unpack(self.word.load(Ordering::Relaxed))
    }

    fn replace(&self, old: Word, new: Word) -> bool {
        self.word
            .compare_exchange(old.pack(), new.pack(), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.word().state
    }

    /// Whether a call may go through. The time is asked for only when the breaker is open.
    pub(crate) fn admit(&self, now: impl Fn() -> u64) -> Result<Permit, Refusal> {
        loop {
            let word = self.word();
            let probing = match word.state {
                BreakerState::Closed => return Ok(Permit::Ordinary { epoch: word.epoch }),
                BreakerState::Open => {
                    let passed = time_between(word.value, now());
                    if passed < self.cool_down {
                        let retry_in = Some(self.cool_down - passed);
                        return Err(Refusal { retry_in });
                    }
                    word.transition_to(BreakerState::HalfOpen, PROBING)
                }
                BreakerState::HalfOpen if word.value & PROBING != 0 => {
                    return Err(Refusal { retry_in: None });
                }
                BreakerState::HalfOpen => word.with_value(word.value | PROBING),
            };
            if self.replace(word, probing) {
                return Ok(Permit::Probe);
            }
        }
    }

    /// The call went well.
    pub(crate) fn succeed(&self, permit: Permit) {
        match permit {
            Permit::Ordinary { epoch } => {
                self.change_closed(epoch, |word| (word.value != 0).then(|| word.with_value(0)))
            }
            Permit::Probe => {
                let word = self.word();
                let probes = (word.value & !PROBING) + 1;
                self.end_probe(if probes >= self.successes {
                    word.transition_to(BreakerState::Closed, 0)
                } else {
                    word.with_value(probes)
                });
                false
            }
        };
    }

    /// The call failed at the time `now`; whether this opened the breaker.
    pub(crate) fn fail(&self, permit: Permit, now: u64) -> bool {
        match permit {
            Permit::Ordinary { epoch } => self.change_closed(epoch, |word| {
                let failures = word.value + 1;
                Some(if failures >= self.failures {
                    word.transition_to(BreakerState::Open, now)
                } else {
                    word.with_value(failures)
                })
            }),
            Permit::Probe => {
                self.end_probe(self.word().transition_to(BreakerState::Open, now));
                true
            }
        }
    }

    /// The call has nothing to say about whether all is well.
    pub(crate) fn abstain(&self, permit: Permit) {
        if permit == Permit::Probe {
            let word = self.word();
            self.end_probe(word.with_value(word.value & !PROBING));
        }
    }

    /// Changes a CLOSED of `epoch`, if that is still the state; whether this opened the breaker.
    fn change_closed(&self, epoch: u64, change: impl Fn(Word) -> Option<Word>) -> bool {
        loop {
            let word = self.word();
            if word.state != BreakerState::Closed || word.epoch != epoch {
                return false;
            }
            let Some(next) = change(word) else {
                return false;
            };
            if self.replace(word, next) {
                return next.state == BreakerState::Open;
            }
        }
    }

    /// A plain store: while a probe is under way, nobody but its caller changes the word.
    fn end_probe(&self, word: Word) {
        self.word.store(word.pack(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const COOL_DOWN: u64 = 1000;

    fn machine(failures: u32, successes: u32) -> Machine {
        Machine::new(failures, successes, COOL_DOWN)
    }

    fn admit(machine: &Machine, now: u64) -> Result<Permit, Refusal> {
        machine.admit(|| now)
    }

    fn fail(machine: &Machine, now: u64) -> bool {
        machine.fail(admit(machine, now).unwrap(), now)
    }

    #[test]
    fn opens_after_failures_in_a_row_and_a_success_starts_the_count_again() {
        let machine = machine(3, 1);
        assert!(!fail(&machine, 0));
        assert!(!fail(&machine, 0));
        machine.succeed(admit(&machine, 0).unwrap());
        assert!(!fail(&machine, 0));
        assert!(!fail(&machine, 0));
        assert_eq!(machine.state(), BreakerState::Closed);
        assert!(fail(&machine, 0));
        assert_eq!(machine.state(), BreakerState::Open);
    }

    #[test]
    fn refuses_until_the_cool_down_is_over_and_says_how_long() {
        let machine = machine(1, 1);
        assert!(fail(&machine, 500));
        let refusal = |retry_in| Err(Refusal { retry_in });
        assert_eq!(admit(&machine, 500), refusal(Some(1000)));
        assert_eq!(admit(&machine, 1499), refusal(Some(1)));
        assert_eq!(admit(&machine, 1500), Ok(Permit::Probe));
        assert_eq!(machine.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn lets_one_probe_through_at_a_time_and_closes_after_enough_of_them() {
        let machine = machine(1, 2);
        fail(&machine, 0);
        let probe = admit(&machine, COOL_DOWN).unwrap();
        assert_eq!(admit(&machine, COOL_DOWN), Err(Refusal { retry_in: None }));
        machine.succeed(probe);
        assert_eq!(machine.state(), BreakerState::HalfOpen);
        machine.succeed(admit(&machine, COOL_DOWN).unwrap());
        assert_eq!(machine.state(), BreakerState::Closed);
    }

    #[test]
    fn a_failed_probe_starts_a_new_cool_down() {
        let machine = machine(1, 1);
        fail(&machine, 0);
        assert!(fail(&machine, COOL_DOWN));
        let refusal = admit(&machine, COOL_DOWN + 1).unwrap_err();
        assert_eq!(refusal.retry_in, Some(COOL_DOWN - 1));
    }

    #[test]
    fn a_probe_without_an_opinion_makes_room_for_the_next() {
        let machine = machine(1, 2);
        fail(&machine, 0);
        machine.succeed(admit(&machine, COOL_DOWN).unwrap());
        machine.abstain(admit(&machine, COOL_DOWN).unwrap());
        machine.succeed(admit(&machine, COOL_DOWN).unwrap());
        assert_eq!(machine.state(), BreakerState::Closed);
    }

    #[test]
    fn a_call_that_began_before_the_breaker_opened_says_nothing_after_it_closed_again() {
        let machine = machine(1, 1);
        let early = [admit(&machine, 0).unwrap(), admit(&machine, 0).unwrap()];
        fail(&machine, 0);
        machine.succeed(admit(&machine, COOL_DOWN).unwrap());
        assert_eq!(machine.state(), BreakerState::Closed);
        assert!(!machine.fail(early[0], COOL_DOWN));
        machine.succeed(early[1]);
        assert_eq!(machine.state(), BreakerState::Closed);
    }

    #[test]
    fn the_clock_may_wrap_while_the_breaker_is_open() {
        let machine = machine(1, 1);
        let late = VALUE_MASK - 10;
        fail(&machine, late);
        let refusal = admit(&machine, late + 20).unwrap_err();
        assert_eq!(refusal.retry_in, Some(COOL_DOWN - 20));
        assert_eq!(admit(&machine, late + COOL_DOWN), Ok(Permit::Probe));
    }

    #[test]
    fn a_clock_read_before_the_breaker_opened_does_not_end_the_cool_down() {
        let machine = machine(1, 1);
        fail(&machine, 100);
        let refusal = admit(&machine, 99).unwrap_err();
        assert_eq!(refusal.retry_in, Some(COOL_DOWN));
    }

    #[test]
    fn of_many_threads_one_gets_the_probe() {
        let machine = machine(1, 1);
        fail(&machine, 0);
        let barrier = std::sync::Barrier::new(4);
        let probes: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        usize::from(admit(&machine, COOL_DOWN) == Ok(Permit::Probe))
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(probes, 1);
    }
}
