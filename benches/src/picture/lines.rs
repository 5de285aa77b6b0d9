//! Charts of lines.

use plotters::style::Color;

use super::canvas::{Canvas, Mark, svg};
use super::scale::{Scale, Tick};
use super::{PictureError, colour};

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dash {
    /// Whole.
    #[default]
    Solid,
    /// In strokes.
    Dashed,
    /// In dots.
    Dotted,
}

/// A line of a chart, or points without one.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it; nothing leaves it out there.
    pub name: String,
    /// Which colour it has.
    pub colour: usize,
    /// How it is drawn.
    pub dash: Dash,
    /// How thick, in pixels; 0 draws points only.
    pub width: u32,
    /// Whether its points are marked.
    pub dots: bool,
    /// Where it goes.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A plain line with its points marked.
    pub fn line(name: impl Into<String>, colour: usize, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            colour,
            dash: Dash::Solid,
            width: 2,
            dots: true,
            points,
        }
    }
}

/// A chart of lines.
#[derive(Debug, Clone)]
pub struct LineChart {
    /// What it shows.
    pub title: String,
    /// What its level axis is.
    pub x_label: String,
    /// What its upright axis is.
    pub y_label: String,
    /// The level axis.
    pub x: Scale,
    /// The upright axis.
    pub y: Scale,
    /// The labels of the level axis; its round figures if none are given.
    pub x_ticks: Option<Vec<Tick>>,
    /// How figures of the upright axis are written.
    pub y_format: fn(f64) -> String,
    /// The lines, later ones above earlier ones.
    pub series: Vec<Series>,
}

impl LineChart {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// [`PictureError`].
    pub fn svg(&self) -> Result<String, PictureError> {
        svg(|canvas| {
            canvas.titles(&self.title, &self.x_label, &self.y_label)?;
            canvas.y_axis(self.y, self.y_format)?;
            let round = || {
                let figures = self.x.round_figures().into_iter();
                figures.map(|at| Tick::new(at, at.to_string())).collect()
            };
            let ticks = self.x_ticks.clone().unwrap_or_else(round);
            canvas.x_axis(self.x, &ticks, true)?;
            for series in &self.series {
                self.draw(series, canvas)?;
            }
            Ok(())
        })
    }

    fn draw(&self, series: &Series, canvas: &mut Canvas<'_>) -> Result<(), PictureError> {
        let colour = colour(series.colour);
        let points: Vec<(i32, i32)> = series
            .points
            .iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .map(|&(x, y)| Canvas::pixel(self.x.place(x), self.y.place(y)))
            .collect();
        let stroke = colour.stroke_width(series.width);
        if series.width > 0 && points.len() > 1 {
            canvas.path(points.clone(), stroke, series.dash)?;
        }
        if series.dots {
            let radius = if series.width > 0 { 3 } else { 2 };
            for &point in &points {
                canvas.draw_dot(point, radius, colour.filled())?;
            }
        }
        if series.name.is_empty() {
            return Ok(());
        }
        canvas.legend(&series.name, Mark::Line(stroke, series.dash))
    }
}
