//! What should happen: lists of listeners and queues of events, and nothing clever.

use corecast::{Overflow, RejectReason};
use proptest::sample::Index;
use std::collections::{BTreeMap, VecDeque};

/// Different keys of events.
pub(crate) const KEYS: usize = 5;
/// The source of what is emitted through a signal itself.
pub(crate) const SHARED: usize = usize::MAX;
/// The broadcast signal; the other one sends each event to one worker.
pub(crate) const BROADCAST: usize = 0;
/// That other one.
pub(crate) const ONE: usize = 1;

/// What a case is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) capacity: usize,
    pub(crate) batch: Option<usize>,
    pub(crate) overflow: Overflow,
    pub(crate) recycled: bool,
    /// With full fences there is no short way of a push. The short way claims before it looks whether
    /// its lane is still the right one, and a claim that it abandons takes a slot until the next run:
    /// then a lane may be full that much earlier.
    pub(crate) full_fences: bool,
}

/// What a listener does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// Fails on every third event.
    Errs,
    /// The same, by a panic.
    Panics,
    Batch,
}

/// A listener to be.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    /// 9 stands for the empty key.
    pub(crate) key: Option<u8>,
    pub(crate) priority: i32,
    pub(crate) once: bool,
    pub(crate) worker: Option<u32>,
}

/// How an emitter emits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Emit,
    Try,
    Within,
    With,
    Batch(usize),
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Subscribe(Wish),
    /// On every worker; listeners that take runs, or not.
    SubscribeSharded(bool),
    /// And wait until it is gone, or not.
    Unsubscribe(Index, bool),
    Detach(Index),
    RemoveKey(u8),
    Clear(usize),
    Emitter(usize),
    DropEmitter(Index),
    Emit(Index, Way),
    /// Through the signal; as `try_emit`, or not.
    Shared(usize, bool),
    Run,
    Flush(Index),
}

/// A listener on one worker.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) tag: u64,
    pub(crate) kind: Kind,
    pub(crate) key: Option<u8>,
    pub(crate) priority: i32,
    pub(crate) once: bool,
    pub(crate) spent: bool,
    /// When it was subscribed.
    born: u64,
}

/// A tag for the part of a sharded listener that is on a worker.
pub(crate) fn at_worker(tag: u64, worker: usize) -> u64 {
    tag | (worker as u64) << 32
}

impl Listener {
    /// Whether this is what a subscription's tag stands for, or its part on some worker.
    pub(crate) fn is_of(&self, tag: u64) -> bool {
        self.tag as u32 == tag as u32
    }
}

/// An event in a lane.
#[derive(Debug, Clone, Copy)]
struct Queued {
    number: u64,
    /// When it was emitted.
    at: u64,
}

/// A call of a listener: which, and with what.
pub(crate) type Call = (u64, u64);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) dropped: u64,
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    pub(crate) panicked: u64,
}

/// Chooses the worker of an event by its number and its source's turn.
pub(crate) type Choose = Box<dyn Fn(u64, u64) -> usize>;

pub(crate) struct Model {
    pub(crate) setup: Setup,
    choose: Choose,
    clock: u64,
    /// By signal and worker, in call order. Spent ones stay until the list is changed.
    lists: [Vec<Vec<Listener>>; 2],
    /// By signal, source and worker.
    lanes: BTreeMap<(usize, usize, usize), VecDeque<Queued>>,
    /// By signal and source.
    turns: BTreeMap<(usize, usize), u64>,
    /// How often the set of workers with a listener has changed.
    changes: u64,
    /// By source, what that was when it emitted last, and how often since the last run it had changed
    /// when it emitted: as many claims may it have abandoned.
    looks: BTreeMap<usize, (u64, usize)>,
    pub(crate) counts: [Counts; 2],
    pub(crate) lane_events: u64,
}

impl Model {
    pub(crate) fn new(setup: Setup, choose: Choose) -> Self {
        let lists = || vec![Vec::new(); setup.workers];
        Self {
            setup,
            choose,
            clock: 0,
            lists: [lists(), lists()],
            lanes: BTreeMap::new(),
            turns: BTreeMap::new(),
            changes: 0,
            looks: BTreeMap::new(),
            counts: [Counts::default(); 2],
            lane_events: 0,
        }
    }

    fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(crate) fn has_key(&self, key: u8) -> bool {
        let mut all = self.lists[BROADCAST].iter().flatten();
        all.any(|one| one.key == Some(key) && !one.spent)
    }

    /// Live listeners' keys in call order.
    pub(crate) fn keys(&self) -> Vec<u8> {
        let mut live: Vec<_> = self.lists[BROADCAST].iter().flatten().collect();
        live.retain(|one| !one.spent);
        live.sort_by_key(|one| (-one.priority, one.born));
        live.into_iter().filter_map(|one| one.key).collect()
    }

    pub(crate) fn len(&self, signal: usize) -> usize {
        let all = self.lists[signal].iter().flatten();
        all.filter(|one| !one.spent).count()
    }

    pub(crate) fn is_active(&self, signal: usize, tag: u64) -> bool {
        let mut all = self.lists[signal].iter().flatten();
        all.any(|one| one.is_of(tag) && !one.spent)
    }

    /// The worker with the fewest listeners in the engine, the first of equals.
    pub(crate) fn emptiest(&self) -> usize {
        let load = |worker: &usize| self.lists.iter().map(|lists| lists[*worker].len()).sum();
        (0..self.setup.workers)
            .min_by_key::<usize, _>(load)
            .expect("a worker")
    }

    pub(crate) fn add(&mut self, signal: usize, worker: usize, tag: u64, wish: &Wish) {
        let born = self.now();
        let list = &mut self.lists[signal][worker];
        self.changes += u64::from(list.is_empty());
        list.retain(|one| !one.spent);
        let at = list.partition_point(|one| one.priority >= wish.priority);
        let listener = Listener {
            tag,
            kind: wish.kind,
            key: wish.key,
            priority: wish.priority,
            once: wish.once,
            spent: false,
            born,
        };
        list.insert(at, listener);
    }

    /// Removes the listeners for which `gone` holds; whether one of them was not spent.
    pub(crate) fn remove(&mut self, signal: usize, gone: impl Fn(&Listener) -> bool) -> bool {
        let mut any = false;
        for list in &mut self.lists[signal] {
            if list.iter().any(&gone) {
                any |= list.iter().any(|one| gone(one) && !one.spent);
                list.retain(|one| !gone(one) && !one.spent);
                self.changes += u64::from(list.is_empty());
            }
        }
        any
    }

    /// The workers that an event goes to.
    fn targets(&self, signal: usize, source: usize, number: u64) -> Vec<usize> {
        let has_listener = |worker: &usize| !self.lists[signal][*worker].is_empty();
        if signal == BROADCAST {
            (0..self.setup.workers).filter(has_listener).collect()
        } else {
            let turn = self.turns.get(&(signal, source)).copied().unwrap_or(0);
            let chosen = (self.choose)(number, turn);
            Some(chosen).filter(has_listener).into_iter().collect()
        }
    }

    /// How many slots more than one would think may be taken in the lanes of a source.
    pub(crate) fn slack(&self, source: usize) -> usize {
        let abandoned = self.looks.get(&source).map_or(0, |look| look.1);
        if self.setup.full_fences { 0 } else { abandoned }
    }

    /// The same of all sources.
    pub(crate) fn slack_of_all(&self) -> usize {
        self.looks.keys().map(|source| self.slack(*source)).sum()
    }

    fn look(&mut self, source: usize) {
        let look = self.looks.entry(source).or_default();
        if source != SHARED && look.0 != self.changes {
            *look = (self.changes, look.1 + 1);
        }
    }

    /// Emits; `was_refused` is what the engine did, which decides where both may be.
    pub(crate) fn emit(
        &mut self,
        (signal, source): (usize, usize),
        number: u64,
        overflow: Overflow,
        was_refused: bool,
    ) -> Result<(), RejectReason> {
        let at = self.now();
        self.look(source);
        let targets = self.targets(signal, source, number);
        let taken = |worker: &usize| {
            let lane = self.lanes.get(&(signal, source, *worker));
            lane.map_or(0, VecDeque::len)
        };
        let most = targets.iter().map(taken).max().unwrap_or(0);
        let may_be = most + self.slack(source) >= self.setup.capacity && !targets.is_empty();
        let full = most == self.setup.capacity || (may_be && was_refused);
        // The shared lanes' turn is taken by each attempt, an emitter's by what it got rid of.
        if source == SHARED || !full {
            *self.turns.entry((signal, source)).or_default() += 1;
        }
        let counts = &mut self.counts[signal];
        if full {
            let reason = match overflow {
                Overflow::DropNewest => {
                    counts.dropped += 1;
                    return Ok(());
                }
                Overflow::Reject => RejectReason::Full,
                // Nobody else would make room.
                _ => RejectReason::WouldDeadlock,
            };
            counts.rejected += 1;
            return Err(reason);
        }
        counts.accepted += 1;
        for worker in targets {
            let lane = self.lanes.entry((signal, source, worker)).or_default();
            lane.push_back(Queued { number, at });
            self.lane_events += 1;
        }
        Ok(())
    }

    /// Whether nothing of a source waits.
    pub(crate) fn is_empty(&self, source: usize) -> bool {
        let of_source = self.lanes.iter().filter(|((_, of, _), _)| *of == source);
        of_source.map(|(_, lane)| lane.len()).sum::<usize>() == 0
    }

    pub(crate) fn depth(&self, signal: usize) -> usize {
        let of_signal = self.lanes.iter().filter(|((of, ..), _)| *of == signal);
        of_signal.map(|(_, lane)| lane.len()).sum()
    }

    /// Delivers everything. `seen` holds the calls that were made; what each lane's should have been
    /// comes back beside what they were, and how many lane-events there were.
    ///
    /// A worker's lanes come in any order, so which event a `once` listener gets is looked up: it
    /// must be the first for it in some lane.
    pub(crate) fn run(&mut self, seen: &[Call], source_of: impl Fn(u64) -> usize) -> u64 {
        let lanes = core::mem::take(&mut self.lanes);
        self.looks.values_mut().for_each(|look| look.1 = 0);
        for signal in [BROADCAST, ONE] {
            for worker in 0..self.setup.workers {
                let mine = |(of, _, at): &(usize, usize, usize)| *of == signal && *at == worker;
                let mine: Vec<_> = lanes.iter().filter(|(at, _)| mine(at)).collect();
                let list = &mut self.lists[signal][worker];
                let spent = |one: &Listener| {
                    let eligible = |lane: &VecDeque<Queued>| {
                        lane.iter().find(|event| event.at > one.born).copied()
                    };
                    let first: Vec<_> =
                        mine.iter().filter_map(|(_, lane)| eligible(lane)).collect();
                    let got = seen.iter().find(|(tag, _)| *tag == one.tag);
                    match got {
                        Some((_, number)) => assert!(
                            first.iter().any(|event| event.number == *number),
                            "a once listener got {number}, not one of {first:?}"
                        ),
                        None => assert!(first.is_empty(), "a once listener got none of {first:?}"),
                    }
                    got.map(|(_, number)| *number)
                };
                let gets: Vec<Option<u64>> = list
                    .iter()
                    .map(|one| {
                        if one.once && !one.spent {
                            spent(one)
                        } else {
                            None
                        }
                    })
                    .collect();
                for ((_, source, _), lane) in &mine {
                    let calls = calls(list, &gets, lane);
                    count(&mut self.counts[signal], list, &calls);
                    let was = seen.iter().copied().filter(|(tag, number)| {
                        list.iter().any(|one| one.tag == *tag) && source_of(*number) == *source
                    });
                    compare(list, &calls, &was.collect::<Vec<_>>());
                }
                for (one, got) in list.iter_mut().zip(&gets) {
                    one.spent |= got.is_some();
                }
            }
        }
        lanes.values().map(|lane| lane.len() as u64).sum()
    }
}

/// The calls that a lane's events should lead to, each event's before the next one's.
fn calls(list: &[Listener], gets: &[Option<u64>], lane: &VecDeque<Queued>) -> Vec<Call> {
    let mut calls = Vec::new();
    for event in lane {
        for (one, got) in list.iter().zip(gets) {
            let due = if one.once {
                *got == Some(event.number)
            } else {
                event.at > one.born
            };
            if due {
                calls.push((one.tag, event.number));
            }
        }
    }
    calls
}

fn count(counts: &mut Counts, list: &[Listener], calls: &[Call]) {
    for (tag, number) in calls {
        let kind = list.iter().find(|one| one.tag == *tag).map(|one| one.kind);
        match kind {
            Some(Kind::Errs) if number.is_multiple_of(3) => counts.failed += 1,
            Some(Kind::Panics) if number.is_multiple_of(3) => {
                counts.failed += 1;
                counts.panicked += 1;
            }
            _ => counts.delivered += 1,
        }
    }
}

/// A listener that takes runs splits its worker's list: then each one's own order is what holds.
fn compare(list: &[Listener], should: &[Call], was: &[Call]) {
    if list.iter().all(|one| one.kind != Kind::Batch) {
        assert_eq!(was, should);
        return;
    }
    for one in list {
        let of_one = |calls: &[Call]| -> Vec<Call> {
            calls
                .iter()
                .copied()
                .filter(|(tag, _)| *tag == one.tag)
                .collect()
        };
        assert_eq!(of_one(was), of_one(should));
    }
}
