//! Pre-allocated ring buffers with stamped slots, and the wait strategies around them.
//!
//! A ring moves events from one or many writers to one reader without locks and without
//! allocating. Each slot carries a *stamp* beside its value, so that the event and the news of it
//! arrive in one cache line:
//!
//! ```text
//!   producer                        slots                       consumer
//!   claim: counter + 1      ┌───────┬───────┬───────┐
//!   write: value ─────────▶ │v│stamp│v│stamp│v│stamp│ ◀──── poll: stamp of my next slot
//!   publish: stamp ───────▶ └───────┴───────┴───────┘       read: value
//!        ▲                                                  release, lazily: counter
//!        └──────────── may run one lap ahead of ─────────────────────┘
//! ```
//!
//! - [`spsc`]: one writer, one reader; [`spsc_recycled`] keeps its values in the slots for reuse.
//! - [`mpsc`]: many writers, one reader.
//! - [`WaitStrategy`], [`Parker`]: how either side waits.
//! - [`Fences`]: the asymmetric fence that makes the wake-up check free.
//!
//! ```
//! let (mut producer, mut consumer) = corecast_ring::spsc::<u64>(1024)?;
//! producer.try_push(7).unwrap();
//! producer.claim()?.publish(8);
//! let mut sum = 0;
//! consumer.drain(usize::MAX, |value| sum += *value);
//! assert_eq!(sum, 15);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Not for: many readers of one ring, or rings that grow.

mod claim;
mod consumer;
mod error;
mod fence;
mod monitor;
mod mpsc;
mod panics;
mod parker;
mod ring;
mod sequence;
mod slots;
mod spsc;
#[doc(hidden)]
pub mod sync;
mod wait;

pub use claim::Claim;
pub use consumer::Consumer;
pub use error::{CapacityError, ClaimError, PopError, PushError};
pub use fence::{FenceError, FencePair, Fences, FreeFence, LightFence};
pub use monitor::Monitor;
pub use mpsc::{Credit, SharedClaim, SharedProducer};
pub use parker::{Parked, Parker, Ticket};
pub use ring::RingOptions;
pub use spsc::{ClaimRefused, ClaimedSlot, Producer, ShortSlot, WrittenSlot};
pub use wait::{Idle, UnknownWaitStrategy, WaitStrategy};

/// A ring with one writer and one reader.
///
/// # Errors
///
/// [`CapacityError`] for a capacity below 2, not a power of two, too large, or refused by the
/// allocator.
///
/// # Complexity
///
/// Allocates and touches every slot.
pub fn spsc<T>(capacity: usize) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
    RingOptions::new().spsc(capacity)
}

/// A ring with one writer and one reader whose slots are made once by `factory` and reused in
/// place, so that values that own heap memory allocate nothing.
///
/// # Errors
///
/// As [`spsc`].
///
/// # Panics
///
/// When `factory` panics; the values it had made are dropped.
///
/// # Complexity
///
/// Calls `factory` once for each slot, allocates and touches every slot.
///
/// ```
/// let (mut producer, mut consumer) = corecast_ring::spsc_recycled(4, String::new)?;
/// producer.claim()?.publish_with(|text| text.push_str("in place"))?;
/// assert_eq!(consumer.drain(1, |text| assert_eq!(text, "in place")), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spsc_recycled<T>(
    capacity: usize,
    factory: impl FnMut() -> T,
) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
    RingOptions::new().spsc_recycled(capacity, factory)
}

/// Whether a ring of this capacity is possible for events of type `T`, short of the memory.
///
/// # Errors
///
/// As [`spsc`], but for the allocator's refusal.
pub fn check_capacity<T>(capacity: usize) -> Result<(), CapacityError> {
    slots::Slots::<T>::layout(capacity).map(drop)
}

/// A ring with many writers and one reader.
///
/// # Errors
///
/// As [`spsc`].
///
/// # Complexity
///
/// As [`spsc`].
pub fn mpsc<T>(capacity: usize) -> Result<(SharedProducer<T>, Consumer<T>), CapacityError> {
    RingOptions::new().mpsc(capacity)
}

impl RingOptions {
    /// As [`spsc`], with these options.
    ///
    /// # Errors
    ///
    /// As [`spsc`].
    pub fn spsc<T>(&self, capacity: usize) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
        spsc::pair(self, capacity, None)
    }

    /// As [`spsc_recycled`], with these options.
    ///
    /// # Errors
    ///
    /// As [`spsc`].
    ///
    /// # Panics
    ///
    /// When `factory` panics.
    pub fn spsc_recycled<T>(
        &self,
        capacity: usize,
        mut factory: impl FnMut() -> T,
    ) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
        spsc::pair(self, capacity, Some(&mut factory))
    }

    /// As [`mpsc`], with these options.
    ///
    /// # Errors
    ///
    /// As [`spsc`].
    pub fn mpsc<T>(
        &self,
        capacity: usize,
    ) -> Result<(SharedProducer<T>, Consumer<T>), CapacityError> {
        mpsc::pair(self, capacity, None)
    }

    /// A ring with many writers whose slots are made once by `factory` and reused in place.
    ///
    /// # Errors
    ///
    /// As [`spsc`].
    ///
    /// # Panics
    ///
    /// When `factory` panics.
    pub fn mpsc_recycled<T>(
        &self,
        capacity: usize,
        mut factory: impl FnMut() -> T,
    ) -> Result<(SharedProducer<T>, Consumer<T>), CapacityError> {
        mpsc::pair(self, capacity, Some(&mut factory))
    }
}
