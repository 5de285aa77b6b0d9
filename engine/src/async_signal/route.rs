//! Routes: which workers an event goes to.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
}

/// What the engine asks of a route, whatever the event. Sealed.
pub trait Routing<T>: sealed::Sealed + Clone + Send + Sync + 'static {
    /// Every worker with a listener gets the event, not just one worker.
    #[doc(hidden)]
    const FANS_OUT: bool;

    /// The worker of `workers` that gets `event`, the `turn`-th of its emitter.
    #[doc(hidden)]
    fn choose(&self, event: &T, turn: u64, workers: usize) -> usize;
}

/// A route by which `T` may be emitted: any route if `T` is `Clone`, else one to a single worker.
/// Sealed.
///
/// A function that emits on any signal is generic over it:
///
/// ```
/// use corecast::{Emitter, Engine, Rejected, Route};
///
/// fn emit_twice<R: Route<u64>>(out: &mut Emitter<u64, R>, n: u64) -> Result<(), Rejected<u64>> {
///     out.emit(n)?;
///     out.emit(n)
/// }
///
/// let engine = Engine::builder().manual().build()?;
/// let (all, one) = (engine.signal("all").build()?, engine.signal("one").round_robin().build()?);
/// emit_twice(&mut all.emitter()?, 1)?;
/// emit_twice(&mut one.emitter()?, 1)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be emitted on a broadcast signal: it does not implement `Clone`",
    label = "each worker needs an event of its own, and `{T}` is not `Clone`",
    note = "derive `Clone`, wrap the event in an `Arc`, or build the signal with `.shard_by(..)` or `.round_robin()`, which send each event to one worker"
)]
pub trait Route<T>: Routing<T> {
    /// Another event like this one.
    #[doc(hidden)]
    fn duplicate(event: &T) -> T;
}

/// Every worker with a listener gets every event: the route of a signal that is told no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Broadcast;

impl sealed::Sealed for Broadcast {}

impl<T> Routing<T> for Broadcast {
    const FANS_OUT: bool = true;

    #[inline(always)]
    fn choose(&self, _: &T, _: u64, _: usize) -> usize {
        0
    }
}

// Of an event that is not `Clone` the compiler then says what the trait says, rather than what this
// wants. (For the same reason the bounds are on the methods that emit, not on their `impl`.)
#[diagnostic::do_not_recommend]
impl<T: Clone> Route<T> for Broadcast {
    #[inline(always)]
    fn duplicate(event: &T) -> T {
        event.clone()
    }
}

/// Each event goes to one worker, equal keys to the same one: see
/// [`AsyncSignalBuilder::shard_by`](crate::AsyncSignalBuilder::shard_by).
pub struct Sharded<T> {
    hash: Arc<dyn Fn(&T) -> u64 + Send + Sync>,
}

impl<T: 'static> Sharded<T> {
    pub(crate) fn by<K: Hash>(key: impl Fn(&T) -> K + Send + Sync + 'static) -> Self {
        Self {
            hash: Arc::new(move |event| {
                let mut hasher = ShardHasher(0);
                key(event).hash(&mut hasher);
                hasher.finish()
            }),
        }
    }
}

impl<T> Clone for Sharded<T> {
    fn clone(&self) -> Self {
        Self {
            hash: Arc::clone(&self.hash),
        }
    }
}

impl<T> fmt::Debug for Sharded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded").finish_non_exhaustive()
    }
}

impl<T> sealed::Sealed for Sharded<T> {}

impl<T: 'static> Routing<T> for Sharded<T> {
    const FANS_OUT: bool = false;

    #[inline(always)]
    fn choose(&self, event: &T, _: u64, workers: usize) -> usize {
        // Multiplies instead of dividing: the high bits decide (Lemire's reduction).
        let hash = (self.hash)(event);
        ((u128::from(hash) * workers as u128) >> 64) as usize
    }
}

impl<T: 'static> Route<T> for Sharded<T> {
    fn duplicate(_: &T) -> T {
        unreachable!("a sharded event goes to one worker")
    }
}

/// Each event goes to the next worker in turn: see
/// [`AsyncSignalBuilder::round_robin`](crate::AsyncSignalBuilder::round_robin).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundRobin;

impl sealed::Sealed for RoundRobin {}

impl<T> Routing<T> for RoundRobin {
    const FANS_OUT: bool = false;

    #[inline(always)]
    fn choose(&self, _: &T, turn: u64, workers: usize) -> usize {
        (turn % workers as u64) as usize
    }
}

impl<T> Route<T> for RoundRobin {
    fn duplicate(_: &T) -> T {
        unreachable!("a round-robin event goes to one worker")
    }
}

/// A route that sends each event to one worker: [`Sharded`] and [`RoundRobin`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives every listener every event: its listeners are subscribed with `subscribe`, not `subscribe_sharded`"
)]
pub trait OneWorker: sealed::Sealed {}

impl<T> OneWorker for Sharded<T> {}
impl OneWorker for RoundRobin {}

/// A small hash with good high bits and no random state, so that the same key goes to the same
/// worker in every run (the finaliser is splitmix64's).
struct ShardHasher(u64);

impl ShardHasher {
    fn mix(&mut self, word: u64) {
        let mut x = (self.0 ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.0 = x ^ (x >> 31);
    }
}

impl Hasher for ShardHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.mix(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.mix(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_go_to_the_same_worker_and_keys_spread() {
        let route = Sharded::by(|key: &u64| *key);
        let mut counts = [0; 7];
        for key in 0..7000_u64 {
            let worker = route.choose(&key, 0, 7);
            assert_eq!(worker, route.choose(&key, 99, 7));
            counts[worker] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn round_robin_takes_turns() {
        let turns: Vec<_> = (0..5).map(|turn| RoundRobin.choose(&(), turn, 3)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1]);
    }
}
