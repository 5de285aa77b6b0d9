//! What both kinds of signal share.

use crate::async_signal::{AsyncSignal, Routing};
use crate::metrics::SignalMetrics;
use crate::sync_signal::SyncSignal;
use core::fmt;
use std::sync::Arc;

/// What [`SyncSignal`] and [`AsyncSignal`] share: looking after listeners, and counters.
///
/// For code that keeps house over signals of any kind, event type and route, as `&dyn Signal` or
/// `Box<dyn Signal>`. Each kind has methods of the same names of its own, so nobody needs the trait
/// in scope to call them. Subscribing and emitting differ from kind to kind and are not part of it.
///
/// ```
/// use corecast::{Engine, Listener, Signal, SyncSignal, WorkerListener};
///
/// let engine = Engine::builder().manual().build()?;
/// let alarms = SyncSignal::<str>::new();
/// let ticks = engine.signal::<u64>("ticks").build()?;
/// alarms.add(Listener::new(|_| {}).key("audit"))?.detach();
/// ticks.add(WorkerListener::new(|_| {}).key("audit"))?.detach();
///
/// let signals: [&dyn Signal; 2] = [&alarms, &ticks];
/// assert!(signals.iter().all(|signal| signal.unsubscribe("audit")));
/// assert!(signals.iter().all(|signal| signal.is_empty()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Signal: fmt::Debug + Send + Sync {
    /// Removes the listener with this key; whether there was one.
    fn unsubscribe(&self, key: &str) -> bool;

    /// Whether a listener has this key.
    fn contains_key(&self, key: &str) -> bool;

    /// The keys of the listeners that have one, in call order.
    fn keys(&self) -> Vec<Arc<str>>;

    /// Removes every listener.
    fn clear(&self);

    /// Listeners, without those that are spent.
    fn len(&self) -> usize;

    /// Whether there is no listener.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counters and sizes of this moment.
    fn metrics(&self) -> SignalMetrics;
}

/// Each method is the inherent one of the same name, which comes first in `Self::name`.
macro_rules! by_inherent_methods {
    () => {
        fn unsubscribe(&self, key: &str) -> bool {
            Self::unsubscribe(self, key)
        }

        fn contains_key(&self, key: &str) -> bool {
            Self::contains_key(self, key)
        }

        fn keys(&self) -> Vec<Arc<str>> {
            Self::keys(self)
        }

        fn clear(&self) {
            Self::clear(self);
        }

        fn len(&self) -> usize {
            Self::len(self)
        }

        fn metrics(&self) -> SignalMetrics {
            Self::metrics(self)
        }
    };
}

impl<T: ?Sized + 'static> Signal for SyncSignal<T> {
    by_inherent_methods!();
}

impl<T: Send + 'static, R: Routing<T>> Signal for AsyncSignal<T, R> {
    by_inherent_methods!();
}
