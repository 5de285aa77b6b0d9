//! Emitters and signals that come and go by the thousand while workers run: nothing is lost with
//! them, and nothing is left behind.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use corecast::{Engine, Overflow, WorkerListener};

use super::books::Books;
use super::dice::{Dice, mix};
use super::event::{Brittle, Event, Stamp, Tracked};
use super::round::{LONG, Outcome, Played, Round, engine};
use crate::cli::Error;

/// Threads that make emitters or signals.
const THREADS: u32 = 3;
/// Emitters of a thread, at most: their numbers fit into a stamp.
const MOST: u32 = u32::MAX / THREADS;

/// How many events an emitter emits follows from its number, so that listeners know the last one.
fn events_of(emitter: u32) -> u64 {
    mix(u64::from(emitter)) % 24
}

/// What was emitted and what was received: counts and sums.
#[derive(Debug, Default)]
struct Tally {
    count: AtomicU64,
    sum: AtomicU64,
}

impl Tally {
    fn add(&self, seal: u64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(seal, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (
            self.count.load(Ordering::Acquire),
            self.sum.load(Ordering::Acquire),
        )
    }
}

/// Runs threads with a number and dice each; what they return, added up. The first error is
/// returned when all have ended.
fn threads(
    dice: &mut Dice,
    work: impl Fn(u32, Dice) -> Result<u64, Error> + Sync,
) -> Result<u64, Error> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|index| {
                let (work, dice) = (&work, dice.fork());
                scope.spawn(move || work(index, dice))
            })
            .collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err("a thread of the round panicked".into()),
        });
        ended.collect::<Vec<_>>().into_iter().sum()
    })
}

/// Emitters that come and go on one signal.
///
/// # Errors
///
/// An engine, a signal or an emitter could not be built.
pub(super) fn emitters(round: &Round<'_>) -> Played {
    let mut dice = round.dice.clone();
    let books = Books::new(THREADS as usize);
    let engine = engine(2).build()?;
    let capacity = 1 << (1 + dice.below(6));
    let signal = engine
        .signal::<Tracked>("emitters")
        .capacity(capacity)
        .build()?;
    let received = Arc::new(Tally::default());
    let open = Arc::new(AtomicU64::new(0));
    let workers = engine.workers();
    for info in &workers {
        let (books, received, open) =
            (Arc::clone(&books), Arc::clone(&received), Arc::clone(&open));
        let mut next = HashMap::new();
        let listener = move |event: &Tracked| {
            let stamp = event.stamp();
            received.add(stamp.seal);
            let expected = next.remove(&stamp.stream).unwrap_or(0);
            if stamp.number != expected || !event.is_whole() {
                books.wrong(format_args!(
                    "event {} of emitter {} came when {expected} was next",
                    stamp.number, stamp.stream
                ));
            }
            if stamp.number + 1 < events_of(stamp.stream) {
                next.insert(stamp.stream, stamp.number + 1);
            }
            open.store(next.len() as u64, Ordering::Release);
        };
        signal
            .add(WorkerListener::new(listener).on_worker(info.id))?
            .detach();
    }
    let before = signal.metrics().bytes;
    let emitted = Tally::default();
    let made = threads(&mut dice, |thread, _| {
        let mut made = 0;
        while made < MOST && u64::from(made) * 12 < round.events / u64::from(THREADS) {
            let mut out = signal.emitter()?;
            let emitter = made * THREADS + thread;
            for number in 0..events_of(emitter) {
                let stamp = Stamp::new(emitter, number);
                emitted.add(stamp.seal);
                out.emit(Tracked::new(stamp, Brittle::default(), &books))?;
            }
            made += 1;
            if round.is_over() {
                break;
            }
        }
        Ok(u64::from(made))
    })?;
    // Workers let go of the last lanes by themselves.
    while !signal.metrics().lanes.is_empty() {
        thread::yield_now();
    }
    let metrics = signal.metrics();
    books.equal(
        "bytes held, when all emitters are gone",
        before as u64,
        metrics.bytes as u64,
    );
    let (count, sum) = emitted.get();
    let copies = workers.len() as u64;
    books.equal("emitted", count, metrics.emitted);
    books.equal("accepted", count, metrics.accepted);
    books.equal("received", count * copies, received.get().0);
    books.equal("checksum", sum.wrapping_mul(copies), received.get().1);
    books.equal(
        "emitters whose last event did not come",
        0,
        open.load(Ordering::Acquire),
    );
    drop(signal);
    let mut outcome = end(&engine, &books, count, count * copies);
    outcome.note("emitters", made);
    Ok(outcome)
}

/// Signals that come and go on one engine, with their emitters and listeners, dropped in any order.
///
/// # Errors
///
/// An engine, a signal or an emitter could not be built.
pub(super) fn signals(round: &Round<'_>) -> Played {
    let mut dice = round.dice.clone();
    let books = Books::new(THREADS as usize);
    let engine = engine(2).build()?;
    let (emitted, due, received) = (
        Tally::default(),
        Tally::default(),
        Arc::new(Tally::default()),
    );
    let made = threads(&mut dice, |thread, mut dice| {
        let mut made = 0;
        while made < MOST && u64::from(made) * 12 < round.events / u64::from(THREADS) {
            let number = made * THREADS + thread;
            let one = One {
                engine: &engine,
                books: &books,
                emitted: &emitted,
                due: &due,
                received: &received,
            };
            one.live(number, &mut dice)?;
            made += 1;
            if round.is_over() {
                break;
            }
        }
        Ok(u64::from(made))
    })?;
    // Workers let go of the last signals by themselves.
    while !engine.metrics().signals.is_empty() {
        thread::yield_now();
    }
    // A signal is gone as soon as nobody can reach it. A worker that drops it counts its listeners and
    // its last events after that, and before it ends.
    engine.shutdown(LONG);
    books.equal(
        "bytes held, when all signals are gone",
        0,
        engine.metrics().bytes as u64,
    );
    books.equal("received", due.get().0, received.get().0);
    books.equal("checksum", due.get().1, received.get().1);
    let metrics = engine.metrics();
    books.equal(
        "listeners placed on workers",
        0,
        metrics
            .workers
            .iter()
            .map(|worker| worker.listeners as u64)
            .sum(),
    );
    let (count, _) = emitted.get();
    let lane_events = metrics.workers.iter().map(|worker| worker.delivered).sum();
    let mut outcome = end(&engine, &books, count, lane_events);
    outcome.note("signals", made);
    Ok(outcome)
}

/// One signal's life.
struct One<'a> {
    engine: &'a Engine,
    books: &'a Arc<Books>,
    emitted: &'a Tally,
    /// What must be received, by each listener.
    due: &'a Tally,
    received: &'a Arc<Tally>,
}

impl One<'_> {
    fn live(&self, number: u32, dice: &mut Dice) -> Result<(), Error> {
        let builder = self.engine.signal::<Tracked>("fleeting");
        let builder = builder
            .capacity(1 << (1 + dice.below(4)))
            .overflow(Overflow::Wait);
        if dice.once_in(2) {
            let signal = builder.build()?;
            let listeners = dice.below(4);
            for _ in 0..listeners {
                signal.subscribe(self.listener(number)).detach();
            }
            // One more, which goes before anything is emitted.
            drop(signal.subscribe(|_| {}));
            let (mut out, shared) = (signal.emitter()?, signal.clone());
            self.emit(
                number,
                listeners,
                |own, event| match own {
                    true => out.emit(event),
                    false => shared.emit(event),
                },
                dice,
            )?;
            self.drop_in_any_order(
                vec![Box::new(signal), Box::new(out), Box::new(shared)],
                dice,
            );
        } else {
            let signal = builder.shard_by(|event| event.stamp().number).build()?;
            let listeners = 1 + dice.below(2);
            for _ in 0..listeners {
                signal.subscribe_sharded(|_| self.listener(number)).detach();
            }
            let (mut out, shared) = (signal.emitter()?, signal.clone());
            self.emit(
                number,
                listeners,
                |own, event| match own {
                    true => out.emit(event),
                    false => shared.emit(event),
                },
                dice,
            )?;
            self.drop_in_any_order(
                vec![Box::new(signal), Box::new(out), Box::new(shared)],
                dice,
            );
        }
        Ok(())
    }

    fn listener(&self, number: u32) -> impl FnMut(&Tracked) + Send + use<> {
        let (books, received) = (Arc::clone(self.books), Arc::clone(self.received));
        move |event| {
            if event.stamp().stream != number || !event.is_whole() {
                books.wrong(format_args!(
                    "an event of signal {} came to a listener of signal {number}",
                    event.stamp().stream
                ));
            }
            received.add(event.stamp().seal);
        }
    }

    fn emit(
        &self,
        stream: u32,
        listeners: u64,
        mut emit: impl FnMut(bool, Tracked) -> Result<(), corecast::Rejected<Tracked>>,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let shares = dice.once_in(2);
        for number in 0..events_of(stream) {
            let stamp = Stamp::new(stream, number);
            self.emitted.add(stamp.seal);
            (0..listeners).for_each(|_| self.due.add(stamp.seal));
            let event = Tracked::new(stamp, Brittle::default(), self.books);
            let own = !shares || dice.once_in(2);
            emit(own, event).map_err(|rejected| rejected.reason.to_string())?;
        }
        Ok(())
    }

    fn drop_in_any_order(&self, mut what: Vec<Box<dyn Any>>, dice: &mut Dice) {
        while !what.is_empty() {
            drop(what.swap_remove(dice.below(what.len() as u64) as usize));
        }
    }
}

/// Shuts the engine down, and closes the books.
fn end(engine: &Engine, books: &Arc<Books>, events: u64, lane_events: u64) -> Outcome {
    let report = engine.shutdown(LONG);
    books.equal("lane-events accepted", lane_events, report.accepted);
    books.equal("lane-events delivered", lane_events, report.delivered);
    books.faults.drain(engine.faults());
    if let Some(difference) = books.faults.difference(true) {
        books.wrong(format_args!("{difference}"));
    }
    if let Some(difference) = books.events.difference() {
        books.wrong(format_args!("{difference}"));
    }
    Outcome {
        events,
        lane_events: report.accepted,
        ..Outcome::of(books)
    }
}
