//! The handle of a subscription: removal, and waiting until nothing is left of the listener.

use crate::error::WaitError;
use crate::listener::ListenerId;
use crate::listener::set::{Handle, ListenerSet, Readers, Spec};
use crate::walk::Depth;
use core::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// What a subscription needs of its signal.
pub(crate) trait Removal: Send + Sync {
    /// Removes the listener; whether this call did it.
    fn remove(&self, handle: Handle) -> bool;
    /// Waits until everything removed before this call is dropped.
    fn wait(&self, handle: Handle, timeout: Duration) -> Result<(), WaitError>;
    fn is_active(&self, handle: Handle) -> bool;
}

impl<S: Spec> Removal for ListenerSet<S> {
    fn remove(&self, handle: Handle) -> bool {
        ListenerSet::remove(self, handle)
    }

    fn wait(&self, _: Handle, timeout: Duration) -> Result<(), WaitError> {
        self.wait_for_retired(timeout)
    }

    fn is_active(&self, handle: Handle) -> bool {
        ListenerSet::is_active(self, handle)
    }
}

/// Keeps a listener subscribed for as long as it lives.
///
/// Dropping it removes the listener: no emission that starts later calls it. It may outlive its
/// signal. It keeps neither the signal nor the listener alive.
///
/// ```
/// use corecast::SyncSignal;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let signal = SyncSignal::<u64>::new();
/// let state = Arc::new(());
/// let subscription = signal.subscribe({
///     let state = Arc::clone(&state);
///     move |_| assert_eq!(Arc::strong_count(&state), 2)
/// });
/// assert!(subscription.is_active());
/// assert_eq!(signal.emit(&1).delivered, 1);
///
/// // Removed, not running, never will be, and what it had captured has been dropped.
/// subscription.unsubscribe_and_wait(Duration::from_secs(60))?;
/// assert_eq!(Arc::strong_count(&state), 1);
///
/// signal.subscribe(|_| {}).detach(); // stays for the signal's life
/// assert_eq!(signal.len(), 1);
/// # Ok::<(), corecast::WaitError>(())
/// ```
#[must_use = "dropping this removes the listener; detach() keeps it"]
pub struct Subscription {
    /// `None` when the signal was closed from the start, and after detaching or removing.
    target: Option<Target>,
    /// The same listener on other workers.
    rest: Vec<Self>,
    id: ListenerId,
}

struct Target {
    signal: Weak<dyn Removal>,
    handle: Handle,
    readers: Arc<Readers>,
}

impl Target {
    /// Waits until nothing is left of the removed listener.
    fn wait(self, deadline: Option<Instant>) -> Result<(), WaitError> {
        let left = deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        match self.signal.upgrade() {
            Some(signal) => signal.wait(self.handle, left),
            None if Depth::is_inside() && self.readers.is_alive() => Err(WaitError::WouldDeadlock),
            // The signal is gone, or some thread is just dropping it.
            None if self.readers.wait_until_gone(deadline) => Ok(()),
            None => Err(WaitError::Timeout),
        }
    }
}

impl Subscription {
    pub(crate) fn new(signal: Weak<dyn Removal>, handle: Handle, readers: &Arc<Readers>) -> Self {
        let target = Target {
            signal,
            handle,
            readers: Arc::clone(readers),
        };
        Self {
            target: Some(target),
            rest: Vec::new(),
            id: handle.id,
        }
    }

    /// One subscription for listeners that come and go together.
    pub(crate) fn group(mut members: Vec<Self>) -> Self {
        let mut first = members.pop().unwrap_or_else(Self::inactive);
        first.rest = members;
        first
    }

    /// The subscription of a listener that was not taken.
    pub(crate) fn inactive() -> Self {
        Self {
            target: None,
            rest: Vec::new(),
            id: ListenerId::next(),
        }
    }

    /// Removes the listener; `false` if it was gone already (removed by key, by `clear` or by a
    /// quarantine, spent, or its signal is gone).
    ///
    /// No emission that starts after this returns calls the listener. A walk that is under way in
    /// another thread may still be inside it; see [`Subscription::unsubscribe_and_wait`].
    ///
    /// # Complexity
    ///
    /// Linear in the number of listeners; one allocation; one heavy fence.
    pub fn unsubscribe(mut self) -> bool {
        self.remove()
    }

    fn remove(&mut self) -> bool {
        let rest = self
            .rest
            .iter_mut()
            .map(Self::remove)
            .filter(|removed| *removed)
            .count();
        let removed = self.target.take().is_some_and(|target| {
            let signal = target.signal.upgrade();
            signal.is_some_and(|signal| signal.remove(target.handle))
        });
        removed || rest > 0
    }

    /// Leaves the listener subscribed for the life of the signal (or until it is removed by key,
    /// by `clear` or by a quarantine).
    pub fn detach(mut self) {
        self.target = None;
        core::mem::take(&mut self.rest)
            .into_iter()
            .for_each(Self::detach);
    }

    /// Removes the listener and waits until it is not running, never will be, and its captured
    /// state has been dropped. A `timeout` of zero looks once; `Duration::MAX` waits for ever.
    ///
    /// # Errors
    ///
    /// The listener is removed in every case; the error says why the rest was not waited for:
    /// [`WaitError::WouldDeadlock`] inside any walk or drain of this thread, [`WaitError::Timeout`],
    /// [`WaitError::Unsupported`].
    ///
    /// # Complexity
    ///
    /// As [`Subscription::unsubscribe`]; blocks until the walks that may still see the listener are
    /// over.
    ///
    /// # Memory ordering
    ///
    /// The listener's last call, and the drop of what it had captured, happen before this returns
    /// `Ok`.
    pub fn unsubscribe_and_wait(mut self, timeout: Duration) -> Result<(), WaitError> {
        let deadline = Instant::now().checked_add(timeout);
        let rest = core::mem::take(&mut self.rest);
        let target = self.target.take();
        // All are removed before any is waited for.
        for target in rest
            .iter()
            .filter_map(|one| one.target.as_ref())
            .chain(&target)
        {
            if let Some(signal) = target.signal.upgrade() {
                signal.remove(target.handle);
            }
        }
        let rest = rest.into_iter().filter_map(|mut one| one.target.take());
        rest.chain(target)
            .map(|target| target.wait(deadline))
            .fold(Ok(()), Result::and)
    }

    /// Whether the listener is subscribed and not spent.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let is_active = |target: &Target| {
            let signal = target.signal.upgrade();
            signal.is_some_and(|signal| signal.is_active(target.handle))
        };
        self.target.as_ref().is_some_and(is_active) || self.rest.iter().any(Self::is_active)
    }

    /// The listener's id.
    #[must_use]
    pub fn id(&self) -> ListenerId {
        self.id
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.remove();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .field("active", &self.is_active())
            .finish()
    }
}
