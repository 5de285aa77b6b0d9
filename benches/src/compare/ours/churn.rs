//! Emitting while another thread subscribes and unsubscribes without pause.

use std::hint;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use corecast::SyncSignal;

use crate::compare::listeners::Listeners;
use crate::measure::drift::TripClock;
use crate::measure::start;
use crate::measure::{CpuPair, Lap, LapError, Pinned, Side};

use super::emission;

/// An owned emitter, beside a thread on the other CPU that changes the listeners, or does not.
#[derive(Debug)]
pub(super) struct Churned {
    listeners: Rc<Listeners>,
    cpus: CpuPair,
    is_disturbed: bool,
}

impl Churned {
    pub(super) fn new(listeners: &Rc<Listeners>, cpus: CpuPair, is_disturbed: bool) -> Self {
        Self {
            listeners: Rc::clone(listeners),
            cpus,
            is_disturbed,
        }
    }
}

/// Subscribes and unsubscribes until `over`; how often.
fn churn(signal: &SyncSignal<u64>, over: &AtomicBool, changes: &AtomicU64) {
    // Relaxed: nothing but the flag and the count is communicated.
    while !over.load(Ordering::Relaxed) {
        signal
            .subscribe(|event| {
                hint::black_box(event);
            })
            .unsubscribe();
        changes.fetch_add(1, Ordering::Relaxed);
    }
}

impl Side for Churned {
    fn name(&self) -> &str {
        if self.is_disturbed {
            "corecast, listeners come and go"
        } else {
            "corecast, undisturbed"
        }
    }

    fn lap(&mut self, ops: u64) -> Result<Lap, LapError> {
        let signal = emission::signal(&self.listeners);
        let mut emitter = signal.emitter();
        let (over, changes) = (AtomicBool::new(false), AtomicU64::new(0));
        let _pinned = Pinned::to(self.cpus.emitter)?;
        self.listeners.reset();
        let (elapsed, latency) = thread::scope(|scope| {
            let other = || churn(&signal, &over, &changes);
            let changing = match self.is_disturbed {
                true => Some(start::scoped(scope, self.cpus.worker, other)?),
                false => None,
            };
            while self.is_disturbed && changes.load(Ordering::Relaxed) == 0 {
                hint::spin_loop();
            }
            let mut clock = TripClock::start();
            for event in 0..ops {
                emitter.emit(hint::black_box(&event));
                clock.tick();
            }
            let stopped = clock.stop();
            over.store(true, Ordering::Relaxed);
            if let Some(thread) = changing {
                start::finished(thread.join())?;
            }
            Ok::<_, LapError>(stopped)
        })?;
        Ok(Lap {
            elapsed,
            checksum: self.listeners.sum(),
            latency: Some(latency),
        })
    }
}
