//! The worker's side: encodes events into a ring that the network's thread empties.
//!
//! | edge | release side                        | acquire side                        | protects | loom model |
//! | Z1   | `next`, after the slots are published | the network's thread, then a poll | with the ring found empty, every sequence before `next` is dealt with | relay |
//! | Z2   | `done`, after the frame was handed over | `Shared::flush`, metrics        | what was sent before is counted | relay |

use super::{Count, Reports};
use crate::async_signal::Batch;
use crate::fault::{Fault, FaultKind};
use crate::overflow::FlushError;
use cache_padded::CachePadded;
use core::fmt;
use corecast_ring::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use corecast_ring::{Parker, Producer, WaitStrategy};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A slot of the ring: an event on its way. The bytes are allocated once and reused.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) sequence: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What the thread of the network is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum Order {
    Run = 0,
    /// Send what is there, and end.
    Finish = 1,
    /// End after the call in hand.
    Abandon = 2,
}

/// What a publisher's worker, its thread and its handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The first sequence of this incarnation.
    pub(crate) start: u64,
    pub(crate) worker: CachePadded<WorkerCounts>,
    pub(crate) network: CachePadded<NetworkCounts>,
    /// An [`Order`]. Written by the handle, read by the thread.
    order: AtomicU32,
    /// Written by the thread.
    pub(crate) ended: AtomicBool,
    /// Where the thread sleeps.
    pub(crate) work: Arc<Parker>,
    /// Where those sleep who wait for the thread.
    pub(crate) progress: Parker,
}

/// Written by the worker alone.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounts {
    /// The sequence of the next event (Z1).
    next: AtomicU64,
    /// The queue was full.
    pub(crate) dropped: Count,
    /// Not encoded.
    pub(crate) failed: Count,
}

/// Written by the network's thread alone.
#[derive(Debug, Default)]
pub(crate) struct NetworkCounts {
    /// Every event before this sequence was sent, dropped or failed (Z2).
    done: AtomicU64,
    pub(crate) published: Count,
    /// The session did not take them.
    pub(crate) dropped: Count,
    pub(crate) frames: Count,
    pub(crate) bytes: Count,
}

impl Shared {
    pub(crate) fn new(start: u64, work: Arc<Parker>) -> Self {
        let progress = Parker::new(work.fences());
        let worker = WorkerCounts {
            next: AtomicU64::new(start),
            ..WorkerCounts::default()
        };
        let network = NetworkCounts {
            done: AtomicU64::new(start),
            ..NetworkCounts::default()
        };
        Self {
            start,
            worker: CachePadded::new(worker),
            network: CachePadded::new(network),
            order: AtomicU32::new(Order::Run as u32),
            ended: AtomicBool::new(false),
            work,
            progress,
        }
    }

    pub(crate) fn next(&self) -> u64 {
        // Acquire (Z1).
        self.worker.next.load(Ordering::Acquire)
    }

    pub(crate) fn done(&self) -> u64 {
        // Acquire (Z2).
        self.network.done.load(Ordering::Acquire)
    }

    /// Every event before `sequence` is dealt with; tells those who wait.
    pub(crate) fn set_done(&self, sequence: u64) {
        // Release (Z2): counters and what the session was given are seen with it.
        self.network.done.store(sequence, Ordering::Release);
        self.progress.wake();
    }

    /// Waits until every event that the worker has taken is dealt with.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), FlushError> {
        let target = self.next();
        if self.wait(limit, || self.done() >= target) {
            Ok(())
        } else {
            Err(FlushError::Timeout)
        }
    }

    /// Lets the thread send what is there, and end; whether it has ended within `limit`. If not, it
    /// ends after the call in hand.
    pub(crate) fn finish(&self, limit: Duration) -> bool {
        self.give(Order::Finish);
        // Acquire: the thread's counters are seen with it.
        let has_ended = self.wait(limit, || self.ended.load(Ordering::Acquire));
        if !has_ended {
            self.give(Order::Abandon);
        }
        has_ended
    }

    fn wait(&self, limit: Duration, is_over: impl Fn() -> bool) -> bool {
        let deadline = Instant::now().checked_add(limit);
        let mut idle = WaitStrategy::park().idle();
        idle.wait_until(&self.progress, deadline, is_over)
    }

    pub(crate) fn order(&self) -> Order {
        // Acquire: what happened before the order is seen with it.
        match self.order.load(Ordering::Acquire) {
            0 => Order::Run,
            1 => Order::Finish,
            _ => Order::Abandon,
        }
    }

    fn give(&self, order: Order) {
        // Release: see `order`.
        self.order.store(order as u32, Ordering::Release);
        self.work.wake_all();
    }
}

/// What the worker calls with each run of events. Dropping it closes the ring, and so ends the
/// thread of the network when it has sent what is left.
pub(crate) struct Outbox<F> {
    pub(crate) ring: Producer<Encoded>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reports: Reports,
    pub(crate) encode: F,
    /// The next event is encoded here, and changes places with a slot's bytes.
    pub(crate) scratch: Vec<u8>,
    /// The longest encoding that is sent.
    pub(crate) limit: usize,
    pub(crate) key: Arc<str>,
}

/// An event whose encoding is too long.
#[derive(Debug)]
struct TooLong {
    key: Arc<str>,
    limit: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, limit } = self;
        write!(f, "an event for key {key:?} has more than {limit} bytes")
    }
}

impl std::error::Error for TooLong {}

impl<F> Outbox<F> {
    /// Never waits: an event that finds the ring full is dropped and counted. A panic of `encode`
    /// is a fault of its event; the run's other events are sent.
    pub(crate) fn take<T>(&mut self, run: Batch<'_, T>)
    where
        F: FnMut(&T, &mut Vec<u8>),
    {
        let (mut sequence, mut dropped, mut failed) = (self.shared.next(), 0, 0);
        for event in &run {
            if self.ring.room(1) == 0 {
                dropped += 1;
            } else if !self.stage(sequence, event) {
                failed += 1;
            }
            sequence += 1;
        }
        self.ring.publish();
        self.shared.worker.dropped.add(dropped);
        self.shared.worker.failed.add(failed);
        // Release (Z1): the slots' stamps and the counts above are seen with it.
        self.shared.worker.next.store(sequence, Ordering::Release);
        self.ring.notify();
    }

    /// Encodes an event and stages it; whether that went well. There is room.
    fn stage<T>(&mut self, sequence: u64, event: &T) -> bool
    where
        F: FnMut(&T, &mut Vec<u8>),
    {
        let (encode, scratch) = (&mut self.encode, &mut self.scratch);
        scratch.clear();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| encode(event, scratch))) {
            let mut fault = Fault::from_panic(FaultKind::Panic, payload);
            fault.sequence = Some(sequence);
            self.reports.report(fault);
            return false;
        }
        if scratch.len() > self.limit {
            *scratch = Vec::with_capacity(self.limit.min(FIRST_BYTES));
            let (key, limit) = (Arc::clone(&self.key), self.limit);
            let mut fault = Fault::from_error(Box::new(TooLong { key, limit }));
            fault.sequence = Some(sequence);
            self.reports.report(fault);
            return false;
        }
        let staged = self.ring.stage_with(|slot| {
            slot.sequence = sequence;
            core::mem::swap(&mut slot.bytes, scratch);
        });
        staged.is_ok()
    }
}

/// Bytes that a slot has from the beginning.
pub(crate) const FIRST_BYTES: usize = 64;
