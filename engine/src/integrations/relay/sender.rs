//! The thread between the ring and the network.

use super::frame::{FrameWriter, HEADER, Origin};
use super::outbox::{Encoded, Order, Shared};
use super::{Outlet, Reports};
use crate::fault::Fault;
use corecast_ring::sync::Ordering;
use corecast_ring::{Consumer, WaitStrategy};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The thread between the ring and the network.
pub(crate) struct Sender<O> {
    pub(crate) events: Consumer<Encoded>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) outlet: O,
    pub(crate) origin: Origin,
    pub(crate) reports: Reports,
    pub(crate) frame_bytes: usize,
    pub(crate) frame_capacity: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) key: Arc<str>,
}

impl<O: Outlet> Sender<O> {
    pub(crate) fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.shared));
        let mut sent = Instant::now();
        loop {
            // In this order (Z1): what the worker had published before is in the ring by now.
            let (order, next) = (self.shared.order(), self.shared.next());
            let gone = self.events.is_closed();
            if order == Order::Abandon {
                break;
            }
            if self.events.poll(1) > 0 {
                self.send_run();
                sent = Instant::now();
                continue;
            }
            self.shared.set_done(next);
            if order == Order::Finish || gone {
                self.send_word(next, true);
                break;
            }
            let heartbeat = sent.checked_add(self.heartbeat);
            if !self.wait(next, heartbeat) {
                self.send_word(next, false);
                sent = Instant::now();
            }
        }
    }

    /// Waits until there is something to do; `false` when it is time for a word.
    fn wait(&self, next: u64, heartbeat: Option<Instant>) -> bool {
        let ready = || {
            self.events.is_ready()
                || self.shared.next() != next
                || self.shared.order() != Order::Run
                || self.events.is_closed()
        };
        WaitStrategy::park()
            .idle()
            .wait_until(&self.shared.work, heartbeat, ready)
    }

    /// Sends events that are there, as many as a frame takes and as follow on one another.
    fn send_run(&mut self) {
        let Some(first) = self.events.get(0).map(|event| event.sequence) else {
            return;
        };
        let mut frame = FrameWriter::new(&self.origin, first, self.frame_capacity);
        while frame.len() < self.frame_bytes.max(HEADER + 1) && self.events.poll(1) > 0 {
            let Some(event) = self.events.get(0) else {
                break;
            };
            if event.sequence != frame.end() {
                break;
            }
            frame.push(&event.bytes);
            self.events.finish_one();
        }
        self.events.release();
        self.put(frame);
    }

    /// Says how far the publisher has come, and whether more will follow.
    fn send_word(&mut self, next: u64, ended: bool) {
        let mut frame = FrameWriter::new(&self.origin, next, 0);
        if ended {
            frame.mark_ended();
        }
        self.put(frame);
    }

    fn put(&mut self, frame: FrameWriter) {
        let (events, end) = (u64::from(frame.count()), frame.end());
        let network = &self.shared.network;
        let bytes = frame.finish();
        let len = bytes.len() as u64;
        match self.outlet.put(bytes) {
            Ok(()) => {
                network.published.add(events);
                network.frames.add(1);
                network.bytes.add(len);
            }
            Err(source) => {
                network.dropped.add(events);
                let mut fault = Fault::from_error(source);
                fault.event = Some(format!("{events} events for key {:?}", self.key));
                fault.sequence = Some(end - events);
                self.reports.report(fault);
            }
        }
        self.shared.set_done(end);
    }
}

/// The thread's end, by whatever way.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        // Release: the counters are seen with it.
        self.0.ended.store(true, Ordering::Release);
        self.0.progress.wake_all();
    }
}
