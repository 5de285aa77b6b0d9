//! Listeners in memory, one allocation each, and the entries by which arrays list them.
//!
//! An entry is two words: the function to call and the listener to call it on. The function pointer
//! is also the removal switch. Removing a listener swaps it, in every array that is still alive, for
//! one that does nothing, so that a walk needs no check per listener.
//!
//! A listener begins with the array in which it is alone. So where it is the only one there is no
//! other array, and nothing to be looked up: whom to call stands where the listener is.
//!
//! | edge | release side | acquire side | protects | loom model |
//! | L2   | `Entry::switch_off`, Relaxed | `Entry::call`, Relaxed | nothing but the word itself | unsubscribe::removed_is_not_called, removed_is_not_called_by_a_walk_on_an_older_array |
//!
//! L2 is Relaxed on both sides: the word protects no memory (the array's own lifetime does, see
//! `reclaim.rs`), and coherence alone gives the contract: a walk that learns of the removal,
//! because it is the remover's own thread or because something else ordered the two, reads the
//! later value. The array in which a listener is alone is written to with the others: a worker's walk
//! may follow it for many events.
#![expect(
    unsafe_code,
    reason = "listeners are erased to one function pointer and one pointer"
)]

use super::array::ArrayOfOne;
use super::{Handle, Spec};
use crate::error::BoxError;
use crate::listener::Meta;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use corecast_ring::sync::{AtomicPtr, Ordering, UnsafeCell};

/// What a call to a listener came to.
pub(crate) type Outcome = Result<(), BoxError>;

/// Calls the listener behind the pointer.
type Call<S> = unsafe fn(NonNull<Head<S>>, &<S as Spec>::Arg, <S as Spec>::Ctx<'_>) -> Outcome;

/// The outcome of an entry that was switched off, or of a `once` listener that is spent. As an
/// error without content it costs neither an allocation nor a third word in every outcome.
#[derive(Debug)]
struct Skipped;

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("skipped")
    }
}

impl std::error::Error for Skipped {}

/// Whether the call did not reach the listener, because it was removed or spent.
pub(crate) fn is_skipped(error: &BoxError) -> bool {
    error.is::<Skipped>()
}

/// The part of a listener that does not depend on its closure. `repr(C)`, so that a pointer to the
/// array in it is a pointer to the whole.
#[repr(C)]
pub(crate) struct Head<S: Spec> {
    alone: ArrayOfOne<S>,
    pub(crate) meta: Meta<S::Item>,
    free: unsafe fn(NonNull<Head<S>>),
    /// So that what a closure captures does not begin 8 bytes in front of a cache line's end, where
    /// allocations begin at multiples of 16: a walk over ten listeners took half as long again.
    room: u64,
}

impl<S: Spec> Head<S> {
    /// Switches the listener off in the array in which it is alone.
    pub(super) fn switch_off(&self) {
        self.alone.entry().switch_off();
    }
}

/// A listener: its identity and its closure in one allocation. `repr(C)`, so that a pointer to the
/// head is a pointer to the whole.
#[repr(C)]
struct Body<S: Spec, F> {
    head: Head<S>,
    closure: UnsafeCell<F>,
}

/// # Safety
///
/// `head` points to a live `Body<S, F>`.
unsafe fn call_shared<S: Spec, F>(head: NonNull<Head<S>>, arg: &S::Arg, ctx: S::Ctx<'_>) -> Outcome
where
    F: Fn(&S::Arg, S::Ctx<'_>) -> Outcome,
{
    // SAFETY: the caller says that the body is alive; closures called this way are only shared.
    let body = unsafe { head.cast::<Body<S, F>>().as_ref() };
    // SAFETY: nobody takes a mutable reference to this closure before its body is freed.
    body.closure.with(|closure| unsafe { &*closure }(arg, ctx))
}

/// # Safety
///
/// `head` points to a live `Body<S, F>`, and no other call of it is running: its set has one
/// walker (`Spec::EXCLUSIVE`), which does not call a listener from within itself.
unsafe fn call_exclusive<S: Spec, F>(
    head: NonNull<Head<S>>,
    arg: &S::Arg,
    ctx: S::Ctx<'_>,
) -> Outcome
where
    F: FnMut(&S::Arg, S::Ctx<'_>) -> Outcome,
{
    // SAFETY: the caller says that the body is alive.
    let body = unsafe { head.cast::<Body<S, F>>().as_ref() };
    // SAFETY: the caller says that this is the only call.
    body.closure
        .with_mut(|closure| unsafe { &mut *closure }(arg, ctx))
}

/// Calls `CALL` for the one caller that finds the listener unspent.
///
/// # Safety
///
/// As the call that it guards.
unsafe fn call_once<S: Spec, F, const EXCLUSIVE: bool>(
    head: NonNull<Head<S>>,
    arg: &S::Arg,
    ctx: S::Ctx<'_>,
) -> Outcome
where
    F: OnceTarget<S, EXCLUSIVE>,
{
    // SAFETY: the caller says that the listener is alive.
    let claimed = unsafe { head.as_ref() }.meta.state.transition_to_spent();
    if !claimed {
        return Err(Box::new(Skipped));
    }
    // SAFETY: passed on from the caller.
    unsafe { F::call(head, arg, ctx) }
}

/// Chooses between the two ways of calling a closure, for `call_once`.
trait OnceTarget<S: Spec, const EXCLUSIVE: bool> {
    /// # Safety
    ///
    /// As `call_shared` or `call_exclusive`.
    unsafe fn call(head: NonNull<Head<S>>, arg: &S::Arg, ctx: S::Ctx<'_>) -> Outcome;
}

impl<S: Spec, F: Fn(&S::Arg, S::Ctx<'_>) -> Outcome> OnceTarget<S, false> for F {
    unsafe fn call(head: NonNull<Head<S>>, arg: &S::Arg, ctx: S::Ctx<'_>) -> Outcome {
        // SAFETY: passed on from the caller.
        unsafe { call_shared::<S, F>(head, arg, ctx) }
    }
}

impl<S: Spec, F: FnMut(&S::Arg, S::Ctx<'_>) -> Outcome> OnceTarget<S, true> for F {
    unsafe fn call(head: NonNull<Head<S>>, arg: &S::Arg, ctx: S::Ctx<'_>) -> Outcome {
        // SAFETY: passed on from the caller.
        unsafe { call_exclusive::<S, F>(head, arg, ctx) }
    }
}

/// The entry of a removed listener.
///
/// # Safety
///
/// None: it touches nothing. Unsafe only to fit the slot.
unsafe fn call_nothing<S: Spec>(_: NonNull<Head<S>>, _: &S::Arg, _: S::Ctx<'_>) -> Outcome {
    Err(Box::new(Skipped))
}

/// # Safety
///
/// `head` came from `Box::into_raw` of a `Body<S, F>`, and nobody uses it afterwards.
unsafe fn free<S: Spec, F>(head: NonNull<Head<S>>) {
    // SAFETY: the caller's contract is this one's.
    drop(unsafe { Box::from_raw(head.cast::<Body<S, F>>().as_ptr()) });
}

/// A listener. Dropping it drops the closure.
pub(crate) struct OwnedListener<S: Spec> {
    head: NonNull<Head<S>>,
}

// SAFETY: the closure behind the pointer is Send by the bounds of both constructors, and so is
// everything in the head.
unsafe impl<S: Spec> Send for OwnedListener<S> {}

impl<S: Spec> OwnedListener<S> {
    /// A listener that several walks may call at once.
    pub(crate) fn shared<F>(meta: Meta<S::Item>, closure: F) -> Self
    where
        F: Fn(&S::Arg, S::Ctx<'_>) -> Outcome + Send + Sync + 'static,
    {
        let call: Call<S> = if meta.once {
            call_once::<S, F, false>
        } else {
            call_shared::<S, F>
        };
        Self::new(meta, closure, call)
    }

    /// A listener of a set with one walker.
    pub(crate) fn exclusive<F>(meta: Meta<S::Item>, closure: F) -> Self
    where
        F: FnMut(&S::Arg, S::Ctx<'_>) -> Outcome + Send + 'static,
    {
        const {
            assert!(
                S::EXCLUSIVE,
                "only a set with one walker may call a closure mutably"
            )
        };
        let call: Call<S> = if meta.once {
            call_once::<S, F, true>
        } else {
            call_exclusive::<S, F>
        };
        Self::new(meta, closure, call)
    }

    fn new<F>(meta: Meta<S::Item>, closure: F, call: Call<S>) -> Self {
        let memory = NonNull::from(Box::leak(Box::<Body<S, F>>::new_uninit()));
        let head = memory.cast();
        // The entry says where the listener is.
        let entry = Entry {
            call: AtomicPtr::new(call as *mut ()),
            head,
        };
        let body = Body {
            head: Head {
                alone: ArrayOfOne::new(&meta, entry),
                meta,
                free: free::<S, F>,
                room: 0,
            },
            closure: UnsafeCell::new(closure),
        };
        // SAFETY: the memory is that of a body.
        unsafe { memory.cast().write(body) };
        Self { head }
    }

    pub(crate) fn meta(&self) -> &Meta<S::Item> {
        // SAFETY: this handle owns the body.
        &unsafe { self.head.as_ref() }.meta
    }

    /// Gives the listener to an array; its set frees it through [`OwnedListener::from_head`].
    pub(super) fn into_entry(self) -> Entry<S> {
        let listener = ManuallyDrop::new(self);
        // SAFETY: this handle owns the body.
        unsafe { listener.head.as_ref() }.alone.entry().copy()
    }

    /// Takes a removed listener back from the arrays that held it.
    ///
    /// # Safety
    ///
    /// No array that any walk may still follow holds the listener, and this is called once for it.
    pub(crate) unsafe fn from_head(head: NonNull<Head<S>>) -> Self {
        Self { head }
    }
}

impl<S: Spec> Drop for OwnedListener<S> {
    fn drop(&mut self) {
        // SAFETY: this handle owns the body.
        let free = unsafe { self.head.as_ref() }.free;
        // SAFETY: `free` was chosen for this body in `new`, and this is its only owner.
        unsafe { free(self.head) };
    }
}

/// Two words of an array.
pub(crate) struct Entry<S: Spec> {
    /// The function to call: a `Call<S>` as a pointer. Written by removers (L2).
    call: AtomicPtr<()>,
    pub(super) head: NonNull<Head<S>>,
}

impl<S: Spec> Entry<S> {
    /// Calls the listener, or nothing if it was switched off. An entry is only ever reached through
    /// the array that a walk keeps alive.
    #[inline(always)]
    pub(crate) fn call(&self, arg: &S::Arg, ctx: S::Ctx<'_>) -> Outcome {
        // SAFETY: the listener outlives every array that holds it (`reclaim.rs`), and the borrow of
        // this entry is one of the array's, which the caller's walk keeps alive; where the call is
        // exclusive, `Spec::EXCLUSIVE` sets have one walker.
        unsafe { self.function()(self.head, arg, ctx) }
    }

    #[inline(always)]
    fn function(&self) -> Call<S> {
        // Relaxed (L2).
        let call = self.call.load(Ordering::Relaxed);
        // SAFETY: the word is only ever written with a `Call<S>` (`OwnedListener::new`,
        // `switch_off`).
        unsafe { core::mem::transmute::<*mut (), Call<S>>(call) }
    }

    /// The listener's meta data.
    #[inline(always)]
    pub(super) fn meta(&self) -> &Meta<S::Item> {
        // SAFETY: listeners outlive every array that holds them (`reclaim.rs`), and an entry is only
        // ever reached through one.
        &unsafe { self.head.as_ref() }.meta
    }

    pub(super) fn switch_off(&self) {
        // Relaxed (L2).
        self.call
            .store(call_nothing::<S> as *mut (), Ordering::Relaxed);
    }

    pub(super) fn copy(&self) -> Self {
        Self {
            // Relaxed: only removers write, and they hold the lock that the caller holds.
            call: AtomicPtr::new(self.call.load(Ordering::Relaxed)),
            head: self.head,
        }
    }
}

/// The listener of an array that has no other.
pub(crate) struct Only<'a, S: Spec> {
    head: NonNull<Head<S>>,
    listener: PhantomData<&'a Head<S>>,
}

impl<S: Spec> Only<'_, S> {
    /// # Safety
    ///
    /// The listener is alive for as long as this is used.
    #[inline(always)]
    pub(super) unsafe fn new(head: NonNull<Head<S>>) -> Self {
        Self {
            head,
            listener: PhantomData,
        }
    }

    /// As [`Entry::call`].
    #[inline(always)]
    pub(crate) fn call(&self, arg: &S::Arg, ctx: S::Ctx<'_>) -> Outcome {
        // SAFETY: whoever made this says that the listener is alive.
        let entry = unsafe { self.head.as_ref() }.alone.entry();
        // SAFETY: as in `Entry::call`. (Where the listener is need not be asked of the entry.)
        unsafe { entry.function()(self.head, arg, ctx) }
    }
}

/// Finds a listener in an array without touching the listener. Addresses are used again, so
/// whoever finds one compares the id as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(usize);

impl Token {
    pub(crate) fn of<S: Spec>(head: NonNull<Head<S>>) -> Self {
        Self(head.as_ptr() as usize)
    }
}

impl<S: Spec> OwnedListener<S> {
    /// Where the listener will be found once it is in a set.
    pub(crate) fn handle(&self) -> Handle {
        Handle {
            token: Token::of(self.head),
            id: self.meta().id,
        }
    }

    pub(super) fn head(&self) -> NonNull<Head<S>> {
        self.head
    }
}
