//! Circuit breakers and rate limits around real signals.

mod breaker;
#[cfg(feature = "limits")]
mod rate;
