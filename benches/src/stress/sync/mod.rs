//! Synchronous signals: threads that emit, threads that subscribe and remove.

mod churn;
mod emit;
mod witness;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use corecast::{FaultPolicy, Fences, SyncSignal};

use super::books::Books;
use super::dice::Dice;
use super::event::Stamp;
use super::part::Rates;
use super::round::{LONG, Outcome, Played, Round};
use super::stream::Stream;
use witness::{Captured, Failures, Role, Witness};

/// Priorities of the two listeners that stay.
const FIRST: i32 = 100;
const LAST: i32 = -100;

/// What the threads of a round share.
struct Stage<'a> {
    round: &'a Round<'a>,
    books: Arc<Books>,
    failures: Arc<Failures>,
    signal: SyncSignal<Stamp>,
    streams: Vec<Stream>,
    rates: Rates,
    /// Some emissions are `try_emit`s.
    tries: bool,
    policy: FaultPolicy,
    first: Arc<Witness>,
    last: Arc<Witness>,
    emitting: AtomicUsize,
    emitted: AtomicU64,
}

/// Runs a round.
///
/// # Errors
///
/// A signal could not be built.
pub(super) fn play(round: &Round<'_>) -> Played {
    let mut dice = round.dice.clone();
    let emitters = 1 + dice.below(4) as usize;
    let policy = dice.pick(&[
        FaultPolicy::Isolate,
        FaultPolicy::Isolate,
        FaultPolicy::Propagate,
    ]);
    let signal = SyncSignal::<Stamp>::builder()
        .name("sync")
        .fault_policy(policy)
        .fences(dice.pick(&[Fences::default(), Fences::default(), Fences::Full]))
        .build()?;
    let books = Books::new(1);
    let failures = Arc::new(Failures::default());
    let tries = dice.once_in(2);
    let witness = |priority, dice: &mut Dice| {
        let rates = Rates::default();
        let role = Role {
            priority,
            once: false,
            gapless: !tries,
        };
        Witness::new((&books, &failures), emitters, rates, role, dice)
    };
    let (first, last) = (witness(FIRST, &mut dice), witness(LAST, &mut dice));
    let subscriptions = signal.add_many([
        Captured(Arc::clone(&last)).listener(),
        Captured(Arc::clone(&first)).listener(),
    ])?;
    let stage = Stage {
        round,
        books,
        failures,
        signal,
        streams: (0..emitters).map(|_| Stream::default()).collect(),
        rates: Rates {
            panic: dice.pick(&[0, 20, 1000]),
            error: dice.pick(&[0, 20, 1000]),
            slow: dice.pick(&[0, 200]),
            drop: dice.pick(&[0, 2, 16]),
        },
        tries,
        policy,
        first,
        last,
        emitting: AtomicUsize::new(emitters),
        emitted: AtomicU64::new(0),
    };
    let churners = 1 + dice.below(3);
    let rest = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for stream in 0..emitters {
            let (stage, dice) = (&stage, dice.fork());
            scope.spawn(move || {
                stage.emit(stream, dice);
                stage.emitting.fetch_sub(1, Ordering::Release);
            });
        }
        for _ in 0..churners {
            let (stage, dice, rest) = (&stage, dice.fork(), &rest);
            scope.spawn(move || {
                let left = stage.churn(dice);
                rest.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(left);
            });
        }
    });
    drop(subscriptions);
    stage.end(rest.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Stage<'_> {
    fn is_quiet(&self) -> bool {
        self.emitting.load(Ordering::Acquire) == 0
    }

    fn end(self, left: Vec<Arc<Witness>>) -> Played {
        let books = &self.books;
        if let Err(error) = self.signal.quiesce(LONG) {
            books.wrong(format_args!("quiesce: {error}"));
        }
        for witness in left.iter().chain([&self.first, &self.last]) {
            if !witness.gone.load(Ordering::Acquire) {
                books.wrong(format_args!(
                    "what a listener had captured was there after quiesce"
                ));
            }
        }
        let metrics = self.signal.metrics();
        let emitted = self.emitted.load(Ordering::Relaxed);
        let calls = books.calls.load(Ordering::Relaxed);
        books.equal("emitted", emitted, metrics.emitted);
        books.equal("calls that went well", calls, metrics.delivered);
        books.equal(
            "calls that failed",
            self.failures.failed.load(Ordering::Relaxed),
            metrics.failed,
        );
        books.equal(
            "calls that panicked",
            self.failures.panicked.load(Ordering::Relaxed),
            metrics.panicked,
        );
        books.equal("listeners", 0, metrics.listeners as u64);
        books.equal("retired arrays", 0, metrics.retired_arrays as u64);
        books.faults.drain(self.signal.faults());
        if let Some(difference) = books.faults.difference(true) {
            books.wrong(format_args!("{difference}"));
        }
        Ok(Outcome {
            events: emitted,
            ..Outcome::of(books)
        })
    }
}
