//! What the laps of a configuration come to.

use serde::Serialize;

use crate::measure::Quartiles;
use crate::measure::latency::Percentiles;
use crate::replay::text::Nanoseconds;

use super::configuration::Configuration;
use super::lap::{CpuUse, Figures};
use super::sweep::Lap;

/// The percentiles of a latency curve.
pub const PERCENTILES: [f64; 9] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99];

/// A configuration with its figures: medians over its laps, so that one lap in which the machine was
/// elsewhere does not count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The configuration.
    #[serde(flatten)]
    pub configuration: Configuration,
    /// What idle workers did: those that share a CPU yield where they were to spin.
    pub waited: &'static str,
    /// What each of its laps came to.
    pub laps: Vec<LapFigures>,
    /// Events per second that went through all listeners, flat out.
    pub events_per_second: f64,
    /// Events per second at the stated rate, and whether most laps kept up with it. `None` if the
    /// load has no rate.
    pub paced: Option<Paced>,
    /// From when an event was due (flat out: emitted) to when a worker's last listener was done.
    pub latency_ns: LatencyFigures,
    /// CPUs kept busy meanwhile.
    pub cpu: Option<CpuUse>,
    /// Calls of listeners, each event verified in sum at each.
    pub delivered: u64,
    /// Events that were handed back when a lap ended.
    pub rejected: u64,
    /// Events that still waited for a worker when the time to drain was over.
    pub abandoned: u64,
}

/// What one lap came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LapFigures {
    /// Events per second that went through all listeners, flat out.
    pub events_per_second: f64,
    /// Whether it kept up with the stated rate, if there is one.
    pub kept_up: bool,
    /// Latency.
    pub latency_ns: Percentiles,
    /// CPUs that the workers kept busy.
    pub workers_cpu: Option<f64>,
}

/// At the stated rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paced {
    /// Events per second that went through all listeners.
    pub events_per_second: f64,
    /// Whether most laps kept up.
    pub sustained: bool,
}

/// The latency of a configuration, in nanoseconds; all 0 if no event was timed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencyFigures {
    /// Medians of the laps' percentiles; count and maximum are of all laps.
    #[serde(flatten)]
    pub typical: Percentiles,
    /// Percentiles, each with its latency. Left out where a lap has too few events to have one.
    pub curve: Vec<(f64, u64)>,
}

impl Measured {
    /// Puts `laps` together; `None` if there is none.
    #[must_use]
    pub fn of(configuration: Configuration, laps: &[Lap]) -> Option<Self> {
        let flat: Vec<&Figures> = laps.iter().filter_map(|lap| lap.flat.as_ref()).collect();
        let paced: Vec<&Figures> = laps.iter().filter_map(|lap| lap.paced.as_ref()).collect();
        let timed = if paced.is_empty() { &flat } else { &paced };
        let all = || flat.iter().chain(&paced);
        let kept_up = paced.iter().filter(|figures| figures.sustained).count();
        Some(Self {
            configuration,
            waited: timed.first()?.waited,
            laps: laps.iter().filter_map(LapFigures::of).collect(),
            events_per_second: median(flat.iter().map(|figures| figures.per_second))?,
            paced: median(paced.iter().map(|figures| figures.per_second)).map(|rate| Paced {
                events_per_second: rate,
                sustained: 2 * kept_up > paced.len(),
            }),
            latency_ns: LatencyFigures::of(timed),
            cpu: cpu_of(timed),
            delivered: all().map(|figures| figures.calls).sum(),
            rejected: all().map(|figures| figures.rejected).sum(),
            abandoned: all().map(|figures| figures.abandoned).sum(),
        })
    }

    /// What its figures come to: medians, as far as they were measured.
    #[must_use]
    pub fn typical(&self) -> LapFigures {
        LapFigures {
            events_per_second: self.events_per_second,
            kept_up: self.keeps_up(),
            latency_ns: self.latency_ns.typical,
            workers_cpu: self.cpu.map(|cpu| cpu.workers),
        }
    }

    /// Whether it kept up with the stated rate, if there is one.
    #[must_use]
    pub fn keeps_up(&self) -> bool {
        self.paced.is_none_or(|paced| paced.sustained)
    }
}

impl LapFigures {
    fn of(lap: &Lap) -> Option<Self> {
        let flat = lap.flat.as_ref()?;
        let timed = lap.paced.as_ref().unwrap_or(flat);
        Some(Self {
            events_per_second: flat.per_second,
            kept_up: timed.sustained,
            latency_ns: timed.latency.percentiles(),
            workers_cpu: timed.cpu.map(|cpu| cpu.workers),
        })
    }
}

impl LatencyFigures {
    /// The four figures of a table, as a person reads them.
    pub(super) fn cells(&self) -> [String; 4] {
        let Percentiles {
            count,
            p50,
            p99,
            p999,
            max,
        } = self.typical;
        [p50, p99, p999, max].map(|ns| match count {
            0 => "-".to_owned(),
            _ => Nanoseconds(ns).to_string(),
        })
    }

    fn of(laps: &[&Figures]) -> Self {
        // A lap that fell behind in its warm-up has timed nothing, which says nothing of latency.
        let timed = laps.iter().map(|lap| &lap.latency);
        let timed = timed.filter(|latency| latency.percentiles().count > 0);
        let typical = |percent| {
            let each = timed.clone().map(|latency| latency.percentile(percent));
            median(each.map(|ns| ns as f64)).unwrap_or(0.0) as u64
        };
        let counts = timed.clone().map(|latency| latency.percentiles().count);
        let fewest = counts.clone().min().unwrap_or(0);
        // A percentile that lies above all but a part of one event is the maximum, and not a figure.
        let told = |percent: &f64| fewest as f64 * (100.0 - percent) / 100.0 >= 1.0;
        let maxima = timed.clone().map(|latency| latency.percentiles().max);
        Self {
            typical: Percentiles {
                count: counts.sum(),
                p50: typical(50.0),
                p99: typical(99.0),
                p999: typical(99.9),
                max: maxima.max().unwrap_or(0),
            },
            curve: PERCENTILES
                .into_iter()
                .filter(told)
                .map(|percent| (percent, typical(percent)))
                .collect(),
        }
    }
}

fn cpu_of(laps: &[&Figures]) -> Option<CpuUse> {
    let all: Option<Vec<CpuUse>> = laps.iter().map(|lap| lap.cpu).collect();
    let all = all?;
    Some(CpuUse {
        process: median(all.iter().map(|cpu| cpu.process))?,
        workers: median(all.iter().map(|cpu| cpu.workers))?,
    })
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let figures: Vec<f64> = figures.collect();
    Quartiles::of(&figures).map(|quartiles| quartiles.median)
}
