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
use crate::listener::set::{Array, Counting, Entry, Only, Outcome, Walk};
use crate::walk::{Depth, guarded};

/// Where a walk got into trouble: the entry that was called last, if one was, and what came up.
type InTrouble<'a, T> = (Option<&'a Entry<Sync<T>>>, Trouble);

/// Where the loop over several fallible listeners stands, each time in code of its own.
const AT_HOME: u8 = 0;
const APART: u8 = 1;
const WITH_CLOCK: u8 = 2;

/// Every listener runs.
pub(crate) struct Emit<'a, T: ?Sized + 'static> {
    core: &'a Core<T>,
    event: &'a T,
}

/// The walk stops at the first error, panic, cancellation or passed deadline.
pub(crate) struct TryEmit<'a, T: ?Sized + 'static> {
    core: &'a Core<T>,
    event: &'a T,
    context: &'a Context,
}

impl<'a, T: ?Sized + 'static> Emit<'a, T> {
    #[inline(always)]
    pub(crate) fn new(core: &'a Core<T>, event: &'a T) -> Self {
        Self { core, event }
    }
}

impl<'a, T: ?Sized + 'static> TryEmit<'a, T> {
    #[inline(always)]
    pub(crate) fn new(core: &'a Core<T>, event: &'a T, context: &'a Context) -> Self {
        Self {
            core,
            event,
            context,
        }
    }
}

impl<T: ?Sized + 'static> TryEmit<'_, T> {
    /// Looks at the context before the first listener and after each, and so at the clock if it is
    /// `TIMED`.
    ///
    /// For each `PLACE` it is other code: what the unwind guard calls becomes part of the code around it,
    /// and keeps what it needs in registers, only where there is no second such place.
    #[inline(always)]
    fn each_checked<'w, const TIMED: bool, const PLACE: u8>(
        self,
        array: &'w Array<Sync<T>>,
    ) -> Result<(), InTrouble<'w, T>> {
        check_first::<T, TIMED>(array, self.context)?;
        let context = self.context;
        walk(array, |entry| {
            checked::<TIMED>(entry.call(self.event, Some(context)), context)
        })
    }

    #[inline(always)]
    fn each_of<'w, const PLACE: u8>(
        self,
        array: &'w Array<Sync<T>>,
    ) -> Result<(), InTrouble<'w, T>> {
        // A deadline is there from the start or never, where a token may come at any time.
        if self.context.deadline().is_some() {
            self.each_timed(array)
        } else {
            self.each_checked::<false, PLACE>(array)
        }
    }

    #[inline(never)]
    fn each_timed<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        self.each_checked::<true, WITH_CLOCK>(array)
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
    fn may_be_hot(self) -> bool {
        self.core.plain().is_some()
    }

    #[inline(always)]
    fn is_quick(self) -> bool {
        true
    }

    #[inline(always)]
    fn one(self, only: Only<'_, Sync<T>>) -> Result<(), Trouble> {
        alone(|| plain(only.call(self.event, None)))
    }

    #[inline(always)]
    fn several<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        walk(array, |entry| plain(entry.call(self.event, None)))
    }

    #[inline(never)]
    fn several_apart<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        walk(array, |entry| plain(entry.call(self.event, None)))
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
        match self.several_apart(array) {
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
    fn may_be_hot(self) -> bool {
        self.core.plain().is_some()
    }

    #[inline(always)]
    fn is_quick(self) -> bool {
        self.context.deadline().is_none() && !self.context.is_cancelled()
    }

    #[inline(always)]
    fn one(self, only: Only<'_, Sync<T>>) -> Result<(), Trouble> {
        let context = self.context;
        alone(|| checked::<false>(only.call(self.event, Some(context)), context))
    }

    #[inline(always)]
    fn several<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        self.each_of::<AT_HOME>(array)
    }

    #[inline(never)]
    fn several_apart<'w>(self, array: &'w Array<Sync<T>>) -> Result<(), InTrouble<'w, T>> {
        self.each_of::<APART>(array)
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
        match self.several_apart(array) {
            Ok(()) => {
                counting.delivered(array.len());
                Self::all(array.len())
            }
            Err((last, trouble)) => rest.try_emit(last, Some(trouble), self.context),
        }
    }
}

/// What came up in a call, if the listener did not plainly succeed.
#[inline(always)]
fn plain(outcome: Outcome) -> Option<Trouble> {
    outcome.err().map(Trouble::Error)
}

/// As [`plain`], looking at `context` after the call.
#[inline(always)]
fn checked<const TIMED: bool>(outcome: Outcome, context: &Context) -> Option<Trouble> {
    if let Err(error) = outcome {
        return Some(Trouble::Error(error));
    }
    context.check_timed(TIMED).err().map(Trouble::Stop)
}

/// Looks at `context` before the first listener, if there is one.
#[inline(always)]
fn check_first<'a, T: ?Sized + 'static, const TIMED: bool>(
    array: &Array<Sync<T>>,
    context: &Context,
) -> Result<(), InTrouble<'a, T>> {
    match context.check_timed(TIMED) {
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

/// Takes the entries of an array through `step` under one unwind guard, up to the first that gets into
/// trouble.
///
/// Four at a time: fewer branches stand between the calls, and each of the four has a target
/// prediction of its own, which makes a hundred listeners twice as fast.
#[inline(always)]
fn walk<T: ?Sized + 'static>(
    array: &Array<Sync<T>>,
    step: impl Fn(&Entry<Sync<T>>) -> Option<Trouble>,
) -> Result<(), InTrouble<'_, T>> {
    let entries = array.entries();
    // Kept where a panic cannot take it along.
    let Some(mut in_hand) = entries.first() else {
        return Ok(());
    };
    let each = || {
        let (fours, rest) = entries.as_chunks::<4>();
        for four in fours {
            for entry in four {
                in_hand = entry;
                let trouble = step(entry);
                if trouble.is_some() {
                    return trouble;
                }
            }
        }
        for entry in rest {
            in_hand = entry;
            let trouble = step(entry);
            if trouble.is_some() {
                return trouble;
            }
        }
        None
    };
    match guarded(each) {
        Ok(None) => Ok(()),
        Ok(Some(trouble)) => Err((Some(in_hand), trouble)),
        Err(payload) => Err((Some(in_hand), Trouble::Panic(payload))),
    }
}
