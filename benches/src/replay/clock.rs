//! The run's own time.

use std::time::Instant;

/// Nanoseconds since a run began; copies agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// The time, never 0: that stands for a tick that is not timed.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).map_or(u64::MAX, |now| now.max(1))
    }
}
