//! What the two sides of a ring share.
//!
//! One algorithm serves one writer and many: a writer claims a sequence by moving the `claimed`
//! counter past it (a plain store where there is one writer, a read-modify-write where there are
//! many), writes the slot, and stamps it. The consumer reads stamps and nothing else, so that an
//! event and the news of it arrive in one cache line.
//!
//! | edge | release side          | acquire side             | protects                     | loom model         |
//! | R1   | stamp                 | stamp                    | the slot's value (`slots.rs`)| spsc::events_cross_the_wrap |
//! | R2   | [`Ring::release`]     | [`Ring::free_until`]     | reuse of a slot              | spsc::events_cross_the_wrap |
//! | R3   | claim; light; look    | order; heavy; read `claimed` | a claim nobody may miss  | claims::no_event_is_accepted_behind_the_back_of_whoever_closes |
//! | R4   | [`Ring::close`]       | [`Ring::is_closed`]      | everything published before closing | closing::everything_published_before_closing_is_delivered |
//!
//! R3 is what closing and late subscription rest on: a claim is visible in `claimed` *before* the
//! claimant looks whether it may go on, so whoever gives an order and then reads `claimed` either
//! has been seen by the claimant or sees the claim, and can wait until its stamp is there. Nothing
//! but the store of `claimed` and the stamp is written per event.
//!
//! Sources: the sequence-stamped slot is Vyukov's bounded queue; claim, gating and cursor are the
//! LMAX Disruptor's words.

use crate::error::CapacityError;
use crate::fence::{FencePair, Fences};
use crate::parker::Parker;
use crate::sequence::release_quantum;
use crate::slots::{OnPanic, SlotState, Slots};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use cache_padded::CachePadded;
use core::any::Any;
use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc as StdArc;

/// A producer is gone, or all of them are.
const PRODUCERS_GONE: u32 = 1;
/// The consumer is gone.
const CONSUMER_GONE: u32 = 2;

pub(crate) struct Ring<T> {
    pub(crate) slots: Slots<T>,
    pub(crate) first: u64,
    quantum: u64,
    /// `PRODUCERS_GONE` and `CONSUMER_GONE`; each bit is set once (R4).
    closed: AtomicU32,
    /// Claims that were abandoned: counted before their stamps, by producers, rarely.
    pub(crate) aborted: CachePadded<AtomicU64>,
    pub(crate) producers: CachePadded<ProducerWords>,
    consumer: CachePadded<ConsumerWords>,
    /// Where producers wait for room, and for everything to be consumed.
    room: Parker,
    /// Where the consumer sleeps; several rings may share it.
    ready: StdArc<Parker>,
    /// Who is told of values that panic when they are dropped with the ring.
    on_drop_panic: Option<DropPanicHandler>,
}

/// Written by producers.
pub(crate) struct ProducerWords {
    /// The next sequence to claim (R3).
    pub(crate) claimed: AtomicU64,
    /// Many producers only: sequences promised, claimed or about to be; see `mpsc.rs`.
    pub(crate) reserved: AtomicU64,
}

/// Written by the consumer.
struct ConsumerWords {
    /// Everything before this sequence has been consumed (R2).
    released: AtomicU64,
}

#[cfg(target_arch = "x86_64")]
const _: () = {
    use core::mem::offset_of;
    // What producers write, what they write rarely, what the consumer writes, and where producers
    // sleep: each two lines from the others, and from what is only read.
    let words = [
        offset_of!(Ring<u64>, producers),
        offset_of!(Ring<u64>, aborted),
        offset_of!(Ring<u64>, consumer),
        offset_of!(Ring<u64>, room),
    ];
    let read = [offset_of!(Ring<u64>, slots), offset_of!(Ring<u64>, closed)];
    let mut one = 0;
    while one < words.len() {
        assert!(words[one].abs_diff(read[0]) >= 128 && words[one].abs_diff(read[1]) >= 128);
        let mut other = one + 1;
        while other < words.len() {
            assert!(words[one].abs_diff(words[other]) >= 128);
            other += 1;
        }
        one += 1;
    }
    assert!(align_of::<Ring<u64>>() >= 128);
};

impl<T> Ring<T> {
    pub(crate) fn new(
        options: &RingOptions,
        capacity: usize,
        factory: Option<&mut dyn FnMut() -> T>,
    ) -> Result<Self, CapacityError> {
        let first = options.first_sequence;
        let fences = options.fences.resolve();
        Ok(Self {
            slots: Slots::new(capacity, first, factory)?,
            first,
            quantum: release_quantum(capacity as u64),
            closed: AtomicU32::new(0),
            aborted: CachePadded::new(AtomicU64::new(0)),
            producers: CachePadded::new(ProducerWords {
                claimed: AtomicU64::new(first),
                reserved: AtomicU64::new(first),
            }),
            consumer: CachePadded::new(ConsumerWords {
                released: AtomicU64::new(first),
            }),
            room: Parker::new(fences),
            ready: options
                .ready
                .clone()
                .unwrap_or_else(|| StdArc::new(Parker::new(fences))),
            on_drop_panic: options.on_drop_panic.clone(),
        })
    }

    #[inline(always)]
    pub(crate) fn fences(&self) -> FencePair {
        self.room.fences()
    }

    /// How far the consumer may run before it must publish its progress.
    #[inline(always)]
    pub(crate) fn quantum(&self) -> u64 {
        self.quantum
    }

    /// The sequence that the next claim will take. Exact for a single producer's own thread.
    #[inline(always)]
    pub(crate) fn claimed(&self) -> u64 {
        // Relaxed: the counter hands nothing over; stamps do. Whoever needs it ordered against
        // his own order issues a heavy fence before this load (R3).
        self.producers.claimed.load(Ordering::Relaxed)
    }

    /// The first sequence that is still in use: one lap past what the consumer has released.
    #[inline(always)]
    pub(crate) fn free_until(&self) -> u64 {
        // Acquire (R2): the consumer's last use of the slot happens before our write to it.
        self.consumer
            .released
            .load(Ordering::Acquire)
            .wrapping_add(self.slots.capacity())
    }

    /// The next sequence that a producer will want room for: credits count as taken.
    pub(crate) fn next_wanted(&self) -> u64 {
        // Relaxed: as `claimed`. A single producer never touches `reserved`.
        let reserved = self.producers.reserved.load(Ordering::Relaxed);
        let claimed = self.claimed();
        if reserved.wrapping_sub(claimed) as i64 > 0 {
            reserved
        } else {
            claimed
        }
    }

    /// Everything before this sequence has been consumed.
    #[inline]
    pub(crate) fn released(&self) -> u64 {
        // Acquire (R2): what listeners did with those events happens before the caller's next step.
        self.consumer.released.load(Ordering::Acquire)
    }

    /// The consumer is done with everything before `sequence`.
    #[inline(always)]
    pub(crate) fn release(&self, sequence: u64) {
        // Release (R2): our last use of those slots happens before they are written again.
        self.consumer.released.store(sequence, Ordering::Release);
        // P1: the condition is stored; wake producers that announced themselves.
        self.room.wake();
    }

    /// News for the consumer, after a stamp (P1).
    #[inline(always)]
    pub(crate) fn notify_consumer(&self) {
        self.ready.wake();
    }

    pub(crate) fn room(&self) -> &Parker {
        &self.room
    }

    pub(crate) fn ready(&self) -> &StdArc<Parker> {
        &self.ready
    }

    pub(crate) fn close_producers(&self) {
        self.close(PRODUCERS_GONE);
    }

    pub(crate) fn close_consumer(&self) {
        self.close(CONSUMER_GONE);
    }

    fn close(&self, side: u32) {
        // AcqRel (R4): what this side published happens before the other learns that it is gone.
        self.closed.fetch_or(side, Ordering::AcqRel);
        self.room.wake_all();
        self.ready.wake_all();
    }

    #[inline(always)]
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire (R4).
        self.closed.load(Ordering::Acquire) != 0
    }

    pub(crate) fn producers_gone(&self) -> bool {
        // Acquire (R4): a last look at the stamps after this sees all there will ever be.
        self.closed.load(Ordering::Acquire) & PRODUCERS_GONE != 0
    }

    pub(crate) fn consumer_gone(&self) -> bool {
        self.closed.load(Ordering::Acquire) & CONSUMER_GONE != 0
    }

    /// Whether every claim before `end` has been stamped or consumed. After an order and a heavy
    /// fence, `settled_until(claimed())` turning true means that no claim made before the order
    /// is still open (R3).
    pub(crate) fn settled_until(&self, end: u64) -> bool {
        let mut sequence = self.released();
        while sequence != end && end.wrapping_sub(sequence) <= self.slots.capacity() {
            // A later lap in the slot says that this sequence was consumed long ago.
            let open = self.slots.state(sequence) == SlotState::Pending;
            if open && self.released().wrapping_sub(sequence) as i64 <= 0 {
                return false;
            }
            sequence = sequence.wrapping_add(1);
        }
        true
    }

    /// Claimed and not yet released: the depth of the queue, plus what is being written and what
    /// the consumer has not yet reported.
    pub(crate) fn len(&self) -> usize {
        let released = self.released();
        let depth = self.claimed().wrapping_sub(released);
        // The two words are read one after the other; a stale `claimed` may lie behind.
        depth.min(self.slots.capacity()) as usize * usize::from((depth as i64) > 0)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let end = self.claimed();
        let mut next = self.released();
        let pending = core::iter::from_fn(move || {
            let sequence = next;
            next = next.wrapping_add(1);
            (sequence != end).then_some(sequence)
        });
        let on_panic = self.on_drop_panic.as_ref().map(|handler| &*handler.0);
        self.slots.clear(pending, on_panic);
    }
}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("capacity", &self.slots.capacity())
            .field("claimed", &self.claimed())
            .field("released", &self.released())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// How a ring is made; the defaults are what [`spsc`](crate::spsc) and its sisters use.
///
/// Two rings that one thread drains, with one place to sleep:
///
/// ```
/// use corecast_ring::{Fences, Parker, RingOptions, WaitStrategy};
/// use std::sync::Arc;
///
/// let place = Arc::new(Parker::new(Fences::default().resolve()));
/// let options = RingOptions::new().ready(Arc::clone(&place));
/// let (mut ticks, mut from_ticks) = options.spsc::<u64>(64)?;
/// let (mut orders, mut from_orders) = options.spsc::<u64>(64)?;
///
/// let writer = std::thread::spawn(move || {
///     orders.try_push(1).expect("there is room"); // wakes whoever sleeps at the place
///     ticks.try_push(2).expect("there is room");
/// });
/// let (mut idle, mut sum) = (WaitStrategy::park().idle(), 0);
/// while !(from_ticks.is_closed() && from_orders.is_closed()) {
///     idle.wait_until(&place, None, || {
///         from_ticks.is_ready() || from_orders.is_ready() || from_ticks.is_closed()
///     });
///     from_ticks.drain(usize::MAX, |value| sum += *value);
///     from_orders.drain(usize::MAX, |value| sum += *value);
/// }
/// writer.join().expect("it had room");
/// assert_eq!(sum, 3);
/// # Ok::<(), corecast_ring::CapacityError>(())
/// ```
#[derive(Clone, Default)]
pub struct RingOptions {
    fences: Fences,
    first_sequence: u64,
    ready: Option<StdArc<Parker>>,
    on_drop_panic: Option<DropPanicHandler>,
}

/// Told what a value's drop panicked with, by whichever thread drops the ring. It makes rings and their
/// options no less safe to unwind past: nobody sees it again once it has been called.
#[derive(Clone)]
struct DropPanicHandler(StdArc<OnPanic>);

impl UnwindSafe for DropPanicHandler {}
impl RefUnwindSafe for DropPanicHandler {}

impl RingOptions {
    /// The defaults: asymmetric fences, sequences from 0, a parker of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which fences the sleep handshakes use.
    #[must_use]
    pub fn fences(mut self, fences: Fences) -> Self {
        self.fences = fences;
        self
    }

    /// The first sequence. Sequences are 64 bits wide and never wrap in practice; tests start near
    /// the end of the range.
    #[must_use]
    pub fn first_sequence(mut self, first: u64) -> Self {
        self.first_sequence = first;
        self
    }

    /// Where the consumer sleeps. Rings that one thread drains share one parker.
    #[must_use]
    pub fn ready(mut self, parker: StdArc<Parker>) -> Self {
        self.ready = Some(parker);
        self
    }

    /// Who is told of values that panic when they are dropped with the ring: what is left in it, and
    /// the values of recycled slots. It is called once for each, on the thread that lets go of the
    /// ring last. Without it the first of those panics goes on when all values are dropped, and the
    /// others are forgotten.
    ///
    /// ```
    /// use corecast_ring::RingOptions;
    /// use std::sync::{Arc, Mutex};
    ///
    /// struct Brittle;
    /// impl Drop for Brittle {
    ///     fn drop(&mut self) {
    ///         std::panic::resume_unwind(Box::new("broken"));
    ///     }
    /// }
    /// let told = Arc::new(Mutex::new(0));
    /// let count = Arc::clone(&told);
    /// let options = RingOptions::new().on_drop_panic(move |_| *count.lock().unwrap() += 1);
    /// let (mut producer, consumer) = options.spsc(4)?;
    /// for _ in 0..3 {
    ///     assert!(producer.try_push(Brittle).is_ok());
    /// }
    /// drop((producer, consumer));
    /// assert_eq!(*told.lock().unwrap(), 3);
    /// # Ok::<(), corecast_ring::CapacityError>(())
    /// ```
    #[must_use]
    pub fn on_drop_panic(
        mut self,
        handler: impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static,
    ) -> Self {
        self.on_drop_panic = Some(DropPanicHandler(StdArc::new(handler)));
        self
    }
}

impl fmt::Debug for RingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingOptions")
            .field("fences", &self.fences)
            .field("first_sequence", &self.first_sequence)
            .field("ready", &self.ready)
            .field("on_drop_panic", &self.on_drop_panic.is_some())
            .finish()
    }
}
