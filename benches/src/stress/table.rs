//! The configurations, by name.

use std::time::Duration;

use corecast::{FaultPolicy, Fences, Overflow, WaitStrategy};

use super::lanes::{self, Ending, Kind, Path, Setup, Way};
use super::round::{Played, Round};
use super::{cycles, fleeting, idle, manual, sync};

/// A configuration.
#[derive(Debug, Clone, Copy)]
pub struct Configuration {
    /// Its name, as `--only` takes it.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// It measures: alone, a round of it takes as long as it is given.
    pub measures: bool,
    /// Runs a round of it.
    pub play: fn(&Round<'_>) -> Played,
}

/// `name, about => how to play a round`, and `measures` in between where that is to be said.
macro_rules! table {
    ($($name:literal, $about:literal $(, $measures:ident)? => $play:expr;)+) => {
        /// Every configuration.
        pub const ALL: &[Configuration] = &[
            $(Configuration {
                name: $name,
                about: $about,
                measures: !stringify!($($measures)?).is_empty(),
                play: $play,
            },)+
        ];
    };
}

table! {
    "broadcast-1", "owned emitters, one worker" => |round| lanes(round, |setup, _| {
        setup.cpus = 1;
    });
    "broadcast-2", "owned emitters, two workers" => |round| lanes(round, |_, _| {});
    "sharded", "equal keys to the same worker" => |round| lanes(round, |setup, _| {
        setup.way = Way::Sharded;
    });
    "round-robin", "each worker in turn" => |round| lanes(round, |setup, _| {
        setup.way = Way::RoundRobin;
    });
    "recycled", "emit_with in slots that are filled in place" => |round| lanes(round, |setup, dice| {
        setup.path = Path::Fill;
        setup.kind = dice.pick(&[Kind::Owned, Kind::Owned, Kind::Tracked, Kind::Wide]);
        setup.way = dice.pick(&[Way::Broadcast, Way::Broadcast, Way::Sharded, Way::RoundRobin]);
        setup.cpus = dice.pick(&[1, 2]);
    });
    "batch", "emit_batch and batch listeners" => |round| lanes(round, |setup, dice| {
        setup.path = Path::Batch;
        setup.way = dice.pick(&[Way::Broadcast, Way::Broadcast, Way::Sharded, Way::RoundRobin]);
        setup.cpus = dice.pick(&[1, 2]);
    });
    "shared", "the signal's shared lanes, from 8 threads" => |round| lanes(round, |setup, dice| {
        setup.path = Path::Shared;
        setup.emitters = 8;
        setup.way = dice.pick(&[Way::Broadcast, Way::Broadcast, Way::Sharded, Way::RoundRobin]);
    });
    "overflow-wait", "small lanes and slow listeners; emitters wait" => |round| {
        tight(round, |_| Overflow::Wait)
    };
    "overflow-wait-for", "the same; emitters wait for a while" => |round| {
        tight(round, |dice| Overflow::WaitFor(Duration::from_nanos(dice.below(200_000))))
    };
    "overflow-reject", "the same; events come back" => |round| tight(round, |_| Overflow::Reject);
    "overflow-drop", "the same; events are dropped" => |round| tight(round, |_| Overflow::DropNewest);
    "wait-busy-spin", "workers that spin" => |round| waiting(round, WaitStrategy::busy_spin());
    "wait-spin-then-yield", "workers that yield" => |round| {
        waiting(round, WaitStrategy::spin_then_yield())
    };
    "wait-backoff", "workers that sleep for a while" => |round| {
        waiting(round, WaitStrategy::backoff())
    };
    "wait-park", "workers that sleep until woken" => |round| waiting(round, WaitStrategy::park());
    "fences-full", "full fences on both sides" => |round| lanes(round, |setup, dice| {
        setup.fences = Fences::Full;
        setup.path = dice.pick(&[Path::Single, Path::Batch, Path::Fill, Path::Shared]);
        setup.cpus = dice.pick(&[1, 2]);
    });
    "workers-per-core", "from 1 to 8 workers on each CPU" => |round| lanes(round, |setup, dice| {
        setup.per_core = 1 + dice.below(8) as usize;
        setup.way = dice.pick(&[Way::Broadcast, Way::Sharded, Way::RoundRobin]);
        setup.wait = dice.pick(&[
            WaitStrategy::park(),
            WaitStrategy::busy_spin(),
            WaitStrategy::spin_then_yield(),
        ]);
    });
    "quarantine", "listeners that are removed for their faults" => |round| lanes(round, |setup, dice| {
        setup.policy = FaultPolicy::Quarantine {
            after: 1 + dice.below(4) as u32,
        };
        setup.rates.panic = dice.pick(&[2, 3, 20]);
        setup.rates.error = dice.pick(&[2, 3, 20]);
        setup.ending = Ending::Complete;
    });
    "flush", "flushes all the time" => |round| lanes(round, |setup, dice| {
        setup.flush = 1 + dice.below(20);
        setup.path = dice.pick(&[Path::Single, Path::Batch, Path::Fill]);
        setup.way = dice.pick(&[Way::Broadcast, Way::Sharded, Way::RoundRobin]);
    });
    "shutdown", "engines that are shut down, or dropped, while everybody emits" => shutdowns;
    "events-that-panic", "clones, drops, fill closures and iterators that panic" => |round| {
        lanes(round, |setup, dice| {
            setup.kind = dice.pick(&[Kind::Tracked, Kind::Owned]);
            setup.path = dice.pick(&[Path::Single, Path::Batch, Path::Fill, Path::Shared]);
            setup.brittle = dice.pick(&[3, 10, 50]);
        })
    };
    "sync", "synchronous signals: emitters, subscribers, removers" => sync::play;
    "emitters", "emitters that come and go" => fleeting::emitters;
    "signals", "signals that come and go" => fleeting::signals;
    "cycles", "listeners that emit into full lanes of one another" => cycles::play;
    "manual", "a manual engine, twice the same" => manual::play;
    "park", "the CPU time of an idle engine", measures => idle::park;
    "wake", "workers and emitters that sleep and are woken" => idle::wake;
}

/// A round of more events than this is about how many there are.
const LONG_ROUND: u64 = 2_000_000;

fn lanes(round: &Round<'_>, choose: impl FnOnce(&mut Setup, &mut super::dice::Dice)) -> Played {
    let mut dice = round.dice.clone();
    let mut setup = Setup::any(&mut dice);
    choose(&mut setup, &mut dice);
    if round.events > LONG_ROUND {
        setup.hurry();
    }
    lanes::run(round, &setup)
}

fn tight(round: &Round<'_>, overflow: fn(&mut super::dice::Dice) -> Overflow) -> Played {
    lanes(round, |setup, dice| {
        setup.capacity = 1 << (1 + dice.below(4));
        setup.batch = setup.batch.min(setup.capacity);
        setup.rates.slow = 1 + dice.below(16);
        setup.way = dice.pick(&[
            Way::Broadcast,
            Way::Broadcast,
            Way::Sharded,
            Way::RoundRobin,
        ]);
        setup.path = dice.pick(&[
            Path::Single,
            Path::Single,
            Path::Batch,
            Path::Fill,
            Path::Shared,
        ]);
        setup.overflow = overflow(dice);
        if setup.overflow == Overflow::DropNewest && setup.path == Path::Batch {
            // How many of a batch were dropped before the panic is not to be known.
            setup.brittle = 0;
        }
    })
}

fn waiting(round: &Round<'_>, wait: WaitStrategy) -> Played {
    lanes(round, |setup, dice| {
        setup.wait = wait;
        setup.cpus = dice.pick(&[1, 2]);
        setup.rates.slow = dice.pick(&[0, 16, 64]);
        setup.capacity = 1 << (1 + dice.below(7));
        setup.batch = setup.batch.min(setup.capacity);
    })
}

/// Many short rounds in one.
fn shutdowns(round: &Round<'_>) -> Played {
    let mut dice = round.dice.clone();
    let mut outcome = super::round::Outcome::default();
    while outcome.notes.is_empty() || (outcome.events < round.events && !round.is_over()) {
        let mut setup = Setup::any(&mut dice);
        setup.path = dice.pick(&[Path::Single, Path::Batch, Path::Fill, Path::Shared]);
        setup.way = dice.pick(&[Way::Broadcast, Way::Sharded, Way::RoundRobin]);
        setup.ending = dice.pick(&[
            Ending::Early,
            Ending::Dropped,
            Ending::Abrupt(Duration::ZERO),
            Ending::Abrupt(Duration::from_micros(200)),
        ]);
        // A handler may be left behind too, and then its faults are not to be counted.
        setup.handler = false;
        let short = Round {
            dice: dice.fork(),
            events: 1 + dice.below(20_000),
            ..*round
        };
        outcome.add(lanes::run(&short, &setup)?);
        outcome.note("shutdowns", 1);
    }
    Ok(outcome)
}
