//! The paper under a chart: frame, grid, labels, legend.

use plotters::coord::Shift;
use plotters::element::{DashedPathElement, PathElement, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE};

use super::PictureError;
use super::lines::Dash;
use super::scale::{Scale, Tick};

/// The size of a picture.
const SIZE: (u32, u32) = (960, 430);

/// What is left free of the chart: left, top, right (the legend), bottom.
const LEFT: i32 = 92;
const TOP: i32 = 48;
const RIGHT: i32 = 240;
const BOTTOM: i32 = 62;

const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(222, 222, 222);

/// The distance between two lines of the legend.
const LINE: i32 = 21;

/// How one element is marked in the legend.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    /// A piece of a line.
    Line(ShapeStyle, Dash),
    /// A filled square.
    Square(RGBColor),
}

/// A chart being drawn.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    legend: i32,
}

/// Draws an SVG with `draw` and returns its text.
pub(super) fn svg(
    draw: impl FnOnce(&mut Canvas<'_>) -> Result<(), PictureError>,
) -> Result<String, PictureError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        let mut canvas = Canvas { area, legend: 0 };
        draw(&mut canvas)?;
        canvas.area.present().map_err(failed)?;
    }
    Ok(text)
}

fn failed(error: impl std::fmt::Display) -> PictureError {
    PictureError(error.to_string())
}

fn writing(size: i32, colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", size).into_font();
    font.color(&colour).pos(Pos::new(across, down))
}

impl Canvas<'_> {
    fn right() -> i32 {
        SIZE.0 as i32 - RIGHT
    }

    fn bottom() -> i32 {
        SIZE.1 as i32 - BOTTOM
    }

    /// The pixel of a place from 0 to 1 on each axis, from the lower left.
    pub(super) fn pixel(across: f64, up: f64) -> (i32, i32) {
        let (width, height) = (Self::right() - LEFT, Self::bottom() - TOP);
        (
            LEFT + (across * f64::from(width)).round() as i32,
            Self::bottom() - (up * f64::from(height)).round() as i32,
        )
    }

    pub(super) fn text(
        &self,
        text: &str,
        at: (i32, i32),
        size: i32,
        across: HPos,
        down: VPos,
    ) -> Result<(), PictureError> {
        let style = writing(size, INK, across, down);
        let text = Text::new(text.to_owned(), at, style);
        self.area.draw(&text).map_err(failed)
    }

    pub(super) fn path(
        &self,
        points: Vec<(i32, i32)>,
        style: ShapeStyle,
        dash: Dash,
    ) -> Result<(), PictureError> {
        let drawn = match dash {
            Dash::Solid => self.area.draw(&PathElement::new(points, style)),
            Dash::Dashed => self.area.draw(&DashedPathElement::new(points, 9, 6, style)),
            Dash::Dotted => self.area.draw(&DashedPathElement::new(points, 2, 5, style)),
        };
        drawn.map_err(failed)
    }

    pub(super) fn rectangle(
        &self,
        corners: [(i32, i32); 2],
        colour: RGBColor,
    ) -> Result<(), PictureError> {
        let rectangle = Rectangle::new(corners, colour.filled());
        self.area.draw(&rectangle).map_err(failed)
    }

    pub(super) fn draw_dot(
        &self,
        at: (i32, i32),
        radius: i32,
        style: ShapeStyle,
    ) -> Result<(), PictureError> {
        let dot = plotters::element::Circle::new(at, radius, style);
        self.area.draw(&dot).map_err(failed)
    }

    /// The title, and what both axes are.
    pub(super) fn titles(&self, title: &str, across: &str, up: &str) -> Result<(), PictureError> {
        self.text(title, (LEFT, 12), 18, HPos::Left, VPos::Top)?;
        let middle = ((LEFT + Self::right()) / 2, SIZE.1 as i32 - 10);
        self.text(across, middle, 14, HPos::Center, VPos::Bottom)?;
        let font = ("sans-serif", 14)
            .into_font()
            .transform(plotters::style::FontTransform::Rotate270);
        let style = font.color(&INK).pos(Pos::new(HPos::Center, VPos::Top));
        let at = (14, (TOP + Self::bottom()) / 2);
        self.area
            .draw(&Text::new(up.to_owned(), at, style))
            .map_err(failed)
    }

    /// Grid lines and labels of the upright axis.
    pub(super) fn y_axis(
        &self,
        scale: Scale,
        format: fn(f64) -> String,
    ) -> Result<(), PictureError> {
        for figure in scale.round_figures() {
            let up = scale.place(figure);
            let line = vec![Self::pixel(0.0, up), Self::pixel(1.0, up)];
            self.path(line, GRID.stroke_width(1), Dash::Solid)?;
            let at = (LEFT - 8, Self::pixel(0.0, up).1);
            self.text(&format(figure), at, 13, HPos::Right, VPos::Center)?;
        }
        let line = vec![Self::pixel(0.0, 0.0), Self::pixel(0.0, 1.0)];
        self.path(line, INK.stroke_width(1), Dash::Solid)
    }

    /// Labels of the level axis, with grid lines if `grid`.
    pub(super) fn x_axis(
        &self,
        scale: Scale,
        ticks: &[Tick],
        grid: bool,
    ) -> Result<(), PictureError> {
        for tick in ticks {
            let across = scale.place(tick.at);
            if grid {
                let line = vec![Self::pixel(across, 0.0), Self::pixel(across, 1.0)];
                self.path(line, GRID.stroke_width(1), Dash::Solid)?;
            }
            for (row, label) in (0..).zip(tick.label.lines()) {
                let at = (Self::pixel(across, 0.0).0, Self::bottom() + 8 + 15 * row);
                self.text(label, at, 13, HPos::Center, VPos::Top)?;
            }
        }
        let line = vec![Self::pixel(0.0, 0.0), Self::pixel(1.0, 0.0)];
        self.path(line, INK.stroke_width(1), Dash::Solid)
    }

    /// A line of the legend.
    pub(super) fn legend(&mut self, name: &str, mark: Mark) -> Result<(), PictureError> {
        let (left, middle) = (Self::right() + 22, TOP + 10 + LINE * self.legend);
        self.legend += 1;
        match mark {
            Mark::Line(style, dash) => {
                self.path(vec![(left, middle), (left + 30, middle)], style, dash)?;
            }
            Mark::Square(colour) => {
                let corners = [(left + 8, middle - 6), (left + 20, middle + 6)];
                self.rectangle(corners, colour)?;
            }
        }
        self.text(name, (left + 38, middle), 13, HPos::Left, VPos::Center)
    }
}
