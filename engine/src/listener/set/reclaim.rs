//! Reclamation: when a retired array, and the listeners removed with it, may be dropped, and who
//! does it.
//!
//! | edge | release side | acquire side | protects | loom model |
//! | W1, W2, W3 | see `readers.rs` | | owned readers' walks | unsubscribe |
//! | E1   | the epoch's unpin | the epoch's advance | shared walks | unsubscribe::shared_walk_is_waited_for, a_quick_shared_walk_is_waited_for |
//! | E2   | deferred `passed`, Release | `collect`: `passed`, Acquire | the same | (see below) |
//!
//! An array is retired by the swap that replaces it. It is dropped when no walk can still follow
//! it: every owned reader that was walking at the first look after the swap has moved on (W1, W2),
//! and the set's own epoch collector has run the function deferred at that look, which only raises
//! a flag (E1, E2). Deferred functions never run user code, so whoever's pin happens to execute
//! them is not made to run a stranger's destructor. Grace periods are in order: a walk on an older
//! array began before the swap as well, so listeners may be dropped with the array that they were
//! removed from.
//!
//! Retired arrays are dropped by removers and, now and then, by subscribers (or, in a set with an
//! owner, by that thread alone). A removal that meets a walk looks again for a moment; if the walk
//! goes on, it is marked (W3), and its thread reclaims when it leaves. Later removals find it marked
//! and leave theirs to it as well.
//!
//! No model of two threads can tell E2's orderings from Relaxed: the flag is raised by the reclaimer's
//! own pins, or under the lock that the next reclaimer takes, unless a third thread's pin raises it.
//!
//! Epoch-based reclamation is Fraser's; the implementation is crossbeam's.
#![expect(unsafe_code, reason = "retired arrays are owned through raw pointers")]

use super::array::Array;
use super::entry::{Head, OwnedListener};
use super::readers::Record;
use super::visitors::Visit;
use super::{ListenerSet, Reclaimer, Spec};
use crate::error::WaitError;
use crate::walk::Depth;
use core::ptr::NonNull;
use corecast_ring::WaitStrategy;
use corecast_ring::sync::{AtomicBool, Ordering, again, lock, spin_loop, thread};
use crossbeam_epoch::Collector;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Retired arrays that subscribers let come together before one of them reclaims: by number, and
/// by bytes.
const RETIRED_ARRAYS: usize = 16;
const RETIRED_BYTES: usize = 64 * 1024;

/// How long a reclaimer waits for walks in the way before it marks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Looks once and leaves the rest to whoever comes next.
    None,
    /// Looks once and marks.
    Mark,
    /// Looks again for a moment, so that a short walk does not come to reclaim, then marks.
    Moment,
}

impl Patience {
    const SPINS: u32 = again(64);
    /// Few: on a machine with more to do than it has CPUs each may take a time slice.
    const YIELDS: u32 = again(4);

    fn rounds(self) -> u32 {
        if self == Self::Moment {
            1 + Self::SPINS + Self::YIELDS
        } else {
            1
        }
    }
}

/// An array out of use, and the listeners that left with it.
pub(super) struct Retired<S: Spec> {
    serial: u64,
    /// `None` where it is in one of the listeners. Its walks are waited for all the same, so that nobody
    /// follows it any more when `quiesce` returns.
    array: Option<Box<Array<S>>>,
    removed: Vec<NonNull<Head<S>>>,
    /// Who may still follow the array; `None` before the first look.
    watch: Option<Watch>,
}

/// Who may still follow an array, as of the first look after its swap.
#[derive(Clone)]
struct Watch {
    /// Owned readers' walks that were in progress and still are.
    blockers: Vec<(Arc<Record>, u64)>,
    /// Raised once the epoch has passed; `None` for sets without a shared path.
    passed: Option<Arc<AtomicBool>>,
}

impl Watch {
    /// Whether shared walks of that time may still be in progress.
    fn waits_for_epoch(&self) -> bool {
        // Acquire (E2): the walks before the epoch's advance happen before the drop.
        self.passed
            .as_ref()
            .is_some_and(|passed| !passed.load(Ordering::Acquire))
    }
}

// SAFETY: as Array: the pointers are to listeners that this object owns together with the array.
unsafe impl<S: Spec> Send for Retired<S> {}

impl<S: Spec> Retired<S> {
    /// Switches the entries of `heads` off, where the array has them (L2).
    pub(super) fn switch_off(&self, heads: &[NonNull<Head<S>>]) {
        if let Some(array) = &self.array {
            array.switch_off(heads);
        }
    }

    fn bytes(&self) -> usize {
        self.array.as_ref().map_or(0, |array| array.bytes())
    }

    fn may_be_dropped(&self) -> bool {
        let is_free = |watch: &Watch| watch.blockers.is_empty() && !watch.waits_for_epoch();
        self.watch.as_ref().is_some_and(is_free)
    }

    fn waits_for_epoch(&self) -> bool {
        self.watch.as_ref().is_some_and(Watch::waits_for_epoch)
    }

    fn is_left_to_a_marked_walk(&self) -> bool {
        let mut blockers = self.watch.iter().flat_map(|watch| &watch.blockers);
        blockers.any(|(record, _)| record.is_marked())
    }

    fn drop_listeners(&mut self, report: &dyn Fn(OwnedListener<S>)) {
        for head in self.removed.drain(..) {
            // SAFETY: `may_be_dropped` held when this was taken off the list, so no walk follows
            // an array that has the listener, and no later array has it; drained, so once.
            report(unsafe { OwnedListener::from_head(head) });
        }
    }
}

/// The part of a set's book that is about retirement.
pub(super) struct Retirement<S: Spec> {
    pub(super) retired: Vec<Retired<S>>,
    /// Serials taken off the list whose destructors are running.
    dropping: Vec<u64>,
    next_serial: u64,
}

impl<S: Spec> Retirement<S> {
    pub(super) fn new() -> Self {
        Self {
            retired: Vec::new(),
            dropping: Vec::new(),
            next_serial: 0,
        }
    }

    /// Whether everything retired before `serial` has been dropped.
    fn is_done_before(&self, serial: u64) -> bool {
        let outstanding = self.retired.iter().map(|retired| retired.serial);
        outstanding
            .chain(self.dropping.iter().copied())
            .all(|one| one >= serial)
    }

    fn bytes(&self) -> usize {
        self.retired.iter().map(Retired::bytes).sum()
    }
}

impl<S: Spec> ListenerSet<S> {
    /// Puts `array` out of use. The caller has swapped it out and holds the lock.
    pub(super) fn retire(
        &self,
        retirement: &mut Retirement<S>,
        array: Option<Box<Array<S>>>,
        removed: Vec<NonNull<Head<S>>>,
    ) {
        let serial = retirement.next_serial;
        retirement.next_serial += 1;
        retirement.retired.push(Retired {
            serial,
            array,
            removed,
            watch: None,
        });
    }

    /// Whether enough arrays have come together for a subscriber to reclaim.
    pub(super) fn should_collect(&self, retirement: &Retirement<S>) -> bool {
        let retired = &retirement.retired;
        retired.len() >= RETIRED_ARRAYS
            || (retired.len() > 1 && retirement.bytes() >= RETIRED_BYTES)
            || retired.iter().any(|retired| !retired.removed.is_empty())
    }

    /// Drops what may be dropped, or wakes the thread whose task that is.
    pub(crate) fn collect(&self, patience: Patience) {
        if self.may_collect() {
            self.reclaim(patience);
        } else {
            self.wake_owner();
        }
    }

    /// After a removal. A set with an owner tells him, and leaves it to its signal to collect once
    /// the owner is gone: the remover may hold locks that destructors want.
    pub(super) fn collect_removed(&self) {
        match &self.reclaimer {
            // Inside a walk, this thread's own is in the way for certain.
            Reclaimer::Anyone if Depth::is_inside() => self.reclaim(Patience::Mark),
            Reclaimer::Anyone => self.reclaim(Patience::Moment),
            Reclaimer::Owner(wake) => wake(),
        }
    }

    /// As [`ListenerSet::collect`], if the owner is gone.
    pub(crate) fn collect_if_orphaned(&self) {
        // Acquire: see `orphan`.
        if self.orphaned.load(Ordering::Acquire) {
            self.reclaim(Patience::Moment);
        }
    }

    /// As [`ListenerSet::collect`], by the owner, which is not inside a walk.
    pub(crate) fn collect_as_owner(&self) {
        self.reclaim(Patience::None);
    }

    fn reclaim(&self, patience: Patience) {
        let rounds = patience.rounds();
        for round in 1..=rounds {
            let mark = round == rounds && patience != Patience::None;
            if self.reclaim_once(mark) || round == rounds {
                return;
            }
            if round <= Patience::SPINS {
                spin_loop()
            } else {
                thread::yield_now()
            }
        }
    }

    /// One attempt; whether nothing more can be done. `mark` marks the walks in the way.
    fn reclaim_once(&self, mark: bool) -> bool {
        let mut ready: Vec<Retired<S>>;
        let (left, is_settled);
        {
            let mut book = lock(&self.book);
            let retirement = &mut book.retirement;
            if retirement.retired.is_empty() || self.look(retirement).is_err() {
                return true;
            }
            is_settled = self.is_settled(retirement);
            if mark && self.hand_over(retirement).is_err() {
                return true;
            }
            let all = core::mem::take(&mut retirement.retired);
            (ready, retirement.retired) = all.into_iter().partition(Retired::may_be_dropped);
            retirement
                .dropping
                .extend(ready.iter().map(|retired| retired.serial));
            left = retirement.retired.len();
            if left == 0 {
                self.readers.unmark_all();
            }
        }
        if ready.is_empty() {
            return left == 0 || is_settled;
        }
        {
            // A destructor that asks to wait for this set is told that it would wait for itself.
            let _inside = Depth::enter_unlimited();
            for retired in &mut ready {
                retired.drop_listeners(&|listener| self.drop_listener(listener));
            }
        }
        // The arrays go before anybody is told that they are gone. (In order of their serials.)
        let serials: Vec<_> = ready.iter().map(|retired| retired.serial).collect();
        drop(ready);
        let dropped = |serial: &u64| serials.binary_search(serial).is_ok();
        lock(&self.book)
            .retirement
            .dropping
            .retain(|serial| !dropped(serial));
        self.done.wake_all();
        left == 0 || is_settled
    }

    /// Whether everything retired can be dropped, or is left to a walk that has been marked. Nobody
    /// waits a moment for such a walk again: somebody did before it was marked. (Under the lock a
    /// mark that is still there will be found: it was fenced before the lock was given back, and
    /// whoever takes it off comes for the lock next.)
    fn is_settled(&self, retirement: &Retirement<S>) -> bool {
        let mut shared_is_marked = None;
        retirement.retired.iter().all(|retired| {
            retired.may_be_dropped()
                || retired.is_left_to_a_marked_walk()
                || (retired.waits_for_epoch()
                    && *shared_is_marked.get_or_insert_with(|| self.readers.any_shared_marked()))
        })
    }

    /// The heavy side of W1 and W3.
    fn fence(&self) -> Result<(), WaitError> {
        self.fences.heavy().map_err(|_| {
            // The light halves were not fenced against this: nothing may be concluded, ever.
            self.broken.store(true, Ordering::Relaxed);
            WaitError::Unsupported
        })
    }

    /// Sees to it that somebody comes back for what is left (W3): marks the walks in the way and
    /// looks again, until nothing is left or a marked walk goes on. Once is not enough: while the
    /// epoch has to pass, a shared walk is in the way too that began after the marks were set, and
    /// when the marked ones have ended by then, nobody would come; nor would anybody for the pin of a
    /// thread that ends.
    fn hand_over(&self, retirement: &mut Retirement<S>) -> Result<(), WaitError> {
        let mut again = false;
        while !self.is_settled(retirement) {
            if again {
                thread::yield_now();
            }
            // W3: mark, fence, look again.
            self.mark(retirement);
            self.fence()?;
            self.look(retirement)?;
            again = true;
        }
        Ok(())
    }

    /// Marks the walks in the way: owned ones that were in progress at the first look, and shared
    /// ones while the epoch has to pass.
    fn mark(&self, retirement: &Retirement<S>) {
        let watches = retirement
            .retired
            .iter()
            .filter_map(|one| one.watch.as_ref());
        watches
            .flat_map(|watch| &watch.blockers)
            .for_each(|(record, _)| record.mark());
        if retirement.retired.iter().any(Retired::waits_for_epoch) {
            self.readers.mark_shared();
        }
    }

    /// Looks once at every reader, on behalf of everything retired so far.
    fn look(&self, retirement: &mut Retirement<S>) -> Result<(), WaitError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(WaitError::Unsupported);
        }
        let retired = &mut retirement.retired;
        if retired.iter().any(|retired| retired.watch.is_none()) {
            // W1: the swaps were made before this fence.
            if self.readers.any_owned() {
                self.fence()?;
            }
            let watch = Watch {
                blockers: self.readers.walking_owned(),
                passed: self.collector.as_ref().map(|one| self.await_epoch(one)),
            };
            for retired in retired.iter_mut() {
                retired.watch.get_or_insert_with(|| watch.clone());
            }
        }
        for watch in retired.iter_mut().filter_map(|one| one.watch.as_mut()) {
            watch
                .blockers
                .retain(|(record, walk)| record.is_still(*walk));
        }
        if let Some(collector) = &self.collector {
            // An epoch passes in two advances, and a bag of deferred functions is opened in a third
            // step, a few bags in each; a thread inside a walk stops that, a thread outside does
            // not. So it is over when several steps in a row came to nothing.
            let visit = Visit::of(&self.readers, self.place, collector);
            let waiting = || retired.iter().filter(|one| one.waits_for_epoch()).count();
            let (mut left, mut fruitless) = (waiting(), 0);
            while left > 0 && fruitless < 4 {
                visit.pin().flush();
                let now = waiting();
                fruitless = if now < left { 0 } else { fruitless + 1 };
                left = now;
            }
        }
        Ok(())
    }

    /// A flag that is raised when every shared walk of this moment has ended (E1). It is the one
    /// who looks that defers, and flushes, for everything retired by anybody: what a subscriber
    /// deferred would stay in its own thread's bag until that thread came by again.
    fn await_epoch(&self, collector: &Collector) -> Arc<AtomicBool> {
        let passed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&passed);
        let guard = Visit::of(&self.readers, self.place, collector).pin();
        // SAFETY: the function raises a flag that it owns a share of; it may run on any thread and
        // at any later time.
        unsafe {
            guard.defer_unchecked(move || {
                // Release (E2).
                flag.store(true, Ordering::Release);
            });
        }
        passed
    }

    /// Drops a removed listener. A panic in its destructor is a fault.
    fn drop_listener(&self, listener: OwnedListener<S>) {
        let info = listener.meta().info();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(listener))) {
            (self.on_drop_panic)(info, payload);
        }
    }

    /// Waits until everything retired before this call has been dropped.
    ///
    /// # Errors
    ///
    /// As [`WaitError`] says.
    pub(crate) fn wait_for_retired(&self, timeout: Duration) -> Result<(), WaitError> {
        if Depth::is_inside() {
            return Err(WaitError::WouldDeadlock);
        }
        let serial = lock(&self.book).retirement.next_serial;
        let deadline = Instant::now().checked_add(timeout);
        let is_done = || lock(&self.book).retirement.is_done_before(serial);
        let mut idle = WaitStrategy::park().idle();
        loop {
            // Whatever is in the way after this is marked (W3), or belongs to the owner, who is
            // woken: either will reclaim and wake us.
            self.collect(Patience::Moment);
            if is_done() {
                return Ok(());
            }
            if self.is_broken() {
                return Err(WaitError::Unsupported);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(WaitError::Timeout);
            }
            idle.park(&self.done, deadline, is_done);
        }
    }

    /// The owner is gone: from now on anyone reclaims.
    pub(crate) fn orphan(&self) {
        // Release: what the owner did with the listeners happens before a stranger drops them.
        self.orphaned.store(true, Ordering::Release);
        self.reclaim(Patience::Moment);
        self.done.wake_all();
    }

    fn may_collect(&self) -> bool {
        // Acquire: see `orphan`.
        matches!(self.reclaimer, Reclaimer::Anyone) || self.orphaned.load(Ordering::Acquire)
    }

    fn wake_owner(&self) {
        if let Reclaimer::Owner(wake) = &self.reclaimer {
            wake();
        }
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Drops everything retired, and then the listeners of the current array, for a set that nobody uses
    /// any more.
    pub(super) fn drop_everything(&self, listeners: Vec<OwnedListener<S>>) {
        // A destructor that would wait for this set's end is told that it waits for itself.
        let _inside = Depth::enter_unlimited();
        let retired = core::mem::take(&mut lock(&self.book).retirement.retired);
        for mut retired in retired {
            retired.drop_listeners(&|listener| self.drop_listener(listener));
        }
        listeners
            .into_iter()
            .for_each(|listener| self.drop_listener(listener));
    }

    /// Arrays that are out of use and not yet dropped, and their bytes.
    pub(crate) fn retired(&self) -> (usize, usize) {
        let book = lock(&self.book);
        (book.retirement.retired.len(), book.retirement.bytes())
    }
}
