//! Listeners that emit into lanes of their own worker, and of each other's: a circle of full lanes is
//! refused as `WouldDeadlock`, and never a hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corecast::{
    AsyncSignal, Emitter, RejectReason, Rejected, Subscription, WorkerId, WorkerListener,
};

use super::books::Books;
use super::dice::Dice;
use super::event::{Brittle, Event, Stamp, Tracked};
use super::round::{LONG, Outcome, Played, Round, engine};

/// An event that is passed on until its hops are used up.
#[derive(Debug, Clone)]
struct Ball {
    hops: u32,
    event: Tracked,
}

/// What all listeners count.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    received: AtomicU64,
    sum: AtomicU64,
    received_sum: AtomicU64,
}

/// Events that are thrown in before anybody looks at the clock.
const HANDFUL: u64 = 256;

/// Runs two workers, each with listeners that emit to the other and to itself.
///
/// # Errors
///
/// An engine or a signal could not be built.
pub(super) fn play(round: &Round<'_>) -> Played {
    let mut dice = round.dice.clone();
    let books = Books::new(4);
    let counts = Arc::new(Counts::default());
    let engine = engine(2).build()?;
    let signal = |name: &str, dice: &mut Dice| {
        let capacity = 1 << (1 + dice.below(4));
        engine.signal::<Ball>(name).capacity(capacity).build()
    };
    let signals = [signal("here", &mut dice)?, signal("there", &mut dice)?];
    let mut subscriptions = Vec::new();
    for (index, own) in signals.iter().enumerate() {
        let targets = [
            signals[1 - index].emitter()?,
            if dice.once_in(2) {
                own.emitter()?
            } else {
                signals[1 - index].emitter()?
            },
        ];
        let listener = Listener {
            targets,
            shared: signals[1 - index].clone(),
            dice: dice.fork(),
            books: Arc::clone(&books),
            counts: Arc::clone(&counts),
        };
        subscriptions.push(listener.subscribe(own, WorkerId::new(index as u32))?);
    }
    let mut emitters = [signals[0].emitter()?, signals[1].emitter()?];
    let mut number = 0;
    while number < round.events {
        let ball = Ball {
            hops: dice.below(7) as u32,
            event: Tracked::new(
                Stamp::new(dice.below(4) as u32, number),
                Brittle::default(),
                &books,
            ),
        };
        number += 1;
        let seal = ball.event.stamp().seal;
        let emitted = emitters[dice.below(2) as usize].emit(ball);
        counts.note(seal, emitted.map_err(|rejected| rejected.reason), &books);
        if number.is_multiple_of(HANDFUL) && round.is_over() {
            break;
        }
    }
    drop(emitters);
    // Balls are still in the air; those that are refused now are refused as closed.
    books.over.store(true, Ordering::Release);
    let report = engine.shutdown(LONG);
    drop(subscriptions);
    let metrics = signals.each_ref().map(AsyncSignal::metrics);
    drop(signals);
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (accepted, refused) = (load(&counts.accepted), load(&counts.refused));
    books.equal(
        "accepted",
        accepted,
        metrics.iter().map(|m| m.accepted).sum(),
    );
    books.equal(
        "rejected",
        refused,
        metrics.iter().map(|m| m.rejected).sum(),
    );
    books.equal(
        "emitted",
        accepted + refused,
        metrics.iter().map(|m| m.emitted).sum(),
    );
    books.equal("lane-events accepted", accepted, report.accepted);
    books.equal("lane-events delivered", accepted, report.delivered);
    books.equal("received", accepted, load(&counts.received));
    books.equal("checksum", load(&counts.sum), load(&counts.received_sum));
    if !report.stuck.is_empty() || report.abandoned > 0 {
        books.wrong(format_args!("the shutdown was not complete: {report:?}"));
    }
    books.faults.drain(engine.faults());
    if let Some(difference) = books.faults.difference(true) {
        books.wrong(format_args!("{difference}"));
    }
    if let Some(difference) = books.events.difference() {
        books.wrong(format_args!("{difference}"));
    }
    let mut outcome = Outcome {
        events: accepted + refused,
        lane_events: report.accepted,
        calls: accepted,
        ..Outcome::of(&books)
    };
    outcome.note("refused", refused);
    Ok(outcome)
}

impl Counts {
    fn note(&self, seal: u64, emitted: Result<(), RejectReason>, books: &Books) {
        match emitted {
            Ok(()) => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                self.sum.fetch_add(seal, Ordering::Relaxed);
            }
            Err(RejectReason::WouldDeadlock) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(RejectReason::Closed) if books.is_over() => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => books.wrong(format_args!("an event was refused: {reason}")),
        }
    }
}

struct Listener {
    targets: [Emitter<Ball>; 2],
    shared: AsyncSignal<Ball>,
    dice: Dice,
    books: Arc<Books>,
    counts: Arc<Counts>,
}

impl Listener {
    fn subscribe(
        mut self,
        signal: &AsyncSignal<Ball>,
        worker: WorkerId,
    ) -> Result<Subscription, corecast::SubscribeError> {
        let listener = WorkerListener::new(move |ball: &Ball| self.catch(ball));
        signal.add(listener.on_worker(worker))
    }

    /// Throws on two balls for each with hops left.
    fn catch(&mut self, ball: &Ball) {
        let seal = ball.event.stamp().seal;
        self.counts.received.fetch_add(1, Ordering::Relaxed);
        self.counts.received_sum.fetch_add(seal, Ordering::Relaxed);
        if ball.hops == 0 {
            return;
        }
        for target in &mut self.targets {
            let next = Ball {
                hops: ball.hops - 1,
                ..ball.clone()
            };
            let emitted: Result<(), Rejected<Ball>> = match self.dice.below(8) {
                0 => self.shared.emit(next),
                _ => target.emit(next),
            };
            let emitted = emitted.map_err(|rejected| rejected.reason);
            self.counts.note(seal, emitted, &self.books);
        }
    }
}
