//! What a user subscribes: a closure and what is said about it.

use super::meta::{Meta, Options};
use super::set::OwnedListener;
use crate::context::Context;
use crate::error::BoxError;
use crate::sync_signal::Sync;
use core::fmt;
use core::panic::Location;

/// The options that every kind of listener has.
macro_rules! listener_options {
    ($item:ty) => {
        /// A key, unique within the signal among all kinds of listener, by which the listener can
        /// be found and removed.
        pub fn key(mut self, key: impl Into<std::sync::Arc<str>>) -> Self {
            self.options.key = Some(key.into());
            self
        }

        /// Higher ones are called first; 0 unless told; equal ones in the order of subscription.
        pub fn priority(mut self, priority: i32) -> Self {
            self.options.priority = priority;
            self
        }

        /// It is called once at most, however many threads emit; a call that panics counts.
        pub fn once(mut self) -> Self {
            self.options.once = true;
            self
        }

        /// A name for errors and faults.
        pub fn name(mut self, name: impl Into<std::sync::Arc<str>>) -> Self {
            self.options.name = Some(name.into());
            self
        }

        /// How a fault shows the event. Called on a fault only.
        pub fn describe(mut self, describe: fn(&$item) -> String) -> Self {
            self.options.describe = Some(describe);
            self
        }
    };
}
pub(crate) use listener_options;

type Make<T> = Box<dyn FnOnce(Meta<T>) -> OwnedListener<Sync<T>> + Send>;

/// A listener for a [`SyncSignal`](crate::SyncSignal), with its options.
///
/// It is `Fn`, because several threads may emit at once and walks may nest; state of its own is
/// behind atomics or a lock.
///
/// ```
/// use corecast::{Listener, SyncSignal};
///
/// let signal = SyncSignal::<u64>::new();
/// let audit = Listener::new(|n| println!("{n}")).key("audit").priority(10);
/// let _subscription = signal.add(audit)?;
/// assert!(signal.contains_key("audit"));
/// # Ok::<(), corecast::SubscribeError>(())
/// ```
#[must_use = "a listener does nothing until it is added to a signal"]
pub struct Listener<T: ?Sized + 'static> {
    options: Options<T>,
    make: Make<T>,
}

impl<T: ?Sized + 'static> Listener<T> {
    /// A listener that cannot fail.
    pub fn new(f: impl Fn(&T) + Send + core::marker::Sync + 'static) -> Self {
        Self::from_call(move |event, _| {
            f(event);
            Ok(())
        })
    }

    /// A listener that may return an error, which stops a `try_emit`.
    pub fn fallible<E: Into<BoxError>>(
        f: impl Fn(&T) -> Result<(), E> + Send + core::marker::Sync + 'static,
    ) -> Self {
        Self::from_call(move |event, _| f(event).map_err(Into::into))
    }

    /// A listener that may return an error and sees the emission's context.
    ///
    /// ```
    /// use corecast::{Context, EmitError, Listener, SyncSignal};
    /// use std::time::Duration;
    ///
    /// let signal = SyncSignal::<u64>::new();
    /// // Ends the walk for those after it, without an error of its own.
    /// let enough = Listener::with_context(|n: &u64, context: &Context| {
    ///     if *n > 9 {
    ///         context.cancel_token().cancel();
    ///     }
    ///     Ok::<_, std::io::Error>(())
    /// });
    /// let _enough = signal.add(enough.priority(1))?;
    /// let _after = signal.subscribe(|n| assert!(*n <= 9));
    /// assert!(signal.try_emit(&5, &Context::none()).is_ok());
    /// let stopped = signal.try_emit(&10, &Context::none());
    /// assert!(matches!(stopped, Err(EmitError::Cancelled { delivered: 1 })));
    /// # Ok::<(), corecast::SubscribeError>(())
    /// ```
    pub fn with_context<E: Into<BoxError>>(
        f: impl Fn(&T, &Context) -> Result<(), E> + Send + core::marker::Sync + 'static,
    ) -> Self {
        Self::from_call(move |event, context: Option<&Context>| {
            f(event, context.unwrap_or_else(|| Context::detached())).map_err(Into::into)
        })
    }

    fn from_call(
        call: impl Fn(&T, Option<&Context>) -> Result<(), BoxError>
        + Send
        + core::marker::Sync
        + 'static,
    ) -> Self {
        let make: Make<T> = Box::new(move |meta| OwnedListener::<Sync<T>>::shared(meta, call));
        Self {
            options: Options::default(),
            make,
        }
    }

    listener_options!(T);

    pub(crate) fn build(self, place: &'static Location<'static>) -> OwnedListener<Sync<T>> {
        (self.make)(Meta::new(self.options, place))
    }
}

impl<T: ?Sized> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
