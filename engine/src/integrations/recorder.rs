//! Snapshots recorded through the `metrics` facade, so that whatever exporter a program installs
//! shows them.
//!
//! Call these from a timer, or just before the exporter is read: nothing here is on an event's
//! path. Names and labels are those of the `prometheus` feature.
//!
//! ```
//! let engine = corecast::Engine::builder().manual().build()?;
//! let ticks = engine.signal::<u64>("ticks").build()?;
//! // Every second or so:
//! corecast::recorder::record_engine("main", &engine.metrics());
//! # drop(ticks);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::samples::{self, Family, Sink, Value};
use crate::{BreakerMetrics, EngineMetrics, SignalMetrics};
use ::metrics::{Key, KeyName, Label, Level, Metadata, SharedString, with_recorder};

/// Records an engine's snapshot, with its workers and signals, under the label
/// `engine="name"`. Signals of the same name are told apart by a label `instance`.
///
/// # Complexity
///
/// Blocking and allocating: some ten samples for each signal and worker.
pub fn record_engine(name: &str, metrics: &EngineMetrics) {
    samples::engine(&mut Installed, name, metrics);
}

/// Records a signal's snapshot under the label `signal="…"`; for a synchronous signal, which
/// belongs to no engine.
pub fn record_signal(metrics: &SignalMetrics) {
    samples::signal(&mut Installed, Vec::new(), &[], metrics);
}

/// Records a circuit breaker's snapshot under the label `breaker="…"`.
pub fn record_breaker(metrics: &BreakerMetrics) {
    samples::breaker(&mut Installed, metrics);
}

/// Records a rate limit's snapshot under the label `limit="name"`.
#[cfg(feature = "limits")]
pub fn record_rate_limit(name: &str, metrics: &crate::RateLimitMetrics) {
    samples::rate_limit(&mut Installed, name, metrics);
}

/// Records a publisher's snapshot under the label `publisher="name"`.
#[cfg(feature = "zenoh")]
pub fn record_publisher(name: &str, metrics: &crate::zenoh::PublisherMetrics) {
    samples::publisher(&mut Installed, name, metrics);
}

/// Records a receiver's snapshot under the label `receiver="name"`.
#[cfg(feature = "zenoh")]
pub fn record_receiver(name: &str, metrics: &crate::zenoh::ReceiverMetrics) {
    samples::receiver(&mut Installed, name, metrics);
}

/// The recorder that the program has installed, or none.
struct Installed;

static METADATA: Metadata<'static> = Metadata::new("corecast", Level::INFO, Some(module_path!()));

impl Sink for Installed {
    fn sample(&mut self, (name, help): Family, labels: &[(&'static str, &str)], value: Value) {
        with_recorder(|recorder| {
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| Label::new(*name, (*value).to_owned()))
                .collect();
            let key = Key::from_parts(name, labels);
            let (name, help) = (KeyName::from_const_str(name), SharedString::const_str(help));
            match value {
                Value::Counter(value) => {
                    recorder.describe_counter(name, None, help);
                    recorder.register_counter(&key, &METADATA).absolute(value);
                }
                Value::Gauge(value) => {
                    recorder.describe_gauge(name, None, help);
                    recorder.register_gauge(&key, &METADATA).set(value);
                }
            }
        });
    }
}
