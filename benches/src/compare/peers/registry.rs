//! Adding and removing a listener, as the classic designs do it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use corecast_affinity::CpuId;
use parking_lot::RwLock;

use crate::measure::{Lap, LapError, Pinned, Side};

/// A listener that several lists may share.
#[derive(Clone)]
pub struct Entry {
    /// Ascends in a list.
    number: u64,
    listener: Arc<dyn Fn(&u64) + Send + Sync>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.number).finish()
    }
}

/// A list of listeners that can be added to and removed from.
pub trait Registry {
    /// What the report calls it.
    fn name(&self) -> &str;

    /// Appends a listener.
    fn push(&mut self, entry: Entry);

    /// Removes the listener of that number, and tells whether it was there.
    fn remove(&mut self, number: u64) -> bool;

    /// Calls every listener.
    fn emit(&self, event: &u64);
}

/// `Arc<RwLock<Vec>>`: changed in place, under the lock. Removal finds the listener by its number,
/// in a binary search, and closes the gap.
#[derive(Debug, Default)]
pub struct Locked(Arc<RwLock<Vec<Entry>>>);

/// `ArcSwap<Vec>`: every change copies the list, so that nobody who walks it has to wait.
#[derive(Debug, Default)]
pub struct Copied(ArcSwap<Vec<Entry>>);

/// Where a listener is in a list.
fn position(list: &[Entry], number: u64) -> Option<usize> {
    list.binary_search_by_key(&number, |entry| entry.number)
        .ok()
}

fn call_all(list: &[Entry], event: &u64) {
    list.iter().for_each(|entry| (entry.listener)(event));
}

impl Registry for Locked {
    fn name(&self) -> &str {
        "rwlock, vec"
    }

    fn push(&mut self, entry: Entry) {
        self.0.write().push(entry);
    }

    fn remove(&mut self, number: u64) -> bool {
        let mut list = self.0.write();
        let found = position(&list, number);
        found.map(|index| list.remove(index)).is_some()
    }

    fn emit(&self, event: &u64) {
        call_all(&self.0.read(), event);
    }
}

impl Registry for Copied {
    fn name(&self) -> &str {
        "arc-swap, copied vec"
    }

    fn push(&mut self, entry: Entry) {
        // Stored, not `rcu`: one thread changes the list, and pays for one copy of known size.
        let before = self.0.load();
        let mut list = Vec::with_capacity(before.len() + 1);
        list.extend(before.iter().cloned());
        list.push(entry);
        self.0.store(Arc::new(list));
    }

    fn remove(&mut self, number: u64) -> bool {
        let before = self.0.load();
        let Some(index) = position(&before, number) else {
            return false;
        };
        let mut list = Vec::with_capacity(before.len() - 1);
        list.extend(before[..index].iter().chain(&before[index + 1..]).cloned());
        self.0.store(Arc::new(list));
        true
    }

    fn emit(&self, event: &u64) {
        call_all(&self.0.load(), event);
    }
}

/// A contestant of the subscribe rows: an operation adds a listener behind the others and removes
/// the one that has been there longest, so that the list keeps its length and every removal moves
/// it all.
#[derive(Debug)]
pub struct ChurnSide<R> {
    registry: R,
    cpu: CpuId,
    /// The number of the listener that has been there longest.
    oldest: u64,
    /// The number of the next listener.
    next: u64,
    /// What listeners add to when they are called.
    called: Arc<AtomicU64>,
}

/// What a lap of `ops` operations beside `listeners` listeners comes to: the listeners removed, and
/// those that are called when it is over.
#[must_use]
pub fn expected(listeners: u64, ops: u64) -> u64 {
    ops.wrapping_add(listeners)
}

impl<R: Registry> ChurnSide<R> {
    /// Beside `listeners` that stay, on this CPU.
    #[must_use]
    pub fn new(registry: R, listeners: u64, cpu: CpuId) -> Self {
        let called = Arc::default();
        let mut side = Self {
            registry,
            cpu,
            oldest: 0,
            next: 0,
            called,
        };
        (0..listeners).for_each(|_| side.add());
        side
    }

    fn add(&mut self) {
        let called = Arc::clone(&self.called);
        self.registry.push(Entry {
            number: self.next,
            listener: Arc::new(move |x| {
                called.fetch_add(*x, Ordering::Relaxed);
            }),
        });
        self.next += 1;
    }

    fn remove(&mut self) -> bool {
        let removed = self.registry.remove(self.oldest);
        self.oldest += 1;
        removed
    }
}

impl<R: Registry> Side for ChurnSide<R> {
    fn name(&self) -> &str {
        self.registry.name()
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        let _pinned = Pinned::to(self.cpu)?;
        let start = Instant::now();
        let mut removed = 0_u64;
        for _ in 0..ops {
            self.add();
            removed += u64::from(self.remove());
        }
        let elapsed = start.elapsed();
        self.called.store(0, Ordering::Relaxed);
        self.registry.emit(&1);
        let called = self.called.load(Ordering::Relaxed);
        Ok(Lap {
            elapsed,
            checksum: removed.wrapping_add(called),
            latency: None,
        })
    }
}
