//! A worker's thread: pinned, set up, drained on, and left in order whatever happens.

use super::builder::{EngineError, OnStart};
use super::shared::EngineShared;
use super::wait_graph::Acting;
use super::worker::{Worker, discard_unread};
use super::worker_shared::{Status, WorkerInfo, WorkerShared};
use crate::fault::panic_message;
use crate::integrations::life;
use corecast_affinity::{PinStatus, PinnedThread, Pinning, ThreadConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

/// Starts the thread of `worker`; it is running when this returns.
pub(crate) fn start(
    engine: &Arc<EngineShared>,
    worker: &Arc<WorkerShared>,
    pinning: Pinning,
    on_start: Option<OnStart>,
) -> Result<PinnedThread<()>, EngineError> {
    let planned = worker.planned();
    let mut config = ThreadConfig::new(planned.thread.clone()).pinning(pinning);
    if let Some(cpu) = planned.cpu {
        config = config.cpu(cpu);
    }
    let (started, outcome) = mpsc::sync_channel(1);
    let thread = {
        let (engine, worker) = (Arc::clone(engine), Arc::clone(worker));
        PinnedThread::spawn(config, move |pin| {
            let _acting = Acting::as_worker(worker.key);
            let info = settled(planned, pin);
            worker.settle(info.clone());
            life::worker_started(&info);
            let set_up = catch_unwind(AssertUnwindSafe(|| {
                if let Some(on_start) = on_start {
                    on_start(&info);
                }
            }));
            let leave = Leave {
                engine: &engine,
                worker: &worker,
            };
            let failed = set_up.err().map(|payload| {
                let message = panic_message(&*payload);
                crate::walk::discard(payload);
                message
            });
            let runs = failed.is_none();
            // The builder waits for this.
            let _ = started.send(failed);
            if runs {
                let idle = if info.has_neighbours {
                    info.wait.idle_among_others()
                } else {
                    info.wait.idle()
                };
                Worker::new(Arc::clone(&worker)).run_and_leave(&engine, idle);
            }
            drop(leave);
        })
        .map_err(EngineError::Thread)?
    };
    match outcome.recv() {
        Ok(None) => Ok(thread),
        Ok(Some(message)) => {
            let _ = thread.join();
            Err(EngineError::WorkerStart {
                worker: worker.id,
                message,
            })
        }
        Err(mpsc::RecvError) => Err(EngineError::WorkerStart {
            worker: worker.id,
            message: "the thread ended before it had started".to_owned(),
        }),
    }
}

/// The worker's plan with what became of its pin.
fn settled(planned: WorkerInfo, pin: &PinStatus) -> WorkerInfo {
    WorkerInfo {
        pinned: pin.is_pinned(),
        pin: pin.clone(),
        ..planned
    }
}

/// However the thread ends, those who wait for its worker learn of it.
pub(crate) struct Leave<'a> {
    pub(crate) engine: &'a Arc<EngineShared>,
    pub(crate) worker: &'a Arc<WorkerShared>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let died = std::thread::panicking();
        let status = if died { Status::Dead } else { Status::Left };
        if died {
            life::worker_died(self.worker.id);
        }
        // What had not been read is dropped here, outside the lock.
        discard_unread(self.worker.leave(status));
        for signal in self.engine.live_signals() {
            if died {
                signal.lanes_changed();
            }
            signal.wake_emitters();
            signal.orphan(self.worker.id);
        }
        self.engine.left.wake_all();
    }
}
