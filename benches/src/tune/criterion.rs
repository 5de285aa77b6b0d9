//! By what a configuration is judged.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use crate::replay::text::{Count, Nanoseconds};

use super::measured::{LapFigures, Measured};

/// What is to be best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Criterion {
    /// Most events per second, flat out
    Throughput,
    /// The lowest median latency
    P50,
    /// The lowest 99th percentile
    P99,
    /// The lowest 99.9th percentile
    P999,
    /// The least CPU time of the workers
    Cpu,
}

impl Criterion {
    /// The figure that counts: less is better, and it is never negative. Infinite where it was not
    /// measured.
    #[must_use]
    pub fn cost(self, figures: &LapFigures) -> f64 {
        let latency = figures.latency_ns;
        let of_events = |ns: u64| match latency.count {
            0 => f64::INFINITY,
            _ => ns as f64,
        };
        match self {
            // Nanoseconds per event; infinite where none came through.
            Self::Throughput => 1e9 / figures.events_per_second,
            Self::P50 => of_events(latency.p50),
            Self::P99 => of_events(latency.p99),
            Self::P999 => of_events(latency.p999),
            Self::Cpu => figures.workers_cpu.unwrap_or(f64::INFINITY),
        }
    }

    /// The costs of a configuration's laps.
    pub(super) fn costs(self, measured: &Measured) -> Vec<f64> {
        measured.laps.iter().map(|lap| self.cost(lap)).collect()
    }

    /// The figure as a person reads it.
    #[must_use]
    pub fn show(self, measured: &Measured) -> String {
        let of_events = |ns: u64| match measured.latency_ns.typical.count {
            0 => "no event timed".to_owned(),
            _ => Nanoseconds(ns).to_string(),
        };
        match self {
            Self::Throughput => {
                format!(
                    "{} events per second",
                    Count(measured.events_per_second as u64)
                )
            }
            Self::P50 => of_events(measured.latency_ns.typical.p50),
            Self::P99 => of_events(measured.latency_ns.typical.p99),
            Self::P999 => of_events(measured.latency_ns.typical.p999),
            Self::Cpu => measured.cpu.map_or("unknown".to_owned(), |cpu| {
                format!("{:.2} CPUs in the workers", cpu.workers)
            }),
        }
    }

    /// How much more than the lowest cost is as good: less than two runs differ by.
    #[must_use]
    pub fn tolerance(self) -> f64 {
        match self {
            Self::Throughput => 0.03,
            Self::P50 | Self::P99 | Self::Cpu => 0.10,
            Self::P999 => 0.20,
        }
    }

    /// What decides, in this order: what is said first, and among those that are as good by it, what
    /// comes next.
    #[must_use]
    pub fn order(self) -> &'static [Self] {
        match self {
            Self::Throughput => &[Self::Throughput, Self::Cpu],
            Self::P50 => &[Self::P50, Self::Cpu],
            Self::P99 => &[Self::P99, Self::P50, Self::Cpu],
            Self::P999 => &[Self::P999, Self::P99, Self::P50, Self::Cpu],
            Self::Cpu => &[Self::Cpu, Self::P99, Self::P50],
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Throughput => "throughput",
            Self::P50 => "median latency",
            Self::P99 => "p99 latency",
            Self::P999 => "p99.9 latency",
            Self::Cpu => "CPU use",
        })
    }
}
