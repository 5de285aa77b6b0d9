//! The two walks of a synchronous signal: `emit`, on which every listener runs, and `try_emit`, which
//! stops at the first that does not succeed.
//!
//! The common case is a straight loop over the array under one unwind guard, which keeps two pointers
//! at hand and nothing else: whatever would have to be put away for the length of a call is a store,
//! and stores are what an emission costs. The first outcome that is not plain success (an error, a
//! panic, a listener that was switched off) leaves that loop for the careful walk in `rest.rs`, which
//! goes on behind it; so does, from the start, a signal with a quarantine, where successes count too.

use super::Delivery;
use super::core::{Core, Sync};
use super::rest::{Rest, Trouble};
use crate::context::Context;
use crate::error::EmitError;
use crate::listener::set::{Array, Counting, Entry, Walk};
use crate::walk::{Depth, guarded};
use std::sync::Arc;

/// Where a walk got into trouble: the entry that was called last, if one was, and what came up.
type InTrouble<'a, T> = (Option<&'a Entry<Sync<T>>>, Trouble);

/// Listeners up to which a walk is a plain loop in the code of whoever emits.
const FEW: usize = 16;

/// Every listener runs.
pub(crate) struct Emit<'a, T: ?Sized + 'static> {
    core: &'a Arc<Core<T>>,
    event: &'a T,
}

/// The walk stops at the first error, panic, cancellation or passed deadline.
pub(crate) struct TryEmit<'a, T: ?Sized + 'static> {
    core: &'a Arc<Core<T>>,
    event: &'a T,
    context: &'a Context,
}

impl<'a, T: ?Sized + 'static> Emit<'a, T> {
    #[inline(always)]
    pub(crate) fn new(core: &'a Arc<Core<T>>, event: &'a T) -> Self {
        Self { core, event }
    }
}

impl<'a, T: ?Sized + 'static> TryEmit<'a, T> {
    #[inline(always)]
    pub(crate) fn new(core: &'a Arc<Core<T>>, event: &'a T, context: &'a Context) -> Self {
        Self {
            core,
            event,
            context,
        }
    }
}

impl<T: ?Sized + 'static> Clone for Emit<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized + 'static> Copy for Emit<'_, T> {}

impl<T: ?Sized + 'static> Clone for TryEmit<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized + 'static> Copy for TryEmit<'_, T> {}

impl<T: ?Sized + 'static> Walk<Sync<T>> for Emit<'_, T> {
    type Output = Delivery;
    type Trouble = Trouble;

    #[inline(always)]
    fn is_small(self, listeners: usize) -> bool {
        listeners <= FEW
    }

    #[inline(always)]
    fn one(self, entry: &Entry<Sync<T>>) -> Result<(), Trouble> {
        alone(|| call(entry, self.event))
    }

    #[inline(always)]
    fn few<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        walk(array, each, |entry| call(entry, self.event))
    }

    fn many<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        walk(array, each_of_many, |entry| call(entry, self.event))
    }

    #[inline(always)]
    fn all(listeners: usize) -> Delivery {
        Delivery::all(listeners)
    }

    fn rest<'w>(
        self,
        array: &'w Array<Sync<T>>,
        counting: &Counting<'_>,
        trouble: Option<InTrouble<'w, T>>,
    ) -> Delivery {
        let core = self.core;
        let rest = Rest::new(core, array, counting, self.event);
        if let Some((last, trouble)) = trouble {
            return rest.emit(last, Some(trouble));
        }
        if array.len() == 0 {
            return Delivery::default();
        }
        let Some(_depth) = Depth::enter(core.limit, counting.announced()) else {
            return core.refuse_emit();
        };
        if core.careful {
            return rest.emit(None, None);
        }
        match self.many(array) {
            Ok(()) => {
                counting.delivered(array.len());
                Self::all(array.len())
            }
            Err((last, trouble)) => rest.emit(last, Some(trouble)),
        }
    }
}

impl<T: ?Sized + 'static> Walk<Sync<T>> for TryEmit<'_, T> {
    type Output = Result<Delivery, EmitError>;
    type Trouble = Trouble;

    #[inline(always)]
    fn is_small(self, listeners: usize) -> bool {
        // Who asks for the clock can do with a call, and so can who is not to begin.
        listeners <= FEW && self.context.deadline().is_none() && !self.context.is_cancelled()
    }

    #[inline(always)]
    fn one(self, entry: &Entry<Sync<T>>) -> Result<(), Trouble> {
        alone(|| call_and_check(entry, self.event, self.context, false))
    }

    #[inline(always)]
    fn few<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        let step = |entry: &_| call_and_check(entry, self.event, self.context, false);
        walk(array, each, step)
    }

    fn many<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        // A deadline is there from the start or never, where a token may come at any time.
        let timed = self.context.deadline().is_some();
        check_first(array, self.context, timed)?;
        let step = |entry: &_| call_and_check(entry, self.event, self.context, timed);
        walk(array, each_of_many, step)
    }

    #[inline(always)]
    fn all(listeners: usize) -> Self::Output {
        Ok(Delivery::all(listeners))
    }

    fn rest<'w>(
        self,
        array: &'w Array<Sync<T>>,
        counting: &Counting<'_>,
        trouble: Option<InTrouble<'w, T>>,
    ) -> Self::Output {
        let core = self.core;
        let rest = Rest::new(core, array, counting, self.event);
        if let Some((last, trouble)) = trouble {
            return rest.try_emit(last, Some(trouble), self.context);
        }
        if array.len() == 0 {
            return Ok(Delivery::default());
        }
        let Some(_depth) = Depth::enter(core.limit, counting.announced()) else {
            return Err(EmitError::ReentrancyLimit { delivered: 0 });
        };
        if core.careful {
            return rest.try_emit(None, None, self.context);
        }
        match self.many(array) {
            Ok(()) => {
                counting.delivered(array.len());
                Self::all(array.len())
            }
            Err((last, trouble)) => rest.try_emit(last, Some(trouble), self.context),
        }
    }
}

/// Calls a listener; what came up, if it did not plainly succeed.
#[inline(always)]
fn call<T: ?Sized + 'static>(entry: &Entry<Sync<T>>, event: &T) -> Option<Trouble> {
    let outcome = entry.call(event, None);
    outcome.err().map(Trouble::Error)
}

/// As [`call`], looking at `context` after that.
#[inline(always)]
fn call_and_check<T: ?Sized + 'static>(
    entry: &Entry<Sync<T>>,
    event: &T,
    context: &Context,
    timed: bool,
) -> Option<Trouble> {
    if let Err(error) = entry.call(event, Some(context)) {
        return Some(Trouble::Error(error));
    }
    context.check_timed(timed).err().map(Trouble::Stop)
}

/// Looks at `context` before the first listener, if there is one.
#[inline(always)]
fn check_first<'a, T: ?Sized + 'static>(
    array: &Array<Sync<T>>,
    context: &Context,
    timed: bool,
) -> Result<(), InTrouble<'a, T>> {
    match context.check_timed(timed) {
        Err(stop) if array.len() > 0 => Err((None, Trouble::Stop(stop))),
        _ => Ok(()),
    }
}

/// Takes the only entry of an array through `step` under an unwind guard.
#[inline(always)]
fn alone(step: impl FnOnce() -> Option<Trouble>) -> Result<(), Trouble> {
    match guarded(step) {
        Ok(None) => Ok(()),
        Ok(Some(trouble)) => Err(trouble),
        Err(payload) => Err(Trouble::Panic(payload)),
    }
}

/// Takes the entries of an array, as `each` does, through `step` under one unwind guard, up to the
/// first that gets into trouble.
#[inline(always)]
fn walk<'a, T: ?Sized + 'static, Step>(
    array: &'a Array<Sync<T>>,
    each: impl FnOnce(&'a [Entry<Sync<T>>], &mut &'a Entry<Sync<T>>, Step) -> Option<Trouble>,
    step: Step,
) -> Result<(), InTrouble<'a, T>> {
    let entries = array.entries();
    // Kept where a panic cannot take it along.
    let Some(mut in_hand) = entries.first() else {
        return Ok(());
    };
    match guarded(|| each(entries, &mut in_hand, step)) {
        Ok(None) => Ok(()),
        Ok(Some(trouble)) => Err((Some(in_hand), trouble)),
        Err(payload) => Err((Some(in_hand), Trouble::Panic(payload))),
    }
}

/// One after the other.
#[inline(always)]
fn each<'a, E>(
    entries: &'a [E],
    in_hand: &mut &'a E,
    step: impl Fn(&E) -> Option<Trouble>,
) -> Option<Trouble> {
    for entry in entries {
        *in_hand = entry;
        let trouble = step(entry);
        if trouble.is_some() {
            return trouble;
        }
    }
    None
}

/// Four at a time: fewer branches stand between the calls, and each of the four has a target
/// prediction of its own, which makes a hundred listeners twice as fast.
#[inline(always)]
fn each_of_many<'a, E>(
    entries: &'a [E],
    in_hand: &mut &'a E,
    step: impl Fn(&E) -> Option<Trouble>,
) -> Option<Trouble> {
    let (fours, rest) = entries.as_chunks::<4>();
    for four in fours {
        for entry in four {
            *in_hand = entry;
            let trouble = step(entry);
            if trouble.is_some() {
                return trouble;
            }
        }
    }
    each(rest, in_hand, step)
}
