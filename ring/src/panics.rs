//! Running user code to the end of a list although parts of it panic.

use core::any::Any;
use core::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The first panic among several runs of user code, kept until all have run.
#[derive(Default)]
pub(crate) struct FirstPanic {
    payload: Option<Box<dyn Any + Send>>,
}

impl FirstPanic {
    /// Runs `user_code`; should it panic, that is kept for [`FirstPanic::resume`].
    pub(crate) fn during(&mut self, user_code: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(user_code)) {
            if self.payload.is_none() {
                self.payload = Some(payload);
            } else {
                // Leaked: a payload may panic in its own drop.
                forget(payload);
            }
        }
    }

    /// Lets the kept panic go on, unless this thread is unwinding already: two panics at once
    /// would abort the process.
    pub(crate) fn resume(self) {
        if let Some(payload) = self.payload {
            if std::thread::panicking() {
                forget(payload);
            } else {
                resume_unwind(payload);
            }
        }
    }
}
