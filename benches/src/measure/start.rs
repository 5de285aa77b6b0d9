//! Starting threads that are pinned before anybody relies on them.
//!
//! A measuring thread that could not be pinned must be an error, and one that died must not leave
//! its partner spinning: so whoever starts one waits until it is where it belongs.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};

use corecast_affinity::{CpuId, PinError, pin_current};

use super::side::LapError;

/// The new thread's end: pins it and reports.
#[derive(Debug)]
pub struct Arrival {
    cpu: CpuId,
    report: Sender<Result<(), PinError>>,
}

/// The starter's end: waits for the report.
#[derive(Debug)]
pub struct Awaited(Receiver<Result<(), PinError>>);

/// The two ends, for a thread that belongs on `cpu`.
#[must_use]
pub fn arrival(cpu: CpuId) -> (Arrival, Awaited) {
    let (report, reports) = mpsc::channel();
    (Arrival { cpu, report }, Awaited(reports))
}

impl Arrival {
    /// Pins the calling thread for the rest of its life, reports, and tells whether it worked.
    #[must_use]
    pub fn pin(self) -> bool {
        let pinned = pin_current(self.cpu).map(drop);
        let worked = pinned.is_ok();
        // A starter that stopped waiting has failed by itself and reads no report.
        let _unread = self.report.send(pinned);
        worked
    }
}

impl Awaited {
    /// Waits until the thread is pinned.
    ///
    /// # Errors
    ///
    /// [`LapError::Pin`], or [`LapError::Panicked`] when the thread ended without a report.
    pub fn wait(self) -> Result<(), LapError> {
        match self.0.recv() {
            Ok(pinned) => Ok(pinned?),
            Err(mpsc::RecvError) => Err(LapError::Panicked("before it was pinned".to_owned())),
        }
    }
}

/// Starts a thread in `scope`, pinned to `cpu`; returns once it is.
///
/// # Errors
///
/// [`LapError::Spawn`] or [`LapError::Pin`]; then `work` has not begun and never will.
pub fn scoped<'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    cpu: CpuId,
    work: impl FnOnce() -> R + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, Option<R>>, LapError> {
    let (arrival, awaited) = arrival(cpu);
    let handle = thread::Builder::new()
        .spawn_scoped(scope, || arrival.pin().then(work))
        .map_err(LapError::Spawn)?;
    awaited.wait().map(|()| handle)
}

/// Starts a thread of its own, pinned to `cpu`; returns once it is.
///
/// # Errors
///
/// As [`scoped`].
pub fn owned<R: Send + 'static>(
    cpu: CpuId,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<JoinHandle<Option<R>>, LapError> {
    let (arrival, awaited) = arrival(cpu);
    let handle = thread::Builder::new()
        .spawn(|| arrival.pin().then(work))
        .map_err(LapError::Spawn)?;
    awaited.wait().map(|()| handle)
}

/// What a joined thread's work returned.
///
/// # Errors
///
/// [`LapError::Panicked`] when it panicked instead.
pub fn finished<R>(joined: thread::Result<Option<R>>) -> Result<R, LapError> {
    match joined {
        Ok(Some(result)) => Ok(result),
        // Not reached through `scoped` and `owned`: they return no handle of an unpinned thread.
        Ok(None) => Err(LapError::Panicked("before it was pinned".to_owned())),
        Err(payload) => Err(LapError::from_panic(&*payload)),
    }
}
