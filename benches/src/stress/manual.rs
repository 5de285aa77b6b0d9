//! A manual engine: the same script twice, call for call the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corecast::{AsyncSignal, Emitter, Overflow, RejectReason, Subscription, WorkerListener};

use super::books::Books;
use super::dice::{Dice, mix};
use super::event::{Brittle, Event, Stamp, Tracked};
use super::order::{Numbering, Order, Presence, judge_late};
use super::round::{LONG, Outcome, Played, Round, engine};
use crate::cli::Error;

/// Emitters of a script, one after the other or side by side.
const STREAMS: usize = 24;
/// Steps of a script, at most.
const STEPS: u64 = 100_000;

/// Runs a script of the dice's choice twice and compares what listeners saw, and in which order.
///
/// # Errors
///
/// An engine or a signal could not be built.
pub(super) fn play(round: &Round<'_>) -> Played {
    let mut dice = round.dice.clone();
    let mut outcome = Outcome::default();
    while outcome.events == 0 || (outcome.events < round.events && !round.is_over()) {
        let script = dice.fork();
        let steps = 1 + dice.below(STEPS.min(round.events));
        let (first, books) = Script::run(script.clone(), steps)?;
        let (second, again) = Script::run(script, steps)?;
        if first != second {
            books.wrong(format_args!(
                "two runs of one script differ: {first:?} and {second:?}"
            ));
        }
        for (trace, books) in [(first, books), (second, again)] {
            outcome.add(Outcome {
                events: trace.events,
                lane_events: trace.lane_events,
                ..Outcome::of(&books)
            });
        }
        outcome.note("scripts", 1);
    }
    Ok(outcome)
}

/// What a run of a script comes to.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    events: u64,
    lane_events: u64,
    /// Every call of every listener, in order.
    calls: u64,
}

/// Every call of a listener goes in here.
#[derive(Debug, Default)]
struct Log(AtomicU64);

impl Log {
    fn enter(&self, what: u64) {
        // One thread writes.
        let so_far = self.0.load(Ordering::Relaxed);
        self.0.store(mix(so_far ^ mix(what)), Ordering::Relaxed);
    }
}

struct Guest {
    order: Arc<Mutex<Order>>,
    presence: Presence,
    subscription: Option<Subscription>,
}

struct Script {
    dice: Dice,
    books: Arc<Books>,
    log: Arc<Log>,
    engine: corecast::Engine,
    signal: AsyncSignal<Tracked>,
    emitters: Vec<(usize, Emitter<Tracked>)>,
    /// Accepted of each emitter.
    numbers: Vec<u64>,
    guests: Vec<Guest>,
    /// Events that the dice made a listener emit, by it.
    made: usize,
}

impl Script {
    fn run(mut dice: Dice, steps: u64) -> Result<(Trace, Arc<Books>), Error> {
        let books = Books::new(STREAMS);
        let engine = engine(1 + dice.below(3) as usize).manual().build()?;
        let capacity = 1 << (1 + dice.below(7));
        let overflow = dice.pick(&[Overflow::Wait, Overflow::Reject]);
        let signal = engine.signal::<Tracked>("manual").capacity(capacity);
        let signal = signal.overflow(overflow).build()?;
        let mut script = Self {
            dice,
            books: Arc::clone(&books),
            log: Arc::default(),
            engine,
            signal,
            emitters: Vec::new(),
            numbers: vec![0; STREAMS],
            guests: Vec::new(),
            made: 0,
        };
        script.guest();
        for _ in 0..steps {
            script.step()?;
        }
        Ok((script.end(), books))
    }

    fn step(&mut self) -> Result<(), Error> {
        match self.dice.below(1000) {
            0..40 => self.drain(),
            40..46 if self.guests.len() < 64 => self.guest(),
            46..50 => self.leave(),
            50..54 if self.made < STREAMS => {
                self.emitters.push((self.made, self.signal.emitter()?));
                self.made += 1;
            }
            54..56 if !self.emitters.is_empty() => {
                let index = self.dice.below(self.emitters.len() as u64) as usize;
                drop(self.emitters.swap_remove(index));
            }
            56..60 => {
                if let Some((_, out)) = self.emitters.last_mut() {
                    out.flush(LONG)?;
                }
            }
            _ if self.emitters.is_empty() => {}
            _ => self.emit(),
        }
        Ok(())
    }

    fn emit(&mut self) {
        let index = self.dice.below(self.emitters.len() as u64) as usize;
        let (stream, out) = &mut self.emitters[index];
        let stamp = Stamp::new(*stream as u32, self.numbers[*stream]);
        match out.emit(Tracked::new(stamp, Brittle::default(), &self.books)) {
            Ok(()) => self.numbers[*stream] += 1,
            Err(rejected)
                if rejected.reason == RejectReason::WouldDeadlock
                    || rejected.reason == RejectReason::Full =>
            {
                self.log.enter(1)
            }
            Err(rejected) => self
                .books
                .wrong(format_args!("refused: {}", rejected.reason)),
        }
    }

    fn drain(&mut self) {
        match self.engine.run_until_idle() {
            Ok(delivered) => self.log.enter(delivered),
            Err(error) => self.books.wrong(format_args!("not drained: {error}")),
        }
    }

    /// Subscribes a listener. Nobody else is there, so it is known to the event what it must see.
    fn guest(&mut self) {
        let order = Arc::new(Mutex::new(Order::new(STREAMS, Numbering::EACH)));
        let (seen, log, books) = (
            Arc::clone(&order),
            Arc::clone(&self.log),
            Arc::clone(&self.books),
        );
        let (id, mut dice) = (self.guests.len() as u64, self.dice.fork());
        let listener = WorkerListener::fallible(move |event: &Tracked| {
            log.enter(mix(id) ^ event.stamp().seal);
            if let Err(wrong) = seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .see(event.stamp())
            {
                books.wrong(format_args!("{wrong}"));
            }
            if dice.once_in(50) {
                books.faults.injected(super::fault::Injected::Error);
                return Err("injected");
            }
            Ok(())
        });
        let presence = Presence {
            before: self.numbers.clone(),
            after: self.numbers.clone(),
            gone: None,
        };
        match self
            .signal
            .add(listener.priority(self.dice.below(5) as i32))
        {
            Ok(subscription) => self.guests.push(Guest {
                order,
                presence,
                subscription: Some(subscription),
            }),
            Err(error) => self.books.wrong(format_args!("not subscribed: {error}")),
        }
    }

    fn leave(&mut self) {
        let index = self.dice.below(self.guests.len() as u64) as usize;
        let guest = &mut self.guests[index];
        // The first one stays, so that there is somebody who must see all.
        if index > 0
            && let Some(subscription) = guest.subscription.take()
        {
            if let Err(error) = subscription.unsubscribe_and_wait(LONG) {
                self.books
                    .wrong(format_args!("unsubscribe_and_wait: {error}"));
            }
            guest.presence.gone = Some(self.numbers.clone());
        }
    }

    fn end(mut self) -> Trace {
        self.drain();
        self.emitters.clear();
        let report = self.engine.shutdown(LONG);
        for guest in &self.guests {
            let order = guest
                .order
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let ends = guest.presence.gone.is_none().then_some(&self.numbers[..]);
            if let Err(what) = judge_late(&[order], Numbering::EACH, &guest.presence, ends) {
                self.books.wrong(format_args!("a listener {what}"));
            }
        }
        let metrics = self.signal.metrics();
        self.books
            .equal("accepted", self.numbers.iter().sum(), metrics.accepted);
        self.books
            .equal("lane-events", report.accepted, report.delivered);
        self.guests.clear();
        drop(self.signal);
        self.books.faults.drain(self.engine.faults());
        if let Some(difference) = self.books.faults.difference(true) {
            self.books.wrong(format_args!("{difference}"));
        }
        if let Some(difference) = self.books.events.difference() {
            self.books.wrong(format_args!("{difference}"));
        }
        Trace {
            events: metrics.emitted,
            lane_events: report.accepted,
            calls: self.log.0.load(Ordering::Relaxed),
        }
    }
}
