//! An emitting thread, and whether what an emission returned is what its listeners saw.

use std::sync::atomic::Ordering;
use std::time::Duration;

use corecast::{Context, Delivery, EmitError, FaultPolicy, SyncEmitter};

use super::Stage;
use super::witness::{WALK, Walk, Witness};
use crate::stress::dice::Dice;
use crate::stress::event::Stamp;
use crate::stress::fault::guard;

impl Stage<'_> {
    pub(super) fn emit(&self, stream: usize, mut dice: Dice) {
        let mut out = self.signal.emitter();
        let quota = self.round.events / self.streams.len() as u64;
        let mut number = 0;
        while number < quota {
            let stamp = Stamp::new(stream as u32, number);
            self.streams[stream].begin(number + 1);
            self.emit_one(&mut out, stamp, &mut dice);
            number += 1;
            self.streams[stream].end(number);
            if dice.once_in(5000) {
                out = self.signal.emitter();
            }
            if number.is_multiple_of(64) && self.round.is_over() {
                break;
            }
        }
        self.emitted.fetch_add(number, Ordering::Relaxed);
    }

    fn emit_one(&self, out: &mut SyncEmitter<Stamp>, stamp: Stamp, dice: &mut Dice) {
        let (own, tried) = (dice.once_in(2), self.tries && dice.once_in(2));
        WALK.set(Walk { tried, ..Walk::NEW });
        if tried {
            let context = match dice.below(4) {
                0 => Context::with_timeout(Duration::from_nanos(dice.below(5000))),
                1 => {
                    let context = Context::none();
                    context.cancel_token().cancel();
                    context
                }
                _ => Context::none(),
            };
            let emitted = guard(|| match own {
                true => out.try_emit(&stamp, &context),
                false => self.signal.try_emit(&stamp, &context),
            });
            self.judge_try(stamp, emitted);
        } else {
            let emitted = guard(|| match own {
                true => out.emit(&stamp),
                false => self.signal.emit(&stamp),
            });
            let walk = WALK.get();
            match emitted {
                Ok(Some(delivery)) => self.compare(delivery),
                Ok(None) if self.policy == FaultPolicy::Propagate && walk.failed > 0 => {}
                Ok(None) => self
                    .books
                    .wrong(format_args!("a listener's panic came out of emit")),
                Err(text) => self.books.wrong(format_args!("emit panicked: {text}")),
            }
            for steady in [&self.first, &self.last] {
                self.expect(steady, stamp, true);
            }
        }
    }

    fn judge_try(
        &self,
        stamp: Stamp,
        emitted: Result<Option<Result<Delivery, EmitError>>, String>,
    ) {
        let walk = WALK.get();
        match emitted {
            Ok(Some(Ok(delivery))) => {
                self.compare(delivery);
                self.expect(&self.last, stamp, true);
            }
            Ok(Some(Err(error))) => {
                let failed = usize::from(matches!(
                    error,
                    EmitError::Listener { .. } | EmitError::Panicked { .. }
                ));
                if (error.delivered(), failed) != (walk.well, walk.failed) {
                    self.books.wrong(format_args!(
                        "try_emit says \"{error}\", and {walk:?} was seen"
                    ));
                }
                if failed == 1 {
                    self.expect(&self.first, stamp, true);
                    self.expect(&self.last, stamp, false);
                }
            }
            Ok(None) if self.policy == FaultPolicy::Propagate && walk.failed == 1 => {}
            Ok(None) => self
                .books
                .wrong(format_args!("a listener's panic came out of try_emit")),
            Err(text) => self.books.wrong(format_args!("try_emit panicked: {text}")),
        }
    }

    fn compare(&self, delivery: Delivery) {
        let walk = WALK.get();
        if (delivery.delivered, delivery.failed) != (walk.well, walk.failed) {
            self.books.wrong(format_args!(
                "an emission returned {delivery:?}, and {walk:?} was seen"
            ));
        }
    }

    /// Whether a listener that stays has seen the event.
    fn expect(&self, steady: &Witness, stamp: Stamp, expected: bool) {
        let next = steady.seen[stamp.stream as usize]
            .next
            .load(Ordering::Acquire);
        if (next == stamp.number + 1) != expected {
            self.books.wrong(format_args!(
                "event {} of emitter {}: seen by the listener of priority {}: {}",
                stamp.number, stamp.stream, steady.priority, !expected
            ));
        }
    }
}
