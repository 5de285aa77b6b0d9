//! A run of events on its way from a lane through the listeners, the way of nearly every run.
//!
//! Where a listener panics, errs or has to stop in the middle, a [`Delivery`] goes on from the [`Place`]
//! that the run had come to; and so it does from the beginning where late listeners join, batch
//! listeners take part, or successes have to be told.

use super::core::SignalCore;
use super::delivery::Delivery;
use super::listener::{Lane, Step};
use super::post::Post;
use crate::engine::worker_shared::ABANDONED;
use crate::error::BoxError;
use crate::fault::Payload;
use crate::listener::set::{Array, Record, is_skipped};
use crate::walk::guarded;
use core::cell::Cell;
use corecast_ring::Consumer;

/// What a run is made of.
pub(super) struct Run<'a, T: Send + 'static> {
    pub(super) array: &'a Array<Lane<T>>,
    pub(super) record: &'a Record,
    pub(super) lane: &'a Consumer<T>,
    pub(super) post: &'a Post<T>,
    pub(super) core: &'a SignalCore<T>,
}

impl<T: Send + 'static> Clone for Run<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + 'static> Copy for Run<'_, T> {}

/// Where a run has come to: in cells, out of reach of a panic.
#[derive(Default)]
pub(super) struct Place {
    pub(super) step: Step,
    /// The listener to be called next, or in its call.
    pub(super) listener: Cell<usize>,
    /// Of listeners that take events in turn, the event that they are at.
    pub(super) event: Cell<usize>,
    /// Calls that did not reach their listener.
    pub(super) skipped: Cell<usize>,
}

/// Why a run does not go on the short way.
pub(super) enum Stopped {
    /// There has been an interrupt; no call is in hand.
    Interrupted,
    /// A call has come back: there is an interrupt, or the listener erred.
    Returned(Result<(), BoxError>),
    /// A call has not.
    Panicked(Payload),
}

impl<T: Send + 'static> Run<'_, T> {
    /// Hands `ready` events to the listeners, each event to all of them before the next one; how many
    /// went through all: fewer only if the engine has been abandoned.
    #[inline(always)]
    pub(super) fn deliver(self, ready: usize) -> usize {
        let place = Place::default();
        let listeners = self.array.len();
        let walked = match listeners {
            0 => return ready,
            1 => guarded(|| self.alone(&place, ready)),
            _ => guarded(|| self.in_turn(&place, ready)),
        };
        let stopped = match walked {
            Ok(Ok(())) => {
                let calls = ready * listeners - place.skipped.get();
                self.record.count_delivered(calls);
                return ready;
            }
            Ok(Err(stopped)) => stopped,
            Err(payload) => Stopped::Panicked(payload),
        };
        Delivery::resume(self, &place, ready, stopped)
    }

    /// A listener alone takes the whole run at once.
    #[inline(always)]
    fn alone(&self, place: &Place, ready: usize) -> Result<(), Stopped> {
        let step = &place.step;
        step.seen.set(self.post.worker.interrupts());
        if step.seen.get() & ABANDONED != 0 {
            return Err(Stopped::Interrupted);
        }
        step.end.set(ready);
        match self.array.call(0, self.lane, step) {
            Ok(()) if step.next.get() == ready => Ok(()),
            Err(error) if step.next.get() == 0 && is_skipped(&error) => {
                place.skipped.set(ready);
                Ok(())
            }
            returned => Err(Stopped::Returned(returned)),
        }
    }

    /// Several listeners take each event in turn.
    #[inline(always)]
    fn in_turn(&self, place: &Place, ready: usize) -> Result<(), Stopped> {
        let step = &place.step;
        let seen = self.post.worker.interrupts();
        step.seen.set(seen);
        if seen & ABANDONED != 0 {
            return Err(Stopped::Interrupted);
        }
        for event in 0..ready {
            place.event.set(event);
            step.end.set(event + 1);
            for (listener, entry) in self.array.entries().iter().enumerate() {
                place.listener.set(listener);
                step.next.set(event);
                // Before each call (I1).
                if self.post.worker.interrupts() != seen {
                    return Err(Stopped::Interrupted);
                }
                match entry.call(self.lane, step) {
                    Ok(()) => {}
                    Err(error) if is_skipped(&error) => place.skipped.set(place.skipped.get() + 1),
                    Err(error) => return Err(Stopped::Returned(Err(error))),
                }
            }
        }
        Ok(())
    }
}
