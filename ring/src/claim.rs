//! A claim on the next slot of a single-producer ring: publish it, or drop it and nothing happened.

use crate::error::ClaimError;
use crate::spsc::Producer;
use core::fmt;

/// The next free slot of a ring with one writer, from [`Producer::claim`].
///
/// Dropping the guard gives the slot back untouched: nothing is claimed before it is published, so
/// nothing is left behind.
///
/// ```
/// let (mut producer, mut consumer) = corecast_ring::spsc_recycled(8, Vec::new)?;
/// producer.claim()?.publish_with(|prices: &mut Vec<u64>| {
///     prices.clear();
///     prices.extend([101, 102]);
/// })?;
/// drop(producer.claim()?);
/// let mut seen = 0;
/// consumer.drain(usize::MAX, |prices| seen += prices.len());
/// assert_eq!(seen, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a claim that is not published is given back"]
pub struct Claim<'a, T> {
    producer: &'a mut Producer<T>,
}

impl<'a, T> Claim<'a, T> {
    pub(crate) fn new(producer: &'a mut Producer<T>) -> Self {
        Self { producer }
    }

    /// The sequence that the slot will carry.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.producer.sequence()
    }

    /// Publishes `value` in this slot, after whatever was staged before. On a recycled ring the
    /// former value is dropped when that is done.
    ///
    /// # Complexity
    ///
    /// Wait-free; allocates nothing.
    ///
    /// # Memory ordering
    ///
    /// As [`Producer::try_push`].
    #[inline]
    pub fn publish(self, value: T) {
        // The claim was made with room and borrows the only producer, so the slot is still free.
        let displaced = self.producer.stage(value);
        self.producer.publish();
        self.producer.notify();
        drop(displaced);
    }

    /// Changes the recycled value in place and publishes it. Should `fill` panic, the slot is not
    /// published and the panic goes to the caller.
    ///
    /// # Errors
    ///
    /// [`ClaimError::NotRecycled`] on a ring whose slots keep no values.
    ///
    /// # Panics
    ///
    /// When `fill` does; the slot keeps what it was given until it is filled again.
    #[inline]
    pub fn publish_with(self, fill: impl FnOnce(&mut T)) -> Result<(), ClaimError> {
        self.producer.stage_with(fill)?;
        self.producer.publish();
        self.producer.notify();
        Ok(())
    }
}

impl<T> fmt::Debug for Claim<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("sequence", &self.sequence())
            .finish()
    }
}
