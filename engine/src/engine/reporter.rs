//! The reporter: a thread that reads faults for a user's handler, so that no worker and no emitter
//! ever waits for it.

use super::wait_graph::ThreadMark;
use crate::fault::{Fault, FaultKind, FaultQueue};
use crate::walk::discard;
use corecast_ring::sync::{AtomicBool, Ordering};
use corecast_ring::{FencePair, Parker, WaitStrategy};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a user does with a fault.
pub(crate) type Handler = Box<dyn FnMut(Fault) + Send>;

pub(crate) struct Reporter {
    thread: Option<JoinHandle<()>>,
    mark: ThreadMark,
    orders: Arc<Orders>,
}

/// What the thread is told, and tells.
struct Orders {
    /// Written by whoever shuts down.
    stop: AtomicBool,
    /// Written by the thread.
    done: AtomicBool,
    /// Where the thread waits for faults and for the stop.
    faults: Arc<Parker>,
    /// Where the stopper waits.
    ended: Parker,
}

impl Reporter {
    pub(crate) fn start(
        faults: Arc<FaultQueue>,
        handler: Handler,
        fences: FencePair,
    ) -> std::io::Result<Self> {
        let orders = Arc::new(Orders {
            stop: AtomicBool::new(false),
            done: AtomicBool::new(false),
            faults: Arc::new(Parker::new(fences)),
            ended: Parker::new(fences),
        });
        faults.set_reporter(Arc::clone(&orders.faults));
        let (started, mark) = mpsc::sync_channel(1);
        let thread = {
            let orders = Arc::clone(&orders);
            let body = move || {
                // The starter waits for this.
                let _ = started.send(ThreadMark::here());
                read(&faults, handler, &orders);
                // Release: what the handler did happens before `stop` returns.
                orders.done.store(true, Ordering::Release);
                orders.ended.wake_all();
            };
            std::thread::Builder::new()
                .name("corecast-faults".to_owned())
                .spawn(body)?
        };
        let mark = mark.recv().map_err(std::io::Error::other)?;
        Ok(Self {
            thread: Some(thread),
            mark,
            orders,
        })
    }

    /// The thread that runs the handler.
    pub(crate) fn thread(&self) -> ThreadMark {
        self.mark
    }

    /// Lets the handler see what is still in the queue, for as long as `limit`; a handler that does
    /// not return is left behind.
    pub(crate) fn stop(&mut self, limit: Duration) {
        let orders = &self.orders;
        // Release: what is in the queue by now is seen with it.
        orders.stop.store(true, Ordering::Release);
        orders.faults.wake_all();
        if self.mark == ThreadMark::here() {
            return;
        }
        let done = || orders.done.load(Ordering::Acquire);
        let deadline = Instant::now().checked_add(limit);
        let mut idle = WaitStrategy::park().idle();
        if idle.wait_until(&orders.ended, deadline, done)
            && let Some(thread) = self.thread.take()
        {
            // Panics were caught inside.
            let _ = thread.join();
        }
    }
}

fn read(faults: &FaultQueue, mut handler: Handler, orders: &Orders) {
    let mut idle = WaitStrategy::park().idle();
    loop {
        // In this order: what was queued before the stop is read.
        let last = orders.stop.load(Ordering::Acquire);
        while let Some(fault) = faults.pop() {
            handle(faults, &mut handler, fault);
        }
        if last {
            break;
        }
        idle.reset();
        idle.wait_until(&orders.faults, None, || {
            !faults.is_empty() || orders.stop.load(Ordering::Acquire)
        });
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(handler))) {
        discard(payload);
    }
}

fn handle(faults: &FaultQueue, handler: &mut Handler, fault: Fault) {
    let from_handler = fault.kind == FaultKind::Handler;
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| handler(fault))) else {
        return;
    };
    if from_handler {
        // It cannot even be told of its own panic: counted, and no more.
        discard(payload);
        faults.count_lost();
    } else {
        faults.push(Fault::from_panic(FaultKind::Handler, payload));
    }
}
