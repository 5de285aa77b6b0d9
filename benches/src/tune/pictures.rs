//! The pictures of a report.

use crate::picture::{Bar, BarChart, Dash, LineChart, PictureError, Scale, Series, Tick};
use crate::replay::text::{Count, Nanoseconds};

use super::measured::Measured;
use super::report::Report;

/// Throughput against workers per core, by wait strategy: the best of each, and all as points.
pub(super) fn throughput(report: &Report) -> Result<String, PictureError> {
    let all = &report.configurations;
    let counts = distinct(all.iter().map(|one| one.configuration.workers_per_core));
    let place = |measured: &Measured| {
        let workers = measured.configuration.workers_per_core;
        let place = counts.iter().position(|count| *count == workers);
        place.unwrap_or(0) as f64
    };
    let mut series = Vec::new();
    for (colour, wait) in waits(all).into_iter().enumerate() {
        let of_wait = || {
            all.iter()
                .filter(|one| one.configuration.wait.name() == wait)
        };
        series.push(Series {
            width: 0,
            ..Series::line(
                "",
                colour,
                of_wait()
                    .map(|one| (place(one), one.events_per_second))
                    .collect(),
            )
        });
        let best = counts.iter().enumerate().filter_map(|(place, count)| {
            let some = of_wait().filter(|one| one.configuration.workers_per_core == *count);
            let most = some.map(|one| one.events_per_second).reduce(f64::max)?;
            Some((place as f64, most))
        });
        series.push(Series::line(wait, colour, best.collect()));
    }
    let margin = 0.5;
    let last = counts.len().saturating_sub(1) as f64;
    if let Some(rate) = report.rate() {
        series.push(Series {
            dash: Dash::Dashed,
            width: 1,
            dots: false,
            ..Series::line(
                "the stated rate",
                6,
                vec![(-margin, rate), (last + margin, rate)],
            )
        });
    }
    let figures = series.iter().flat_map(|one| one.points.iter());
    let ticks = counts.iter().enumerate();
    LineChart {
        title: "Throughput, flat out: the best of each wait strategy, and all as points".to_owned(),
        x_label: "workers per core".to_owned(),
        y_label: "events per second".to_owned(),
        x: Scale::linear(-margin, last + margin),
        y: Scale::from_zero(figures.map(|point| point.1)),
        x_ticks: Some(
            ticks
                .map(|(place, count)| Tick::new(place as f64, count.to_string()))
                .collect(),
        ),
        y_format: rate_label,
        series,
    }
    .svg()
}

/// Latency percentile curves: of each wait strategy and number of workers the configuration with the
/// lowest p99, and the recommended one above them.
pub(super) fn latency(report: &Report) -> Result<String, PictureError> {
    let all = &report.configurations;
    let waits = waits(all);
    let nines = |percent: f64| -(1.0 - percent / 100.0).log10();
    let curve = |one: &Measured| -> Vec<(f64, f64)> {
        let curve = one.latency_ns.curve.iter();
        curve
            .map(|&(percent, ns)| (nines(percent), ns as f64))
            .collect()
    };
    let mut series = Vec::new();
    for (wait, workers) in groups(all) {
        let Some(best) = best_of(all, wait, workers) else {
            continue;
        };
        series.push(Series {
            dash: dash(workers),
            ..Series::line(
                format!("{wait}, {workers} per core"),
                waits.iter().position(|one| *one == wait).unwrap_or(0),
                curve(best),
            )
        });
    }
    if let Some(best) = report.best() {
        let wait = best.configuration.wait.name();
        series.push(Series {
            dash: dash(best.configuration.workers_per_core),
            width: 5,
            ..Series::line(
                "recommended",
                waits.iter().position(|one| *one == wait).unwrap_or(0),
                curve(best),
            )
        });
    }
    let figures = || series.iter().flat_map(|one| one.points.iter());
    let highest = figures().map(|point| point.0).fold(1.0, f64::max);
    let ticks = [
        (50.0, "50 %"),
        (90.0, "90 %"),
        (99.0, "99 %"),
        (99.9, "99.9 %"),
        (99.99, "99.99 %"),
    ];
    let (x, y) = (
        Scale::linear(nines(50.0), highest + 0.1),
        Scale::log_around(figures().map(|point| point.1)),
    );
    LineChart {
        title: format!("Latency {}", report.latency_counts_from()),
        x_label: "percentile".to_owned(),
        y_label: "latency".to_owned(),
        x,
        y,
        x_ticks: Some(
            ticks
                .into_iter()
                .filter(|(percent, _)| nines(*percent) <= highest + 0.1)
                .map(|(percent, label)| Tick::new(nines(percent), label))
                .collect(),
        ),
        y_format: latency_label,
        series,
    }
    .svg()
}

/// CPU use: of each wait strategy and number of workers the configuration with the lowest p99.
pub(super) fn cpu(report: &Report) -> Result<String, PictureError> {
    let all = &report.configurations;
    let bars = groups(all).into_iter().filter_map(|(wait, workers)| {
        let cpu = best_of(all, wait, workers)?.cpu?;
        Some(Bar {
            label: format!("{wait}\n{workers} per core"),
            parts: vec![cpu.workers, (cpu.process - cpu.workers).max(0.0)],
        })
    });
    BarChart {
        title: match report.rate() {
            Some(_) => "CPU use at the stated rate".to_owned(),
            None => "CPU use, flat out".to_owned(),
        },
        x_label: String::new(),
        y_label: "CPUs kept busy".to_owned(),
        y_format: |cpus| rounded(cpus).to_string(),
        parts: vec!["workers".to_owned(), "emitters and the rest".to_owned()],
        bars: bars.collect(),
    }
    .svg()
}

/// Which dash tells a number of workers per core.
fn dash(workers: usize) -> Dash {
    match workers {
        1 => Dash::Solid,
        2 => Dash::Dashed,
        _ => Dash::Dotted,
    }
}

/// The configuration of a group whose p99 is lowest; one that keeps up, if there is one.
fn best_of<'a>(all: &'a [Measured], wait: &str, workers: usize) -> Option<&'a Measured> {
    all.iter()
        .filter(|one| {
            let configuration = one.configuration;
            configuration.wait.name() == wait && configuration.workers_per_core == workers
        })
        .min_by_key(|one| (!one.keeps_up(), one.latency_ns.typical.p99))
}

/// The wait strategies, in the order in which they were tried.
fn waits(all: &[Measured]) -> Vec<&'static str> {
    let mut waits = Vec::new();
    for one in all {
        let name = one.configuration.wait.name();
        if !waits.contains(&name) {
            waits.push(name);
        }
    }
    waits
}

/// The pairs of wait strategy and workers per core.
fn groups(all: &[Measured]) -> Vec<(&'static str, usize)> {
    let mut groups = Vec::new();
    for one in all {
        let configuration = one.configuration;
        let group = (configuration.wait.name(), configuration.workers_per_core);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

fn distinct(counts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts: Vec<usize> = counts.collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

fn rate_label(rate: f64) -> String {
    match rate {
        0.0 => "0".to_owned(),
        rate if rate >= 1e6 => format!("{} M", rounded(rate / 1e6)),
        rate if rate >= 1e3 => format!("{} k", rounded(rate / 1e3)),
        rate => Count(rate as u64).to_string(),
    }
}

fn latency_label(ns: f64) -> String {
    match ns {
        ns if ns >= 1e9 => format!("{} s", rounded(ns / 1e9)),
        ns if ns >= 1e6 => format!("{} ms", rounded(ns / 1e6)),
        ns if ns >= 1e3 => format!("{} µs", rounded(ns / 1e3)),
        ns => Nanoseconds(ns as u64).to_string(),
    }
}

/// Two decimals at most, and no zeros at the end.
fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
