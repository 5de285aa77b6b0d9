//! Limits around emitters and listeners: a circuit breaker for a listener that may fail, and, with
//! the feature `limits`, a rate limit for an emitter. What is not wrapped pays nothing.

mod breaker;
mod breaker_state;
#[cfg(feature = "limits")]
mod limited;
#[cfg(feature = "limits")]
mod rate;

pub use breaker::{
    BreakerBuildError, BreakerError, BreakerMetrics, CircuitBreaker, CircuitBreakerBuilder,
    WhenOpen,
};
pub use breaker_state::BreakerState;
#[cfg(feature = "limits")]
pub use limited::{LimitReason, LimitRejected, Limited, LimitedEmitError};
#[cfg(feature = "limits")]
pub use rate::{RateLimit, RateLimitError, RateLimitMetrics, RateRefusal};
