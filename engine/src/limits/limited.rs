//! Emitters with a rate limit.

use super::rate::{RateLimit, RateRefusal};
use crate::async_signal::{Emitter, Route};
use crate::context::Context;
use crate::error::EmitError;
use crate::overflow::{RejectReason, Rejected};
use crate::sync_emitter::SyncEmitter;
use crate::sync_signal::Delivery;
use core::fmt;

/// An emitter that emits no faster than a [`RateLimit`] permits.
///
/// It wraps an [`Emitter`] or a [`SyncEmitter`]. The limit is asked first: an event that it admits
/// and the emitter then refuses has used its token. What is emitted through the wrapped emitter
/// itself, or through another, is not limited.
///
/// ```
/// use corecast::{Limited, RateLimit, SyncSignal};
/// use std::time::Duration;
///
/// let orders = SyncSignal::<u64>::new();
/// let limit = RateLimit::new(2, Duration::from_secs(3600))?;
/// let mut out = Limited::new(orders.emitter(), limit.clone());
/// assert!(out.emit(&1).is_ok());
/// assert!(out.emit(&2).is_ok());
/// assert!(out.emit(&3).is_err());
/// assert_eq!((limit.metrics().admitted, limit.metrics().refused), (2, 1));
/// # Ok::<(), corecast::RateLimitError>(())
/// ```
#[derive(Debug)]
pub struct Limited<E> {
    emitter: E,
    limit: RateLimit,
}

impl<E> Limited<E> {
    /// Puts a limit before an emitter.
    pub const fn new(emitter: E, limit: RateLimit) -> Self {
        Self { emitter, limit }
    }

    /// The limit.
    pub const fn limit(&self) -> &RateLimit {
        &self.limit
    }

    /// The emitter, past the limit.
    pub const fn get_mut(&mut self) -> &mut E {
        &mut self.emitter
    }

    /// The emitter, without the limit.
    pub fn into_inner(self) -> E {
        self.emitter
    }
}

impl<T: ?Sized + 'static> Limited<SyncEmitter<T>> {
    /// As [`SyncEmitter::emit`], if the limit admits it now.
    ///
    /// # Errors
    ///
    /// [`RateRefusal`]; no listener was called.
    ///
    /// # Panics
    ///
    /// As [`SyncEmitter::emit`].
    pub fn emit(&mut self, event: &T) -> Result<Delivery, RateRefusal> {
        self.limit.admit()?;
        Ok(self.emitter.emit(event))
    }

    /// As [`SyncEmitter::try_emit`], if the limit admits it now.
    ///
    /// # Errors
    ///
    /// [`LimitedEmitError`].
    ///
    /// # Panics
    ///
    /// As [`SyncEmitter::try_emit`].
    pub fn try_emit(&mut self, event: &T, context: &Context) -> Result<Delivery, LimitedEmitError> {
        self.limit.admit().map_err(LimitedEmitError::Rate)?;
        let emitted = self.emitter.try_emit(event, context);
        emitted.map_err(LimitedEmitError::Emit)
    }

    /// As [`SyncEmitter::try_emit`], after waiting for the limit as long as `context` permits. A
    /// cancellation is noticed within a millisecond; an event that the limit would not admit
    /// before the deadline is refused at once.
    ///
    /// # Errors
    ///
    /// [`LimitedEmitError`].
    ///
    /// # Panics
    ///
    /// As [`SyncEmitter::try_emit`].
    pub fn emit_within(
        &mut self,
        event: &T,
        context: &Context,
    ) -> Result<Delivery, LimitedEmitError> {
        let admitted = self.limit.admit_within(context);
        admitted.map_err(LimitedEmitError::Rate)?;
        let emitted = self.emitter.try_emit(event, context);
        emitted.map_err(LimitedEmitError::Emit)
    }
}

impl<T: Send + 'static, R: Route<T>> Limited<Emitter<T, R>> {
    /// As [`Emitter::emit`], if the limit admits it now.
    ///
    /// # Errors
    ///
    /// [`LimitRejected`] hands the event back with the reason.
    pub fn emit(&mut self, event: T) -> Result<(), LimitRejected<T>> {
        let admitted = self.limit.admit();
        self.emit_admitted(admitted, event, Emitter::emit)
    }

    /// As [`Emitter::try_emit`], if the limit admits it now: never waits.
    ///
    /// # Errors
    ///
    /// [`LimitRejected`] hands the event back with the reason.
    pub fn try_emit(&mut self, event: T) -> Result<(), LimitRejected<T>> {
        let admitted = self.limit.admit();
        self.emit_admitted(admitted, event, Emitter::try_emit)
    }

    /// As [`Emitter::emit_within`], after waiting for the limit as long as `context` permits. A
    /// cancellation is noticed within a millisecond; an event that the limit would not admit
    /// before the deadline is refused at once. In a listener this holds up its worker.
    ///
    /// # Errors
    ///
    /// [`LimitRejected`] hands the event back with the reason.
    pub fn emit_within(&mut self, event: T, context: &Context) -> Result<(), LimitRejected<T>> {
        let admitted = self.limit.admit_within(context);
        self.emit_admitted(admitted, event, |emitter, event| {
            emitter.emit_within(event, context)
        })
    }

    fn emit_admitted(
        &mut self,
        admitted: Result<(), RateRefusal>,
        event: T,
        emit: impl FnOnce(&mut Emitter<T, R>, T) -> Result<(), Rejected<T>>,
    ) -> Result<(), LimitRejected<T>> {
        match admitted {
            Ok(()) => emit(&mut self.emitter, event).map_err(|rejected| LimitRejected {
                event: rejected.event,
                reason: LimitReason::Emitter(rejected.reason),
            }),
            Err(refusal) => Err(LimitRejected {
                event,
                reason: LimitReason::Rate(refusal),
            }),
        }
    }
}

/// An event that a limited emitter did not accept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LimitRejected<T> {
    /// The event.
    pub event: T,
    /// Why it was not accepted.
    pub reason: LimitReason,
}

/// Who did not accept an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitReason {
    /// The rate limit.
    Rate(RateRefusal),
    /// The emitter.
    Emitter(RejectReason),
}

impl fmt::Display for LimitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(refusal) => refusal.fmt(f),
            Self::Emitter(reason) => reason.fmt(f),
        }
    }
}

impl<T> fmt::Debug for LimitRejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitRejected")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for LimitRejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event rejected: {}", self.reason)
    }
}

impl<T> std::error::Error for LimitRejected<T> {}

/// Why a limited `try_emit` on a synchronous signal stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum LimitedEmitError {
    /// The limit did not admit the event; no listener was called.
    Rate(RateRefusal),
    /// The emission stopped.
    Emit(EmitError),
}

impl fmt::Display for LimitedEmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(refusal) => refusal.fmt(f),
            Self::Emit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LimitedEmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rate(_) => None,
            Self::Emit(error) => error.source(),
        }
    }
}
