//! Wait strategies: what a thread does while there is nothing to do.
//!
//! | strategy           | idle CPU | reaction                          | when |
//! | `busy_spin`        | a whole core | one cache-line transfer       | isolated cores, lowest latency |
//! | `spin_then_yield`  | a whole core, given away when others want it | the same, or one time slice | shared cores |
//! | `backoff`          | under 1 % after a while | up to 1 ms         | background work, no wake-up cost for emitters |
//! | `park`             | none     | as `busy_spin` while awake; a futex wake-up when asleep | everything else |

use crate::parker::{Parked, Parker};
use crate::sync::{again, spin_loop, thread};
use core::fmt;
use std::time::{Duration, Instant};

/// Looks in quick succession before the first spin: about one cache-line transfer's time, so that an
/// answer that is on its way is not met by a pause instruction.
const LOOKS: u32 = again(32);
/// Looks and spins before the first yield, for a thread that has its core to itself.
const SPINS: u32 = again(256);
/// Yields before the next step.
const YIELDS: u32 = again(64);
const SHORTEST_SLEEP: Duration = Duration::from_micros(20);
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

/// What a thread does while it waits.
///
/// | strategy | while it waits | when it is over |
/// |---|---|---|
/// | [`busy_spin`](Self::busy_spin) | the whole core | at once |
/// | [`spin_then_yield`](Self::spin_then_yield) | the core, while nobody else wants it | at once, or when it gets the core again |
/// | [`backoff`](Self::backoff) | little; nobody has to wake it | after a sleep of up to 1 ms |
/// | [`park`](Self::park) | nothing, after a while | when the waker's system call has done its work |
///
/// ```
/// use corecast_ring::WaitStrategy;
///
/// let strategy: WaitStrategy = "spin-then-yield".parse()?;
/// assert_eq!(strategy, WaitStrategy::spin_then_yield());
/// assert!("nap".parse::<WaitStrategy>().is_err());
/// # Ok::<(), corecast_ring::UnknownWaitStrategy>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WaitStrategy {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    BusySpin,
    SpinThenYield,
    Backoff,
    Park,
}

impl WaitStrategy {
    /// Never gives the core away.
    #[must_use]
    pub const fn busy_spin() -> Self {
        Self {
            kind: Kind::BusySpin,
        }
    }

    /// Spins a while, then yields to whoever else wants the core, without ever sleeping.
    #[must_use]
    pub const fn spin_then_yield() -> Self {
        Self {
            kind: Kind::SpinThenYield,
        }
    }

    /// Spins, yields, then sleeps for 20 µs and up to 1 ms at a time. Needs no wake-up.
    #[must_use]
    pub const fn backoff() -> Self {
        Self {
            kind: Kind::Backoff,
        }
    }

    /// Spins and yields for a while, then sleeps until woken.
    #[must_use]
    pub const fn park() -> Self {
        Self { kind: Kind::Park }
    }

    /// Whether this strategy keeps its core busy for as long as it waits.
    #[must_use]
    pub const fn is_busy_spin(self) -> bool {
        matches!(self.kind, Kind::BusySpin)
    }

    /// Whether a waiting thread may be asleep and in need of a wake-up.
    #[must_use]
    pub const fn parks(self) -> bool {
        matches!(self.kind, Kind::Park)
    }

    /// The state of one wait.
    #[must_use]
    pub const fn idle(self) -> Idle {
        Idle {
            strategy: self,
            spins: SPINS,
            rounds: 0,
            sleep: SHORTEST_SLEEP,
        }
    }

    /// As [`WaitStrategy::idle`], for a thread that has its core to share with others of its kind: it
    /// yields as soon as it has looked, because what it waits for may have to come by way of one of
    /// those, and each spin is theirs. A busy spin stays one.
    #[must_use]
    pub const fn idle_among_others(self) -> Idle {
        Idle {
            spins: LOOKS,
            ..self.idle()
        }
    }

    /// The name, as the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.kind {
            Kind::BusySpin => "busy-spin",
            Kind::SpinThenYield => "spin-then-yield",
            Kind::Backoff => "backoff",
            Kind::Park => "park",
        }
    }
}

impl fmt::Display for WaitStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for WaitStrategy {
    type Err = UnknownWaitStrategy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [
            Self::busy_spin(),
            Self::spin_then_yield(),
            Self::backoff(),
            Self::park(),
        ]
        .into_iter()
        .find(|strategy| strategy.name() == name)
        .ok_or_else(|| UnknownWaitStrategy {
            name: name.to_owned(),
        })
    }
}

/// A name that is no wait strategy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWaitStrategy {
    name: String,
}

impl fmt::Display for UnknownWaitStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown wait strategy {:?}: one of busy-spin, spin-then-yield, backoff, park",
            self.name
        )
    }
}

impl std::error::Error for UnknownWaitStrategy {}

/// One wait in progress: how long it has lasted and what comes next.
#[derive(Debug, Clone)]
pub struct Idle {
    strategy: WaitStrategy,
    /// Looks and spins before the first yield.
    spins: u32,
    rounds: u32,
    sleep: Duration,
}

/// What to do next, from [`Idle::next_step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Look,
    Spin,
    Yield,
    Sleep(Duration),
    Park,
}

impl Idle {
    /// Something happened: the next wait starts from the beginning.
    #[inline(always)]
    pub fn reset(&mut self) {
        self.rounds = 0;
        self.sleep = SHORTEST_SLEEP;
    }

    fn next_step(&mut self) -> Step {
        let rounds = self.rounds;
        self.rounds = rounds.saturating_add(1);
        match self.strategy.kind {
            _ if rounds < LOOKS => Step::Look,
            Kind::BusySpin => Step::Spin,
            _ if rounds < self.spins => Step::Spin,
            Kind::SpinThenYield => Step::Yield,
            _ if rounds < self.spins + YIELDS => Step::Yield,
            Kind::Park => Step::Park,
            Kind::Backoff => {
                let sleep = self.sleep;
                self.sleep = (sleep * 2).min(LONGEST_SLEEP);
                Step::Sleep(sleep)
            }
        }
    }

    /// One step of waiting: a spin, a yield, a short sleep; `true` when the strategy would rather
    /// park now.
    #[inline]
    pub fn wait_once(&mut self) -> bool {
        match self.next_step() {
            // loom has to be told that this thread waits for another.
            Step::Look if cfg!(loom) => spin_loop(),
            Step::Look => {}
            Step::Spin => spin_loop(),
            Step::Yield => thread::yield_now(),
            Step::Sleep(time) => sleep(time),
            Step::Park => return true,
        }
        false
    }

    /// Sleeps at `parker` until woken, unless `ready` holds after the announcement. When the
    /// kernel refuses the fence this sleeps for a bounded time instead.
    pub fn park(
        &mut self,
        parker: &Parker,
        deadline: Option<Instant>,
        ready: impl FnOnce() -> bool,
    ) {
        match parker.announce() {
            _ if ready() => {}
            Some(ticket) => {
                if parker.park(ticket, deadline) == Parked::Woken {
                    self.reset();
                }
            }
            None => sleep(LONGEST_SLEEP),
        }
    }

    /// Waits at `parker` until `ready` holds or `deadline` passes; whether it holds. Whoever makes
    /// it hold wakes the parker.
    pub fn wait_until(
        &mut self,
        parker: &Parker,
        deadline: Option<Instant>,
        ready: impl Fn() -> bool,
    ) -> bool {
        loop {
            if ready() {
                return true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return ready();
            }
            if self.wait_once() {
                self.park(parker, deadline, &ready);
            }
        }
    }
}

#[cfg(not(loom))]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// loom has no clock: a sleep is a turn given to the others.
#[cfg(loom)]
fn sleep(_: Duration) {
    thread::yield_now();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(strategy: WaitStrategy, n: usize) -> Vec<Step> {
        let mut idle = strategy.idle();
        (0..n).map(|_| idle.next_step()).collect()
    }

    #[test]
    fn busy_spin_never_does_anything_else() {
        assert!(
            steps(WaitStrategy::busy_spin(), 10_000)
                .iter()
                .all(|step| matches!(step, Step::Look | Step::Spin))
        );
    }

    #[test]
    fn park_spins_then_yields_then_parks() {
        let steps = steps(WaitStrategy::park(), 400);
        assert_eq!(steps[0], Step::Look);
        assert_eq!(steps[LOOKS as usize], Step::Spin);
        assert_eq!(steps[SPINS as usize], Step::Yield);
        assert_eq!(steps[399], Step::Park);
        assert!(steps.is_sorted_by_key(|step| match step {
            Step::Look | Step::Spin => 0,
            Step::Yield => 1,
            Step::Sleep(_) | Step::Park => 2,
        }));
    }

    #[test]
    fn among_others_a_thread_yields_as_soon_as_it_has_looked() {
        let first = |mut idle: Idle| (0..400).map(|_| idle.next_step()).collect::<Vec<_>>();
        for strategy in [
            WaitStrategy::spin_then_yield(),
            WaitStrategy::backoff(),
            WaitStrategy::park(),
        ] {
            let steps = first(strategy.idle_among_others());
            assert_eq!(steps[LOOKS as usize - 1], Step::Look, "{strategy}");
            assert_eq!(steps[LOOKS as usize], Step::Yield, "{strategy}");
        }
        let steps = first(WaitStrategy::busy_spin().idle_among_others());
        assert_eq!(steps[399], Step::Spin);
    }

    #[test]
    fn backoff_doubles_its_sleep_up_to_a_millisecond() {
        let steps = steps(WaitStrategy::backoff(), 1000);
        assert_eq!(
            steps[(SPINS + YIELDS) as usize],
            Step::Sleep(SHORTEST_SLEEP)
        );
        assert_eq!(steps[999], Step::Sleep(LONGEST_SLEEP));
    }

    #[test]
    fn names_are_parsed_back_and_unknown_ones_named() {
        for strategy in [
            WaitStrategy::busy_spin(),
            WaitStrategy::spin_then_yield(),
            WaitStrategy::backoff(),
            WaitStrategy::park(),
        ] {
            assert_eq!(strategy.name().parse(), Ok(strategy));
        }
        let error = "nap".parse::<WaitStrategy>().unwrap_err();
        assert!(error.to_string().contains("\"nap\""));
    }
}
