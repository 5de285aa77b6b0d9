//! A thread that answers scrapes.

use super::Exposition;
use super::request::{Exchange, FAILED, OK, Request};
use core::fmt;
use corecast_ring::sync::{AtomicBool, Ordering};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// After an accept that failed, as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(10);

/// Serves `/metrics` over HTTP from a thread of its own, one scrape after another, for as long as
/// this lives.
///
/// There is no access control: bind it to a loopback address, or to one that only the collector
/// reaches. A client has two seconds and 8 KiB for its request. The closure runs once for each
/// scrape; if it panics the scrape is answered with an error, and the next one is served.
///
/// The closure usually owns a handle on an [`Engine`](crate::Engine), which keeps that engine
/// running until this is dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens on `address`, such as `"127.0.0.1:9464"`, and has `fill` fill a page for each
    /// scrape. Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] names the address that is not one or cannot be listened on.
    pub fn serve(
        address: &str,
        fill: impl FnMut(&mut Exposition) + Send + 'static,
    ) -> Result<Self, EndpointError> {
        let cannot_listen = |source| EndpointError::Listen {
            address: address.to_owned(),
            source,
        };
        let listener = TcpListener::bind(address).map_err(cannot_listen)?;
        let bound = listener.local_addr().map_err(cannot_listen)?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("corecast-scrape".to_owned())
                .spawn(move || accept(&listener, &stop, fill))
                .map_err(|source| EndpointError::Thread { source })?
        };
        Ok(Self {
            address: bound,
            stop,
            thread: Some(thread),
        })
    }

    /// The address that it listens on, with the port that was taken.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    /// Waits for the scrape that is under way.
    fn drop(&mut self) {
        // Release: nothing is handed over; the connection below makes the thread look.
        self.stop.store(true, Ordering::Release);
        let mut wake = self.address;
        if wake.ip().is_unspecified() {
            wake.set_ip(match wake {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let woken = TcpStream::connect_timeout(&wake, Duration::from_secs(1));
        if let Some(thread) = self.thread.take()
            && (woken.is_ok() || thread.is_finished())
        {
            // Panics were caught inside.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, mut fill: impl FnMut(&mut Exposition)) {
    for stream in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        match stream {
            // A client that goes away or does not answer in time is its own loss.
            Ok(stream) => drop(serve_one(stream, &mut fill)),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn serve_one(stream: TcpStream, fill: &mut impl FnMut(&mut Exposition)) -> io::Result<()> {
    let mut exchange = Exchange::new(stream);
    let is_head = match exchange.request()? {
        Request::Page => false,
        Request::Head => true,
        Request::Refused(status) => {
            return exchange.answer(status, &format!("{status}\n"), false);
        }
    };
    let mut page = Exposition::new();
    match catch_unwind(AssertUnwindSafe(|| fill(&mut page))) {
        Ok(()) => exchange.answer(OK, &page.to_string(), is_head),
        Err(payload) => {
            let message = crate::fault::panic_message(&*payload);
            crate::walk::discard(payload);
            exchange.answer(
                FAILED,
                &format!("the page's closure panicked: {message}\n"),
                is_head,
            )
        }
    }
}

/// Why there is no endpoint.
#[derive(Debug)]
#[non_exhaustive]
pub enum EndpointError {
    /// The address is not one, is taken, or is not this machine's.
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The thread could not be started.
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address:?}: {source}")
            }
            Self::Thread { source } => {
                write!(f, "the endpoint's thread could not be started: {source}")
            }
        }
    }
}

impl std::error::Error for EndpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Thread { source } => Some(source),
        }
    }
}
