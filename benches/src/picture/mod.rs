//! Pictures of figures, as SVG: lines and bars, drawn with room for labels and readable without
//! colour vision.

mod bars;
mod canvas;
mod lines;
mod scale;

pub use bars::{Bar, BarChart};
pub use lines::{Dash, LineChart, Series};
pub use scale::{Scale, Tick};

use plotters::style::RGBColor;

/// The namespace that an SVG file must name, and an SVG within a page need not.
const NAMESPACE: &str = " xmlns=\"http://www.w3.org/2000/svg\"";

/// A picture could not be drawn; the text says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureError(String);

impl std::fmt::Display for PictureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a picture could not be drawn: {}", self.0)
    }
}

impl std::error::Error for PictureError {}

/// The colour of the `index`-th of several things: those of Okabe and Ito, which differ for every
/// kind of colour vision.
#[must_use]
pub fn colour(index: usize) -> RGBColor {
    const COLOURS: [RGBColor; 7] = [
        RGBColor(0, 114, 178),
        RGBColor(213, 94, 0),
        RGBColor(0, 158, 115),
        RGBColor(204, 121, 167),
        RGBColor(230, 159, 0),
        RGBColor(86, 180, 233),
        RGBColor(90, 90, 90),
    ];
    COLOURS[index % COLOURS.len()]
}

/// An SVG file's text as a page can hold it in its own.
#[must_use]
pub fn inline(svg: &str) -> String {
    svg.replacen(NAMESPACE, "", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inline_picture_names_no_address() {
        let chart = LineChart {
            title: "a < b".to_owned(),
            x_label: "x".to_owned(),
            y_label: "y".to_owned(),
            x: Scale::log(1.0, 1000.0),
            y: Scale::linear(0.0, 5.0),
            x_ticks: None,
            y_format: |y| y.to_string(),
            series: vec![Series::line("one", 0, vec![(1.0, 2.0), (1000.0, 4.0)])],
        };
        let svg = chart.svg().expect("it can be drawn");
        assert!(svg.starts_with("<svg ") && svg.contains(NAMESPACE), "{svg}");
        assert!(
            svg.contains("a &lt; b") && svg.contains("<polyline"),
            "{svg}"
        );
        let inline = inline(&svg);
        assert!(!inline.contains("http"), "{inline}");
    }
}
