//! An emitting thread: one emitter after the other, each with its own numbers.

use std::thread;
use std::time::Duration;

use corecast::{Context, Emitter, FlushError, Overflow, RejectReason, Rejected};

use super::route::Track;
use super::run::Stage;
use super::{Path, Setup};
use crate::stress::dice::Dice;
use crate::stress::event::{Brittle, Event, Stamp};
use crate::stress::fault::{Injected, guard, inject};
use crate::stress::round::LONG;

/// Steps between two looks at the clock.
const STEPS: u64 = 64;
/// Events in a batch, at most.
const LONGEST_BATCH: u64 = 150;

/// What became of the events of one emitter.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ledger {
    /// Events that have a number: all that were accepted, and under `DropNewest` the dropped ones.
    pub(super) numbers: u64,
    pub(super) accepted: u64,
    /// The sum of the accepted events' seals, unless it cannot be known which were accepted.
    pub(super) sum: Option<u64>,
    pub(super) rejected: u64,
    pub(super) dropped: u64,
}

/// One emitter's life.
struct Life<'s, 'r, E: Event, R: Track<E>> {
    stage: &'s Stage<'r, E, R>,
    stream: usize,
    ledger: Ledger,
    dice: Dice,
    closed: bool,
}

/// Which of the two, and why.
enum Refusal {
    Event(RejectReason),
    Batch(RejectReason),
}

/// Emits, with `lives` emitters in a row.
pub(super) fn emit<E: Event, R: Track<E>>(stage: &Stage<'_, E, R>, index: usize, mut dice: Dice) {
    let Setup { lives, path, .. } = *stage.setup;
    let mut left = stage.round.events / stage.setup.emitters as u64;
    for life in 0..lives {
        let quota = match lives - life {
            1 => left,
            _ => (1 + dice.below(20_000)).min(left / 2),
        };
        let mut life = Life {
            stage,
            stream: index * lives + life,
            ledger: Ledger {
                sum: Some(0),
                ..Ledger::default()
            },
            dice: dice.fork(),
            closed: false,
        };
        match path {
            Path::Shared => life.live_shared(quota),
            _ => life.live(quota),
        }
        left -= life.ledger.numbers.min(left);
        stage.enter(life.stream, life.ledger);
        if life.closed || stage.round.is_over() {
            return;
        }
    }
}

impl<E: Event, R: Track<E>> Life<'_, '_, E, R> {
    fn live(&mut self, quota: u64) {
        let mut out = match self.stage.signal.emitter() {
            Ok(out) => out,
            Err(error) => {
                if !self.stage.books.is_over() {
                    self.wrong(format_args!("no emitter: {error}"));
                }
                self.closed = true;
                return;
            }
        };
        let mut steps = 0;
        while self.goes_on(quota, steps) {
            steps += 1;
            match self.stage.setup.path {
                Path::Batch => self.batch(&mut out, quota),
                // What a recycled slot held is displaced now and then.
                Path::Fill if !self.dice.once_in(32) => self.fill(&mut out),
                _ => self.single(&mut out),
            }
            if steps.is_multiple_of(STEPS) {
                self.compare(&out);
            }
            if self.dice.once_in(self.stage.setup.flush) {
                self.flush(&mut out);
            }
        }
        self.compare(&out);
        if self.dice.once_in(2) {
            out.close();
        }
    }

    fn live_shared(&mut self, quota: u64) {
        let mut steps = 0;
        while self.goes_on(quota, steps) {
            steps += 1;
            let (stamp, event) = self.next();
            let tried = self.dice.once_in(16);
            let signal = self.stage.signal;
            let emitted = guard(|| match tried {
                true => signal.try_emit(event),
                false => signal.emit(event),
            });
            if self.drops() {
                self.ledger.sum = None;
            }
            self.after_single(stamp, emitted, tried.then_some(RejectReason::Full), true);
        }
    }

    fn goes_on(&self, quota: u64, steps: u64) -> bool {
        let paused = steps.is_multiple_of(STEPS) && self.stage.round.is_over();
        !self.closed && !paused && self.ledger.numbers < quota
    }

    fn stream(&self) -> &crate::stress::stream::Stream {
        &self.stage.streams[self.stream]
    }

    fn wrong(&self, what: std::fmt::Arguments<'_>) {
        self.stage.books.wrong(what);
    }

    fn drops(&self) -> bool {
        self.stage.setup.overflow == Overflow::DropNewest
    }

    fn brittle(&mut self) -> Brittle {
        let rate = self.stage.setup.brittle;
        Brittle {
            clone: self.dice.once_in(rate),
            drop: self.dice.once_in(rate),
        }
    }

    /// The next event, whose emission begins now.
    fn next(&mut self) -> (Stamp, E) {
        let number = self.ledger.numbers;
        let stamp = Stamp::new(self.stream as u32, number);
        let brittle = self.brittle();
        self.stream().begin(number + 1);
        (stamp, E::new(stamp, brittle, &self.stage.books))
    }

    fn single(&mut self, out: &mut Emitter<E, R>) {
        let (stamp, event) = self.next();
        let before = out.sequence();
        let (emitted, also) = match self.dice.below(32) {
            0 => (
                guard(|| out.try_emit(event)),
                [Some(RejectReason::Full), None],
            ),
            1 => {
                let context = self.context();
                (
                    guard(|| out.emit_within(event, &context)),
                    [Some(RejectReason::Timeout), Some(RejectReason::Cancelled)],
                )
            }
            _ => (guard(|| out.emit(event)), [None, None]),
        };
        let [also, or] = also;
        let also = match &emitted {
            Ok(Some(Err(rejected))) if Some(rejected.reason) == or => or,
            _ => also,
        };
        let accepted = !self.drops() || out.sequence() > before;
        self.after_single(stamp, emitted, also, accepted);
    }

    /// A context that ends the wait for room soon, or when another thread says so.
    fn context(&mut self) -> Context {
        match self.dice.below(3) {
            0 => Context::with_timeout(Duration::from_nanos(self.dice.below(100_000))),
            1 => {
                let context = Context::none();
                context.cancel_token().cancel();
                context
            }
            _ => {
                let context = Context::none();
                self.stage.offer(context.cancel_token());
                context
            }
        }
    }

    fn after_single(
        &mut self,
        stamp: Stamp,
        emitted: Result<Option<Result<(), Rejected<E>>>, String>,
        also: Option<RejectReason>,
        accepted: bool,
    ) {
        match emitted {
            Ok(Some(Ok(()))) => self.accept(1, accepted.then_some(stamp.seal)),
            Ok(Some(Err(Rejected { event, reason }))) => {
                if event.stamp() != stamp || !event.is_whole() {
                    self.wrong(format_args!("another event than the refused one came back"));
                }
                self.ledger.rejected += 1;
                self.refused(Refusal::Event(reason), also);
            }
            // A clone that panicked: nothing was emitted.
            Ok(None) => {}
            Err(text) => self.wrong(format_args!("emit panicked: {text}")),
        }
        self.stream().end(self.ledger.numbers);
    }

    /// Events with numbers, of which one was accepted, or dropped.
    fn accept(&mut self, numbers: u64, seal: Option<u64>) {
        self.ledger.numbers += numbers;
        match seal {
            Some(seal) => {
                self.ledger.accepted += 1;
                self.ledger.sum = self.ledger.sum.map(|sum| sum.wrapping_add(seal));
            }
            None => self.ledger.dropped += 1,
        }
    }

    fn refused(&mut self, refusal: Refusal, also: Option<RejectReason>) {
        let (Refusal::Event(reason) | Refusal::Batch(reason)) = refusal;
        let expected = match reason {
            RejectReason::Closed => {
                self.closed = true;
                self.stage.books.is_over()
            }
            RejectReason::Full => self.stage.setup.overflow == Overflow::Reject,
            RejectReason::Timeout => matches!(self.stage.setup.overflow, Overflow::WaitFor(_)),
            _ => false,
        };
        if !expected && also != Some(reason) {
            let what = match refusal {
                Refusal::Event(_) => "an event",
                Refusal::Batch(_) => "a batch",
            };
            self.wrong(format_args!("{what} was refused: {reason}"));
        }
        thread::yield_now();
    }

    fn batch(&mut self, out: &mut Emitter<E, R>, quota: u64) {
        let from = self.ledger.numbers;
        let count = (1 + self.dice.below(LONGEST_BATCH)).min(quota - from);
        let breaks = self.dice.once_in(self.stage.setup.brittle);
        let breaks_at = breaks.then(|| self.dice.below(count));
        let before = out.sequence();
        self.stream().begin(from + count);
        let stream = self.stream as u32;
        let books = &self.stage.books;
        let (mut dice, rate) = (self.dice.fork(), self.stage.setup.brittle);
        let (mut yielded, mut broke) = (0, false);
        let events = (0..count).map(|index| {
            if breaks_at == Some(index) {
                broke = true;
                books.faults.injected(Injected::Clone);
                inject();
            }
            let brittle = Brittle {
                clone: dice.once_in(rate),
                drop: dice.once_in(rate),
            };
            yielded += 1;
            E::new(Stamp::new(stream, from + index), brittle, books)
        });
        let emitted = guard(|| out.emit_batch(events));
        let accepted = out.sequence() - before;
        let expected = match emitted {
            Ok(Some(Ok(_))) => Some(count),
            Ok(Some(Err(rejected))) => {
                let next = from + rejected.accepted as u64 + rejected.dropped as u64;
                if let Some(event) = &rejected.event
                    && (event.stamp().number != next || !event.is_whole())
                {
                    self.wrong(format_args!(
                        "event {} came back from a batch, not {next}",
                        event.stamp().number
                    ));
                }
                self.ledger.rejected +=
                    u64::from(rejected.event.is_some()) + rejected.dropped as u64;
                self.refused(Refusal::Batch(rejected.reason), None);
                Some(rejected.accepted as u64)
            }
            // The iterator panicked: what it had yielded is published, or refused as a whole by a
            // signal that was closed meanwhile. Or a clone did, whose event is nowhere.
            Ok(None) => {
                let whole = yielded - u64::from(!broke);
                let refused = whole - accepted;
                if refused > 0 && !books.is_over() {
                    self.wrong(format_args!(
                        "{accepted} of {whole} events before a panic were accepted"
                    ));
                }
                self.ledger.rejected += refused;
                Some(accepted)
            }
            Err(text) => {
                self.wrong(format_args!("emit_batch panicked: {text}"));
                None
            }
        };
        if self.drops() {
            // Which of them were dropped is not to be known.
            let numbers = expected.unwrap_or(count);
            self.ledger.sum = None;
            self.ledger.numbers += numbers;
            self.ledger.accepted += accepted;
            self.ledger.dropped += expected.map_or(0, |numbers| numbers.saturating_sub(accepted));
        } else {
            if expected.is_some_and(|expected| expected != accepted) {
                self.wrong(format_args!(
                    "{accepted} events of a batch were accepted, not {expected:?}"
                ));
            }
            for number in from..from + accepted {
                self.accept(1, Some(Stamp::new(stream, number).seal));
            }
        }
        self.stream().end(self.ledger.numbers);
    }

    fn fill(&mut self, out: &mut Emitter<E, R>) {
        let number = self.ledger.numbers;
        let stamp = Stamp::new(self.stream as u32, number);
        let brittle = self.brittle();
        let breaks = self.dice.once_in(self.stage.setup.brittle);
        let breaks_at = breaks.then(|| 1 + self.dice.below(2));
        self.stream().begin(number + 1);
        let before = out.sequence();
        let books = &self.stage.books;
        let mut calls = 0;
        let emitted = guard(|| {
            out.emit_with(|slot| {
                calls += 1;
                if breaks_at == Some(calls) {
                    books.faults.injected(Injected::Clone);
                    inject();
                }
                if !slot.is_whole() {
                    books.wrong(format_args!("a recycled slot is not whole"));
                }
                slot.refill(stamp, brittle);
            })
        });
        let accepted = out.sequence() - before;
        match emitted {
            Ok(Some(Ok(()))) => self.accept(1, (accepted == 1).then_some(stamp.seal)),
            Ok(Some(Err(reason))) => {
                self.ledger.rejected += 1;
                self.refused(Refusal::Event(reason), None);
            }
            Ok(None) if accepted == 0 => {}
            Ok(None) => self.wrong(format_args!(
                "an event whose fill closure panicked was accepted"
            )),
            Err(text) => self.wrong(format_args!("emit_with panicked: {text}")),
        }
        self.stream().end(self.ledger.numbers);
    }

    fn flush(&mut self, out: &mut Emitter<E, R>) {
        let limit = self
            .dice
            .pick(&[LONG, LONG, Duration::ZERO, Duration::from_micros(50)]);
        match out.flush(limit) {
            Ok(()) => {
                let counts = self.stage.last.iter().map(|last| last.count(self.stream));
                let accepted = out.sequence();
                if R::EVERYWHERE {
                    for count in counts {
                        self.stage
                            .books
                            .equal("delivered after a flush", accepted, count);
                    }
                } else {
                    self.stage
                        .books
                        .equal("delivered after a flush", accepted, counts.sum());
                }
            }
            Err(FlushError::Timeout) if limit < LONG => {}
            Err(FlushError::Closed) if self.stage.books.is_over() => {}
            Err(error) => self.wrong(format_args!("a flush failed: {error}")),
        }
    }

    fn compare(&self, out: &Emitter<E, R>) {
        self.stage.books.equal(
            "accepted by an emitter",
            self.ledger.accepted,
            out.sequence(),
        );
    }
}
