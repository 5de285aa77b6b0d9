//! The run through the engine: checks in the emitting thread, listeners on workers.

use std::fmt;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use corecast::{
    AsyncSignal, Context, EmitError, Emitter, Engine, Overflow, Subscription, SyncEmitter,
    SyncSignal, WorkerId, WorkerListener,
};

use super::desk::{Desk, LatencyRecorder, Listen};
use super::direct::CHECKS;
use super::gate::{Refusal, Refusals, check_price, check_shape};
use super::run::{Delivered, Dispatch, Outcome, Path, Plan, drive};
use super::sequence::SequenceCheck;
use super::workers::WorkerReport;
use super::{Clock, Progress, WorkerArgs};
use crate::cli::Error;
use crate::market::{Books, MessageCounts, Tick, TickFeed, TradeStats};

/// Slots of each lane: as many ticks as stay in a core's second-level cache on the way.
const LANE_SLOTS: usize = 1 << 12;

/// Far more than listeners need for what waits in a lane.
const PATIENCE: Duration = Duration::from_secs(60);

/// Replays `feed` through the engine: every tick passes the checks as a synchronous emission, and
/// if none refuses it, goes to the listeners on the workers.
///
/// With `manual` there are no threads: the lanes are drained on this one when they are full.
///
/// # Errors
///
/// The feed failed, the workers cannot be had as asked for, or a listener panicked.
pub fn run_engine(
    feed: &mut dyn TickFeed,
    plan: &Plan,
    workers: &WorkerArgs,
    manual: bool,
    progress: &Progress,
) -> Result<Outcome, Error> {
    let clock = Clock::start();
    let engine = if manual {
        workers.engine().manual().build()?
    } else {
        workers.engine().build()?
    };
    // Before the lanes are made, so that their memory is near the thread that writes it.
    let pinned = if manual { None } else { workers.pin_emitter()? };
    let mut floor = Floor::open(engine, manual, Desk::new(clock))?;
    let totals = drive(feed, plan, clock, &mut floor, progress)?;
    drop(pinned);
    let (mut listeners, refusals) = (floor.check_counts(), floor.refusals.clone());
    let (passed, workers) = (floor.passed, floor.workers());
    let (desk, on_workers) = floor.close()?;
    // Counted by the listeners themselves: whatever did not reach one is lost, whoever lost it.
    let fewest = on_workers.iter().map(|listener| listener.delivered).min();
    listeners.extend(on_workers);
    Ok(Outcome {
        totals,
        refusals,
        dropped: passed.saturating_sub(fewest.unwrap_or(0)),
        listeners,
        desk,
        workers,
    })
}

/// Both signals, and who is subscribed to them.
struct Floor {
    checks: SyncEmitter<Tick>,
    /// Never cancelled and without a deadline: a check decides alone.
    context: Context,
    refusals: Refusals,
    passed: u64,
    ticks: Emitter<Tick>,
    /// In an engine without threads: how many more ticks fit before this thread has to drain.
    room: Option<usize>,
    books: Station<Books>,
    trades: Station<TradeStats>,
    messages: Station<MessageCounts>,
    latency: Station<LatencyRecorder>,
    check_subscriptions: [Subscription; CHECKS.len()],
    engine: Engine,
}

impl Floor {
    /// Subscribes the checks and the desk's listeners.
    fn open(engine: Engine, manual: bool, desk: Desk) -> Result<Self, Error> {
        let checks = SyncSignal::new();
        let sequences = SequenceCheck::new();
        let check_subscriptions = [
            checks.subscribe_fallible(check_shape),
            checks.subscribe_fallible(check_price),
            checks.subscribe_fallible(move |tick| sequences.check(tick)),
        ];
        let ticks = engine
            .signal::<Tick>("ticks")
            .capacity(LANE_SLOTS)
            .overflow(Overflow::Wait)
            .build()?;
        // The latency that is reported is that of the order book, the slowest listener: so both are
        // on the first worker, and the others wherever there are fewest.
        let first = engine.workers().first().map(|worker| worker.id);
        Ok(Self {
            books: Station::open(&ticks, first, desk.books)?,
            trades: Station::open(&ticks, None, desk.trades)?,
            messages: Station::open(&ticks, None, desk.messages)?,
            latency: Station::open(&ticks, first, desk.latency)?,
            checks: checks.emitter(),
            context: Context::none(),
            refusals: Refusals::default(),
            passed: 0,
            ticks: ticks.emitter()?,
            room: manual.then_some(LANE_SLOTS),
            check_subscriptions,
            engine,
        })
    }

    fn workers(&self) -> Vec<WorkerReport> {
        self.engine
            .workers()
            .iter()
            .map(WorkerReport::from)
            .collect()
    }

    /// What the checks let pass, which each of them was called with.
    fn check_counts(&self) -> Vec<Delivered> {
        let counted = |name| Delivered {
            name,
            path: Path::Sync,
            delivered: self.passed,
        };
        CHECKS.into_iter().map(counted).collect()
    }

    /// Takes the listeners off their workers and ends the engine.
    fn close(self) -> Result<(Desk, Vec<Delivered>), Error> {
        drop(self.check_subscriptions);
        let (books, books_delivered) = self.books.close()?;
        let (trades, trades_delivered) = self.trades.close()?;
        let (messages, messages_delivered) = self.messages.close()?;
        let (latency, latency_delivered) = self.latency.close()?;
        let report = self.engine.shutdown(PATIENCE);
        if let Some(fault) = self.engine.faults().pop() {
            return Err(fault.to_string().into());
        }
        if report.abandoned > 0 || !report.stuck.is_empty() {
            return Err(format!("the engine did not finish: {report:?}").into());
        }
        let desk = Desk {
            books,
            trades,
            messages,
            latency,
        };
        let delivered = [
            books_delivered,
            trades_delivered,
            messages_delivered,
            latency_delivered,
        ];
        Ok((desk, delivered.into()))
    }
}

impl Dispatch for Floor {
    fn dispatch(&mut self, tick: Tick) -> Result<(), Error> {
        match self.checks.try_emit(&tick, &self.context) {
            Ok(_) => {}
            Err(EmitError::Listener { source, .. }) => {
                self.refusals.count(*source.downcast::<Refusal>()?);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(room) = &mut self.room {
            if *room == 0 {
                self.engine.run_until_idle()?;
                *room = LANE_SLOTS;
            }
            *room -= 1;
        }
        self.ticks.emit(tick)?;
        self.passed += 1;
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Error> {
        Ok(self.ticks.flush(PATIENCE)?)
    }
}

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Floor")
            .field("engine", &self.engine)
            .field("passed", &self.passed)
            .finish_non_exhaustive()
    }
}

/// A listener's place on a worker, and the way back from there.
#[derive(Debug)]
struct Station<L> {
    subscription: Subscription,
    relieved: Receiver<(L, u64)>,
}

impl<L: Listen> Station<L> {
    /// Subscribes `listener` on `worker`, or where there are fewest.
    fn open(
        ticks: &AsyncSignal<Tick>,
        worker: Option<WorkerId>,
        listener: L,
    ) -> Result<Self, Error> {
        let (home, relieved) = mpsc::channel();
        let mut duty = Duty {
            listener: Some(listener),
            ticks: 0,
            home,
        };
        let mut on_duty = WorkerListener::new(move |tick| duty.on_tick(tick)).name(L::NAME);
        if let Some(worker) = worker {
            on_duty = on_duty.on_worker(worker);
        }
        Ok(Self {
            subscription: ticks.add(on_duty)?,
            relieved,
        })
    }

    /// Takes the listener off its worker; what it has learnt, and how many ticks it was given.
    fn close(self) -> Result<(L, Delivered), Error> {
        self.subscription.unsubscribe_and_wait(PATIENCE)?;
        let (listener, delivered) = self.relieved.try_recv()?;
        Ok((
            listener,
            Delivered {
                name: L::NAME,
                path: Path::Async,
                delivered,
            },
        ))
    }
}

/// A listener at work. Its worker owns it, so there is no lock; when the engine drops it there, it
/// goes home.
struct Duty<L> {
    /// There until the drop.
    listener: Option<L>,
    ticks: u64,
    home: Sender<(L, u64)>,
}

impl<L: Listen> Duty<L> {
    fn on_tick(&mut self, tick: &Tick) {
        if let Some(listener) = &mut self.listener {
            listener.on_tick(tick);
            self.ticks += 1;
        }
    }
}

impl<L> Drop for Duty<L> {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.take() {
            // Nobody waits for it where the run has failed.
            let _unread = self.home.send((listener, self.ticks));
        }
    }
}
