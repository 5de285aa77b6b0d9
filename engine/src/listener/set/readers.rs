//! Who may be walking an array: a record for each owned reader, and one for each thread that uses
//! the shared path.
//!
//! | edge | walker (light side)                          | remover (heavy side)                    | loom model |
//! | W1   | `active` odd; light; load `current`          | swap `current`; heavy; read `active`    | unsubscribe::owned_walk_is_waited_for, a_quick_owned_walk_is_waited_for |
//! | W2   | `active` even, Release                       | read `active`, Acquire                  | the same |
//! | W3   | `active` even; light; read `marked`          | `marked`; heavy; read `active`          | unsubscribe::a_marked_walk_reclaims, a_quick_marked_walk_reclaims |
//!
//! W1 in two cases: either the store of the odd number precedes the remover's heavy fence, and the
//! remover sees it and waits for that number to change; or the load of `current` follows the
//! fence, and the walker sees the new array. A boolean in place of the number could make a remover
//! miss every idle gap of a busy emitter.
//!
//! W3 likewise: either the remover sees that the walk has ended, and looks again; or the walker
//! sees the mark on its way out, and reclaims what it was in the way of. On the shared path the model
//! is unsubscribe::a_marked_shared_walk_reclaims; there the pin is what is in the way, so it is given
//! up before the record says that the walk has ended. A thread that ends pins without walking, for a
//! moment: the remover looks again until that is over (listener_set::emit_against_subscribe).
//!
//! Threads on the shared path are kept out of freed arrays by the epoch (see `reclaim.rs`); their
//! records say who is in the way (W3), and count.

use crate::registry::Registry;
use cache_padded::CachePadded;
use core::mem::offset_of;
use corecast_ring::sync::{AtomicBool, AtomicU64, Mutex, Ordering, fence, lock, spin_loop};
use corecast_ring::{FencePair, LightFence, Parker, WaitStrategy};
use std::sync::Arc;
use std::time::Instant;

/// One reader's words.
pub(crate) struct Record {
    /// Written by the reader alone.
    own: CachePadded<OwnWords>,
    /// Set by a remover that met a walk, cleared by whoever reclaims (W3).
    marked: CachePadded<AtomicBool>,
}

struct OwnWords {
    /// Among the readers of its set.
    number: u64,
    /// Odd while walking (W1). Half of it is the number of walks, but for nested ones.
    active: AtomicU64,
    /// Walks within walks, on the shared path.
    nested: AtomicU64,
    /// What each walk of the run in progress delivered; see [`Record::count_walk`].
    run: AtomicU64,
    /// Walks before that run.
    run_start: AtomicU64,
    /// Odd while another run begins; for readers of these words.
    run_version: AtomicU64,
    /// The thread that the reader walks on, if that thread's table knows this record (H1).
    home: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
}

const _: () = assert!(
    offset_of!(Record, own).abs_diff(offset_of!(Record, marked)) >= 128
        || !cfg!(target_arch = "x86_64")
);

/// What was counted, by one reader or by all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) emitted: u64,
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    pub(crate) panicked: u64,
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.emitted += other.emitted;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.panicked += other.panicked;
    }
}

/// Adds to a counter with one writer.
#[inline(always)]
fn bump(counter: &AtomicU64, by: u64) {
    // Relaxed: nobody else writes, and readers want a number and no order.
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}

impl Record {
    fn new(number: u64) -> Self {
        Self {
            own: CachePadded::new(OwnWords {
                number,
                active: AtomicU64::new(0),
                nested: AtomicU64::new(0),
                run: AtomicU64::new(0),
                run_start: AtomicU64::new(0),
                run_version: AtomicU64::new(0),
                home: AtomicU64::new(0),
                delivered: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                panicked: AtomicU64::new(0),
            }),
            marked: CachePadded::new(AtomicBool::new(false)),
        }
    }

    /// The beginning of a walk (W1): its number, which is odd.
    #[inline(always)]
    pub(crate) fn enter(&self, fence: impl LightFence) -> u64 {
        let number = self.own.active.load(Ordering::Relaxed).wrapping_add(1);
        // Relaxed (W1): the light fence orders it before the load of `current`.
        self.own.active.store(number, Ordering::Relaxed);
        fence.light();
        number
    }

    /// The end of walk `number`. Whether somebody was kept waiting: this thread is then to take the
    /// mark away and to reclaim.
    #[inline(always)]
    pub(crate) fn leave(&self, number: u64, fence: impl LightFence) -> bool {
        // Release (W2): the walk happens before whatever the remover frees.
        self.own
            .active
            .store(number.wrapping_add(1), Ordering::Release);
        fence.light();
        // Relaxed (W3): the fence did the ordering; reclaiming takes the lock.
        self.marked.load(Ordering::Relaxed)
    }

    /// The beginning of a walk on the shared path, where walks nest: a record says so of the
    /// outermost one only, and inner ones are counted.
    #[inline(always)]
    pub(crate) fn enter_shared(&self, fence: impl LightFence) -> Option<u64> {
        self.is_idle().then(|| self.enter(fence))
    }

    /// The number of the walk that its reader, which asks, is in.
    pub(super) fn number(&self) -> u64 {
        self.own.active.load(Ordering::Relaxed)
    }

    /// Whether its reader, which asks, is not in a walk.
    #[inline(always)]
    pub(super) fn is_idle(&self) -> bool {
        self.own.active.load(Ordering::Relaxed) & 1 == 0
    }

    /// A walk within a walk of the same record is over.
    pub(super) fn count_nested(&self, delivered: usize) {
        bump(&self.own.nested, 1);
        self.count_delivered(delivered);
    }

    /// The thread that the reader walks on, if that thread knows this record.
    pub(super) fn home(&self) -> u64 {
        self.own.home.load(Ordering::Relaxed)
    }

    /// From now on the reader walks on this thread (H1).
    pub(super) fn move_to(&self, thread: u64) {
        self.own.home.store(thread, Ordering::Relaxed);
        // Release (H1): before every walk on this thread.
        fence(Ordering::Release);
    }

    /// Whether a walk is in progress on this thread (H1).
    pub(super) fn is_walked_in(&self, thread: u64) -> bool {
        let is_walking = self.own.active.load(Ordering::Relaxed) & 1 == 1;
        // Acquire (H1): a walk of another thread shows whose it is.
        fence(Ordering::Acquire);
        is_walking && self.own.home.load(Ordering::Relaxed) == thread
    }

    /// The number of the walk in progress, if there is one (W1, W2).
    pub(crate) fn walking(&self) -> Option<u64> {
        // Acquire (W2).
        let active = self.own.active.load(Ordering::Acquire);
        (active & 1 == 1).then_some(active)
    }

    /// Whether the walk that [`Record::walking`] reported is still in progress (W2).
    pub(crate) fn is_still(&self, walk: u64) -> bool {
        self.own.active.load(Ordering::Acquire) == walk
    }

    /// Whether the walk in progress has been marked. For the holder of the set's lock.
    pub(crate) fn is_marked(&self) -> bool {
        // Relaxed (W3): marks are made under the lock.
        self.marked.load(Ordering::Relaxed)
    }

    pub(crate) fn mark(&self) {
        // Relaxed (W3): the caller's heavy fence orders it.
        self.marked.store(true, Ordering::Relaxed);
    }

    #[cold]
    pub(crate) fn unmark(&self) {
        // Loaded first, so that the common case leaves the line alone.
        if self.marked.load(Ordering::Relaxed) {
            self.marked.store(false, Ordering::Relaxed);
            // Release, with the `active` of the reader's next walk (W2): whoever meets that one marks
            // it after this, so that no mark is wiped out by the unmarking of an earlier one.
            fence(Ordering::Release);
        }
    }

    /// Adds to what was delivered, beside what [`Record::count_walk`] counts.
    #[inline(always)]
    pub(crate) fn count_delivered(&self, delivered: usize) {
        bump(&self.own.delivered, delivered as u64);
    }

    /// Walk `number`, in progress, will have delivered so much.
    ///
    /// Walk after walk delivers the same, so what is kept is a run: how much each of its walks
    /// delivered, and the walk that it began with. The number of walks is known already. A counter
    /// that is added to at each walk costs a nanosecond, more than all the rest.
    #[inline(always)]
    pub(crate) fn count_walk(&self, number: u64, delivered: usize) {
        if self.own.run.load(Ordering::Relaxed) != delivered as u64 {
            self.begin_run(number, delivered as u64);
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_run(&self, number: u64, delivered: u64) {
        let own = &self.own;
        let walks = number / 2;
        let version = own.run_version.load(Ordering::Relaxed);
        own.run_version.store(version + 1, Ordering::Relaxed);
        // Release: whoever reads one of the words below sees the odd version.
        fence(Ordering::Release);
        let of_run = walks - own.run_start.load(Ordering::Relaxed);
        bump(&own.delivered, own.run.load(Ordering::Relaxed) * of_run);
        own.run.store(delivered, Ordering::Relaxed);
        own.run_start.store(walks, Ordering::Relaxed);
        // Release: whoever reads this version sees the words above.
        own.run_version.store(version + 2, Ordering::Release);
    }

    /// What was delivered by all walks that are over.
    fn delivered(&self) -> u64 {
        let own = &self.own;
        loop {
            // Acquire: see `begin_run`.
            let version = own.run_version.load(Ordering::Acquire);
            let (run, start) = (&own.run, &own.run_start);
            let (run, start) = (run.load(Ordering::Relaxed), start.load(Ordering::Relaxed));
            let delivered = own.delivered.load(Ordering::Relaxed);
            let walks = own.active.load(Ordering::Relaxed) / 2;
            // Acquire: if a word above is of another run, the version is another.
            fence(Ordering::Acquire);
            let is_whole =
                version.is_multiple_of(2) && own.run_version.load(Ordering::Relaxed) == version;
            if is_whole {
                return delivered + run * walks.saturating_sub(start);
            }
            spin_loop();
        }
    }

    pub(crate) fn count_fault(&self, panicked: bool) {
        bump(&self.own.failed, 1);
        bump(&self.own.panicked, u64::from(panicked));
    }

    fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            emitted: read(&self.own.active).div_ceil(2) + read(&self.own.nested),
            delivered: self.delivered(),
            failed: read(&self.own.failed),
            panicked: read(&self.own.panicked),
        }
    }
}

struct Entry {
    record: Arc<Record>,
    owned: bool,
}

#[derive(Default)]
struct List {
    entries: Registry<Entry>,
    /// What readers counted that are gone.
    folded: Totals,
}

/// The readers of one set. Outlives the set in the threads that used its shared path.
pub(crate) struct Readers {
    list: Mutex<List>,
    alive: AtomicBool,
    /// Woken when the set and all its listeners have been dropped.
    gone: Parker,
}

impl Readers {
    pub(crate) fn new(fences: FencePair) -> Self {
        let list = Mutex::new(List::default());
        Self {
            list,
            alive: AtomicBool::new(true),
            gone: Parker::new(fences),
        }
    }

    pub(crate) fn register(&self, owned: bool) -> Arc<Record> {
        let mut list = lock(&self.list);
        let entry = list.entries.enter(|number| Entry {
            record: Arc::new(Record::new(number)),
            owned,
        });
        Arc::clone(&entry.record)
    }

    /// Forgets a reader and keeps its counts.
    pub(crate) fn deregister(&self, record: &Record) {
        let mut list = lock(&self.list);
        if let Some(entry) = list.entries.leave(record.own.number) {
            list.folded.add(entry.record.totals());
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        let list = lock(&self.list);
        let mut totals = list.folded;
        list.entries
            .iter()
            .for_each(|entry| totals.add(entry.record.totals()));
        totals
    }

    /// Whether there is an owned reader at all.
    pub(crate) fn any_owned(&self) -> bool {
        lock(&self.list).entries.iter().any(|entry| entry.owned)
    }

    /// Owned readers' walks in progress.
    pub(crate) fn walking_owned(&self) -> Vec<(Arc<Record>, u64)> {
        let list = lock(&self.list);
        let owned = list.entries.iter().filter(|entry| entry.owned);
        owned
            .filter_map(|entry| Some((Arc::clone(&entry.record), entry.record.walking()?)))
            .collect()
    }

    /// Marks the shared walks in progress.
    pub(crate) fn mark_shared(&self) {
        let list = lock(&self.list);
        let shared = list.entries.iter().filter(|entry| !entry.owned);
        shared
            .filter(|entry| entry.record.walking().is_some())
            .for_each(|entry| entry.record.mark());
    }

    /// Whether a shared walk in progress has been marked.
    pub(crate) fn any_shared_marked(&self) -> bool {
        let list = lock(&self.list);
        let mut shared = list.entries.iter().filter(|entry| !entry.owned);
        shared.any(|entry| entry.record.is_marked() && entry.record.walking().is_some())
    }

    pub(crate) fn unmark_all(&self) {
        lock(&self.list)
            .entries
            .iter()
            .for_each(|entry| entry.record.unmark());
    }

    /// The set is gone with all its listeners; threads may forget their records of it.
    pub(crate) fn close(&self) {
        // Release: the listeners' drops happen before `wait_until_gone` returns.
        self.alive.store(false, Ordering::Release);
        self.gone.wake_all();
    }

    pub(crate) fn is_alive(&self) -> bool {
        // Acquire: see `close`.
        self.alive.load(Ordering::Acquire)
    }

    /// Waits for a set that is being dropped by another thread; whether that is done.
    pub(crate) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        let mut idle = WaitStrategy::park().idle();
        idle.wait_until(&self.gone, deadline, || !self.is_alive())
    }
}
