//! The relay between a worker and a network, without either: whoever models it calls the listener
//! itself, and runs the thread's loop on a thread of its own.

use crate::async_signal::Batch;
use crate::error::BoxError;
use crate::fault::FaultQueue;
use crate::integrations::relay::frame::{Frame, HEADER, Incarnation, Origin};
use crate::integrations::relay::outbox::Encoded;
use crate::integrations::relay::{Outbox, Outlet, Reports, Sender, Shared};
use crate::overflow::FlushError;
use core::fmt;
use corecast_ring::{Consumer, spsc, spsc_recycled};
use std::sync::Arc;
use std::time::Duration;

/// What the handle of a publisher does.
#[derive(Debug)]
pub struct Handle(Arc<Shared>);

/// What a worker does: calls the listener with runs of events.
pub struct Taker {
    outbox: Outbox<fn(&u64, &mut Vec<u8>)>,
    events: Consumer<u64>,
    taken: usize,
}

/// What the thread of the network does.
#[must_use = "nothing is sent before it runs"]
pub struct Thread(Sender<Sink>);

/// Stands where a network would: sees each frame's first sequence and number of events.
struct Sink(Box<dyn Fn(u64, u64) + Send>);

impl Outlet for Sink {
    fn put(&self, frame: Vec<u8>) -> Result<(), BoxError> {
        let frame = Frame::parse(&frame)?;
        (self.0)(frame.first, frame.count.into());
        Ok(())
    }
}

/// A relay with room for so many events, and the events that its worker will take.
///
/// # Panics
///
/// When a ring cannot have so many slots.
pub fn relay(
    room: usize,
    events: &[u64],
    put: impl Fn(u64, u64) + Send + 'static,
) -> (Handle, Taker, Thread) {
    // A run is a quarter of a ring at most.
    let slots = (4 * events.len()).max(2).next_power_of_two();
    let (mut lane, mut run) = spsc(slots).expect("a power of two");
    for event in events {
        assert!(lane.try_push(*event).is_ok());
    }
    assert_eq!(run.poll(events.len()), events.len());
    let (ring, queued) = spsc_recycled(room, Encoded::default).expect("a power of two");
    let shared = Arc::new(Shared::new(0, Arc::clone(queued.parker())));
    let reports = Reports {
        faults: Arc::new(FaultQueue::new()),
        signal: "modelled".into(),
    };
    let taker = Taker {
        outbox: Outbox {
            ring,
            shared: Arc::clone(&shared),
            reports: reports.clone(),
            encode: |event, bytes| bytes.extend_from_slice(&event.to_le_bytes()),
            scratch: Vec::new(),
            limit: size_of::<u64>(),
            key: "modelled".into(),
        },
        events: run,
        taken: 0,
    };
    let sender = Sender {
        events: queued,
        shared: Arc::clone(&shared),
        outlet: Sink(Box::new(put)),
        origin: Origin {
            incarnation: Incarnation {
                session: [0; 16],
                number: 0,
            },
            start: 0,
            resumed: false,
        },
        reports,
        frame_bytes: 1 << 10,
        frame_capacity: HEADER,
        heartbeat: Duration::MAX,
        key: "modelled".into(),
    };
    (Handle(shared), taker, Thread(sender))
}

impl Handle {
    /// As a publisher's.
    ///
    /// # Errors
    ///
    /// [`FlushError::Timeout`].
    pub fn flush(&self, limit: Duration) -> Result<(), FlushError> {
        self.0.flush(limit)
    }

    /// Lets the thread send what is there, and end; whether it has.
    #[must_use]
    pub fn finish(&self, limit: Duration) -> bool {
        self.0.finish(limit)
    }

    /// How many events were handed over, as far as the calling thread can know.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.0.network.published.get()
    }

    /// How many found the ring full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.worker.dropped.get()
    }
}

impl Taker {
    /// Calls the listener with a run of the next `count` events.
    pub fn take(&mut self, count: usize) {
        let end = self.taken + count;
        self.outbox.take(Batch::new(&self.events, self.taken, end));
        self.taken = end;
    }
}

impl Thread {
    /// The loop, to its end.
    pub fn run(self) {
        self.0.run();
    }
}

impl fmt::Debug for Taker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taker").finish_non_exhaustive()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}
