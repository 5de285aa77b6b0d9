//! Listeners that come and go while others emit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use corecast::Subscription;

use super::Stage;
use super::witness::{Captured, Role, Witness};
use crate::stress::dice::Dice;
use crate::stress::round::LONG;
use crate::stress::stream::{Stream, begun, done};

impl Stage<'_> {
    pub(super) fn churn(&self, mut dice: Dice) -> Vec<Arc<Witness>> {
        let mut left: Vec<Arc<Witness>> = Vec::new();
        while !self.is_quiet() {
            let once = dice.once_in(8);
            let priority = dice.below(21) as i32 - 10;
            let role = Role {
                priority,
                once,
                gapless: !self.tries && !once,
            };
            let of = (&self.books, &self.failures);
            let witness = Witness::new(of, self.streams.len(), self.rates, role, &mut dice);
            let before = done(&self.streams);
            let subscribed = self.signal.add(Captured(Arc::clone(&witness)).listener());
            let after = begun(&self.streams);
            let subscription = match subscribed {
                Ok(subscription) => subscription,
                Err(error) => {
                    self.books.wrong(format_args!("not subscribed: {error}"));
                    return left;
                }
            };
            let until = dice.below(500);
            let total = || self.streams.iter().map(Stream::done).sum::<u64>();
            let since = total();
            while total() - since < until && !self.is_quiet() {
                thread::yield_now();
            }
            let finished = done(&self.streams);
            self.leave(subscription, &witness, &mut dice);
            let gone = begun(&self.streams);
            self.judge(&witness, [&before, &after, &finished, &gone]);
            left.push(witness);
            left.retain(|witness| !witness.gone.load(Ordering::Acquire));
            if dice.once_in(50)
                && let Err(error) = self.signal.quiesce(LONG)
            {
                self.books.wrong(format_args!("quiesce: {error}"));
            }
        }
        left
    }

    fn leave(&self, subscription: Subscription, witness: &Witness, dice: &mut Dice) {
        match dice.below(3) {
            0 => drop(subscription),
            1 => {
                let removed = subscription.unsubscribe();
                if !removed && !witness.once {
                    self.books
                        .wrong(format_args!("a listener was gone before its removal"));
                }
            }
            _ => match subscription.unsubscribe_and_wait(LONG) {
                Ok(()) if !witness.gone.load(Ordering::Acquire) => self.books.wrong(format_args!(
                    "what a listener had captured was still there after unsubscribe_and_wait"
                )),
                Ok(()) => {}
                Err(error) => self
                    .books
                    .wrong(format_args!("unsubscribe_and_wait: {error}")),
            },
        }
    }

    /// Emissions that had returned `before` subscribe are not seen; those that began `after` it and
    /// had `finished` when the removal began are; those that began when it had returned (`gone`) are
    /// not.
    fn judge(&self, witness: &Witness, [before, after, finished, gone]: [&[u64]; 4]) {
        for (stream, seen) in witness.seen.iter().enumerate() {
            // Next first: it is written last.
            let next = seen.next.load(Ordering::Acquire);
            let first = seen.first.load(Ordering::Acquire);
            let [before, after, finished, gone] = [
                before[stream],
                after[stream],
                finished[stream],
                gone[stream],
            ];
            if next > 0 && first < before {
                self.books.wrong(format_args!(
                    "a late listener received event {first} of emitter {stream}, emitted before {before}"
                ));
            }
            if next > gone {
                self.books.wrong(format_args!(
                    "a removed listener received event {} of emitter {stream}, emitted after {gone}",
                    next - 1
                ));
            }
            let missed = after < finished && (next < finished || first > after);
            if witness.gapless && missed {
                self.books.wrong(format_args!(
                    "a late listener received {first}..{next} of emitter {stream}, not {after}..{finished}"
                ));
            }
        }
    }
}
