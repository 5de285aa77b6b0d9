//! Backtraces of listeners' panics, through an opt-in panic hook.
//!
//! `catch_unwind` sees a panic after the stack is gone, so the hook, which runs before, leaves the
//! backtrace with the thread.

use crate::walk::Depth;
use core::cell::RefCell;
use std::backtrace::Backtrace;
use std::sync::Once;

std::thread_local! {
    static LATEST: RefCell<Option<Backtrace>> = const { RefCell::new(None) };
}

/// Installs, once, a panic hook that captures a backtrace for each panic inside a listener, for
/// [`Fault::backtrace`](crate::Fault::backtrace), and then calls the hook that was there before.
///
/// Capturing costs far more than a fault does otherwise; without this call no fault has a backtrace.
/// A hook that the program sets later replaces this one.
///
/// ```
/// corecast::capture_backtraces();
/// let signal = corecast::SyncSignal::<u64>::new();
/// let _subscription = signal.subscribe(|_| panic!("told on standard error, as before"));
/// signal.emit(&1);
/// assert!(signal.faults().pop().is_some_and(|fault| fault.backtrace.is_some()));
/// ```
pub fn capture_backtraces() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if Depth::is_inside() {
                let backtrace = Backtrace::force_capture();
                let _ = LATEST.try_with(|latest| *latest.borrow_mut() = Some(backtrace));
            }
            previous(info);
        }));
    });
}

/// The backtrace of the panic that this thread caught last.
pub(crate) fn take() -> Option<Backtrace> {
    LATEST
        .try_with(|latest| latest.borrow_mut().take())
        .ok()
        .flatten()
}
