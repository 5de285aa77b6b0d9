//! Charts of stacked bars.

use super::canvas::{Canvas, Mark, svg};
use super::scale::{Scale, Tick};
use super::{PictureError, colour};

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What stands below it, on one line or two.
    pub label: String,
    /// Its parts, from the bottom up.
    pub parts: Vec<f64>,
}

/// A chart of stacked bars.
#[derive(Debug, Clone)]
pub struct BarChart {
    /// What it shows.
    pub title: String,
    /// What the bars are.
    pub x_label: String,
    /// What their heights are.
    pub y_label: String,
    /// How figures of the upright axis are written.
    pub y_format: fn(f64) -> String,
    /// What the parts are, from the bottom up.
    pub parts: Vec<String>,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// The share of its place that a bar takes.
const WIDTH: f64 = 0.55;

impl BarChart {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// [`PictureError`].
    pub fn svg(&self) -> Result<String, PictureError> {
        let x = Scale::linear(0.0, self.bars.len() as f64);
        let y = Scale::from_zero(self.bars.iter().map(|bar| bar.parts.iter().sum()));
        svg(|canvas| {
            canvas.titles(&self.title, &self.x_label, &self.y_label)?;
            canvas.y_axis(y, self.y_format)?;
            for (index, bar) in self.bars.iter().enumerate() {
                let middle = index as f64 + 0.5;
                let [left, right] = [-WIDTH, WIDTH].map(|width| x.place(middle + width / 2.0));
                let mut below = 0.0;
                for (part, height) in bar.parts.iter().enumerate() {
                    let above = below + height;
                    let corners = [
                        Canvas::pixel(left, y.place(above)),
                        Canvas::pixel(right, y.place(below)),
                    ];
                    canvas.rectangle(corners, colour(part))?;
                    below = above;
                }
            }
            let labels = self.bars.iter().enumerate();
            let ticks: Vec<Tick> = labels
                .map(|(index, bar)| Tick::new(index as f64 + 0.5, bar.label.clone()))
                .collect();
            canvas.x_axis(x, &ticks, false)?;
            // In the order in which the parts lie above one another.
            for (part, name) in self.parts.iter().enumerate().rev() {
                canvas.legend(name, Mark::Square(colour(part)))?;
            }
            Ok(())
        })
    }
}
