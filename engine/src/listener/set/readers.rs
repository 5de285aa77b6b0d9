//! Who may be walking an array: a record for each owned reader, and one for each thread that uses
//! the shared path.
//!
//! | edge | walker (light side)                          | remover (heavy side)                    | loom model |
//! | W1   | `active` odd; light; load `current`          | swap `current`; heavy; read `active`    | unsubscribe::owned_walk_is_waited_for, a_quick_owned_walk_is_waited_for |
//! | W2   | `active`, whatever is next, Release          | read `active`, Acquire                  | the same |
//! | W3   | `active` even; light; read `marked`          | `marked`; heavy; read `active`          | unsubscribe::a_marked_walk_reclaims, a_quick_marked_walk_reclaims |
//!
//! W1 in two cases: either the store of the odd number precedes the remover's heavy fence, and the
//! remover sees it and waits for that number to change; or the load of `current` follows the
//! fence, and the walker sees the new array. A boolean in place of the number could make a remover
//! miss every idle gap of a busy emitter. (A number comes again after a million walks. A remover whose
//! second look falls on just that walk takes it for the first one, and waits for it as well.)
//!
//! W3 likewise: either the remover sees that the walk has ended, and looks again; or the walker
//! sees the mark on its way out, and reclaims what it was in the way of. On the shared path the model
//! is unsubscribe::a_marked_shared_walk_reclaims; there the pin is what is in the way, so it is given
//! up before the record says that the walk has ended. A thread that ends pins without walking, for a
//! moment: the remover looks again until that is over (listener_set::emit_against_subscribe).
//!
//! Threads on the shared path are kept out of freed arrays by the epoch (see `reclaim.rs`); their
//! records say who is in the way (W3), and count.

use super::here::Home;
use crate::registry::Registry;
use cache_padded::CachePadded;
use core::mem::offset_of;
use corecast_ring::sync::{AtomicBool, AtomicU64, Mutex, Ordering, fence, lock, spin_loop};
use corecast_ring::{FencePair, LightFence, Parker, WaitStrategy};
use std::sync::{Arc, Weak};
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
    /// This record, for a thread that is to know it.
    record: Weak<Record>,
    /// From the lowest bit up: whether the reader is walking (W1), how many walks are over that
    /// delivered nothing, how many others, whether that count has overflown, and where the reader is
    /// at home (H1).
    active: AtomicU64,
    /// Walks that `active` counts no more.
    walks: AtomicU64,
    /// The same of those that delivered nothing.
    in_vain: AtomicU64,
    /// Walks within walks, on the shared path.
    nested: AtomicU64,
    /// What was delivered beside `each` by each walk; see [`Record::count_walk`].
    delivered: AtomicU64,
    /// Odd while words change that belong together; for readers of these words.
    version: AtomicU64,
    /// What a walk has delivered of which nobody says anything else.
    each: u64,
    failed: AtomicU64,
    panicked: AtomicU64,
}

const WALKING: u64 = 1;
/// One walk that delivered nothing, and the bits that count them.
const IN_VAIN: u64 = 1 << 1;
const ALL_IN_VAIN: u64 = 0xff << 1;
/// One walk that is counted, and the bits that count them.
const WALK: u64 = 1 << 9;
const ALL_WALKS: u64 = (OVERFLOWN - 1) & !(WALK - 1);
/// Where the counts end.
const COUNT_BITS: u32 = 29;
/// Set by the overflow of `ALL_WALKS`, after a million of them. The hot path does not look for it by
/// itself: as long as it is set the reader is at home nowhere, and on the general way it begins to count
/// anew.
const OVERFLOWN: u64 = 1 << COUNT_BITS;

/// The bits of a reader's `active` below those that say where it is at home.
pub(super) const BELOW_HOME: u32 = COUNT_BITS + 1;

/// How a walk is counted as it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It delivered `each`, and whatever has been counted beside that.
    Counted,
    /// It delivered nothing, although each does.
    InVain,
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
    fn new(number: u64, each: u64) -> Arc<Self> {
        Arc::new_cyclic(|record| Self {
            own: CachePadded::new(OwnWords {
                number,
                record: Weak::clone(record),
                active: AtomicU64::new(Home::NOWHERE.word()),
                walks: AtomicU64::new(0),
                in_vain: AtomicU64::new(0),
                nested: AtomicU64::new(0),
                delivered: AtomicU64::new(0),
                version: AtomicU64::new(0),
                each,
                failed: AtomicU64::new(0),
                panicked: AtomicU64::new(0),
            }),
            marked: CachePadded::new(AtomicBool::new(false)),
        })
    }

    /// Another share of this record, unless its reader has gone.
    pub(super) fn share(&self) -> Option<Arc<Self>> {
        self.own.record.upgrade()
    }

    /// The beginning of a walk (W1): its number, which is odd.
    #[inline(always)]
    pub(crate) fn enter(&self, fence: impl LightFence) -> u64 {
        let mut active = self.own.active.load(Ordering::Relaxed);
        if active & OVERFLOWN != 0 {
            active = self.count_anew(active);
        }
        self.begin(active, fence)
    }

    /// What [`Record::begin`] wants, on the hot path: if the reader, which is not walking, is at home
    /// here, and has not walked too often.
    #[inline(always)]
    pub(super) fn idle_at_home(&self, here: Home) -> Option<u64> {
        let active = self.own.active.load(Ordering::Relaxed);
        ((active ^ here.word()) >> COUNT_BITS == 0).then_some(active)
    }

    /// The beginning of a walk of a reader whose `active` is this.
    #[inline(always)]
    pub(super) fn begin(&self, active: u64, fence: impl LightFence) -> u64 {
        let number = active.wrapping_add(1);
        // W1: the light fence orders it before the load of `current`. Release (W2): whoever waits for the
        // walk before it may find this one.
        self.own.active.store(number, Ordering::Release);
        fence.light();
        number
    }

    /// The end of walk `number`. Whether somebody was kept waiting: this thread is then to take the
    /// mark away and to reclaim.
    #[inline(always)]
    pub(super) fn leave(&self, number: u64, end: End, fence: impl LightFence) -> bool {
        let idle = number - WALKING;
        // Release (W2): the walk happens before whatever the remover frees.
        match end {
            End::Counted => self.own.active.store(idle + WALK, Ordering::Release),
            End::InVain if idle & ALL_IN_VAIN == ALL_IN_VAIN => self.count_in_vain_anew(idle),
            End::InVain => self.own.active.store(idle + IN_VAIN, Ordering::Release),
        }
        fence.light();
        // Relaxed (W3): the fence did the ordering; reclaiming takes the lock.
        self.marked.load(Ordering::Relaxed)
    }

    /// The beginning of a walk on the shared path, where walks nest: a record says so of the outermost
    /// one only, and inner ones are counted.
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
        self.own.active.load(Ordering::Relaxed) & WALKING == 0
    }

    /// A walk within a walk of the same record is over.
    pub(super) fn count_nested(&self, delivered: usize) {
        bump(&self.own.nested, 1);
        self.count_delivered(delivered);
    }

    /// From now on the reader, which is not walking, is at home here, or nowhere.
    pub(super) fn move_to(&self, here: Home) {
        let active = self.own.active.load(Ordering::Relaxed);
        let count = active & (OVERFLOWN | (OVERFLOWN - 1));
        // Release (W2): whoever waits for the walk before may find this.
        self.own
            .active
            .store(here.word() | count, Ordering::Release);
    }

    /// Whether the reader is at home here. If another thread than the reader's asks and it is not, then
    /// it will not be before it has moved in anew.
    #[inline(always)]
    pub(super) fn is_at_home(&self, here: Home) -> bool {
        is_home(self.own.active.load(Ordering::Relaxed), here)
    }

    /// Whether a walk is in progress on this thread, where the reader is at home.
    pub(super) fn is_walked_in(&self, here: Home) -> bool {
        // One load (H1): who walks is told by the word that says that somebody does.
        let active = self.own.active.load(Ordering::Relaxed);
        active & WALKING != 0 && is_home(active, here)
    }

    /// The number of the walk in progress, if there is one (W1, W2).
    pub(crate) fn walking(&self) -> Option<u64> {
        // Acquire (W2).
        let active = self.own.active.load(Ordering::Acquire);
        (active & WALKING != 0).then_some(active)
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

    /// The walk in progress has delivered so much: how it is to be counted as it ends.
    ///
    /// So what a walk over one listener delivers is counted with the walk, which is counted already:
    /// another counter that every walk adds to would be a load and a store.
    #[inline(always)]
    pub(super) fn count_walk(&self, delivered: usize) -> End {
        let delivered = delivered as u64;
        if delivered < self.own.each {
            return End::InVain;
        }
        bump(&self.own.delivered, delivered - self.own.each);
        End::Counted
    }

    /// Begins to count anew in `active`, whose count of walks has overflown. Its new value.
    #[cold]
    #[inline(never)]
    fn count_anew(&self, active: u64) -> u64 {
        let own = &self.own;
        let anew = active & !(OVERFLOWN | ALL_WALKS);
        self.change(|| {
            bump(&own.walks, walks(active));
            // Release (W2): whoever waits for the walk before may find this.
            own.active.store(anew, Ordering::Release);
        });
        anew
    }

    /// Ends a walk that delivered nothing, for which there is no room in the count of those.
    #[cold]
    #[inline(never)]
    fn count_in_vain_anew(&self, idle: u64) {
        let own = &self.own;
        self.change(|| {
            bump(&own.in_vain, in_vain(idle) + 1);
            // One walk goes over to `active`, for that must not come to what it was some walks ago.
            bump(&own.walks, 1_u64.wrapping_neg());
            // Release (W2): as in `leave`.
            let anew = (idle & !ALL_IN_VAIN) + WALK;
            own.active.store(anew, Ordering::Release);
        });
    }

    /// Changes words that are read together.
    fn change(&self, change: impl FnOnce()) {
        let version = &self.own.version;
        let odd = version.load(Ordering::Relaxed) + 1;
        version.store(odd, Ordering::Relaxed);
        // Release: whoever reads one of the words sees the odd version.
        fence(Ordering::Release);
        change();
        // Release: whoever reads this version sees the words.
        version.store(odd + 1, Ordering::Release);
    }

    pub(crate) fn count_fault(&self, panicked: bool) {
        bump(&self.own.failed, 1);
        bump(&self.own.panicked, u64::from(panicked));
    }

    /// What was counted by all walks that are over; the one in progress is emitted.
    fn totals(&self) -> Totals {
        let own = &self.own;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        loop {
            // Acquire: see `change`.
            let version = own.version.load(Ordering::Acquire);
            let (before, before_in_vain) = (read(&own.walks), read(&own.in_vain));
            let (nested, delivered) = (read(&own.nested), read(&own.delivered));
            let (failed, panicked) = (read(&own.failed), read(&own.panicked));
            let active = read(&own.active);
            // Acquire: if a word above is of another version, so is the one below.
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && read(&own.version) == version {
                let walks = before.wrapping_add(walks(active));
                let in_vain = before_in_vain + in_vain(active);
                return Totals {
                    emitted: walks + in_vain + (active & WALKING) + nested,
                    delivered: walks * own.each + delivered,
                    failed,
                    panicked,
                };
            }
            spin_loop();
        }
    }
}

/// The walks that are over by the count of `active`, but for those in vain.
fn walks(active: u64) -> u64 {
    (active & (OVERFLOWN | ALL_WALKS)) / WALK
}

/// Those in vain.
fn in_vain(active: u64) -> u64 {
    (active & ALL_IN_VAIN) / IN_VAIN
}

fn is_home(active: u64, here: Home) -> bool {
    (active ^ here.word()) >> BELOW_HOME == 0
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
    /// What each walk delivers of which nobody says anything else.
    each: u64,
    alive: AtomicBool,
    /// Woken when the set and all its listeners have been dropped.
    gone: Parker,
}

impl Readers {
    pub(crate) fn new(fences: FencePair, each: u64) -> Self {
        let list = Mutex::new(List::default());
        Self {
            list,
            each,
            alive: AtomicBool::new(true),
            gone: Parker::new(fences),
        }
    }

    pub(super) fn register(&self, owned: bool) -> Arc<Record> {
        let mut list = lock(&self.list);
        let entry = list.entries.enter(|number| Entry {
            record: Record::new(number, self.each),
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
