//! The thread between a receiver's inbox and its emitter.

use super::inbox::{Inbox, Parcel};
use super::tracker::{Gap, Tracker};
use super::{Count, Record, Reports};
use crate::async_signal::{Emitter, Route};
use crate::context::Context;
use crate::error::BoxError;
use crate::fault::{Fault, FaultKind};
use crate::integrations::relay::frame::{Frame, FrameError};
use crate::overflow::RejectReason;
use ::zenoh::sample::Sample;
use cache_padded::CachePadded;
use corecast_ring::sync::{AtomicBool, AtomicU64, Ordering};
use corecast_ring::{FencePair, Parker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a receiver's thread, its handle and the session's threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inbox: Inbox,
    pub(super) counts: CachePadded<Counts>,
    /// Frames that did not come into the inbox. Written by the session's threads.
    pub(super) refused: AtomicU64,
    /// Written by the receiver's thread.
    pub(super) ended: AtomicBool,
    /// Where those sleep who wait for the thread.
    pub(super) progress: Parker,
}

/// Written by the receiver's thread alone.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) frames: Count,
    pub(super) malformed: Count,
    pub(super) received: Count,
    pub(super) rejected: Count,
    pub(super) undecoded: Count,
    pub(super) gaps: Count,
    pub(super) missing: Count,
    pub(super) repeated: Count,
    pub(super) restarts: Count,
    /// Not a sum: publishers heard of that have not ended.
    pub(super) publishers: AtomicU64,
}

impl Shared {
    pub(super) fn new(inbox_bytes: usize, fences: FencePair) -> Self {
        Self {
            inbox: Inbox::new(inbox_bytes),
            counts: CachePadded::default(),
            refused: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            progress: Parker::new(fences),
        }
    }

    /// On a thread of the session: the bytes are copied, so that they do not hold its buffers.
    pub(super) fn arrive(&self, sample: &Sample, reports: &Reports) {
        let (key, len) = (sample.key_expr().as_str(), sample.payload().len());
        let limit = self.inbox.limit();
        if len > limit {
            // Relaxed: a counter.
            self.refused.fetch_add(1, Ordering::Relaxed);
            reports.report(malformed(key, FrameError::Large { len, limit }));
            return;
        }
        self.inbox.put(Parcel {
            key: key.to_owned(),
            bytes: sample.payload().to_bytes().into_owned(),
        });
    }
}

/// The fault of a frame that is none.
fn malformed(key: &str, error: FrameError) -> Box<Fault> {
    let mut fault = Fault::from_error(Box::new(error));
    fault.event = Some(format!("under key {key:?}"));
    fault
}

/// The fault of a gap: the same words for each of a key, so that they are folded.
fn missing(key: &str, gap: Gap) -> Box<Fault> {
    let message = format!("events are missing of what is published under key {key:?}");
    let mut fault = Fault::new(FaultKind::Gap, message);
    fault.sequence = Some(gap.first);
    fault.event = Some(format!(
        "{} from sequence {} on, as {} counts",
        gap.events, gap.first, gap.incarnation
    ));
    fault
}

/// The thread between the network and an emitter.
pub(super) struct Feeder<T: Send + 'static, R, F> {
    pub(super) shared: Arc<Shared>,
    pub(super) tracker: Tracker,
    pub(super) emitter: Emitter<T, R>,
    /// The signal's overflow policy is to wait.
    pub(super) waits: bool,
    pub(super) decode: F,
    /// Cancelled when the receiver has ended and its time is up.
    pub(super) context: Context,
    pub(super) reports: Reports,
}

/// What became of a record.
enum Outcome {
    Received,
    Rejected,
    Undecoded,
    /// The signal takes no more, or the receiver's time is up.
    Over,
}

impl<T, R, F, E> Feeder<T, R, F>
where
    T: Send + 'static,
    R: Route<T>,
    F: FnMut(Record<'_>) -> Result<T, E>,
    E: Into<BoxError>,
{
    pub(super) fn run(mut self) {
        while let Some(parcel) = self.shared.inbox.take() {
            if !self.open(&parcel) {
                self.shared.inbox.abandon();
            }
        }
        let Self {
            shared,
            emitter,
            decode,
            reports,
            ..
        } = self;
        // What the closure holds is the user's.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop((emitter, decode)))) {
            reports.report(Fault::from_panic(FaultKind::ListenerDrop, payload));
        }
        // Release: the counters are seen with it.
        shared.ended.store(true, Ordering::Release);
        shared.progress.wake_all();
    }

    /// Emits what a parcel holds; `false` when the signal takes no more.
    fn open(&mut self, parcel: &Parcel) -> bool {
        let shared = Arc::clone(&self.shared);
        let counts = &*shared.counts;
        counts.frames.add(1);
        let frame = match Frame::parse(&parcel.bytes) {
            Ok(frame) => frame,
            Err(error) => {
                counts.malformed.add(1);
                self.reports.report(malformed(&parcel.key, error));
                return true;
            }
        };
        let verdict = self.tracker.judge(&parcel.key, &frame);
        // Relaxed: no more than a number to look at.
        let open = self.tracker.open() as u64;
        counts.publishers.store(open, Ordering::Relaxed);
        counts.restarts.add(verdict.restarted.into());
        counts.repeated.add(verdict.repeated.into());
        if let Some(gap) = verdict.gap {
            counts.gaps.add(1);
            counts.missing.add(gap.events);
            self.reports.report(missing(&parcel.key, gap));
        }
        let (mut received, mut rejected, mut undecoded) = (0, 0, 0);
        let mut over = false;
        let records = (frame.first..).zip(frame.events());
        for (sequence, bytes) in records.skip(verdict.repeated as usize) {
            if over {
                rejected += 1;
                continue;
            }
            let record = Record {
                bytes,
                key: &parcel.key,
                incarnation: frame.origin.incarnation,
                sequence,
            };
            match self.emit(record) {
                Outcome::Received => received += 1,
                Outcome::Rejected => rejected += 1,
                Outcome::Undecoded => undecoded += 1,
                Outcome::Over => {
                    rejected += 1;
                    over = true;
                }
            }
        }
        counts.received.add(received);
        counts.rejected.add(rejected);
        counts.undecoded.add(undecoded);
        !over
    }

    /// Decodes a record and emits it. The event's `clone` may run here, too.
    fn emit(&mut self, record: Record<'_>) -> Outcome {
        let emitted = catch_unwind(AssertUnwindSafe(|| {
            let event = (self.decode)(record).map_err(Into::into)?;
            let emitted = if self.waits {
                self.emitter.emit_within(event, &self.context)
            } else {
                self.emitter.emit(event)
            };
            Ok(emitted.map_err(|rejected| rejected.reason))
        }));
        let fault = match emitted {
            Ok(Ok(Ok(()))) => return Outcome::Received,
            Ok(Ok(Err(RejectReason::Closed | RejectReason::Cancelled))) => return Outcome::Over,
            Ok(Ok(Err(_))) => return Outcome::Rejected,
            Ok(Err(error)) => Fault::from_error(error),
            Err(payload) => Fault::from_panic(FaultKind::Panic, payload),
        };
        self.report(fault, record);
        Outcome::Undecoded
    }

    fn report(&self, mut fault: Box<Fault>, record: Record<'_>) {
        fault.sequence = Some(record.sequence);
        fault.event = Some(format!(
            "{} bytes under key {:?}, sequence {} as {} counts",
            record.bytes.len(),
            record.key,
            record.sequence,
            record.incarnation
        ));
        self.reports.report(fault);
    }
}
