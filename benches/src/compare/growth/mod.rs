//! How costs grow: with listeners, workers, emitters, signals, idle lanes, and the size of events.
//!
//! Every point of a picture is a [`Side`](crate::measure::Side) that is measured in turn with the
//! other points of its picture, and whose every lap is held to a sum ([`curve`]). [`write()`] puts the
//! pictures, a table of all figures and the memory of things into a folder.

mod changes;
pub mod curve;
mod fabric;
mod memory;
mod pictures;
mod tables;

use std::fs;
use std::path::Path;

use crate::cli::Error;
use crate::measure::CpuPair;
use crate::measure::machine::Machine;
use crate::picture::{LineChart, Scale, Series, Tick};

pub use fabric::Fabric;

use curve::{Chart, Figures};

/// How much of it is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Nothing grows beyond this.
    pub most: usize,
    /// Rounds of each picture.
    pub rounds: usize,
    /// How long a lap should be, in milliseconds.
    pub lap_ms: u64,
}

impl Extent {
    /// All of it: a minute or two.
    pub const WHOLE: Self = Self {
        most: usize::MAX,
        rounds: 7,
        lap_ms: 15,
    };
}

/// Measures, and writes `*.svg`, `figures.csv` and `FIGURES.md` into `folder`, which is made if it
/// is not there. `begin` is told what is measured next.
///
/// # Errors
///
/// A lap failed or its sum was wrong, or the folder cannot be written to.
pub fn write(
    folder: &Path,
    extent: Extent,
    cpus: CpuPair,
    mut begin: impl FnMut(&str),
) -> Result<(), Error> {
    let failed = |error| Error::from(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut measured = Vec::new();
    for chart in pictures::charts(extent, cpus) {
        begin(chart.title);
        measured.push(measure(chart, extent)?);
    }
    begin("memory");
    let memory = memory::figures()?;
    for (chart, figures) in &measured {
        let svg = draw(chart, figures)?;
        fs::write(folder.join(format!("{}.svg", chart.file)), svg).map_err(failed)?;
    }
    let csv = tables::csv(&measured, &memory);
    fs::write(folder.join("figures.csv"), csv).map_err(failed)?;
    let page = tables::page(&Machine::detect(), cpus, &measured, &memory);
    fs::write(folder.join("FIGURES.md"), page).map_err(failed)
}

/// A chart without its sides, and what its curves came to.
type Measured = (Chart, Vec<Figures>);

fn measure(mut chart: Chart, extent: Extent) -> Result<Measured, Error> {
    let figures = chart
        .measure(extent)
        .map_err(|error| format!("{}: {error}", chart.file))?;
    Ok((chart, figures))
}

fn draw(chart: &Chart, figures: &[Figures]) -> Result<String, Error> {
    let points = || figures.iter().flat_map(|curve| curve.points.iter());
    // Sizes begin with 0, which has no logarithm.
    let place = |at: usize| (at as f64).max(chart.zero);
    let highest = points().map(|point| place(point.at)).fold(1.0, f64::max);
    let lowest = points().map(|point| place(point.at));
    let x = Scale::log(lowest.fold(highest, f64::min), highest);
    let mut ticks: Vec<Tick> = points()
        .map(|point| Tick::new(place(point.at), point.at.to_string()))
        .collect();
    ticks.sort_by(|one, other| one.at.total_cmp(&other.at));
    ticks.dedup();
    // Labels need some distance.
    let mut last = f64::NEG_INFINITY;
    ticks.retain(|tick| {
        let apart = x.place(tick.at) - last >= 0.06;
        if apart {
            last = x.place(tick.at);
        }
        apart
    });
    let medians = points().map(|point| point.cost.median);
    let chart = LineChart {
        title: chart.title.to_owned(),
        x_label: chart.x_label.to_owned(),
        y_label: chart.unit.to_owned(),
        x,
        y: if chart.even {
            Scale::from_zero(medians)
        } else {
            Scale::log_around(medians)
        },
        x_ticks: Some(ticks),
        y_format: |figure| {
            let figure = (figure * 1000.0).round() / 1000.0;
            figure.to_string()
        },
        series: figures
            .iter()
            .enumerate()
            .map(|(colour, curve)| {
                let points = curve.points.iter();
                let points = points.map(|point| (place(point.at), point.cost.median));
                Series::line(curve.name, colour, points.collect())
            })
            .collect(),
    };
    Ok(chart.svg()?)
}
