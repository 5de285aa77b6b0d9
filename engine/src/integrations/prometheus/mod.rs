//! Snapshots in Prometheus' text format, and an endpoint that serves them over HTTP.
//!
//! ```
//! use corecast::prometheus::Endpoint;
//! use std::io::{Read, Write};
//!
//! let engine = corecast::Engine::builder().manual().build()?;
//! let _ticks = engine.signal::<u64>("ticks").build()?;
//! let endpoint = Endpoint::serve("127.0.0.1:0", move |page| {
//!     page.engine("main", &engine.metrics());
//! })?;
//!
//! let mut stream = std::net::TcpStream::connect(endpoint.local_addr())?;
//! stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n")?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert!(answer.contains("corecast_signal_emitted_total{engine=\"main\",signal=\"ticks\"} 0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod endpoint;
mod request;

pub use endpoint::{Endpoint, EndpointError};

use super::samples::{self, Family, Sink, Value};
use crate::{BreakerMetrics, EngineMetrics, SignalMetrics};
use core::fmt;
use std::collections::BTreeMap;

/// A page in Prometheus' text format, made from snapshots; `Display` writes it.
///
/// A sample with the labels of an earlier one replaces it, so that the page is always well-formed.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Samples>,
}

#[derive(Debug, Clone)]
struct Samples {
    help: &'static str,
    kind: &'static str,
    /// The labels as they are written, and the value.
    series: BTreeMap<String, Value>,
}

impl Exposition {
    /// An empty page.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            families: BTreeMap::new(),
        }
    }

    /// Adds an engine's snapshot, with its workers and signals, under the label
    /// `engine="name"`. Signals of the same name are told apart by a label `instance`.
    pub fn engine(&mut self, name: &str, metrics: &EngineMetrics) {
        samples::engine(self, name, metrics);
    }

    /// Adds a signal's snapshot under the label `signal="…"`; for a synchronous signal, which
    /// belongs to no engine.
    pub fn signal(&mut self, metrics: &SignalMetrics) {
        samples::signal(self, Vec::new(), &[], metrics);
    }

    /// Adds a circuit breaker's snapshot under the label `breaker="…"`.
    pub fn breaker(&mut self, metrics: &BreakerMetrics) {
        samples::breaker(self, metrics);
    }

    /// Adds a rate limit's snapshot under the label `limit="name"`.
    #[cfg(feature = "limits")]
    pub fn rate_limit(&mut self, name: &str, metrics: &crate::RateLimitMetrics) {
        samples::rate_limit(self, name, metrics);
    }

    /// Adds a publisher's snapshot under the label `publisher="name"`.
    #[cfg(feature = "zenoh")]
    pub fn publisher(&mut self, name: &str, metrics: &crate::zenoh::PublisherMetrics) {
        samples::publisher(self, name, metrics);
    }

    /// Adds a receiver's snapshot under the label `receiver="name"`.
    #[cfg(feature = "zenoh")]
    pub fn receiver(&mut self, name: &str, metrics: &crate::zenoh::ReceiverMetrics) {
        samples::receiver(self, name, metrics);
    }
}

impl Sink for Exposition {
    fn sample(&mut self, (name, help): Family, labels: &[(&'static str, &str)], value: Value) {
        let samples = self.families.entry(name).or_insert(Samples {
            help,
            kind: match value {
                Value::Counter(_) => "counter",
                Value::Gauge(_) => "gauge",
            },
            series: BTreeMap::new(),
        });
        samples.series.insert(written(labels), value);
    }
}

/// Labels as the text format has them.
fn written(labels: &[(&'static str, &str)]) -> String {
    let mut text = String::new();
    for (index, (name, value)) in labels.iter().enumerate() {
        text.push(if index == 0 { '{' } else { ',' });
        text.push_str(name);
        text.push_str("=\"");
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
    text
}

impl fmt::Display for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, samples) in &self.families {
            writeln!(f, "# HELP {name} {}", samples.help)?;
            writeln!(f, "# TYPE {name} {}", samples.kind)?;
            for (labels, value) in &samples.series {
                match value {
                    Value::Counter(value) => writeln!(f, "{name}{labels} {value}")?,
                    Value::Gauge(value) => writeln!(f, "{name}{labels} {value}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(written(&[]), "");
        assert_eq!(
            written(&[("a", "plain"), ("b", "q\"b\\n\n}")]),
            "{a=\"plain\",b=\"q\\\"b\\\\n\\n}\"}"
        );
    }
}
