//! Why there is no session, publisher or receiver.

use crate::error::{BoxError, SubscribeError};
use core::fmt;
use corecast_ring::CapacityError;
use std::io;

/// Why a session, a publisher or a receiver was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The session could not be opened.
    Session {
        /// What it was to listen on and to connect to.
        endpoints: Vec<String>,
        /// What the protocol said.
        source: BoxError,
    },
    /// The key is not one, or the session refuses it.
    Key {
        /// The key.
        key: String,
        /// What the protocol said.
        source: BoxError,
    },
    /// A publisher's key has wildcards.
    Wildcard {
        /// The key.
        key: String,
    },
    /// An option is out of its range.
    Option {
        /// Its name.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// What is possible.
        possible: &'static str,
    },
    /// The queue cannot have this capacity.
    Queue(CapacityError),
    /// The signal did not take the listener.
    Subscribe(SubscribeError),
    /// The thread could not be started.
    Thread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session { endpoints, source } => {
                write!(f, "no session with the endpoints {endpoints:?}: {source}")
            }
            Self::Key { key, source } => write!(f, "the key {key:?} is refused: {source}"),
            Self::Wildcard { key } => {
                write!(f, "the key {key:?} has wildcards: events have one key")
            }
            Self::Option {
                name,
                value,
                possible,
            } => write!(f, "{name} {value} is not possible: {possible}"),
            Self::Queue(source) => write!(f, "the queue: {source}"),
            Self::Subscribe(source) => write!(f, "not subscribed: {source}"),
            Self::Thread(source) => write!(f, "the thread could not be started: {source}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Session { source, .. } | Self::Key { source, .. } => Some(&**source),
            Self::Wildcard { .. } | Self::Option { .. } => None,
            Self::Queue(source) => Some(source),
            Self::Subscribe(source) => Some(source),
            Self::Thread(source) => Some(source),
        }
    }
}
