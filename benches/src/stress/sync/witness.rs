//! The checking listener of a synchronous signal, and what an emission comes to as its listeners
//! see it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use corecast::Listener;

use crate::stress::books::Books;
use crate::stress::dice::Dice;
use crate::stress::event::Stamp;
use crate::stress::fault::{Injected, inject};
use crate::stress::part::Rates;

thread_local! {
    /// What the emission under way on this thread has come to.
    pub(super) static WALK: Cell<Walk> = const { Cell::new(Walk::NEW) };
}

/// One emission, as its listeners see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    pub(super) well: usize,
    pub(super) failed: usize,
    /// Of the listener called last.
    pub(super) priority: i32,
    /// It is a `try_emit`, so what fails goes to whoever emits.
    pub(super) tried: bool,
}

impl Walk {
    pub(super) const NEW: Self = Self {
        well: 0,
        failed: 0,
        priority: i32::MAX,
        tried: false,
    };
}

/// What a listener has seen of one emitter. One thread at a time emits, and it is the only writer.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) first: AtomicU64,
    pub(super) next: AtomicU64,
    count: AtomicU64,
}

/// A listener's state, with the thread that subscribed it.
pub(super) struct Witness {
    books: Arc<Books>,
    failures: Arc<Failures>,
    rates: Rates,
    seed: u64,
    pub(super) priority: i32,
    pub(super) once: bool,
    /// No event may be missed: nobody stops a walk.
    pub(super) gapless: bool,
    pub(super) seen: Box<[Seen]>,
    calls: AtomicU64,
    well: AtomicU64,
    pub(super) gone: AtomicBool,
}

/// Calls that failed, whoever was told.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) failed: AtomicU64,
    pub(super) panicked: AtomicU64,
}

/// What a listener is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    pub(super) priority: i32,
    pub(super) once: bool,
    /// No event may be missed: nobody stops a walk.
    pub(super) gapless: bool,
}

impl Witness {
    pub(super) fn new(
        (books, failures): (&Arc<Books>, &Arc<Failures>),
        streams: usize,
        rates: Rates,
        role: Role,
        dice: &mut Dice,
    ) -> Arc<Self> {
        let Role {
            priority,
            once,
            gapless,
        } = role;
        Arc::new(Self {
            books: Arc::clone(books),
            failures: Arc::clone(failures),
            rates,
            seed: dice.roll(),
            priority,
            once,
            gapless,
            seen: (0..streams).map(|_| Seen::default()).collect(),
            calls: AtomicU64::new(0),
            well: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        })
    }

    fn hear(&self, stamp: Stamp) -> Result<(), &'static str> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.once && calls > 0 {
            self.books
                .wrong(format_args!("a listener for one call was called again"));
        }
        self.look(stamp);
        let mut walk = WALK.get();
        if walk.priority < self.priority {
            self.books.wrong(format_args!(
                "a listener of priority {} was called after one of {}",
                self.priority, walk.priority
            ));
        }
        walk.priority = self.priority;
        // Its own dice for each call, since several threads may call at once.
        let mut dice = Dice::new(self.seed ^ calls);
        let (panics, errs) = (
            dice.once_in(self.rates.panic),
            dice.once_in(self.rates.error),
        );
        if dice.once_in(self.rates.slow) {
            thread::yield_now();
        }
        if !panics && !errs {
            walk.well += 1;
            WALK.set(walk);
            self.well.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        walk.failed += 1;
        WALK.set(walk);
        self.failures.failed.fetch_add(1, Ordering::Relaxed);
        let kind = if panics {
            Injected::Panic
        } else {
            Injected::Error
        };
        self.books
            .faults
            .injected(if walk.tried { Injected::Clone } else { kind });
        if panics {
            self.failures.panicked.fetch_add(1, Ordering::Relaxed);
            inject();
        }
        Err("injected")
    }

    fn look(&self, stamp: Stamp) {
        let Some(seen) = self
            .seen
            .get(stamp.stream as usize)
            .filter(|_| stamp.is_intact())
        else {
            self.books
                .wrong(format_args!("an event is torn: {stamp:?}"));
            return;
        };
        let (next, count) = (
            seen.next.load(Ordering::Relaxed),
            seen.count.load(Ordering::Relaxed),
        );
        if count == 0 {
            seen.first.store(stamp.number, Ordering::Relaxed);
        } else if stamp.number < next || (self.gapless && stamp.number > next) {
            self.books.wrong(format_args!(
                "event {} of emitter {} came when {next} was next",
                stamp.number, stamp.stream
            ));
        }
        seen.count.store(count + 1, Ordering::Relaxed);
        // Release: whoever reads it has the rest.
        seen.next.store(stamp.number + 1, Ordering::Release);
    }
}

/// What the closure captures: its drop is the end of the listener.
pub(super) struct Captured(pub(super) Arc<Witness>);

impl Captured {
    pub(super) fn listener(self) -> Listener<Stamp> {
        let (priority, once) = (self.0.priority, self.0.once);
        let listener = Listener::fallible(move |stamp: &Stamp| self.0.hear(*stamp));
        let listener = listener.priority(priority);
        if once { listener.once() } else { listener }
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        let witness = &self.0;
        let well = witness.well.load(Ordering::Acquire);
        witness.books.calls.fetch_add(well, Ordering::Relaxed);
        witness.gone.store(true, Ordering::Release);
        let mut dice = Dice::new(!witness.seed);
        if dice.once_in(witness.rates.drop) && !thread::panicking() {
            witness.books.faults.injected(Injected::ListenerDrop);
            inject();
        }
    }
}
