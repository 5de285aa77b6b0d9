//! Which worker waits for which: a worker that is about to wait for another says so first, and
//! does not wait if that would close a circle.
//!
//! Waiting is rare and slow, so the graph is a list of edges behind a lock, one for the process: a
//! circle may run through several engines. A worker waits for one other when a lane is full, and for
//! several when it shuts an engine down. Whoever closes a circle finds it, because each waiter's
//! edge is there before it looks; so the graph never has one, and following it ends.

use core::cell::Cell;
use corecast_ring::sync::thread_local;
use std::sync::{Mutex, PoisonError};

/// A worker, unique within the process. The workers of a manual engine are one: whoever drains for
/// one of them drains for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WorkerKey {
    pub(crate) engine: u64,
    pub(crate) index: u32,
}

thread_local! {
    /// The worker that this thread is, or is draining for.
    static CURRENT: Cell<Option<WorkerKey>> = const { Cell::new(None) };
}

/// Waiter and target of each wait in progress. Not of the facade: it is one for the process, and its
/// lock is held for a look at the list and nothing else.
static WAITING: Mutex<Vec<(WorkerKey, WorkerKey)>> = Mutex::new(Vec::new());

/// The worker that runs on this thread.
pub(crate) fn current() -> Option<WorkerKey> {
    CURRENT.try_with(Cell::get).ok().flatten()
}

/// A thread, told from all others that are alive, also while its thread-locals are being destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadMark(usize);

impl ThreadMark {
    pub(crate) fn here() -> Self {
        // The cell has no destructor, so it is there for as long as the thread is.
        Self(CURRENT.with(|current| core::ptr::from_ref(current) as usize))
    }
}

/// This thread is `worker` for as long as this lives.
#[derive(Debug)]
pub(crate) struct Acting {
    before: Option<WorkerKey>,
}

impl Acting {
    pub(crate) fn as_worker(worker: WorkerKey) -> Self {
        Self {
            before: CURRENT.with(|current| current.replace(Some(worker))),
        }
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.set(self.before));
    }
}

/// This thread's worker waits for another for as long as this lives.
#[derive(Debug)]
pub(crate) struct Waiting {
    edge: Option<(WorkerKey, WorkerKey)>,
}

/// The wait would never end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Circle;

impl Waiting {
    /// Says that this thread waits for `target`. A thread that is no worker's may always wait.
    pub(crate) fn on(target: WorkerKey) -> Result<Self, Circle> {
        let Some(waiter) = current() else {
            return Ok(Self { edge: None });
        };
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if reaches(&waiting, target, waiter) {
            return Err(Circle);
        }
        waiting.push((waiter, target));
        Ok(Self {
            edge: Some((waiter, target)),
        })
    }
}

/// Whether `from` is `to`, or waits for it, directly or through others.
fn reaches(edges: &[(WorkerKey, WorkerKey)], from: WorkerKey, to: WorkerKey) -> bool {
    let mut next = edges.iter().filter(|(waiter, _)| *waiter == from);
    from == to || next.any(|&(_, target)| reaches(edges, target, to))
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(edge) = self.edge else { return };
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = waiting.iter().position(|one| *one == edge) {
            waiting.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(engine: u64, index: u32) -> WorkerKey {
        // Apart from the engines of other tests.
        WorkerKey {
            engine: u64::MAX - engine,
            index,
        }
    }

    #[test]
    fn a_wait_that_closes_a_circle_is_refused_however_long_the_circle() {
        let worker = |index| worker(0, index);
        let a = Acting::as_worker(worker(0));
        assert_eq!(Waiting::on(worker(0)).err(), Some(Circle));
        let a_waits = Waiting::on(worker(1)).unwrap();
        drop(a);
        let _b = Acting::as_worker(worker(1));
        let b_waits = Waiting::on(worker(2)).unwrap();
        let _c = Acting::as_worker(worker(2));
        assert_eq!(Waiting::on(worker(0)).err(), Some(Circle));
        drop(b_waits);
        assert!(Waiting::on(worker(0)).is_ok());
        drop(a_waits);
    }

    #[test]
    fn a_worker_that_waits_for_several_is_in_a_circle_with_each() {
        let worker = |index| worker(1, index);
        let a = Acting::as_worker(worker(0));
        let first = Waiting::on(worker(1)).unwrap();
        let second = Waiting::on(worker(2)).unwrap();
        drop(a);
        let _c = Acting::as_worker(worker(2));
        assert_eq!(Waiting::on(worker(0)).err(), Some(Circle));
        drop(second);
        assert!(Waiting::on(worker(0)).is_ok());
        drop(first);
    }

    #[test]
    fn a_thread_that_is_no_worker_may_wait_for_any() {
        assert_eq!(current(), None);
        assert!(Waiting::on(worker(2, 9)).is_ok());
    }

    #[test]
    fn threads_have_marks_of_their_own() {
        let other = std::thread::spawn(ThreadMark::here).join().unwrap();
        assert_eq!(ThreadMark::here(), ThreadMark::here());
        assert_ne!(ThreadMark::here(), other);
    }
}
