//! A round from the first subscription to the last handle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use corecast::{
    AsyncSignal, Broadcast, CancelToken, Engine, FaultKind, FaultPolicy, Overflow, RoundRobin,
    Sharded, ShutdownReport, SignalMetrics, Subscription, WorkerMetrics,
};

use super::churn::{Late, churn};
use super::emit::{Ledger, emit};
use super::route::{Taking, Track, Wish};
use super::verify::{Evidence, verify};
use super::{Ending, Kind, Path, Setup, Way};
use crate::stress::books::Books;
use crate::stress::dice::Dice;
use crate::stress::event::{Brittle, Event, Owned, Plain, Stamp, Tracked, Wide};
use crate::stress::fault::{Injected, inject};
use crate::stress::member::Member;
use crate::stress::order::Numbering;
use crate::stress::progress::Progress;
use crate::stress::round::{self, LONG, Outcome, Played, Round};
use crate::stress::stream::Stream;

/// What the threads of a round share.
pub(super) struct Stage<'r, E: Event, R: Track<E>> {
    pub(super) setup: &'r Setup,
    pub(super) round: &'r Round<'r>,
    pub(super) books: Arc<Books>,
    pub(super) signal: &'r AsyncSignal<E, R>,
    pub(super) workers: usize,
    pub(super) numbering: Numbering,
    pub(super) streams: Vec<Stream>,
    /// The progress of each worker's last listener.
    pub(super) last: Vec<Arc<Progress>>,
    ledgers: Mutex<Vec<Ledger>>,
    tokens: Mutex<Vec<CancelToken>>,
    emitting: AtomicUsize,
}

impl<E: Event, R: Track<E>> Stage<'_, E, R> {
    /// Whether nobody emits any more.
    pub(super) fn is_quiet(&self) -> bool {
        self.emitting.load(Ordering::Acquire) == 0
    }

    /// Events whose emission has begun, of all emitters.
    pub(super) fn total_begun(&self) -> u64 {
        // Not `begun`: to look at it costs the emitters nothing.
        self.streams.iter().map(Stream::done).sum()
    }

    /// Enters what became of an emitter's events.
    pub(super) fn enter(&self, stream: usize, ledger: Ledger) {
        self.ledgers()[stream] = ledger;
    }

    fn ledgers(&self) -> std::sync::MutexGuard<'_, Vec<Ledger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody else may cancel this.
    pub(super) fn offer(&self, token: CancelToken) {
        self.tokens().push(token);
    }

    /// Cancels what has been offered.
    pub(super) fn cancel_one(&self) {
        let offered = std::mem::take(&mut *self.tokens());
        offered.iter().for_each(CancelToken::cancel);
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, Vec<CancelToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Emits no more when this is gone, however the thread ended.
struct Emitting<'a>(&'a AtomicUsize);

impl Drop for Emitting<'_> {
    fn drop(&mut self) {
        // Release: what was emitted is seen with it.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Runs a round.
///
/// # Errors
///
/// An engine or a signal could not be built.
pub fn run(round: &Round<'_>, setup: &Setup) -> Played {
    match setup.kind {
        Kind::Plain => run_events::<Plain>(round, setup),
        Kind::Wide => run_events::<Wide>(round, setup),
        Kind::Tracked => run_events::<Tracked>(round, setup),
        Kind::Owned => run_events::<Owned>(round, setup),
    }
}

fn run_events<E: Event>(round: &Round<'_>, setup: &Setup) -> Played {
    match setup.way {
        Way::Broadcast => run_route::<E, Broadcast>(round, setup),
        Way::Sharded => run_route::<E, Sharded<E>>(round, setup),
        Way::RoundRobin => run_route::<E, RoundRobin>(round, setup),
    }
}

fn run_route<E: Event, R: Track<E>>(round: &Round<'_>, setup: &Setup) -> Played {
    let mut dice = round.dice.clone();
    let books = Books::new(setup.streams());
    let engine = build_engine(setup, &books, dice.fork())?;
    let signal = build_signal::<E, R>(setup, &engine, &books)?;
    let workers = engine.workers().len();
    let shared = setup.path == Path::Shared;
    let mut numbering = R::numbering(workers, shared);
    if setup.overflow == Overflow::DropNewest {
        numbering.gaps = true;
    }
    let progress = || {
        (0..workers)
            .map(|_| Progress::new(setup.streams()))
            .collect()
    };
    let (first, last): (Vec<_>, Vec<_>) = (progress(), progress());
    let mut steady = Steady {
        setup,
        engine: &engine,
        signal: &signal,
        books: &books,
        numbering,
        dice: dice.fork(),
        members: Vec::new(),
        subscriptions: Vec::new(),
    };
    steady.subscribe(10, &first, None)?;
    steady.subscribe(-10, &last, Some(&first))?;
    let Steady {
        members,
        subscriptions,
        ..
    } = steady;
    let stage = Stage {
        setup,
        round,
        books: Arc::clone(&books),
        signal: &signal,
        workers,
        numbering,
        streams: (0..setup.streams()).map(|_| Stream::default()).collect(),
        last,
        ledgers: Mutex::new(vec![Ledger::default(); setup.streams()]),
        tokens: Mutex::new(Vec::new()),
        emitting: AtomicUsize::new(setup.emitters),
    };
    let (engine, report, mut late) = play(&stage, engine, &mut dice);
    // What is left of the listeners is dropped here, after the shutdown.
    drop(subscriptions);
    late.iter_mut().for_each(Late::let_go);
    // A worker that was left behind in a listener drops what that captured a little later.
    let gone = |member: &Arc<Member>| member.is_gone();
    while setup.may_leave_behind() && !(members.iter().all(gone) && late.iter().all(Late::is_gone))
    {
        thread::yield_now();
    }
    let metrics = signal.metrics();
    let workers_metrics = engine.as_ref().map(|engine| engine.metrics().workers);
    let ledgers = stage.ledgers().clone();
    let evidence = Evidence {
        report: report.as_ref(),
        metrics: &metrics,
        workers: workers_metrics.as_deref(),
        ledgers: &ledgers,
        members: &members,
        late: &late,
    };
    let mut outcome = verify(&stage, &evidence);
    drop(stage);
    drop(signal);
    finish(&books, engine.as_ref(), setup, &mut outcome);
    Ok(outcome)
}

/// The last of the books, when every handle but the engine's is gone.
fn finish(books: &Arc<Books>, engine: Option<&Engine>, setup: &Setup, outcome: &mut Outcome) {
    let wrong = || {
        if let Some(engine) = engine {
            books.faults.drain(engine.faults());
        }
        let faults = books.faults.difference(engine.is_some());
        [faults, books.events.difference()]
    };
    let mut found = wrong();
    // A worker that was left behind drops its events, and reports those that panic, a little later.
    while setup.may_leave_behind() && found.iter().any(Option::is_some) {
        thread::yield_now();
        found = wrong();
    }
    for difference in found.into_iter().flatten() {
        books.wrong(format_args!("{difference}"));
    }
    let Outcome {
        events,
        lane_events,
        ..
    } = *outcome;
    *outcome = Outcome {
        events,
        lane_events,
        notes: std::mem::take(&mut outcome.notes),
        ..Outcome::of(books)
    };
}

fn build_engine(
    setup: &Setup,
    books: &Arc<Books>,
    mut dice: Dice,
) -> Result<Engine, crate::cli::Error> {
    let builder = if setup.per_core > 1 {
        round::crowded(setup.cpus, setup.per_core)
    } else {
        round::engine(setup.cpus)
    };
    let mut builder = builder.wait(setup.wait).fences(setup.fences);
    if setup.handler {
        let books = Arc::clone(books);
        builder = builder.on_fault(move |fault| {
            books.faults.see(&fault);
            if fault.kind != FaultKind::Handler && dice.once_in(64) {
                books.faults.injected(Injected::Handler);
                inject();
            }
        });
    }
    Ok(builder.build()?)
}

fn build_signal<E: Event, R: Track<E>>(
    setup: &Setup,
    engine: &Engine,
    books: &Arc<Books>,
) -> Result<AsyncSignal<E, R>, crate::cli::Error> {
    let mut builder = R::route(engine.signal::<E>("stress"))
        .capacity(setup.capacity)
        .batch(setup.batch)
        .overflow(setup.overflow)
        .fault_policy(setup.policy)
        .sample_latency(setup.sample);
    if setup.path == Path::Fill {
        let books = Arc::clone(books);
        // A slot that was never filled is no emitter's.
        builder =
            builder.recycled(move || E::new(Stamp::new(u32::MAX, 0), Brittle::default(), &books));
    }
    Ok(builder.build()?)
}

/// The listeners that stay from the first event to the last.
struct Steady<'a, E: Event, R: Track<E>> {
    setup: &'a Setup,
    engine: &'a Engine,
    signal: &'a AsyncSignal<E, R>,
    books: &'a Arc<Books>,
    numbering: Numbering,
    dice: Dice,
    members: Vec<Arc<Member>>,
    subscriptions: Vec<Subscription>,
}

impl<E: Event, R: Track<E>> Steady<'_, E, R> {
    /// One listener on each worker.
    fn subscribe(
        &mut self,
        priority: i32,
        lead: &[Arc<Progress>],
        follow: Option<&[Arc<Progress>]>,
    ) -> Result<(), crate::cli::Error> {
        let ids: Vec<_> = self.engine.workers().iter().map(|info| info.id).collect();
        let places = if R::EVERYWHERE { &ids[..] } else { &ids[..1] };
        for &place in places {
            let after = match self.setup.policy {
                FaultPolicy::Quarantine { after } => after,
                _ => 0,
            };
            let member = Member::new(self.books, self.numbering);
            let member = Arc::new(member.quarantine(after).steadfast());
            let wish = Wish {
                taking: self
                    .dice
                    .pick(&[Taking::Each, Taking::Fallible, Taking::Batch]),
                worker: Some(place),
                priority,
                once: false,
                key: None,
            };
            let mut next = place.index();
            let dice = &mut self.dice;
            let make = || {
                let part = member.part(self.setup.streams(), self.setup.rates, dice.fork());
                let part = part.leading(&lead[next]);
                let part = match follow {
                    Some(follow) => part.following(&follow[next]),
                    None => part,
                };
                next += 1;
                part
            };
            self.subscriptions
                .push(R::subscribe(self.signal, &wish, make)?);
            self.members.push(member);
        }
        Ok(())
    }
}

/// Runs the threads of a round, and ends it.
fn play<E: Event, R: Track<E>>(
    stage: &Stage<'_, E, R>,
    engine: Engine,
    dice: &mut Dice,
) -> (Option<Engine>, Option<ShutdownReport>, Vec<Late>) {
    let late = Mutex::new(Vec::new());
    let ended = thread::scope(|scope| {
        let emitters: Vec<_> = (0..stage.setup.emitters)
            .map(|index| {
                let dice = dice.fork();
                scope.spawn(move || {
                    let _emitting = Emitting(&stage.emitting);
                    emit(stage, index, dice);
                })
            })
            .collect();
        for index in 0..stage.setup.churners {
            let (dice, late) = (dice.fork(), &late);
            scope.spawn(move || {
                let rest = churn(stage, index, dice);
                late.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(rest);
            });
        }
        if stage.setup.churners == 0 {
            scope.spawn(|| {
                while !stage.is_quiet() {
                    stage.cancel_one();
                    thread::yield_now();
                }
            });
        }
        let ending = stage.setup.ending;
        if ending == Ending::Complete {
            // A panic of theirs comes out of the scope.
            emitters
                .into_iter()
                .for_each(|emitter| drop(emitter.join()));
        } else {
            let until = dice.below(stage.round.events.min(200_000));
            while stage.total_begun() < until && !stage.is_quiet() {
                thread::yield_now();
            }
        }
        stage.books.over.store(true, Ordering::Release);
        match ending {
            Ending::Complete | Ending::Early => {
                let report = engine.shutdown(LONG);
                (Some(engine), Some(report))
            }
            Ending::Abrupt(limit) => {
                let report = engine.shutdown(limit);
                (Some(engine), Some(report))
            }
            Ending::Dropped => {
                drop(engine);
                (None, None)
            }
        }
    });
    let late = late.into_inner().unwrap_or_else(PoisonError::into_inner);
    (ended.0, ended.1, late)
}

/// Lane-events that workers delivered.
pub(super) fn delivered(workers: &[WorkerMetrics]) -> u64 {
    workers.iter().map(|worker| worker.delivered).sum()
}

/// Lane-events that an accepted event makes.
pub(super) fn lane_events<E: Event, R: Track<E>>(metrics: &SignalMetrics, workers: usize) -> u64 {
    if R::EVERYWHERE {
        metrics.accepted * workers as u64
    } else {
        metrics.accepted
    }
}
