//! A signal's events on other machines, through the pub/sub protocol
//! [zenoh](https://zenoh.io): peer to peer, no server to start.
//!
//! A [`Publisher`] is a listener that sends a signal's events under a key; a [`Receiver`] owns an
//! emitter and feeds another signal with what comes under a key. Corecast stays out of the
//! protocol's way: a [`Session`] is the protocol's own, with whatever configuration it needs;
//! [`peer`] opens one for explicit endpoints.
//!
//! ```text
//!  signal ▶ worker: encode ▶ ring ▶ thread: frames ▶ session ┄┄▶ session ▶ inbox ▶ thread: decode ▶ emitter ▶ signal
//!           never waits      full: the event       waits for               full: the network       waits or not, as the
//!                            is dropped, counted   the network             waits                   signal's overflow says
//! ```
//!
//! # Nothing is lost unseen
//!
//! The events of one life of a publisher, an [`Incarnation`], have sequences that count up without
//! a break, those included that it had to drop. What does not arrive is a *gap*: a receiver counts
//! it, event by event, and reports it as a fault of kind [`Gap`](crate::FaultKind::Gap). An idle
//! publisher says now and then how far it has come, so that a gap at the end is seen as well. For
//! every incarnation that a receiver has followed from its start, once it has caught up,
//!
//! ```text
//! events of the signal = received + rejected + undecoded + missing
//! ```
//!
//! A restarted publisher is another incarnation, and no gap. What the earlier one had emitted and
//! not sent when it died nobody can tell, unless the new one goes on counting where that had
//! stopped: [`PublisherBuilder::resume_from`]. A restarted receiver that has kept a [`Position`]
//! learns what it has missed: [`ReceiverBuilder::resume`].
//!
//! There is no second try: what is missing stays missing. Events under different keys, or of
//! different publishers, have no order between them.
//!
//! # Bounded memory
//!
//! A publisher holds [`queue`](PublisherBuilder::queue) events of at most
//! [`event_bytes`](PublisherBuilder::event_bytes), and a frame; a receiver
//! [`inbox_bytes`](ReceiverBuilder::inbox_bytes), and a frame; the session has bounded queues of
//! its own.
//!
//! # Not for
//!
//! Latency in microseconds, delivery that must survive a crash of both sides, or a network that
//! others can write to: frames are checked for form, not for who sent them.
//!
//! ```
//! use corecast::zenoh::{Publisher, Receiver, Record, peer};
//! use corecast::Engine;
//! use std::time::Duration;
//!
//! let engine = Engine::builder().build()?;
//! let here = engine.signal::<u64>("here").build()?;
//! let there = engine.signal::<u64>("there").build()?;
//! let (seen, sums) = std::sync::mpsc::channel();
//! there.subscribe(move |n| seen.send(*n).unwrap()).detach();
//!
//! // Two machines would have a session each: `peer(&["tcp/0.0.0.0:7447"], &[])` on one of them,
//! // `peer(&[], &["tcp/192.0.2.1:7447"])` on the other.
//! let session = peer(&[], &[])?;
//! let receiver = Receiver::builder(&session, "numbers").feed(there.emitter()?, |record: Record<'_>| {
//!     Ok::<_, std::array::TryFromSliceError>(u64::from_le_bytes(record.bytes.try_into()?))
//! })?;
//! let publisher = Publisher::builder(&session, "numbers")
//!     .publish(&here, |n: &u64, bytes| bytes.extend_from_slice(&n.to_le_bytes()))?;
//!
//! let mut emitter = here.emitter()?;
//! emitter.emit_batch(1..=3)?;
//! assert_eq!(sums.iter().take(3).sum::<u64>(), 6);
//! assert_eq!(publisher.close(Duration::from_secs(10)).published, 3);
//! assert_eq!(receiver.close(Duration::from_secs(10)).received, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod feeder;
mod inbox;
mod metrics;
mod publisher;
mod receiver;
mod tracker;

pub use super::relay::frame::{Incarnation, Position};
/// The protocol's crate, of the version that this feature uses.
pub use ::zenoh as protocol;
pub use ::zenoh::Session;
pub use error::OpenError;
pub use metrics::{PublisherMetrics, ReceiverMetrics};
pub use publisher::{Publisher, PublisherBuilder};
pub use receiver::{Receiver, ReceiverBuilder, Record};

use super::relay::{Count, Outlet, Reports};
use crate::error::BoxError;
use ::zenoh::{Config, Wait};
use std::sync::Arc;

/// Opens a session of a peer that listens on some endpoints and connects to others, such as
/// `"tcp/192.0.2.1:7447"`, and looks for nobody else by multicast. It goes on trying to connect,
/// and to connect again, until it is dropped.
///
/// For anything else (routers, encryption, access control) open a [`Session`] with a
/// configuration of one's own: [`protocol::open`]. Of the protocol's transports this feature brings
/// TCP; a program that depends on the crate `zenoh` itself can switch on others.
///
/// # Errors
///
/// [`OpenError::Session`] when an endpoint is not one, or cannot be listened on.
///
/// # Panics
///
/// Within an async runtime of one thread: the protocol refuses to block it. The same is true of
/// whatever else in this module calls the session.
///
/// # Complexity
///
/// Starts the protocol's threads, once in a process.
pub fn peer(listen: &[&str], connect: &[&str]) -> Result<Session, OpenError> {
    let open = || {
        let config = Config::from_json5(&format!(
            r#"{{
                mode: "peer",
                scouting: {{ multicast: {{ enabled: false }} }},
                listen: {{ endpoints: {listen:?} }},
                connect: {{
                    endpoints: {connect:?},
                    retry: {{ period_init_ms: 100, period_max_ms: 1000, period_increase_factor: 2 }},
                }},
            }}"#
        ))?;
        ::zenoh::open(config).wait()
    };
    open().map_err(|source| OpenError::Session {
        endpoints: listen
            .iter()
            .chain(connect)
            .map(ToString::to_string)
            .collect(),
        source,
    })
}

impl Outlet for Arc<::zenoh::pubsub::Publisher<'static>> {
    fn put(&self, frame: Vec<u8>) -> Result<(), BoxError> {
        ::zenoh::pubsub::Publisher::put(self, frame).wait()
    }
}
